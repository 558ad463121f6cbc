"""Rows in dask: the same numbers as in memory, whoever does the work."""

import subprocess
import sys
from dataclasses import dataclass

import dask
import dask.array as da
import numpy as np
import pytest
from cutting import QUICK, assert_alike, assert_same_bits, cut, with_value
from readers import set_variable

from gaussmix.data import blocks
from gaussmix.data.cluster import dask as dask_rows
from gaussmix.data.cluster.dask import DaskRows
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import TakeAll
from gaussmix.errors import (
    DegenerateComponentError,
)
from gaussmix.kernels.threads import thread_count
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings

# The same numbers as in memory


@pytest.mark.parametrize(
    "settings",
    [
        FitSettings(3, "full"),
        FitSettings(3, "tied"),
        FitSettings(3, "diag"),
        FitSettings(3, "spherical", prior="none"),
        FitSettings(3, "EVE", n_init=1),
        FitSettings(3, "VEV", n_init=1, prior="conjugate"),
        FitSettings(3, "full", noise=True, n_init=1),
        FitSettings(1, "full"),
    ],
    ids=lambda s: f"{s.covariance_type} {s.n_components} {s.prior}{' noise' * s.noise}",
)
@pytest.mark.parametrize("kind", ["weighted", "float32"])
def test_fits_are_those_of_the_same_rows_in_memory(alone, groups, group_weights, settings, kind):
    matrix = groups.astype(np.float32) if kind == "float32" else groups
    weights = group_weights if kind == "weighted" else None
    expected = search(MemoryRows(matrix, weights), settings)
    beside = None if weights is None else da.from_array(weights, chunks=900)
    assert_alike(search(DaskRows.of(cut(matrix), weights=beside), settings), expected)


def test_a_cluster_fits_what_memory_fits_and_the_same_bits_each_time(cluster, client, groups, group_weights):
    expected = search(MemoryRows(groups, group_weights), QUICK)
    fits = []
    for how in (
        {"client": client},
        {"client": cluster.scheduler_address},
        {"client": cluster, "persist": True},
    ):
        with DaskRows.of(cut(groups), weights=cut(group_weights), **how) as rows:
            fits.append(search(rows, QUICK))
    with dask.config.set(scheduler="threads"):
        fits.append(search(DaskRows.of(cut(groups), weights=cut(group_weights)), QUICK))
    assert_alike(fits[0], expected)
    for other in fits[1:]:
        assert_same_bits(other, fits[0])


@pytest.mark.parametrize("heights", [[512] * 7 + [416], [1024] * 3 + [928], [256] * 15 + [160], [4000]])
def test_partitions_of_whole_blocks_give_the_very_bits_of_memory(alone, groups, monkeypatch, heights):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 3 * 256)
    rows = DaskRows.of(cut(groups, heights))
    assert rows.n_partitions == len(heights)
    assert_same_bits(search(rows, QUICK), search(MemoryRows(groups), QUICK))


def test_many_partitions_are_added_up_in_the_tree_that_blocks_are(alone, groups, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 3 * 64)
    rows, memory = DaskRows.of(cut(groups, [64] * 62 + [32])), MemoryRows(groups)
    assert_same_bits(search(rows, QUICK), search(memory, QUICK))
    monkeypatch.setattr(dask_rows, "SMALL_TASK", 0)
    drawn = rows.added_up(TakeAll())
    assert np.array_equal(drawn.matrix, groups)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_sample_has_the_rows_that_one_of_memory_has(alone, groups, group_weights, weighted):
    weights = group_weights if weighted else None
    memory, rows = MemoryRows(groups, weights), DaskRows.of(cut(groups), weights=weights)
    for size in (1, 50, 999, 5000):
        expected = memory.sample(size, np.random.default_rng(3))
        found = rows.sample(size, np.random.default_rng(3))
        assert np.array_equal(found[0], expected[0])
        assert np.array_equal(found[1], expected[1])


def test_blocks_and_tiles_come_in_order_with_what_is_before_them(client, groups, group_weights):
    rows = DaskRows.of(cut(groups), weights=group_weights, client=client)
    found = list(rows.blocks())
    assert np.array_equal(np.concatenate([b.matrix for b in found]), groups)
    assert [b.first for b in found] == [0, 701, 702, 2035]
    assert [b.passed for b in found] == [group_weights[: b.first].sum() for b in found]
    tiles = list(rows.tiles())
    assert np.array_equal(np.concatenate([t for t, _ in tiles]), groups[group_weights > 0])


def test_rows_that_begin_at_an_odd_byte_are_read(alone, groups):
    raw = bytearray(groups.nbytes + 1)
    shifted = np.frombuffer(raw, offset=1, dtype=groups.dtype).reshape(groups.shape)
    shifted[:] = groups
    assert not shifted.flags.aligned
    rows = DaskRows.of(cut(shifted, (4000,)))
    assert_same_bits(search(rows, QUICK), search(MemoryRows(groups), QUICK))


def test_an_array_may_be_cut_along_its_columns_and_columns_may_be_chosen(alone, groups):
    whole = DaskRows.of(da.from_array(groups, chunks=(1000, 2)))
    assert whole.feature_names == ("x1", "x2", "x3")
    assert np.array_equal(np.concatenate([b.matrix for b in whole.blocks()]), groups)
    some = DaskRows.of(
        da.from_array(groups, chunks=(1000, 1)), columns=["c", "a"], feature_names=("a", "b", "c")
    )
    assert some.feature_names == ("c", "a")
    assert np.array_equal(np.concatenate([b.matrix for b in some.blocks()]), groups[:, [2, 0]])


def test_lengths_need_not_be_known(alone, groups, group_weights):
    array = da.from_array(np.c_[groups, group_weights], chunks=(1500, 4))
    array = array[array[:, 3] > 0]
    rows = DaskRows.of(array[:, :3], weights=array[:, 3])
    memory = MemoryRows(groups, group_weights)
    assert rows.summary.n_rows == memory.summary.n_rows
    assert rows.summary.row_weight == memory.summary.row_weight
    assert_alike(search(rows, QUICK), search(memory, QUICK))


@dataclass(frozen=True)
class CountThreads:
    def __call__(self, _):
        return [thread_count()]


def test_each_task_computes_on_one_thread_unless_a_worker_of_one_is_told_otherwise(
    client, groups, monkeypatch
):
    monkeypatch.setenv("GAUSSMIX_NUM_THREADS", "3")
    with dask.config.set(scheduler="threads"):
        assert DaskRows.of(cut(groups)).added_up(CountThreads()) == [1] * 4
    rows = DaskRows.of(cut(groups), client=client)
    client.run(set_variable, "GAUSSMIX_NUM_THREADS", None)
    assert rows.added_up(CountThreads()) == [1] * 4
    client.run(set_variable, "GAUSSMIX_NUM_THREADS", "3")
    try:
        assert rows.added_up(CountThreads()) == [3] * 4
    finally:
        client.run(set_variable, "GAUSSMIX_NUM_THREADS", None)


def test_many_small_partitions_are_worth_a_note(alone, groups):
    assert DaskRows.of(cut(groups, [100] * 40)).notes == (
        "40 partitions have 100 rows on average: passes take less time over fewer and larger ones "
        "(rechunk, repartition)",
    )
    assert DaskRows.of(cut(groups)).notes == ()


@dataclass(frozen=True)
class Collapse:
    def __call__(self, block):
        raise DegenerateComponentError(block.first, "collapsed")


def test_what_is_wrong_with_a_mixture_is_said_as_in_memory(alone, groups):
    rows = DaskRows.of(cut(groups))
    with pytest.raises(DegenerateComponentError, match="component 1 collapsed") as caught:
        rows.added_up(Collapse())
    assert caught.value.component == 0


def test_a_fingerprint_is_of_the_numbers_and_not_of_names(alone, groups, group_weights):
    first = DaskRows.of(cut(groups)).fingerprint
    assert DaskRows.of(cut(groups.copy())).fingerprint == first
    others = [
        DaskRows.of(cut(with_value(groups, 3999, 2, 0.0))),
        DaskRows.of(cut(groups, (4000,))),
        DaskRows.of(cut(groups), weights=group_weights),
        DaskRows.of(cut(groups), columns=["x2", "x1", "x3"]),
        DaskRows.of(cut(groups.astype(np.float32))),
    ]
    assert len({first, *(rows.fingerprint for rows in others)}) == 6


# Without dask


def test_dask_is_asked_for_by_name_where_it_is_missing_and_not_imported_before():
    code = (
        "import sys, gaussmix, gaussmix.estimators.mixture\n"
        "assert not {'dask', 'distributed'} & set(sys.modules)\n"
        "sys.modules['dask'] = None\n"
        "from gaussmix.errors import DataError\n"
        "try:\n    import gaussmix.data.cluster.dask\n"
        "except DataError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "gaussmix[dask]"' in done.stdout
