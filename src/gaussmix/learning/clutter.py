"""Where noise begins: the box that rows lie in, and which rows look scattered."""

from dataclasses import dataclass

import numpy as np

from gaussmix.data.blocks import Block
from gaussmix.data.rows import Rows
from gaussmix.data.tasks import tiles_of
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
    reach = rows.added_up(Reach(summary.mean, axes))
    turned = Noise(share, summary.mean + reach.low @ axes.T, (reach.high - reach.low)[:, None] * axes.T)
    return min((straight, turned), key=lambda noise: noise.log_volume)


@dataclass(frozen=True, eq=False)
class _Reached:
    low: FloatArray
    """(D,)."""
    high: FloatArray
    """(D,)."""

    def __add__(self, other: "_Reached") -> "_Reached":
        """Of both."""
        return _Reached(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


@dataclass(frozen=True, eq=False)
class Reach:
    """How far rows reach along axes (D, D), from a place (D,)."""

    place: FloatArray
    axes: FloatArray

    def __call__(self, block: Block) -> _Reached:
        """Those of one block."""
        found = _Reached(np.full(len(self.axes), np.inf), np.full(len(self.axes), -np.inf))
        for tile, _ in tiles_of(block):
            along = (tile - self.place) @ self.axes
            found += _Reached(along.min(axis=0), along.max(axis=0))
        return found
