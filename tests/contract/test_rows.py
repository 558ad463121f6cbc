"""What gaussmix.rows makes of its source."""

import numpy as np
import pandas as pd
import pytest
from sources import (
    ROWS_OF_BLOCK,
    WEIGHTED,
    N,
    arrow_file,
    assert_alike,
    csv,
    drawn,
    parquet_folder,
    write_csv,
)

import gaussmix
from gaussmix import GaussianMixture
from gaussmix.data import blocks
from gaussmix.errors import DataError, DataKindError, SettingsError


@pytest.fixture(scope="module")
def table():
    return drawn()


@pytest.fixture
def many_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 3 * ROWS_OF_BLOCK)


def test_columns_are_chosen_by_name_in_the_order_asked(many_blocks, tmp_path, table):
    expected = GaussianMixture(3, n_init=1).fit(table[:, [2, 0]])
    frame = pd.DataFrame(table, columns=WEIGHTED)
    for source in (csv, parquet_folder, arrow_file):
        where, _ = source(tmp_path, table[:, :3], table[:, 3])
        rows = gaussmix.rows(where, columns=["c", "a"], memory=0)
        assert rows.feature_names == ("c", "a")
        assert_alike(GaussianMixture(3, n_init=1).fit_rows(rows), expected)
        for path in tmp_path.iterdir():
            path.unlink()
    rows = gaussmix.rows(frame, columns=("c", "a"))
    assert np.array_equal(rows.matrix, table[:, [2, 0]])
    assert gaussmix.rows(frame, columns="b").feature_names == ("b",)
    write_csv(tmp_path / "t.csv", table[:, :3], None)
    assert gaussmix.rows(tmp_path / "t.csv", columns="b").feature_names == ("b",)


def test_of_a_frame_the_columns_of_numbers_are_taken(table):
    frame = pd.DataFrame({0: table[:, 0], "n": np.arange(N) % 7, "name": "x"})
    frame["when"] = pd.Timestamp("2020-01-01")
    frame["count"] = pd.array(np.arange(N) % 3, dtype="Int64")
    rows = gaussmix.rows(frame)
    assert rows.feature_names == ("0", "n", "count")
    assert np.array_equal(rows.matrix, np.c_[table[:, 0], np.arange(N) % 7, np.arange(N) % 3])
    assert gaussmix.rows(frame, weights="count").feature_names == ("0", "n")
    with pytest.raises(DataKindError, match="'x'"):
        gaussmix.rows(frame, columns=["n", "name"])


def test_rows_are_their_own_rows(table):
    rows = gaussmix.rows(table)
    assert gaussmix.rows(rows) is rows


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"weights": np.ones(N)}, SettingsError, "rows already"),
        ({"columns": ["a"]}, SettingsError, "rows already"),
    ],
)
def test_rows_that_are_made_take_no_options(table, options, kind, words):
    with pytest.raises(kind, match=words):
        gaussmix.rows(gaussmix.rows(table), **options)


def test_options_without_a_meaning_are_refused(tmp_path, table):
    frame, path = pd.DataFrame(table, columns=WEIGHTED), write_csv(tmp_path / "t.csv", table[:, :3], None)
    for source, options, kind, words in [
        (table, {"columns": ["a"]}, DataKindError, "an array has no column names"),
        (table, {"weights": "w"}, DataKindError, "an array has no column names"),
        (table, {"dask": "tcp://127.0.0.1:9"}, SettingsError, "dask= is for files"),
        (table, {"drop_missing": True}, SettingsError, "is for files"),
        (table, {"persist": True}, SettingsError, "for rows that workers of dask load"),
        (path, {"persist": True}, SettingsError, "say where they are with dask="),
        (frame, {"columns": ["a", "z"]}, DataError, "no column 'z'; the columns are a, b, c, w"),
        (frame, {"weights": "z"}, DataError, "no column 'z'"),
        (frame[["a", "a"]], {}, DataError, "two columns have one name"),
        (pd.DataFrame({"a": ["x"] * 9}), {}, DataError, "no column holds numbers"),
        (path, {"weights": table[:, 3]}, DataKindError, "must be its name"),
        (path, {"weights": "z"}, DataError, "no column 'z'"),
        (tmp_path / "none.csv", {}, DataError, "none.csv"),
        (f"{tmp_path}/*.parquet", {}, DataError, "no file has a name like that"),
        ([], {}, DataError, "the list is empty"),
    ]:
        with pytest.raises(kind, match=words):
            gaussmix.rows(source, **options)
