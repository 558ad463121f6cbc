"""Components have one orientation, each its own size and shape."""

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.axes import axes_of, common_axes, spreads_along, turned
from gaussmix.model.covariances.full import Full


class VVE(Full):
    """lambda_k D A_k D^T (Flury 1984; Browne and McNicholas 2014): common principal components."""

    name = mclust_name = "VVE"
    words = "each component has its own volume and shape; all have one orientation"
    free = False

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        begun = None if current is None else axes_of(current)
        axes = common_axes(scatter, counts, begun, equal_volumes=False)
        return turned(spreads_along(scatter, axes) / counts[:, None], axes)
