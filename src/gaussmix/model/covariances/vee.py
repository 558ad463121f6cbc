"""Components have one shape and orientation, each its own size."""

import numpy as np

from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.full import Full
from gaussmix.model.covariances.shapes import AT_REST, MOST_ROUNDS, NO_SPREAD_ALONG, refuse_vanished


class VEE(Full):
    """lambda_k C (Celeux and Govaert 1995, model 8): volumes and C in turn, to convergence.

    What C's determinant is decides nothing, so it is left as it comes: volumes are in its unit.
    """

    name = mclust_name = "VEE"
    words = "each component has its own volume; all share one shape and orientation"
    free = False

    # What leaves the range of floats is refused.
    @np.errstate(all="ignore")
    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        if current is None:
            volumes = np.einsum("kii->k", scatter) / (n_features * counts)
        else:
            # Alike but for their size, they tell it in any feature.
            volumes = current[:, 0, 0] / current[0, 0, 0]
        refuse_vanished(volumes)
        # In columns of one unit, the same for all rounds: elimination then keeps its digits.
        scale = np.sqrt(np.einsum("kii,k->i", scatter, 1.0 / volumes))
        scaled = scatter / scale[:, None] / scale
        if not (np.isfinite(scaled).all() and (scale > 0.0).all()):
            raise DegenerateComponentError(None, NO_SPREAD_ALONG)
        shares = scaled.reshape(len(scaled), -1) / counts.sum()
        side_by_side = scaled.transpose(1, 0, 2).reshape(n_features, -1)
        for _ in range(MOST_ROUNDS):
            common = ((1.0 / volumes) @ shares).reshape(n_features, n_features)
            # tr(W_k C^-1) of all components in one solution.
            try:
                ratios = np.linalg.solve(common, side_by_side).reshape(n_features, -1, n_features)
            except np.linalg.LinAlgError as flat:
                raise DegenerateComponentError(None, NO_SPREAD_ALONG) from flat
            before, volumes = volumes, np.einsum("iki->k", ratios) / (n_features * counts)
            refuse_vanished(volumes)
            if np.abs(volumes / before - 1.0).max() <= AT_REST:
                break
        matrices = volumes[:, None, None] * (common * scale[:, None] * scale)
        if not np.isfinite(matrices).all():
            raise DegenerateComponentError(None, NO_SPREAD_ALONG)
        return np.asarray(0.5 * (matrices + matrices.transpose(0, 2, 1)))
