"""Rows that many inputs are made of."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inputs.kinds import Table


def normal(n_rows: int = 100, n_features: int = 2, seed: int = 0) -> NDArray[np.float64]:
    """One cloud."""
    return np.random.default_rng(seed).normal(size=(n_rows, n_features))


def two_groups(n_rows: int = 200, n_features: int = 2, seed: int = 0) -> NDArray[np.float64]:
    """Two clouds, six standard deviations apart along each feature."""
    rows = normal(n_rows, n_features, seed)
    rows[n_rows // 2 :] += 6.0
    return rows


def table(make: Callable[[], object], **more: object) -> Callable[[], Table]:
    """A table that is made when it is asked for."""
    return lambda: Table(make(), **more)


def halves(make: Callable[[], NDArray[np.float64]], **more: object) -> Callable[[], Table]:
    """A table of two groups, the first half and the second."""

    def made() -> Table:
        matrix = make()
        return Table(matrix, groups=np.arange(len(matrix)) >= len(matrix) // 2, **more)

    return made
