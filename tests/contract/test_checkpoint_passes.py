"""What a checkpoint holds, what it leaves to the rows, and that no trouble with it is one of the fit."""

import errno
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest
from checkpointed import N_ROWS, Watched, counted_twice, passes_on, same, table

import gaussmix
from gaussmix.data import blocks
from gaussmix.data.checkpoints import encoding, journal
from gaussmix.data.checkpoints.checkpoint import Checkpointed, describe, noted
from gaussmix.data.checkpoints.encoding import encoded, register
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import Measure, TakeAll, TakeSome
from gaussmix.errors import CheckpointError, DataError, DataWarning, SettingsError
from gaussmix.kernels.threads import compute_threads
from gaussmix.learning.search import search
from gaussmix.learning.selection.cells import SelectionSettings
from gaussmix.learning.selection.grid import select
from gaussmix.learning.settings import FitSettings


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 256)


# ------------------------------------------------------------------------ when writing goes wrong


@pytest.mark.parametrize("after", [1, 2, 4, 7])
def test_a_full_disk_costs_the_checkpoint_and_not_the_fit(after, tmp_path, monkeypatch):
    settings = FitSettings(3, n_init=1, max_iter=8)
    plain = search(MemoryRows(table()), settings)
    write, n_writes = journal._write, 0

    def until_full(file, raw):
        nonlocal n_writes
        n_writes += 1
        if n_writes > after:
            write(file, raw[: len(raw) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, raw)

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write", until_full)
        with (
            pytest.warns(DataWarning, match="No space left on device") as told,
            Checkpointed(MemoryRows(table()), tmp_path / "c", settings) as rows,
        ):
            assert same(search(rows, settings), plain)
    assert len(told) == 1
    assert describe(tmp_path / "c").n_passes == after - 1
    with Checkpointed(MemoryRows(table()), tmp_path / "c", settings, resume=True) as rows:
        assert same(search(rows, settings), plain)
        assert rows.n_unused == 0


# ------------------------------------------------------------- what is written down, and what is not


@dataclass(frozen=True)
class Counted:
    values: tuple

    def __add__(self, other):
        return Counted(tuple(a + b for a, b in zip(self.values, other.values, strict=True)))


@dataclass(frozen=True)
class Count:
    above: float

    def __call__(self, block):
        return Counted((int((block.matrix > self.above).sum()), np.float64(block.matrix.sum())))


def test_results_of_unknown_types_are_found_again_and_known_ones_kept(tmp_path, monkeypatch):
    rows, path = MemoryRows(table()), tmp_path / "c"
    truth = rows.added_up(Count(0.5))
    with Checkpointed(rows, path) as held:
        assert [held.added_up(Count(0.5)) for _ in range(2)] == [truth] * 2
        # Not even a digest.
        assert held.added_up(lambda block: Counted((len(block.matrix),))) == Counted((N_ROWS,))
    assert (held.n_made, held.n_recorded) == (3, 0)
    for name in ("_TAKEN_APART", "_PUT_TOGETHER"):
        monkeypatch.setattr(encoding, name, dict(getattr(encoding, name)))
    assert register(Counted) is Counted
    with Checkpointed(rows, path, resume=True) as held:
        first, second = (held.added_up(Count(0.5)) for _ in range(2))
    assert (held.n_made, held.n_replayed) == (1, 1)
    assert first == second == truth
    assert type(second.values[1]) is np.float64
    # A reader that does not know the type asks the rows.
    monkeypatch.delitem(encoding._PUT_TOGETHER, f"{__name__}.Counted")
    held = Checkpointed(rows, path, resume=True)
    assert held.added_up(Count(0.5)) == truth
    held.close()
    assert held.n_made == 1


def test_large_results_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "LARGEST_RESULT", 1000)
    with Checkpointed(MemoryRows(table()), tmp_path / "c") as held:
        found = encoded(held.added_up(Measure(True)))
        drawn = held.added_up(TakeAll())
    assert held.n_recorded == 1
    with Checkpointed(MemoryRows(table()), tmp_path / "c", resume=True) as held:
        assert encoded(held.added_up(Measure(True))) == found
        assert np.array_equal(held.added_up(TakeAll()).matrix, drawn.matrix)
    assert (held.n_made, held.n_replayed) == (1, 1)


def test_samples_are_the_same_when_they_are_replayed(tmp_path):
    rows = MemoryRows(table(), counted_twice())
    for size in (1000, 17):
        path = tmp_path / f"{size}"
        drawn = []
        for _ in range(2):
            with Checkpointed(rows, path, resume=True) as held:
                drawn.append(held.sample(size, np.random.default_rng(0)))
        (one, weights), (other, others) = drawn
        assert held.n_made == 0
        expected, _ = rows.sample(size, np.random.default_rng(0))
        assert one.tobytes() == other.tobytes() == expected.tobytes()
        assert weights.tobytes() == others.tobytes()


def test_all_else_of_the_rows_is_as_it_was(tmp_path):
    rows = MemoryRows(table(), counted_twice(), ["a", "b"])
    with Checkpointed(rows, tmp_path / "c") as held:
        assert held.feature_names == ("a", "b")
        assert not held.may_change
        assert held.summary.mean.tobytes() == rows.summary.mean.tobytes()
        assert held.covariance().tobytes() == rows.covariance().tobytes()
        assert held.n_made == 1  # memory has been measured before
        for (tile, weights), (other, others) in zip(held.tiles(), rows.tiles(), strict=True):
            assert np.array_equal(tile, other)
            assert np.array_equal(weights, others)
    assert describe(tmp_path / "c").n_passes == 1


def test_threads_may_share_a_checkpoint(tmp_path):
    rows = MemoryRows(table())
    thresholds = [np.sort(np.random.default_rng(i).random(5)) * N_ROWS for i in range(12)]
    truth = [rows.added_up(TakeSome(each)).matrix.tobytes() for each in thresholds]
    for n_recorded in (0, 12):
        with Checkpointed(rows, tmp_path / "c", resume=True) as held, ThreadPoolExecutor(4) as pool:
            assert held.n_recorded == n_recorded

            def ask(each, held=held):
                return held.added_up(TakeSome(each)).matrix.tobytes()

            assert list(pool.map(ask, thresholds * 3)) == truth * 3
        assert held.n_recorded == 12


def test_a_selection_on_many_threads_is_resumed(tmp_path):
    asked = SelectionSettings((1, 2), ("full", "diag", "EVE"), FitSettings(1), n_folds=0)
    rows = Watched(table(120))
    plain = select(rows, asked)
    n_passes = rows.made

    def bits(selection):
        return [(cell.key, cell.result.mixture.means.tobytes()) for cell in selection.cells]

    rows.stopped_after(n_passes // 2)
    with compute_threads(4), Checkpointed(rows, tmp_path / "c", asked) as part, suppress(KeyboardInterrupt):
        # It may hand over what it has instead.
        select(part, asked)
    assert part.n_recorded > 10
    rows.stopped_after(np.inf)
    with compute_threads(4), Checkpointed(rows, tmp_path / "c", asked, resume=True) as rest:
        assert bits(select(rest, asked)) == bits(plain)
    assert rest.n_unused == 0


def test_a_checkpoint_can_be_described(tmp_path):
    settings = FitSettings(3, n_init=1, max_iter=5, acceleration="none")
    with Checkpointed(MemoryRows(table()), tmp_path / "c", settings) as rows:
        fit = search(rows, settings)
        told = describe(tmp_path / "c")
    assert told.n_passes == rows.n_recorded
    assert told.log_likelihoods[:6] == tuple(fit.history.log_likelihoods)
    assert told.seconds > 0.0
    assert told.n_bytes == (tmp_path / "c").stat().st_size
    assert told.settings["n_components"] == "3"
    assert told.version == gaussmix.__version__
    with pytest.raises(CheckpointError, match="cannot be opened"):
        describe(tmp_path / "nothing")


def test_rows_of_files_are_not_read_again_for_what_is_known(tmp_path):
    np.save(tmp_path / "rows.npy", table())
    settings = FitSettings(3, n_init=1, max_iter=11)
    plain = search(MemoryRows(table()), settings)
    for again in (False, True):
        source = gaussmix.rows(str(tmp_path / "rows.npy"), memory=0)
        with Checkpointed(source, tmp_path / "c", settings, resume=again) as rows:
            assert same(search(rows, settings), plain)
        assert source.reading.passes == rows.n_made
    assert rows.n_made <= 1
    assert rows.summary.n_rows == N_ROWS


def test_rows_refuse_what_they_would_without_a_checkpoint(tmp_path):
    np.save(tmp_path / "rows.npy", table() * [1.0, 1e150])
    for _ in range(2):
        source = gaussmix.rows(str(tmp_path / "rows.npy"), memory=0)
        with (
            pytest.raises(DataError, match="column 'x2' runs from"),
            Checkpointed(source, tmp_path / "c", resume=True) as rows,
        ):
            _ = rows.summary


def test_a_checkpoint_is_kept_where_one_is_asked_for(tmp_path):
    rows = MemoryRows(table())
    with noted(rows, "", None, False) as same_rows:
        assert same_rows is rows
    with noted(rows, "", tmp_path / "c", True) as held:
        passes_on(held)
    assert describe(tmp_path / "c").n_passes == 4
    with pytest.raises(SettingsError, match="needs checkpoint="):
        noted(rows, "", None, True)
