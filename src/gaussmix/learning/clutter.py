"""Where noise begins: the box that rows lie in, and which rows look scattered."""

import numpy as np

from gaussmix.data.rows import Rows
from gaussmix.errors import DataError
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.cleaning import noise_probabilities
from gaussmix.model.mixture import Noise
from gaussmix.model.spread import spreadless_directions

# Noise starts with no less than this share of the rows, for EM cannot find what has no weight, and with
# no more than that, so that components have rows to start from.
LEAST_SHARE, LARGEST_SHARE = 0.02, 0.5


def clean_rows(points: FloatArray, weights: FloatArray, n_components: int) -> tuple[np.ndarray, float]:
    """Which of the points (n, D) do not look like noise, (n,) of bool, and the share that does.

    Points are whitened and have weights (n,). As many as components have to be left.
    """
    noise = noise_probabilities(points, weights) > 0.5
    share = float(weights[noise].sum() / weights.sum())
    if share > LARGEST_SHARE or (~noise).sum() <= n_components:
        noise = np.zeros(len(points), dtype=bool)
        share = 0.0
    return ~noise, max(share, LEAST_SHARE)


def noise_over(rows: Rows, share: float) -> Noise:
    """Noise of a share of the rows, over the smaller of two boxes that hold them all.

    One box is parallel to the features, the other to the principal axes (mclust's ``hypvol``).

    Raises
    ------
    DataError
        If the rows lie in a flat subspace, over which no box has a volume.
    """
    summary = rows.summary
    if spreadless_directions(rows.covariance()).shape[1] > 0:
        raise DataError(
            "noise=True needs rows that vary in every direction, for its density is spread over a volume: "
            "some column is constant or a sum of multiples of others; drop such columns"
        )
    straight = Noise(share, summary.low, np.diag(summary.high - summary.low))
    axes = np.linalg.eigh(rows.covariance())[1]
    low, high = np.full(len(axes), np.inf), np.full(len(axes), -np.inf)
    for tile, _ in rows.tiles():
        along = (tile - summary.mean) @ axes
        low, high = np.minimum(low, along.min(axis=0)), np.maximum(high, along.max(axis=0))
    turned = Noise(share, summary.mean + low @ axes.T, (high - low)[:, None] * axes.T)
    return min((straight, turned), key=lambda noise: noise.log_volume)
