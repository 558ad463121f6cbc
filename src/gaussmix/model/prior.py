"""Priors on the covariances: what is added to the statistics, and to the log-likelihood."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances import CovarianceFamily
from gaussmix.model.mixture import Mixture
from gaussmix.model.spread import positive_scale

# In a direction in which all rows agree, every component gets this share of the columns' variance.
FLOOR_SHARE = 1e-6


class Anchor(NamedTuple):
    """Rows that a prior on the means adds to each component."""

    place: FloatArray
    """(D,)."""
    n_rows: float


class Floor(NamedTuple):
    """What a prior holds fixed in each covariance, along directions in which the rows have no spread."""

    matrix: FloatArray
    """(D, D), the same in all components."""
    kept: FloatArray
    """(D, D), projects onto where the rows vary."""

    def under(self, covariances: FloatArray, family: CovarianceFamily) -> FloatArray:
        """Covariances that contain it, whatever rounding has left of them along those directions."""
        return family.add_matrix(family.projected(covariances, self.kept), self.matrix)


class Prior(ABC):
    """Pseudo-rows that each component gets in the M-step, and the matching penalty."""

    name: ClassVar[str]

    @abstractmethod
    def pseudo_rows(self, family: CovarianceFamily, n_components: int, n_features: int) -> float:
        """Added to each N_k where covariances are estimated."""

    @abstractmethod
    def pseudo_scatter(self, family: CovarianceFamily, n_components: int) -> FloatArray | float:
        """Added to the scatter about the new means, of the kind the family uses."""

    @property
    def anchor(self) -> Anchor | None:
        """Rows that each component is given besides its own where means are estimated, or None."""
        return None

    def floor(self) -> Floor | None:
        """What is fixed in each covariance along directions without spread, or None."""
        return None

    @abstractmethod
    def log_density(self, mixture: Mixture) -> float:
        """The penalty, up to a constant: objective = log-likelihood + this."""

    def share_of_variances(self, mixture: Mixture, row_weight: float) -> FloatArray:
        """How much of each component's variances comes from the prior and not from rows: (K, D)."""
        family, (n_components, n_features) = mixture.family, mixture.means.shape
        scatter = self.pseudo_scatter(family, n_components)
        if not np.any(scatter):
            return np.zeros(mixture.means.shape)
        pseudo_rows = self.pseudo_rows(family, n_components, n_features)
        counts = mixture.weights * row_weight + pseudo_rows
        # What the prior's pseudo-rows add to the numerator, as a share of all of it.
        alone = family.matrices(
            family.estimate(np.ones(n_components), np.asarray(scatter), n_features), n_components, n_features
        )
        added = np.einsum("kii->ki", alone) / counts[:, None]
        share: FloatArray = added / family.variances(mixture.covariances, n_components, n_features)
        return share


class NoPrior(Prior):
    """Pure maximum likelihood."""

    name = "none"

    def pseudo_rows(self, family: CovarianceFamily, n_components: int, n_features: int) -> float:  # noqa: ARG002
        return 0.0

    def pseudo_scatter(self, family: CovarianceFamily, n_components: int) -> FloatArray | float:  # noqa: ARG002
        return 0.0

    def log_density(self, mixture: Mixture) -> float:  # noqa: ARG002
        return 0.0


@dataclass(frozen=True, eq=False)
class WeakPrior(Prior):
    """The penalty of Chen and Tan (2009): -a sum_k [tr(S Sigma_k^-1) + log |Sigma_k|].

    Its M-step is Sigma_k = (N_k S_k + 2 a S) / (N_k + 2 a). S moves with the data under any affine
    map, so the penalty takes no side on units; with a = 1 / n it vanishes as rows come in.

    Parameters
    ----------
    strength : float
        a.
    covariance : (D, D) array
        S, the covariance of all rows.
    fixed : Floor or None
        What is held fixed along directions in which the rows have no spread at all.
    """

    name = "weak"
    strength: float
    covariance: FloatArray
    fixed: Floor | None
    _scatters: dict[tuple[str, int], FloatArray] = field(default_factory=dict, init=False, repr=False)

    def pseudo_rows(self, family: CovarianceFamily, n_components: int, n_features: int) -> float:  # noqa: ARG002
        return 2.0 * self.strength

    def pseudo_scatter(self, family: CovarianceFamily, n_components: int) -> FloatArray | float:
        # The same in every iteration.
        key = (family.name, n_components)
        if key not in self._scatters:
            reduced = family.reduce_scatter(self.covariance, n_components)
            self._scatters[key] = 2.0 * self.strength * reduced
        return self._scatters[key]

    def floor(self) -> Floor | None:
        return self.fixed

    def log_density(self, mixture: Mixture) -> float:
        traces = mixture.family.traces(mixture.precision_factors, self.covariance, mixture.n_components)
        return -self.strength * float((traces - 2.0 * mixture.log_determinants).sum())


def spread_floor(flat: FloatArray, covariance: FloatArray, magnitudes: FloatArray) -> Floor | None:
    """What to hold fixed along directions without spread; None where there are none.

    Parameters
    ----------
    flat : (D, M) array
        Unit directions without spread, in standardised columns.
    covariance : (D, D) array
        Of all rows.
    magnitudes : (D,) array
        Largest absolute value in each column: the scale of a column that is constant.

    Notes
    -----
    Holding a block fixed keeps every M-step a maximum over the covariances that contain it, so the
    objective still rises; and as all components get the same, it takes no side between them.
    """
    if flat.shape[1] == 0:
        return None
    scale = positive_scale(covariance, np.where(magnitudes > 0.0, magnitudes, 1.0))
    along = flat @ flat.T
    kept = (np.eye(len(scale)) - along) * (scale[:, None] / scale)
    return Floor(FLOOR_SHARE * along * scale[:, None] * scale, kept)
