"""All components have the same variances, and no correlation."""

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.diag import Diag


class EEI(Diag):
    """lambda A (Celeux and Govaert 1995, model 1)."""

    name = mclust_name = "EEI"
    words = "all components share one variance along each feature, without correlation"

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        return np.tile(scatter.sum(axis=0) / counts.sum(), (len(counts), 1))
