"""Rows in dask frames, and what is said of rows that cannot be used."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from cutting import QUICK, assert_alike, cut, with_value
from readers import Part
from scipy import sparse

from gaussmix.data.cluster.dask import DaskRows
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import (
    DataError,
    DataKindError,
    DataWarning,
    StartError,
)
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings

# Frames


def test_a_frame_gives_its_columns_of_numbers_and_says_what_it_leaves_out(alone, frame):
    rows = DaskRows.of(frame, weights="weight")
    assert rows.feature_names == ("a", "b", "c", "count")
    assert rows.notes == (
        "column 'city' is text, and was left out",
        "column 'kind' holds categories (cast it to numbers if it measures something; of true categories, "
        "fit each by itself), and was left out",
    )
    expected = frame.compute()
    memory = MemoryRows(expected[["a", "b", "c", "count"]].to_numpy(float), expected["weight"].to_numpy())
    assert rows.summary.row_weight == memory.summary.row_weight
    np.testing.assert_allclose(rows.covariance(), memory.covariance(), rtol=1e-12)


def test_a_frame_gives_the_columns_that_are_chosen_in_that_order(alone, frame, groups):
    rows = DaskRows.of(frame, columns=["c", "a"], weights=frame["weight"])
    assert rows.feature_names == ("c", "a")
    assert np.array_equal(np.concatenate([b.matrix for b in rows.blocks()]), groups[:, [2, 0]])


@pytest.mark.parametrize(
    ("columns", "weights", "words"),
    [
        (["a", "city"], None, "column 'city' is text"),
        (["a", "kind"], None, "column 'kind' holds categories"),
        (["a", "d"], None, "no column 'd'"),
        (["a"], "heavy", "no column 'heavy'"),
        (["a", "weight"], "weight", "no column 'weight'"),
        (["a"], 3.0, "Sample weights must be 1D"),
    ],
)
def test_columns_that_cannot_be_had_are_named(alone, frame, columns, weights, words):
    with pytest.raises(DataError, match=words):
        DaskRows.of(frame, columns=columns, weights=weights)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pd.Categorical([1, 2] * 30), "holds categories"),
        (pd.arrays.SparseArray(np.arange(60.0)), "is sparse"),
        (pd.interval_range(0, 60), "holds values of type interval"),
        (np.arange(60) + 1j, "holds values of type complex128"),
        (pd.to_timedelta(np.arange(60), "s"), "holds dates or times"),
        (pd.array(["u"] * 60, dtype="string[pyarrow]"), "is text"),
    ],
)
def test_columns_that_measure_nothing_are_left_out_and_refused_as_features_and_as_weights(
    alone, values, words
):
    frame = dd.from_pandas(pd.DataFrame({"a": np.arange(60.0), "b": values}), npartitions=2)
    rows = DaskRows.of(frame)
    assert rows.feature_names == ("a",)
    assert words in rows.notes[0]
    with pytest.raises(DataKindError, match=f"column 'b' {words}"):
        DaskRows.of(frame, columns=["b"])
    with pytest.raises(DataKindError, match=f"column 'b' cannot be weights: it {words}"):
        DaskRows.of(frame, weights="b")


@pytest.mark.parametrize("names", [["a", "a", "b"], ["1", 1, "b"]])
def test_columns_that_cannot_be_told_apart_are_refused_and_others_are_not(alone, groups, names):
    frame = dd.from_pandas(pd.DataFrame(np.abs(groups), columns=names), npartitions=2)
    twin = str(names[0])
    for given in ({}, {"columns": [twin]}, {"weights": twin}):
        with pytest.raises(DataError, match=f"2 columns of the dask dataframe are named '{twin}'; rename"):
            DaskRows.of(frame, **given)
    assert DaskRows.of(frame, columns=["b"]).feature_names == ("b",)


def test_columns_are_a_name_or_several_and_none_twice(alone, groups):
    frame = dd.from_pandas(pd.DataFrame(groups, columns=[0, 1, "ab"]), npartitions=2)
    assert DaskRows.of(frame, columns="ab").feature_names == ("ab",)
    assert DaskRows.of(frame, columns=[1, "ab"]).feature_names == ("1", "ab")
    assert DaskRows.of(frame.abs(), columns=pd.Index([1]), weights=0).feature_names == ("1",)
    for collection, columns, words in (
        (frame, ["ab", "ab"], "named twice"),
        (frame, [], "no columns are named"),
        (cut(groups), ["x1", "x1"], "named twice"),
        (cut(groups), [], "no columns are named"),
    ):
        with pytest.raises(DataError, match=words):
            DaskRows.of(collection, columns=columns)


def test_frames_of_half_precision_say_how_little_they_carry(alone, groups):
    frame = dd.from_pandas(pd.DataFrame(groups.astype(np.float16), columns=list("abc")), npartitions=2)
    with pytest.warns(DataWarning, match="float16"):
        DaskRows.of(frame)


def test_float32_frames_stay_so_and_decimals_and_missing_values_are_dealt_with(alone):
    from decimal import Decimal

    single = dd.from_pandas(pd.DataFrame(np.eye(4, dtype=np.float32), columns=list("abcd")), npartitions=2)
    assert next(DaskRows.of(single).blocks()).matrix.dtype == np.float32
    table = pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64"), "b": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match=r"partition 0: .*row 1, column 'a' is missing"):
        DaskRows.of(dd.from_pandas(table, npartitions=1))
    with dask.config.set({"dataframe.convert-string": False}):
        exact = pd.DataFrame({"a": [Decimal("1.5"), Decimal(2)], "b": [1.0, 2.0], "s": ["x", "y"]})
        rows = DaskRows.of(dd.from_pandas(exact, npartitions=1), columns=["b"])
        assert rows.summary.mean.tolist() == [1.5]


def test_partitions_with_other_columns_are_named(alone, frame):
    swapped = frame[["a", "b"]].map_partitions(
        lambda part: part[["b", "a"]], meta=frame[["a", "b"]]._meta, enforce_metadata=False
    )
    with pytest.raises(DataError, match=r"partition 0 has the columns \['b', 'a'\], but \['a', 'b'\]"):
        DaskRows.of(swapped)


# What cannot be used


def test_the_first_bad_value_is_named_by_partition_row_and_column(client, groups):
    bad = with_value(with_value(groups, 3000, 0, np.inf), 710, 1, np.nan)
    with pytest.raises(DataError, match=r"partition 3: Input X contains NaN: row 8, column 'x2'"):
        DaskRows.of(cut(bad), client=client)
    with pytest.raises(DataError, match=r"partition 4: Input X contains infinity: row 965, column 'x1'"):
        DaskRows.of(cut(with_value(groups, 3000, 0, np.inf)), client=client, persist=True)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.full(4000, -1.0), "partition 0: weights must be finite and not negative; row 0 has -1.0"),
        (np.r_[np.ones(3999), np.nan], "partition 4: weights must be finite and not negative; row 1964"),
        (np.zeros(4000), "zero for every row"),
        (np.ones(7), r"expected \(4000,\)"),
        (np.ones((4000, 1)), "must be 1D"),
        (np.full(4000, "a"), "weights must be numbers"),
        ("x1", "column of a dataframe only"),
        (da.ma.masked_less(da.arange(4000, chunks=900), 1), "partition 0: .*row 0 has nan"),
    ],
)
def test_weights_that_mean_nothing_are_refused(alone, groups, weights, words):
    with pytest.raises(DataError, match=words):
        DaskRows.of(cut(groups), weights=weights)


def test_weights_that_are_cut_otherwise_are_refused_where_lengths_are_not_known(alone, groups):
    array = da.from_array(groups, chunks=(1000, 3))
    array = array[array[:, 0] > -99]
    with pytest.raises(DataError, match="the weights have 2 partitions and the rows 4"):
        DaskRows.of(array, weights=da.ones(4000, chunks=2000))
    with pytest.raises(DataError, match="partition 0 has 1000 rows but weights of shape"):
        DaskRows.of(array, weights=da.ones(4000, chunks=(1001, 999, 1000, 1000)))
    with pytest.raises(DataError, match="must be a dask array cut alike"):
        DaskRows.of(array, weights=np.ones(4000))


@pytest.mark.parametrize("unit", [1e300, 1e-300])
def test_weights_at_the_limits_of_numbers_are_brought_to_one(alone, groups, group_weights, unit):
    with pytest.warns(DataWarning, match="weights were divided by") as heard:
        rows = DaskRows.of(cut(groups), weights=group_weights * unit)
    with pytest.warns(DataWarning, match="weights were divided by") as said:
        memory = MemoryRows(groups, group_weights * unit)
    assert str(heard[0].message) == str(said[0].message)
    assert_alike(search(rows, QUICK), search(memory, QUICK))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (da.ones(7, chunks=3), "got 1D array"),
        (da.ones((7, 0), chunks=3), "0 columns"),
        (da.ones((0, 2), chunks=3), "no rows in any of the 1 partitions"),
        (da.ones((7, 2), chunks=3).astype(complex), "Complex data"),
        (da.from_array(np.full((7, 2), "a"), chunks=3), "the rows are text"),
        (da.from_array(np.full((7, 2), 1e200), chunks=3), "out of range"),
        (np.ones((7, 2)), "Dask rows are"),
        ([], "no parts"),
        (dask.delayed(np.ones((7, 2))), "Dask rows are"),
        (da.ones((7, 2), chunks=3).map_blocks(sparse.csr_matrix), "partition 0 is sparse"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(alone, array, words):
    with pytest.raises(DataError, match=words):
        DaskRows.of(array)


def test_kinds_that_no_number_is_made_of_stay_their_own_error(alone):
    with pytest.raises(DataKindError, match=r"partition 0: .*'b'"):
        DaskRows.of(da.from_array(np.array([[1.0, "b"]], dtype=object), chunks=1))


def test_numbers_that_lose_digits_are_said(alone, groups):
    with pytest.warns(DataWarning, match="2\\^53"):
        DaskRows.of(da.from_array(np.array([[2**53 + 1], [3]]), chunks=1))
    with pytest.warns(DataWarning, match="float16"):
        rows = DaskRows.of(da.from_array(groups.astype(np.float16), chunks=(2000, 3)))
    assert next(rows.blocks()).matrix.dtype == np.float32


def test_responsibilities_of_all_rows_are_refused(alone, groups):
    start = FitSettings(3, "full").given.__class__(responsibilities=np.full((4000, 3), 1 / 3))
    with pytest.raises(StartError, match="cannot be started from labels or responsibilities"):
        search(DaskRows.of(cut(groups)), FitSettings(3, "full", given=start))


# Files


def test_bad_values_in_files_are_named(alone, tmp_path, groups):
    path = str(tmp_path / "bad.npy")
    np.save(path, with_value(groups, 700, 2, np.nan))
    with pytest.raises(
        DataError, match=rf"part 0 \({path}\), counted from its row 600: .*row 100, column 'c'"
    ):
        DaskRows.of([Part(path)])
    np.save(path, np.c_[groups, with_value(np.ones((4000, 1)), 700, 0, -1.0)])
    with pytest.raises(DataError, match=r"row 700 has -1\.0"):
        DaskRows.of([Part(path, weighted=True)])


@pytest.mark.parametrize("rows_left", [1499, 0])
def test_rows_that_change_between_passes_are_noticed(alone, written, rows_left):
    rows = DaskRows.of([Part(path) for path in written])
    np.save(written[0], np.load(written[0])[:rows_left])
    with pytest.raises(
        DataError, match=rf"changed during the fit: part 0 .* had 1500 rows and now has {rows_left}"
    ):
        search(rows, QUICK)


def noisy(part):
    return part + np.random.default_rng().normal(size=part.shape)


@pytest.mark.parametrize("of_weights", [False, True])
def test_partitions_that_are_made_otherwise_each_time_are_refused(alone, groups, of_weights):
    array = cut(groups)
    weights = da.ones(4000, chunks=1000)
    if of_weights:
        # Altogether they weigh the same.
        weights = weights.map_blocks(np.random.default_rng().dirichlet, dtype=float) * 1000.0
    else:
        array = array.map_blocks(noisy, dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(
        DataError, match=r"partition [0-9] holds other numbers than in the first pass; .*need a seed"
    ):
        search(DaskRows.of(array, weights=weights), QUICK)
    with DaskRows.of(array, weights=weights, persist=True) as kept:
        assert search(kept, QUICK).outcome.converged


def test_one_number_that_changes_is_noticed(alone, written):
    rows = DaskRows.of([Part(path) for path in written])
    np.save(written[1], with_value(np.load(written[1]), 700, 2, 1.0))
    with pytest.raises(DataError, match=r"part 1 .* holds other numbers"):
        rows.expected_statistics(search(DaskRows.of([Part(written[0])]), QUICK).mixture)
