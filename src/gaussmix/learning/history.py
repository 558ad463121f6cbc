"""What each E-step of a fit found, how exactly, and how exactly the next one has to look."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from gaussmix.kernels.contract import Precision
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

EPSILON = float(np.finfo(np.float64).eps)
# How many times EPSILON a sum over rows may be wrong by, relative to what it is made of.
UNIT = 4.0 * EPSILON
# Single precision will do while a gain is at least this share of the objective ...
LARGE_GAIN = 1e-7
# ... all means lie within so many standard deviations of their centre ...
NEAR = 30.0
# ... and no feature is nearly a combination of the others (`Mixture.conditioning`).
WELL_CONDITIONED = 1e4
# A step that moves means only, by more than this share of their size, ends no fit; so many times, as
# covariances may be held.
AT_REST, MOST_WAITS = 1e-9, 5


class _Limits(Protocol):
    @property
    def max_iter(self) -> int: ...
    @property
    def quick(self) -> bool: ...


@dataclass
class History:
    """What each E-step found; entry t belongs to the mixture after t M-steps."""

    log_likelihoods: list[float] = field(default_factory=list)
    objectives: list[float] = field(default_factory=list)
    row_weight: float = 0.0
    n_components: int = 0
    n_rough: int = 0
    """How many E-steps, the first ones, were computed in single precision."""
    foreseen: float | None = None
    """What the latest mixture has still to gain, at most, where an accelerator can tell."""
    n_leaps: int = 0
    """How many mixtures were reached by a longer step than EM's."""
    n_refused: int = 0
    """How many longer steps the rows liked less; each cost a pass over them."""
    last_leap: int = 0
    """The latest entry that was reached by one."""
    n_waits: int = 0
    waited: bool = False
    """Whether the latest step moved means only: covariances follow, and what it gains tells nothing."""
    _pseudo_weight: float = 0.0
    """What the prior counts as."""
    _latest: Mixture | None = None

    def leap(self) -> None:
        """Say that the next entry is reached by a longer step than EM's."""
        self.n_leaps += 1
        self.last_leap = len(self.objectives)

    def record(self, mixture: Mixture, statistics: SufficientStatistics, step: MStep) -> None:
        """Add what the latest E-step found."""
        log_likelihood, row_weight = statistics.log_likelihood, statistics.row_weight
        self.log_likelihoods.append(log_likelihood)
        self.objectives.append(step.objective(mixture, log_likelihood))
        self.row_weight, self.n_components = row_weight, mixture.n_components
        if statistics.precision is Precision.SINGLE:
            self.n_rough = len(self.objectives)
        elif self.n_rough == len(self.objectives) - 1 and step.monotone:
            self._lower_rough_values()
        self.waited = self.n_waits < MOST_WAITS and self._moved_means_only(mixture)
        self.n_waits += self.waited
        # A prior counts like rows of its own.
        pseudo_rows = step.prior.pseudo_rows(mixture.family, mixture.n_components, mixture.n_features)
        self._pseudo_weight = pseudo_rows * mixture.n_components
        self._latest = mixture

    def _moved_means_only(self, mixture: Mixture) -> bool:
        """Whether covariances are those before, and means are not."""
        if self._latest is None or not np.array_equal(mixture.covariances, self._latest.covariances):
            return False
        moves = np.abs(mixture.means - self._latest.means)
        return bool((moves > AT_REST * np.abs(mixture.means).max(axis=0)).any())

    @property
    def _terms(self) -> float:
        return self.row_weight + self._pseudo_weight

    @property
    def rounding(self) -> float:
        """How far apart two equal objectives may come out in the latest E-step."""
        if (mixture := self._latest) is None:
            return 0.0
        # A mean cannot be closer to its place than its own rounding, in standard deviations.
        misplaced = self._terms * (2.0 * EPSILON * mixture.remoteness) ** 2
        # Log determinants of 1e120 and 1e-120 cancel in the objective, and their rounding does not.
        magnitude = abs(self.objectives[-1]) + self._terms * (1.0 + mixture.log_magnitude)
        return UNIT * magnitude + misplaced

    @property
    def conditioned_rounding(self) -> float:
        """The same where ill-conditioned covariances magnify it."""
        if (mixture := self._latest) is None:
            return 0.0
        # A factor is that of a covariance in which each entry is off by D + 1 roundings (Higham 2002, 10.3).
        unit = (mixture.n_features + 1.0) * UNIT * mixture.inflation
        return self.rounding + unit * self._terms * mixture.n_features

    def _lower_rough_values(self) -> None:
        """Where rough objectives say that EM fell, which it does not, they were that much too high."""
        for i in range(self.n_rough - 1, -1, -1):
            too_high = max(self.objectives[i] - self.objectives[i + 1], 0.0)
            self.objectives[i] = min(self.objectives[i], self.objectives[i + 1])
            self.log_likelihoods[i] -= too_high

    @property
    def n_iterations(self) -> int:
        """M-steps done on the way to the latest mixture."""
        return len(self.objectives) - 1

    @property
    def n_passes(self) -> int:
        """E-steps over all rows, those of refused leaps included."""
        return len(self.objectives) + self.n_refused

    @property
    def steps(self) -> str:
        """The number of M-steps in words."""
        return f"{self.n_iterations} iteration{'' if self.n_iterations == 1 else 's'}"

    def gains(self) -> list[float]:
        """What each M-step added to the objective."""
        return list(np.diff(self.objectives))

    def precise_gains(self, most: int) -> list[float]:
        """The latest of EM's own steps, between E-steps in double precision: all that may decide to stop."""
        first = max(self.n_rough, self.last_leap, len(self.objectives) - most - 1)
        return [after - before for before, after in pairwise(self.objectives[first:])]

    def next_precision(self, mixture: Mixture, limits: _Limits) -> Precision:
        """What the E-step for ``mixture`` may be computed in: in doubles from where it matters.

        Single precision is enough while EM takes steps that dwarf its rounding, and means lie within
        some standard deviations of one another. The last E-step is always in doubles, so that what
        a fit returns and says of itself is.
        """
        done = len(self.objectives)
        if not limits.quick or done > self.n_rough or done >= limits.max_iter:
            return Precision.DOUBLE
        if mixture.eccentricity > NEAR or mixture.conditioning > WELL_CONDITIONED:
            return Precision.DOUBLE
        if done == 0:
            return Precision.SINGLE
        large = LARGE_GAIN * (self.row_weight + abs(self.objectives[-1]))
        gain = np.inf if done == 1 else self.objectives[-1] - self.objectives[-2]
        # Written so that what is not a number asks for doubles, too.
        settled = not (np.isfinite(self.objectives[-1]) and gain >= large)
        return Precision.DOUBLE if settled else Precision.SINGLE
