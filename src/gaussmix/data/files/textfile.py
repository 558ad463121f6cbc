"""CSV read as a stream, whose columns keep the types that its beginning has."""

import csv
import re
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.types as pt

from gaussmix.data.files.columns import shortened, unique_names
from gaussmix.data.files.csvfile import (
    BLOCK_BYTES,
    HEAD_BYTES,
    Dialect,
    Ragged,
    convert_options,
    first_bytes,
    only_header,
    parse_options,
    sniffed,
)
from gaussmix.data.files.filebytes import FileBytes, naming
from gaussmix.data.files.sources import ArrowSource, Span
from gaussmix.data.files.textstream import TextStream
from gaussmix.errors import DataError

CONVERSION = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?.*invalid value '(.*)'", re.DOTALL)


class TextSource(ArrowSource):
    """A CSV file of any dialect.

    A column whose beginning is numbers is read as 64-bit floats to its end, one of booleans as these;
    one whose beginning is missing is read as numbers if it is asked for.
    """

    undecided = True

    def __init__(self, content: FileBytes) -> None:
        with naming(content.path, content):
            head = first_bytes(content.stream())
            self._dialect: Dialect = sniffed(content.path, head)
            self._whole = len(head) < HEAD_BYTES
            # Empty lines before the first row count as rows where rows are to be skipped.
            text = head.decode(self._dialect.encoding, errors="replace").lstrip("\ufeff")
            self._above = len(text) - len(text.lstrip("\r\n"))
            self._above = len(text[: self._above].splitlines())
            self._first = self._beginning(content, head)
            self._only_header = self._whole and not len(self._first)
            names = self._first.schema.names
            self._n_columns = len(names)
            self._bytes_a_row = len(head) / max(text.count("\n"), 1)
            self._size = content.stamp[0] * (1.0 if self._whole else content.expansion())
        super().__init__(content, self._first.schema, None, self._dialect.notes())

    def __getstate__(self) -> dict[str, Any]:
        # Columns are chosen before a text is sent to another process.
        return {**self.__dict__, "_first": self._first.slice(0, 0)}

    def record_batches(
        self,
        positions: Sequence[int],
        span: Span | None = None,  # noqa: ARG002
    ) -> Iterator[pa.RecordBatch]:
        """The columns at these positions, in this order."""
        if self._only_header:
            return
        kinds = [self._kind(position) for position in positions]
        marks = TextStream(self.content.stream(), self._dialect.encoding)
        n_rows = 0
        try:
            for batch in marks.closed_at_exit(self._parsed(marks, positions, kinds, threads=True)):
                n_rows += len(batch)
                yield batch
            self._refuse_open_quotation(marks, n_rows)
        except pa.ArrowInvalid as error:
            if CONVERSION.match(str(error)) is None:
                raise DataError(f"{self.path}: {Ragged().sentence(error)}") from error
            # Which row it was is known only to one thread.
            again = TextStream(self.content.stream(), self._dialect.encoding)
            for _ in self._parsed(again, positions, kinds, threads=False):
                pass
            raise

    def batches(self, positions: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """The first rows."""
        yield self._first.select(list(positions))

    def expected_rows(self) -> float:
        """From the size of the file and of the first rows."""
        return float(len(self._first)) if self._whole else self._size / self._bytes_a_row

    def n_bytes(self, positions: Sequence[int]) -> int:  # noqa: ARG002
        """Of the file as it is, compressed or not."""
        return int(self.content.stamp[0])

    def _kind(self, position: int) -> pa.DataType:
        kind = self.schema.field(position).type
        return kind if pt.is_boolean(kind) else pa.float64()

    def _refuse_open_quotation(self, marks: TextStream, n_rows: int) -> None:
        """Refuse a text whose last quotation mark has swallowed the rows after it."""
        # Inches (5") leave an odd number of marks too, but no row fewer than there are lines.
        swallowed = marks.n_lines - n_rows - self._skipped
        if marks.odd and swallowed > 0:
            raise DataError(
                f"{self.path}: a quotation mark is missing: one that begins a cell never ends, and up to "
                f"{swallowed} lines may be inside of it. Mend the quotation marks"
            )

    def _parsed(
        self, stream: TextStream, positions: Sequence[int], kinds: Sequence[pa.DataType], threads: bool
    ) -> Generator[pa.RecordBatch, None, None]:
        ragged = Ragged()
        wanted = [_placeholder(position) for position in positions]
        unique = list(dict.fromkeys(wanted))
        reader: Any = None
        try:
            reader = pyarrow.csv.open_csv(
                stream.for_arrow(),
                pyarrow.csv.ReadOptions(
                    use_threads=threads,
                    column_names=[_placeholder(j) for j in range(self._n_columns)],
                    skip_rows_after_names=self._skipped,
                    block_size=BLOCK_BYTES,
                ),
                parse_options(self._dialect, stream.called_by_arrow(ragged)),
                convert_options(
                    self._dialect, include_columns=unique, column_types=dict(zip(wanted, kinds, strict=True))
                ),
            )
            for batch in reader:
                yield batch.select(wanted)
        except pa.ArrowInvalid as error:
            found = CONVERSION.match(str(error))
            if ragged.first is not None:
                raise DataError(f"{self.path}: {ragged.sentence(error)}") from error
            if found is None or found[2] is None:
                raise
            name = unique_names(self.schema.names)[0][int(found[1])]
            row = int(found[2]) - self._skipped
            first = "has no value" if pt.is_null(self.schema.field(int(found[1])).type) else "is numbers"
            raise DataError(
                f"{self.path}: column {shortened(name)!r} {first} at first, and row {row} holds "
                f"{shortened(found[3])!r}. Mend such cells (thousands separators out, one decimal mark, "
                "missing values empty), or choose other columns with --columns"
            ) from error
        finally:
            # Who waits for Arrow to let go must not hold on to it.
            reader = None
            stream.stop()

    @property
    def _skipped(self) -> int:
        return self._above + 1 if self._dialect.has_header else 0

    def _beginning(self, content: FileBytes, head: bytes) -> pa.RecordBatch:
        """The first block, with types as Arrow guesses them, and the names of the file."""
        dialect, ragged = self._dialect, Ragged()
        stream = TextStream(content.stream(), dialect.encoding)
        reader: Any = None
        try:
            reader = pyarrow.csv.open_csv(
                stream.for_arrow(),
                pyarrow.csv.ReadOptions(
                    use_threads=False,
                    autogenerate_column_names=not dialect.has_header,
                    block_size=BLOCK_BYTES,
                ),
                parse_options(dialect, stream.called_by_arrow(ragged)),
                convert_options(dialect),
            )
            first, schema = next(iter(reader), None), reader.schema
        except pa.ArrowInvalid as error:
            if ragged.first is not None or not only_header(head, error):
                raise DataError(f"{content.path}: {ragged.sentence(error)}") from error
            text = head.decode(dialect.encoding).lstrip("\ufeff\r\n")
            names = next(csv.reader([text], delimiter=dialect.delimiter))
            return pa.RecordBatch.from_arrays([pa.nulls(0)] * len(names), names=names)
        finally:
            reader = None
            stream.stop()
        if first is None:
            first = pa.RecordBatch.from_arrays([pa.nulls(0)] * len(schema), names=schema.names)
        if not len(first):
            first = pa.RecordBatch.from_arrays([pa.nulls(0)] * first.num_columns, names=first.schema.names)
        if not dialect.has_header:
            names = [f"x{j + 1}" for j in range(first.num_columns)]
            first = pa.RecordBatch.from_arrays(first.columns, names=names)
        return first


def _placeholder(position: int) -> str:
    # Names in the file may come twice.
    return f"column {position}"
