"""Orientations of covariances lambda_k D_k A_k D_k^T: each component's own, or one for all.

The columns of D are the axes of the ellipses.
"""

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.shapes import refuse_flat

# Rounds of rotations, and the gain in nats a row at which the axes have come to rest.
MOST_ROUNDS, AT_REST = 1000, 1e-13
# No pair of axes turns further than this at a time, in radians.
LARGEST_TURN = 0.5
TINY = float(np.finfo(np.float64).tiny)
# How often a round that leads downhill is halved before the axes are kept.
HALVINGS = 30


def own_axes(scatter: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Spreads (K, D), rising, along each component's own axes (K, D, D), of scatters (K, D, D)."""
    spreads, axes = np.linalg.eigh(scatter)
    return spreads, axes


def turned(variances: FloatArray, axes: FloatArray) -> FloatArray:
    """Covariances (K, D, D) with variances (K, D) along axes (D, D) or (K, D, D)."""
    matrices = (axes * variances[:, None, :]) @ np.swapaxes(axes, -1, -2)
    symmetric: FloatArray = 0.5 * (matrices + matrices.transpose(0, 2, 1))
    return symmetric


def spreads_along(scatter: FloatArray, axes: FloatArray) -> FloatArray:
    """The scatters (K, D, D) along axes (D, D): (K, D)."""
    spreads: FloatArray = np.einsum("ij,kij->kj", axes, scatter @ axes)
    return spreads


def axes_of(covariances: FloatArray) -> FloatArray:
    """The axes (D, D) that all of the covariances (K, D, D) share."""
    sizes = np.einsum("kii->k", covariances)
    # Unequal parts, so that axes which differ in any of the matrices differ in their sum.
    parts = 1.0 / np.sqrt(np.arange(2.0, len(covariances) + 2.0))
    axes: FloatArray = np.linalg.eigh(np.einsum("k,kij->ij", parts / sizes, covariances))[1]
    return axes


def common_axes(
    scatter: FloatArray, counts: FloatArray, begun: FloatArray | None, equal_volumes: bool
) -> FloatArray:
    """The axes (D, D) under which covariances that share them are likeliest.

    Parameters
    ----------
    scatter : (K, D, D) array
        N_k S_k.
    counts : (K,) array
    begun : (D, D) array or None
        Where to begin; there are local optima, and the one uphill of here is found. None begins with
        the best of the axes of the components and of their sum.
    equal_volumes : bool
        Whether all components have one volume (EVE), or each its own (VVE).

    Returns
    -------
    (D, D) array

    Raises
    ------
    DegenerateComponentError
        If a component has no spread along one of the axes.

    Notes
    -----
    With variances at their best, what is to be minimised is sum_k N_k sum_j log s_kj for VVE (Flury,
    Journal of the American Statistical Association 79 (1984) 892), and n D log sum_k (prod_j s_kj)^(1/D)
    for EVE, with s_kj = d_j^T W_k d_j. All pairs of axes turn at once, each by Newton's angle with the
    variances held; a round that leads uphill is halved until it does not. docs/adr/0010 compares this
    with the majorisation of Browne and McNicholas, Advances in Data Analysis and Classification 8
    (2014) 217.
    """
    if begun is None:
        candidates = [np.linalg.eigh(scatter.sum(axis=0))[1], *own_axes(scatter)[1]]
        heights = [_height(scatter, counts, axes, equal_volumes) for axes in candidates]
        begun = candidates[int(np.argmin(heights))]
    axes, n_rows = begun, float(counts.sum())
    within = axes.T @ scatter @ axes
    height = height_of(np.einsum("kii->ki", within), counts, equal_volumes)
    for _ in range(MOST_ROUNDS):
        spreads = np.einsum("kii->ki", within)
        refuse_flat(spreads)
        angles, gain = _angles(within, spreads, _masses(spreads, counts, equal_volumes))
        if gain <= AT_REST * n_rows:
            break
        for _ in range(HALVINGS):
            moved = axes @ _rotation(angles)
            turned_scatter = moved.T @ scatter @ moved
            lower = height_of(np.einsum("kii->ki", turned_scatter), counts, equal_volumes)
            if lower < height:
                break
            angles = 0.5 * angles
        else:
            break
        axes, within, height = moved, turned_scatter, lower
    return axes


def _height(scatter: FloatArray, counts: FloatArray, axes: FloatArray, equal_volumes: bool) -> float:
    return height_of(spreads_along(scatter, axes), counts, equal_volumes)


def height_of(spreads: FloatArray, counts: FloatArray, equal_volumes: bool) -> float:
    """What is to be minimised, given spreads (K, D) along the axes; infinite where one is not positive."""
    if not (spreads > 0.0).all():
        return np.inf
    logs = np.log(spreads)
    if not equal_volumes:
        return float(counts @ logs.sum(axis=1))
    sizes = logs.mean(axis=1)
    most = sizes.max()
    return float(counts.sum() * spreads.shape[1] * (most + np.log(np.exp(sizes - most).sum())))


def _masses(spreads: FloatArray, counts: FloatArray, equal_volumes: bool) -> FloatArray:
    """How much each component's shape counts: N_k, or n times its share of all volumes: (K,)."""
    if not equal_volumes:
        return counts
    sizes = np.log(spreads).mean(axis=1)
    shares = np.exp(sizes - sizes.max())
    masses: FloatArray = counts.sum() * shares / shares.sum()
    return masses


def _angles(within: FloatArray, spreads: FloatArray, masses: FloatArray) -> tuple[FloatArray, float]:
    """Newton's angle for each pair of axes (D, D), skew-symmetric, and the gain that it promises."""
    # Of weights only their ratios matter to an angle; times spreads they may leave the range of floats.
    n_rows = masses.sum()
    masses, inverse = masses / n_rows, 1.0 / spreads
    apart = inverse[:, :, None] - inverse[:, None, :]
    slopes = 2.0 * np.einsum("k,kij,kij->ij", masses, within, apart)
    wider = spreads[:, None, :] - spreads[:, :, None]
    bends = 2.0 * np.einsum("k,kij,kij->ij", masses, wider, apart)
    steepest = np.abs(slopes) / LARGEST_TURN
    angles: FloatArray = slopes / np.maximum(np.maximum(bends, steepest), TINY)
    return angles, 0.25 * float((slopes * angles).sum() * n_rows)


def _rotation(angles: FloatArray) -> FloatArray:
    """The orthogonal matrix I + X + O(X^2) (Cayley's) of skew-symmetric X, angles (D, D)."""
    half = 0.5 * angles
    identity = np.eye(len(angles))
    rotation = np.linalg.solve(identity - half, identity + half)
    # Rounding adds up over thousands of steps unless it is taken out each time.
    q, r = np.linalg.qr(rotation)
    return np.asarray(q * np.sign(np.einsum("ii->i", r)))
