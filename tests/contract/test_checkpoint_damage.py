"""A checkpoint that was cut short, or is not what it was, gives no wrong answer."""

import errno

import numpy as np
import pytest

from gaussmix.data.checkpoints import journal
from gaussmix.data.checkpoints.checkpoint import Checkpointed, describe
from gaussmix.data.checkpoints.encoding import encoded
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import Expect, Measure, TakeAll, TakeDistinct
from gaussmix.errors import CheckpointError, DataWarning
from gaussmix.kernels.contract import Precision
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture


def table(n_rows=240):
    rng = np.random.default_rng(3)
    return rng.normal(size=(n_rows, 2)) + 1.3 * rng.integers(0, 3, n_rows)[:, None]


def passes_on(rows):
    """Some passes of all kinds, with what they find as bytes."""
    family = covariance_family("full")
    mixture = Mixture(np.full(2, 0.5), np.eye(2), np.stack([np.eye(2)] * 2), family)
    tasks = (Measure(True), TakeAll(), TakeDistinct(5), Expect(mixture, Precision.DOUBLE))
    return [encoded(rows.added_up(task)) for task in tasks]


@pytest.fixture
def written(tmp_path):
    """The bytes of a checkpoint, where its last record begins, and what its passes found."""
    rows = MemoryRows(table(40))
    with Checkpointed(rows, tmp_path / "written") as held:
        found = passes_on(held)
    last = list(held._journal.records.values())[-1]
    begins = last.first - journal._RECORD.size - journal._CHECK
    return (tmp_path / "written").read_bytes(), begins, found


def test_a_last_record_cut_short_anywhere_is_left_out_without_a_word(written, tmp_path, monkeypatch):
    raw, begins, found = written
    monkeypatch.setattr(journal.os, "fsync", lambda _: None)
    rows, path = MemoryRows(table(40)), tmp_path / "c"
    for length in range(begins, len(raw)):
        path.write_bytes(raw[:length])
        with Checkpointed(rows, path, resume=True) as rest:
            assert rest.n_recorded == 3
            assert passes_on(rest) == found
            assert (rest.n_replayed, rest.n_made) == (3, 1)
        if length % 20 == 0:
            # What was cut off has been written again.
            with Checkpointed(rows, path, resume=True) as rest:
                assert passes_on(rest) == found
                assert rest.n_made == 0


def test_nothing_is_left_of_a_record_that_was_cut_short(written, tmp_path):
    raw, begins, _ = written
    path = tmp_path / "c"
    path.write_bytes(raw[:-1])
    Checkpointed(MemoryRows(table(40)), path, resume=True).close()
    assert path.stat().st_size == begins


@pytest.mark.filterwarnings("ignore:.*the checkpoint is damaged from byte")
def test_a_byte_that_is_not_what_it_was_is_noticed(written, tmp_path, monkeypatch):
    raw, _, found = written
    rng = np.random.default_rng(11)
    path, refused, mended, words = tmp_path / "c", 0, 0, set()
    same_rows = MemoryRows(table(40))
    monkeypatch.setattr(journal.os, "fsync", lambda _: None)
    for place in rng.integers(0, len(raw), 300):
        broken = bytearray(raw)
        broken[place] ^= int(rng.integers(1, 256))
        path.write_bytes(broken)
        try:
            rows = Checkpointed(same_rows, path, resume=True)
        except CheckpointError as error:
            words.add(str(error).removeprefix(str(path)).split(";")[0])
            assert path.read_bytes() == bytes(broken)
            refused += 1
            continue
        with rows:
            assert rows.n_recorded < 4
            assert passes_on(rows) == found
        mended += 1
    assert refused > 20
    assert mended > 200
    assert words <= {
        ": the header of the checkpoint is damaged",
        " is not a gaussmix checkpoint",
        " is of a format that this gaussmix does not know",
    }


def test_damage_in_the_middle_is_told(written, tmp_path):
    raw, begins, found = written
    broken = bytearray(raw)
    broken[begins - 1] ^= 1
    (tmp_path / "c").write_bytes(broken)
    with pytest.warns(
        DataWarning, match=r"damaged from byte \d+ of \d+ on; the 2 passes before that are used"
    ):
        rest = Checkpointed(MemoryRows(table(40)), tmp_path / "c", resume=True)
    with rest:
        assert passes_on(rest) == found
        assert rest.n_made == 2
    assert "damaged" not in describe(tmp_path / "c").damage


def test_damage_that_comes_later_is_noticed_too(written, tmp_path):
    raw, begins, found = written
    (tmp_path / "c").write_bytes(raw)
    with Checkpointed(MemoryRows(table(40)), tmp_path / "c", resume=True) as rest:
        with (tmp_path / "c").open("r+b") as file:
            file.seek(begins - 9)
            file.write(b"wrong")
        assert passes_on(rest) == found
        assert rest.n_made == 1


def test_a_checkpoint_has_its_name_when_its_header_is_safe(tmp_path, monkeypatch):
    path, write, sync, synced = tmp_path / "c", journal._write, journal.os.fsync, []

    def writing(file, raw):
        assert not path.exists()
        write(file, raw)

    def syncing(handle):
        synced.append(path.exists())
        sync(handle)

    monkeypatch.setattr(journal, "_write", writing)
    monkeypatch.setattr(journal.os, "fsync", syncing)
    Checkpointed(MemoryRows(table()), path).close()
    # The file before it has its name, and its folder after that.
    assert synced == [False, True]


def test_a_stop_before_a_checkpoint_is_there_leaves_nothing(tmp_path, monkeypatch):
    def stopped(file, raw):
        file.write(raw[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(journal, "_write", stopped)
    with pytest.raises(KeyboardInterrupt):
        Checkpointed(MemoryRows(table()), tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_a_first_name_that_was_left_behind_goes(tmp_path):
    Checkpointed(MemoryRows(table()), tmp_path / "c").close()
    (tmp_path / ".c.1234").hardlink_to(tmp_path / "c")
    (tmp_path / ".c.other").write_text("not ours")
    Checkpointed(MemoryRows(table()), tmp_path / "c", resume=True).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".c.other", "c"]


def test_a_stop_in_the_middle_of_writing_keeps_the_pass(tmp_path, monkeypatch):
    write, stops = journal._write, [KeyboardInterrupt]
    with Checkpointed(MemoryRows(table()), tmp_path / "c") as rows:

        def stopped(file, raw):
            write(file, raw[:100])
            if stops:
                raise stops.pop()
            write(file, raw[100:])

        monkeypatch.setattr(journal, "_write", stopped)
        with pytest.raises(KeyboardInterrupt):
            rows.added_up(TakeAll())
    assert describe(tmp_path / "c").n_passes == 1
    with Checkpointed(MemoryRows(table()), tmp_path / "c", resume=True) as rows:
        passes_on(rows)
    assert rows.n_made == 3


def test_a_stop_on_a_full_disk_is_a_stop(tmp_path, monkeypatch):
    rows = Checkpointed(MemoryRows(table()), tmp_path / "c")
    reasons = [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]

    def stopped(file, raw):
        raise reasons.pop()

    monkeypatch.setattr(journal, "_write", stopped)
    with pytest.raises(KeyboardInterrupt):
        rows.added_up(TakeAll())
    assert not reasons
    rows.close()


def test_a_closed_checkpoint_lets_passes_through(tmp_path):
    rows = Checkpointed(MemoryRows(table()), tmp_path / "c")
    found = passes_on(rows)
    rows.close()
    rows.close()
    assert passes_on(rows) == found
    assert rows.n_made == 8
