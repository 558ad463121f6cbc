"""Rows in an array in memory. The array is read in tiles and never copied whole."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix import kernels
from gaussmix.data.checks import checked_matrix, checked_weights, refuse_unusable_columns
from gaussmix.data.rows import RowsSummary
from gaussmix.errors import StartError
from gaussmix.kernels.contract import FloatArray, Precision, ScatterKind, Sums
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

# Single precision is for columns whose ranges stay below this (and standard deviations above its
# reciprocal), whose rows all lie within so many standard deviations of every component, and whose
# weights are between this and its reciprocal: squares and sums are then far from overflow.
LARGE_FLOAT, FAR_IN_FLOATS, ALIKE = 1e12, 1e3, 1e3


class MemoryRows:
    """Rows (N, D) in memory with optional weights (N,).

    Parameters
    ----------
    matrix : array-like of shape (N, D)
        Numbers of any float or integer dtype; float32 is used as it is, a tile at a time.
    weights : array-like of shape (N,), optional
        Non-negative; 2 means that the row counts as two, 0 that it is absent.
    feature_names : sequence of str, optional
        D names; by default x1, x2, ...

    Raises
    ------
    DataError
        If there are no rows, or values that are missing, infinite or out of range.
    DataKindError
        If the values are not real numbers.
    """

    def __init__(
        self,
        matrix: Any,
        weights: Any = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
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
        return rows

    @property
    def feature_names(self) -> tuple[str, ...]:
        """D names."""
        return self._feature_names

    @cached_property
    def summary(self) -> RowsSummary:
        """Counts, means, ranges and variances, in two passes so that nothing cancels."""
        n_features = self.matrix.shape[1]
        low, high = np.full(n_features, np.inf), np.full(n_features, -np.inf)
        n_rows, row_weight = 0, 0.0
        for tile, weights in self.tiles():
            n_rows += tile.shape[0]
            row_weight += float(tile.shape[0] if weights is None else weights.sum())
            low, high = np.minimum(low, tile.min(axis=0)), np.maximum(high, tile.max(axis=0))
        middle = 0.5 * low + 0.5 * high
        mean = middle + self._moments(middle, ScatterKind.DIAGONAL).offsets[0] / row_weight
        variances = self._moments(mean, ScatterKind.DIAGONAL).scatter[0] / row_weight
        # A column of one value has no variance at all, whatever rounding made of its mean.
        constant = low == high
        return RowsSummary(
            n_rows,
            row_weight,
            np.where(constant, low, mean),
            low,
            high,
            np.where(constant, 0.0, variances),
        )

    def covariance(self) -> FloatArray:
        """The covariance of all rows: (D, D), divided by the row weight."""
        return self._covariance

    @cached_property
    def _covariance(self) -> FloatArray:
        products = self._moments(self.summary.mean, ScatterKind.FULL).scatter[0]
        covariance: FloatArray = products / self.summary.row_weight
        constant = self.summary.variances == 0.0
        covariance[constant, :] = 0.0
        covariance[:, constant] = 0.0
        return covariance

    def expected_statistics(
        self, mixture: Mixture, precision: Precision = Precision.DOUBLE
    ) -> SufficientStatistics:
        """The E-step over all rows."""
        kind = mixture.family.scatter
        given = (self.matrix, self.weights, mixture.components, kind)
        in_floats = precision is Precision.SINGLE and self._in_range_of_floats(mixture)
        quick = kernels.quick_sums(*given) if in_floats else None
        if quick is not None:
            return SufficientStatistics(quick, mixture.means, kind, Precision.SINGLE)
        return SufficientStatistics(kernels.expected_sums(*given), mixture.means, kind)

    def _in_range_of_floats(self, mixture: Mixture) -> bool:
        """Whether squares of what separates rows from means, and weights, are well inside float32's range."""
        ranges = self.summary.high - self.summary.low
        family, shape = mixture.family, mixture.means.shape
        variances = family.variances(mixture.covariances, *shape)
        with np.errstate(over="ignore", under="ignore"):
            farthest = (ranges**2 / variances).sum(axis=1).max()
        usual = ranges.max() < LARGE_FLOAT and variances.min() > LARGE_FLOAT**-2.0
        return bool(usual and farthest < FAR_IN_FLOATS**2 and self._weights_are_alike)

    @cached_property
    def _weights_are_alike(self) -> bool:
        if self.weights is None:
            return True
        positive = self.weights[self.weights > 0.0]
        return bool(positive.min() >= 1.0 / ALIKE and positive.max() <= ALIKE)

    def given_statistics(
        self, responsibilities: FloatArray, centres: FloatArray, kind: ScatterKind
    ) -> SufficientStatistics:
        """The same sums about given centres (K, D) with given responsibilities (N, K)."""
        n_rows = self.matrix.shape[0]
        if responsibilities.shape != (n_rows, len(centres)):
            raise StartError(
                f"start responsibilities must have shape {(n_rows, len(centres))}; "
                f"got {responsibilities.shape}"
            )
        sums = kernels.given_sums(self.matrix, self.weights, responsibilities, centres, kind)
        return SufficientStatistics(sums, centres, kind)

    def tiles(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """All rows of positive weight in order, in blocks (n, D) with their weights (n,)."""
        yield from kernels.tiles(self.matrix, self.weights, kernels.tile_rows(self.matrix.shape[1], 8))

    def sample(self, size: int, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """All rows with their weights if there are at most ``size``, else that many drawn by weight."""
        if self.summary.n_rows <= size:
            tiles = [(t, np.ones(len(t)) if w is None else w) for t, w in self.tiles()]
            return np.concatenate([t for t, _ in tiles]), np.concatenate([w for _, w in tiles])
        drawn = np.empty((size, self.matrix.shape[1]))
        # Sorted thresholds on the cumulated weight: one pass in order, each row drawn by its weight.
        thresholds = np.sort(generator.random(size)) * self.summary.row_weight
        done, passed = 0, 0.0
        for tile, weights in self.tiles():
            reached = passed + np.cumsum(np.ones(len(tile)) if weights is None else weights)
            until = int(np.searchsorted(thresholds, reached[-1], side="right"))
            inside = np.searchsorted(reached, thresholds[done:until], side="left")
            drawn[done:until] = tile[np.minimum(inside, len(tile) - 1)]
            done, passed = until, float(reached[-1])
        drawn[done:] = tile[-1]
        return drawn, np.ones(size)

    def _moments(self, centre: FloatArray, kind: ScatterKind) -> Sums:
        """Weighted sums of x - centre, and of its squares or products, over all rows."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return kernels.given_sums(self.matrix, self.weights, None, centre[None], kind)
