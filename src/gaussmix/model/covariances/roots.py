"""Coordinates of covariances in which every point is a covariance: log-Cholesky roots.

L with L L^T = Sigma, its diagonal by its logarithm (Pinheiro and Bates, Statistics and Computing 6
(1996) 289). A stack of M matrices is (M, Q) with Q = D (D + 1) / 2: D logs, then what is below.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from gaussmix.kernels.contract import FloatArray


@cache
def _below(n_features: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the entries below the diagonal."""
    return np.tril_indices(n_features, -1)


def log_roots(matrices: FloatArray) -> FloatArray:
    """Coordinates (M, Q) of positive definite matrices (M, D, D)."""
    n_features = matrices.shape[-1]
    if n_features == 1:
        return 0.5 * np.log(matrices[:, 0])
    # The scale is taken out first: columns of scale 1e-12 and 1e12 are then equally safe.
    scales = np.sqrt(np.einsum("mii->mi", matrices))
    roots = np.linalg.cholesky(matrices / scales[:, :, None] / scales[:, None, :])
    rows, columns = _below(n_features)
    # Of strided numbers NumPy's logarithms may have other last bits at another address (seen with 1.26).
    logs = np.log(np.einsum("mii->mi", roots).copy()) + np.log(scales)
    return np.concatenate([logs, roots[:, rows, columns] * scales[:, rows]], axis=1)


def from_log_roots(coordinates: FloatArray, n_features: int) -> FloatArray:
    """The matrices (M, D, D) at coordinates (M, Q)."""
    if n_features == 1:
        variances: FloatArray = np.exp(2.0 * coordinates)[:, :, None]
        return variances
    roots = np.zeros((len(coordinates), n_features, n_features))
    rows, columns = _below(n_features)
    roots[:, rows, columns] = coordinates[:, n_features:]
    np.einsum("mii->mi", roots)[...] = np.exp(coordinates[:, :n_features])
    matrices: FloatArray = roots @ roots.transpose(0, 2, 1)
    return matrices


def informed_changes(factors: FloatArray, counts: FloatArray, changes: FloatArray) -> FloatArray:
    """Changes (m, M, Q) of coordinates, scaled to the information of ``counts`` (M,) rows: (m, M, Q).

    With X = L^-1 dL, which is lower triangular, dSigma = L (X + X^T) L^T, and the information of one
    row is 1/2 tr (X + X^T)^2 = 2 sum_i X_ii^2 + sum_{i>j} X_ij^2. ``factors`` (M, D, D) are L^-T.
    """
    n_features = factors.shape[-1]
    if n_features == 1:
        scaled: FloatArray = changes * np.sqrt(2.0 * counts)[:, None]
        return scaled
    rows, columns = _below(n_features)
    differentials = np.zeros((*changes.shape[:2], n_features, n_features))
    differentials[:, :, rows, columns] = changes[:, :, n_features:]
    diagonals = np.einsum("mii->mi", factors)
    np.einsum("smii->smi", differentials)[...] = changes[:, :, :n_features] / diagonals
    differentials = factors.transpose(0, 2, 1) @ differentials
    below = differentials[:, :, rows, columns]
    return (
        np.concatenate([np.sqrt(2.0) * changes[:, :, :n_features], below], axis=2) * np.sqrt(counts)[:, None]
    )
