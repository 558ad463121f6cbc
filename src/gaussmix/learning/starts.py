"""First mixtures: from given parameters or labels, from k-means, from random rows.

Starts look at a sample of bounded size, sorted and with equal rows joined, so that the order of
the rows and the difference between a weight of 2 and a repeated row do not matter.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.data.rows import Rows
from gaussmix.data.tasks import TakeDistinct
from gaussmix.errors import DataError, DataWarning, DegenerateComponentError, StartError
from gaussmix.kernels.contract import FloatArray, ScatterKind
from gaussmix.learning import partitions
from gaussmix.learning.climbers import climb
from gaussmix.learning.clutter import LEAST_SHARE, clean_rows, noise_over
from gaussmix.learning.prepare import covariance_seen
from gaussmix.learning.settings import CheckedStart, FitSettings, checked_start
from gaussmix.model.covariances import CovarianceFamily
from gaussmix.model.maximise import MStep, maximise
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import Prior, WeakPrior
from gaussmix.model.spread import longest_axis

SAMPLE_ROWS, SAMPLE_VALUES = 1 << 15, 1 << 21
# Neighbours are looked for among this many rows: trees of more are slow in many dimensions.
CLEANED_ROWS = 1 << 13
# No more partitions are looked for once so many were found again.
REPEATED = 4
# So many k-means partitions are compared, on this many rows, after this many EM steps.
KMEANS_TRIALS = 10
TRIAL_ROWS, TRIAL_STEPS = 4096, 5


@dataclass(frozen=True, eq=False)
class StartSample:
    """Distinct rows in lexicographic order, with weights, and whitened for distances."""

    rows: MemoryRows
    """n rows."""
    covariance: FloatArray
    """(D, D), theirs, as the family sees it. Taken from the sorted sample and not from the data, so
    that not even rounding depends on the order of the data's rows."""
    weights: FloatArray
    """(n,), theirs."""
    points: FloatArray
    """(n, D or fewer), rows in units in which their covariance, as the family sees it, is 1."""


def draw_sample(
    rows: Rows, settings: FitSettings, generator: np.random.Generator, most: int = SAMPLE_ROWS
) -> StartSample:
    """Take all rows, or a sample of bounded size.

    Raises
    ------
    DataError
        If fewer distinct rows are found than components wanted.
    DegenerateComponentError
        If rows have no spread beside their rounding.
    """
    n_features, n_components = len(rows.feature_names), settings.n_components
    size = max(min(most, SAMPLE_VALUES // n_features), n_components + 1)
    drawn, weights = rows.sample(size, generator)
    distinct, joined = _joined(drawn, weights)
    if len(distinct) < n_components:
        # A sample may have missed rare rows: look at all of them before giving up.
        found = rows.added_up(TakeDistinct(n_components)).matrix
        if len(found) < n_components:
            raise DataError(
                f"{len(found)} distinct rows cannot make {n_components} components: use at most {len(found)}"
            )
        distinct, joined = _joined(np.r_[drawn, found], np.r_[weights, np.ones(len(found))])
    sampled = MemoryRows(distinct, joined, rows.feature_names)
    covariance = covariance_seen(sampled, settings.family)
    points = settings.family.whitened(distinct - sampled.summary.mean, covariance)
    if points.shape[1] == 0:
        # A row of very large weight beside others: all variance is its rounding.
        raise DegenerateComponentError(0, "has no spread left")
    # By distance from the middle, which no change of units or sign alters.
    order = np.argsort(np.round((points**2).sum(axis=1), 8), kind="stable")
    sampled = MemoryRows(distinct[order], joined[order], rows.feature_names)
    return StartSample(sampled, covariance, joined[order], points[order])


def _joined(rows: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distinct rows in lexicographic order, with the weights of equal ones added up."""
    order = np.lexsort(rows.T[::-1])
    rows, weights = rows[order], weights[order]
    first = np.flatnonzero(np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)])
    return rows[first], np.add.reduceat(weights, first)


def make_start(rows: Rows, settings: FitSettings, step: MStep, generator: np.random.Generator) -> Mixture:
    """Make the first mixture.

    Parameters
    ----------
    rows : Rows
    settings : FitSettings
        Its ``given`` parts are taken as they are; what it leaves open comes from ``init_params``.
    step : MStep
        Its prior smooths the first covariances.
    generator : numpy.random.Generator

    Returns
    -------
    Mixture

    Raises
    ------
    StartError
        If the given parts are not a mixture for these rows.
    DataError
        If there are fewer distinct rows than components.
    """
    given = checked_start(settings, len(rows.feature_names))
    share = 0.0
    sample: StartSample | None = None
    if settings.noise and settings.given.noise is None and given.responsibilities is None:
        drawn = draw_sample(rows, settings, generator, CLEANED_ROWS)
        sample, share = _without_noise(drawn, settings.n_components)
    if given.responsibilities is not None:
        found, share = _from_responsibilities(rows, given.responsibilities, settings, step)
    elif given.complete:
        found = None
    elif settings.n_components == 1:
        found = _one_component(rows, settings, step) if sample is None else _one_group(sample, settings, step)
    else:
        found = _from_method(
            rows, sample or draw_sample(rows, settings, generator), settings, step, generator
        )
    if settings.given.noise is not None:
        # Its box is that of the rows it was fitted to, which these need not be.
        share = min(settings.given.noise.weight, 1.0 - LEAST_SHARE)
    noise = noise_over(rows, share) if settings.noise else None
    start = step.ties.applied(_overridden(given, found, settings.family), noise)
    if given.means is not None and not step.ties.share.get("means"):
        _warn_equal_means(start)
    if given.covariances is not None:
        _refuse_narrow(start, step, rows.feature_names)
        start = _with_floor(start, step)
    return start


def _overridden(given: CheckedStart, found: Mixture | None, family: CovarianceFamily) -> Mixture:
    def choose(part: FloatArray | None, name: str) -> FloatArray:
        chosen: FloatArray = getattr(found, name) if part is None else part
        return chosen

    return Mixture(
        choose(given.weights, "weights"),
        choose(given.means, "means"),
        choose(given.covariances, "covariances"),
        family,
    )


def _one_component(rows: Rows, settings: FitSettings, step: MStep) -> Mixture:
    """The closed form, which EM then only confirms."""
    family = settings.family
    covariances = family.from_matrices(covariance_seen(rows, family)[None])
    if (floor := step.prior.floor()) is not None:
        covariances = floor.under(covariances, family)
    if step.reg_covar > 0.0:
        covariances = family.add_matrix(covariances, step.reg_covar * np.eye(len(rows.feature_names)))
    return Mixture(np.ones(1), rows.summary.mean[None, :], covariances, family)


def _one_group(sample: StartSample, settings: FitSettings, step: MStep) -> Mixture:
    """One component for what does not look like noise, smoothed."""
    shares = np.ones((len(sample.weights), 1))
    return first_mixture(sample.rows, shares, settings, step, sample.covariance, one_row(sample.rows))


def _without_noise(sample: StartSample, n_components: int) -> tuple[StartSample, float]:
    """What of a sample does not look like noise, and the share that does."""
    kept, share = clean_rows(sample.points, sample.weights, n_components)
    weights = sample.weights[kept]
    rows = MemoryRows(sample.rows.matrix[kept], weights, sample.rows.feature_names)
    return replace(sample, rows=rows, weights=weights, points=sample.points[kept]), share


def _from_method(
    rows: Rows, sample: StartSample, settings: FitSettings, step: MStep, generator: np.random.Generator
) -> Mixture:
    method = "kmeans" if settings.init_params == "auto" else settings.init_params
    n_trials = KMEANS_TRIALS if method == "kmeans" else 1
    # The same partition again, perhaps with other numbers, need not be judged again.
    distinct: dict[bytes, np.ndarray] = {}
    n_repeated = 0
    while len(distinct) + n_repeated < n_trials and n_repeated < REPEATED:
        found = partitions.shared_out(method, sample.points, sample.weights, settings.n_components, generator)
        known = len(distinct)
        distinct.setdefault(partitions.regardless_of_numbers(found), found)
        n_repeated += len(distinct) == known
    trials = [
        first_mixture(sample.rows, table, settings, step, sample.covariance, one_row(rows))
        for table in (partitions.table_of(found, settings.n_components) for found in distinct.values())
    ]
    return trials[0] if len(trials) == 1 else _most_promising(trials, sample, step, generator)


def _most_promising(
    trials: list[Mixture], sample: StartSample, step: MStep, generator: np.random.Generator
) -> Mixture:
    """Where a few EM steps on a few thousand rows get highest (Biernacki et al. 2003)."""
    chosen, weights = partitions.some(sample.weights, TRIAL_ROWS, generator)
    matrix = np.ascontiguousarray(sample.rows.matrix[chosen], dtype=np.float64)
    judges = MemoryRows.trusted(matrix, weights, sample.rows.feature_names)
    climbers = climb(judges, trials, step, TRIAL_STEPS)
    best = int(np.argmax([climber.objective for climber in climbers]))
    return climbers[best].mixture if np.isfinite(climbers[best].objective) else trials[best]


def _from_responsibilities(
    rows: Rows, responsibilities: FloatArray, settings: FitSettings, step: MStep
) -> tuple[Mixture, float]:
    """One M-step, and the share of the rows that is left for noise."""
    if (
        responsibilities.ndim != 2
        or not np.isfinite(responsibilities).all()
        or (responsibilities < 0.0).any()
    ):
        raise StartError("start responsibilities must be a table (N, K), finite and not negative")
    totals = responsibilities.sum(axis=1, keepdims=True)
    if not settings.noise and not (totals > 0.0).all():
        raise StartError("each row's start responsibilities must add up to more than 0 (noise=False)")
    divisors = np.maximum(totals, 1.0) if settings.noise else totals
    pooled = covariance_seen(rows, settings.family)
    shares = responsibilities / divisors
    found = first_mixture(rows, shares, settings, step, pooled, one_row(rows))
    left = 1.0 - rows.given_statistics(shares, found.means, ScatterKind.TRACE).counts.sum() / (
        rows.summary.row_weight
    )
    return found, min(max(float(left), LEAST_SHARE), 1.0 - LEAST_SHARE)


def first_mixture(
    rows: Rows, shares: FloatArray, settings: FitSettings, step: MStep, pooled: FloatArray, one_row: float
) -> Mixture:
    """One M-step from responsibilities (N, K), smoothed so that no component starts as a spike."""
    family, n_components, n_features = settings.family, shares.shape[1], len(pooled)
    middle = np.tile(rows.summary.mean, (n_components, 1))
    centring = rows.given_statistics(shares, middle, ScatterKind.TRACE)
    if not (centring.counts > 0.0).all():
        raise StartError(f"component {int(np.argmin(centring.counts)) + 1} starts without any row")
    means = middle + centring.mean_offsets
    statistics = rows.given_statistics(shares, means, family.scatter)
    matrices = np.broadcast_to(pooled, (n_components, n_features, n_features))
    blank = Mixture(np.full(n_components, 1.0 / n_components), means, family.from_matrices(matrices), family)
    # As many pseudo-rows as a covariance has directions: enough to be proper, few enough to fade.
    strength = max(0.5 * (n_features + 1) * one_row / settings.n_components, 0.5 * _weak_rows(step.prior))
    prior = WeakPrior(strength, pooled, step.prior.floor())
    return maximise(statistics, blank, MStep(prior, step.reg_covar, step.resolution, lightest=step.lightest))


def _weak_rows(prior: Prior) -> float:
    return 2.0 * prior.strength if isinstance(prior, WeakPrior) else 0.0


def one_row(rows: Rows) -> float:
    """The weight of a row: 1 for counts (a weight of 4 is four rows), their mean where that is less."""
    return min(1.0, rows.summary.row_weight / rows.summary.n_rows)


def _warn_equal_means(start: Mixture) -> None:
    for k in range(start.n_components):
        for j in range(k):
            if np.array_equal(start.means[j], start.means[k]):
                warnings.warn(
                    f"components {j + 1} and {k + 1} start with the same mean; unless their covariances "
                    "differ, EM cannot tell them apart",
                    DataWarning,
                    stacklevel=2,
                )
                return


def _refuse_narrow(start: Mixture, step: MStep, feature_names: Sequence[str]) -> None:
    """Refuse given covariances that no arithmetic on these rows can tell from 0.

    Raises
    ------
    StartError
    """
    narrow = step.resolution * np.sqrt(start.information)
    if (narrow >= 1.0).any():
        component, feature = (int(i) for i in np.argwhere(narrow >= 1.0)[0])
        raise StartError(
            f"the start covariance of component {component + 1} is narrower than what rounding makes of "
            f"column {feature_names[feature]!r}, {step.resolution[feature]:.2g}: give variances in the "
            "squared units of the data"
        )


def _with_floor(start: Mixture, step: MStep) -> Mixture:
    """A start whose variances along directions without spread are those that the prior holds there.

    Every later mixture has those, and against any others the objective may fall.
    """
    if (floor := step.prior.floor()) is None:
        return start
    held = list(step.ties.hold.get("covariances", ()))
    family = start.family
    matrices = family.matrices(floor.under(start.covariances, family), *start.means.shape).copy()
    matrices[held] = start.matrices[held]
    return replace(start, covariances=family.compacted(matrices))


def nudged_apart(mixture: Mixture, groups: list[list[int]], rows: Rows, distance: float) -> Mixture:
    """The same mixture with the means of each group set apart along the data's longest axis.

    ``distance`` is in standard deviations of the data.
    """
    means = mixture.means.copy()
    axis = longest_axis(covariance_seen(rows, mixture.family))
    for group in groups:
        means[group] += distance * np.linspace(-1.0, 1.0, len(group))[:, None] * axis
    return replace(mixture, means=means)
