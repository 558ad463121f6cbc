"""Many cheap starts, and few that deserve more: the first half of a search.

Starts are partitions of some thousand rows, the judges. Each takes a few EM steps on them, the better
ones some more, and so on (successive halving: Jamieson and Talwalkar, AISTATS 2016).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.data.rows import Rows
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.climbers import Climber, climb, climb_further, stackable
from gaussmix.learning.clutter import clean_rows
from gaussmix.learning.effort import Effort
from gaussmix.learning.interval_starts import likeliest_intervals, nested
from gaussmix.learning.partitions import regardless_of_numbers, shared_out, some, table_of
from gaussmix.learning.search_table import REACHED
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.spurious import Soundness, soundness_of_each
from gaussmix.learning.starts import REPEATED, SAMPLE_ROWS, StartSample, first_mixture, one_row
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture, Noise

# Ways to make starts besides agglomeration.
BY_CHANCE = ("kmeans", "k-means++", "adaptive", "random_from_data")
# Judges for each free parameter of a mixture with full covariances, and how many at least and at most.
JUDGES_A_PARAMETER, FEWEST_JUDGES, MOST_JUDGES = 50.0, 2000, 8192
# Weights, and means in standard deviations of all rows, that differ by less are the same.
SAME_WEIGHT, SAME_PLACE = 0.02, 0.1
# Of the rows drawn for a sample, the share of different ones below which they are all there are.
FEW_DIFFERENT = 0.5
# Responsibilities that are in memory at a time.
STACKED_NUMBERS = 1 << 22


@dataclass(frozen=True, eq=False)
class Judges:
    """Rows that starts and moves are tried on; they stand for all rows."""

    rows: MemoryRows
    """n rows in float64, with weights that add up to those of all rows."""
    points: FloatArray
    """(n, M), the same whitened."""
    scaled: FloatArray
    """(n, M'), the same in units of each column's standard deviation, where columns have any."""
    whitener: FloatArray
    """(D, M), W with W^T S W = I."""
    covariance: FloatArray
    """(D, D), S, of all rows as the family sees it."""
    clean: np.ndarray
    """(n,) of bool, those that do not look like noise; all of them unless noise was asked for."""
    noise_share: float
    """The share of the others."""
    row_weight: float
    """Of all rows."""
    one_row: float
    """The weight of a row."""
    different_row: float
    """The weight of all that are equal to a row, on average: what a component rests on are different rows."""

    @property
    def weights(self) -> FloatArray:
        """(n,)."""
        assert self.rows.weights is not None
        return self.rows.weights

    def soundness(self, mixture: Mixture, effective: FloatArray) -> Soundness:
        """Whether components sit on a handful of close rows, given the effective rows of each (K,)."""
        return self._soundness([mixture], effective[None])[0]

    def _soundness(self, mixtures: list[Mixture], effective: FloatArray) -> list[Soundness]:
        in_rows = effective / self.different_row
        # Weights that add up to less than there are rows count rows in another unit, and so do nats.
        found = soundness_of_each(mixtures, in_rows, self.whitener, self.row_weight / self.one_row)
        if self.one_row == 1.0:
            return found
        return [replace(each, price=each.price * self.one_row) for each in found]

    def ranks(self, climbers: Sequence[Climber]) -> list[tuple[bool, float]]:
        """Mixtures without spikes come first, then the higher objective; without density they come last."""
        if not climbers:
            return []
        effective = np.stack([climber.effective for climber in climbers])
        found = self._soundness([climber.mixture for climber in climbers], effective)
        return [
            each.rank(climber.objective) if np.isfinite(climber.objective) else (False, -np.inf)
            for each, climber in zip(found, climbers, strict=True)
        ]

    def alike(self, one: Climber, other: Climber) -> bool:
        """Whether two mixtures are the same but for rounding, the order of components, and some steps of EM.

        Objectives alone do not tell: after a few steps different mixtures may stand equally high.
        """
        if abs(one.objective - other.objective) > REACHED * self.row_weight:
            return False
        weights = np.sort(one.mixture.weights) - np.sort(other.mixture.weights)
        if np.abs(weights).max() > SAME_WEIGHT:
            return False
        means, others = (climber.mixture.means @ self.whitener for climber in (one, other))
        apart = np.linalg.norm(means[:, None] - others, axis=2)
        return bool(max(apart.min(axis=0).max(), apart.min(axis=1).max()) <= SAME_PLACE)

    def rank(self, climber: Climber) -> tuple[bool, float]:
        """Of one; see ``ranks``."""
        return self.ranks([climber])[0]


@dataclass(frozen=True, eq=False)
class Contender:
    """A start after its few steps."""

    origin: str
    start: Mixture
    climber: Climber


def n_judges_for(settings: FitSettings, n_features: int) -> int:
    """How many judges there are where there are rows enough."""
    parameters = settings.n_components * (n_features + 1) * (n_features + 2) / 2
    return int(np.clip(JUDGES_A_PARAMETER * parameters, FEWEST_JUDGES, MOST_JUDGES))


def judges_of(
    sample: StartSample, rows: Rows, settings: FitSettings, generator: np.random.Generator
) -> Judges:
    """Choose judges from a sample of the rows."""
    n_features = len(rows.feature_names)
    chosen, weights = some(sample.weights, n_judges_for(settings, n_features), generator)
    weights = weights * (rows.summary.row_weight / weights.sum())
    matrix = np.ascontiguousarray(sample.rows.matrix[chosen], dtype=np.float64)
    points = sample.points[chosen]
    clean, share = np.ones(len(points), dtype=bool), 0.0
    if settings.noise:
        clean, share = clean_rows(points, weights, settings.n_components)
    return Judges(
        rows=MemoryRows.trusted(matrix, weights, rows.feature_names),
        points=points,
        scaled=_scaled(matrix, weights),
        whitener=settings.family.whitened(np.eye(n_features), sample.covariance),
        covariance=sample.covariance,
        row_weight=rows.summary.row_weight,
        one_row=one_row(rows),
        different_row=_different_row(sample, rows),
        clean=clean,
        noise_share=share,
    )


def _scaled(matrix: FloatArray, weights: FloatArray) -> FloatArray:
    mean = weights @ matrix / weights.sum()
    deviations = np.sqrt(weights @ (matrix - mean) ** 2 / weights.sum())
    spread = deviations > 0.0
    scaled: FloatArray = (matrix - mean)[:, spread] / deviations[spread]
    return scaled


def _different_row(sample: StartSample, rows: Rows) -> float:
    n_rows = rows.summary.n_rows
    n_drawn, n_different = min(n_rows, SAMPLE_ROWS), len(sample.points)
    if n_different >= FEW_DIFFERENT * n_drawn:
        n_different = round(n_different * n_rows / n_drawn)
    return max(one_row(rows), rows.summary.row_weight / n_different)


def contenders(
    judges: Judges,
    settings: FitSettings,
    step: MStep,
    noise: Noise | None,
    effort: Effort,
    generator: np.random.Generator,
    others: Sequence[tuple[str, Mixture]] = (),
) -> tuple[list[Contender], int]:
    """The starts that are left after all rounds, the best first, and how many there were at first.

    Parameters
    ----------
    judges : Judges
    settings : FitSettings
        For K, the family and ``init_params``.
    step : MStep
    noise : Noise or None
        What starts begin with.
    effort : Effort
    generator : numpy.random.Generator
    others : sequence of (str, Mixture)
        Starts besides, and how they came about.
    """
    partitioned = _partitions(judges, settings, effort, generator)
    if effort.intervals:
        rows, weights = judges.rows.matrix, judges.weights
        inside = nested(weights @ rows / weights.sum(), judges.covariance, settings.family)
        others = [*others, *(("one inside the other", mixture) for mixture in inside)]
    found = _first_mixtures(judges, [partition for _, partition in partitioned], settings, step)
    origins = [origin for origin, _ in (*others, *partitioned)]
    mixtures = (*(mixture for _, mixture in others), *found)
    starts = [step.ties.applied(mixture, noise) for mixture in mixtures]
    left = [
        Contender(origin, start, climber)
        for origin, start, climber in zip(origins, starts, climb(judges.rows, starts, step, 0), strict=True)
    ]
    for n_steps, n_left in effort.rounds:
        if n_steps:
            climbers = climb_further(judges.rows, [contender.climber for contender in left], step, n_steps)
            left = [replace(before, climber=climber) for before, climber in zip(left, climbers, strict=True)]
        left = different(judges, left, n_left)
    return left, len(starts)


def different(judges: Judges, contenders: list[Contender], most: int) -> list[Contender]:
    """The best so many of those that are not one optimum seen twice, the best first.

    Of those that are, the first of the contenders stays, so that rounding does not choose.
    """
    ranks = judges.ranks([contender.climber for contender in contenders])
    place = {contender.climber: i for i, contender in enumerate(contenders)}
    kept: list[Contender] = []
    for i in sorted(range(len(contenders)), key=ranks.__getitem__, reverse=True):
        contender = contenders[i]
        if not np.isfinite(contender.climber.objective):
            continue
        seen = [j for j, k in enumerate(kept) if judges.alike(k.climber, contender.climber)]
        if seen:
            kept[seen[0]] = min(kept[seen[0]], contender, key=lambda c: place[c.climber])
        elif len(kept) < most:
            kept.append(contender)
    return kept


def _partitions(
    judges: Judges, settings: FitSettings, effort: Effort, generator: np.random.Generator
) -> list[tuple[str, np.ndarray]]:
    """How each start came about, and its labels (n,) or responsibilities (n, K); no partition twice."""
    method = settings.init_params
    # In rows, whatever unit weights have.
    points, weights = judges.points[judges.clean], judges.weights[judges.clean] / judges.one_row
    if effort.intervals:
        return [("interval", own) for own in likeliest_intervals(points[:, 0], weights, effort.intervals)]
    portfolio = [(method, method, points, effort.tries_of_one)]
    if method == "auto":
        portfolio = [("agglomerative", "agglomerative", points, effort.agglomerations)]
        portfolio += [(name, name, points, effort.tries) for name in BY_CHANCE]
        if settings.family.sees_correlation and points.shape[1] > 1:
            portfolio.append(("kmeans, columns scaled", "kmeans", judges.scaled[judges.clean], effort.scaled))
    distinct: dict[bytes, tuple[str, np.ndarray]] = {}
    apart = generator.spawn(1)[0]
    for name, way, places, n_tries in portfolio:
        n_repeated = 0
        source = generator if name == way else apart
        for _ in range(n_tries):
            found = shared_out(way, places, weights, settings.n_components, source)
            known = len(distinct)
            distinct.setdefault(regardless_of_numbers(found), (name, found))
            n_repeated += len(distinct) == known
            if n_repeated == REPEATED:
                break
    return list(distinct.values())


def _first_mixtures(
    judges: Judges, partitions: list[np.ndarray], settings: FitSettings, step: MStep
) -> list[Mixture]:
    """One M-step from each partition, as ``starts.first_mixture`` takes it."""
    names, clean, n_components = judges.rows.feature_names, judges.clean, settings.n_components
    rows = MemoryRows.trusted(judges.rows.matrix[clean], judges.weights[clean], names)
    most = 1
    if stackable(settings.family, step):
        most = max(STACKED_NUMBERS // (len(rows.matrix) * n_components), 1)
    found: list[Mixture] = []
    for first in range(0, len(partitions), most):
        # Components that are free of one another are made alike whatever mixture they belong to.
        tables = [table_of(partition, n_components) for partition in partitions[first : first + most]]
        table = np.concatenate(tables, axis=1)
        many = first_mixture(rows, table, settings, step, judges.covariance, judges.one_row)
        found += _taken_apart(many, n_components)
    return found


def _taken_apart(many: Mixture, n_components: int) -> list[Mixture]:
    """Mixtures of K components each, from one that has those of all."""
    if many.n_components == n_components:
        return [many]
    found = []
    for first in range(0, many.n_components, n_components):
        own = slice(first, first + n_components)
        weights = many.weights[own] / many.weights[own].sum()
        found.append(Mixture(weights, many.means[own], many.covariances[own], many.family))
    return found
