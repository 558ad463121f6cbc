"""Every family, and all else that is asked of a fit, with rows on two workers of Dask as in memory."""

from contextlib import contextmanager

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import gaussmix
from contract import (
    ASKED,
    SEARCHES,
    asked,
    assert_alike,
    assert_all_families_are_alike,
    assert_answers_are_alike,
    assert_scores_are_alike,
    assert_selections_are_alike,
)
from gaussmix.data import blocks
from gaussmix.data.cluster.dask import DaskRows
from gaussmix.errors import DataError, SettingsError

N, NAMES = 1200, ["a", "b", "c", "w"]


@pytest.fixture(scope="module")
def table(groups, group_weights):
    """(N, 4): rows and their weights."""
    return np.c_[groups, group_weights][:N]


def of_array(folder, table, client):
    array = da.from_array(table, chunks=(401, 4)).persist(scheduler="synchronous")
    return gaussmix.rows(array[:, :3], weights=array[:, 3], dask=client)


def of_frame(folder, table, client):
    frame = dd.from_pandas(pd.DataFrame(table, columns=NAMES), npartitions=3)
    return gaussmix.rows(frame, weights="w", dask=client)


def of_parquet(folder, table, client):
    for i, part in enumerate(np.split(table, [1, 500])):
        frame = pd.DataFrame(part, columns=NAMES)
        frame.to_parquet(folder / f"part-{4 * i}.parquet", row_group_size=300)
    return gaussmix.rows(f"{folder}/*.parquet", weights="w", dask=client)


def of_csv(folder, table, client):
    for i, part in enumerate(np.split(table, [700])):
        pd.DataFrame(part, columns=NAMES).to_csv(folder / f"{i}.csv", index=False)
    return gaussmix.rows(folder, weights="w", dask=client)


def of_npy(folder, table, client):
    np.save(folder / "t.npy", table)
    return gaussmix.rows(folder / "t.npy", weights="x4", dask=client.scheduler.address)


def of_arrow(folder, table, client):
    paths = []
    for i, part in enumerate(np.split(table, [200, 800])):
        paths.append(folder / f"{i}.arrow")
        pd.DataFrame(part, columns=NAMES).to_feather(paths[-1], compression="uncompressed")
    return gaussmix.rows(paths, weights="w", dask=client.cluster)


SOURCES = [of_array, of_frame, of_parquet, of_csv, of_npy, of_arrow]
every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
# What dask holds itself, and what workers read: all others are one of these two to a pass.
both_kinds = pytest.mark.parametrize("source", SOURCES[1:3], ids=lambda source: source.__name__)


@pytest.fixture
def opened(tmp_path, table, client, monkeypatch, recwarn):
    """Rows of a source on the workers, in several parts."""
    # What is sent along in these small graphs is worth a warning, which has a test of its own.
    monkeypatch.setattr("gaussmix.data.cluster.dask._warn", lambda _: None)
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 3 * 16)

    @contextmanager
    def open_source(source):
        (tmp_path / "data").mkdir()
        with source(tmp_path / "data", table, client) as rows:
            assert isinstance(rows, DaskRows)
            yield rows

    return open_source


@both_kinds
def test_all_families_answer_as_in_memory(opened, table, source):
    with opened(source) as rows:
        assert_all_families_are_alike(rows, table[:, :3], table[:, 3])


@every_source
def test_every_source_gives_the_rows_and_weights(opened, table, source):
    with opened(source) as rows:
        assert rows.n_partitions > 1
        assert np.array_equal(np.concatenate([block.matrix for block in rows.blocks()]), table[:, :3])
        assert np.array_equal(np.concatenate([block.weights for block in rows.blocks()]), table[:, 3])
        assert_answers_are_alike(rows, table[:, :3], table[:, 3], {"as usual": {"n_init": 1}})


@both_kinds
def test_whatever_is_asked_for_is_answered_as_in_memory(opened, table, source):
    with opened(source) as rows:
        assert_answers_are_alike(rows, table[:, :3], table[:, 3], ASKED | SEARCHES)


@both_kinds
def test_a_selection_finds_what_one_in_memory_finds(opened, table, source):
    with opened(source) as rows:
        assert_selections_are_alike(rows, table[:, :3], table[:, 3])


@every_source
def test_rows_are_scored_and_assigned_as_in_memory(opened, table, source, tmp_path):
    with opened(source) as rows:
        assert_scores_are_alike(rows, table[:, :3], table[:, 3], tmp_path / "out.parquet")


def test_without_weights_every_row_counts_once(table, client, tmp_path):
    np.save(tmp_path / "t.npy", table[:, :3])
    with gaussmix.rows(tmp_path / "t.npy", dask=client) as rows:
        assert rows.summary.row_weight == N
        assert_answers_are_alike(rows, table[:, :3], None, ASKED)


def test_a_checkpoint_stays_with_the_client_and_goes_on_to_the_same_bits(table, client, tmp_path):
    np.save(tmp_path / "t.npy", table[:, :3])
    model, path = asked({"n_init": 2}), tmp_path / "fit.checkpoint"
    with gaussmix.rows(tmp_path / "t.npy", dask=client) as rows:
        expected = asked({"n_init": 2}).fit_rows(rows)
        model.fit_rows(rows, checkpoint=path)
        written = path.read_bytes()
        path.write_bytes(written[: len(written) // 2])
        model.fit_rows(rows, checkpoint=path, resume=True)
    assert len(path.read_bytes()) > 0.9 * len(written)
    assert model.lower_bounds_ == expected.lower_bounds_
    assert np.array_equal(model.covariances_, expected.covariances_)


def test_one_column_after_another_is_asked_for_by_name(table, client, tmp_path):
    pq.write_table(gaussmix_table(table), tmp_path / "t.parquet", row_group_size=500)
    with gaussmix.rows(tmp_path / "t.parquet", columns=["c", "a"], weights="w", dask=client) as rows:
        assert rows.feature_names == ("c", "a")
        found = asked({"n_init": 1}).fit_rows(rows)
    assert found.feature_names_in_.tolist() == ["c", "a"]
    expected = asked({"n_init": 1}).fit(table[:, [2, 0]], sample_weight=table[:, 3])
    assert_alike(found, expected)


def gaussmix_table(table):
    import pyarrow as pa

    return pa.table(dict(zip(NAMES, map(np.ascontiguousarray, table.T), strict=True)))


def test_what_has_no_meaning_is_refused(table, client, tmp_path):
    with pytest.raises(SettingsError, match="dask= is for files"):
        gaussmix.rows(table, dask=client)
    with pytest.raises(DataError, match="no file has a name like that"):
        gaussmix.rows(f"{tmp_path}/*.parquet", dask=client)
