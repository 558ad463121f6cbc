"""Components have one size, each its own shape and orientation."""

import numpy as np

from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.full import Full
from gaussmix.model.covariances.shapes import NO_SPREAD_ALONG, log_determinants_of


class EVV(Full):
    """lambda C_k with |C_k| = 1 (Celeux and Govaert 1995, model 4)."""

    name = mclust_name = "EVV"
    words = "all components have one volume; each has its own shape and orientation"
    free = False

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        log_determinants = log_determinants_of(scatter)
        flat = np.isnan(log_determinants)
        if flat.any():
            raise DegenerateComponentError(int(np.argmax(flat)), NO_SPREAD_ALONG)
        sizes = np.exp(log_determinants / n_features)
        with np.errstate(over="ignore"):
            matrices = (sizes.sum() / counts.sum() / sizes)[:, None, None] * scatter
        if not np.isfinite(matrices).all():
            raise DegenerateComponentError(int(np.argmin(sizes)), "has no spread left")
        return np.asarray(0.5 * (matrices + matrices.transpose(0, 2, 1)))
