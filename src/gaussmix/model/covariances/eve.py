"""Components have one size and orientation, each its own shape."""

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.axes import axes_of, common_axes, spreads_along, turned
from gaussmix.model.covariances.full import Full
from gaussmix.model.covariances.shapes import own_shapes


class EVE(Full):
    """lambda D A_k D^T (Browne and McNicholas 2014): the common axes by rotations, to convergence."""

    name = mclust_name = "EVE"
    words = "all components have one volume and orientation; each has its own shape"
    free = False

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        begun = None if current is None else axes_of(current)
        axes = common_axes(scatter, counts, begun, equal_volumes=True)
        sizes, shapes = own_shapes(spreads_along(scatter, axes))
        return turned(sizes.sum() / counts.sum() * shapes, axes)
