"""How often one Gaussian is taken for another: a quadratic form in normals, by a contour integral.

For x from component j let L = log(w_k N(x; k) / w_j N(x; j)). With z the row in j's standard deviations,
turned so that k's are S_d along each axis (k's own coordinates of the row are S_d z_d + b_d),

    L = log(w_k / w_j) + sum_d [log S_d + z_d^2 / 2 - (S_d z_d + b_d)^2 / 2],

and log E exp(t L) = t log(w_k / w_j) + sum_d [t log S_d - log(q_d) / 2 - t (1 - t) b_d^2 / (2 q_d)] with
q_d = 1 - t + t S_d^2: nothing in it cancels. P(L > 0) is the integral of exp(that) / (2 pi i t) along any
path from below to above that crosses the real axis to the right of 0. The path taken here crosses near the
saddle point and bends to where the integrand dies out, so that the trapezoidal rule on it converges
exponentially: Rice, SIAM Journal on Scientific and Statistical Computing 1 (1980) 438. Along the
imaginary axis it would be Imhof's integral (Biometrika 48 (1961) 419).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from gaussmix.computed import cached_property
from gaussmix.kernels.contract import FloatArray

# Stretches and offsets this near to 1 and 0 are rounding of equal covariances, and of equal Gaussians.
EQUAL, SAME = 1e-12, 1e-10
# The path ends where the integrand has shrunk to this, in logarithms, and goes no further in v than this.
# It is looked at in such steps.
NEGLIGIBLE, LONGEST, LOOKED_AT = -40.0, 45.0, 0.6
# How far a bent path leans from the vertical, and by how much the integrand may grow on it, in logarithms.
LEAN, GROWTH = 0.5, 1.0
# Points on a path are doubled until the integral has settled to this share, or there are too many.
SETTLED, FEWEST_POINTS, MOST_POINTS = 1e-11, 32, 1 << 15


def taken_for_other(stretches: FloatArray, offsets: FloatArray, log_odds: float) -> float:
    """P(L > 0): how often a row of one Gaussian is likelier under another.

    Parameters
    ----------
    stretches : (D,) array
        S, the other's standard deviations in the one's, inverted: both as above, positive.
    offsets : (D,) array
        b, from the other's mean to the one's, in the other's standard deviations.
    log_odds : float
        log(w_k / w_j), the other's weight over the one's.

    Returns
    -------
    float
        To about 1e-10 of itself. A tie counts half, so that two equal Gaussians of equal weights are
        mistaken for each other half the time.
    """
    bends = stretches**2 - 1.0
    kept = (np.abs(bends) > EQUAL) | (np.abs(offsets) > EQUAL)
    if not kept.any() or max(np.abs(bends).max(), np.abs(offsets).max()) < SAME:
        return 0.5 if abs(log_odds) < SAME else float(log_odds > 0.0)
    if (np.abs(bends) <= EQUAL).all():
        # L is normal with mean log_odds - b^2 / 2 and variance b^2.
        length = float(np.linalg.norm(offsets))
        return float(ndtr(log_odds / length - 0.5 * length))
    if kept.sum() == 1:
        return _one_axis(float(stretches[kept][0]), float(offsets[kept][0]), log_odds)
    return _Ratio(stretches, offsets**2, bends, log_odds).upper_tail()


def _one_axis(stretch: float, offset: float, log_odds: float) -> float:
    """The same along one axis: where S z + b crosses the roots of a quadratic."""
    # z^2 (1 - S^2) - 2 S b z - b^2 + 2 (log_odds + log S) > 0
    square, half = 1.0 - stretch**2, -stretch * offset
    constant = 2.0 * (log_odds + np.log(stretch)) - offset**2
    # half^2 - square x constant, without the squares of b that cancel in it.
    discriminant = offset**2 - 2.0 * square * (log_odds + np.log(stretch))
    if discriminant <= 0.0:
        return float(square > 0.0)
    summed = -(half + np.copysign(np.sqrt(discriminant), half))
    low, high = sorted((summed / square, constant / summed))
    between = ndtr(high) - ndtr(low) if low < 0.0 else ndtr(-low) - ndtr(-high)
    return float(ndtr(low) + ndtr(-high) if square > 0.0 else between)


@dataclass(frozen=True, eq=False)
class _Ratio:
    """The log ratio of two weighted Gaussians at a row of the one."""

    stretches: FloatArray
    squares: FloatArray
    """b^2."""
    bends: FloatArray
    """S^2 - 1."""
    log_odds: float

    @cached_property
    def _linear(self) -> float:
        return self.log_odds + float(np.log(self.stretches).sum())

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """Between which real t the expectation of exp(t L) is finite: from below 0 to above 1."""
        low, high = float(self.bends.min()), float(self.bends.max())
        return (-1.0 / high if high > 0.0 else -np.inf, -1.0 / low if low < 0.0 else np.inf)

    def cumulant(self, t: np.ndarray) -> np.ndarray:
        """Logarithm of E exp(t L), at complex t (n,): (n,)."""
        q = 1.0 + t[:, None] * self.bends
        tilted: np.ndarray = (0.5 * t * (1.0 - t))[:, None] * self.squares / q
        found: np.ndarray = t * self._linear - (0.5 * np.log(q) + tilted).sum(axis=1)
        return found

    def slope(self, t: float) -> float:
        """Its first derivative, which rises with t."""
        q = 1.0 + t * self.bends
        tilted = self.squares * ((1.0 - 2.0 * t) / q / q - (t / q) ** 2 * self.bends)
        return self._linear - 0.5 * float((self.bends / q + tilted).sum())

    def curvature(self, t: float) -> float:
        """Its second derivative."""
        q = 1.0 + t * self.bends
        return float((0.5 * (self.bends / q) ** 2 + self.squares * (self.stretches / q) ** 2 / q).sum())

    def upper_tail(self) -> float:
        """P(L > 0)."""
        saddle = self._saddle()
        if saddle is None:
            # L has one sign everywhere.
            return float(self.slope(0.0) > 0.0)
        # A pole at 0 must not be near the path.
        away = 0.5 / np.sqrt(self.curvature(0.0))
        side = np.copysign(1.0, saddle)
        crossing = side * max(abs(saddle), min(away, 0.5 * abs(self._ends[int(saddle > 0.0)])))
        tail = self._integral(crossing)
        return float(np.clip(tail if crossing > 0.0 else 1.0 + tail, 0.0, 1.0))

    def _saddle(self) -> float | None:
        """Where the slope is 0; None if that is nowhere."""
        if self.slope(0.0) == 0.0:
            return 0.0
        side = int(self.slope(0.0) < 0.0)
        end, sign = self._ends[side], 1.0 if side else -1.0
        near = 0.0
        for n in range(1, 50 if np.isfinite(end) else 400):
            far = end * (1.0 - 0.5**n) if np.isfinite(end) else sign * 2.0**n
            value = self.slope(far)
            if value * sign > 0.0:
                return float(brentq(self.slope, near, far, xtol=1e-14 * abs(far), rtol=1e-10))
            near = far
        return None

    def _integral(self, crossing: float) -> float:
        """Integral of exp(cumulant) / (2 pi i t) along the path that dies out soonest."""
        room = [abs(end - crossing) for end in self._ends]
        width = min(1.0 / np.sqrt(self.curvature(crossing)), abs(crossing), *room)
        lengths = {lean: self._length(_Path(crossing, width, lean)) for lean in (LEAN, -LEAN)}
        lean = min(lengths, key=lengths.__getitem__)
        if np.isinf(lengths[lean]):
            # The upright path is always right, but may need many points.
            lean, lengths[0.0] = 0.0, self._length(_Path(crossing, width, 0.0))
        path, length, n_points = _Path(crossing, width, lean), lengths[lean], FEWEST_POINTS
        step = length / n_points
        total = self._sum(path, step * np.arange(n_points + 1.0)) - 0.5 * self._sum(path, np.zeros(1))
        while True:
            before = total * step
            total += self._sum(path, step * (np.arange(n_points) + 0.5))
            step, n_points = 0.5 * step, 2 * n_points
            if abs(total * step - before) <= SETTLED * abs(total * step) or n_points >= MOST_POINTS:
                return float(total * step)

    def _log_terms(self, path: "_Path", v: np.ndarray) -> np.ndarray:
        t = path.at(v)
        found: np.ndarray = self.cumulant(t) - np.log(t) + np.log(path.velocity(v))
        return found

    def _sum(self, path: "_Path", v: np.ndarray) -> float:
        return float(np.exp(self._log_terms(path, v)).real.sum() / np.pi)

    def _length(self, path: "_Path") -> float:
        """Up to which v the integrand counts; infinite if the path leads uphill."""
        v = np.arange(0.0, LONGEST, LOOKED_AT)
        with np.errstate(over="ignore", invalid="ignore"):
            sizes = self._log_terms(path, v).real
        sizes = np.where(np.isnan(sizes), np.inf, sizes) - sizes[0]
        counts = np.flatnonzero(sizes > NEGLIGIBLE)
        if path.lean != 0.0 and sizes.max() > GROWTH:
            return np.inf
        return float(v[min(int(counts[-1]) + 1, len(v) - 1)])


@dataclass(frozen=True)
class _Path:
    """t(v) = c + w [lean (cosh v - 1) + i sinh v], upwards from the real axis for v from 0."""

    crossing: float
    width: float
    lean: float

    def at(self, v: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.crossing + self.width * (self.lean * (np.cosh(v) - 1.0) + 1j * np.sinh(v))
        return found

    def velocity(self, v: np.ndarray) -> np.ndarray:
        """dt/dv / i."""
        return np.asarray(self.width * (np.cosh(v) - 1j * self.lean * np.sinh(v)))
