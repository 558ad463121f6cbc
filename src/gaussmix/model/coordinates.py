"""A mixture as one vector without constraints: log weights, means, and its covariances' coordinates."""

from dataclasses import replace

import numpy as np

from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FloatArray
from gaussmix.model.mixture import Mixture


def coordinates(mixture: Mixture) -> FloatArray:
    """Where a mixture is, (W + K D + Q,): log weights, means, and what the family makes of covariances.

    W is K, or K + 1 with noise. All weights must be positive.

    Raises
    ------
    numpy.linalg.LinAlgError
        If rounding has left a covariance without a root.
    """
    spread = mixture.family.coordinates(mixture.covariances)
    return np.concatenate([np.log(all_weights(mixture)), mixture.means.ravel(), spread])


def all_weights(mixture: Mixture) -> FloatArray:
    """The components' weights, and last the noise's if there is any: (W,)."""
    return mixture.weights if mixture.noise is None else np.append(mixture.weights, mixture.noise.weight)


def mixture_at(place: FloatArray, like: Mixture) -> Mixture:
    """The mixture at coordinates (W + K D + Q,), of the shape and family of another.

    Raises
    ------
    DegenerateComponentError
        If there is no mixture of finite numbers there.
    """
    n_components, n_features = like.means.shape
    first = len(all_weights(like))
    last = first + n_components * n_features
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        shares = np.exp(place[:first] - place[:first].max())
        covariances = like.family.from_coordinates(place[last:], like.covariances, n_features)
    means = place[first:last].reshape(n_components, n_features)
    if not (np.isfinite(place).all() and np.isfinite(covariances).all() and shares.min() > 0.0):
        raise DegenerateComponentError(None, "has left the range of numbers")
    weights = shares / shares.sum()
    noise = None if like.noise is None else replace(like.noise, weight=float(weights[-1]))
    return replace(like, weights=weights[:n_components], means=means, covariances=covariances, noise=noise)


def informed(mixture: Mixture, counts: FloatArray, changes: FloatArray) -> FloatArray:
    """Changes of coordinates (m, W + K D + Q), scaled so that their squared length is their information.

    Parameters
    ----------
    mixture : Mixture
        Where the changes are small.
    counts : (K,) array
        N_k, the rows of each component.
    changes : (m, W + K D + Q) array

    Returns
    -------
    (m, W + K D + Q) array
        Their inner products are those of the Fisher information of rows whose components are known:
        N_k of dlog w_k about its mean, N_k Sigma_k^-1 of dmu_k, and the family's of covariances.
        No change of the features' units alters it.
    """
    n_components, n_features = mixture.means.shape
    weights = all_weights(mixture)
    first = len(weights)
    last = first + n_components * n_features
    roots = np.sqrt(counts)
    # Noise has as many rows for its weight as the components have for theirs.
    all_roots = roots if mixture.noise is None else np.sqrt(weights * counts.sum() / mixture.weights.sum())
    scaled = np.empty_like(changes)
    scaled[:, :first] = (changes[:, :first] - changes[:, :first] @ weights[:, None]) * all_roots
    steps = changes[:, first:last].reshape(-1, n_components, n_features)
    whitened = mixture.family.whitened_steps(mixture.precision_factors, steps) * roots[:, None]
    scaled[:, first:last] = whitened.reshape(len(changes), -1)
    scaled[:, last:] = mixture.family.informed(
        mixture.precision_factors, counts, changes[:, last:], n_features
    )
    return scaled
