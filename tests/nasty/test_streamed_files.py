"""NASTY.md 47 to 61, as far as rows are streamed from files: read right, or refused by name."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamed import stream

from gaussmix.data import blocks
from gaussmix.data.files import sources
from gaussmix.data.files.opening import open_rows, parts
from gaussmix.data.files.tables import read_table
from gaussmix.errors import DataError


def test_parquet_types(tmp_path):
    from decimal import Decimal

    path = tmp_path / "t.parquet"
    table = pa.table(
        {
            "whole": pa.array([1, 2], pa.int64()),
            "small": pa.array([1, None], pa.uint8()),
            "flag": pa.array([True, False]),
            "price": pa.array([Decimal("1.5"), Decimal("2.5")]),
            "half": pa.array(np.array([1.5, 2.5], np.float16)),
            "coded": pa.array([7, 8]).dictionary_encode(),
            "name": pa.array(["a", "b"]).dictionary_encode(),
            "nested": pa.array([[1], [2]]),
            "parts": pa.array([{"whole": 1}, {"whole": 2}]),
            "nothing": pa.nulls(2),
        }
    )
    pq.write_table(table, path)
    matrix, rows = stream(path, drop_missing=True)
    assert rows.feature_names == ("whole", "small", "flag", "price", "half", "coded")
    assert matrix.tolist() == [[1.0, 1.0, 1.0, 1.5, 1.5, 7.0]]
    notes = " ".join(rows.notes)
    for word in ("'name' is text", "'nested' holds", "'parts' holds", "'nothing' is missing in every row"):
        assert word in notes
    for name in ("name", "nested", "nothing"):
        with pytest.raises(DataError, match=f"column '{name}'"):
            open_rows(path, columns=[name], memory=0)
    with pytest.raises(DataError, match="row 2, column 'small' is missing"):
        stream(path)


def test_columns_of_one_name_and_names_with_dots(tmp_path):
    one, two = pa.array([1.0, 2.0]), pa.array([3.0, 4.0])
    table = pa.Table.from_arrays([one, two, one, two], names=["a", "a", "b.c", "b"])
    pq.write_table(table, tmp_path / "t.parquet")
    with pa.ipc.new_file(tmp_path / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    for name in ("t.parquet", "t.arrow"):
        matrix, rows = stream(tmp_path / name, columns=["b", "a_2", "b.c", "a"])
        assert matrix.tolist() == [[3.0, 3.0, 1.0, 1.0], [4.0, 4.0, 2.0, 2.0]]
        assert "is called 'a_2'" in rows.notes[0]


def test_integers_beyond_floats_and_row_numbers_are_said(tmp_path, csv):
    big = [9007199254740993, 9007199254740995, 1, 2]
    pq.write_table(pa.table({"id": big, "n": [5, 6, 7, 8], "x": [1.0, 4.0, 2.0, 3.0]}), tmp_path / "t")
    text = csv("id,n,x\n" + "\n".join(f"{b},{n},1.5" for b, n in zip(big, range(4), strict=True)))
    for path in (tmp_path / "t", text):
        notes = " ".join(stream(path)[1].notes)
        assert "'id' holds integers beyond 2^53" in notes
        assert "'n' only counts the rows" in notes


def test_the_index_of_a_pandas_frame_is_no_measurement(tmp_path):
    import pandas as pd

    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0, 3.0], "b": [2.0, 1.0, 3.0, 5.0]})
    frame[frame.a != 2.0].to_parquet(tmp_path / "i.parquet")
    _, rows = stream(tmp_path / "i.parquet")
    assert rows.feature_names == ("a", "b")
    assert "index of a pandas frame" in rows.notes[0]


def test_missing_values_are_named_by_their_row_in_their_file(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 64)
    monkeypatch.setattr(sources, "CHUNK_ROWS", 7)
    for i in range(3):
        column = np.arange(50.0)
        column[33] = np.nan if i == 1 else 0.0
        pq.write_table(
            pa.table({"a": column, "b": column[::-1]}), tmp_path / f"{i}.parquet", row_group_size=10
        )
    with pytest.raises(DataError, match=r"1.parquet: row 17, column 'b' is missing"):
        stream(tmp_path)
    one = parts(tmp_path / "1.parquet", part_rows=10)[1]
    with pytest.raises(DataError, match=r"1.parquet: row 17, column 'b' is missing"):
        list(one.blocks())


def test_the_first_of_several_missing_values_is_named(tmp_path):
    nan = np.nan
    pq.write_table(
        pa.table({"a": [1.0, 2.0, nan], "b": [1.0, nan, nan], "c": [1.0, nan, 2.0]}), tmp_path / "t"
    )
    with pytest.raises(DataError, match="row 2, column 'b' is missing"):
        stream(tmp_path / "t")


def test_every_row_missing(tmp_path):
    pq.write_table(pa.table({"a": [np.nan, np.nan]}), tmp_path / "t")
    with pytest.raises(DataError, match="every row has a missing value"):
        stream(tmp_path / "t", drop_missing=True)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -1.0, 2.0], "row 2, column 'w': its weight is -1"),
        ([1.0, np.nan, 2.0], "row 2, column 'w' is missing"),
        ([1.0, 1.0, np.inf], "row 3, column 'w' is inf"),
        ([0.0, 0.0, 0.0], "column 'w' gives every row weight zero"),
        ([1e300, 1.0, 1.0], "row 1, column 'w': its weight is 1e\\+300.*divide"),
        ([1e-300, 1e-300, 0.0], "multiply the column"),
    ],
)
def test_weights_that_are_none(tmp_path, weights, message):
    pq.write_table(pa.table({"a": [1.0, 2.0, 4.0], "w": weights}), tmp_path / "t")
    rows = open_rows(tmp_path / "t", weights="w", memory=0)
    assert rows.feature_names == ("a",)
    for _ in range(2):
        with pytest.raises(DataError, match=message):
            rows.summary  # noqa: B018


def test_weights_that_are_text_or_not_there_or_features(tmp_path, csv):
    path = csv("a,w\n1,x\n2,y\n")
    with pytest.raises(DataError, match="'w' is text"):
        open_rows(path, weights="w", memory=0)
    with pytest.raises(DataError, match="no column 'v'"):
        open_rows(path, weights="v", memory=0)
    with pytest.raises(DataError, match="cannot be a feature too"):
        open_rows(path, columns=["a", "w"], weights="w", memory=0)
    with pytest.raises(DataError, match="'a' is named twice"):
        open_rows(path, columns=["a", "a"], memory=0)
    with pytest.raises(DataError, match="no column is named"):
        open_rows(path, columns=[], memory=0)
    with pytest.raises(DataError, match="no column 'q'"):
        open_rows(path, columns=["q"], memory=0)


def test_columns_whose_squares_leave_the_floats_are_refused_each_time(tmp_path):
    pq.write_table(pa.table({"a": [1e200, 2.0]}), tmp_path / "t")
    rows = open_rows(tmp_path / "t", memory=0)
    for _ in range(2):
        with pytest.raises(DataError, match="column 'a' runs from 2 to 1e\\+200"):
            rows.summary  # noqa: B018


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"a": [1.0]}, "2.parquet: has no column 'b', which .*1.parquet has"),
        ({"a": [1.0], "b": [1.0], "c": [1.0]}, "1.parquet: has no column 'c', which .*2.parquet has"),
        ({"a": [1.0], "b": ["x"]}, "2.parquet: column 'b' is text"),
        ({"a": [1.0], "b": [None]}, "2.parquet: row 1, column 'b' is missing"),
    ],
)
def test_shards_that_differ_are_named(tmp_path, second, message):
    pq.write_table(pa.table({"a": [1.0, 2.0], "b": [1.0, 3.0]}), tmp_path / "1.parquet")
    pq.write_table(pa.table(second), tmp_path / "2.parquet")
    with pytest.raises(DataError, match=message):
        stream(tmp_path)
    if len(second) != 2:
        assert stream(tmp_path, columns=["a"])[0].shape == (3, 1)


def test_shards_are_read_in_natural_order_and_lists_in_their_own(tmp_path):
    for i in (1, 2, 10):
        np.save(tmp_path / f"part-{i}.npy", np.array([[float(i)]]))
    assert stream(tmp_path)[0][:, 0].tolist() == [1.0, 2.0, 10.0]
    assert stream(str(tmp_path / "part-*"))[0][:, 0].tolist() == [1.0, 2.0, 10.0]
    named = [tmp_path / f"part-{i}.npy" for i in (10, 1)]
    assert stream(named)[0][:, 0].tolist() == [10.0, 1.0]
    assert read_table(str(tmp_path)).matrix[:, 0].tolist() == [1.0, 2.0, 10.0]


def test_places_that_hold_no_files(tmp_path):
    with pytest.raises(DataError, match="the folder holds no file"):
        open_rows(tmp_path)
    with pytest.raises(DataError, match="no file has a name like that"):
        open_rows(tmp_path / "*.parquet")
    with pytest.raises(DataError, match="the list is empty"):
        open_rows([])
    with pytest.raises(DataError, match=r"not there.*No such file"):
        open_rows(tmp_path / "not there")
    (tmp_path / "year=2020").mkdir()
    with pytest.raises(DataError, match="has folders inside \\('year=2020' for one\\)"):
        open_rows(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(csv):
    path = csv("a\n1\n")
    path.chmod(0)
    with pytest.raises(DataError, match="Permission denied"):
        open_rows(path)


def test_names_that_look_like_something_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-x.npy", "[1].npy", "a*b.npy"):
        np.save(tmp_path / name, np.array([[1.0], [2.0]]))
        assert stream(name)[0].tolist() == [[1.0], [2.0]]


def test_columns_of_one_name_may_stand_apart(tmp_path):
    columns = [pa.array([float(10 * j + i) for i in range(3)]) for j in range(4)]
    pq.write_table(pa.table(columns, names=["a", "b", "c", "a"]), tmp_path / "t")
    matrix, rows = stream(tmp_path / "t")
    assert rows.feature_names == ("a", "b", "c", "a_2")
    assert matrix[0].tolist() == [0.0, 10.0, 20.0, 30.0]
    assert stream(tmp_path / "t", columns=["a_2", "b"])[0][0].tolist() == [30.0, 10.0]


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_no_names(name):
    with pytest.raises(DataError, match="is no name of a file"):
        open_rows(name)


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**53 + 1, 2**63 - 1, -(2**63)])
def test_the_largest_exact_integer_is_exact(tmp_path, number):
    pq.write_table(pa.table({"a": [number, 1, 5]}), tmp_path / "t")
    _, rows = stream(tmp_path / "t")
    assert bool(rows.notes) == (abs(number) > 2**53)


def test_a_text_is_judged_by_more_than_its_first_row(tmp_path):
    table = pa.table({"a": ["1", "x", "y"], "b": [1.0, 2.5, 3.0]})
    pq.write_table(table, tmp_path / "t", row_group_size=1)
    assert stream(tmp_path / "t")[1].notes == ("column 'a' is text, and was left out",)
