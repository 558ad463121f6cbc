"""An endless stream of rows, and the mixture that follows it.

The first rows are kept, and searched each time that they have doubled, for no later step leads out of a poor
start. When they are enough they are let go, and `stepwise.Averages` go on without them.
"""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.blocks import Block
from gaussmix.data.memory import MemoryRows
from gaussmix.data.rows import Rows
from gaussmix.data.tasks import Expect, Extent, Measure
from gaussmix.errors import DataError, DegenerateComponentError, FitError, SettingsError
from gaussmix.kernels.contract import FloatArray, Precision
from gaussmix.kernels.threads import single_threaded_blas
from gaussmix.learning.outcome import Doubt
from gaussmix.learning.prepare import covariance_seen, prepare, unwarned
from gaussmix.learning.result import FitResult
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.stepwise import RECENCY, Averages, Bygone, Pace
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture

# Rows for each mean's coordinate before there is a first mixture, and before the first rows are let go, which
# are this many at least.
FIRST, ENOUGH, AT_LEAST = 10, 100, 1 << 14
# Rows of a step for each free parameter, and at least, so that the M-step costs little beside the E-step.
ROWS_EACH, ROWS_AT_LEAST = 2, 512
# Batches whose log-likelihood is remembered.
LATEST = 20


@dataclass(frozen=True, eq=False)
class Stream:
    """What is known after some batches; `taken` makes the next of it, and changes nothing in this one."""

    feature_names: tuple[str, ...]
    extent: Extent
    """Of all rows so far."""
    n_batches: int = 0
    n_steps: int = 0
    """M-steps since the start."""
    averages: Averages | None = None
    """None until there are rows enough for a first mixture."""
    mixture: Mixture | None = None
    """The mixture that the stream stands for."""
    kept: tuple[tuple[NDArray[Any], FloatArray | None], ...] | None = ()
    """The first rows (n, D) with their weights, batch by batch; None when they have been let go."""
    search_at: int = 0
    """How many rows there must be for the next search."""
    scores: tuple[tuple[float, float], ...] = ()
    """Log-likelihood of each of the latest batches under the mixture before it, and its row weight."""
    doubts: tuple[Doubt, ...] = ()
    """Components that too few of the rows still hold up, or that have collapsed."""

    @property
    def mean_log_likelihood(self) -> float | None:
        """Of the latest batches, each before the mixture had seen it, in nats per unit of row weight."""
        if not self.scores:
            return None
        log_likelihood, row_weight = np.sum(self.scores, axis=0)
        return float(log_likelihood / row_weight)

    @property
    def sentence(self) -> str:
        """What has gone by, in words."""
        rows, batches = _counted(self.extent.n_rows, "row"), _counted(self.n_batches, "batch", "es")
        said = f"{rows} in {batches}"
        if self.mixture is None:
            return f"{said}: a first mixture needs {self.search_at:,} rows."
        said += f", {_counted(self.n_steps, 'step')}"
        if (score := self.mean_log_likelihood) is not None:
            latest = "batch" if len(self.scores) == 1 else f"{len(self.scores)} batches"
            said += f"; mean log-likelihood of the latest {latest}, before they were learnt: {score:.6g}"
        return " ".join([f"{said}.", *(doubt.sentence for doubt in self.doubts)])

    def __str__(self) -> str:
        return self.sentence


def stream_after(result: FitResult, rows: Rows, settings: FitSettings) -> Stream:
    """A stream whose first rows are those of a fit, without another look at them."""
    summary = rows.summary
    products = None
    if settings.family.sees_correlation:
        products = covariance_seen(rows, settings.family) * summary.row_weight
    extent = Extent(
        n_rows=summary.n_rows,
        row_weight=summary.row_weight,
        low=summary.low,
        high=summary.high,
        lightest=summary.lightest,
        heaviest=summary.heaviest,
        centre=summary.mean,
        offsets=np.zeros(len(summary.mean)),
        squares=summary.variances * summary.row_weight,
        products=products,
    )
    averages = Averages.of_mixture(result.mixture, summary.row_weight)
    return Stream(rows.feature_names, extent, averages=averages, mixture=result.mixture, kept=None)


@single_threaded_blas()
def taken(stream: Stream | None, rows: MemoryRows, settings: FitSettings, pace: Pace) -> Stream:
    """Learn a batch.

    Parameters
    ----------
    stream : Stream or None
        What came before.
    rows : MemoryRows
        The batch, of any number of rows. One of many is learnt in several steps.
    settings : FitSettings
        Those of the fit; number of components, family and noise are those that the stream began with.
    pace : Pace
        How fast the past is forgotten.

    Returns
    -------
    Stream

    Raises
    ------
    DataError, FitError
        If there are rows enough for a first mixture, and none can be made of them.
    SettingsError
        If the stream is of another kind of mixture.
    """
    extent = rows.added_up(Measure(products=settings.family.sees_correlation))
    if stream is None:
        least = FIRST * settings.n_components * len(rows.feature_names)
        stream = Stream(rows.feature_names, extent, search_at=least)
        before = 0.0
    else:
        _refuse_another(stream, settings)
        before = stream.extent.row_weight
        stream = replace(stream, extent=stream.extent + extent)
    stream = replace(stream, n_batches=stream.n_batches + 1)
    if stream.averages is not None:
        stream = _learnt(stream, stream.averages, rows, before, settings, pace)
    if stream.kept is None:
        return stream
    kept = stream.kept
    stream = replace(stream, kept=(*kept, (rows.matrix, rows.weights)))
    if stream.extent.n_rows >= stream.search_at:
        stream = _searched(stream, settings)
    if stream.kept is None:
        return stream
    # A caller may fill the same array with the next batch.
    weights = None if rows.weights is None else rows.weights.copy()
    return replace(stream, kept=(*kept, (rows.matrix.copy(), weights)))


def _learnt(
    stream: Stream,
    averages: Averages,
    rows: MemoryRows,
    seen: float,
    settings: FitSettings,
    pace: Pace,
) -> Stream:
    """One or several steps, after rows of some weight."""
    extent, n_parameters = stream.extent, averages.mixture.n_parameters
    unit = ROWS_EACH * n_parameters * min(1.0, extent.row_weight / extent.n_rows)
    log_likelihood, row_weight = 0.0, 0.0
    parts = _parts(rows, max(ROWS_EACH * n_parameters, ROWS_AT_LEAST))
    for part in parts:
        # 1) E-step: what the batch says
        statistics = Expect(averages.mixture, Precision.DOUBLE)(part)
        log_likelihood += statistics.log_likelihood
        row_weight += statistics.row_weight
        # 2) Average
        weight = statistics.row_weight
        way = 1.0 - (seen / (seen + weight)) ** (RECENCY + 1.0)
        averages = averages.mixed(statistics, pace.share(seen, weight, unit), way)
        seen += weight
        # 3) M-step; a component that has no spread left stops the mixture, not the stream
        step = _m_step(extent, averages, settings, stream.feature_names)
        collapse: DegenerateComponentError | None = None
        try:
            averages = averages.climbed(step)
        except DegenerateComponentError as failure:
            collapse = failure
    mixture, collapse = _stood_for(averages, step, pace, collapse)
    return replace(
        stream,
        averages=averages,
        mixture=mixture,
        n_steps=stream.n_steps + len(parts),
        scores=(*stream.scores, (log_likelihood, row_weight))[-LATEST:],
        doubts=_doubts(averages, extent, collapse),
    )


def _stood_for(
    averages: Averages, step: MStep, pace: Pace, collapse: DegenerateComponentError | None
) -> tuple[Mixture, DegenerateComponentError | None]:
    if not pace.averages:
        return averages.mixture, collapse
    try:
        return averages.mixture_along(step), collapse
    except DegenerateComponentError as failure:
        return averages.mixture, collapse or failure


def _m_step(extent: Extent, averages: Averages, settings: FitSettings, names: tuple[str, ...]) -> MStep:
    """For as many rows as the averages are worth."""
    bygone = Bygone(extent, averages.effective_weight, settings.n_components, names)
    with unwarned():
        return prepare(bygone, settings)


def _searched(stream: Stream, settings: FitSettings) -> Stream:
    """With what a search makes of the first rows, which are let go if they are enough."""
    rows = _together(stream)
    n_rows = stream.extent.n_rows
    enough = n_rows >= max(AT_LEAST, ENOUGH * settings.n_components * len(stream.feature_names))
    # What there is to say of the rows is said once.
    quiet = nullcontext() if stream.averages is None else unwarned()
    try:
        with quiet:
            result = search(rows, settings)
    except (DataError, FitError):
        # More of them may be better.
        if enough:
            raise
        return replace(stream, search_at=2 * n_rows)
    averages = Averages.begin(result.mixture, rows.expected_statistics(result.mixture))
    return replace(
        stream,
        averages=averages,
        mixture=result.mixture,
        kept=None if enough else stream.kept,
        search_at=2 * n_rows,
        doubts=_doubts(averages, stream.extent, result.outcome.collapse),
    )


def _together(stream: Stream) -> MemoryRows:
    kept = stream.kept or ()
    matrix = kept[0][0] if len(kept) == 1 else np.concatenate([matrix for matrix, _ in kept])
    weights = None
    if any(given is not None for _, given in kept):
        weights = np.concatenate([np.ones(len(m)) if given is None else given for m, given in kept])
    return MemoryRows(matrix, weights, stream.feature_names)


def _parts(rows: MemoryRows, size: int) -> list[Block]:
    """A batch cut into as few parts as have no more rows than that.

    Rows are dealt out in turn, so that each part has its share of every stretch of a sorted batch.
    """
    matrix, weights = rows.matrix, rows.weights
    if weights is not None:
        present = weights > 0.0
        matrix, weights = matrix[present], weights[present]
    n_parts = -(-len(matrix) // size)
    return [
        Block(matrix[j::n_parts], None if weights is None else weights[j::n_parts], 0, 0.0)
        for j in range(n_parts)
    ]


def _doubts(
    averages: Averages, extent: Extent, collapse: DegenerateComponentError | None
) -> tuple[Doubt, ...]:
    mixture = averages.mixture
    least = mixture.family.least_rows(mixture.n_features)
    rows = averages.effective_rows / min(1.0, extent.row_weight / extent.n_rows)
    found = []
    if collapse is not None:
        sentence = (
            f"In the latest step {collapse}, and the mixture is the one before it: use prior='weak', fewer "
            "components, or a simpler covariance."
        )
        found.append(Doubt(-1 if collapse.component is None else collapse.component, "collapsed", sentence))
    for k in np.flatnonzero(rows < least):
        sentence = (
            f"Component {k + 1} starves: what it holds of the latest rows is worth {rows[k]:.2g} of them, "
            f"fewer than the {least} that its covariance needs. Use fewer components, or forget more slowly."
        )
        found.append(Doubt(int(k), "few_rows", sentence))
    return tuple(found)


def _refuse_another(stream: Stream, settings: FitSettings) -> None:
    if (mixture := stream.mixture) is None:
        return
    asked = (settings.n_components, settings.family.name, bool(settings.noise))
    known = (mixture.n_components, mixture.family.name, mixture.noise is not None)
    if asked != known:
        names = ("n_components", "covariance_type", "noise")
        changed = ", ".join(
            f"{n}={a!r} (it was {k!r})" for n, a, k in zip(names, asked, known, strict=True) if a != k
        )
        raise SettingsError(f"a stream goes on as it began; begin a new one with {changed} in a new model")


def _counted(number: int, word: str, plural: str = "s") -> str:
    return f"{number:,} {word}{'' if number == 1 else plural}"
