"""What passes between a kernel and the floors above it: plain arrays with a shape beside each.

A kernel knows two questions only: in which form the precision factors come, and in which
form the scatter is wanted. Every covariance model is some pair of the two.
"""

from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class FactorForm(Enum):
    """How the K precision factors are stored; P_k P_k^T is the inverse covariance of component k."""

    FULL = "full"
    """(K, D, D), upper triangular, one for each component."""
    SHARED = "shared"
    """(D, D), upper triangular, the same for all components."""
    DIAGONAL = "diagonal"
    """(K, D), reciprocal standard deviations."""
    ISOTROPIC = "isotropic"
    """(K,), one reciprocal standard deviation for each component."""


class ScatterKind(Enum):
    """How much of the second moment about the current means an M-step needs."""

    FULL = "full"
    """(K, D, D): sum_i r_ik (x_i - mu_k)(x_i - mu_k)^T."""
    POOLED = "pooled"
    """(D, D): the full scatter, summed over components."""
    DIAGONAL = "diagonal"
    """(K, D): the diagonal of the full scatter."""
    TRACE = "trace"
    """(K,): the trace of the full scatter."""

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Shape of a scatter of this kind."""
        if self is ScatterKind.FULL:
            return (n_components, n_features, n_features)
        if self is ScatterKind.POOLED:
            return (n_features, n_features)
        return (n_components, n_features) if self is ScatterKind.DIAGONAL else (n_components,)

    def reduced(self, matrices: FloatArray) -> FloatArray:
        """Full scatters (K, D, D) as this kind."""
        if self is ScatterKind.FULL:
            return matrices
        if self is ScatterKind.POOLED:
            pooled: FloatArray = matrices.sum(axis=0)
            return pooled
        diagonals: FloatArray = np.einsum("kii->ki", matrices)
        return diagonals if self is ScatterKind.DIAGONAL else np.asarray(diagonals.sum(axis=1))


class Precision(Enum):
    """What the sums over a tile of rows are computed in; tiles are always added up in doubles."""

    DOUBLE = "double"
    SINGLE = "single"
    """Floats about the middle of the means, where the rows are floats and there are enough of them."""


class Components(NamedTuple):
    """A mixture as a kernel sees it."""

    log_weights: FloatArray
    """(K,), minus infinity for an emptied component."""
    means: FloatArray
    """(K, D)."""
    factors: FloatArray
    """Precision factors, shaped as ``form`` says."""
    log_determinants: FloatArray
    """(K,), log |P_k| = -1/2 log |Sigma_k|."""
    form: FactorForm
    log_background: float = -np.inf
    """Log of the density w_0 / V that noise adds at every row; minus infinity for none."""


class Sums(NamedTuple):
    """What one pass over rows adds up; ``r_ik`` is the responsibility times the row's weight.

    Every field is a sum over rows, so that two shards' sums merge by adding field by field. What a
    background takes of the rows is not in ``counts``: it is ``row_weight - counts.sum()``.
    """

    log_likelihood: float
    """sum_i w_i log p(x_i), the background's density included."""
    row_weight: float
    """sum_i w_i."""
    counts: FloatArray
    """(K,), N_k = sum_i r_ik."""
    squared_counts: FloatArray
    """(K,), sum_i w_i (r_ik / w_i)^2: N_k^2 over this is the effective number of rows of component k."""
    offsets: FloatArray
    """(K, D), s_k = sum_i r_ik (x_i - mu_k)."""
    scatter: FloatArray
    """S_k = sum_i r_ik (x_i - mu_k)(x_i - mu_k)^T, reduced as its ``ScatterKind`` says."""


class MStepRule(NamedTuple):
    """How covariances of components that are free of one another are made of their sums.

    (S_k + ``pseudo_scatter``) / (N_k + ``pseudo_rows``) + ``added``; the objective is the log-likelihood
    less a sum_k [tr(A Sigma_k^-1) + log |Sigma_k|].
    """

    form: FactorForm
    """Of the covariances, and so of ``pseudo_scatter`` and ``added``; not ``SHARED``."""
    pseudo_rows: float
    pseudo_scatter: FloatArray
    """Of one component: (D, D), (D,) or, isotropic, a trace of shape ()."""
    added: FloatArray
    """(D, D), (D,) or ()."""
    strength: float
    """a."""
    anchor: FloatArray
    """(D, D), A."""
    resolution: FloatArray
    """(D,), conditional standard deviations at which a component has collapsed."""
    flat: float
    """Share of a variance below which a variance given the features before it is rounding."""
    enough: float
    """A mixture that gains no more than this in a step, in nats, takes no more steps."""


class Climbed(NamedTuple):
    """M mixtures of K components after some EM steps."""

    weights: FloatArray
    """(M, K)."""
    means: FloatArray
    """(M, K, D)."""
    covariances: FloatArray
    """(M, K, D, D), (M, K, D) or (M, K)."""
    objectives: FloatArray
    """(M,), minus infinity for a mixture with a component that has collapsed."""
    counts: FloatArray
    """(M, K), N_k."""
    squared_counts: FloatArray
    """(M, K), as in ``Sums``."""


class Scores(NamedTuple):
    """What a mixture says of each of n rows."""

    labels: NDArray[np.int32]
    """(n,), the likeliest component, the first of equals, counted from 0; -1: the background is likelier."""
    shares: FloatArray
    """(n, K), responsibilities; what they lack to 1 is the background's."""
    log_densities: FloatArray
    """(n,), the background included."""
    distances: FloatArray
    """(n, K), squared Mahalanobis distances."""


class Looks(NamedTuple):
    """How well a mixture places each of n rows."""

    labels: NDArray[np.int32]
    """(n,), as in `Scores`."""
    largest: FloatArray
    """(n,), the largest responsibility, the background's included."""
    nearest: FloatArray
    """(n,), the least squared Mahalanobis distance."""
    fourths: FloatArray
    """(n,), fourth powers of distances, averaged over responsibilities; none is above 1e200."""


class Nearest(NamedTuple):
    """Which of K centres is nearest to each of n points."""

    labels: NDArray[np.int32]
    """(n,), the first of equals, counted from 0."""
    distances: FloatArray
    """(n,), squared, from that centre."""
    counts: FloatArray
    """(K,), weight of the points nearest to each centre."""
    offsets: FloatArray
    """(K, D), their sum of w (x - centre)."""
