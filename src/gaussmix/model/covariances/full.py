"""Every component has a covariance of its own."""

import numpy as np

from gaussmix.kernels.contract import FactorForm, FloatArray, ScatterKind
from gaussmix.model.covariances.contract import CovarianceFamily, positive_or_named, triangular_factors
from gaussmix.model.covariances.roots import from_log_roots, informed_changes, log_roots
from gaussmix.model.spread import whitener


class Full(CovarianceFamily):
    """VVV: volume, shape and orientation vary between components."""

    name = "full"
    mclust_name = "VVV"
    words = "each component has its own volume, shape and orientation"
    factor_form = FactorForm.FULL
    scatter = ScatterKind.FULL

    @property
    def simple(self) -> bool:
        return not self.ties_components

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features, n_features)

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        covariances = scatter / counts[:, None, None]
        return 0.5 * (covariances + covariances.transpose(0, 2, 1))

    def precision_factors(self, covariances: FloatArray) -> FloatArray:
        if covariances.shape[-1] == 1:
            # Each is a number: all at once, with the digits that the general way gives.
            roots = 1.0 / positive_or_named(covariances)
            factors: FloatArray = 1.0 / np.sqrt(covariances / roots / roots) / roots
            return factors
        return triangular_factors(covariances)

    def precisions(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return factors @ factors.transpose(0, 2, 1)

    def from_precisions(self, precisions: FloatArray) -> FloatArray:
        # The inverse of an inverse: the factor of the precision makes the covariance.
        return self.precisions(self.precision_factors(precisions), *precisions.shape[:2])

    def matrices(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return covariances

    def compacted(self, matrices: FloatArray) -> FloatArray:
        return matrices

    def log_determinants(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        # Of strided numbers NumPy's logarithms may have other last bits at another address (seen with 1.26).
        logs: FloatArray = np.log(self.factor_diagonals(factors, n_components, n_features).copy()).sum(axis=1)
        return logs

    def traces(self, factors: FloatArray, matrix: FloatArray, n_components: int) -> FloatArray:
        traces: FloatArray = np.einsum("kij,kij->k", factors, matrix @ factors)
        return traces

    def variances(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return np.diagonal(covariances, axis1=1, axis2=2)

    def add_matrix(self, covariances: FloatArray, matrix: FloatArray) -> FloatArray:
        total: FloatArray = covariances + matrix
        return total

    def projected(self, covariances: FloatArray, onto: FloatArray) -> FloatArray:
        turned = onto @ covariances @ onto.T
        return 0.5 * (turned + np.swapaxes(turned, -1, -2))

    def factor_diagonals(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return np.diagonal(factors, axis1=1, axis2=2)

    def whitened(self, rows: FloatArray, covariance: FloatArray) -> FloatArray:
        whitened: FloatArray = rows @ whitener(covariance)
        return whitened

    def least_rows(self, n_features: int) -> int:
        return n_features + 1

    def whitened_steps(self, factors: FloatArray, steps: FloatArray) -> FloatArray:
        whitened: FloatArray = (steps[:, :, None, :] @ factors)[:, :, 0, :]
        return whitened

    def coordinates(self, covariances: FloatArray) -> FloatArray:
        return log_roots(covariances).ravel()

    def from_coordinates(self, coordinates: FloatArray, current: FloatArray, n_features: int) -> FloatArray:
        matrices = from_log_roots(coordinates.reshape(len(current), -1), n_features)
        # Where not all matrices will do, the nearest that will are taken.
        if self.free or not np.isfinite(matrices).all():
            return matrices
        return self.estimate(np.ones(len(current)), matrices, n_features, current)

    def informed(
        self, factors: FloatArray, counts: FloatArray, changes: FloatArray, n_features: int
    ) -> FloatArray:
        stacked = changes.reshape(len(changes), len(counts), -1)
        return informed_changes(factors, counts, stacked).reshape(changes.shape)
