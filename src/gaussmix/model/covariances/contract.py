"""What every covariance model says of itself.

To add a model: one class here beside the others, one line in ``registry.py``. The floors above
ask only these questions, and none asks a model for its name to decide what to do.
"""

from abc import ABC, abstractmethod

import numpy as np

from gaussmix import kernels
from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FactorForm, FloatArray, ScatterKind
from gaussmix.model.spread import spreadless_directions

# A conditional variance below FLAT x D of its variance is what rounding leaves of zero.
FLAT = 4.0 * float(np.finfo(np.float64).eps)
# Below this reciprocals, and sums of them, leave the range of floats.
SMALLEST = 1e-305


class CovarianceFamily(ABC):
    """A constraint on the covariances of a mixture of K components with D features."""

    name: str
    """What users call it."""
    mclust_name: str
    """Three letters, for volume, shape and orientation (Celeux and Govaert 1995; R's mclust): E where
    they are equal in all components, V where they vary, I where there is none to speak of."""
    words: str
    """The constraint in words."""
    factor_form: FactorForm
    scatter: ScatterKind
    """Which second moments the M-step needs."""
    free: bool = True
    """Whether variances along some directions can be held fixed without a say in those along others."""

    @property
    def words_in_one_dimension(self) -> str:
        """The constraint where there is one feature, and so no shape and no orientation."""
        own = "each component has its own variance"
        return own if self.mclust_name[0] == "V" else "all components share one variance"

    @property
    def sees_correlation(self) -> bool:
        """Whether a covariance has entries off its diagonal, so that collinear columns matter."""
        return self.mclust_name[2] != "I"

    @property
    def sees_shape(self) -> bool:
        """Whether a covariance is more than a sphere."""
        return self.mclust_name[1] != "I"

    @property
    def one_orientation(self) -> bool:
        """Whether all components have the same axes, which are not the features."""
        return self.mclust_name[2] == "E"

    @property
    def rigid(self) -> bool:
        """Whether shapes are turned: a right angle is one in given units, and so the units matter."""
        return self.sees_correlation and self.mclust_name[1] != self.mclust_name[2]

    @property
    def ties_components(self) -> bool:
        """Whether components have a part of their covariances in common."""
        return "E" in self.mclust_name

    @property
    def compact(self) -> "CovarianceFamily":
        """The same family with covariances that are stored as their factors are, if there is one."""
        return self

    @property
    def simple(self) -> bool:
        """Whether each covariance is its own scatter over its own count."""
        return False

    @property
    def shared(self) -> bool:
        """Whether all components have the same covariance."""
        return "V" not in self.mclust_name

    @abstractmethod
    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Shape of ``covariances``."""

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters in the covariances: volumes, shapes and orientations, as many as vary."""
        volume, shape, orientation = (
            {"E": 1, "V": n_components, "I": 0}[letter] for letter in self.mclust_name
        )
        angles = n_features * (n_features - 1) // 2
        return volume + shape * (n_features - 1) + orientation * angles

    @abstractmethod
    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        """Maximise the expected log-likelihood over the covariances.

        Parameters
        ----------
        counts : (K,) array
            N_k, all positive (with a prior, pseudo-rows included).
        scatter : array shaped as ``self.scatter`` says
            N_k S_k about the new means (with a prior, pseudo-scatter included).
        n_features : int
            D.
        current : array or None
            The covariances so far, shaped as ``self.shape`` says: where a formula has to be iterated
            it begins there, and ends no lower.

        Returns
        -------
        covariances
            Shaped as ``self.shape`` says.

        Raises
        ------
        DegenerateComponentError
            If a component's scatter is too flat for the formula.
        """

    @abstractmethod
    def precision_factors(self, covariances: FloatArray) -> FloatArray:
        """Factors P with P P^T the inverse covariance, stored as ``self.factor_form`` says.

        Raises
        ------
        DegenerateComponentError
            If a covariance is not positive definite.
        """

    @abstractmethod
    def precisions(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        """Inverse covariances from their factors, shaped as ``self.shape`` says."""

    @abstractmethod
    def from_precisions(self, precisions: FloatArray) -> FloatArray:
        """Covariances from inverse covariances of the same shape."""

    @abstractmethod
    def matrices(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        """The covariances written out as K matrices: (K, D, D)."""

    @abstractmethod
    def compacted(self, matrices: FloatArray) -> FloatArray:
        """What ``matrices`` has written out (K, D, D), shaped as ``self.shape`` says again."""

    def from_matrices(self, matrices: FloatArray) -> FloatArray:
        """The likeliest covariances of this family for K given matrices (K, D, D), all counted alike."""
        n_components, n_features = matrices.shape[:2]
        return self.estimate(np.ones(n_components), self.scatter.reduced(matrices), n_features)

    def reduce_scatter(self, matrix: FloatArray, n_components: int) -> FloatArray:
        """One scatter matrix (D, D), the same for every component, as this family's scatter kind."""
        return self.scatter.reduced(np.broadcast_to(matrix, (n_components, *matrix.shape)))

    @abstractmethod
    def log_determinants(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        """Log |P_k|: (K,)."""

    @abstractmethod
    def traces(self, factors: FloatArray, matrix: FloatArray, n_components: int) -> FloatArray:
        """tr(M Sigma_k^-1) for one matrix M (D, D): (K,)."""

    @abstractmethod
    def variances(self, covariances: FloatArray, n_components: int, n_features: int) -> FloatArray:
        """The diagonals: (K, D)."""

    @abstractmethod
    def add_matrix(self, covariances: FloatArray, matrix: FloatArray) -> FloatArray:
        """Covariances with one matrix (D, D), or what of it this family can hold, added to each."""

    @abstractmethod
    def projected(self, covariances: FloatArray, onto: FloatArray) -> FloatArray:
        """M C M^T of each covariance C with one matrix M (D, D), or what of it this family can hold."""

    @abstractmethod
    def factor_diagonals(self, factors: FloatArray, n_components: int, n_features: int) -> FloatArray:
        """The diagonals of the factors: (K, D); 1 / them are conditional standard deviations."""

    @abstractmethod
    def whitened(self, rows: FloatArray, covariance: FloatArray) -> FloatArray:
        """Rows (n, D) in units that this family cannot change, given their covariance (D, D): (n, M)."""

    def spreadless_directions(self, covariance: FloatArray) -> FloatArray:
        """Directions (D, M) without spread that would make a covariance of this family singular."""
        return spreadless_directions(covariance)

    @abstractmethod
    def least_rows(self, n_features: int) -> int:
        """Distinct rows below which a component's own covariance says nothing."""

    @abstractmethod
    def whitened_steps(self, factors: FloatArray, steps: FloatArray) -> FloatArray:
        """P_k^T d of steps d (m, K, D) of the means, in their components' standard deviations: (m, K, D)."""

    @abstractmethod
    def coordinates(self, covariances: FloatArray) -> FloatArray:
        """The covariances in coordinates without constraints (log standard deviations, roots): (Q,)."""

    @abstractmethod
    def from_coordinates(self, coordinates: FloatArray, current: FloatArray, n_features: int) -> FloatArray:
        """The covariances at coordinates (Q,), or the nearest there are; ``current`` ones are not far off.

        Raises
        ------
        DegenerateComponentError
            If there are none.
        """

    @abstractmethod
    def informed(
        self, factors: FloatArray, counts: FloatArray, changes: FloatArray, n_features: int
    ) -> FloatArray:
        """Changes of the coordinates (m, Q), scaled so that their squared length is their information.

        The information is that of rows whose components are known, N_k of each: its quadratic form
        is Kullback and Leibler's divergence to second order, times 2. ``factors`` are those of the
        covariances that change.
        """

    def permuted(self, covariances: FloatArray, order: np.ndarray) -> FloatArray:
        """The covariances with components taken in another order."""
        permuted: FloatArray = covariances[order]
        return permuted


def positive_or_named(variances: FloatArray) -> FloatArray:
    """Reciprocal square roots of variances; the first component with one that is none is named."""
    wrong = ~((variances > SMALLEST) & (variances < np.inf))
    if wrong.any():
        component = int(np.argwhere(wrong)[0, 0])
        raise DegenerateComponentError(component, "has no spread left")
    factors: FloatArray = 1.0 / np.sqrt(variances)
    return factors


def triangular_factors(covariances: FloatArray, shared: bool = False) -> FloatArray:
    """Upper-triangular P (n, D, D) with P P^T the inverses of n covariances (n, D, D).

    The first that has none is named, unless it is ``shared`` by all components.
    """
    factors, sound = kernels.triangular_factors(covariances, FLAT * covariances.shape[1])
    if not sound.all() or factors.max() > SMALLEST**-0.5:
        sound = sound & (np.einsum("nii->ni", factors) < SMALLEST**-0.5).all(axis=1)
    if not sound.all():
        first = int(np.argmin(sound))
        variances = np.diagonal(covariances[first])
        spread = np.isfinite(covariances[first]).all() and (variances > SMALLEST).all()
        raise DegenerateComponentError(
            None if shared else first,
            "has a covariance that is not positive definite: its rows lie in a flat subspace"
            if spread
            else "has no spread left",
        )
    return factors
