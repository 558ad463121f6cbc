"""Arrays in .npy files, read piece by piece at their places."""

from collections.abc import Iterator, Sequence
from tokenize import TokenError
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gaussmix.data.files.columns import HALF_NOTE
from gaussmix.data.files.filebytes import FileBytes, naming
from gaussmix.data.files.sources import Chunk, FileSource, Span, chunk_rows
from gaussmix.errors import DataError

# Columns are believed where their numbers are there, and so many anyway.
MOST_WITHOUT_ROWS = 1 << 16
# Brackets and signs in a header of numbers, at most, and where to look for them.
PLAIN_MARKS, HEADER_BYTES = 50, 1 << 16


class NpySource(FileSource):
    """A table (N, D) or a column (N,) of real numbers."""

    def __init__(self, content: FileBytes) -> None:
        with naming(content.path, content):
            file = content.random()
            shape, self._by_column, dtype = checked_header(content.path, file, file.size())
        self._dtype, self._start = dtype, file.tell()
        n_rows, self._n_columns = shape
        kind = pa.from_numpy_dtype(np.float64 if dtype.itemsize > 8 else dtype.newbyteorder("="))
        # Half precision counts as single, which holds it.
        kind = pa.float32() if dtype == np.float16 else kind
        schema = pa.schema([(f"x{j + 1}", kind) for j in range(self._n_columns)])
        super().__init__(content, schema, n_rows, (HALF_NOTE,) if dtype == np.float16 else ())

    def chunks(self, positions: Sequence[int], span: Span | None = None) -> Iterator[Chunk]:
        """The columns at these positions; a span counts rows."""
        file = self.content.random()
        first, last = span or (0, self.n_rows or 0)
        size = chunk_rows(len(positions) if self._by_column else self._n_columns)
        for start in range(first, last, size):
            n_rows = min(size, last - start)
            if self._by_column:
                yield [self._read(file, n_rows, p * (self.n_rows or 0) + start) for p in positions]
            else:
                read = self._read(file, n_rows * self._n_columns, start * self._n_columns)
                columns = read.reshape(n_rows, self._n_columns).T
                yield [columns[p] for p in positions]

    def batches(self, positions: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """The first rows."""
        columns = [np.ascontiguousarray(column) for column in self.first_chunk(positions)]
        yield pa.RecordBatch.from_arrays(columns, names=[f"x{p + 1}" for p in positions])

    def spans(self, most: int) -> list[tuple[Span | None, int, int | None]]:
        """Rows that follow one another."""
        n_rows = self.n_rows or 0
        firsts = range(0, n_rows, most)
        return [((i, min(i + most, n_rows)), i, min(most, n_rows - i)) for i in firsts] or [((0, 0), 0, 0)]

    def n_bytes(self, positions: Sequence[int]) -> int:
        """Whole rows, or the columns where the file goes by columns."""
        columns = len(positions) if self._by_column else self._n_columns
        return (self.n_rows or 0) * columns * self._dtype.itemsize

    def _read(self, file: pa.NativeFile, count: int, place: int) -> NDArray[Any]:
        size = self._dtype.itemsize
        data = file.read_at(count * size, self._start + place * size)
        if len(data) < count * size:
            self.content.check_unchanged()
            raise DataError(f"{self.path}: cannot be read: it ends too soon")
        return np.frombuffer(data, dtype=self._dtype)


def checked_header(path: str, file: Any, size: int) -> tuple[tuple[int, int], bool, np.dtype[Any]]:
    """Read what an .npy file says of itself: (N, D), whether it goes by columns, and its dtype.

    Parameters
    ----------
    path : str
        For messages.
    file : binary file
        At its beginning; afterwards where the numbers begin.
    size : int
        Of all of it in bytes.

    Raises
    ------
    DataError
        If it is no table of real numbers, or shorter than it says.
    """
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, by_column, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, by_column, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"an .npy file of version {version} holds no plain numbers")
        if not all(type(length) is int and length >= 0 for length in shape):
            raise ValueError(f"no table has shape {shape}")
    except (ValueError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError) as error:
        # NumPy reads the header as Python, whose parser has no memory for what is nested deeply either.
        if isinstance(error, MemoryError) and not _is_nested(file):
            raise
        raise DataError(f"{path}: cannot be read: {str(error) or 'its header is damaged'}") from error
    dtype = np.dtype(dtype)
    if dtype.hasobject:
        raise DataError(f"{path}: cannot be read: it holds Python objects, not numbers")
    if len(shape) not in (1, 2) or dtype.kind not in "fiub":
        raise DataError(
            f"{path}: an .npy file must hold a table (N, D) of real numbers; this one has shape "
            f"{shape} and dtype {dtype}"
        )
    n_rows, n_columns = shape if len(shape) == 2 else (*shape, 1)
    if size < file.tell() + n_rows * n_columns * dtype.itemsize:
        raise DataError(f"{path}: cannot be read: it ends before its {n_rows} rows do")
    if n_columns == 0:
        raise DataError(f"{path}: no column holds numbers")
    if n_rows == 0 and n_columns > MOST_WITHOUT_ROWS:
        raise DataError(f"{path}: there are no rows of data")
    return (n_rows, n_columns), by_column, dtype


def _is_nested(file: Any) -> bool:
    file.seek(0)
    head = file.read(HEADER_BYTES)
    return bool(sum(head.count(mark) for mark in b"([{+-~") > PLAIN_MARKS)
