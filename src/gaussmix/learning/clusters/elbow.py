"""Where a rising curve bends: two lines by least squares."""

from dataclasses import dataclass

import numpy as np

from gaussmix.kernels.contract import FloatArray

# With fewer points two lines that meet in one of them go through all.
LEAST_POINTS = 4
# Sums of squares that differ by less, of all there is, are equal.
EQUAL = 1e-9
# An elbow whose second line is less than so many times as steep as its first is hardly one.
MARKED = 2.0


@dataclass(frozen=True)
class Elbow:
    """Two lines, one through the points up to an elbow and one from there on."""

    n_clusters: int
    """The point where it is, counted from 1."""
    slopes: tuple[float, float]
    """Before and after; the second is steeper."""
    intercepts: tuple[float, float]
    """Of both lines, at position 0."""
    squares: float
    """Sum of the squared vertical distances from both."""

    @property
    def slight(self) -> bool:
        """Whether both lines are about as steep."""
        return self.slopes[1] < MARKED * self.slopes[0]


def elbow_of(positions: FloatArray, values: FloatArray) -> Elbow | None:
    """The point where values begin to rise more steeply.

    For each point but the first and the last a line is fitted to the points up to it and another to those
    from it on (it belongs to both); the point with the smallest sum of squares is the elbow (the piecewise
    regression of Baudry, Raftery, Celeux, Lo and Gottardo 2010).

    Parameters
    ----------
    positions : (K,) array
        Rising.
    values : (K,) array
        What belongs to 1, 2, ..., K.

    Returns
    -------
    Elbow or None
        None with fewer than 4 points, or if the best two lines do not bend upwards. Of equals the one with
        the fewest points before it.
    """
    if len(values) < LEAST_POINTS:
        return None
    found = [_two_lines(positions, values, last) for last in range(2, len(values))]
    least = min(elbow.squares for elbow in found)
    total = float(((values - values.mean()) ** 2).sum())
    best = next(elbow for elbow in found if elbow.squares <= least + EQUAL * total)
    bend = best.slopes[1] - best.slopes[0]
    return best if bend * np.ptp(positions) > EQUAL * np.ptp(values) else None


def _two_lines(positions: FloatArray, values: FloatArray, last: int) -> Elbow:
    before = _line(positions[:last], values[:last])
    after = _line(positions[last - 1 :], values[last - 1 :])
    return Elbow(last, (before[0], after[0]), (before[1], after[1]), before[2] + after[2])


def _line(positions: FloatArray, values: FloatArray) -> tuple[float, float, float]:
    """Slope, value at 0 and sum of squares of the line through points that is best by least squares."""
    x, y = positions - positions.mean(), values - values.mean()
    spread = float(x @ x)
    # Points that are all at one place have no slope.
    slope = float(x @ y) / spread if spread > 0.0 else 0.0
    rest = y - slope * x
    return slope, float(values.mean() - slope * positions.mean()), float(rest @ rest)
