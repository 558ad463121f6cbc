"""CSV as people write it: the delimiter, the header, the decimal mark and the encoding are found out."""

import codecs
import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.csv

from gaussmix.errors import DataError

HEAD_BYTES = 1 << 18
HEAD_LINES = 100
DELIMITERS = (",", ";", "\t", "|", " ")
NUMBER = re.compile(r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
DECIMAL_COMMA = re.compile(r"^\s*[-+]?\d+,\d+([eE][-+]?\d+)?\s*$")
THOUSANDS = re.compile(r"^\s*[-+]?[1-9]\d{0,2}(,\d{3})+\s*$")
MISSING = frozenset(["", "na", "n/a", "nan", "null", "none", "#n/a", "inf", "-inf", "+inf", "infinity"])
# What is a missing value in any spelling that spreadsheets, R and Python write.
NULLS = [
    f(word) for word in ("na", "n/a", "#n/a", "nan", "null", "none") for f in (str, str.upper, str.title)
]
NULLS += ["", "NaN", "N/A", "-nan", "-NaN", "<NA>"]
BLOCK_BYTES = 1 << 22
NO_ROWS = "there is a header but no row of data"


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written."""

    encoding: str
    delimiter: str
    decimal: str
    has_header: bool
    single: bool
    """Whether there is one column only."""
    aligned: bool = False
    """Whether that column looks like several, set apart by blanks."""

    def notes(self) -> tuple[str, ...]:
        """What was guessed and could have been guessed wrong."""
        notes = []
        if not self.has_header:
            notes.append("there is no header; columns are called x1, x2, ...")
        if self.decimal == ",":
            notes.append("numbers are read with a decimal comma")
        if self.encoding == "latin-1":
            notes.append("the file is not UTF-8 and was read as Latin-1")
        return tuple(notes)


def first_bytes(stream: pa.NativeFile) -> bytes:
    """As many as tell how a CSV file is written."""
    head = b""
    # A compressed stream may give less than was asked for.
    while len(head) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(head))):
        head += more
    return head


def only_header(head: bytes, error: Exception) -> bool:
    """Whether what Arrow finds wrong is that nothing follows a header without a line's end."""
    one_line = len(head) < HEAD_BYTES and len(head.strip(b"\r\n\x00").splitlines()) == 1
    return one_line and ("straddling" in str(error) or "Empty CSV" in str(error))


def sniffed(path: str, head: bytes) -> Dialect:
    """How a CSV file is written, from its first bytes.

    Raises
    ------
    DataError
        If that cannot be told, or is no CSV.
    """
    try:
        dialect = sniff(path, head)
    except csv.Error as error:
        raise DataError(
            f"{path}: a line is longer than {csv.field_size_limit() >> 10} kB and has no columns "
            f"({error}): a quotation mark is missing, or the table is too wide for text; try Parquet or .npy"
        ) from error
    if dialect.aligned:
        raise DataError(
            f"{path}: its columns seem to be set apart by blanks, as in a printed table; write it as CSV, "
            "with a comma, a semicolon or a tab between (in R: write.csv)"
        )
    return dialect


def parse_options(dialect: Dialect, ragged: Callable[[Any], Any]) -> pyarrow.csv.ParseOptions:
    """How Arrow is to split lines into cells."""
    return pyarrow.csv.ParseOptions(
        delimiter=dialect.delimiter,
        newlines_in_values=True,
        # With one column an empty line is a missing value; with more it is nothing.
        ignore_empty_lines=not dialect.single,
        invalid_row_handler=ragged,
    )


def convert_options(dialect: Dialect, **more: Any) -> pyarrow.csv.ConvertOptions:
    """How Arrow is to read cells; ``more`` chooses columns and their types."""
    return pyarrow.csv.ConvertOptions(
        decimal_point=dialect.decimal,
        null_values=NULLS,
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        **more,
    )


class Ragged:
    """Remembers the first row with too few or too many cells."""

    def __init__(self) -> None:
        self.first: pyarrow.csv.InvalidRow | None = None

    def __call__(self, row: pyarrow.csv.InvalidRow) -> str:
        self.first = self.first or row
        return "error"

    def sentence(self, error: Exception) -> str:
        """What is wrong with it, or the error itself where it is about something else."""
        row = self.first
        if row is None and "straddling" in str(error):
            return (
                f"a line is longer than {BLOCK_BYTES >> 20} MB, so it is no table of numbers, or a quotation "
                "mark is missing"
            )
        if row is None:
            return str(error).replace("CSV parse error: ", "").strip()
        # Arrow knows the line only when it reads on one thread; the row's text says the rest.
        where = "a row" if row.number is None else f"line {row.number}"
        return (
            f"{where} has {row.actual_columns} cells where the first has {row.expected_columns}: "
            f"{row.text[:60]!r}. Is a delimiter or a quote missing there?"
        )


def sniff(path: str, head: bytes) -> Dialect:
    """Find out how a CSV file is written from its first bytes."""
    encoding, text = _decoded(path, head)
    # Not splitlines(), which takes more than Arrow does for the end of a line.
    lines = re.split(r"\r\n|\r|\n", text)
    if len(head) >= HEAD_BYTES and len(lines) > 1:
        lines = lines[:-1]
    lines = [line for line in lines if line.strip()][:HEAD_LINES]
    if not lines:
        raise DataError(f"{path}: the file is empty")
    delimiter = max(DELIMITERS, key=lambda candidate: _evidence(lines, candidate))
    rows = list(csv.reader(lines, delimiter=delimiter))
    decimal = _decimal(path, [cell for row in rows for cell in row], delimiter)
    single = len(rows[0]) == 1
    aligned = single and len(lines) > 1 and all(map(_several_numbers, lines[1:]))
    return Dialect(encoding, delimiter, decimal, _has_header(rows, decimal), single, aligned)


def _several_numbers(line: str) -> bool:
    return sum(bool(NUMBER.match(word)) for word in line.split()) > 1


def _decimal(path: str, cells: list[str], delimiter: str) -> str:
    """The decimal mark; commas that may be decimal or thousands alike are refused."""
    commas = [cell for cell in cells if DECIMAL_COMMA.match(cell)]
    points = [cell for cell in cells if "." in cell and NUMBER.match(cell)]
    if delimiter == "," or len(commas) <= len(points):
        return "."
    if all(THOUSANDS.match(cell) for cell in commas):
        raise DataError(
            f"{path}: {commas[0].strip()!r} may be a decimal number or have a thousands separator; write "
            "it with a decimal point or without the separator"
        )
    return ","


def _has_header(rows: list[list[str]], decimal: str) -> bool:
    """Whether the first row names columns: a name stands over numbers, or nothing is a number."""
    first, body = rows[0], rows[1:]
    over_numbers = []
    for j, cell in enumerate(first):
        below = [row[j] for row in body if len(row) > j]
        if below and 2 * sum(_numeric(value, decimal) for value in below) >= len(below):
            over_numbers.append(_numeric(cell, decimal))
    if over_numbers:
        return not all(over_numbers)
    return not all(_numeric(cell, decimal) for cell in first)


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


def _evidence(lines: list[str], delimiter: str) -> tuple[int, float, int]:
    """How well a delimiter explains lines: how regular they are, cells that are numbers, many cells."""
    rows = list(csv.reader(lines, delimiter=delimiter))
    widths = {len(row) for row in rows}
    body = [cell for row in rows[1:] or rows for cell in row]
    commas = delimiter != ","
    numbers = sum(_numeric(c, ".") or (commas and bool(DECIMAL_COMMA.match(c))) for c in body)
    regular, several = len(widths) == 1, len(rows[0]) > 1
    if delimiter == " " and not regular:
        return (0, 0.0, 0)  # words in a header or a label, not columns
    rank = 3 if regular and several else 2 if several else 1 if regular else 0
    return (rank, numbers / max(len(body), 1), max(widths) if regular else 1)


def _numeric(cell: str, decimal: str) -> bool:
    text = cell.replace(",", ".") if decimal == "," else cell
    return bool(NUMBER.match(text)) or cell.strip().lower() in MISSING
