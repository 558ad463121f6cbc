"""What every kind of file answers: its columns, how long it is, and its numbers a chunk at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from gaussmix.data import blocks
from gaussmix.data.files.filebytes import FileBytes, naming

# Rows of a chunk, fewer where they are wide.
CHUNK_ROWS = 1 << 16
Span = tuple[int, int]
Chunk = list[NDArray[Any]]


class FileSource(ABC):
    """A table in a file that can be read over and over, in bounded memory.

    It can be pickled, so that another process may read the file.

    Parameters
    ----------
    content : FileBytes
    schema : pyarrow.Schema
        Names as in the file, and types.
    n_rows : int or None
        None where only reading tells.
    notes : tuple of str
        What was guessed.
    """

    undecided = False
    """Whether a column without a value at the beginning may have one later on."""

    def __init__(
        self, content: FileBytes, schema: pa.Schema, n_rows: int | None, notes: tuple[str, ...] = ()
    ) -> None:
        self.content, self.schema, self.n_rows, self.notes = content, schema, n_rows, notes

    @property
    def path(self) -> str:
        """For messages."""
        return self.content.path

    @abstractmethod
    def chunks(self, positions: Sequence[int], span: Span | None = None) -> Iterator[Chunk]:
        """The columns at these positions, each (n,), NaN where a value is missing; of a span or of all."""

    @abstractmethod
    def batches(self, positions: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """The first rows of the columns at these positions, as they are in the file."""

    def spans(self, most: int) -> list[tuple[Span | None, int, int | None]]:  # noqa: ARG002
        """How the file can be cut: spans of about ``most`` rows, with the rows before and in each."""
        return [(None, 0, self.n_rows)]

    def n_bytes(self, positions: Sequence[int]) -> int:  # noqa: ARG002
        """Bytes that one pass over some columns reads."""
        return int(self.content.stamp[0])

    def may_have_values(self, position: int) -> bool:
        """Whether a column has values, as far as its type tells."""
        return not pt.is_null(self.schema.field(position).type)

    def expected_rows(self) -> float:
        """Rows that are there, or about so many."""
        return float(self.n_rows or 0)

    def first_chunk(self, positions: Sequence[int]) -> Chunk:
        """The first rows."""
        return next(self.chunks(positions), [])


class ArrowSource(FileSource):
    """A file that Arrow reads in record batches."""

    @abstractmethod
    def record_batches(self, positions: Sequence[int], span: Span | None = None) -> Iterator[pa.RecordBatch]:
        """The columns at these positions, in this order."""

    def chunks(self, positions: Sequence[int], span: Span | None = None) -> Iterator[Chunk]:
        """The same as numbers."""
        for batch in self.record_batches(positions, span):
            yield [as_numbers(column) for column in batch.columns]

    def batches(self, positions: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """The first rows that there are."""
        yield from first_rows(self.record_batches(positions), CHUNK_ROWS)

    def first_chunk(self, positions: Sequence[int]) -> Chunk:
        """The first rows."""
        found = [[as_numbers(column) for column in batch.columns] for batch in self.batches(positions)]
        return [np.concatenate(columns) for columns in zip(*found, strict=True)]


class IpcSource(ArrowSource):
    """An Arrow IPC file or stream."""

    def __init__(self, content: FileBytes) -> None:
        self._is_stream = not content.magic.startswith(b"ARROW1")
        with naming(content.path, content):
            reader = self._reader(content)
            counted = None if self._is_stream else getattr(reader, "count_rows", lambda: None)()
            super().__init__(content, reader.schema, counted)

    def record_batches(
        self,
        positions: Sequence[int],
        span: Span | None = None,  # noqa: ARG002
    ) -> Iterator[pa.RecordBatch]:
        """The columns at these positions, in this order."""
        included = sorted(set(positions))
        reader = self._reader(self.content, included)
        order = [included.index(position) for position in positions]
        numbers = iter(reader) if self._is_stream else map(reader.get_batch, range(reader.num_record_batches))
        for batch in numbers:
            chosen = batch.select(order)
            # What comes in from elsewhere may point outside of its own memory.
            chosen.validate(full=True)
            yield chosen

    def expected_rows(self) -> float:
        """Told by the file, or as many as numbers of 8 bytes would fill it."""
        if self.n_rows is not None:
            return float(self.n_rows)
        return float(self.content.stamp[0] / (8 * max(len(self.schema), 1)))

    def _reader(self, content: FileBytes, included: list[int] | None = None) -> Any:
        options = pa.ipc.IpcReadOptions(included_fields=included)
        if self._is_stream:
            return pa.ipc.open_stream(content.stream(), options=options)
        return pa.ipc.open_file(content.random(), options=options)


def as_numbers(column: pa.Array) -> NDArray[Any]:
    """A column of numbers as an array (n,), without a copy where that can be; NaN where one is missing."""
    kind = column.type
    plain = pt.is_floating(kind) or pt.is_integer(kind)
    if not (plain and column.null_count == 0):
        column = column.cast(pa.float32() if pt.is_float32(kind) else pa.float64(), safe=False)
    array = _as_it_lies(column)
    if column.null_count:
        array = array.copy()
        array[~_as_it_lies(column.is_valid().cast(pa.int8())).astype(bool)] = np.nan
    return array


def _as_it_lies(column: pa.Array) -> NDArray[Any]:
    """Plain numbers (n,) as they lie in memory.

    Arrow's own way imports pandas where it is installed, and loses a Ctrl-C that comes meanwhile.
    """
    kind = column.type
    letter = "f" if pt.is_floating(kind) else "i" if pt.is_signed_integer(kind) else "u"
    dtype = np.dtype(f"{letter}{kind.bit_width // 8}")
    values = column.buffers()[1]
    if values is None or not len(column):
        return np.empty(len(column), dtype=dtype)
    return np.frombuffer(values, dtype, len(column), column.offset * dtype.itemsize)


def first_rows(batches: Iterator[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    """Batches of no more than so many rows together."""
    for batch in batches:
        yield batch.slice(0, most)
        most -= len(batch)
        if most <= 0:
            return


def chunk_rows(n_columns: int) -> int:
    """Rows of a chunk of so many columns: never more numbers than a block has."""
    return min(CHUNK_ROWS, blocks.block_rows(max(n_columns, 1)))
