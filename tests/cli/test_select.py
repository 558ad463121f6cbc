"""``gaussmix select`` and ``gaussmix test``: what they print, save and refuse."""

import numpy as np
import pytest

from gaussmix import load
from gaussmix.cli.select import counts_of
from gaussmix.errors import SettingsError


@pytest.fixture
def two_groups(csv):
    generator = np.random.default_rng(0)
    values = np.r_[generator.normal(0.0, 1.0, (40, 2)), generator.normal(8.0, 1.0, (40, 2))]
    return csv("long,wide\n" + "\n".join(f"{a:.4f},{b:.4f}" for a, b in values))


def test_the_verdict_comes_first_then_the_tables(run, two_groups):
    done = run("select", two_groups, "-k", "1:3", "--models", "EII,vvv")
    assert done.code == 0
    first, *rest = done.out.splitlines()
    assert first.startswith("Two components, EII (all components are spheres of one volume). BIC is ahead")
    table = next(i for i, line in enumerate(rest) if line.startswith("components"))
    assert rest[table].split() == ["components", "1", "2", "3"]
    assert rest[table + 1].split()[0] == "EII"
    assert rest[table + 1].split()[2].startswith("*")
    assert "held out, nats a row (5 folds)" in done.out


def test_json_has_a_row_for_each_fit(run, two_groups):
    done = run("select", two_groups, "-k", "1,2", "--models", "EII,VVV", "--json", "--folds", "0")
    document = done.json
    assert document["schema"] == "gaussmix-selection"
    assert [(row["n_components"], row["covariance"]) for row in document["table"]] == [
        (1, "EII"),
        (2, "EII"),
        (1, "VVV"),
        (2, "VVV"),
    ]
    best = document["best"]
    assert (best["n_components"], best["covariance"], best["outcome"]) == (2, "EII", "converged")
    assert best["bic"] == -best["bic_mclust"] == min(row["bic"] for row in document["table"])
    assert best["held_out"] is None
    assert document["verdict"].startswith("Two components, EII")
    assert document["margin"] > 10.0


def test_the_best_model_is_saved_as_fit_would(run, two_groups, tmp_path):
    saved = tmp_path / "best.json"
    assert run("select", two_groups, "-k", "1:3", "--models", "EII", "-o", saved).code == 0
    model = load(saved)
    assert model.n_components == 2
    assert model.feature_names_in_.tolist() == ["long", "wide"]
    shown = run("show", saved)
    assert "2 components in 2 features for 80 rows" in shown.out


def test_one_feature_has_the_models_e_and_v(run, csv):
    values = np.random.default_rng(1).normal(size=30)
    done = run("select", csv("x\n" + "\n".join(map(str, values))), "-k", "1:2", "--models", "all", "--json")
    assert {row["covariance"] for row in done.json["table"]} == {"E", "V"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-k", "3:1"), "-k"),
        (("-k", "a"), "-k"),
        (("-k", "0:2"), "number of components"),
        (("--models", "XYZ"), "--models must be of EII"),
        (("--folds", "1"), "--folds"),
        (("--models", ""), "--models"),
    ],
)
def test_what_has_no_meaning_is_refused(run, two_groups, arguments, words):
    done = run("select", two_groups, *arguments)
    assert done.code == 2
    assert words in done.err


def test_the_data_are_not_written_over(run, two_groups):
    before = two_groups.read_bytes()
    done = run("select", two_groups, "-k", "1:2", "-o", two_groups)
    assert done.code == 3
    assert two_groups.read_bytes() == before


def test_numbers_of_components_can_be_listed():
    assert counts_of("1:3,7") == (1, 2, 3, 7)
    with pytest.raises(SettingsError, match="1:9"):
        counts_of("1-3")


def test_the_test_says_how_many_and_shows_each_step(run, two_groups):
    done = run("test", two_groups, "-k", "1:3", "--replicates", "39", "--covariance", "eee")
    assert done.code == 0
    assert done.out.splitlines()[0] == "2 components at level 0.05: there is no evidence of one more."
    assert "1 against 2" in done.out
    assert "0.025 ± 0.02" in done.out


def test_the_test_as_json(run, two_groups):
    document = run("test", two_groups, "-k", "1", "--replicates", "19", "--json", "--level", "0.1").json
    assert document["tests"][0]["p_value"] == pytest.approx(0.05)
    assert document["n_components"] == 2
    assert document["verdict"].startswith("At least 2 components at level 0.1: no more were tried.")
