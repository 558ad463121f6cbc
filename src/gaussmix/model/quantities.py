"""What people ask of a mixture's parameters, and how small changes of those change it."""

from typing import NamedTuple

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.mixture import Mixture
from gaussmix.model.tangent import Tangent, matrices_of


class Quantities(NamedTuple):
    """Numbers that describe a mixture, or one number for each of them such as its standard error."""

    weights: FloatArray
    """(K,)."""
    means: FloatArray
    """(K, D), in units of the data."""
    covariances: FloatArray
    """(K, D, D), written out, in squared units."""
    standard_deviations: FloatArray
    """(K, D)."""
    correlations: FloatArray
    """(K, D, D)."""
    volumes: FloatArray
    """(K,), geometric mean of the variances along the axes, in squared units."""
    noise: FloatArray
    """(1,), its weight; (0,) where there is none."""


def quantities_of(mixture: Mixture) -> Quantities:
    """The numbers that describe a mixture."""
    matrices, n_features = mixture.matrices, mixture.n_features
    deviations = np.sqrt(np.einsum("kii->ki", matrices))
    correlations = matrices / deviations[:, :, None] / deviations[:, None, :]
    np.einsum("kii->ki", correlations)[...] = 1.0
    return Quantities(
        mixture.weights,
        mixture.means,
        matrices,
        deviations,
        np.clip(correlations, -1.0, 1.0),
        np.exp(-2.0 / n_features * mixture.log_determinants),
        np.empty(0) if mixture.noise is None else np.array([mixture.noise.weight]),
    )


def standard_errors(tangent: Tangent, covariance: FloatArray) -> Quantities:
    """Standard errors of all quantities, by the delta method.

    Parameters
    ----------
    tangent : Tangent
        Where the parameters are.
    covariance : (P, P) array
        Of their estimates.

    Returns
    -------
    Quantities
        One standard error for each; 0 for what is given, as the weight of a single component.
    """
    mixture = tangent.mixture
    (n_components, n_features), found = mixture.means.shape, quantities_of(mixture)
    free = tangent.n_free_weights
    weights = _deviations(tangent.weight_basis, covariance[:free, :free])
    means = np.empty(mixture.means.shape)
    spreads = np.zeros(found.covariances.shape)
    correlations = np.zeros(found.covariances.shape)
    volumes = np.empty(n_components)
    for k, deviations in enumerate(found.standard_deviations):
        places = tangent.places(k)
        own = covariance[np.ix_(places, places)]
        # A row of L in its feature's standard deviations, so that no unit is squared.
        root = tangent.roots[k] / deviations[:, None]
        means[k] = _deviations(root, own[:n_features, :n_features]) * deviations
        own = own[n_features:, n_features:]
        volumes[k] = found.volumes[k] * _deviations(tangent.traces(k)[None] / n_features, own)[0]
        if tangent.diagonal:
            np.einsum("ii->i", spreads[k])[...] = _deviations(tangent.bases[k], own) * deviations**2
            continue
        changes = np.moveaxis(matrices_of(tangent.bases[k].T, n_features), 0, -1)
        halfway = np.einsum("jb,abr->jar", root, changes)
        alone = np.einsum("ja,jar->jr", root, halfway)
        for i in range(n_features):
            with_others = np.einsum("a,jar->jr", root[i], halfway)
            spreads[k, i] = _deviations(with_others, own) * deviations[i] * deviations
            ratios = with_others - 0.5 * found.correlations[k, i][:, None] * (alone[i] + alone)
            correlations[k, i] = _deviations(ratios, own)
            correlations[k, i, i] = 0.0
    variances = np.einsum("kii->ki", spreads)
    return Quantities(
        weights[:n_components],
        means,
        spreads,
        0.5 * variances / found.standard_deviations,
        correlations,
        volumes,
        weights[n_components:],
    )


def _deviations(jacobian: FloatArray, covariance: FloatArray) -> FloatArray:
    """Square roots of the diagonal of J V J^T, for J (m, P): (m,)."""
    variances = np.einsum("mp,mp->m", jacobian @ covariance, jacobian)
    return np.asarray(np.sqrt(np.maximum(variances, 0.0)))
