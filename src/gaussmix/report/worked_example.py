"""The worked example this project began with: ten heights, two groups, and what to make of them."""

from dataclasses import dataclass

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.learning import scoring
from gaussmix.learning.prepare import prepare
from gaussmix.learning.result import FitResult, TraceStep
from gaussmix.learning.search import search
from gaussmix.learning.settings import DEFAULT_TOL, FitSettings, GivenStart
from gaussmix.report.explanation import Explanation, explain
from gaussmix.report.summary import FitSummary, summarise

HEIGHTS = (5.2, 5.5, 5.8, 6.1, 5.7, 5.6, 6.3, 5.9, 5.6, 6.0)
START = GivenStart(weights=[0.5, 0.5], means=[[5.5], [6.0]], covariances=[0.1, 0.1])
TOLERANCES = (1e-6, DEFAULT_TOL, 1e-12)
METRES_PER_FOOT = 0.3048
# Iterations of the long path that are printed: enough to see the plateau and the collapse.
LANDMARKS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1500)
LAST_SHOWN = 4


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way to describe the rows."""

    words: str
    log_likelihood: float
    n_parameters: int
    bic: float


@dataclass(frozen=True, eq=False)
class WorkedExample:
    """All that the demo tells; every number comes from fits made when it is told."""

    heights: tuple[float, ...]
    explanation: Explanation
    """The first iterations by hand, without a prior."""
    path: tuple[TraceStep, ...]
    """Landmarks on the way of EM without a prior."""
    collapse: FitResult
    """Where that way ends."""
    unpenalised: tuple[tuple[float, FitResult], ...]
    """Without a prior, for each tolerance."""
    penalised: tuple[tuple[float, FitResult], ...]
    """With the default prior, for each tolerance."""
    answer: FitSummary
    """The default fit from the start of the example."""
    memberships: tuple[tuple[float, tuple[float, ...]], ...]
    """Each height, rising, with its responsibilities under ``answer``."""
    candidates: tuple[Candidate, ...]
    """One group and two, by BIC; the best first."""
    range_in_metres: tuple[float, float]
    """Of the heights, if they are feet."""


def tell_worked_example(n_steps: int) -> WorkedExample:
    """Fit the ten heights in every way that the demo speaks of.

    Parameters
    ----------
    n_steps : int
        Iterations to write out in full.
    """
    rows = MemoryRows(np.array(HEIGHTS)[:, None], feature_names=["height"])
    by_hand = _settings(prior="none", max_iter=n_steps, tol=0.0)
    explained = search(rows, by_hand, trace=True)
    prior = prepare(rows, by_hand).prior
    collapse = search(rows, _settings(prior="none"), trace=True)
    default = _settings()
    answer = search(rows, default)
    shares = answer.mixture.shares(np.sort(rows.matrix, axis=0))
    return WorkedExample(
        heights=HEIGHTS,
        explanation=explain(rows, explained, by_hand, prior),
        path=_landmarks(collapse.trace),
        collapse=collapse,
        unpenalised=tuple((tol, search(rows, _settings(prior="none", tol=tol))) for tol in TOLERANCES),
        penalised=tuple((tol, search(rows, _settings(tol=tol))) for tol in TOLERANCES),
        answer=summarise(answer, rows, default),
        memberships=tuple((x, tuple(r)) for x, r in zip(sorted(HEIGHTS), shares.tolist(), strict=True)),
        candidates=_candidates(rows, answer),
        range_in_metres=(METRES_PER_FOOT * min(HEIGHTS), METRES_PER_FOOT * max(HEIGHTS)),
    )


def _settings(prior: str = "weak", tol: float = DEFAULT_TOL, max_iter: int = 10_000) -> FitSettings:
    """EM's own steps, one by one: the example is about them."""
    return FitSettings(2, prior=prior, tol=tol, max_iter=max_iter, given=START, acceleration="none")


def _landmarks(trace: tuple[TraceStep, ...]) -> tuple[TraceStep, ...]:
    last = trace[-1].iteration
    return tuple(step for step in trace if step.iteration in LANDMARKS or step.iteration > last - LAST_SHOWN)


def _candidates(rows: MemoryRows, two_groups: FitResult) -> tuple[Candidate, ...]:
    fits = {
        "one group": search(rows, FitSettings(n_components=1)),
        "two groups with one variance": search(
            rows, FitSettings(n_components=2, covariance_type="tied", given=START)
        ),
        "two groups, each with its own variance": two_groups,
    }
    candidates = [
        Candidate(
            words,
            fit.log_likelihood,
            fit.mixture.n_parameters,
            scoring.bic(fit.log_likelihood, fit.mixture.n_parameters, rows.summary.row_weight),
        )
        for words, fit in fits.items()
    ]
    return tuple(sorted(candidates, key=lambda candidate: candidate.bic))
