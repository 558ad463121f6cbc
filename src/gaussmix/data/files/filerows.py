"""Rows in files, read in blocks as often as they are asked for, and never all in memory."""

import hashlib
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from gaussmix.computed import cached_property
from gaussmix.data.blocked import BlockedRows
from gaussmix.data.blocks import Block, T, Task, added_up
from gaussmix.data.checks import LIGHTEST, refuse_unusable_columns
from gaussmix.data.files.columns import rounded_integers, rows_left_out
from gaussmix.data.files.cutting import Cutting, Layout
from gaussmix.data.files.filebytes import naming
from gaussmix.data.files.readahead import read_ahead
from gaussmix.data.files.sources import Chunk, FileSource, Span
from gaussmix.data.rows import RowsSummary
from gaussmix.errors import DataError


@dataclass(frozen=True, eq=False)
class FilePart:
    """Some of the rows of a file. It can be pickled, so that another process may read them."""

    source: FileSource
    positions: tuple[int, ...]
    """Of the features in the file, then of the weights."""
    layout: Layout
    span: Span | None
    """Row groups or rows; None for the whole file."""
    first_row: int
    """Rows of the file before them."""
    n_rows: int | None
    """None where only reading tells; where rows may be left out, how many there are before."""
    notes: tuple[str, ...] = ()
    """What was left out, renamed or guessed in all files together."""

    @property
    def path(self) -> str:
        """Of the file."""
        return self.source.path

    @property
    def feature_names(self) -> tuple[str, ...]:
        """D names."""
        return self.layout.names

    def chunks(self) -> Iterator[Chunk]:
        """Its columns, a chunk at a time.

        Raises
        ------
        DataError
            If the file cannot be read, or is not what it was when it was opened.
        """
        content = self.source.content
        content.check_unchanged()
        with naming(self.path, content):
            yield from self.source.chunks(self.positions, self.span)
        content.check_unchanged()

    def blocks(self) -> Generator[Block, None, None]:
        """Its rows in order, cut as `block_rows` says; there may be none."""
        return self.read().blocks()

    def read(self) -> "PartReading":
        """Its rows, with what is found in them."""
        return PartReading(self)


class PartReading:
    """One pass over a part."""

    def __init__(self, part: FilePart) -> None:
        self._part, self._cutting = part, Cutting(part.layout)

    @property
    def seen(self) -> int:
        """Rows so far, also those left out."""
        return self._cutting.seen

    @property
    def rounded(self) -> tuple[int, ...]:
        """Features whose integers no float is equal to, so far."""
        return tuple(sorted(self._cutting.rounded))

    def blocks(self) -> Generator[Block, None, None]:
        """The rows in order."""
        return read_ahead(self._cutting.blocks([self._part]))


@dataclass
class Reading:
    """What reading has cost so far."""

    passes: int = 0
    """Passes over all rows."""
    rows: int = 0
    """Rows read, in all passes together, also those that were left out."""
    bytes_read: int = 0
    """Bytes of files, as they are on disk."""
    seconds: float = 0.0
    """From the beginning to the end of each pass, with what was computed meanwhile."""
    waited: float = 0.0
    """Seconds of these in which nothing could be computed because rows were awaited."""

    @property
    def rows_per_second(self) -> float:
        """Of all passes."""
        return self.rows / self.seconds if self.seconds > 0.0 else 0.0


class FileRows(BlockedRows):
    """Rows (N, D) in files, in order, perhaps with weights (N,); see `opening.open_rows`.

    Parameters
    ----------
    parts : sequence of FilePart
        Whole files.
    notes : tuple of str
        What was left out, renamed or guessed.
    """

    def __init__(self, parts: Sequence[FilePart], notes: tuple[str, ...] = ()) -> None:
        self._parts, self._notes = list(parts), notes
        self._layout = parts[0].layout
        counted = [part.n_rows for part in parts]
        self._counted = None if None in counted else sum(n for n in counted if n is not None)
        self._whole_pass: Cutting | None = None
        self.reading = Reading()

    @property
    def parts(self) -> Sequence[FilePart]:
        """The files, in order."""
        return tuple(self._parts)

    @property
    def layout(self) -> Layout:
        """What blocks are made of."""
        return self._layout

    @property
    def feature_names(self) -> tuple[str, ...]:
        """D names."""
        return self._layout.names

    @property
    def n_rows(self) -> int | None:
        """Rows, those of weight zero too; None where only the first pass will tell."""
        if self._whole_pass is not None:
            return self._whole_pass.n_rows
        return None if self._layout.drop_missing else self._counted

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, renamed or guessed; the first pass may add to it."""
        found = self._whole_pass
        if found is None:
            return self._notes
        notes = [rounded_integers(self.feature_names[j]) for j in sorted(found.rounded)]
        if found.seen > found.n_rows:
            notes.append(rows_left_out(found.seen - found.n_rows, found.seen))
        return (*self._notes, *notes)

    @cached_property
    def fingerprint(self) -> str:
        """What tells these rows from others: SHA-256 of files (names, sizes, times, ends) and columns."""
        layout = self._layout
        asked = repr((layout.names, layout.weights, layout.drop_missing))
        return hashlib.sha256(
            b"".join([asked.encode(), *(part.source.content.digest() for part in self._parts)])
        ).hexdigest()

    def blocks(self) -> Generator[Block, None, None]:
        """All rows in order, in blocks of `block_rows`, read ahead on another thread.

        Raises
        ------
        DataError
            If a value cannot be used (file, row and column are named), if a file is not what it was, or if
            there are no rows, or none of positive weight.
        """
        known = self._whole_pass is not None
        cutting, begun = Cutting(self._layout, known_finite=known), time.perf_counter()
        waited = 0.0
        try:
            with closing(read_ahead(cutting.blocks(self._parts))) as made:
                while True:
                    asked = time.perf_counter()
                    block = next(made, None)
                    waited += time.perf_counter() - asked
                    if block is None:
                        break
                    yield block
                    # Not to be held while the next one is awaited.
                    del block
            self._refuse_nothing(cutting)
            self._whole_pass = cutting
            self.reading.passes += 1
        finally:
            self._count(cutting, time.perf_counter() - begun, waited)

    def added_up(self, task: Task[T]) -> T:
        """What a task makes of all rows: done on each block and added up as a fixed tree."""
        with closing(self.blocks()) as found:
            return added_up(map(task, found))

    @property
    def summary(self) -> RowsSummary:
        """Counts, means, ranges and variances.

        Raises
        ------
        DataError
            As `blocks`, or if squares of a column, or sums of the weights, leave the floats' range.
        """
        return self._usable

    @cached_property
    def _usable(self) -> RowsSummary:
        summary = super().summary
        refuse_unusable_columns(summary, self.feature_names)
        self.refuse_light(summary.heaviest)
        return summary

    def refuse_light(self, heaviest: float) -> None:
        """Refuse weights of which the largest is too small.

        Raises
        ------
        DataError
        """
        if heaviest < LIGHTEST:
            raise DataError(
                f"column {self._layout.weights!r}: the largest weight is {heaviest:g}, and sums of such "
                "weights lose digits: multiply the column by a constant"
            )

    def _refuse_nothing(self, cutting: Cutting) -> None:
        where = self._parts[0].path if len(self._parts) == 1 else f"{len(self._parts)} files"
        if cutting.seen == 0:
            raise DataError(f"{where}: there are no rows of data")
        if cutting.n_rows == 0:
            raise DataError(f"{where}: every row has a missing value")
        if self._layout.weights is not None and cutting.passed == 0.0:
            raise DataError(
                f"{where}: column {self._layout.weights!r} gives every row weight zero: nothing to fit"
            )

    def _count(self, cutting: Cutting, seconds: float, waited: float) -> None:
        reading, left = self.reading, cutting.seen
        reading.rows += cutting.seen
        reading.seconds += seconds
        reading.waited += waited
        for part in self._parts:
            n_bytes, n_rows = part.source.n_bytes(part.positions), part.n_rows
            if n_rows is None or n_rows <= left:
                reading.bytes_read += n_bytes if left else 0
                left -= n_rows or 0
                continue
            reading.bytes_read += round(n_bytes * left / n_rows)
            left = 0
