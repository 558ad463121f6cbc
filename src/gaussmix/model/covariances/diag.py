"""Every component has a variance of its own along each feature, and no correlation."""

import numpy as np

from gaussmix.kernels.contract import FactorForm, FloatArray, ScatterKind
from gaussmix.model.covariances.contract import CovarianceFamily, positive_or_named
from gaussmix.model.spread import positive_scale

# A constraint that is off by less, in logarithms, is meant to hold.
ROUNDING = 1e-6


class Diag(CovarianceFamily):
    """VVI: volume and shape vary, the axes of all components are the features'."""

    name = "diag"
    mclust_name = "VVI"
    words = "each component has its own variance along each feature, without correlation"
    factor_form = FactorForm.DIAGONAL
    scatter = ScatterKind.DIAGONAL

    @property
    def simple(self) -> bool:
        return not self.ties_components

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features)

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        return scatter / counts[:, None]

    def precision_factors(self, covariances: FloatArray) -> FloatArray:
        return positive_or_named(covariances)

    def precisions(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return factors**2

    def from_precisions(self, precisions: FloatArray) -> FloatArray:
        return positive_or_named(precisions) ** 2

    def matrices(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return covariances[:, :, None] * np.eye(n_features)

    def compacted(self, matrices: FloatArray) -> FloatArray:
        variances: FloatArray = np.einsum("kii->ki", matrices).copy()
        return variances

    def log_determinants(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        logs: FloatArray = np.log(factors).sum(axis=1)
        return logs

    def traces(self, factors: FloatArray, matrix: FloatArray, n_components: int) -> FloatArray:
        traces: FloatArray = factors**2 @ np.diagonal(matrix)
        return traces

    def variances(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return covariances

    def add_matrix(self, covariances: FloatArray, matrix: FloatArray) -> FloatArray:
        total: FloatArray = covariances + np.diagonal(matrix)
        return total

    def projected(self, covariances: FloatArray, onto: FloatArray) -> FloatArray:
        total: FloatArray = covariances * np.diagonal(onto) ** 2
        return total

    def factor_diagonals(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return factors

    def whitened(self, rows: FloatArray, covariance: FloatArray) -> FloatArray:
        whitened: FloatArray = rows / positive_scale(covariance, np.ones(covariance.shape[0]))
        return whitened

    def spreadless_directions(self, covariance: FloatArray) -> FloatArray:
        constant = np.flatnonzero(np.diagonal(covariance) == 0.0)
        directions = np.zeros((covariance.shape[0], len(constant)))
        directions[constant, np.arange(len(constant))] = 1.0
        return directions

    def least_rows(self, n_features: int) -> int:
        return 2

    def whitened_steps(self, factors: FloatArray, steps: FloatArray) -> FloatArray:
        whitened: FloatArray = steps * factors
        return whitened

    def coordinates(self, covariances: FloatArray) -> FloatArray:
        logs: FloatArray = 0.5 * np.log(covariances).ravel()
        return logs

    def from_coordinates(self, coordinates: FloatArray, current: FloatArray, n_features: int) -> FloatArray:
        variances: FloatArray = np.exp(2.0 * coordinates).reshape(current.shape)
        if self.free or not (np.isfinite(variances).all() and variances.all()):
            return variances
        # Constraints are linear here: what steps leave of them is rounding, which long steps make grow.
        bound = self.estimate(np.ones(len(current)), variances, n_features, current)
        return bound if np.abs(np.log(bound / variances)).max() < ROUNDING else variances

    def informed(
        self, factors: FloatArray, counts: FloatArray, changes: FloatArray, n_features: int
    ) -> FloatArray:
        scaled: FloatArray = changes * np.repeat(np.sqrt(2.0 * counts), factors.shape[1])
        return scaled
