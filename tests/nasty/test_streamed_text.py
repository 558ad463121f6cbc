"""NASTY.md 41 to 54, as far as CSV is streamed: read right, or refused by name."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamed import stream

from gaussmix.data import blocks
from gaussmix.data.files import csvfile, textfile
from gaussmix.data.files.filerows import FileRows
from gaussmix.data.files.opening import open_rows
from gaussmix.data.files.tables import read_table
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataError

ROWS = [[1.5, 20.0], [2.5, 30.25], [-3.0, 4e1]]


@pytest.mark.parametrize("spool", [True, False])
@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("a,b\n1.5,20\n2.5,30.25\n-3,4e1\n", ["a", "b"]),
        ("1.5,20\n2.5,30.25\n-3,4e1\n", ["x1", "x2"]),
        ("\n\na,b\n1.5,20\n\n2.5,30.25\n-3,4e1\n\n", ["a", "b"]),
        ("\n1.5,20\n2.5,30.25\n-3,4e1\n", ["x1", "x2"]),
        ("a;b\n1,5;20\n2,5;30,25\n-3;4e1\n", ["a", "b"]),
        ("a\tb\n1.5\t20\n2.5\t30.25\n-3\t4e1", ["a", "b"]),
        ("a,b\r\n1.5,20\r\n2.5,30.25\r\n-3,4e1", ["a", "b"]),
        (b"\xef\xbb\xbfa,b\n1.5,20\n2.5,30.25\n-3,4e1\n", ["a", "b"]),
        (b"\xef\xbb\xbf1.5,20\n2.5,30.25\n-3,4e1\n", ["x1", "x2"]),
        ("a,b\n1.5,20\n2.5,30.25\n-3,4e1\n".encode("utf-16"), ["a", "b"]),
        ('"two\nlines",b\n1.5,20\n2.5,30.25\n-3,4e1\n', ["two\nlines", "b"]),
        ('a,note,b\n1.5,"x\ny",20\n2.5,,30.25\n-3,z,4e1\n', ["a", "b"]),
        ("größe,b\n1.5,20\n2.5,30.25\n-3,4e1\n".encode("latin-1"), ["größe", "b"]),
        ("📏,b\n1.5,20\n2.5,30.25\n-3,4e1\n", ["📏", "b"]),
        ("\x1b[31m,b\n1.5,20\n2.5,30.25\n-3,4e1\n", ["\x1b[31m", "b"]),
        ("x" * 100_000 + ",b\n1.5,20\n2.5,30.25\n-3,4e1\n", ["x" * 100_000, "b"]),
        ("a,a\n1.5,20\n2.5,30.25\n-3,4e1\n", ["a", "a_2"]),
        (",b\n1.5,20\n2.5,30.25\n-3,4e1\n", ["x1", "b"]),
        ("a,empty,b\n1.5,,20\n2.5,NA,30.25\n-3,,4e1\n", ["a", "b"]),
    ],
)
def test_csv_as_people_write_it_is_streamed_as_it_is_read(csv, content, names, spool):
    path = csv(content)
    matrix, rows = stream(path, spool=spool)
    assert list(rows.feature_names) == names
    assert matrix.tolist() == ROWS
    table = read_table(str(path))
    assert set(rows.notes) == set(table.notes)
    assert list(table.feature_names) == names


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b\n", "there are no rows of data|no row of data"),
        ("a,b", "there are no rows of data|no row of data"),
        ("a,b\n1,2\n3\n4,5\n", "line 3 has 1 cells where the first has 2: '3'"),
        ("a,b\n1,2\n3,4,5\n", "has 3 cells where the first has 2: '3,4,5'"),
        (b"a,b\n1,2\n\x00,4\n", "NUL bytes"),
        ("a,b\nx,y\nz,w\n", "no column holds numbers"),
        ("a,b\n1,2\n3,-\n5,6\n7,8\n", r"column 'b' is numbers but for some cells: row 2 holds '-'"),
        ('a,b\n1,"1,234"\n3,4\n5,6\n', r"row 1 holds '1,234'"),
        ("a,b\n1,2\n3,NA\n", "row 2, column 'b' is missing"),
        ("x\n1\n\n3\n", "row 2, column 'x' is missing"),
        ("a,b\n1,2\n3,1e400\n", "row 2, column 'b' is inf"),
        ("a    b\n1.5  2\n10   3\n", "set apart by blanks"),
        (b"\x1f\x8bgarbage garbage", "looks like gzip and cannot be unpacked"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 1000, mtime=0)[:-20], "cannot be (read|unpacked)"),
    ],
)
def test_csv_that_cannot_be_used_is_refused_by_name(csv, content, message):
    path = csv(content)
    with pytest.raises(DataError, match=message) as caught:
        stream(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("spool", [True, False])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("oops,1", "column 'a' is numbers at first, and row 30002 holds 'oops'"),
        ('1,"1,234"', "column 'b' is numbers at first, and row 30002 holds '1,234'"),
        ("-,1", "row 30002 holds '-'"),
        ("1,NA", "row 30002, column 'b' is missing"),
        ("1,1e400", "row 30002, column 'b' is inf"),
        ("1", "has 1 cells where the first has 2: '1'"),
        ("\x00,1", "row 30002 holds"),
    ],
)
def test_what_first_goes_wrong_far_down_is_named(csv, monkeypatch, wrong, message, spool):
    monkeypatch.setattr(textfile, "BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 1 << 10)
    lines = ["a,b", '"1",2', ""] + [f"{i},{i}.5" for i in range(30_000)] + [wrong, "2,3"]
    path = csv("\n".join(lines))
    with pytest.raises(DataError, match=message) as caught:
        stream(path, spool=spool)
    assert str(path) in str(caught.value)


def test_a_column_that_begins_with_whole_numbers_may_go_on_with_others(csv, monkeypatch):
    monkeypatch.setattr(textfile, "BLOCK_BYTES", 1 << 12)
    lines = ["a,b"] + [f"{i},7" for i in range(2000)] + ["0.5,1e3"]
    assert stream(csv("\n".join(lines)))[0][-1].tolist() == [0.5, 1000.0]


@pytest.mark.parametrize("spool", [True, False])
def test_a_column_that_begins_without_values_may_have_some_later(csv, monkeypatch, spool):
    monkeypatch.setattr(textfile, "BLOCK_BYTES", 1 << 12)
    path = csv("a,b,c\n" + "1,,\n" * 3000 + "3,4,\n")
    matrix, rows = stream(path, drop_missing=True, spool=spool)
    assert matrix.tolist() == [[3.0, 4.0]]
    assert rows.feature_names == ("a", "b")
    assert "column 'c' is missing in every row, and was left out" in rows.notes
    with pytest.raises(DataError, match="row 1, column 'b' is missing"):
        stream(path, spool=spool)
    with pytest.raises(DataError, match="column 'c' is missing in every row"):
        stream(path, columns=["a", "c"], spool=spool)


def test_a_line_that_never_ends_takes_no_memory(csv, monkeypatch):
    for module in (csvfile, textfile):
        monkeypatch.setattr(module, "BLOCK_BYTES", 1 << 20)
    with pytest.raises(DataError, match="a line is longer than 1 MB"):
        stream(csv("a,b\n1,2\n" + "1" * (3 << 20) + ",2\n"))
    with pytest.raises(DataError, match="field larger than field limit"):
        stream(csv("1," * (2 << 20)))


def test_a_table_of_very_many_columns_is_streamed(tmp_path, csv):
    names, row = [f"c{j}" for j in range(3000)], np.arange(3000.0)
    path = csv(",".join(names) + "\n" + (",".join(map(str, row)) + "\n") * 4)
    assert stream(path)[0].shape == (4, 3000)
    pq.write_table(pa.table({name: [x] * 4 for name, x in zip(names, row, strict=True)}), tmp_path / "w")
    assert np.array_equal(stream(tmp_path / "w")[0], np.tile(row, (4, 1)))


def test_what_is_in_memory_and_what_is_streamed_say_the_same(csv):
    path = csv("a,b,w\n" + "1.25,2.5,1\n2,3,0\n4,8,2\n" * 100)
    loaded, streamed = open_rows(path, weights="w"), open_rows(path, weights="w", memory=0)
    assert isinstance(loaded, MemoryRows)
    assert (loaded.n_rows, loaded.notes) == (streamed.n_rows, streamed.notes)
    assert loaded.fingerprint == streamed.fingerprint
    assert loaded.summary.row_weight == streamed.summary.row_weight == 300.0


def test_text_is_measured_without_text_columns(csv):
    path = csv("a,name\n" + "1,x\n2,y\n" * 50)
    assert isinstance(open_rows(path, memory=100 * 8), MemoryRows)
    assert isinstance(open_rows(path, memory=100 * 8 - 1), FileRows)
    assert csvfile.BLOCK_BYTES == textfile.BLOCK_BYTES


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_shard_with_nothing_but_a_header_is_nothing(tmp_path, end):
    (tmp_path / "1.csv").write_text("a,b" + end)
    (tmp_path / "2.csv").write_text("a,b\n1,2\n3,5\n")
    for spool in (True, False):
        assert stream(tmp_path, spool=spool)[0].tolist() == [[1.0, 2.0], [3.0, 5.0]]


@pytest.mark.parametrize("mark", ["\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_only_ends_of_lines_end_lines(csv, mark):
    content = f"a{mark}b,c\n1,2\n3,5\n".encode("latin-1")
    for read in (
        lambda path: stream(path)[1].feature_names,
        lambda path: read_table(str(path)).feature_names,
    ):
        assert read(csv(content)) == (f"a{mark}b", "c")
