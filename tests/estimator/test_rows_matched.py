"""Rows that a mixture is asked about: columns by name, arrays as they lie, and words where nothing helps."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import gaussmix
from gaussmix import GaussianMixture
from gaussmix.cli.main import main
from gaussmix.errors import CheckpointError, DataError, DataKindError, SettingsError

N = 400


@pytest.fixture
def frame():
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.normal(size=(N, 3)), columns=["a", "b", "c"])
    table.loc[: N // 2, :] += [4.0, 0.0, 1.0]
    table["w"] = 1.0 + np.arange(N) % 3
    return table


@pytest.fixture
def path(frame, tmp_path):
    frame.to_parquet(tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


@pytest.fixture
def model(path):
    return GaussianMixture(2).fit_rows(gaussmix.rows(path, weights="w"))


def test_columns_are_matched_by_name_where_both_sides_have_names(model, frame, path, tmp_path):
    known = model.score_rows(frame[["a", "b", "c"]].to_numpy())
    np.save(tmp_path / "t.npy", frame[["a", "b", "c"]].to_numpy())
    for rows in (path, str(path), frame, frame[["w", "c", "b", "a"]], tmp_path / "t.npy"):
        assert model.score_rows(rows) == known
    model.assign_rows(path, tmp_path / "named.csv")
    model.assign_rows(tmp_path / "t.npy", tmp_path / "placed.csv")
    assert (tmp_path / "named.csv").read_bytes() == (tmp_path / "placed.csv").read_bytes()
    with pytest.raises(DataError, match="no column 'b'"):
        model.score_rows(frame[["a", "c"]])
    other = gaussmix.rows(path, columns=["c", "b", "a"])
    with pytest.raises(DataError, match="in the mixture's order"):
        model.score_rows(other)


def test_criteria_and_standard_errors_are_had_of_rows_too(model, frame, path):
    X, weights = frame[["a", "b", "c"]], frame["w"].to_numpy()
    for memory in (0, None):
        rows = gaussmix.rows(path, weights="w", memory=memory)
        for ask in (model.bic, model.aic, model.icl, model.bic_mclust, model.score):
            assert ask(rows) == pytest.approx(ask(X, sample_weight=weights), rel=1e-12)
        found = model.uncertainty(rows).means.standard_error
        np.testing.assert_allclose(found, model.uncertainty(X, sample_weight=weights).means.standard_error)
        with pytest.raises(SettingsError, match="bring their weights themselves"):
            model.bic(rows, sample_weight=weights)


def test_predict_takes_columns_without_names_by_place(model, frame, tmp_path, capsys):
    model.save(tmp_path / "m.json")
    model.assign_rows(frame, tmp_path / "known.csv")
    np.save(tmp_path / "t.npy", frame[["a", "b", "c"]].to_numpy())
    with pytest.raises(SystemExit) as end:
        main(
            ["predict", str(tmp_path / "m.json"), str(tmp_path / "t.npy"), "-o", str(tmp_path / "found.csv")]
        )
    assert not end.value.code
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "known.csv").read_bytes()
    np.save(tmp_path / "t.npy", frame.to_numpy())
    with pytest.raises(SystemExit) as end:
        main(["predict", str(tmp_path / "m.json"), str(tmp_path / "t.npy")])
    assert end.value.code == 3
    assert "has 4 columns, which are not named, and the model 3" in capsys.readouterr().err


def unaligned(matrix):
    return np.frombuffer(b"x" + matrix.tobytes(), offset=1, dtype=matrix.dtype).reshape(matrix.shape)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arrays_may_begin_at_any_byte(frame, dtype, tmp_path):
    matrix = frame[["a", "b", "c"]].to_numpy(dtype)
    odd = unaligned(matrix)
    assert not odd.flags.aligned
    # Rows in double are converted, a tile at a time, into what is equal to them.
    model = GaussianMixture(2).fit(odd)
    np.testing.assert_allclose(model.means_, GaussianMixture(2).fit(matrix).means_, rtol=1e-5)
    for ask in (model.predict, model.predict_proba, model.score_samples, model.score, model.score_rows):
        np.testing.assert_allclose(ask(odd), ask(matrix.astype(np.float64)), rtol=1e-12)
    model.assign_rows(odd, tmp_path / "a.csv")
    GaussianMixture(2).partial_fit(odd)
    assert gaussmix.select(odd, [1, 2], ["VVV"]).best.n_components == 2


@pytest.mark.filterwarnings("ignore:sample_weight:gaussmix.errors.DataWarning")
def test_batches_may_weigh_very_differently():
    rng = np.random.default_rng(0)
    model = GaussianMixture(1).fit(rng.normal(size=(50, 1)))
    heavy = rng.normal(5.0, size=(50, 1))
    model.partial_fit(heavy, sample_weight=np.full(50, 1e17))
    assert model.means_[0, 0] == pytest.approx(heavy.mean(), abs=1.0)
    stream = GaussianMixture(1)
    stream.partial_fit(rng.normal(size=(20, 1)), sample_weight=np.full(20, 1e-6))
    stream.partial_fit(rng.normal(5.0, size=(2000, 1)), sample_weight=np.full(2000, 1e12))
    assert np.isfinite(stream.means_).all()


@pytest.mark.parametrize(
    ("memory", "words"),
    [(-1, "a number of bytes"), (True, "a number of bytes"), ("2 boxes", "a size such as")],
)
def test_memory_that_is_no_size_is_told(memory, words, path):
    with pytest.raises(SettingsError, match=f"memory must be {words}"):
        gaussmix.rows(path, memory=memory)


def test_no_rows_at_all_are_told():
    with pytest.raises(DataError, match="the list is empty"):
        gaussmix.rows([])


def test_memory_can_be_said_as_on_the_command_line(path):
    assert gaussmix.rows(path, memory="1 kB").__class__.__name__ == "FileRows"
    assert gaussmix.rows(path, memory="1GB").__class__.__name__ == "LoadedRows"


def test_a_frame_without_rows_yet_is_told(path):
    polars = pytest.importorskip("polars")
    with pytest.raises(DataKindError, match="collect it"):
        gaussmix.rows(polars.scan_parquet(path))


@pytest.mark.parametrize("name", ["a.csv.gz", "a.npy", "a.XLSX"])
def test_a_name_that_promises_another_format_is_refused(model, frame, name, tmp_path):
    with pytest.raises(SettingsError, match="written as CSV, or as Parquet"):
        model.assign_rows(frame, tmp_path / name)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", 3, ""])
def test_a_checkpoint_that_cannot_be_a_file_is_told(name, path):
    for resume in (False, True):
        with pytest.raises(CheckpointError, match=r"cannot be the name|must be the path|is no file"):
            GaussianMixture(1).fit_rows(path, checkpoint=name, resume=resume)


def test_a_fit_that_tells_its_way_is_another_one_to_a_checkpoint(path, tmp_path):
    GaussianMixture(2).fit_rows(path, checkpoint=tmp_path / "c")
    with pytest.raises(CheckpointError, match="trace was False and is True"):
        GaussianMixture(2, trace=True).fit_rows(path, checkpoint=tmp_path / "c", resume=True)


def test_no_command_needs_pandas(path, frame, tmp_path):
    # Arrow's own import of it swallows a Ctrl-C.
    frame.to_csv(tmp_path / "t.csv", index=False)
    for data in (path, tmp_path / "t.csv"):
        for memory in ("0", "1GB"):
            script = (
                "import sys\nfrom gaussmix.cli.main import main\n"
                f"try:\n    main(['fit', {str(data)!r}, '-k', '2', '--memory', {memory!r}, '-o', "
                f"{str(tmp_path / 'm')!r}, '--assign', {str(tmp_path / 'a.parquet')!r}])\n"
                "except SystemExit as end:\n    assert not end.code\n"
                "assert 'pandas' not in sys.modules"
            )
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
