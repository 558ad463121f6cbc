"""Components have one shape and orientation, each its own size."""

import numpy as np

from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances.full import Full
from gaussmix.model.covariances.shapes import AT_REST, MOST_ROUNDS, log_determinants_of


class VEE(Full):
    """lambda_k C with |C| = 1 (Celeux and Govaert 1995, model 8): volumes and C in turn, to convergence."""

    name = mclust_name = "VEE"
    words = "each component has its own volume; all share one shape and orientation"
    free = False

    def estimate(
        self, counts: FloatArray, scatter: FloatArray, n_features: int, current: FloatArray | None = None
    ) -> FloatArray:
        if current is None:
            volumes = np.einsum("kii->k", scatter) / (n_features * counts)
        else:
            volumes = np.exp(log_determinants_of(current) / n_features)
        for _ in range(MOST_ROUNDS):
            if not (volumes > 0.0).all():
                raise DegenerateComponentError(int(np.argmin(volumes)), "has no spread left")
            with np.errstate(over="ignore"):
                pooled = (scatter / volumes[:, None, None]).sum(axis=0)
            log_determinant = log_determinants_of(pooled)
            if np.isnan(log_determinant):
                raise DegenerateComponentError(None, "has no spread left along one of its axes")
            common = pooled / np.exp(log_determinant / n_features)
            # tr(W_k C^-1) of all components in one solution.
            try:
                ratios = np.linalg.solve(common, scatter)
            except np.linalg.LinAlgError as flat:
                raise DegenerateComponentError(None, "has no spread left along one of its axes") from flat
            before, volumes = volumes, np.einsum("kii->k", ratios) / (n_features * counts)
            if np.abs(volumes / before - 1.0).max() <= AT_REST:
                break
        with np.errstate(over="ignore"):
            matrices = volumes[:, None, None] * common
        if not np.isfinite(matrices).all():
            raise DegenerateComponentError(None, "has no spread left along one of its axes")
        return np.asarray(0.5 * (matrices + matrices.transpose(0, 2, 1)))
