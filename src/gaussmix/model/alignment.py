"""Which component of one mixture is which of another."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gaussmix.errors import SettingsError
from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.full import Full
from gaussmix.model.mixture import Mixture

# Components farther apart than this are all as far: no overlap is left, and costs stay finite.
FARTHEST = 1e300


def aligned(mixture: Mixture, to: Mixture) -> NDArray[np.intp]:
    """Say which component of a mixture stands for each component of another.

    The assignment that is cheapest in all (Hungarian method), where a pair costs log(1 + B) and B is
    Bhattacharyya's distance between the two components with their weights. No change of the features'
    units alters B, and it still tells far from farther where the overlap itself, Hellinger's, is zero. The
    logarithm has one component that went elsewhere not push the others out of their places.

    Parameters
    ----------
    mixture : Mixture
        Of K components.
    to : Mixture
        Of L components in the same features.

    Returns
    -------
    (L,) array of int
        For each component of ``to`` the one of ``mixture``, counted from 0, or -1 where K < L leaves none;
        where K = L, ``mixture.permuted(order)`` has its components in the order of ``to``. Where K > L, those
        of ``mixture`` that are not named have no counterpart. Noise has no part in it.

    Raises
    ------
    SettingsError
        If the mixtures differ in their number of features.
    """
    apart = bhattacharyya_distances(to, mixture) + _weights_apart(to.weights, mixture.weights)
    rows, columns = linear_sum_assignment(np.log1p(np.minimum(apart, FARTHEST)))
    order = np.full(to.n_components, -1, dtype=np.intp)
    order[rows] = columns
    return order


def bhattacharyya_distances(one: Mixture, other: Mixture) -> FloatArray:
    """Bhattacharyya's distances between the components of two mixtures, without their weights.

    -log of the integral of sqrt(f g) (Bhattacharyya, Bull. Calcutta Math. Soc. 35 (1943) 99), which is
    1/8 d^T M^-1 d + 1/2 log(|M| / sqrt(|Sigma_f| |Sigma_g|)) with d between the means and M the covariances'
    average. It is computed in the coordinates where Sigma_f is the identity and Sigma_g is diagonal, so that
    neither far means nor odd units cost digits, and equal components are at a distance of exactly 0 or of
    rounding's square.

    Parameters
    ----------
    one, other : Mixture
        Of K and L components.

    Returns
    -------
    (K, L) array
        In nats, from 0 for equal components to infinity.

    Raises
    ------
    SettingsError
        If the mixtures differ in their number of features.
    """
    if one.n_features != other.n_features:
        raise SettingsError(
            f"mixtures of {one.n_features} and of {other.n_features} features have no components in common"
        )
    factors, others = _full_factors(one), _full_factors(other)
    distances = np.empty((one.n_components, other.n_components))
    for k, factor in enumerate(factors):
        # Sigma_g in the first component's coordinates is R^T R.
        _, lengths, axes = np.linalg.svd(np.linalg.solve(others, np.broadcast_to(factor, others.shape)))
        with np.errstate(over="ignore"):
            steps = np.einsum("ld,de,lfe->lf", other.means - one.means[k], factor, axes)
            means_apart = (steps**2 / (1.0 + lengths**2)).sum(axis=1) / 4.0
            # log((1 + l^2) / (2 l)), with all its digits where l is nearly 1.
            shapes_apart = 0.5 * np.log1p((lengths - 1.0) ** 2 / (2.0 * lengths)).sum(axis=1)
        distances[k] = means_apart + shapes_apart
    return distances


def hellinger_distances(one: Mixture, other: Mixture) -> FloatArray:
    """Hellinger's distances between the components of two mixtures, without their weights.

    sqrt(1 - integral of sqrt(f g)): 0 for equal components, 1 for such as have nothing in common.

    Parameters
    ----------
    one, other : Mixture
        Of K and L components in the same features.

    Returns
    -------
    (K, L) array
        Without units.
    """
    distances: FloatArray = np.sqrt(-np.expm1(-bhattacharyya_distances(one, other)))
    return distances


def _weights_apart(weights: FloatArray, others: FloatArray) -> FloatArray:
    """What different weights add to Bhattacharyya's distance, (K, L): log of arithmetic over geometric mean.

    The distance of w f and v g is then -log of what they share, of the mean of their masses.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.sqrt(others / weights[:, None])
        apart = np.log1p((ratios - 1.0) ** 2 / (2.0 * ratios))
    # Two that are empty are alike.
    both_empty = (weights[:, None] == 0.0) & (others == 0.0)
    found: FloatArray = np.where(both_empty, 0.0, np.where(np.isnan(apart), np.inf, apart))
    return found


def _full_factors(mixture: Mixture) -> FloatArray:
    """Precision factors written out: (K, D, D)."""
    return Full().precision_factors(mixture.matrices)
