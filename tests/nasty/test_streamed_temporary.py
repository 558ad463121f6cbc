"""NASTY.md 60 to 63: streams, temporary files, and the thread that reads ahead: nothing is left behind."""

import io
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamed import stream

from gaussmix.data import blocks
from gaussmix.data.files import filebytes, textfile
from gaussmix.data.files.opening import open_rows
from gaussmix.errors import DataError


def test_standard_input_and_pipes_are_copied_first(tmp_path, monkeypatch):
    content = b"a,b\n1,2\n3,5\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    told = []
    assert stream("-", tell=told.append)[0].tolist() == [[1.0, 2.0], [3.0, 5.0]]
    # Of so little nobody needs to know.
    assert not any("is a stream" in sentence for sentence in told)
    monkeypatch.setattr(filebytes, "COPIED_BYTES", 8)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert stream("-", tell=told.append)[0].tolist() == [[1.0, 2.0], [3.0, 5.0]]
    assert sum("is a stream" in sentence for sentence in told) == 1
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    rows = open_rows(pipe, memory=0)
    writer.join(timeout=10)
    for _ in range(2):
        assert rows.added_up(len_of).total == 2
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    with pytest.raises(DataError, match="a stream can be read once only"):
        open_rows("-", memory=0, spool=False)


class len_of:  # noqa: N801
    def __init__(self, block):
        self.total = len(block.matrix)

    def __add__(self, other):
        self.total += other.total
        return self


def test_a_stream_cannot_be_sent_away(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n3,5\n")))
    rows = open_rows("-", memory=0)
    with pytest.raises(DataError, match="cannot be read by other processes"):
        pickle.dumps(rows._parts[0])


def test_a_full_disk_is_said_and_nothing_is_left(csv, monkeypatch):
    path = csv("a,b\n" + "1,2\n" * 1000)
    full = Path("/dev/full").open("r+b", buffering=0)  # noqa: SIM115
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    with pytest.raises(DataError, match=r"the disk is full.*TMPDIR.*--no-spool"):
        open_rows(path, memory=0)
    assert stream(path, spool=False)[0].shape == (1000, 2)


def test_no_place_for_temporary_files(csv, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(DataError, match=r"no temporary file can be made.*TMPDIR"):
        open_rows(csv("a,b\n1,2\n"), memory=0)


def test_the_spool_is_announced_with_its_size_before_it_is_made(csv, monkeypatch):
    path, told = csv("a,b\n" + "1.25,2.5\n" * 10_000), []
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: pytest.fail(str(told)))
    with pytest.raises(pytest.fail.Exception, match="once into a temporary file of about 160 kB"):
        open_rows(path, memory=0, tell=told.append)
    monkeypatch.undo()
    open_rows(path, memory=0, tell=told.append)
    open_rows(path, memory=0, spool=False, tell=told.append)
    open_rows(path, tell=told.append)
    assert len(told) == 2


def test_text_is_parsed_once_where_it_is_spooled(csv, monkeypatch):
    parsed = []
    whole = textfile.TextSource._parsed
    monkeypatch.setattr(
        textfile.TextSource, "_parsed", lambda self, *a, **k: parsed.append(1) or whole(self, *a, **k)
    )
    path = csv("a,b\n" + "1.25,2.5\n" * 1000)
    for spool, at_first, each_pass in ((True, 1, 0), (False, 0, 1)):
        parsed.clear()
        rows = open_rows(path, memory=0, spool=spool)
        assert len(parsed) == at_first
        for _ in range(3):
            assert sum(len(block.matrix) for block in rows.blocks()) == 1000
        assert len(parsed) == at_first + 3 * each_pass


KILLED = """
    import os, signal, sys, tempfile
    tempfile.tempdir = sys.argv[2]
    from gaussmix.data.files.opening import open_rows
    rows = open_rows(sys.argv[1], memory=0)
    next(rows.blocks())
    os.kill(os.getpid(), getattr(signal, sys.argv[3]))
    import time
    time.sleep(10)
"""


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_nothing_is_left_of_a_spool_however_the_process_ends(csv, tmp_path, how):
    folder = tmp_path / "temporary"
    folder.mkdir()
    path = csv("a,b\n" + "1.25,2.5\n" * 10_000)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), path, folder, how],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -getattr(signal, how)
    assert list(folder.iterdir()) == []


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("gaussmix-reader")]


def test_the_reader_ends_when_the_consumer_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 64)
    pq.write_table(pa.table({"a": np.arange(10_000.0)}), tmp_path / "t")
    rows = open_rows(tmp_path / "t", memory=0)

    def stop(kind):
        def task(block):
            assert readers()
            raise kind

        return task

    for kind in (KeyboardInterrupt, ZeroDivisionError):
        with pytest.raises(kind) as caught:
            rows.added_up(stop(kind))
        # At once, and not only when the error is forgotten.
        assert caught.tb is not None
        assert not readers()
    found = rows.blocks()
    next(found)
    found.close()
    assert not readers()
    for _ in rows.blocks():
        pass
    assert not readers()
    with pytest.raises(StopIteration):
        next(found)
    assert rows.reading.passes == 1


def test_two_passes_at_once_do_not_disturb_each_other(csv, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 64)
    monkeypatch.setattr(textfile, "BLOCK_BYTES", 1 << 10)
    values = np.random.default_rng(0).normal(size=(2000, 2))
    rows = open_rows(csv("a,b\n" + "\n".join(f"{a!r},{b!r}" for a, b in values.tolist())), memory=0)
    pairs = list(zip(rows.blocks(), rows.blocks(), strict=True))
    for k in range(2):
        assert np.array_equal(np.concatenate([pair[k].matrix for pair in pairs]), values)


def test_a_process_ends_though_a_pass_was_left_in_the_middle(tmp_path):
    pq.write_table(pa.table({"a": np.arange(5_000_000.0)}), tmp_path / "t")
    code = "import sys; from gaussmix.data.files.opening import open_rows; "
    code += "found = open_rows(sys.argv[1], memory=0).blocks(); next(found)"
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "t"], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert time.monotonic() - begun < 60


def test_streams_of_the_same_length_and_ends_are_told_apart(monkeypatch):
    found = set()
    for middle in ("2", "3", "2"):
        content = "a\n" + "1\n" * 100_000 + middle + "\n" + "1\n" * 100_000
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
        found.add(open_rows("-", memory=0).fingerprint)
    assert len(found) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork")
def test_forked_processes_read_one_spool_without_disturbing_each_other(csv, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 64)
    monkeypatch.setattr(textfile, "BLOCK_BYTES", 1 << 10)
    values = np.arange(20_000.0) ** 2
    rows = open_rows(csv("a\n" + "\n".join(map(repr, values.tolist()))), memory=0)
    source, children = rows._parts[0].source, []
    assert len(source._places) > 100

    def all_is_well():
        read = [np.concatenate([chunk[0] for chunk in source.chunks([0])]) for _ in range(20)]
        return all(np.array_equal(one, values) for one in read)

    for _ in range(3):
        child = os.fork()
        if child == 0:
            os._exit(0 if all_is_well() else 1)
        children.append(child)
    assert all_is_well()
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]


def test_spooled_rows_cannot_be_sent_away(csv):
    rows = open_rows(csv("a,b\n1,2\n3,5\n"), memory=0)
    with pytest.raises(DataError, match="cannot be read by other processes: write them to a file"):
        pickle.dumps(rows._parts[0])
