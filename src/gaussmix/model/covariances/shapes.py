"""Volumes and shapes of covariances lambda_k D_k A_k D_k^T: lambda^D the determinant, |A| = 1.

What several families have to solve, in the axes of the components: ``spreads`` (K, D) are the scatter
along each axis, of all the rows of a component.
"""

import numpy as np

from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.contract import SMALLEST

# Rounds of a formula that is iterated, and the relative change at which it has come to rest.
MOST_ROUNDS, AT_REST = 1000, 1e-14


# A spread is none if it is below this share of the component's largest.
VANISHING = 1e-100
NO_SPREAD_ALONG = "has no spread left along one of its axes"


def volumes_of(variances: FloatArray) -> FloatArray:
    """lambda_k, the geometric means of variances along the axes (K, D): (K,)."""
    volumes: FloatArray = np.exp(np.log(variances).mean(axis=1))
    return volumes


def log_determinants_of(matrices: FloatArray) -> FloatArray:
    """Log determinants of covariances or scatters (..., D, D); NaN where one is not positive definite.

    Of their correlations: elimination in the matrix itself loses digits where columns have other units.
    """
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        scales = np.sqrt(np.einsum("...ii->...i", matrices))
        signs, logs = np.linalg.slogdet(matrices / scales[..., :, None] / scales[..., None, :])
        found: FloatArray = logs + 2.0 * np.log(scales).sum(axis=-1)
    return np.where((signs > 0.0) & np.isfinite(found), found, np.nan)


def own_shapes(spreads: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Geometric means (K,) of spreads (K, D), and shapes (K, D) of product 1.

    Raises
    ------
    DegenerateComponentError
        If a component has no spread along some axis.
    """
    refuse_flat(spreads)
    sizes = volumes_of(spreads)
    return sizes, spreads / sizes[:, None]


def common_shape(
    spreads: FloatArray, counts: FloatArray, volumes: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """The volumes (K,) and the one shape (D,) that make spreads likeliest.

    They minimise sum_k [N_k D log lambda_k + sum_j s_kj / (lambda_k A_j)].

    Parameters
    ----------
    spreads : (K, D) array
    counts : (K,) array
    volumes : (K,) array or None
        Where to begin; each round of volumes given the shape, and the shape given them, is no higher.

    Notes
    -----
    Celeux and Govaert, Pattern Recognition 28 (1995) 781, models lambda_k B and lambda_k D_k A D_k^T.
    """
    n_features = spreads.shape[1]
    if volumes is None:
        volumes = spreads.mean(axis=1) / counts
    for _ in range(MOST_ROUNDS):
        refuse_vanished(volumes)
        total = (spreads / volumes[:, None]).sum(axis=0)
        refuse_flat(total[None])
        shape = total / volumes_of(total[None])[0]
        before, volumes = volumes, (spreads / shape).sum(axis=1) / (n_features * counts)
        if (np.abs(volumes - before) <= AT_REST * volumes).all():
            break
    return volumes, shape


def refuse_vanished(volumes: FloatArray) -> None:
    """Refuse volumes (K,) that are not all positive, naming the component.

    Raises
    ------
    DegenerateComponentError
    """
    if not (volumes > 0.0).all():
        raise DegenerateComponentError(int(np.argmin(volumes)), "has no spread left")


def refuse_flat(spreads: FloatArray) -> None:
    """Refuse spreads (K, D) that are not all positive and finite, naming the component if there are several.

    Raises
    ------
    DegenerateComponentError
    """
    # Beyond such a ratio squares and quotients of spreads leave the range of floats.
    least = np.maximum(VANISHING * spreads.max(axis=1, keepdims=True), SMALLEST)
    wrong = ~((spreads > least) & (spreads < np.inf)).all(axis=1)
    if wrong.any():
        raise DegenerateComponentError(int(np.argmax(wrong)) if len(spreads) > 1 else None, NO_SPREAD_ALONG)
