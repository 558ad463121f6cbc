"""Text is parsed once: its numbers are kept in a temporary file, from which every pass reads."""

import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gaussmix.data.files.filebytes import Tell
from gaussmix.data.files.sources import Chunk, FileSource, Span
from gaussmix.data.files.temporary import Temporary, told_size


class SpooledSource(FileSource):
    """Columns of a text file as floats, column after column of each chunk.

    Parameters
    ----------
    parsed : FileSource
        The text.
    positions : sequence of int
        Its columns to keep; they are the columns 0, 1, ... of this source.
    spool : Temporary or None
        Where the numbers go; None only counts, and reads the text again on every pass.
    """

    def __init__(self, parsed: FileSource, positions: Sequence[int], spool: Temporary | None) -> None:
        kept = pa.schema([parsed.schema.field(position) for position in positions])
        super().__init__(parsed.content, kept, 0, parsed.notes)
        self._parsed, self._positions, self._spool = parsed, tuple(positions), spool
        self._places: list[tuple[int, int]] = []
        self._has_values: NDArray[np.bool_] = np.zeros(len(positions), dtype=bool)
        n_rows = 0
        for columns in parsed.chunks(positions):
            if len(columns[0]) == 0:
                continue
            n_rows += len(columns[0])
            self._has_values |= [not np.isnan(column).all() for column in columns]
            if spool is not None:
                self._places.append((spool.size, len(columns[0])))
                spool.write(np.array(columns, dtype=np.float64))
        self.n_rows = n_rows

    def chunks(self, positions: Sequence[int], span: Span | None = None) -> Iterator[Chunk]:
        """The columns at these positions."""
        if self._spool is None:
            yield from self._parsed.chunks([self._positions[position] for position in positions], span)
            return
        for offset, n_rows in self._places:
            columns = [np.empty(n_rows) for _ in positions]
            for column, position in zip(columns, positions, strict=True):
                self._spool.read(column, offset + 8 * n_rows * position)
            yield columns

    def batches(self, positions: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """The first rows."""
        return self._parsed.batches([self._positions[position] for position in positions])

    def may_have_values(self, position: int) -> bool:
        """Whether a column has values."""
        return bool(self._has_values[position])

    def n_bytes(self, positions: Sequence[int]) -> int:
        """Of the numbers, or of the text where it is read each time."""
        if self._spool is None:
            return self._parsed.n_bytes(positions)
        return 8 * (self.n_rows or 0) * len(positions)


def spooled(
    sources: Sequence[FileSource], positions: Sequence[Sequence[int]], spool: bool, tell: Tell
) -> list[SpooledSource]:
    """Texts parsed: into one temporary file, or without it only looked through.

    Raises
    ------
    DataError
        If a cell cannot be read, or the disk is full.
    """
    if spool:
        size = sum(8.0 * s.expected_rows() * len(p) for s, p in zip(sources, positions, strict=True))
        files = sources[0].path if len(sources) == 1 else f"{len(sources)} text files"
        tell(
            f"{files} will be read once into a temporary file of about {told_size(size)} in "
            f"{tempfile.gettempdir()}, which is gone at the end (--no-spool reads text on every pass)"
        )
    kept = Temporary() if spool else None
    found = []
    for source, columns in zip(sources, positions, strict=True):
        source.content.check_unchanged()
        found.append(SpooledSource(source, columns, kept))
        source.content.check_unchanged()
    return found
