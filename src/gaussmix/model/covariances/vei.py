"""Components are axis-parallel, of one shape, each of its own size."""

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.diag import Diag
from gaussmix.model.covariances.shapes import common_shape, volumes_of


class VEI(Diag):
    """lambda_k A (Celeux and Govaert 1995, model 2): volumes and the shape in turn, to convergence."""

    name = mclust_name = "VEI"
    words = "each component has its own volume; all have one shape, without correlation"
    free = False

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        volumes, shape = common_shape(scatter, counts, None if current is None else volumes_of(current))
        return volumes[:, None] * shape
