"""When to stop: by an estimate of what is still to be gained, not by the size of one step."""

from dataclasses import dataclass

import numpy as np

from gaussmix.learning.history import History
from gaussmix.learning.outcome import Outcome, OutcomeKind

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
    quick : bool
        Whether rows of floats may be computed with in single precision while the gains are large.
    """

    tol: float
    max_iter: int
    monotone: bool = True
    quick: bool = False


def remaining_gain(history: History) -> float | None:
    """Estimate what the objective would still gain if EM went on for ever.

    After EM's own steps by Aitken's method; after longer ones the accelerator's estimate, which is of
    the mixture before the latest.

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
    if history.foreseen is not None and history.n_iterations > history.n_rough:
        return history.foreseen
    signed = np.array(history.precise_gains(RATES + 1))
    # Gains of both signs (possible with reg_covar only) pass through zero without being small.
    if len(signed) <= RATES or not (np.all(signed > 0.0) or np.all(signed < 0.0)):
        return None
    gains = np.abs(signed)
    rate = float((gains[1:] / gains[:-1]).max())
    return float(gains[-1]) * rate / (1.0 - rate) if rate < 1.0 else None


def stopping_outcome(history: History, limits: Limits) -> Outcome | None:
    """Decide after an E-step whether to stop; None means go on."""
    iterations, steps = history.n_iterations, history.steps
    for gain in history.precise_gains(1):
        if limits.monotone and gain < 0.0 and gain < -history.conditioned_rounding:
            return Outcome(
                OutcomeKind.OBJECTIVE_FELL,
                f"Stopped after {steps}: the objective fell by {-gain:.3g}, which EM cannot do beyond "
                "rounding. The covariances are close to singular; rescale or drop columns, or use "
                "prior='weak'.",
            )
        if not history.waited and (gain if limits.monotone else abs(gain)) <= history.rounding:
            if history.n_components == 1:
                return Outcome(OutcomeKind.CONVERGED, "One component: the solution in closed form.")
            return Outcome(
                OutcomeKind.CONVERGED, f"Converged after {steps}: the last one gained nothing but rounding."
            )
    remaining = remaining_gain(history)
    # After a leap no gain of EM's own tells that only rounding is left.
    if remaining is not None and (
        remaining < limits.tol * history.row_weight
        or (history.last_leap == iterations and remaining < history.rounding)
    ):
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
    elif history.n_leaps == 0 and len(history.precise_gains(RATES + 1)) <= RATES:
        left = "that is too few to estimate what is left to gain"
    else:
        left = "the gains are not shrinking yet"
    return f"Stopped at the limit of {steps} before convergence: {left}. Raise max_iter."
