"""The protocol between EM and the place where rows live."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gaussmix.data.blocks import T, Task
from gaussmix.kernels.contract import FloatArray, Precision, ScatterKind
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics


@dataclass(frozen=True, eq=False)
class RowsSummary:
    """What one look at all rows tells, before any mixture is known."""

    n_rows: int
    """Rows of positive weight."""
    row_weight: float
    """Their total weight; the number of rows where none is weighted."""
    mean: FloatArray
    """(D,)."""
    low: FloatArray
    """(D,), smallest values."""
    high: FloatArray
    """(D,), largest values."""
    variances: FloatArray
    """(D,), divided by the row weight."""
    lightest: float = 1.0
    """The smallest positive weight."""
    heaviest: float = 1.0
    """The largest weight."""

    @property
    def magnitudes(self) -> FloatArray:
        """Largest absolute value of each column: (D,)."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


class Rows(Protocol):
    """N rows with D features, and perhaps weights, wherever they are."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """D names."""

    @property
    def summary(self) -> RowsSummary:
        """Counts, means, ranges and variances."""

    def covariance(self) -> FloatArray:
        """The covariance of all rows: (D, D)."""

    def expected_statistics(
        self, mixture: Mixture, precision: Precision = Precision.DOUBLE
    ) -> SufficientStatistics:
        """The E-step: sums over all rows, each weighted by its responsibilities under ``mixture``.

        ``SINGLE`` is leave to be quick, not an order; what was done stands in the result.
        """

    def given_statistics(
        self, responsibilities: FloatArray, centres: FloatArray, kind: ScatterKind
    ) -> SufficientStatistics:
        """The same sums about given centres (K, D) with given responsibilities (N, K)."""

    def added_up(self, task: Task[T]) -> T:
        """What a task makes of all rows: done on each block, wherever it is, and added up as a fixed tree."""

    def tiles(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """All rows of positive weight in order, in blocks (n, D) with their weights (n,)."""

    def sample(self, size: int, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """All rows with their weights if there are at most ``size``, else that many drawn by weight."""
