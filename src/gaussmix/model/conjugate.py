"""The conjugate prior of Fraley and Raftery: on means and covariances, proper in every covariance model."""

from dataclasses import dataclass

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances import CovarianceFamily
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import Anchor, Prior

# Rows that the prior on a mean is worth: mclust's `shrinkage`.
SHRINKAGE = 0.01


@dataclass(frozen=True, eq=False)
class ConjugatePrior(Prior):
    """Normal inverse Wishart: mu_k ~ N(m, Sigma_k / kappa), Sigma_k ~ IW(nu, Lambda).

    The penalty is -1/2 sum_k [(nu + D + 2) log |Sigma_k| + tr(Lambda Sigma_k^-1) + kappa delta_k^T
    Sigma_k^-1 delta_k], delta_k = mu_k - m, and its M-step that of the family with kappa more rows
    at m, nu + D + 2 more in the divisor, and Lambda more in the scatter. Where a variance stands
    alone (axis-parallel and spherical models) the inverse gamma takes the inverse Wishart's place,
    with Lambda the mean of the variances. Components that share a covariance have one prior on it.

    Parameters
    ----------
    mean : (D,) array
        m, of all rows.
    covariance : (D, D) array
        Of all rows, divided by n - 1.
    shrinkage : float
        kappa.

    Notes
    -----
    Fraley and Raftery, Journal of Classification 24 (2007) 155, with the defaults of mclust's
    ``priorControl()``: nu = D + 2, Lambda = covariance / K^(2/D). docs/adr/0010 says where mclust's
    own formulas differ, and why these are used.
    """

    name = "conjugate"
    mean: FloatArray
    covariance: FloatArray
    shrinkage: float = SHRINKAGE

    @property
    def anchor(self) -> Anchor:
        return Anchor(self.mean, self.shrinkage)

    def pseudo_rows(self, family: CovarianceFamily, n_components: int, n_features: int) -> float:
        """In rows: what multiplies 1/2 log |Sigma_k|."""
        freedom = n_features + 2.0
        if not family.sees_shape:
            own = (freedom + 2.0) / n_features
        elif not family.sees_correlation:
            own = freedom + 2.0
        else:
            own = freedom + n_features + 1.0
        # One row more for each mean; a covariance that is shared has one prior, whatever K.
        return 1.0 + (own / n_components if family.shared else own)

    def pseudo_scatter(self, family: CovarianceFamily, n_components: int) -> FloatArray:
        scatter = family.reduce_scatter(self._scale(family, n_components), n_components)
        return np.asarray(scatter / n_components if family.shared else scatter)

    def log_density(self, mixture: Mixture) -> float:
        family, (n_components, n_features) = mixture.family, mixture.means.shape
        pseudo_rows = self.pseudo_rows(family, n_components, n_features)
        traces = family.traces(mixture.precision_factors, self._scale(family, n_components), n_components)
        if family.shared:
            traces = traces / n_components
        away = family.whitened_steps(mixture.precision_factors, (mixture.means - self.mean)[None])
        logs = -2.0 * mixture.log_determinants
        return -0.5 * float(
            (pseudo_rows * logs + traces).sum() + self.shrinkage * np.einsum("mkd,mkd->", away, away)
        )

    def _scale(self, family: CovarianceFamily, n_components: int) -> FloatArray:
        """Lambda (D, D)."""
        n_features = len(self.mean)
        smaller = n_components ** (-2.0 / n_features)
        if family.sees_correlation:
            return np.asarray(self.covariance * smaller)
        mean = np.trace(self.covariance) / n_features
        # A sphere has one variance, and so the trace of its Lambda is that variance, not D times it.
        parts = 1 if family.sees_shape else n_features
        return np.asarray(mean * smaller / parts * np.eye(n_features))
