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
from gaussmix.kernels.contract import FloatArray, Precision, ScatterKind
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics


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
        offset = self._moment(middle, _weighted_sum) / row_weight
        mean = middle + offset
        with np.errstate(over="ignore", under="ignore"):
            variances = self._moment(mean, _weighted_squares) / row_weight
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
        covariance = self._moment(self.summary.mean, _weighted_products) / self.summary.row_weight
        constant = self.summary.variances == 0.0
        covariance[constant, :] = 0.0
        covariance[:, constant] = 0.0
        symmetric: FloatArray = 0.5 * (covariance + covariance.T)
        return symmetric

    def expected_statistics(
        self, mixture: Mixture, precision: Precision = Precision.DOUBLE
    ) -> SufficientStatistics:
        """The E-step over all rows."""
        kind = mixture.family.scatter
        given = (self.matrix, self.weights, mixture.components, kind)
        quick = kernels.quick_sums(*given) if precision is Precision.SINGLE else None
        if quick is not None:
            return SufficientStatistics(quick, mixture.means, kind, Precision.SINGLE)
        return SufficientStatistics(kernels.expected_sums(*given), mixture.means, kind)

    def given_statistics(
        self, responsibilities: FloatArray, centres: FloatArray, kind: ScatterKind
    ) -> SufficientStatistics:
        """The same sums about given centres (K, D) with given responsibilities (N, K)."""
        n_rows, n_features = self.matrix.shape
        if responsibilities.shape != (n_rows, len(centres)):
            raise StartError(
                f"start responsibilities must have shape {(n_rows, len(centres))}; "
                f"got {responsibilities.shape}"
            )
        sums = kernels.zero_sums(len(centres), n_features, kind)
        size = kernels.tile_rows(n_features, len(centres))
        for first in range(0, n_rows, size):
            part = slice(first, first + size)
            tile = np.asarray(self.matrix[part], dtype=np.float64)
            weights = None if self.weights is None else self.weights[part]
            sums = kernels.add(
                sums, kernels.moment_sums(tile, weights, responsibilities[part], centres, kind)
            )
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

    def _moment(self, centre: FloatArray, moment: Any) -> FloatArray:
        total: Any = 0.0
        for tile, weights in self.tiles():
            centred = tile - centre
            total = total + moment(centred, centred if weights is None else centred * weights[:, None])
        result: FloatArray = total
        return result


def _weighted_sum(centred: FloatArray, weighted: FloatArray) -> FloatArray:  # noqa: ARG001
    total: FloatArray = weighted.sum(axis=0)
    return total


def _weighted_squares(centred: FloatArray, weighted: FloatArray) -> FloatArray:
    squares: FloatArray = np.einsum("nd,nd->d", centred, weighted)
    return squares


def _weighted_products(centred: FloatArray, weighted: FloatArray) -> FloatArray:
    product: FloatArray = weighted.T @ centred
    return product
