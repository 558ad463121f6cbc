"""What is said of rows is the same wherever they live: their numbers, what was left out or rounded."""

import io
import json
from importlib import import_module

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gaussmix
from gaussmix import GaussianMixture
from gaussmix.cli.main import main
from gaussmix.data.files.opening import open_rows, parts
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataError, DataWarning
from gaussmix.learning.review import review_rows

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.errors.DataWarning")

N, HOLES, FAR = 600, [5, 6, 200, 420], [100, 421, 599]


@pytest.fixture
def frame():
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.normal(size=(N, 2)), columns=["a", "b"])
    table.loc[HOLES, "a"] = np.nan
    table.loc[FAR, :] = 60.0
    return table


@pytest.fixture(params=["csv", "parquet"])
def path(request, frame, tmp_path):
    path = tmp_path / f"t.{request.param}"
    if request.param == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, row_group_size=150, index=False)
    return path


def told(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments), "--json"])
    assert end.value.code in (0, None)
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("memory", ["0", "1GB"])
def test_rows_are_numbered_as_in_the_file_where_others_are_left_out(path, memory, capsys, monkeypatch):
    monkeypatch.setattr("gaussmix.data.blocks.BLOCK_VALUES", 256)
    found = told(capsys, "fit", path, "-k", 1, "--drop-missing", "--memory", memory)
    assert found["unexplained_rows"] == [row + 1 for row in FAR]


def test_rows_of_no_weight_are_numbered_too(frame):
    matrix, weights = frame.fillna(0.0).to_numpy(), np.ones(N)
    weights[:90] = 0.0
    mixture = GaussianMixture(1).fit(matrix, sample_weight=weights)._mixture()
    assert review_rows(MemoryRows(matrix, weights), mixture).unexplained == tuple(FAR)


def test_what_workers_leave_out_is_numbered_and_told(path, monkeypatch, tmp_path):
    pytest.importorskip("distributed")
    dask = import_module("gaussmix.data.cluster.dask")
    here = open_rows(path, drop_missing=True, memory=0)
    with dask.DaskRows.of(parts(path, drop_missing=True, part_rows=150)) as there:
        assert there.summary.n_rows == here.summary.n_rows == N - len(HOLES)
        assert there.notes == here.notes
        assert "4 of 600 rows have missing values and were left out" in there.notes
        numbers = [block.numbers for block in there.blocks()]
        assert np.array_equal(np.concatenate(numbers), np.delete(np.arange(1, N + 1), HOLES))
        mixture = GaussianMixture(1).fit_rows(there)._mixture()
        assert review_rows(there, mixture).unexplained == tuple(FAR)
        model = GaussianMixture(1).fit_rows(here)
        for rows, name in ((here, "here.csv"), (there, "there.csv")):
            model.assign_rows(rows, tmp_path / name)
        assert (tmp_path / "here.csv").read_text() == (tmp_path / "there.csv").read_text()


def odd(rng):
    return pd.DataFrame(
        {
            "a": rng.normal(size=N),
            "id": np.arange(2**60, 2**60 + N),
            "name": ["x", "y"] * (N // 2),
            "when": pd.date_range("2020", periods=N),
            "class": pd.Categorical(rng.integers(0, 3, N)),
        }
    )


def of_dask(frame, folder):
    return pytest.importorskip("dask.dataframe").from_pandas(frame, npartitions=3)


def of_parquet(frame, folder):
    frame.to_parquet(folder / "t.parquet")
    return str(folder / "t.parquet")


def of_ipc(frame, folder):
    table = pa.Table.from_pandas(frame)
    with pa.ipc.new_file(folder / "t.arrow", table.schema) as file:
        file.write_table(table)
    return str(folder / "t.arrow")


PLACES = [lambda frame, _: frame, lambda frame, _: pa.Table.from_pandas(frame), of_parquet, of_ipc, of_dask]


@pytest.mark.parametrize("place", PLACES, ids=["pandas", "Arrow", "Parquet", "IPC", "dask"])
def test_the_same_columns_are_taken_and_the_same_is_said_of_the_others(place, tmp_path):
    rows = gaussmix.rows(place(odd(np.random.default_rng(1)), tmp_path))
    _ = rows.summary
    assert rows.feature_names == ("a", "id")
    assert [note.split()[1] for note in rows.notes] == ["'name'", "'when'", "'class'", "'id'"]
    assert "categories" in rows.notes[2]
    assert "beyond 2^53" in rows.notes[3]


@pytest.mark.parametrize("memory", [0, None])
def test_weights_too_light_for_sums_are_refused_wherever_rows_live(memory, tmp_path):
    table = pa.table({"a": np.arange(9.0), "w": np.full(9, 1e-200)})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="the largest weight is 1e-200"):
        _ = gaussmix.rows(tmp_path / "t.parquet", weights="w", memory=memory).summary


def test_standard_input_is_read_in_blocks_too(capsys, monkeypatch):
    text = "a,b\n" + "".join(f"{i % 7},{i % 11}\n" for i in range(500))

    class Standard:
        buffer = io.BytesIO(text.encode())

    monkeypatch.setattr("sys.stdin", Standard())
    found = told(capsys, "fit", "-", "-k", 1, "--memory", "0")
    assert found["reading"]["passes"] > 1
    assert found["n_rows"] == 500


def test_integers_that_are_rounded_in_an_array_of_dask_are_told():
    array = pytest.importorskip("dask.array")
    ids = np.column_stack([np.arange(2**60, 2**60 + N), np.arange(N)])
    with pytest.warns(DataWarning, match="rounded"):
        rows = gaussmix.rows(array.from_array(ids, chunks=(200, 2)))
    assert [note.split()[1] for note in rows.notes] == ["'x1'"]
