"""Sufficient statistics: all that the M-step ever learns of the rows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gaussmix import kernels
from gaussmix.computed import cached_property
from gaussmix.kernels.contract import FloatArray, Precision, ScatterKind, Sums


@dataclass(frozen=True, eq=False)
class SufficientStatistics:
    """Sums over rows, centred on the current means; those of two shards merge with ``+``.

    Parameters
    ----------
    sums : Sums
        N_k, s_k, S_k and the log-likelihood (kernels/contract.py gives the formulas).
    centres : (K, D) array
        The means that the sums are centred on.
    kind : ScatterKind
        How much of the second moments ``sums.scatter`` holds.
    precision : Precision
        What they were computed in.
    """

    sums: Sums
    centres: FloatArray
    kind: ScatterKind
    precision: Precision = Precision.DOUBLE

    def __add__(self, other: "SufficientStatistics") -> "SufficientStatistics":
        """Statistics of the rows of both.

        Raises
        ------
        ValueError
            If the two are centred on different means or hold different moments.
        """
        if self.kind is not other.kind or not np.array_equal(self.centres, other.centres):
            raise ValueError("statistics add up only when taken with the same mixture")
        merged = kernels.add(self.sums, other.sums)
        rough = Precision.SINGLE in (self.precision, other.precision)
        precision = Precision.SINGLE if rough else Precision.DOUBLE
        return SufficientStatistics(merged, self.centres, self.kind, precision)

    @property
    def log_likelihood(self) -> float:
        """Total log-likelihood of the mixture the statistics were taken with."""
        return self.sums.log_likelihood

    @property
    def row_weight(self) -> float:
        """Total weight of the rows."""
        return self.sums.row_weight

    @property
    def counts(self) -> FloatArray:
        """N_k, the row weight of each component: (K,)."""
        return self.sums.counts

    @cached_property
    def mean_offsets(self) -> FloatArray:
        """d_k = s_k / N_k, from the current mean to the new one; 0 for a component without rows: (K, D)."""
        counts = np.where(self.counts > 0.0, self.counts, 1.0)
        offsets: FloatArray = self.sums.offsets / counts[:, None]
        return offsets

    def recentred_scatter(self) -> FloatArray:
        """N_k times the covariance about the new means: S_k - N_k d_k d_k^T, of the same kind."""
        return self.sums.scatter - _OUTER[self.kind](self.counts, self.mean_offsets)

    def scatter_about(self, offsets: FloatArray) -> FloatArray:
        """N_k times the covariance about other means, at offsets (K, D) from the current ones."""
        beside = _OUTER[self.kind](self.counts, self.mean_offsets - offsets)
        return self.recentred_scatter() + beside

    def with_rows_at(self, place: FloatArray, count: float) -> "SufficientStatistics":
        """The same with ``count`` more rows for each component, all at one place (D,)."""
        away = place - self.centres
        more = np.full(len(self.counts), count)
        sums = self.sums._replace(
            counts=self.counts + count,
            offsets=self.sums.offsets + count * away,
            scatter=self.sums.scatter + _OUTER[self.kind](more, away),
        )
        return SufficientStatistics(sums, self.centres, self.kind, self.precision)


_OUTER: dict[ScatterKind, Callable[[FloatArray, FloatArray], FloatArray]] = {
    ScatterKind.FULL: lambda counts, d: (counts[:, None] * d)[:, :, None] * d[:, None, :],
    ScatterKind.POOLED: lambda counts, d: (counts[:, None] * d).T @ d,
    ScatterKind.DIAGONAL: lambda counts, d: counts[:, None] * d**2,
    ScatterKind.TRACE: lambda counts, d: counts * (d**2).sum(axis=1),
}
