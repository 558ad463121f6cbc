"""A Gaussian mixture: frozen parameters, and what follows from them for given rows."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix import kernels
from gaussmix.computed import cached_property
from gaussmix.errors import SettingsError
from gaussmix.kernels.contract import Components, FloatArray, Looks, Scores
from gaussmix.model.covariances import CovarianceFamily

# Rows that are drawn and put in place at a time.
SAMPLE_TILE = 1 << 14


@dataclass(frozen=True, eq=False)
class Noise:
    """Rows that belong to no component, with one density everywhere (Banfield and Raftery 1993).

    Parameters
    ----------
    weight : float
        Its mixing proportion.
    corner : (D,) array
        Of the box over which its density adds up to 1.
    edges : (D, D) array
        The box is corner + u edges, with each entry of u (D,) between 0 and 1.
    """

    weight: float
    corner: FloatArray
    edges: FloatArray

    @cached_property
    def log_volume(self) -> float:
        """Log of the box's volume, in the units of the data to the power of D."""
        return float(np.linalg.slogdet(self.edges)[1])

    @property
    def log_density(self) -> float:
        """Log of weight / volume: minus infinity if there is no such row."""
        return float(np.log(self.weight)) - self.log_volume if self.weight > 0.0 else -np.inf


@dataclass(frozen=True, eq=False)
class Mixture:
    """K weighted Gaussian components in D features, and perhaps noise.

    Parameters
    ----------
    weights : (K,) array
        Mixing proportions, non-negative, adding up to 1 (with noise, to less).
    means : (K, D) array
        In the units of the data.
    covariances : array
        Shaped as ``family.shape(K, D)`` says, in the squared units of the data.
    family : CovarianceFamily
        The covariance model.
    noise : Noise or None
        Its weight and those of the components add up to 1.
    n_given : int
        Parameters that were given, or tied to others, and not estimated.

    Raises
    ------
    SettingsError
        If the shapes do not fit each other.
    """

    weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    family: CovarianceFamily
    noise: Noise | None = None
    n_given: int = 0

    def __post_init__(self) -> None:
        for name in ("weights", "means", "covariances"):
            frozen = np.array(getattr(self, name), dtype=np.float64)
            frozen.setflags(write=False)
            object.__setattr__(self, name, frozen)
        if self.means.ndim != 2:
            raise SettingsError(f"means must have shape (K, D); got {self.means.shape}")
        expected = self.family.shape(*self.means.shape)
        if self.weights.shape != self.means.shape[:1] or self.covariances.shape != expected:
            raise SettingsError(
                f"{self.family.name} covariances of means {self.means.shape} need weights "
                f"{self.means.shape[:1]} and covariances {expected}; got {self.weights.shape} "
                f"and {self.covariances.shape}"
            )

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.weights)

    @property
    def n_features(self) -> int:
        """D."""
        return len(self.means[0])

    @property
    def n_parameters(self) -> int:
        """Free parameters: K - 1 weights, K D means, the covariances'; noise adds its weight and volume."""
        n_components, n_features = self.n_components, self.n_features
        covariance_parameters = self.family.n_covariance_parameters(n_components, n_features)
        gaussian = (n_components - 1) + n_components * n_features + covariance_parameters
        return gaussian + (0 if self.noise is None else 2) - self.n_given

    @cached_property
    def precision_factors(self) -> FloatArray:
        """P with P P^T = Sigma^-1, shaped as ``family.factor_form`` says.

        Raises
        ------
        DegenerateComponentError
            If a covariance is not positive definite.
        """
        return self.family.precision_factors(self.covariances)

    @cached_property
    def log_determinants(self) -> FloatArray:
        """Log |P_k| = -1/2 log |Sigma_k|: (K,)."""
        return self.family.log_determinants(self.precision_factors, self.n_components, self.n_features)

    @cached_property
    def components(self) -> Components:
        """What a kernel needs of this mixture."""
        with np.errstate(divide="ignore"):  # an emptied component has log weight minus infinity
            log_weights = np.log(self.weights)
        return Components(
            log_weights,
            self.means,
            self.precision_factors,
            self.log_determinants,
            self.family.factor_form,
            -np.inf if self.noise is None else self.noise.log_density,
        )

    @cached_property
    def remoteness(self) -> float:
        """How many standard deviations the farthest mean lies from the origin, if its parts add up."""
        # Of a feature given all others: where features are nearly collinear, its rounding weighs by that.
        return float(np.abs(self.means * np.sqrt(self.information)).sum(axis=1).max())

    @cached_property
    def eccentricity(self) -> float:
        """How many standard deviations the farthest mean lies from the middle of all means."""
        diagonals = self.family.factor_diagonals(self.precision_factors, self.n_components, self.n_features)
        offsets = self.means - self.weights @ self.means
        return float(np.linalg.norm(offsets * diagonals, axis=1).max())

    @cached_property
    def log_magnitude(self) -> float:
        """Largest sum over features of |log| of the entries that make a log determinant."""
        diagonals = self.family.factor_diagonals(self.precision_factors, self.n_components, self.n_features)
        return float(np.abs(np.log(diagonals)).sum(axis=1).max())

    @property
    def precisions(self) -> FloatArray:
        """Inverse covariances, shaped as ``covariances``."""
        return self.family.precisions(self.precision_factors, self.n_components, self.n_features)

    @cached_property
    def information(self) -> FloatArray:
        """Reciprocals of the features' variances, each given all others: (K, D)."""
        return self.family.variances(self.precisions, self.n_components, self.n_features)

    @property
    def matrices(self) -> FloatArray:
        """The covariances written out: (K, D, D)."""
        return self.family.matrices(self.covariances, self.n_components, self.n_features)

    @cached_property
    def conditioning(self) -> float:
        """Largest ratio of a feature's variance to its variance given the features before it.

        How many times larger than rounding the error of a log density can be.
        """
        variances = self.family.variances(self.covariances, self.n_components, self.n_features)
        diagonals = self.family.factor_diagonals(self.precision_factors, self.n_components, self.n_features)
        return float((variances * diagonals**2).max())

    @cached_property
    def inflation(self) -> float:
        """Largest ratio of a feature's variance to its variance given all others (Marquardt 1970)."""
        variances = self.family.variances(self.covariances, self.n_components, self.n_features)
        return float((variances * self.information).max())

    def weighted_log_densities(self, rows: FloatArray) -> FloatArray:
        """log(w_k N(x; mu_k, Sigma_k)) of rows (n, D): (n, K)."""
        return kernels.weighted_log_densities(rows, self.components)

    def log_densities(self, rows: FloatArray) -> FloatArray:
        """Log N(x; mu_k, Sigma_k) of rows (n, D), without the weights: (n, K)."""
        unweighted = self.components._replace(log_weights=np.zeros(self.n_components))
        return kernels.weighted_log_densities(rows, unweighted)

    def squared_distances(self, rows: FloatArray) -> FloatArray:
        """Squared Mahalanobis distances of rows (n, D) from the components: (n, K)."""
        return kernels.squared_distances(rows, self.components)

    def scores(self, rows: NDArray[Any]) -> Scores:
        """Labels, responsibilities, log densities and squared distances of a block of rows (n, D)."""
        return kernels.scores(rows, self.components)

    def looks(self, rows: NDArray[Any]) -> Looks:
        """Labels, largest responsibilities, least squared distances and fourth powers of rows (n, D)."""
        return kernels.looks(rows, self.components)

    def labels(self, rows: NDArray[Any]) -> NDArray[np.int32]:
        """The likeliest component of each row of (N, D), counted from 0, or -1 for noise: (N,)."""
        return kernels.labels(rows, self.components)

    def shares(self, rows: NDArray[Any]) -> FloatArray:
        """Responsibilities of any number of rows (N, D): (N, K), with noise (N, K + 1), noise last."""
        shares = kernels.shares(rows, self.components)
        return shares if self.noise is None else np.column_stack([shares, noise_shares(shares)])

    def log_density(self, rows: NDArray[Any]) -> FloatArray:
        """Log density of any number of rows (N, D), noise included: (N,)."""
        return kernels.log_densities(rows, self.components)

    def sample(self, n_rows: int, generator: np.random.Generator) -> tuple[FloatArray, np.ndarray]:
        """Draw rows (n, D) and the components (n,) they come from, component by component, -1 for noise."""
        noise = 0.0 if self.noise is None else self.noise.weight
        weights = np.append(self.weights, noise)
        *counts, n_noise = generator.multinomial(n_rows, weights / weights.sum())
        labels = np.repeat([*range(self.n_components), -1], [*counts, n_noise])
        rows = np.empty((n_rows, self.n_features))
        first = 0
        for mean, matrix, count in zip(self.means, self.matrices, counts, strict=True):
            root = _upper_root(matrix)
            # In tiles, so that rows are still in cache when they are put in place.
            for start in range(first, first + count, SAMPLE_TILE):
                tile = rows[start : min(start + SAMPLE_TILE, first + count)]
                generator.standard_normal(out=tile)
                kernels.place_rows(tile, mean, root)
            first += count
        if self.noise is not None:
            rows[first:] = self.noise.corner + generator.random((n_noise, self.n_features)) @ self.noise.edges
        return rows, labels

    def permuted(self, order: np.ndarray) -> "Mixture":
        """The same mixture with its components in another order."""
        return replace(
            self,
            weights=self.weights[order],
            means=self.means[order],
            covariances=self.family.permuted(self.covariances, order),
        )

    def canonical_order(self) -> NDArray[np.intp]:
        """Components by rising mean along the first feature; ties by the following features: (K,)."""
        return np.lexsort(self.means.T[::-1])


def noise_shares(shares: FloatArray) -> FloatArray:
    """What responsibilities (n, K) leave for noise: (n,)."""
    left: FloatArray = np.maximum(1.0 - shares.sum(axis=1), 0.0)
    return left


def _upper_root(matrix: FloatArray) -> FloatArray:
    """U with U^T U = Sigma."""
    scale = np.sqrt(np.diagonal(matrix))
    root = np.linalg.cholesky(matrix / scale[:, None] / scale).T * scale
    return np.asarray(root, dtype=np.float64)
