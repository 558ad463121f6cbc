"""Each command: what it prints, what it writes, how it exits."""

import io
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import gaussmix
from gaussmix import GaussianMixture

START = ("--means", "5.5,6.0", "--variances", "0.1,0.1", "--weights", "0.5,0.5")


@pytest.fixture
def heights_csv(data_folder):
    return data_folder / "heights.csv"


@pytest.fixture
def faithful_csv(data_folder):
    return data_folder / "faithful.csv"


def test_fit_json_has_every_promised_field(run, faithful_csv):
    found = run("fit", faithful_csv, "-k", 2, "--prior", "none", "--json")
    assert found.code == 0
    fit = found.json
    promised = (
        "weights means covariances log_likelihood bic aic icl n_iterations outcome converged n_rows "
        "n_features feature_names covariance prior seed schema schema_version"
    )
    assert set(promised.split()) <= set(fit)
    assert fit["log_likelihood"] == pytest.approx(-1130.26396018, rel=1e-7)
    assert fit["bic"] == pytest.approx(2322.19174310, rel=1e-7)
    assert fit["icl"] == pytest.approx(2322.70467584, rel=1e-7)
    assert fit["outcome"] == "converged"
    assert fit["converged"] is True
    assert fit["prior"] is None
    assert fit["feature_names"] == ["eruptions", "waiting"]
    assert (fit["n_rows"], fit["n_features"], fit["covariance"], fit["seed"]) == (272, 2, "full", 0)


@pytest.mark.parametrize("covariance", ["tied", "EEE", "eee"])
def test_tied_with_three_components_reaches_mclusts_best(run, faithful_csv, covariance):
    fit = run("fit", faithful_csv, "-k", 3, "--prior", "none", "--covariance", covariance, "--json").json
    assert fit["log_likelihood"] == pytest.approx(-1126.31592786, rel=1e-7)


def test_fit_in_words(run, faithful_csv):
    found = run("fit", faithful_csv, "-k", 2)
    assert found.code == 0
    for words in (
        "2 components in 2 features for 272 rows",
        "eruptions",
        "waiting",
        "±",
        "Converged after",
        "BIC",
    ):
        assert words in found.out
    assert found.err == ""


def test_the_command_line_and_the_estimator_agree(run, faithful_csv, faithful):
    fit = run("fit", faithful_csv, "-k", 3, "--seed", 5, "--n-init", 2, "--json").json
    model = GaussianMixture(3, random_state=5, n_init=2).fit(faithful)
    assert np.array_equal(fit["means"], model.means_)
    assert np.array_equal(fit["covariances"], model.covariances_)


def test_explain_json_has_the_exact_figures(run, heights_csv):
    found = run("explain", heights_csv, "-k", 2, *START, "--steps", 2, "--json")
    assert found.code == 0
    first, second = found.json["steps"]
    assert first["iteration"] == 1
    assert first["log_likelihood"] == pytest.approx(-3.007422, abs=5e-7)
    assert np.ravel(first["next"]["means"]) == pytest.approx([5.5982, 5.9303], abs=5e-5)
    assert np.ravel(first["next"]["covariances"]) == pytest.approx([0.06468, 0.06446], abs=5e-6)
    assert first["next"]["weights"] == pytest.approx([0.4827, 0.5173], abs=5e-5)
    assert second["log_likelihood"] == pytest.approx(-2.226303, abs=5e-7)
    assert first["next"] == second["mixture"]
    assert [row["x"] for row in first["rows"]][:3] == [[5.2], [5.5], [5.8]]
    assert first["rows"][0]["densities"] == pytest.approx([0.804410, 0.051424], abs=5e-7)
    assert first["rows"][0]["responsibilities"] == pytest.approx([0.939913, 0.060087], abs=5e-7)
    assert first["component_totals"] == pytest.approx([4.82723, 5.17277], abs=5e-6)


def test_explain_prints_formulas_with_their_numbers(run, heights_csv):
    out = run("explain", heights_csv, "-k", 2, *START, "--steps", 1).out
    for written in (
        "N(x; mu_1, s2_1)",
        "responsibility 2",
        "N_1 = 0.9399 + 0.7773",
        "for row 1:",
        "N(5.2; mu_1, s2_1) = exp(-(5.2 - 5.50000)^2 / (2*0.10000)) / sqrt(2 pi 0.10000) = 0.8044",
        "responsibility 1 = 0.5000*0.8044 / (0.5000*0.8044 + 0.5000*0.0514) = 0.9399",
        "weight_1 = N_1 / n = 4.827226 / 10 = 0.4827",
        "= 27.023963 / 4.827226 = 5.59824",
        "mean_1 = (0.9399*5.2",
        "= 5.59824",
        "variance_1 = (0.9399*(5.2 - 5.5982)^2",
        "= 0.06468",
        "gained 0.781119",
    ):
        assert written in " ".join(out.split()), written


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_explain_any_table(run, data_folder, covariance):
    shortened = run("explain", data_folder / "iris.csv", "-k", 9, "--steps", 1, "--covariance", covariance)
    assert shortened.code == 0
    assert "138 more rows (these are the first 4 and the 8 most undecided" in shortened.out
    assert "1 more components" in shortened.out
    whole = run("explain", data_folder / "iris.csv", "-k", 2, "--steps", 1, "--all-rows", "--json").json
    assert len(whole["steps"][0]["rows"]) == 150


def test_explain_under_the_prior_shows_the_pseudo_rows(run, heights_csv):
    out = run("explain", heights_csv, "-k", 2, *START, "--prior", "weak", "--steps", 1).out
    assert "+ 0.200 S) / (N_1 + 0.200) = 0.33065906 / 5.027226 = 0.06577" in out


@pytest.mark.parametrize("covariance", ["full", "tied", "diag"])
def test_explain_shows_no_formula_for_a_variance_that_is_held(run, csv, covariance):
    table = csv("a,b\n1,5\n2,5\n3,5\n7,5\n8,5\n9,5\n")
    out = run("explain", table, "-k", 2, "--prior", "weak", "--steps", 1, "--covariance", covariance).out
    held = [line for line in out.splitlines() if "= 2.5e-05" in line]
    assert len(held) == (1 if covariance == "tied" else 2)
    assert all("no spread" in line and "sum" not in line for line in held)


def test_demo_tells_the_whole_story(run):
    found = run("demo")
    assert found.code == 0
    told = " ".join(found.out.split())
    for words in (
        "5.5982",
        "0.06468",
        "creep for hundreds of iterations along a plateau",
        "component 2 has no spread left",
        "a tighter tolerance only comes closer to it",
        "One group describes these rows best by BIC",
        "EM ends on the single row 6.3",
        "can only be feet (1.58 to 1.92 m)",
    ):
        assert words in told, words


def test_save_show_and_predict(run, faithful_csv, faithful, tmp_path):
    model, assigned, predicted = (tmp_path / n for n in ("m.json", "a.csv", "p.csv"))
    assert run("fit", faithful_csv, "-k", 2, "-o", model, "--assign", assigned).code == 0
    shown = run("show", model)
    assert shown.code == 0
    assert "eruptions" in shown.out
    assert run("show", model, "--json").json["n_components"] == 2
    assert run("predict", model, faithful_csv, "-o", predicted).code == 0
    assert predicted.read_bytes() == assigned.read_bytes()
    to_stdout = run("predict", model, faithful_csv)
    assert to_stdout.out.encode() == predicted.read_bytes()
    table = pyarrow.csv.read_csv(predicted)
    assert table.column_names == [
        "row",
        "label",
        "probability_1",
        "probability_2",
        "log_density",
        "unexplained",
    ]
    estimator = GaussianMixture(2).fit(faithful)
    assert np.array_equal(table["label"].to_numpy() - 1, estimator.labels_)
    np.testing.assert_array_equal(table["log_density"].to_numpy(), estimator.score_samples(faithful))
    back = gaussmix.load(model)
    assert np.array_equal(back.means_, estimator.means_)


def test_predict_matches_columns_by_name_and_flags_rows_no_component_explains(
    run, faithful_csv, csv, tmp_path
):
    model = tmp_path / "m.json"
    run("fit", faithful_csv, "-k", 2, "-o", model)
    new = csv("waiting,note,eruptions\n79,a,3.6\n54,b,1.8\n500,c,3\n")
    lines = run("predict", model, new).out.splitlines()
    assert [line.split(",")[:2] for line in lines[1:3]] == [["1", "2"], ["2", "1"]]
    assert [line.split(",")[-1] for line in lines[1:]] == ["false", "false", "true"]
    missing = run("predict", model, csv("waiting\n79\n", "other.csv"))
    assert missing.code == 3
    assert "no column 'eruptions'" in missing.err


@pytest.mark.parametrize("kind", ["parquet", "arrow", "npy", "csv.gz", "feather stream"])
def test_every_format_gives_the_same_fit(run, faithful, faithful_csv, tmp_path, kind):
    expected = run("fit", faithful_csv, "-k", 2, "--json").json
    table = pa.table({"eruptions": faithful[:, 0], "waiting": faithful[:, 1]})
    path = tmp_path / f"table.{kind.split()[0]}"
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=50)
    elif kind == "arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    elif kind == "npy":
        np.save(path, faithful)
    elif kind == "csv.gz":
        import gzip

        path.write_bytes(gzip.compress(faithful_csv.read_bytes()))
    else:
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    found = run("fit", path, "-k", 2, "--json").json
    assert found["means"] == expected["means"]
    assert found["log_likelihood"] == expected["log_likelihood"]


def test_standard_input(run, faithful_csv, monkeypatch):
    class Piped:
        buffer = io.BytesIO(faithful_csv.read_bytes())

    monkeypatch.setattr(sys, "stdin", Piped)
    assert run("fit", "-", "-k", 2, "--json").json["n_rows"] == 272


def test_columns_are_chosen_in_the_order_given(run, faithful_csv):
    fit = run("fit", faithful_csv, "-k", 2, "--columns", "waiting, eruptions", "--json").json
    assert fit["feature_names"] == ["waiting", "eruptions"]
    wrong = run("fit", faithful_csv, "-k", 2, "--columns", "wating")
    assert wrong.code == 3
    assert "did you mean 'waiting'?" in wrong.err


def test_starts_for_more_than_one_feature(run, faithful_csv):
    fit = run("fit", faithful_csv, "-k", 2, "--means", "4.3,80;2,54", "--json").json
    assert fit["means"][0][0] > fit["means"][1][0]
    for option, value in (
        ("--means", "1,2,3"),
        ("--means", "1,2;3"),
        ("--means", "a,b;c,d"),
        ("--weights", "0.5,0.6"),
        ("--variances", "-1"),
    ):
        wrong = run("fit", faithful_csv, "-k", 2, option, value)
        assert wrong.code == 2, (option, value, wrong)
        assert wrong.err.startswith("gaussmix: ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("fit",), 2),
        (("fit", "{heights}"), 2),
        (("fit", "{heights}", "-k", "two"), 2),
        (("fit", "{heights}", "-k", "0"), 2),
        (("fit", "{heights}", "-k", "2", "--tol", "-1"), 2),
        (("fit", "{heights}", "-k", "2", "--covariance", "round"), 2),
        (("nothing",), 2),
        (("fit", "missing.csv", "-k", "2"), 3),
        (("fit", "{heights}", "-k", "99"), 3),
        (("fit", "{folder}", "-k", "1"), 3),
        (("fit", "{heights}", "-k", "2", "--max-iter", "3", "--strict"), 4),
        (("fit", "{heights}", "-k", "2", "--max-iter", "3"), 0),
        (("show", "{heights}"), 5),
        (("predict", "{heights}", "{heights}"), 5),
        (("show", "missing.json"), 3),
        (("--help",), 0),
        (("fit", "--help"), 0),
        (("--version",), 0),
    ],
)
def test_exit_codes(run, heights_csv, data_folder, arguments, code):
    filled = [a.format(heights=heights_csv, folder=data_folder) for a in arguments]
    found = run(*filled)
    assert found.code == code, found
    assert "Traceback" not in found.err
    if code not in (0, 4):
        assert found.err


def test_a_collapsed_fit_is_told_on_standard_error(run, heights_csv):
    found = run("fit", heights_csv, "-k", 2, "--prior", "none", *START, "--json")
    assert found.code == 0
    assert found.json["outcome"] == "degenerate_component"
    assert found.json["converged"] is False
    assert found.json["doubts"][0]["component"] == 2
    assert "component 2 has no spread left" in found.err
    assert run("fit", heights_csv, "-k", 2, "--prior", "none", *START, "--strict").code == 4


def test_one_group_that_does_better_is_said(run, heights_csv, faithful_csv):
    found = run("fit", heights_csv, "-k", 2)
    assert "One component describes these rows better by BIC (9.14 against 15.83" in found.out
    fit = run("fit", faithful_csv, "-k", 2, "--json").json
    assert fit["bic_of_one_component"] == pytest.approx(2607.62250044, rel=1e-9)
    assert fit["notes"] == []


def test_a_prior_that_an_extreme_row_has_made_strong_is_said(run, csv):
    rows = np.random.default_rng(0).normal(165, 5, 200)
    rows[100:] += 20
    rows[7] = 16500
    found = run("fit", csv("height\n" + "\n".join(map(str, rows))), "-k", 2)
    assert "of the variance of component 1 along 'height' comes from the prior" in " ".join(found.out.split())


def test_messages_speak_of_options(run, heights_csv):
    assert "(-k) must be" in run("fit", heights_csv, "-k", 0).err
    assert "--prior weak" in run("fit", heights_csv, "-k", 2, "--prior", "none", *START, "--json").err


def test_interrupted(run, heights_csv, monkeypatch):
    import gaussmix.cli.fit as module

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "search", interrupt)
    found = run("fit", heights_csv, "-k", 2)
    assert found.code == 130
    assert "Interrupted" in found.err


def test_the_output_may_not_be_the_input(run, csv):
    table = csv("x\n1\n2\n3\n4\n")
    before = table.read_bytes()
    for option in ("-o", "--assign"):
        assert run("fit", table, "-k", 1, option, table).code == 3
    assert table.read_bytes() == before


def test_as_a_program_no_colour_and_no_progress_off_a_terminal(heights_csv):
    command = [sys.executable, "-m", "gaussmix", "fit", heights_csv, "-k", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""


def test_a_closed_pipe_is_no_error(heights_csv):
    command = f"{sys.executable} -m gaussmix demo | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "worked example" in done.stdout
    assert done.stderr == ""


def test_shell_completion_knows_the_commands():
    import os

    environment = {
        **os.environ,
        "_GAUSSMIX_COMPLETE": "bash_complete",
        "COMP_WORDS": "gaussmix ",
        "COMP_CWORD": "1",
    }
    program = [sys.executable, "-c", "from gaussmix.cli.main import main; main()"]
    done = subprocess.run(program, capture_output=True, text=True, env=environment, check=False)
    assert {"plain,fit", "plain,explain", "plain,demo"} <= set(done.stdout.split())


def test_json_of_show_round_trips_the_fit(run, heights_csv, tmp_path):
    model = tmp_path / "m.json"
    fit = run("fit", heights_csv, "-k", 2, "-o", model, "--json").json
    shown = run("show", model, "--json").json
    assert shown == fit
    assert json.loads(model.read_text())["version"] == 1


def test_explain_with_an_empty_component_is_whole_json(run, faithful_csv):
    arguments = ("--weights", "1,0", "--means", "3,70;4,80", "--variances", "9,9", "--json")
    found = run("explain", faithful_csv, "-k", 2, *arguments)
    assert found.code == 0
    assert found.json["steps"][0]["rows"][0]["responsibilities"][1] == 0.0


def test_a_terminal_without_unicode(heights_csv):
    import os

    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "gaussmix", "fit", heights_csv, "-k", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "5.7700 ? 0.303" in done.stdout


def test_the_number_of_threads_does_not_change_a_bit(tmp_path):
    """Promise 6, with matrices large enough for BLAS to split."""
    import os

    rows = np.random.default_rng(0).normal(size=(3000, 48))
    np.save(tmp_path / "rows.npy", rows)
    outputs = []
    for threads in ("1", "2", "3"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads}
        command = [
            sys.executable,
            "-m",
            "gaussmix",
            "fit",
            tmp_path / "rows.npy",
            "-k",
            "2",
            "--max-iter",
            "5",
        ]
        done = subprocess.run([*command, "--json"], capture_output=True, check=True, env=environment)
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1] == outputs[2]


def test_a_million_rows_need_the_data_and_less_than_300_mb(tmp_path):
    """Peak memory of the whole process, interpreter included."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1_000_000, 2)) + 5.0 * rng.integers(0, 2, size=(1_000_000, 1))
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": rows[:, 0], "b": rows[:, 1]}), path)
    code = (
        "import re, sys\n"
        "from gaussmix.cli.main import main\n"
        "try:\n"
        "    main(['fit', sys.argv[1], '-k', '2', '--json'])\n"
        "finally:\n"
        "    sys.stderr.write(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["converged"] is True
    assert int(done.stderr.split()[-1]) * 1024 < rows.nbytes + 300e6


def test_progress_is_shown_on_a_terminal(tmp_path, faithful, monkeypatch, capsys):
    from rich.console import Console

    from gaussmix.cli import progress
    from gaussmix.data.memory import MemoryRows
    from gaussmix.learning.search import search
    from gaussmix.learning.settings import FitSettings

    screen = io.StringIO()
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(progress, "Console", lambda **_: Console(file=screen, force_terminal=True, width=80))
    with progress.fit_progress() as watch:
        search(MemoryRows(faithful), FitSettings(3), watch)
    assert "iteration" in screen.getvalue()


@pytest.mark.parametrize("prior", ["none", "weak"])
@pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
def test_every_printed_quotient_is_the_printed_result(run, data_folder, covariance, prior):
    """What a learner does with a calculator, over all `a / b = c` of a table with four columns."""
    import re

    arguments = ("-k", 2, "--steps", 1, "--covariance", covariance, "--prior", prior)
    out = " ".join(run("explain", data_folder / "iris.csv", *arguments).out.split())
    quotients = re.findall(r"= (-?[\d.]+) / ([\d.]+) = (-?[\d.]+)", out)
    assert len(quotients) >= 10
    for numerator, divisor, result in quotients:
        assert float(numerator) / float(divisor) == pytest.approx(float(result), rel=1e-5, abs=6e-5)


@pytest.mark.parametrize("covariance", ["VVV", "EEE", "VVI", "VII"])
def test_explain_knows_mclusts_names_of_what_it_writes_out(run, heights_csv, covariance):
    assert run("explain", heights_csv, "-k", 2, "--covariance", covariance).code == 0


@pytest.mark.parametrize("covariance", ["EII", "VEI", "VEE", "EVE", "V"])
def test_explain_refuses_models_that_no_one_does_by_hand(run, heights_csv, covariance):
    found = run("explain", heights_csv, "-k", 2, "--covariance", covariance)
    assert found.code == 2
    assert "writes out full, tied, diag, spherical" in found.err


def test_noise_and_equal_weights_from_the_command_line(run, faithful_csv, tmp_path):
    model, rows = tmp_path / "m.json", tmp_path / "rows.csv"
    found = run(
        "fit", faithful_csv, "-k", 2, "--covariance", "VEV", "--noise", "--equal-weights",
        "--prior", "conjugate", "-o", model, "--assign", rows, "--json",
    )  # fmt: skip
    assert found.code == 0
    fit = found.json
    assert (fit["covariance"], fit["prior"], fit["equal_weights"]) == ("VEV", "conjugate", True)
    assert fit["weights"][0] == fit["weights"][1]
    assert sum(fit["weights"]) + fit["noise"]["weight"] == pytest.approx(1.0)
    assert fit["bic_mclust"] == -fit["bic"]
    header, *lines = rows.read_text().splitlines()
    assert "probability_noise" in header
    assert {line.split(",")[1] for line in lines} <= {"0", "1", "2"}
    shown = run("show", model)
    assert "noise" in shown.out
    assert "times as long as wide" in shown.out
