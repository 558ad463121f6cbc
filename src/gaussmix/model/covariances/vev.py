"""Components have one shape, each its own size and orientation."""

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.axes import own_axes, turned
from gaussmix.model.covariances.full import Full
from gaussmix.model.covariances.shapes import common_shape, log_determinants_of


class VEV(Full):
    """lambda_k D_k A D_k^T (Celeux and Govaert 1995, model 5)."""

    name = mclust_name = "VEV"
    words = "each component has its own volume and orientation; all have one shape"
    free = False

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        spreads, axes = own_axes(scatter)
        begun = None if current is None else np.exp(log_determinants_of(current) / n_features)
        volumes, shape = common_shape(spreads, counts, begun)
        return turned(volumes[:, None] * shape, axes)
