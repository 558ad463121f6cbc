"""Many starts, one winner."""

from dataclasses import replace

import numpy as np

from gaussmix.data.rows import Rows
from gaussmix.errors import DegenerateComponentError, FitError, StartError
from gaussmix.kernels.threads import single_threaded_blas
from gaussmix.learning.acceleration import Leaps
from gaussmix.learning.em import Stride, Watch, fit_em, one_step, silent
from gaussmix.learning.history import History
from gaussmix.learning.prepare import prepare
from gaussmix.learning.result import FitResult, TraceStep
from gaussmix.learning.review import coinciding, review_rows
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.starts import make_start, nudged_apart
from gaussmix.learning.stopping import Limits
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

# Standard deviations of the data by which components that coincide are set apart.
SADDLE_NUDGE = 0.5


@single_threaded_blas()
def search(rows: Rows, settings: FitSettings, watch: Watch = silent, trace: bool = False) -> FitResult:
    """Fit from each start and keep the best.

    Parameters
    ----------
    rows : Rows
        The data.
    settings : FitSettings
        What is asked for.
    watch : callable, optional
        Told of every E-step of every start.
    trace : bool
        Whether to keep every iteration of the winner.

    Returns
    -------
    FitResult
        Sound results come before those with doubtful components, those before collapsed ones, and
        among equals the highest objective wins. Components are in canonical order (rising mean
        along the first feature, then the next), unless the user gave part of the start.

    Raises
    ------
    DataError
        If the rows cannot make such a mixture at all.
    StartError
        If the given start is not a mixture for these rows.
    FitError
        If no start had a density; each one's reason is given.
    """
    step = prepare(rows, settings)
    limits = Limits(settings.tol, settings.max_iter, step.monotone, quick=not trace)
    # A start given whole is the same each time.
    n_starts = 1 if _given_whole(settings) else settings.n_init
    best: FitResult | None = None
    failures: list[str] = []
    for sequence in np.random.SeedSequence(settings.seed).spawn(n_starts):
        steps: list[TraceStep] = []
        try:
            start = make_start(rows, settings, step, np.random.default_rng(sequence))
            recording = _recording(watch, steps) if trace else watch
            result = fit_em(rows, start, step, limits, recording, _stride(settings, step))
            result = _off_saddle(rows, result, settings, step, limits, watch, steps if trace else None)
        except DegenerateComponentError as failure:
            failures.append(str(failure))
            continue
        except StartError as failure:
            if settings.given.says_something:
                raise
            failures.append(str(failure))
            continue
        result = _reviewed(rows, replace(result, trace=tuple(steps)), settings, step)
        if best is None or _rank(result) > _rank(best):
            best = result
    if best is None:
        raise FitError(
            f"none of {n_starts} starts could be fitted ({failures[0]}); use prior='weak', fewer "
            "components, or a simpler covariance"
        )
    return replace(best, n_starts=n_starts, failures=tuple(failures))


def _off_saddle(
    rows: Rows,
    result: FitResult,
    settings: FitSettings,
    step: MStep,
    limits: Limits,
    watch: Watch,
    steps: list[TraceStep] | None,
) -> FitResult:
    """Set components that came out alike a little apart, and keep what EM makes of it if it is better.

    Components that coincide stay together for ever though pulling them apart may raise the
    likelihood: a saddle, which looks converged to every rule that watches the objective.
    """
    twins = coinciding(result.mixture)
    # Means that are held or shared are where they are meant to be.
    if not twins or step.ties.any or not result.outcome.converged:
        return result
    again: list[TraceStep] = []
    start = nudged_apart(result.mixture, twins, rows, SADDLE_NUDGE)
    recording = watch if steps is None else _recording(watch, again)
    escaped = fit_em(rows, start, step, limits, recording, _stride(settings, step))
    gain = escaped.objective - result.objective
    if escaped.outcome.collapse is not None or gain <= limits.tol * result.history.row_weight:
        return result
    if steps is not None:
        steps[:] = again
    return escaped


def _stride(settings: FitSettings, step: MStep) -> Stride:
    """How far to go at a time.

    Longer steps are for objectives that EM never lowers, and for covariances that are free: along
    directions without spread the prior holds them, and a longer step would not.
    """
    # A vector of coordinates has no place for a weight that is held.
    free = step.monotone and step.prior.floor() is None and not step.ties.hold.get("weights")
    return Leaps(step, settings.tol) if settings.acceleration == "auto" and free else one_step


def _given_whole(settings: FitSettings) -> bool:
    given = settings.given
    spread = given.covariances is not None or given.precisions is not None
    whole = given.weights is not None and given.means is not None and spread
    return whole or given.responsibilities is not None


def _rank(result: FitResult) -> tuple[bool, bool, float]:
    outcome = result.outcome
    return (outcome.collapse is None, not outcome.doubts, result.objective)


def _reviewed(rows: Rows, result: FitResult, settings: FitSettings, step: MStep) -> FitResult:
    """Bring the components into order and look at the rows once more."""
    if not settings.given.says_something:
        order = result.mixture.canonical_order()
        result = replace(
            result,
            mixture=result.mixture.permuted(order),
            outcome=result.outcome.permuted(order),
            trace=tuple(replace(t, mixture=t.mixture.permuted(order)) for t in result.trace),
        )
    review = review_rows(rows, result.mixture)
    doubts = review.doubts(result.mixture)
    return replace(
        result,
        review=review,
        outcome=result.outcome.with_doubts(doubts),
        prior_share=step.prior.share_of_variances(result.mixture, rows.summary.row_weight),
    )


def _recording(watch: Watch, steps: list[TraceStep]) -> Watch:
    def record(mixture: Mixture, statistics: SufficientStatistics, history: History) -> None:
        steps.append(
            TraceStep(
                history.n_iterations,
                mixture,
                history.log_likelihoods[-1],
                history.objectives[-1],
            )
        )
        watch(mixture, statistics, history)

    return record
