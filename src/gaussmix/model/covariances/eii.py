"""All components are spheres of one size."""

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.spherical import Spherical


class EII(Spherical):
    """lambda I (Celeux and Govaert 1995, model 7)."""

    name = mclust_name = "EII"
    words = "all components are spheres of one volume"

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        return np.full(len(counts), scatter.sum() / (n_features * counts.sum()))
