"""Fits that go wrong, made when a page of them is made: what EM does to those who trust it blindly."""

import warnings
from dataclasses import replace

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataWarning
from gaussmix.learning.prepare import prepare
from gaussmix.learning.result import FitResult
from gaussmix.learning.search import search
from gaussmix.learning.settings import DEFAULT_TOL, FitSettings, GivenStart
from gaussmix.report.html.page import Story
from gaussmix.report.html.playback import Playback, playback_of
from gaussmix.report.summary import FitSummary, summarise
from gaussmix.report.worked_example import HEIGHTS, START

# On the row 5.2 and narrow.
BAD_START = GivenStart(weights=[0.5, 0.5], means=[[5.2], [5.8]], covariances=0.01)
TOO_MANY = 5


def failure_lab() -> tuple[FitSummary, Playback, tuple[Story, ...]]:
    """The worked example's answer, to be told first, and three ways to miss it."""
    rows = MemoryRows(np.array(HEIGHTS)[:, None], feature_names=["height"])
    alone = FitSettings(2, tol=DEFAULT_TOL, max_iter=10_000, given=START, acceleration="none")
    answer, playback = _told(rows, alone)
    collapse, onto_a_row = _told(rows, replace(alone, prior="none"))
    elsewhere, onto_another = _told(rows, replace(alone, prior="none", given=BAD_START))
    many, too_many = _told(rows, FitSettings(TOO_MANY))
    others = (
        Story(
            "the collapse, without a prior",
            "The same start without a prior. The means creep along a plateau; then component 2 shrinks onto "
            f"a single row, and the likelihood grows without bound. {collapse.outcome}",
            onto_a_row,
        ),
        Story(
            "a bad start, without a prior",
            "A narrow component begins on the row 5.2 and stays there: another start, another answer. "
            f"{elsewhere.outcome}",
            onto_another,
        ),
        Story(
            f"{TOO_MANY} components for ten rows",
            "The prior keeps the likelihood bounded, and components for which there are no groups run "
            f"empty. {many.outcome}",
            too_many,
        ),
    )
    return summarise(answer, rows, alone), playback, others


def _told(rows: MemoryRows, settings: FitSettings) -> tuple[FitResult, Playback]:
    with warnings.catch_warnings():
        # What is wrong with these fits is what they are for.
        warnings.simplefilter("ignore", DataWarning)
        result = search(rows, settings, trace=True)
        collapsed = result.outcome.collapse is not None
        return result, playback_of(rows, result.trace, prepare(rows, settings), collapsed=collapsed)
