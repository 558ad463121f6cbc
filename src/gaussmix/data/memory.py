"""Rows in an array in memory. The array is read in tiles and never copied whole."""

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from gaussmix.data.blocked import BlockedRows
from gaussmix.data.blocks import AtOnce, Block, T, Task, block_rows
from gaussmix.data.checks import checked_matrix, checked_weights, refuse_unusable_columns
from gaussmix.kernels.contract import FloatArray


class MemoryRows(BlockedRows):
    """Rows (N, D) in memory with optional weights (N,).

    Parameters
    ----------
    matrix : array-like of shape (N, D)
        Numbers of any float or integer dtype; float32 is used as it is, a tile at a time.
    weights : array-like of shape (N,), optional
        Non-negative; 2 means that the row counts as two, 0 that it is absent.
    feature_names : sequence of str, optional
        D names; by default x1, x2, ...
    notes : tuple of str
        What was left out before.

    Raises
    ------
    DataError
        If there are no rows, or values that are missing, infinite or out of range.
    DataKindError
        If the values are not real numbers.
    """

    may_change = False

    def __init__(
        self,
        matrix: Any,
        weights: Any = None,
        feature_names: Sequence[str] | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._notes = notes
        self.matrix: NDArray[Any] = checked_matrix(matrix, feature_names)
        n_rows, n_features = self.matrix.shape
        names = feature_names or [f"x{j + 1}" for j in range(n_features)]
        self._feature_names = tuple(str(name) for name in names)
        self.weights: FloatArray | None = None if weights is None else checked_weights(weights, n_rows)
        refuse_unusable_columns(self.summary, self._feature_names)

    @classmethod
    def trusted(cls, matrix: FloatArray, weights: FloatArray, feature_names: Sequence[str]) -> "MemoryRows":
        """Rows of a table that has been checked, with weights, without another look at them."""
        rows = cls.__new__(cls)
        rows.matrix, rows.weights, rows._feature_names = matrix, weights, tuple(feature_names)
        rows._notes = ()
        return rows

    @property
    def feature_names(self) -> tuple[str, ...]:
        """D names."""
        return self._feature_names

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, renamed or guessed before."""
        return self._notes

    def blocks(self) -> Iterator[Block]:
        """All rows in order, in blocks of `block_rows`; ``added_up`` relies on that."""
        n_rows, n_features = self.matrix.shape
        size, passed = block_rows(n_features), 0.0
        for first in range(0, n_rows, size):
            weights = None if self.weights is None else self.weights[first : first + size]
            block = Block(self.matrix[first : first + size], weights, first, passed)
            yield block
            if n_rows > size:
                passed += block.row_weight

    def added_up(self, task: Task[T]) -> T:
        """What a task makes of all rows, in one go where it can do that."""
        n_rows, n_features = self.matrix.shape
        size = block_rows(n_features)
        if n_rows > size and isinstance(task, AtOnce):
            found: T | None = task.at_once(Block(self.matrix, self.weights, 0, 0.0), size)
            if found is not None:
                return found
        return super().added_up(task)

    @property
    def n_rows(self) -> int:
        """N, rows of weight zero too."""
        return len(self.matrix)
