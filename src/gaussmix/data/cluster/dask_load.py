"""Partitions as workers load them: whatever a collection is made of, brought to floats."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from gaussmix.data.blocks import Block
from gaussmix.data.checks import checked_matrix, rounds
from gaussmix.errors import DataError, DataKindError
from gaussmix.kernels.contract import FloatArray


class RowsInBlocks(Protocol):
    """A partition, or a part of files, that can be pickled and that a worker can read."""

    def blocks(self) -> Iterator[Block]:
        """Its rows in order, again each time."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """A partition that has been loaded."""

    matrix: NDArray[Any]
    """(n, D) of floats."""
    weights: FloatArray | None
    """(n,)."""
    rounded: tuple[int, ...] = ()
    """Features whose integers no float is equal to."""

    def blocks(self) -> Iterator[Block]:
        """All in one."""
        yield Block(self.matrix, self.weights, 0, 0.0)


@dataclass(frozen=True)
class Load:
    """Makes floats of a partition of a collection."""

    place: str
    """For messages."""
    names: tuple[str, ...]
    """D."""
    columns: tuple[Any, ...] | None
    """What a frame calls its columns: those of numbers, then that of weights if there is one."""
    single: bool
    """Whether a frame's columns are all float32."""

    def __call__(self, data: Any, weights: Any = None) -> Pieces:
        """Of an array (n, D), or of a frame, with weights (n,) if they stand elsewhere.

        Raises
        ------
        DataError, DataKindError
            If it is not what the collection said it would be.
        """
        if self.columns is None:
            if issparse(data):
                raise DataKindError(f"{self.place} is sparse: use array.map_blocks(lambda x: x.toarray())")
            matrix = np.ma.filled(data.astype(np.float64), np.nan) if np.ma.isMaskedArray(data) else data
            matrix = np.asarray(matrix)
            rounded = tuple(j for j in range(matrix.shape[-1]) if matrix.ndim == 2 and rounds(matrix[:, j]))
        else:
            matrix, own, rounded = self._of_frame(data)
            weights = own if weights is None else weights
        if matrix.ndim != 2 or matrix.shape[1] != len(self.names):
            raise DataError(
                f"{self.place} has shape {matrix.shape}, but {len(self.names)} columns were expected"
            )
        floats = self._floats(matrix)
        # What came through a network may begin at any byte, and is copied once rather than in each tile.
        floats = floats if floats.flags.aligned else floats.copy()
        return Pieces(floats, self._weights(weights, len(matrix)), rounded)

    def _of_frame(self, frame: Any) -> tuple[NDArray[Any], Any, tuple[int, ...]]:
        assert self.columns is not None
        if list(frame.columns) != list(self.columns):
            raise DataError(
                f"{self.place} has the columns {list(map(str, frame.columns))}, but "
                f"{list(map(str, self.columns))} were expected: all partitions must have the same"
            )
        n_features = len(self.names)
        chosen = frame.iloc[:, :n_features]
        weights = frame.iloc[:, n_features] if len(self.columns) > n_features else None
        try:
            matrix = chosen.to_numpy(dtype=np.float32 if self.single else np.float64, na_value=np.nan)
        except (TypeError, ValueError, OverflowError):
            # Cell by cell, to find the one that is no number.
            matrix = chosen.to_numpy(dtype=object)
        # A column of floats beside them has made floats of all.
        rounded = tuple(j for j in range(n_features) if rounds(chosen.iloc[:, j]))
        return matrix, weights, rounded

    def _floats(self, matrix: NDArray[Any]) -> NDArray[Any]:
        kind, size = matrix.dtype.kind, matrix.dtype.itemsize
        if not len(matrix) or kind in "iub" or (kind == "f" and size not in (2, 4, 8)):
            return matrix.astype(np.float64)
        if kind == "f":
            return matrix.astype(np.float32) if size == 2 else matrix
        try:
            return checked_matrix(matrix, self.names)
        except DataError as error:
            raise type(error)(f"{self.place}: {error}") from error

    def _weights(self, weights: Any, n_rows: int) -> FloatArray | None:
        if weights is None:
            return None
        if np.ma.isMaskedArray(weights):
            weights = np.ma.filled(weights.astype(np.float64), np.nan)
        try:
            array = (
                weights.to_numpy(dtype=np.float64, na_value=np.nan)
                if hasattr(weights, "to_numpy")
                else np.asarray(weights)
            )
        except (TypeError, ValueError) as error:
            raise DataKindError(f"{self.place}: weights must be numbers: {error}") from error
        if array.dtype.kind not in "fiub":
            raise DataKindError(f"{self.place}: weights must be numbers; got dtype {array.dtype}")
        if array.shape != (n_rows,):
            raise DataError(
                f"{self.place} has {n_rows} rows but weights of shape {array.shape}: one weight a row"
            )
        return array.astype(np.float64)
