"""NASTY.md 54 to 59: files that are damaged, cut short, written meanwhile, or larger than they look."""

import gzip
import os
import re
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamed import stream

from gaussmix.data import blocks
from gaussmix.data.files import sources
from gaussmix.data.files.filebytes import FileBytes
from gaussmix.data.files.filerows import FileRows
from gaussmix.data.files.kinds import opened_source
from gaussmix.data.files.opening import open_rows, parts
from gaussmix.data.files.tables import read_table
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataError


@pytest.mark.parametrize("kind", ["parquet", "npy", "arrow", "csv"])
def test_a_file_that_changes_between_passes_is_noticed(tmp_path, kind):
    def write(offset):
        table = pa.table({"x1": np.arange(100.0) + offset})
        if kind == "parquet":
            pq.write_table(table, path)
        elif kind == "npy":
            with path.open("wb") as file:
                np.save(file, np.arange(100.0) + offset)
        elif kind == "arrow":
            with pa.ipc.new_file(path, table.schema) as writer:
                writer.write_table(table)
        else:
            path.write_text("x1\n" + "\n".join(map(str, np.arange(100.0) + offset)))

    path = tmp_path / "t"
    write(0.0)
    rows, part = open_rows(path, memory=0), parts(path)[0]
    assert rows.summary.n_rows == 100
    write(0.25)
    os.utime(path, ns=(1, 1))
    for again in (rows.blocks, part.blocks):
        with pytest.raises(DataError, match="changed while it was being read"):
            list(again())
    path.unlink()
    with pytest.raises(DataError, match="is gone since"):
        list(rows.blocks())


def test_a_file_that_grows_during_a_pass_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 64)
    monkeypatch.setattr(sources, "CHUNK_ROWS", 8)
    path = tmp_path / "t"
    pq.write_table(pa.table({"a": np.arange(1000.0)}), path)
    rows = open_rows(path, memory=0)
    found = rows.blocks()
    next(found)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(DataError, match="changed while it was being read"):
        list(found)


@pytest.mark.parametrize("cut", [100, 3000])
def test_truncated_files_are_errors(tmp_path, cut):
    table = pa.table({"a": np.arange(1000.0)})
    pq.write_table(table, tmp_path / "t.parquet")
    np.save(tmp_path / "t.npy", np.arange(1000.0))
    with pa.ipc.new_file(tmp_path / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_stream(tmp_path / "t.arrows", table.schema) as writer:
        writer.write_table(table)
    for name in ("t.parquet", "t.npy", "t.arrow", "t.arrows"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-cut])
        with pytest.raises(DataError, match=f"{name}: cannot be read"):
            stream(path)
    with pytest.raises(DataError, match="it ends before its 1000 rows do"):
        open_rows(tmp_path / "t.npy", memory=0)


def test_a_parquet_file_damaged_inside_is_an_error_of_the_consumer(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": np.random.default_rng(0).normal(size=10_000)}), path)
    content = bytearray(path.read_bytes())
    content[5000:6000] = bytes(1000)
    content[4:40] = b"\xff" * 36
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t.parquet: cannot be read"):
        stream(path)


def test_an_npy_file_of_something_else(tmp_path):
    np.save(tmp_path / "o.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "c.npy", np.array([[1j]]))
    np.save(tmp_path / "d.npy", np.zeros((2, 2, 2)))
    np.save(tmp_path / "r.npy", np.zeros(3, dtype=[("a", "f8")]))
    np.save(tmp_path / "e.npy", np.zeros((0, 2)))
    for name, message in {
        "o": "Python objects",
        "c": "real numbers",
        "d": "real numbers",
        "r": "real numbers",
        "e": "no rows",
    }.items():
        with pytest.raises(DataError, match=message):
            stream(tmp_path / f"{name}.npy")


def test_a_bomb_is_streamed_in_little_memory(tmp_path):
    """300 MB of zeros in gzip, 1.2 GB as numbers, of which some blocks are held at a time."""
    with gzip.open(tmp_path / "b.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"a\n")
        for _ in range(150):
            file.write(b"0\n" * 1_000_000)
    code = """
        import resource, sys
        from gaussmix.data.files.opening import open_rows
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows = open_rows(sys.argv[1], memory=0, spool=False)
        seen = sum(len(block.matrix) for block in rows.blocks())
        assert seen == 150_000_000, seen
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 600_000, grown
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path / "b.csv.gz"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_text_that_is_larger_than_it_looks_is_not_held_in_memory(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1.5,2.5\n" * 300_000))
    assert isinstance(open_rows(path, memory=1 << 20), FileRows)
    assert isinstance(open_rows(path, memory=1 << 24), MemoryRows)
    # Lines that are long at first: the guess is wrong, and what is read tells.
    short, path = b"1,2\n" * 300_000, tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1.000000000000000000000000000000000,2\n" * 10_000 + short)
    rows = open_rows(path, memory=2_000_000)
    assert isinstance(rows, FileRows)
    assert rows.summary.n_rows == 310_000


@pytest.mark.parametrize("repeated", [True, False])
def test_long_texts_are_looked_at_a_few_at_a_time(tmp_path, repeated):
    """500 MB of text beside a column of numbers, in files of a few kB."""
    texts = [f"{0 if repeated else i}" + "x" * 1_000_000 for i in range(50)]
    table = pa.table({"text": texts * 10, "a": np.arange(500.0) ** 2})
    # No less than a page of a file can be read, and writers end one after so many rows.
    path, more = tmp_path / "t", {} if repeated else {"write_batch_size": 8}
    pq.write_table(table, path, use_dictionary=repeated, compression="zstd", **more)
    del table, texts
    before = pa.total_allocated_bytes()
    source = opened_source(FileBytes(str(path)))
    held = [pa.total_allocated_bytes() - before for _ in source.batches([0])]
    assert 0 < max(held) < 250_000_000
    assert open_rows(path, memory=0).notes == ("column 'text' is text, and was left out",)


HEADERS = [
    "(" * 5000,
    "-" * 9000 + "1",
    "'",
    "{'descr':'<f8','fortran_order':False,'shape':(-5,2)}",
    "{'descr':'<f8','fortran_order':False,'shape':(True,2)}",
    "{'descr':'<f8','fortran_order':False,'shape':(0,1000000000000)}",
    "{'descr':'<f8','fortran_order':False,'shape':(4611686018427387904,2)}",
    "{'descr':('<f8',(100000,)),'fortran_order':False,'shape':(1,2)}",
    "{'descr':'<f8','fortran_order':False,'shape':(3,0)}",
]


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_headers_of_npy_files_are_not_believed(tmp_path, header):
    raw = header.encode() + b"\n"
    path = tmp_path / "t.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + bytes(64))
    for read in (read_table, stream):
        with pytest.raises(DataError, match=re.escape(str(path))):
            read(str(path))


FUZZ = """
    import random, sys
    from pathlib import Path
    from gaussmix.data.files.opening import open_rows
    from gaussmix.data.files.tables import read_table
    from gaussmix.errors import DataError
    whole, path = Path(sys.argv[1]).read_bytes(), Path(sys.argv[1] + "-damaged")
    draw = random.Random(0)
    for _ in range(400):
        raw = bytearray(whole)
        for _ in range(draw.randint(1, 3)):
            raw[draw.randrange(4, len(raw))] = draw.randrange(256)
        path.write_bytes(raw[: draw.randrange(4, len(raw))] if draw.random() < 0.1 else raw)
        for read in (read_table, lambda p: list(open_rows(p, memory=0).blocks())):
            try:
                read(str(path))
            except DataError as error:
                assert "-damaged" in str(error)
"""


@pytest.mark.parametrize("kind", ["parquet", "arrow", "arrow stream"])
def test_a_file_with_wrong_bytes_is_read_or_refused(tmp_path, kind):
    """In a process of its own: what is damaged must not end it either."""
    table = pa.table({"a": np.arange(50.0), "b": np.sqrt(np.arange(50)), "s": [f"x{i}" for i in range(50)]})
    path = tmp_path / "t"
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        new = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
        with path.open("wb") as file, new(file, table.schema) as writer:
            writer.write_table(table)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FUZZ), path],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-1000:]
