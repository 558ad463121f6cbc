"""Priors on the covariances: what is added to the statistics, and to the log-likelihood."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances import CovarianceFamily
from gaussmix.model.mixture import Mixture
from gaussmix.model.spread import positive_scale

# In a direction in which all rows agree, every component gets this share of the columns' variance.
FLOOR_SHARE = 1e-6


class Prior(ABC):
    """Pseudo-rows that each component gets in the M-step, and the matching penalty."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def pseudo_rows(self) -> float:
        """Added to each N_k where covariances are estimated."""

    @abstractmethod
    def pseudo_scatter(self, family: CovarianceFamily, n_components: int) -> FloatArray | float:
        """Added to the scatter about the new means, of the kind the family uses."""

    @abstractmethod
    def floor(self) -> FloatArray | None:
        """A matrix (D, D) fixed in each covariance along directions without spread, or None."""

    @abstractmethod
    def share_of_variances(self, mixture: Mixture, row_weight: float) -> FloatArray:
        """How much of each component's variances comes from the prior and not from rows: (K, D)."""

    @abstractmethod
    def log_density(self, mixture: Mixture) -> float:
        """The penalty, up to a constant: objective = log-likelihood + this."""


class NoPrior(Prior):
    """Pure maximum likelihood."""

    name = "none"

    @property
    def pseudo_rows(self) -> float:
        return 0.0

    def pseudo_scatter(self, family: CovarianceFamily, n_components: int) -> FloatArray | float:  # noqa: ARG002
        return 0.0

    def floor(self) -> FloatArray | None:
        return None

    def share_of_variances(self, mixture: Mixture, row_weight: float) -> FloatArray:  # noqa: ARG002
        return np.zeros(mixture.means.shape)

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
    fixed : (D, D) array or None
        The covariance held fixed along directions in which the rows have no spread at all.
    """

    name = "weak"
    strength: float
    covariance: FloatArray
    fixed: FloatArray | None
    _scatters: dict[tuple[str, int], FloatArray] = field(default_factory=dict, init=False, repr=False)

    @property
    def pseudo_rows(self) -> float:
        return 2.0 * self.strength

    def pseudo_scatter(self, family: CovarianceFamily, n_components: int) -> FloatArray | float:
        # The same in every iteration.
        key = (family.name, n_components)
        if key not in self._scatters:
            reduced = family.reduce_scatter(self.covariance, n_components)
            self._scatters[key] = 2.0 * self.strength * reduced
        return self._scatters[key]

    def floor(self) -> FloatArray | None:
        return self.fixed

    def share_of_variances(self, mixture: Mixture, row_weight: float) -> FloatArray:
        family, n_components, n_features = mixture.family, mixture.n_components, mixture.n_features
        counts = mixture.weights * row_weight + self.pseudo_rows
        # What the M-step would give if the rows had no scatter at all.
        alone = family.estimate(counts, np.asarray(self.pseudo_scatter(family, n_components)), n_features)
        variances = family.variances(mixture.covariances, n_components, n_features)
        share: FloatArray = family.variances(alone, n_components, n_features) / variances
        return share

    def log_density(self, mixture: Mixture) -> float:
        traces = mixture.family.traces(mixture.precision_factors, self.covariance, mixture.n_components)
        return -self.strength * float((traces - 2.0 * mixture.log_determinants).sum())


def spread_floor(flat: FloatArray, covariance: FloatArray, magnitudes: FloatArray) -> FloatArray | None:
    """The covariance (D, D) to hold fixed along directions without spread; None where there are none.

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
    scaled = flat * positive_scale(covariance, np.where(magnitudes > 0.0, magnitudes, 1.0))[:, None]
    floor: FloatArray = FLOOR_SHARE * scaled @ scaled.T
    return floor
