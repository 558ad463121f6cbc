"""The M-step: the mixture that makes given statistics likeliest."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FloatArray, Precision
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import NoPrior, Prior
from gaussmix.model.statistics import SufficientStatistics
from gaussmix.model.ties import NO_TIES, Ties, is_emptied, new_weights

# A mean that moved further than this many of its component's new standard deviations (squared)
# leaves too few digits in S - N d d^T; the covariance waits for the next iteration. So it does where
# too few are left along the narrowest direction, which the mean need not have moved along.
CANCELLED = {Precision.DOUBLE: 1e8, Precision.SINGLE: 1e2}
LOST = {Precision.DOUBLE: 1e10, Precision.SINGLE: 1e4}


@dataclass(frozen=True, eq=False)
class MStep:
    """What the M-step maximises besides the likelihood, and what it leaves as it is.

    Parameters
    ----------
    prior : Prior
        On the covariances, and perhaps the means.
    reg_covar : float
        Added to the diagonal of every covariance, in the squared units of the data.
    resolution : (D,) array
        Standard deviations that rounding alone gives to a single value in each column; a component
        as narrow as this has collapsed.
    ties : Ties
        Which parts of which components are held, shared or equal.
    lightest : float
        The smallest positive row weight.
    """

    prior: Prior
    reg_covar: float
    resolution: FloatArray
    ties: Ties = NO_TIES
    lightest: float = 1.0

    @classmethod
    def plain(cls, n_features: int) -> "MStep":
        """Pure maximum likelihood."""
        return cls(NoPrior(), 0.0, np.zeros(n_features))

    @property
    def monotone(self) -> bool:
        """Whether the objective cannot fall; with ``reg_covar`` it can, in scikit-learn too."""
        return self.reg_covar == 0.0

    def objective(self, mixture: Mixture, log_likelihood: float) -> float:
        """Log-likelihood plus the log density of the prior."""
        return log_likelihood + self.prior.log_density(mixture)


def maximise(statistics: SufficientStatistics, current: Mixture, step: MStep) -> Mixture:
    """The M-step.

    Parameters
    ----------
    statistics : SufficientStatistics
        Taken with ``current``.
    current : Mixture
        The mixture before the step.
    step : MStep
        Prior, regularisation, the resolution of the data, and what is held or shared.

    Returns
    -------
    Mixture
        N_k = sum r, mean + s / N_k, covariance from S / N_k - d d^T under the family's constraint.
        A component without rows keeps its mean, and keeps its covariance unless a prior gives one.

    Raises
    ------
    DegenerateComponentError
        If a component has lost its spread.

    Notes
    -----
    McLachlan and Peel (2000), eq. 3.4 to 3.6; under the weak prior Chen and Tan (2009), eq. 2.6;
    where means are shared, they move first and covariances follow (Meng and Rubin 1993).
    """
    weights, noise = new_weights(statistics, current, step.ties, step.lightest)
    anchored = statistics
    if (anchor := step.prior.anchor) is not None:
        anchored = statistics.with_rows_at(anchor.place, anchor.n_rows)
    offsets = _offsets(anchored, current, step)
    moved = partial(replace, current, weights=weights, noise=noise, means=current.means + offsets)
    try:
        scatter = anchored.scatter_about(offsets) if step.ties.hold_back else anchored.recentred_scatter()
        successor = moved(covariances=_covariances(statistics, scatter, current, step))
        refuse_collapsed(successor, step)
        cancelled = _squared_lengths(successor, offsets).max() > CANCELLED[statistics.precision] or (
            (successor.information * offsets**2).sum(axis=1).max() > LOST[statistics.precision]
        )
    except DegenerateComponentError:
        # Rounding after a long way, or a collapse?
        cancelled = statistics.precision is Precision.SINGLE or _squared_lengths(current, offsets).max() > 1.0
        if not cancelled:
            raise
    # Moving the means alone also raises the objective, and the next iteration sees the scatter from
    # where the rows are.
    return moved() if cancelled else successor


def _offsets(statistics: SufficientStatistics, current: Mixture, step: MStep) -> FloatArray:
    """How far each mean moves: (K, D)."""
    offsets = statistics.mean_offsets
    if (emptied := is_emptied(statistics, step.lightest)).any():
        offsets = np.where(emptied[:, None], 0.0, offsets)
    ties = step.ties
    return ties.bound_offsets(offsets, statistics.counts, current) if ties.hold_back else offsets


def _covariances(
    statistics: SufficientStatistics, scatter: FloatArray, current: Mixture, step: MStep
) -> FloatArray:
    family, n_features = current.family, current.n_features
    pseudo_rows = step.prior.pseudo_rows(family, current.n_components, n_features)
    counts = statistics.counts + pseudo_rows
    scatter = scatter + step.prior.pseudo_scatter(family, current.n_components)
    counts, scatter = step.ties.pooled(counts, scatter)
    without = is_emptied(statistics, step.lightest)
    if pseudo_rows == 0.0 and without.all():
        # Noise has taken all rows.
        return current.covariances
    if pseudo_rows > 0.0 or family.shared or not without.any():
        covariances = family.estimate(counts, scatter, n_features, current.covariances)
        if family.rigid and _fit_of(covariances, counts, scatter, current) < _fit_of(
            current.covariances, counts, scatter, current
        ):
            # Rounding: of axes of very different lengths the short ones are lost in turning the long ones.
            covariances = current.covariances
    else:
        covariances = current.covariances.copy()
        covariances[~without] = _estimate_of_some(~without, counts, scatter, current)
    if (floor := step.prior.floor()) is not None:
        covariances = floor.under(covariances, family)
    if step.reg_covar > 0.0:
        covariances = family.add_matrix(covariances, step.reg_covar * np.eye(n_features))
    return step.ties.bound_covariances(covariances, current)


def _fit_of(covariances: FloatArray, counts: FloatArray, scatter: FloatArray, current: Mixture) -> float:
    """What covariances (K, D, D) make of rows' scatter: -1/2 sum_k [N_k log |Sigma_k| + tr(W_k Sigma_k^-1)].

    Minus infinity where there is no such Gaussian.
    """
    family, (n_components, n_features) = current.family, current.means.shape
    try:
        factors = family.precision_factors(covariances)
    except DegenerateComponentError:
        return -np.inf
    traces = np.einsum("kij,kil,klj->k", factors, scatter, factors)
    logs = family.log_determinants(factors, n_components, n_features)
    return float(counts @ logs - 0.5 * traces.sum())


def _estimate_of_some(
    kept: NDArray[np.bool_], counts: FloatArray, scatter: FloatArray, current: Mixture
) -> FloatArray:
    """The covariances of those components (K,) that have rows; the others have no say in what is shared."""
    n_features = current.n_features
    try:
        return current.family.estimate(counts[kept], scatter[kept], n_features, current.covariances[kept])
    except DegenerateComponentError as collapse:
        if collapse.component is None:
            raise
        component = int(np.flatnonzero(kept)[collapse.component])
        raise DegenerateComponentError(component, collapse.reason) from collapse


def _squared_lengths(mixture: Mixture, offsets: FloatArray) -> FloatArray:
    """|P_k^T d_k|^2, how far each mean moved in its component's standard deviations: (K,)."""
    whitened = mixture.family.whitened_steps(mixture.precision_factors, offsets[None])[0]
    lengths: FloatArray = np.einsum("kd,kd->k", whitened, whitened)
    return lengths


def refuse_collapsed(mixture: Mixture, step: MStep) -> None:
    """Refuse a component that is narrower than the data can resolve.

    Where features are nearly collinear, that shows in their variances given all others.

    Raises
    ------
    DegenerateComponentError
    """
    collapsed = (np.sqrt(mixture.information) * step.resolution >= 1.0).any(axis=1)
    if collapsed.any():
        component = None if mixture.family.shared else int(np.argmax(collapsed))
        raise DegenerateComponentError(component, "has no spread left beyond rounding")
