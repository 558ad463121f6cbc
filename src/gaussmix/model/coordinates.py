"""A mixture as one vector without constraints: log weights, means, and its covariances' coordinates."""

import numpy as np

from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FloatArray
from gaussmix.model.mixture import Mixture


def coordinates(mixture: Mixture) -> FloatArray:
    """Where a mixture is, (K + K D + Q,): log weights, means, and what the family makes of covariances.

    All weights must be positive.

    Raises
    ------
    numpy.linalg.LinAlgError
        If rounding has left a covariance without a root.
    """
    spread = mixture.family.coordinates(mixture.covariances)
    return np.concatenate([np.log(mixture.weights), mixture.means.ravel(), spread])


def mixture_at(place: FloatArray, like: Mixture) -> Mixture:
    """The mixture at coordinates (K + K D + Q,), of the shape and family of another.

    Raises
    ------
    DegenerateComponentError
        If there is no mixture of finite numbers there.
    """
    n_components, n_features = like.means.shape
    first, last = n_components, n_components * (1 + n_features)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        shares = np.exp(place[:first] - place[:first].max())
        covariances = like.family.from_coordinates(place[last:], like.covariances, n_features)
    means = place[first:last].reshape(n_components, n_features)
    if not (np.isfinite(place).all() and np.isfinite(covariances).all() and shares.min() > 0.0):
        raise DegenerateComponentError(None, "has left the range of numbers")
    return Mixture(shares / shares.sum(), means, covariances, like.family)


def informed(mixture: Mixture, counts: FloatArray, changes: FloatArray) -> FloatArray:
    """Changes of coordinates (m, K + K D + Q), scaled so that their squared length is their information.

    Parameters
    ----------
    mixture : Mixture
        Where the changes are small.
    counts : (K,) array
        N_k, the rows of each component.
    changes : (m, K + K D + Q) array

    Returns
    -------
    (m, K + K D + Q) array
        Their inner products are those of the Fisher information of rows whose components are known:
        N_k of dlog w_k about its mean, N_k Sigma_k^-1 of dmu_k, and the family's of covariances.
        No change of the features' units alters it.
    """
    n_components, n_features = mixture.means.shape
    first, last = n_components, n_components * (1 + n_features)
    roots = np.sqrt(counts)
    scaled = np.empty_like(changes)
    scaled[:, :first] = (changes[:, :first] - changes[:, :first] @ mixture.weights[:, None]) * roots
    steps = changes[:, first:last].reshape(-1, n_components, n_features)
    whitened = mixture.family.whitened_steps(mixture.precision_factors, steps) * roots[:, None]
    scaled[:, first:last] = whitened.reshape(len(changes), -1)
    scaled[:, last:] = mixture.family.informed(
        mixture.precision_factors, counts, changes[:, last:], n_features
    )
    return scaled
