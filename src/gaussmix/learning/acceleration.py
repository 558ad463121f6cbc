"""Longer steps for slow climbs: Anderson acceleration of EM, refused where the objective would fall.

EM's step f from x is the gradient of the objective, divided by the information I of rows whose
components are known. So in coordinates where I is the identity, EM climbs the gradient, and the
changes of f along past steps show the curvature: f(x + d) = f - H d, with H symmetric. Anderson's
step is the d that brings this to zero as well as past steps can tell. The source in this form:
Walker and Ni, SIAM Journal on Numerical Analysis 49 (2011) 1715; for EM with guards: Henderson and
Varadhan, Journal of Computational and Graphical Statistics 28 (2019) 834. docs/adr/0009 has the
measurements, and what was tried besides.
"""

from dataclasses import replace

import numpy as np

from gaussmix.data.rows import Rows
from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FloatArray, Precision
from gaussmix.learning.em import Stride, one_step
from gaussmix.learning.history import UNIT, History
from gaussmix.model.coordinates import all_weights, coordinates, informed, mixture_at
from gaussmix.model.maximise import MStep, refuse_collapsed
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

# Past steps that are remembered, and steps of EM's own before the first leap.
MEMORY, PLAIN_STEPS = 5, 4
# EM needs no help for so many more steps.
FEW_STEPS = 8.0
# Where the way ahead does not curve down, EM's step is stretched: twice as far each time, up to this.
LONGEST = 64.0
# A leap goes at most so many times farther than the last accepted one, after a refusal at most so
# much of the refused one, both in lengths of EM's own step.
LONGER, SHORTER = 4.0, 0.25
# Past steps, and estimates from them, that say how much is left to gain; the largest of so many counts.
ENOUGH, SLOWEST = 3, 10
# Log weights change by no more than this in a leap, or what EM's own step changes them by.
LARGEST_CHANGE = 1.0
# A log weight that changes by more than this in a step of EM's is not at rest.
GROWING = 1e-3
# Combinations of past steps with less than this share of their squared length are rounding.
FAINT = 1e-11
TINY = float(np.finfo(np.float64).tiny)


def stride_for(acceleration: str, step: MStep, tol: float) -> Stride:
    """How far EM goes at a time under a setting.

    Longer steps are for objectives that EM never lowers, and for covariances that are free: along
    directions without spread the prior holds them, and a longer step would not.
    """
    # A vector of coordinates has no place for a weight that is held.
    free = step.monotone and step.prior.floor() is None and not step.ties.hold.get("weights")
    return Leaps(step, tol) if acceleration == "auto" and free else one_step


class Leaps:
    """Looks further ahead than EM's next mixture, and goes there if the rows like it better.

    Parameters
    ----------
    step : MStep
        For the objective.
    tol : float
        What may be left to gain, in nats per unit of row weight.

    Notes
    -----
    A leap that lowers the objective costs one pass over the rows and is forgotten, so that what a
    fit records never falls. Fixed points are EM's own, as leaps are made of EM's steps.
    """

    def __init__(self, step: MStep, tol: float) -> None:
        self._step, self._tol = step, tol
        self._current: Mixture | None = None
        self._counts = np.empty(0)
        self._place, self._move = np.empty(0), np.empty(0)
        self._ways: list[FloatArray] = []
        self._bends: list[FloatArray] = []
        self._stretch = 1.0
        self._reach = np.inf
        self._length = 0.0
        self._slowness: list[float] = []
        self._settled = 0

    def __call__(
        self, rows: Rows, mixture: Mixture, history: History, precision: Precision
    ) -> tuple[Mixture, SufficientStatistics]:
        """Take the E-step at ``mixture``, which EM's last step led to, or further along."""
        aim = self._aim(mixture, history)
        if aim is not None:
            statistics = self._looked(rows, aim, history, precision)
            if statistics is not None:
                self._current, self._counts = aim, statistics.counts
                self._reach *= LONGER
                history.leap()
                return aim, statistics
            history.n_refused += 1
            self._stretch, self._reach = 1.0, max(SHORTER * self._length, LONGER)
            self._ways, self._bends = [], []
        statistics = rows.expected_statistics(mixture, precision)
        self._current, self._counts = mixture, statistics.counts
        return mixture, statistics

    def _looked(
        self, rows: Rows, aim: Mixture, history: History, precision: Precision
    ) -> SufficientStatistics | None:
        """The E-step at ``aim``; None if the objective is no higher there, beyond rounding."""
        try:
            refuse_collapsed(aim, self._step)
            statistics = rows.expected_statistics(aim, precision)
            objective = self._step.objective(aim, statistics.log_likelihood)
        except DegenerateComponentError:
            return None
        least = history.objectives[-1] + UNIT * abs(history.objectives[-1])
        # Written so that what is not a number is refused, too.
        return statistics if objective > least else None

    def _aim(self, mixture: Mixture, history: History) -> Mixture | None:
        """Where to look; None for EM's own next mixture."""
        history.foreseen = None
        current = self._current
        if current is None or not (all_weights(mixture).min() > 0.0 and all_weights(current).min() > 0.0):
            return None
        try:
            place = coordinates(current)
            move = coordinates(mixture) - place
            self._remember(place, move)
            if not self._ways or self._plain(history):
                return None
            direction, history.foreseen = self._direction(current)
            if self._regrows():
                history.foreseen = None
            aim = mixture_at(place + self._within_sight(direction, current), current)
            # To the last bit, which logarithms and back would not keep.
            return replace(aim, covariances=self._step.ties.bound_covariances(aim.covariances, current))
        except (DegenerateComponentError, np.linalg.LinAlgError):
            return None

    def _within_sight(self, direction: FloatArray, current: Mixture) -> FloatArray:
        """The direction, shortened where a weight would change by more than a factor, and than EM changes it.

        A component that is all but emptied hardly counts in the information, and would not come back.
        """
        n_weights = len(all_weights(current))
        changes, own = np.abs(direction[:n_weights]), np.abs(self._move[:n_weights])
        longest = float((changes / np.maximum(own, LARGEST_CHANGE)).max())
        return direction / longest if longest > 1.0 else direction

    def _regrows(self) -> bool:
        """Whether a component of less than a row is on its way back, which its information hides."""
        growing = self._move[: len(self._counts)] > GROWING
        return bool((growing & (self._counts < 1.0)).any())

    def _plain(self, history: History) -> bool:
        """Whether EM has only begun, or will have come to its end before leaps have found their way."""
        if history.n_iterations < PLAIN_STEPS:
            return True
        return history.n_leaps == 0 and _steps_to_go(history, self._tol) <= FEW_STEPS

    def _remember(self, place: FloatArray, move: FloatArray) -> None:
        """Keep how EM's step changes along the way gone."""
        if len(self._place):
            self._ways = [*self._ways[1 - MEMORY :], place - self._place]
            self._bends = [*self._bends[1 - MEMORY :], move - self._move]
        self._place, self._move = place, move

    def _direction(self, current: Mixture) -> tuple[FloatArray, float | None]:
        """The step to try, and how many nats are left to gain, if past steps tell."""
        n_past = len(self._ways)
        changes = np.array([self._move, *self._bends, *self._ways])
        scaled = informed(current, self._counts, changes)
        products = scaled @ scaled.T
        gain, bends, ways = float(products[0, 0]), slice(1, n_past + 1), slice(n_past + 1, None)
        if not gain > 0.0:
            return np.zeros_like(self._move), None
        basis = _orthonormal(products[bends, bends])
        # What to take of each past step so that f + sum of its bends is as near 0 as can be.
        shares = basis @ (basis.T @ products[bends, 0])
        leap = scaled[0] - shares @ (scaled[bends] + scaled[ways])
        if not leap @ scaled[0] >= gain:
            # The objective curves upwards here: go on as EM goes, and further each time.
            self._settled = 0
            self._stretch = self._length = min(2.0 * self._stretch, LONGEST)
            return self._stretch * self._move, None
        self._length = min(float(np.sqrt(leap @ leap / gain)), self._reach)
        shorter = self._length * np.sqrt(gain / (leap @ leap))
        direction = shorter * (self._move - shares @ (changes[bends] + changes[ways]))
        return direction, self._left(gain, -basis.T @ products[bends, ways] @ basis)

    def _left(self, gain: float, inverse: FloatArray) -> float | None:
        """No less than 1/2 f H^-1 f, which is what is left to gain; None while that is not settled.

        ``inverse`` (r, r) is H^-1 as the past steps show it. Its largest eigenvalue is taken for all
        directions (Rayleigh and Ritz), and the largest of several in a row, as in
        ``stopping.remaining_gain``: the latest steps may not show the slowest direction.
        """
        if len(inverse) < ENOUGH:
            return None
        eigenvalues = np.linalg.eigvalsh(0.5 * (inverse + inverse.T))
        if not eigenvalues[0] > 0.0:
            self._settled = 0
            return None
        self._settled += 1
        self._slowness = [*self._slowness[1 - SLOWEST :], float(eigenvalues[-1])]
        return 0.5 * gain * max(self._slowness) if self._settled >= ENOUGH else None


def _orthonormal(products: FloatArray) -> FloatArray:
    """Combinations (m, r) of m vectors, given their inner products, that are orthonormal."""
    scales = 1.0 / np.sqrt(np.maximum(products.diagonal(), TINY))
    eigenvalues, axes = np.linalg.eigh(products * scales[:, None] * scales)
    seen = eigenvalues > max(FAINT * eigenvalues[-1], 0.0)
    combinations: FloatArray = scales[:, None] * axes[:, seen] / np.sqrt(eigenvalues[seen])
    return combinations


def _steps_to_go(history: History, tol: float) -> float:
    """How many more steps EM itself would need, by its latest gains; infinite if they do not shrink."""
    before, gain = np.diff(history.objectives[-3:])
    enough = max(tol * history.row_weight, history.rounding)
    if not 0.0 < gain < before:
        return 0.0 if gain <= enough else np.inf
    rate = gain / before
    return float(np.log(max(gain * rate / (1.0 - rate) / enough, 1.0)) / -np.log(rate))
