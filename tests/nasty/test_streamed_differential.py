"""The same file read into memory and read in blocks: the same table, or the same sentence about it."""

import decimal
import gzip
import io
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gaussmix.data import blocks
from gaussmix.data.files import csvfile, textfile
from gaussmix.data.files.opening import open_rows
from gaussmix.data.files.tables import read_table
from gaussmix.errors import DataError

NUMBERS = ["1", "-2.5", "3e4", "+7", "007", ".5", "6.", "1e400", "-0.0", "5e-324", "9007199254740993"]
MISSING = ["", "NA", "NaN", "null", "n/a", "<NA>"]
OTHERS = ["x", "-", "?", "1 234", "inf", "true", "FALSE", "2020-01-01", "12:30", "größe", "=1+1", "1%"]
NAMES = ["a", "b", "a", "", " c ", "größe", "x1", "a_2", "x" * 300, "2020", "\x1b[31m"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "table"


def in_memory(path, **options):
    try:
        table = read_table(str(path), **options)
    except DataError as error:
        return str(error).replace("looks like gzip and cannot be unpacked", "cannot be read")
    numbers = table.row_numbers
    if numbers is None:
        numbers = np.arange(1, len(table.matrix) + 1)
    return table.feature_names, table.matrix.astype(np.float64), set(table.notes), numbers.tolist()


def in_blocks(path, **options):
    try:
        rows = open_rows(path, memory=0, **options)
        found = list(rows.blocks())
    except DataError as error:
        return str(error)
    matrix = np.concatenate([block.matrix for block in found]).astype(np.float64)
    numbers = np.arange(1, len(matrix) + 1)
    if found[0].numbers is not None:
        numbers = np.concatenate([block.numbers for block in found])
    return rows.feature_names, matrix, set(rows.notes), numbers.tolist()


def assert_same(one, two):
    if isinstance(one, str) or isinstance(two, str):
        # What is missing is left out last where rows are streamed.
        one, two = (re.sub(r"(no column holds numbers) \(.*", r"\1", str(said)) for said in (one, two))
        assert one == two
        return
    assert one[0] == two[0]
    assert one[1].tobytes() == two[1].tobytes()
    # Integers of rows that are left out do no harm, which only those who read in blocks know.
    left_out = any("were left out" in note and "rows have" in note for note in two[2])
    notes = [{note for note in said if not (left_out and "beyond 2^53" in note)} for said in (one[2], two[2])]
    assert notes[0] == notes[1]
    assert one[3:] == two[3:]


def assert_same_everywhere(path, **options):
    found = in_memory(path, **options)
    for spool in (True, False):
        assert_same(found, in_blocks(path, spool=spool, **options))


@st.composite
def tables(draw):
    """Lines of cells, each column mostly of one kind."""
    n_columns, n_rows = draw(st.integers(1, 4)), draw(st.integers(0, 8))
    columns = []
    for _ in range(n_columns):
        usual = draw(
            st.sampled_from([NUMBERS, NUMBERS, NUMBERS[:6], MISSING, OTHERS, [*NUMBERS[:6], *MISSING]])
        )
        pool = st.sampled_from(usual)
        if draw(st.booleans()):
            pool = st.one_of(pool, pool, pool, st.sampled_from([*NUMBERS, *MISSING, *OTHERS]))
        columns.append(draw(st.lists(pool, min_size=n_rows, max_size=n_rows)))
    lines = [list(cells) for cells in zip(*columns, strict=True)]
    if draw(st.integers(0, 3)):
        lines.insert(0, draw(st.lists(st.sampled_from(NAMES), min_size=n_columns, max_size=n_columns)))
    if draw(st.integers(0, 9)) == 0 and lines:
        draw(st.sampled_from(lines)).append("9")
    return lines


@st.composite
def texts(draw):
    """CSV in one of its many ways, as bytes."""
    lines = draw(tables())
    delimiter, decimal_comma = draw(st.sampled_from([(",", False), (";", False), (";", True), ("\t", False)]))
    if decimal_comma:
        lines = [[cell.replace(".", ",") for cell in line] for line in lines]
    if draw(st.integers(0, 3)) == 0:
        lines = [[f'"{cell}"' for cell in line] for line in lines]
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\n\n"]))
    text = end.join(delimiter.join(line) for line in lines) + draw(st.sampled_from(["", end]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    raw = text.encode(encoding)
    return gzip.compress(raw, mtime=0) if draw(st.integers(0, 5)) == 0 else raw


@settings(max_examples=300)
@given(texts(), st.booleans())
@example(gzip.compress(b"", mtime=0) + gzip.compress(b"a,b\n1,2\n3,4\n", mtime=0), False)
@example(gzip.compress(b"a,b\n1,2\n3,4\n", mtime=0) + b"trailing", False)
@example(b"a,b", False)
@example(b"a,b\n", False)
@example(b"a,b\n,\nNA,\n", True)
def test_csv_is_the_same_in_memory_and_in_blocks(path, raw, drop_missing):
    path.write_bytes(raw)
    assert_same_everywhere(path, drop_missing=drop_missing)


@settings(max_examples=60)
@given(texts())
def test_csv_of_many_blocks_differs_only_where_it_must(path, raw):
    path.write_bytes(raw * 1 if raw[:2] == b"\x1f\x8b" else raw)
    with pytest.MonkeyPatch.context() as patch:
        found = in_memory(path)
        patch.setattr(textfile, "BLOCK_BYTES", 400)
        patch.setattr(csvfile, "BLOCK_BYTES", 400)
        patch.setattr(blocks, "BLOCK_VALUES", 4)
        streamed = in_blocks(path)
    if isinstance(streamed, str) and streamed != found:
        # What stands further down than what was looked at can only be refused.
        assert "at first, and row" in streamed or "a line is longer" in streamed or isinstance(found, str)
    elif isinstance(found, str):
        # What is text at first is left out, as text is.
        assert found == streamed or any("is text, and was left out" in note for note in streamed[2])
    else:
        assert_same((*found[:2], set(), found[3]), (*streamed[:2], set(), streamed[3]))


INTEGERS = st.integers(-100, 100)
FLOATS = st.floats(-1e6, 1e6, width=32)
KINDS = {
    pa.float64(): st.one_of(FLOATS, FLOATS, FLOATS, st.sampled_from([np.nan, np.inf, 1e300])),
    pa.float32(): FLOATS,
    pa.float16(): st.integers(-100, 100).map(np.float16),
    pa.int64(): st.one_of(INTEGERS, INTEGERS, st.sampled_from([2**53, 2**53 + 1, -(2**60)])),
    pa.int8(): INTEGERS,
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.bool_(): st.booleans(),
    pa.decimal128(12, 3): INTEGERS.map(decimal.Decimal),
    pa.string(): st.sampled_from([*NUMBERS, *OTHERS, "text " * 300]),
    pa.large_string(): st.sampled_from(OTHERS),
    pa.date32(): st.dates(),
    pa.duration("s"): st.timedeltas(),
    pa.null(): st.none(),
    pa.list_(pa.int8()): st.lists(INTEGERS, max_size=2),
    pa.struct([("a", pa.int8())]): st.fixed_dictionaries({"a": INTEGERS}),
}


@st.composite
def arrow_tables(draw):
    """Columns of any type, some coded by dictionaries, some with values that are missing."""
    n_rows, columns, names = draw(st.integers(0, 7)), [], []
    for j in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from([*KINDS, *[pa.float64(), pa.float32()] * 3]))
        cells = st.one_of(KINDS[kind], st.none()) if draw(st.integers(0, 3)) == 0 else KINDS[kind]
        column = pa.array(draw(st.lists(cells, min_size=n_rows, max_size=n_rows)), kind)
        codable = pa.types.is_integer(kind) or pa.types.is_string(kind)
        columns.append(column.dictionary_encode() if codable and draw(st.booleans()) else column)
        names.append(draw(st.sampled_from([f"c{j}", f"c{j}", "same", "c0.a", ""])))
    return pa.table(columns, names=names)


def as_parquet(table, group):
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=group)
    return file.getvalue()


def as_arrow(table, group, new=pa.ipc.new_file):
    file = io.BytesIO()
    with new(file, table.schema) as writer:
        # Dictionaries of a file cannot be replaced by others.
        writer.write_table(table.unify_dictionaries(), max_chunksize=group)
    return file.getvalue()


def as_stream(table, group):
    return as_arrow(table, group, pa.ipc.new_stream)


@settings(max_examples=200)
@given(arrow_tables(), st.integers(1, 8), st.sampled_from([as_parquet, as_arrow, as_stream]), st.booleans())
def test_arrow_and_parquet_are_the_same_in_memory_and_in_blocks(path, table, group, written, drop_missing):
    path.write_bytes(written(table, group))
    assert_same_everywhere(path, drop_missing=drop_missing)


@pytest.mark.parametrize(
    "columns", [["b", "a"], ["a", "a"], [], ["z"], ["text"], ["gone"], "a", [0]], ids=str
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_choice_of_columns_means_the_same(path, columns, kind):
    table = pa.table({"a": [1.5, 2.0], "b": [3.0, 4.5], "text": ["x", "y"], "gone": pa.nulls(2)})
    if kind == "parquet":
        path.write_bytes(as_parquet(table, 10))
    else:
        path.write_text("a,b,text,gone\n1.5,3,x,\n2,4.5,y,\n")
    assert_same_everywhere(path, columns=columns)


@pytest.mark.parametrize("columns", [None, ["x2", "x1"], ["x9"], ["y"], ["x1", "x1"]], ids=str)
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "f4", "f2", "i8", "u1", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_the_same_in_memory_and_in_blocks(path, columns, dtype, order):
    with path.open("wb") as file:
        np.save(file, np.array([[1, 0], [0, 3], [2, 1]], dtype=dtype, order=order))
    assert_same_everywhere(path, columns=columns)
