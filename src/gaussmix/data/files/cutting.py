"""Chunks of columns, of any size, checked and cut again into blocks of the size that the shape says."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gaussmix.data import blocks
from gaussmix.data.blocks import Block
from gaussmix.data.checks import EXACT_INTEGERS, HEAVIEST
from gaussmix.data.files.columns import shortened
from gaussmix.data.files.sources import Chunk
from gaussmix.errors import DataError
from gaussmix.kernels.contract import FloatArray


@dataclass(frozen=True)
class Layout:
    """What blocks are made of."""

    names: tuple[str, ...]
    """D features."""
    single: bool
    """Whether every feature is in single precision."""
    weights: str | None
    """The column of row weights, which comes after the features."""
    drop_missing: bool
    whole: tuple[int, ...] = ()
    """Features that are integers of 64 bits."""


class Piece(Protocol):
    """A part of the rows."""

    @property
    def first_row(self) -> int:
        """Rows of its file before it."""

    @property
    def path(self) -> str:
        """Of its file."""

    def chunks(self) -> Iterator[Chunk]:
        """Its columns: the features, then the weights."""


class Cutting:
    """One pass: rows are checked, counted and cut.

    Parameters
    ----------
    layout : Layout
    known_finite : bool
        Whether an earlier pass has found that every value is finite.
    """

    def __init__(self, layout: Layout, known_finite: bool = False) -> None:
        self.layout, self._known_finite = layout, known_finite and not layout.drop_missing
        self.n_rows, self.passed = 0, 0.0
        self.seen = 0
        """Rows read, also those left out."""
        self.rounded: set[int] = set()
        """Features whose integers are too large for a 64-bit float."""
        self._size = blocks.block_rows(len(layout.names))
        self._filled = 0
        self._fresh()

    def blocks(self, pieces: Iterable[Piece]) -> Generator[Block, None, None]:
        """All rows in order."""
        for piece in pieces:
            row = piece.first_row
            for chunk in piece.chunks():
                n_rows = len(chunk[0])
                columns, numbers = self._checked(piece.path, row, chunk)
                row += n_rows
                self.seen += n_rows
                yield from self._poured(columns, numbers)
        if self._filled:
            yield self._block()

    def _fresh(self) -> None:
        # Never filled again: who was given a block may keep it.
        layout, size = self.layout, self._size
        # Column by column, as the columns come.
        self._matrix: NDArray[Any] = np.empty(
            (len(layout.names), size), dtype=np.float32 if layout.single else np.float64
        )
        self._weights: FloatArray | None = None if layout.weights is None else np.empty(size)
        self._numbers = np.empty(size, dtype=np.int64) if layout.drop_missing else None

    def _poured(self, columns: Chunk, numbers: NDArray[np.int64] | None) -> Iterator[Block]:
        start, stop = 0, len(columns[0])
        while start < stop:
            taken = min(self._size - self._filled, stop - start)
            here, there = slice(self._filled, self._filled + taken), slice(start, start + taken)
            for j in range(len(self._matrix)):
                self._matrix[j, here] = columns[j][there]
            if self._weights is not None:
                self._weights[here] = columns[-1][there]
            if self._numbers is not None and numbers is not None:
                self._numbers[here] = numbers[there]
            start += taken
            self._filled += taken
            if self._filled == self._size:
                yield self._block()
                self._fresh()

    def _block(self) -> Block:
        n_rows, self._filled = self._filled, 0
        block = Block(
            self._matrix[:, :n_rows].T,
            None if self._weights is None else self._weights[:n_rows],
            self.n_rows,
            self.passed,
            None if self._numbers is None else self._numbers[:n_rows],
        )
        self.n_rows += n_rows
        self.passed += block.row_weight
        return block

    def _checked(self, path: str, row: int, columns: Chunk) -> tuple[Chunk, NDArray[np.int64] | None]:
        """Columns without the rows that are to be left out, and the numbers of the others."""
        layout, n_rows = self.layout, len(columns[0])
        numbers = np.arange(self.seen + 1, self.seen + n_rows + 1) if layout.drop_missing else None
        looked_at = () if self._known_finite else enumerate(columns)
        doubtful = [j for j, column in looked_at if not _surely_finite(column)]
        if doubtful:
            wrong = np.array([~np.isfinite(columns[j]) for j in doubtful])
            if wrong.any():
                kept = np.ones(n_rows, dtype=bool)
                if layout.drop_missing:
                    kept = ~np.any([np.isnan(columns[j]) for j in doubtful], axis=0)
                self._refuse_first(path, row, columns, doubtful, wrong & kept)
                columns = [column[kept] for column in columns]
                numbers = None if numbers is None else numbers[kept]
        if layout.weights is not None:
            self._refuse_weights(path, row, columns[-1], numbers)
        for j in layout.whole:
            if j not in self.rounded and len(columns[j]) and _large(columns[j]):
                self.rounded.add(j)
        return columns, numbers

    def _refuse_first(
        self, path: str, row: int, columns: Chunk, doubtful: list[int], wrong: NDArray[np.bool_]
    ) -> None:
        if not wrong.any():
            return
        i = int(np.argmax(wrong.any(axis=0)))
        j = doubtful[int(np.argmax(wrong[:, i]))]
        names = (*self.layout.names, self.layout.weights or "")
        where = f"{path}: row {row + i + 1}, column {shortened(names[j])!r}"
        value = columns[j][i]
        if np.isinf(value):
            raise DataError(f"{where} is {value}, beyond what a 64-bit float can hold or written as infinity")
        raise DataError(
            f"{where} is missing. Use --drop-missing to leave such rows out, or fill them in first"
        )

    def _refuse_weights(
        self, path: str, row: int, weights: NDArray[Any], numbers: NDArray[np.int64] | None
    ) -> None:
        if not len(weights) or (weights.min() >= 0 and weights.max() <= HEAVIEST):
            return
        i = int(np.argmax((weights < 0) | (weights > HEAVIEST)))
        at = row + i + 1 if numbers is None else row + int(numbers[i]) - self.seen
        where = (
            f"{path}: row {at}, column {shortened(str(self.layout.weights))!r}: its weight is {weights[i]:g}"
        )
        if weights[i] < 0:
            raise DataError(
                f"{where}, and weights must not be negative. Use 0 for a row that should not count"
            )
        raise DataError(
            f"{where}, and sums of such weights are out of range: divide the column by a constant"
        )


def _surely_finite(column: NDArray[Any]) -> bool:
    """Whether a column (n,) holds neither NaN nor infinity; False where a closer look is needed."""
    if column.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        # Quicker than to ask each number; a sum that overflows only costs the closer look.
        return bool(np.isfinite(np.add.reduce(column)))


def _large(column: NDArray[Any]) -> bool:
    if column.dtype.kind in "iu":
        return max(-int(column.min()), int(column.max())) > EXACT_INTEGERS
    # As a float, 2^53 may have been the integer after it.
    return max(-float(column.min()), float(column.max())) >= EXACT_INTEGERS
