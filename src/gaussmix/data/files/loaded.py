"""Rows of files, in memory."""

from collections.abc import Iterable
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.files.filerows import FileRows
from gaussmix.data.memory import MemoryRows


class TooLargeError(Exception):
    """Rows do not fit into the memory that they may take."""


class LoadedRows(MemoryRows):
    """Rows of files in memory, with what was found when they were read, in one pass.

    Parameters
    ----------
    rows : FileRows
    limit : int, optional
        Bytes that they may take: text tells only when it is read.

    Raises
    ------
    TooLargeError
        If they are more.
    """

    def __init__(self, rows: FileRows, limit: int | None = None) -> None:
        matrix, weights, numbers = read_whole(rows, limit)
        if weights is not None:
            # As when they are read in blocks, where no other unit can be chosen.
            rows.refuse_light(float(weights.max()))
        super().__init__(matrix, weights, rows.feature_names, rows.notes)
        self.fingerprint = rows.fingerprint
        self.reading = rows.reading
        self.row_numbers = numbers
        """(N,), numbers of the rows in the files, from 1 on over all of them; None if none was left out."""


def read_whole(
    rows: FileRows, limit: int | None = None
) -> tuple[NDArray[Any], NDArray[np.float64] | None, NDArray[np.int64] | None]:
    """All rows (N, D), their weights (N,) and, where some were left out, their numbers in the files (N,)."""
    matrices, weights, numbers = _Pile(rows.n_rows), _Pile(rows.n_rows), _Pile(rows.n_rows)
    with closing(rows.blocks()) as blocks:
        for block in blocks:
            matrices.add(block.matrix)
            weights.add(block.weights)
            numbers.add(block.numbers)
            # As many bytes as were expected: 8 for each number.
            if limit is not None and 8 * (matrices.size + weights.size) > limit and rows.n_rows is None:
                raise TooLargeError
    matrix, found = matrices.whole(), numbers.whole()
    assert matrix is not None
    if found is not None and found[-1] == len(found):
        found = None
    return matrix, weights.whole(), found


class _Pile:
    """Arrays one after the other: at once in their place where it is known how many rows there will be."""

    def __init__(self, n_rows: int | None) -> None:
        self._n_rows, self._filled = n_rows, 0
        self._all: NDArray[Any] | None = None
        self._parts: list[NDArray[Any]] = []
        self.size = 0
        """Numbers in it."""

    def add(self, part: NDArray[Any] | None) -> None:
        if part is None:
            return
        self.size += part.size
        if self._n_rows is None:
            self._parts.append(part)
            return
        if self._all is None:
            self._all = np.empty((self._n_rows, *part.shape[1:]), dtype=part.dtype)
        self._all[self._filled : self._filled + len(part)] = part
        self._filled += len(part)

    def whole(self) -> NDArray[Any] | None:
        parts: Iterable[NDArray[Any]] = self._parts
        if self._parts:
            return np.concatenate(list(parts))
        return None if self._all is None else self._all[: self._filled]
