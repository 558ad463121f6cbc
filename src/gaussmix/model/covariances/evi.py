"""Components are axis-parallel, of one size, each of its own shape."""

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.diag import Diag
from gaussmix.model.covariances.shapes import own_shapes


class EVI(Diag):
    """lambda A_k (Celeux and Govaert 1995, model 3)."""

    name = mclust_name = "EVI"
    words = "all components have one volume; each has its own shape, without correlation"
    free = False

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        sizes, shapes = own_shapes(scatter)
        return np.asarray(sizes.sum() / counts.sum() * shapes)
