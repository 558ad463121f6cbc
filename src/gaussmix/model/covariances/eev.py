"""Components have one size and shape, each its own orientation."""

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.axes import own_axes, turned
from gaussmix.model.covariances.full import Full
from gaussmix.model.covariances.shapes import refuse_flat


class EEV(Full):
    """lambda D_k A D_k^T (Celeux and Govaert 1995, model 6)."""

    name = mclust_name = "EEV"
    words = "all components have one volume and shape; each has its own orientation"
    free = False

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        spreads, axes = own_axes(scatter)
        variances = spreads.sum(axis=0, keepdims=True) / counts.sum()
        refuse_flat(variances)
        return turned(np.tile(variances, (len(counts), 1)), axes)
