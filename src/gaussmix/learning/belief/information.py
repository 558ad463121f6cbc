"""The information that rows hold about a mixture's parameters, in closed form, and what follows from it.

Of row i let c_ik be the gradient of log(w_k N(x_i; mu_k, Sigma_k)) and C_ik its second derivative. The row's
score and curvature are

    s_i = sum_k r_ik c_ik        sum_k r_ik (C_ik + c_ik c_ik^T) - s_i s_i^T

so that one pass over the rows gives all that is wanted: I = sum_i s_i s_i^T (the outer product), H minus the
sum of curvatures (the Hessian), and -sum_ik r_ik C_ik, the information there would be if the rows' components
were known; H is that less what is missing (Louis 1982). The coordinates are those of ``model.tangent``.

Boldea and Magnus, Journal of the American Statistical Association 104 (2009) 1539, theorems 1 and 2; Louis,
Journal of the Royal Statistical Society B 44 (1982) 226.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh

from gaussmix.data.rows import Rows
from gaussmix.errors import FitError
from gaussmix.kernels.contract import FloatArray, ScatterKind
from gaussmix.model.coordinates import all_weights
from gaussmix.model.prior import Prior
from gaussmix.model.tangent import Tangent

# Scores of rows that are in memory at a time, as numbers.
SCORES = 1 << 22
# A direction in which rows tell less than this share of what known components would tell is flat.
FLAT_SHARE = 1e-8


@dataclass(frozen=True, eq=False)
class Information:
    """What rows say of the P parameters of a tangent, the prior's part included."""

    tangent: Tangent
    outer_product: FloatArray
    """(P, P), sum of s s^T over rows, and the curvature of the prior."""
    hessian: FloatArray
    """(P, P), minus the second derivatives of the objective."""
    complete: FloatArray
    """(P, P), the same if each row's component were known."""
    scores: FloatArray
    """(P, P), sum of s s^T over rows alone: what the sandwich has in its middle."""
    gradient: FloatArray
    """(P,), of the objective; 0 at its maximum."""


def information_of(rows: Rows, tangent: Tangent, prior: Prior) -> Information:
    """Take all information from one pass over the rows.

    Parameters
    ----------
    rows : Rows
        Those that the mixture was fitted to.
    tangent : Tangent
        The mixture, all its weights positive.
    prior : Prior
        That of the fit: the objective is the log-likelihood and its log density.

    Returns
    -------
    Information
        Sums, with row weights as counts of rows.
    """
    sums = _Sums(tangent)
    for tile, row_weights in _blocks(rows, tangent.n_parameters):
        sums.add(tile, row_weights)
    complete, within, gradient = sums.assembled()
    of_prior, slope = _of_prior(prior, tangent)
    return Information(
        tangent,
        sums.outer + of_prior,
        complete - within + sums.outer + of_prior,
        complete + of_prior,
        sums.outer,
        gradient + slope,
    )


class _Sums:
    """What is added up over rows."""

    def __init__(self, tangent: Tangent) -> None:
        mixture = tangent.mixture
        (n_components, n_features), n_parameters = mixture.means.shape, tangent.n_parameters
        self.tangent = tangent
        self.places = [tangent.places(k) for k in range(n_components)]
        n_own = len(self.places[0])
        # How a component's log weight moves with the weights that are free.
        self.log_weights = tangent.weight_basis / all_weights(mixture)[:, None]
        self.counts = np.zeros(len(self.log_weights))
        self.offsets = np.zeros((n_components, n_features))
        self.products = np.zeros((n_components, n_features, n_features))
        self.slopes = np.zeros((n_components, n_own))
        self.squares = np.zeros((n_components, n_own, n_own))
        self.outer = np.zeros((n_parameters, n_parameters))

    def add(self, tile: FloatArray, row_weights: FloatArray) -> None:
        """Add rows (n, D) with weights (n,)."""
        shares = self.tangent.mixture.shares(tile)
        scores = np.zeros((len(tile), len(self.outer)))
        scores[:, : self.tangent.n_free_weights] = shares @ self.log_weights
        self.counts += row_weights @ shares
        for k, own in enumerate(self.places):
            share = shares[:, k]
            # Rows of which a component has no share may be farther from it than squares can hold.
            z = np.where(share[:, None] > 0.0, self.tangent.whitened(tile, k), 0.0)
            gradients, weighted = self.tangent.gradients(z, k), row_weights * share
            self.offsets[k] += weighted @ z
            self.products[k] += (z * weighted[:, None]).T @ z
            self.slopes[k] += weighted @ gradients
            self.squares[k] += (gradients * weighted[:, None]).T @ gradients
            scores[:, own] += share[:, None] * gradients
        self.outer += (scores * row_weights[:, None]).T @ scores

    def assembled(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """-sum r C and sum r c c^T, (P, P), and the gradient (P,)."""
        free = self.tangent.n_free_weights
        complete, within = np.zeros(self.outer.shape), np.zeros(self.outer.shape)
        gradient = np.zeros(len(self.outer))
        complete[:free, :free] = within[:free, :free] = (self.log_weights.T * self.counts) @ self.log_weights
        gradient[:free] = self.counts @ self.log_weights
        for k, own in enumerate(self.places):
            square = np.ix_(own, own)
            complete[square] += self.tangent.curvature(k, self.counts[k], self.offsets[k], self.products[k])
            within[square] += self.squares[k]
            across = np.outer(self.log_weights[k], self.slopes[k])
            # Several components may have their covariances' parameters in common.
            within[:free, own] += across
            within[own, :free] += across.T
            gradient[own] += self.slopes[k]
        return complete, within, gradient


def _of_prior(prior: Prior, tangent: Tangent) -> tuple[FloatArray, FloatArray]:
    """Minus the second derivatives (P, P) of a prior's log density, and its gradient (P,)."""
    n_parameters, (n_components, n_features) = tangent.n_parameters, tangent.mixture.means.shape
    curvature, gradient = np.zeros((n_parameters, n_parameters)), np.zeros(n_parameters)
    pseudo_rows, pseudo_scatter = _pseudo(prior, tangent)
    for k in range(n_components):
        own = tangent.places(k)
        square, n_anchored, offsets, products = np.ix_(own, own), 0.0, np.zeros(n_features), pseudo_scatter[k]
        if (anchor := prior.anchor) is not None:
            z = tangent.whitened(anchor.place[None], k)[0]
            n_anchored, offsets = anchor.n_rows, anchor.n_rows * z
            products = products + anchor.n_rows * np.outer(z, z)
        curvature[square] += tangent.curvature(k, n_anchored, offsets, products)
        gradient[own] += tangent.slope(k, offsets, products - pseudo_rows * np.eye(n_features))
    return curvature, gradient


def inverse_information(information: Information, which: str) -> tuple[FloatArray, float]:
    """The inverse (P, P) of ``information.hessian`` or ``outer_product``, and how much of it there is.

    Returns
    -------
    inverse : (P, P) array
    share : float
        In the direction that the rows say least of, their information over that of rows whose components are
        known: about 1 for components far apart, near 0 where they overlap. It is 1 less the rate of EM.

    Raises
    ------
    FitError
        If it is not positive definite; the component that the trouble is about is named.
    """
    scale = 1.0 / np.sqrt(np.maximum(information.complete.diagonal(), np.finfo(np.float64).tiny))
    with np.errstate(over="ignore", invalid="ignore"):
        matrix = getattr(information, which) * scale[:, None] * scale
        complete = information.complete * scale[:, None] * scale
    if not (np.isfinite(matrix).all() and np.isfinite(complete).all()):
        raise FitError(f"{_WITHOUT} the rows are out of the range of numbers. {_INSTEAD}")
    try:
        shares, directions = eigh(matrix, complete, subset_by_index=[0, 0])
    except np.linalg.LinAlgError:
        # Not even rows of known components would tell.
        shares, directions = eigh(complete, subset_by_index=[0, 0])
        shares = np.minimum(np.abs(shares), FLAT_SHARE)
    if not shares[0] > FLAT_SHARE:
        raise FitError(_not_positive(information.tangent, float(shares[0]), directions[:, 0]))
    inverse = cho_solve(cho_factor(matrix, lower=True), np.eye(len(matrix)))
    return 0.5 * (inverse + inverse.T) * scale[:, None] * scale, float(shares[0])


_WITHOUT = "There are no standard errors from the information matrix:"
_INSTEAD = "Use fewer components or a simpler covariance; method='bootstrap' needs no such matrix."


def _not_positive(tangent: Tangent, share: float, direction: FloatArray) -> str:
    """Which component the direction is mostly about, and what is wrong along it."""
    free = tangent.n_free_weights
    own = [float((direction[tangent.places(k)] ** 2).sum()) for k in range(tangent.mixture.n_components)]
    own_weights = (tangent.weight_basis @ direction[:free]) ** 2
    k = int(np.argmax(np.array(own) + own_weights[: len(own)]))
    what = (
        "the objective still rises, so that the fit is no maximum (a saddle, or stopped early)"
        if share < -FLAT_SHARE
        else "the rows say nothing"
    )
    return f"{_WITHOUT} along a change of component {k + 1}'s parameters {what}. {_INSTEAD}"


def _blocks(rows: Rows, n_parameters: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Tiles in double precision with weights, cut to what scores leave memory for."""
    most = max(SCORES // n_parameters, 1)
    for tile, given in rows.tiles():
        weights = np.ones(len(tile)) if given is None else given
        for first in range(0, len(tile), most):
            cut = slice(first, first + most)
            yield np.asarray(tile[cut], dtype=np.float64), weights[cut]


def _pseudo(prior: Prior, tangent: Tangent) -> tuple[float, FloatArray]:
    """A prior's pseudo-rows for each component, and their scatter, whitened: (K, D, D)."""
    mixture = tangent.mixture
    (n_components, n_features), family = mixture.means.shape, mixture.family
    given = np.asarray(prior.pseudo_scatter(family, n_components), dtype=np.float64)
    if not given.any():
        return 0.0, np.zeros((n_components, n_features, n_features))
    if family.scatter is ScatterKind.FULL:
        written = given
    elif family.scatter is ScatterKind.POOLED:
        written = np.broadcast_to(given / n_components, (n_components, *given.shape))
    else:
        variances = given if family.scatter is ScatterKind.DIAGONAL else given[:, None] / n_features
        written = variances[:, :, None] * np.eye(n_features)
    whitened = tangent.whiteners @ written @ tangent.whiteners.transpose(0, 2, 1)
    return prior.pseudo_rows(family, n_components, n_features), whitened
