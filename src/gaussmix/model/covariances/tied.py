"""All components share one covariance."""

import numpy as np

from gaussmix.kernels.contract import FactorForm, FloatArray, ScatterKind
from gaussmix.model.covariances.contract import CovarianceFamily, triangular_factors
from gaussmix.model.covariances.roots import from_log_roots, informed_changes, log_roots
from gaussmix.model.spread import whitener


class Tied(CovarianceFamily):
    """EEE: volume, shape and orientation are equal in all components."""

    name = "tied"
    mclust_name = "EEE"
    words = "all components share one volume, shape and orientation"
    factor_form = FactorForm.SHARED
    scatter = ScatterKind.POOLED

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_features, n_features)

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        covariance = scatter / counts.sum()
        symmetric: FloatArray = 0.5 * (covariance + covariance.T)
        return symmetric

    def precision_factors(self, covariances: FloatArray) -> FloatArray:
        factor: FloatArray = triangular_factors(covariances[None], shared=True)[0]
        return factor

    def precisions(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return factors @ factors.T

    def from_precisions(self, precisions: FloatArray) -> FloatArray:
        # The inverse of an inverse: the factor of the precision makes the covariance.
        return self.precisions(self.precision_factors(precisions), *precisions.shape[:2])

    def matrices(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return np.broadcast_to(covariances, (n_components, n_features, n_features))

    def compacted(self, matrices: FloatArray) -> FloatArray:
        first: FloatArray = matrices[0]
        return first

    def log_determinants(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        # Of strided numbers NumPy's logarithms may have other last bits at another address (seen with 1.26).
        return np.full(n_components, np.log(np.diagonal(factors).copy()).sum())

    def traces(self, factors: FloatArray, matrix: FloatArray, n_components: int) -> FloatArray:
        return np.full(n_components, np.einsum("ij,ij->", factors, matrix @ factors))

    def variances(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return np.broadcast_to(np.diagonal(covariances), (n_components, n_features))

    def add_matrix(self, covariances: FloatArray, matrix: FloatArray) -> FloatArray:
        total: FloatArray = covariances + matrix
        return total

    def projected(self, covariances: FloatArray, onto: FloatArray) -> FloatArray:
        turned = onto @ covariances @ onto.T
        return 0.5 * (turned + np.swapaxes(turned, -1, -2))

    def factor_diagonals(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return np.broadcast_to(np.diagonal(factors), (n_components, n_features))

    def whitened(self, rows: FloatArray, covariance: FloatArray) -> FloatArray:
        whitened: FloatArray = rows @ whitener(covariance)
        return whitened

    def least_rows(self, n_features: int) -> int:
        return 2

    def permuted(self, covariances: FloatArray, order: np.ndarray) -> FloatArray:
        return covariances

    def whitened_steps(self, factors: FloatArray, steps: FloatArray) -> FloatArray:
        whitened: FloatArray = steps @ factors
        return whitened

    def coordinates(self, covariances: FloatArray) -> FloatArray:
        return log_roots(covariances[None]).ravel()

    def from_coordinates(self, coordinates: FloatArray, current: FloatArray, n_features: int) -> FloatArray:
        matrix: FloatArray = from_log_roots(coordinates[None], n_features)[0]
        return matrix

    def informed(
        self, factors: FloatArray, counts: FloatArray, changes: FloatArray, n_features: int
    ) -> FloatArray:
        pooled = counts.sum(keepdims=True)
        return informed_changes(factors[None], pooled, changes[:, None]).reshape(changes.shape)
