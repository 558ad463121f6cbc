"""A family by its mclust name, with each component's covariance written out as a matrix."""

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.contract import CovarianceFamily
from gaussmix.model.covariances.full import Full


class Written(CovarianceFamily):
    """Another family, with covariances (K, D, D).

    Parameters
    ----------
    compact : CovarianceFamily
        The family that does the work, on covariances of its own shape.
    name : str
        What users call it.
    """

    def __init__(self, compact: CovarianceFamily, name: str) -> None:
        self._compact = compact
        self.name, self.mclust_name, self.words = name, compact.mclust_name, compact.words
        self.factor_form, self.scatter, self.free = compact.factor_form, compact.scatter, compact.free

    @property
    def compact(self) -> CovarianceFamily:
        return self._compact

    @property
    def simple(self) -> bool:
        return self._compact.simple

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features, n_features)

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        begun = None if current is None else self._compact.compacted(current)
        found = self._compact.estimate(counts, scatter, n_features, begun)
        return self._written(found, len(counts), n_features)

    def precision_factors(self, covariances: FloatArray) -> FloatArray:
        return self._compact.precision_factors(self._compact.compacted(covariances))

    def precisions(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        found = self._compact.precisions(factors, n_components, n_features)
        return self._written(found, n_components, n_features)

    def from_precisions(self, precisions: FloatArray) -> FloatArray:
        return self.from_matrices(Full().from_precisions(precisions))

    def matrices(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return covariances

    def compacted(self, matrices: FloatArray) -> FloatArray:
        return matrices

    def log_determinants(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return self._compact.log_determinants(factors, n_components, n_features)

    def traces(self, factors: FloatArray, matrix: FloatArray, n_components: int) -> FloatArray:
        return self._compact.traces(factors, matrix, n_components)

    def variances(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        diagonals: FloatArray = np.einsum("kii->ki", covariances)
        return diagonals

    def add_matrix(self, covariances: FloatArray, matrix: FloatArray) -> FloatArray:
        total = self._compact.add_matrix(self._compact.compacted(covariances), matrix)
        return self._written(total, *covariances.shape[:2])

    def projected(self, covariances: FloatArray, onto: FloatArray) -> FloatArray:
        total = self._compact.projected(self._compact.compacted(covariances), onto)
        return self._written(total, *covariances.shape[:2])

    def factor_diagonals(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return self._compact.factor_diagonals(factors, n_components, n_features)

    def whitened(self, rows: FloatArray, covariance: FloatArray) -> FloatArray:
        return self._compact.whitened(rows, covariance)

    def spreadless_directions(self, covariance: FloatArray) -> FloatArray:
        return self._compact.spreadless_directions(covariance)

    def least_rows(self, n_features: int) -> int:
        return self._compact.least_rows(n_features)

    def whitened_steps(self, factors: FloatArray, steps: FloatArray) -> FloatArray:
        return self._compact.whitened_steps(factors, steps)

    def coordinates(self, covariances: FloatArray) -> FloatArray:
        return self._compact.coordinates(self._compact.compacted(covariances))

    def from_coordinates(self, coordinates: FloatArray, current: FloatArray, n_features: int) -> FloatArray:
        found = self._compact.from_coordinates(coordinates, self._compact.compacted(current), n_features)
        return self._written(found, len(current), n_features)

    def informed(
        self, factors: FloatArray, counts: FloatArray, changes: FloatArray, n_features: int
    ) -> FloatArray:
        return self._compact.informed(factors, counts, changes, n_features)

    def _written(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        return np.array(self._compact.matrices(covariances, n_components, n_features))
