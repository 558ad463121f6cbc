"""Many starts, one winner."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from gaussmix.data.rows import Rows
from gaussmix.errors import DegenerateComponentError, FitError, StartError
from gaussmix.kernels.threads import single_threaded_blas
from gaussmix.learning.acceleration import stride_for
from gaussmix.learning.approach import approached
from gaussmix.learning.auto_search import Announce, AutoSearch, Found, Neighbours, unannounced
from gaussmix.learning.effort import beside_neighbours, effort_for
from gaussmix.learning.em import Watch, fit_em, silent
from gaussmix.learning.history import History
from gaussmix.learning.prepare import prepare
from gaussmix.learning.result import FitResult, TraceStep
from gaussmix.learning.review import coinciding, review_rows
from gaussmix.learning.search_table import REACHED, SearchEntry
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.starts import make_start, nudged_apart
from gaussmix.learning.stopping import Limits
from gaussmix.learning.tournament import n_judges_for
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

# Standard deviations of the data by which components that coincide are set apart.
SADDLE_NUDGE = 0.5
NO_NEIGHBOURS = Neighbours()


@single_threaded_blas()
def search(
    rows: Rows,
    settings: FitSettings,
    watch: Watch = silent,
    trace: bool = False,
    announce: Announce = unannounced,
    neighbours: Neighbours = NO_NEIGHBOURS,
) -> FitResult:
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
    announce : callable, optional
        Told of each start and move that a search has fitted.
    neighbours : Neighbours, optional
        Fits to the same rows: a search begins from these besides, and may try less.

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
    climbs = _Climbs(rows, settings, step, watch, trace)
    if (found := _searched(rows, settings, step, announce, neighbours)) is not None:
        if found.start is found.end:
            # The search saw a sample only.
            nearer = approached(rows, found.end, settings, step)
            found = replace(found, start=nearer, end=nearer)
        # A trace tells the whole way.
        climbs.add(lambda: found.start if trace else found.end)
        if trace and found.end is not found.start and climbs.fell_short_of(found.search.best):
            # From its start a fit may also be stopped, or end elsewhere by longer steps than the search's.
            climbs.add(lambda: found.end)
        return replace(climbs.winner(), n_starts=found.search.n_starts, search=found.search)
    # A start given whole is the same each time.
    n_starts = 1 if isinstance(settings.n_init, str) or _given_whole(settings) else settings.n_init
    for sequence in np.random.SeedSequence(settings.seed).spawn(n_starts):
        climbs.add(partial(make_start, rows, settings, step, np.random.default_rng(sequence)))
    return replace(climbs.winner(), n_starts=n_starts)


def _searched(
    rows: Rows, settings: FitSettings, step: MStep, announce: Announce, neighbours: Neighbours
) -> Found | None:
    """What a search found; None if there is nothing to search for: a start that is given is the user's."""
    free = settings.n_components > 1 and settings.max_iter > 0 and not settings.given.says_something
    if settings.n_init != "auto" or not free:
        return None
    n_judges = min(rows.summary.n_rows, n_judges_for(settings, len(rows.feature_names)))
    effort = effort_for(settings, step, n_judges, len(rows.feature_names))
    if effort is None:
        return None
    if neighbours.mixtures and neighbours.besides != "all":
        effort = beside_neighbours(effort, alone=neighbours.besides == "nothing")
    try:
        return AutoSearch(rows, settings, step, effort, announce, neighbours.mixtures).run()
    except DegenerateComponentError:
        # Rows at the limits of numbers: what a plain start makes of them is said in the fit.
        return None


class _Climbs:
    """Fits to all rows, of which the best is kept."""

    def __init__(self, rows: Rows, settings: FitSettings, step: MStep, watch: Watch, trace: bool) -> None:
        self.rows, self.settings, self.step = rows, settings, step
        self.watch, self.trace = watch, trace
        self.limits = Limits(settings.tol, settings.max_iter, step.monotone, quick=not trace)
        self.best: FitResult | None = None
        self.failures: list[str] = []

    def add(self, make: Callable[[], Mixture]) -> None:
        """Fit from one more start."""
        steps: list[TraceStep] = []
        kept = steps if self.trace else None
        watch = _recording(self.watch, steps) if self.trace else self.watch
        stride = stride_for(self.settings.acceleration, self.step, self.settings.tol)
        try:
            result = fit_em(self.rows, make(), self.step, self.limits, watch, stride)
            result = _off_saddle(self.rows, result, self.settings, self.step, self.limits, self.watch, kept)
        except DegenerateComponentError as failure:
            self.failures.append(str(failure))
            return
        except StartError as failure:
            if self.settings.given.says_something:
                raise
            self.failures.append(str(failure))
            return
        result = _reviewed(self.rows, replace(result, trace=tuple(steps)), self.settings, self.step)
        if self.best is None or rank(result) > rank(self.best):
            self.best = result

    def fell_short_of(self, end: SearchEntry) -> bool:
        """Whether the end is lower, or less sound, than a search said."""
        if self.best is None:
            return True
        lower = self.best.objective < end.objective - REACHED * self.rows.summary.row_weight
        return lower or (bool(self.best.outcome.doubts) and not end.trouble)

    def winner(self) -> FitResult:
        """The best, with what went wrong with others."""
        if self.best is None:
            raise FitError(
                f"none of {len(self.failures)} starts could be fitted ({self.failures[0]}); use "
                "prior='weak', fewer components, or a simpler covariance"
            )
        return replace(self.best, failures=tuple(self.failures))


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
    escaped = fit_em(
        rows, start, step, limits, recording, stride_for(settings.acceleration, step, settings.tol)
    )
    gain = escaped.objective - result.objective
    if escaped.outcome.collapse is not None or gain <= limits.tol * result.history.row_weight:
        return result
    if steps is not None:
        steps[:] = again
    return escaped


def _given_whole(settings: FitSettings) -> bool:
    given = settings.given
    spread = given.covariances is not None or given.precisions is not None
    whole = given.weights is not None and given.means is not None and spread
    return whole or given.responsibilities is not None


def rank(result: FitResult) -> tuple[bool, bool, float]:
    """Without collapse first, then without doubts, then the higher objective."""
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
