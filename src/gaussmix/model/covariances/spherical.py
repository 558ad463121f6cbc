"""Every component has one variance of its own, the same in all directions."""

import numpy as np

from gaussmix.kernels.contract import FactorForm, FloatArray, ScatterKind
from gaussmix.model.covariances.contract import CovarianceFamily, positive_or_named


class Spherical(CovarianceFamily):
    """VII: spheres of varying volume."""

    name = "spherical"
    mclust_name = "VII"
    words = "each component is a sphere with its own volume"
    factor_form = FactorForm.ISOTROPIC
    scatter = ScatterKind.TRACE

    @property
    def simple(self) -> bool:
        return not self.ties_components

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components,)

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        return scatter / (n_features * counts)

    def precision_factors(self, covariances: FloatArray) -> FloatArray:
        return positive_or_named(covariances)

    def precisions(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return factors**2

    def from_precisions(self, precisions: FloatArray) -> FloatArray:
        return positive_or_named(precisions) ** 2

    def matrices(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return covariances[:, None, None] * np.eye(n_features)

    def compacted(self, matrices: FloatArray) -> FloatArray:
        return matrices[:, 0, 0].copy()

    def log_determinants(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return n_features * np.log(factors)

    def traces(self, factors: FloatArray, matrix: FloatArray, n_components: int) -> FloatArray:
        traces: FloatArray = factors**2 * np.trace(matrix)
        return traces

    def variances(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return np.broadcast_to(covariances[:, None], (n_components, n_features))

    def add_matrix(self, covariances: FloatArray, matrix: FloatArray) -> FloatArray:
        total: FloatArray = covariances + np.trace(matrix) / matrix.shape[0]
        return total

    def projected(self, covariances: FloatArray, onto: FloatArray) -> FloatArray:
        total: FloatArray = covariances * np.sum(onto**2) / len(onto)
        return total

    def factor_diagonals(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return np.broadcast_to(factors[:, None], (n_components, n_features))

    def whitened(self, rows: FloatArray, covariance: FloatArray) -> FloatArray:
        whitened: FloatArray = rows / np.sqrt(np.trace(covariance))
        return whitened

    def spreadless_directions(self, covariance: FloatArray) -> FloatArray:
        # A sphere has spread in every direction as soon as it has any.
        return np.empty((covariance.shape[0], 0))

    def least_rows(self, n_features: int) -> int:
        return 2

    def whitened_steps(self, factors: FloatArray, steps: FloatArray) -> FloatArray:
        whitened: FloatArray = steps * factors[:, None]
        return whitened

    def coordinates(self, covariances: FloatArray) -> FloatArray:
        logs: FloatArray = 0.5 * np.log(covariances)
        return logs

    def from_coordinates(self, coordinates: FloatArray, current: FloatArray, n_features: int) -> FloatArray:
        variances: FloatArray = np.exp(2.0 * coordinates)
        return variances

    def informed(
        self, factors: FloatArray, counts: FloatArray, changes: FloatArray, n_features: int
    ) -> FloatArray:
        scaled: FloatArray = changes * np.sqrt(2.0 * n_features * counts)
        return scaled
