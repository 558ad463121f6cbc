"""Covariances taken apart: lambda_k D_k A_k D_k^T, volume, shape and orientation."""

from typing import NamedTuple

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.axes import axes_of
from gaussmix.model.mixture import Mixture


class Parts(NamedTuple):
    """What the three letters of a covariance model speak of (Banfield and Raftery 1993)."""

    volumes: FloatArray
    """lambda_k, (K,): geometric mean of the variances along the axes, in squared units of the data."""
    shapes: FloatArray
    """A_k, (K, D): variances along the axes, divided by the volume; their product is 1."""
    orientations: FloatArray
    """D_k, (K, D, D): the axes, of length 1, as columns."""


def parts_of(mixture: Mixture) -> Parts:
    """Volumes, shapes and orientations of a mixture's covariances.

    Axes stand by falling variance (of the first component, where all share them); where the model
    knows no orientation they are the features, in the features' order.
    """
    matrices, (n_components, n_features) = mixture.matrices, mixture.means.shape
    if not mixture.family.sees_correlation:
        axes = np.tile(np.eye(n_features), (n_components, 1, 1))
    elif mixture.family.one_orientation:
        # A component without rows keeps what it had, and has no say.
        live = matrices[mixture.weights > 0.0] if mixture.weights.any() else matrices
        common = axes_of(live)
        falling = np.argsort(-np.einsum("ij,ik,kj->j", common, live[0], common), kind="stable")
        axes = np.tile(common[:, falling], (n_components, 1, 1))
    else:
        axes = np.linalg.eigh(matrices)[1][:, :, ::-1]
    # An axis has no direction: each points to where its largest entry is positive.
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None, :], axis=1)
    axes = axes * np.where(largest < 0.0, -1.0, 1.0)
    variances = np.einsum("kij,kil,klj->kj", axes, matrices, axes)
    volumes = np.exp(np.log(variances).mean(axis=1))
    return Parts(volumes, variances / volumes[:, None], axes)
