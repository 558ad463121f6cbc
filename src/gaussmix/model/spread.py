"""In which directions rows vary, and the units in which they vary by 1."""

import numpy as np

from gaussmix.kernels.contract import FloatArray

# Correlation eigenvalues below this (times D) cannot be told from rounding.
NO_SPREAD = 1e-13


def positive_scale(covariance: FloatArray, otherwise: FloatArray) -> FloatArray:
    """Standard deviations (D,), with ``otherwise`` (D,) for columns that are constant."""
    variances = np.diagonal(covariance)
    # Of a column a few roundings wide, rounding may make a variance less than 0.
    return np.where(variances > 0.0, np.sqrt(np.maximum(variances, 0.0)), otherwise)


def spreadless_directions(covariance: FloatArray) -> FloatArray:
    """Unit directions, in standardised columns, along which rows with this covariance do not vary.

    Parameters
    ----------
    covariance : (D, D) array
        Of all rows.

    Returns
    -------
    (D, M) array
        M = 0 for rows in general position.
    """
    eigenvalues, directions, _ = _axes(covariance)
    flat: FloatArray = directions[:, eigenvalues <= NO_SPREAD * len(eigenvalues)]
    return flat


def whitener(covariance: FloatArray) -> FloatArray:
    """W (D, M) that makes the covariance of x W the identity; M < D where rows lie in a subspace."""
    eigenvalues, directions, scale = _axes(covariance)
    kept = eigenvalues > NO_SPREAD * len(eigenvalues)
    result: FloatArray = directions[:, kept] / np.sqrt(eigenvalues[kept]) / scale[:, None]
    return result


def longest_axis(covariance: FloatArray) -> FloatArray:
    """One standard deviation along the direction that explains most of the standardised rows: (D,)."""
    eigenvalues, directions, scale = _axes(covariance)
    axis: FloatArray = scale * directions[:, -1] * np.sqrt(eigenvalues[-1])
    return axis


def _axes(covariance: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Eigenvalues (D,) rising, directions (D, D) of the correlation, and the columns' scales (D,)."""
    scale = positive_scale(covariance, np.ones(covariance.shape[0]))
    eigenvalues, directions = np.linalg.eigh(covariance / scale[:, None] / scale)
    return eigenvalues, directions, scale
