"""When to stop: by an estimate of what is still to be gained, not by the size of one step."""

from dataclasses import dataclass, field

import numpy as np

from gaussmix.learning.outcome import Outcome, OutcomeKind
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

EPSILON = float(np.finfo(np.float64).eps)
# The largest of this many rates in a row is believed, so that one lucky step does not end a fit.
RATES = 3


@dataclass(frozen=True)
class Limits:
    """When EM may stop.

    Parameters
    ----------
    tol : float
        Largest estimated remaining gain of the objective, per unit of row weight, in nats.
    max_iter : int
        Largest number of M-steps.
    monotone : bool
        Whether a falling objective is an error rather than the price of ``reg_covar``.
    """

    tol: float
    max_iter: int
    monotone: bool = True


@dataclass
class History:
    """What each E-step found; entry t belongs to the mixture after t M-steps."""

    log_likelihoods: list[float] = field(default_factory=list)
    objectives: list[float] = field(default_factory=list)
    rounding: float = 0.0
    """How far apart two equal objectives may come out in the latest E-step."""
    conditioned_rounding: float = 0.0
    """The same where ill-conditioned covariances magnify it."""
    row_weight: float = 0.0
    n_components: int = 0

    def record(self, mixture: Mixture, statistics: SufficientStatistics, step: MStep) -> None:
        """Add what the latest E-step found."""
        log_likelihood, row_weight = statistics.log_likelihood, statistics.row_weight
        self.log_likelihoods.append(log_likelihood)
        self.objectives.append(step.objective(mixture, log_likelihood))
        self.row_weight, self.n_components = row_weight, mixture.n_components
        unit = 4.0 * EPSILON
        # A mean cannot be closer to its place than its own rounding, in standard deviations.
        misplaced = row_weight * (2.0 * EPSILON * mixture.remoteness) ** 2
        # Log determinants of 1e120 and 1e-120 cancel in the objective, and their rounding does not.
        magnitude = abs(self.objectives[-1]) + row_weight * (1.0 + mixture.log_magnitude)
        self.rounding = unit * magnitude + misplaced
        self.conditioned_rounding = self.rounding + unit * (
            row_weight * mixture.n_features * mixture.conditioning
        )

    @property
    def n_iterations(self) -> int:
        """M-steps done."""
        return len(self.objectives) - 1

    @property
    def steps(self) -> str:
        """The number of M-steps in words."""
        return f"{self.n_iterations} iteration{'' if self.n_iterations == 1 else 's'}"

    def gains(self) -> list[float]:
        """What each M-step added to the objective."""
        return list(np.diff(self.objectives))


def remaining_gain(history: History) -> float | None:
    """Estimate by Aitken's method what the objective would still gain if EM went on for ever.

    EM converges linearly in the end: gains shrink by a rate a < 1, so that after a gain g there
    are g (a + a^2 + ...) = g a / (1 - a) to come. The rate is the largest of the last three.

    Returns
    -------
    float or None
        Total over all rows, in nats; None while there is no settled rate below 1 (too few
        iterations, or gains that grow, as when EM leaves a plateau).

    Notes
    -----
    Aitken acceleration as a stopping rule: Boehning et al., Annals of the Institute of Statistical
    Mathematics 46 (1994) 373; McNicholas et al., Computational Statistics and Data Analysis 54
    (2010) 711. docs/adr/0002 has the measurements.
    """
    signed = np.array(history.gains()[-(RATES + 1) :])
    # Gains of both signs (possible with reg_covar only) pass through zero without being small.
    if len(signed) <= RATES or not (np.all(signed > 0.0) or np.all(signed < 0.0)):
        return None
    gains = np.abs(signed)
    rate = float((gains[1:] / gains[:-1]).max())
    return float(gains[-1]) * rate / (1.0 - rate) if rate < 1.0 else None


def stopping_outcome(history: History, limits: Limits) -> Outcome | None:
    """Decide after an E-step whether to stop; None means go on."""
    iterations, steps = history.n_iterations, history.steps
    if iterations > 0:
        gain = history.objectives[-1] - history.objectives[-2]
        if limits.monotone and gain < -history.conditioned_rounding:
            return Outcome(
                OutcomeKind.OBJECTIVE_FELL,
                f"Stopped after {steps}: the objective fell by {-gain:.3g}, which EM cannot do beyond "
                "rounding. The covariances are close to singular; rescale or drop columns, or use "
                "prior='weak'.",
            )
        if gain <= history.rounding if limits.monotone else abs(gain) <= history.rounding:
            if history.n_components == 1:
                return Outcome(OutcomeKind.CONVERGED, "One component: the solution in closed form.")
            return Outcome(
                OutcomeKind.CONVERGED, f"Converged after {steps}: the last one gained nothing but rounding."
            )
        remaining = remaining_gain(history)
        if remaining is not None and remaining < limits.tol * history.row_weight:
            return Outcome(
                OutcomeKind.CONVERGED,
                f"Converged after {steps}: about {remaining / history.row_weight:.1g} nats a row are left to "
                "gain from this start.",
            )
    if iterations >= limits.max_iter:
        return Outcome(OutcomeKind.ITERATION_LIMIT, _limit_sentence(history, steps))
    return None


def _limit_sentence(history: History, steps: str) -> str:
    if history.n_iterations == 0:
        return "max_iter=0: this is the start itself, scored."
    remaining = remaining_gain(history)
    if remaining is not None:
        left = f"about {remaining / history.row_weight:.1g} nats a row are left to gain"
    elif history.n_iterations <= RATES:
        left = "that is too few to estimate what is left to gain"
    else:
        left = "the gains are not shrinking yet"
    return f"Stopped at the limit of {steps} before convergence: {left}. Raise max_iter."
