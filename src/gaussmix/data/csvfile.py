"""CSV as people write it: the delimiter, the header, the decimal mark and the encoding are found out."""

import codecs
import csv
import re
import zlib
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv

from gaussmix.errors import DataError

HEAD_BYTES = 1 << 18
HEAD_LINES = 100
DELIMITERS = (",", ";", "\t", "|", " ")
NUMBER = re.compile(r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
DECIMAL_COMMA = re.compile(r"^\s*[-+]?\d+,\d+([eE][-+]?\d+)?\s*$")
MISSING = frozenset(["", "na", "n/a", "nan", "null", "none", "#n/a", "inf", "-inf", "+inf", "infinity"])
BLOCK_BYTES = 1 << 22


@dataclass(frozen=True, eq=False)
class CsvTable:
    """A CSV file as an Arrow table."""

    table: pa.Table
    notes: tuple[str, ...]
    first_line: int
    """Line of the first data row."""


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written."""

    encoding: str
    delimiter: str
    decimal: str
    has_header: bool


def read_csv(path: str, file: pa.NativeFile) -> CsvTable:
    """Read a CSV file whole.

    Raises
    ------
    DataError
        If it holds NUL bytes, a row has another number of cells than the first, or there is only a
        header.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head[:2] == b"\x1f\x8b":
        head = zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
        file = pa.CompressedInputStream(file, "gzip")
    dialect = sniff(path, head)
    try:
        table = pyarrow.csv.read_csv(
            file,
            pyarrow.csv.ReadOptions(
                encoding=dialect.encoding,
                autogenerate_column_names=not dialect.has_header,
                block_size=BLOCK_BYTES,
            ),
            pyarrow.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
            pyarrow.csv.ConvertOptions(
                decimal_point=dialect.decimal, strings_can_be_null=True, quoted_strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: {_plain(str(error))}") from error
    if not dialect.has_header:
        table = table.rename_columns([f"x{j + 1}" for j in range(table.num_columns)])
    if table.num_rows == 0:
        raise DataError(f"{path}: there is a header but no row of data")
    notes = () if dialect.has_header else ("there is no header; columns are called x1, x2, ...",)
    return CsvTable(table, notes, 2 if dialect.has_header else 1)


def sniff(path: str, head: bytes) -> Dialect:
    """Find out how a CSV file is written from its first bytes."""
    encoding, text = _decoded(path, head)
    lines = text.splitlines()
    if len(head) >= HEAD_BYTES and len(lines) > 1:
        lines = lines[:-1]
    lines = [line for line in lines if line.strip()][:HEAD_LINES]
    if not lines:
        raise DataError(f"{path}: the file is empty")
    delimiter = max(DELIMITERS, key=lambda candidate: _evidence(lines, candidate))
    cells = [cell for row in csv.reader(lines, delimiter=delimiter) for cell in row]
    with_comma = sum(bool(DECIMAL_COMMA.match(cell)) for cell in cells)
    with_point = sum("." in cell and bool(NUMBER.match(cell)) for cell in cells)
    decimal = "," if delimiter != "," and with_comma > with_point else "."
    first = next(csv.reader(lines, delimiter=delimiter))
    has_header = not all(_numeric(cell, decimal) for cell in first)
    return Dialect(encoding, delimiter, decimal, has_header)


def _decoded(path: str, head: bytes) -> tuple[str, str]:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if head.startswith(mark):
            return encoding, head[: len(head) // 2 * 2].decode(encoding, errors="replace")
    if b"\x00" in head:
        raise DataError(f"{path}: holds NUL bytes, so it is not text; is it another format, or damaged?")
    try:
        # The last character may be cut in the middle.
        return "utf-8", codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return "latin-1", head.decode("latin-1")


def _evidence(lines: list[str], delimiter: str) -> tuple[bool, float, int]:
    """How well a delimiter explains lines: all of one width, cells that are numbers, and many cells."""
    rows = list(csv.reader(lines, delimiter=delimiter))
    widths = {len(row) for row in rows}
    body = [cell for row in rows[1:] or rows for cell in row]
    commas = delimiter != ","
    numbers = sum(_numeric(c, ".") or (commas and bool(DECIMAL_COMMA.match(c))) for c in body)
    width = max(widths)
    return (width > 1 and len(widths) == 1, numbers / max(len(body), 1), width)


def _numeric(cell: str, decimal: str) -> bool:
    text = cell.replace(",", ".") if decimal == "," else cell
    return bool(NUMBER.match(text)) or cell.strip().lower() in MISSING


def _plain(message: str) -> str:
    """Arrow's message without its prefix and with a hint."""
    return message.replace("CSV parse error: ", "").strip() + " (is a delimiter or a quote missing there?)"
