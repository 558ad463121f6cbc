"""Fits to rows drawn anew: how far a mixture moves when its rows might have been others.

Three ways to draw, as in mclust's ``MclustBootstrap``: rows by their weight, with replacement (Efron 1979);
all rows with random weights of mean 1 (Newton and Raftery 1994; O'Hagan, Murphy, Scrucca and Gormley 2019);
or new rows from the mixture itself (McLachlan and Peel 2000, 2.16).
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.data.rows import Rows
from gaussmix.errors import DataError, DataWarning, DegenerateComponentError
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.acceleration import stride_for
from gaussmix.learning.climbers import Climber, climb_further, stackable
from gaussmix.learning.em import fit_em
from gaussmix.learning.prepare import prepare
from gaussmix.learning.review import EMPTY_BELOW
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.stopping import Limits
from gaussmix.model.alignment import aligned
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture

# A refit is at its end when so many nats in all are left: its parameters are then within a hundredth of their
# standard errors of where they would go.
LEFT = 5e-5
# EM steps that a mixture takes in one compiled call; calls that tell how gains shrink; calls before longer
# steps are tried.
STEPS, FIRST_CALLS, CALLS = 25, 3, 12

Draw = Callable[[np.random.Generator], MemoryRows]


@dataclass(frozen=True, eq=False)
class Replicates:
    """Mixtures fitted to rows drawn anew, components in the order of the first mixture."""

    mixtures: tuple[Mixture, ...]
    n_failed: int
    """Refits that collapsed, lost a component, or came to no end; they are not among the mixtures."""


def resampled(rows: Rows) -> Draw:
    """As many rows as there are, drawn by their weight with replacement."""
    matrix, weights = _whole(rows)
    total = weights.sum()
    n_drawn = max(round(total), 1)

    def draw(generator: np.random.Generator) -> MemoryRows:
        counts = generator.multinomial(n_drawn, weights / total)
        return _drawn(rows, matrix, counts * (total / n_drawn))

    return draw


def reweighted(rows: Rows) -> Draw:
    """All rows, with exponential weights; a row that counts twice gets two of them, added up."""
    matrix, weights = _whole(rows)
    total = weights.sum()

    def draw(generator: np.random.Generator) -> MemoryRows:
        drawn = generator.standard_gamma(weights)
        return _drawn(rows, matrix, drawn * (total / drawn.sum()))

    return draw


def simulated(rows: Rows, mixture: Mixture) -> Draw:
    """As many rows as there are, drawn from the mixture."""
    total = rows.summary.row_weight
    n_drawn = max(round(total), 1)

    def draw(generator: np.random.Generator) -> MemoryRows:
        matrix, _ = mixture.sample(n_drawn, generator)
        return _drawn(rows, matrix, np.full(n_drawn, total / n_drawn))

    return draw


def bootstrap(
    mixture: Mixture, settings: FitSettings, draw: Draw, n_replicates: int, seed: int
) -> Replicates:
    """Fit to rows drawn anew, again and again, each time from the mixture itself.

    Parameters
    ----------
    mixture : Mixture
        Fitted under ``settings``; with noise, its box stays as it is.
    settings : FitSettings
        Of the refits: family, prior, ties, limits.
    draw : callable
        One of `resampled`, `reweighted`, `simulated`.
    n_replicates : int
        How many.
    seed : int
        Each replicate has a generator of its own, so that more of them begin with the same ones.

    Returns
    -------
    Replicates
        Components that came to stand elsewhere are put back by `aligned`; where parts of components are held
        or shared their order is the start's, and stays.
    """
    found = []
    for sequence in np.random.SeedSequence(seed).spawn(n_replicates):
        with warnings.catch_warnings():
            # What there is to say of the rows was said when they were fitted.
            warnings.simplefilter("ignore", DataWarning)
            refitted = _refitted(draw, mixture, settings, np.random.default_rng(sequence))
        if refitted is not None:
            ordered = settings.ties.any
            found.append(refitted if ordered else refitted.permuted(aligned(refitted, mixture)))
    return Replicates(tuple(found), n_replicates - len(found))


def _refitted(
    draw: Draw, mixture: Mixture, settings: FitSettings, generator: np.random.Generator
) -> Mixture | None:
    """The mixture that EM makes of new rows; None if it makes none of as many components."""
    try:
        rows = draw(generator)
        found = _climbed(rows, mixture, settings, prepare(rows, settings))
    except (DataError, DegenerateComponentError):
        return None
    if found is None or found.weights.min() * rows.summary.row_weight < EMPTY_BELOW:
        return None
    return found


def _climbed(rows: MemoryRows, mixture: Mixture, settings: FitSettings, step: MStep) -> Mixture | None:
    if stackable(mixture.family, step) and mixture.noise is None:
        climber = Climber(mixture, -np.inf, np.empty(0))
        for call in range(1, CALLS + 1):
            (climber,) = climb_further(rows, [climber], step, STEPS)
            if not np.isfinite(climber.objective):
                return None
            if call >= FIRST_CALLS and climber.hope < LEFT:
                return climber.mixture
        mixture = climber.mixture
    limits = Limits(LEFT / rows.summary.row_weight, settings.max_iter, step.monotone)
    stride = stride_for(settings.acceleration, step, limits.tol)
    result = fit_em(rows, mixture, step, limits, stride=stride)
    return result.mixture if result.outcome.converged and result.outcome.collapse is None else None


def _whole(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """All rows of positive weight (N, D) with their weights (N,)."""
    tiles = list(_in_doubles(rows))
    return np.concatenate([tile for tile, _ in tiles]), np.concatenate([weights for _, weights in tiles])


def _in_doubles(rows: Rows) -> Iterator[tuple[FloatArray, FloatArray]]:
    for tile, weights in rows.tiles():
        yield np.asarray(tile, dtype=np.float64), np.ones(len(tile)) if weights is None else weights


def _drawn(rows: Rows, matrix: FloatArray, weights: FloatArray) -> MemoryRows:
    if not weights.all():
        kept = weights > 0.0
        matrix, weights = matrix[kept], weights[kept]
    return MemoryRows.trusted(matrix, weights, rows.feature_names)
