"""Is there one component more? The likelihood-ratio test, with its distribution found by simulation.

Between K and K + 1 components twice the gain in log-likelihood has no chi-squared distribution. So tables
are drawn from the fitted K components, both are fitted to each, and the gains compared: McLachlan, Applied
Statistics 36 (1987) 318.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataError, DegenerateComponentError, FitError, SettingsError
from gaussmix.kernels.contract import FloatArray
from gaussmix.kernels.threads import single_threaded_blas
from gaussmix.learning.auto_search import Neighbours
from gaussmix.learning.climbers import rule_for, stackable
from gaussmix.learning.prepare import covariance_seen, prepare, refuse_small_weights, unwarned
from gaussmix.learning.search import search
from gaussmix.learning.selection.crew import Crew
from gaussmix.learning.selection.tables import Mixtures, Tables, with_one_more
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.spurious import soundness_of_each
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture

DEFAULT_REPLICATES, DEFAULT_TEST_LEVEL = 999, 0.05
# Numbers in tables that are in memory at a time.
NUMBERS, MOST_NUMBERS = 1 << 22, 1 << 28
# Starts about random rows; steps, and how many of each table's starts go on.
BY_CHANCE, ROUNDS = 6, ((15, 4), (40, 2))
# What fits of replicates may leave to gain, in nats of all rows.
ENOUGH = 1e-3

Announce = Callable[[int, int], None]


class Ratios(NamedTuple):
    """The log-likelihood ratios of tables drawn from K components."""

    values: FloatArray
    """(B,), those that could be fitted."""
    n_failed: int


@dataclass(frozen=True, eq=False)
class RatioTest:
    """K components against K + 1."""

    n_components: int
    """K."""
    statistic: float
    """Twice what one component more gains in log-likelihood, in nats."""
    p_value: float
    """(1 + how many replicates gain as much) / (1 + how many there are)."""
    error: float
    """Monte-Carlo standard error of the p-value."""
    replicates: FloatArray
    """(B,), what one component too many gains by chance."""
    n_failed: int
    """Replicates that could not be fitted."""

    def rejected(self, level: float) -> bool:
        """Whether so many components are too few."""
        return self.p_value <= level


@dataclass(frozen=True, eq=False)
class RatioTests:
    """Tests one after the other, up to the first that does not reject."""

    tests: tuple[RatioTest, ...]
    covariance: str
    level: float
    n_components: int
    """What they come to."""
    interrupted: bool
    stopped: str = ""
    """Why no more could be tested, where that is so."""

    @property
    def conclusion(self) -> str:
        """What they come to, for people."""
        count = f"{self.n_components} component{'' if self.n_components == 1 else 's'}"
        if self.interrupted:
            return f"Stopped early: at least {count} at level {self.level:g}."
        if self.tests[-1].rejected(self.level):
            why = f"more cannot be tested ({self.stopped})" if self.stopped else "no more were tried"
            return f"At least {count} at level {self.level:g}: {why}."
        return f"{count.capitalize()} at level {self.level:g}: there is no evidence of one more."

    @property
    def sentence(self) -> str:
        """The conclusion, and each test."""
        said = (
            f"{t.n_components} against {t.n_components + 1}: p = {t.p_value:.3g} ± {t.error:.1g}"
            for t in self.tests
        )
        return f"{self.conclusion} {'; '.join(said)}."

    def as_json(self) -> dict[str, object]:
        """The stable form that ``--json`` prints."""
        return {
            "schema": "gaussmix-ratio-tests",
            "schema_version": 1,
            "covariance": self.covariance,
            "level": self.level,
            "n_components": self.n_components,
            "interrupted": self.interrupted,
            "verdict": self.sentence,
            "tests": [
                {
                    "n_components": t.n_components,
                    "statistic": t.statistic,
                    "p_value": t.p_value,
                    "p_value_error": t.error,
                    "n_replicates": len(t.replicates),
                    "n_failed": t.n_failed,
                }
                for t in self.tests
            ],
        }


def unannounced(done: int, of: int) -> None:
    """Hear of it, and say nothing."""


@single_threaded_blas()
def ratio_tests(
    rows: MemoryRows,
    n_components: tuple[int, ...],
    settings: FitSettings,
    n_replicates: int = DEFAULT_REPLICATES,
    level: float = DEFAULT_TEST_LEVEL,
    announce: Announce = unannounced,
) -> RatioTests:
    """Test numbers of components against one more each, rising, until one is not rejected.

    Parameters
    ----------
    rows : MemoryRows
    n_components : tuple of int
        Rising by one.
    settings : FitSettings
        The model, prior and seed.
    n_replicates : int
        Tables drawn for each test.
    level : float
        Of each test.
    announce : callable, optional
        Told how many replicates of all tests are done.

    Raises
    ------
    SettingsError
        If the numbers do not rise by one, or a number of replicates or a level has no meaning.
    FitError
        If the rows, or too many of the replicates, cannot be fitted.
    """
    _check(n_components, n_replicates, level)
    refuse_small_weights(rows)
    drawn = rows.summary.row_weight * len(rows.feature_names)
    if drawn > MOST_NUMBERS:
        raise DataError(
            f"a table of as many rows as these count as, {rows.summary.row_weight:.6g}, is too large to be "
            "drawn again and again; test a sample of them"
        )
    tests: list[RatioTest] = []
    interrupted, stopped, at, of = False, "", n_components[0], len(n_components) * n_replicates
    try:
        for k in n_components:
            at = k
            told = partial(_told, announce, len(tests) * n_replicates, of)
            tests.append(_Test(rows, replace(settings, n_components=k), n_replicates, told).run())
            if not tests[-1].rejected(level):
                break
            at = k + 1
    except KeyboardInterrupt:
        if not tests:
            raise
        interrupted = True
    except (DataError, FitError) as failure:
        if not tests:
            raise
        stopped = str(failure)
    return RatioTests(tuple(tests), settings.covariance_type, level, at, interrupted, stopped)


def _told(announce: Announce, before: int, of: int, done: int) -> None:
    announce(before + done, of)


def _check(n_components: tuple[int, ...], n_replicates: int, level: float) -> None:
    if not n_components or any(after != before + 1 for before, after in pairwise(n_components)):
        raise SettingsError(f"numbers of components to test must rise by one; got {n_components}")
    if isinstance(n_replicates, bool) or not isinstance(n_replicates, int | np.integer) or n_replicates < 1:
        raise SettingsError(f"n_replicates must be a whole number, at least 1; got {n_replicates!r}")
    if isinstance(level, bool) or not isinstance(level, float | np.floating) or not 0.0 < level < 1.0:
        raise SettingsError(f"level must lie between 0 and 1; got {level!r}")
    least = math.ceil(1.0 / level - 1e-9) - 1
    if n_replicates < least:
        raise SettingsError(
            f"n_replicates must be at least {least} for a test at level {level:g}: with {n_replicates} no "
            f"p-value is below {1.0 / (1.0 + n_replicates):.2g}"
        )


class _Test:
    """One test."""

    def __init__(
        self, rows: MemoryRows, settings: FitSettings, n_replicates: int, tell: Callable[[int], None]
    ) -> None:
        self.rows, self.settings, self.n_replicates, self.tell = rows, settings, n_replicates, tell
        self.step: MStep = prepare(rows, replace(settings, n_components=settings.n_components + 1))
        self.null: Mixture = search(rows, settings).mixture
        self.crew = Crew()

    def run(self) -> RatioTest:
        """The rows' own ratio, and those of replicates."""
        seeds = np.random.SeedSequence(self.settings.seed).spawn(self.n_replicates + 1)
        side_by_side = stackable(self.settings.family, self.step) and self.null.noise is None
        if side_by_side:
            matrix, weights = _all_rows(self.rows)
            observed = self._ratios(matrix[None], weights[None], seeds[:1])
            replicates = self._side_by_side(seeds[1:])
        else:
            observed = np.array([self._one_by_one(self.rows, self.settings)])
            replicates = self._each(seeds[1:])
        if not np.isfinite(observed[0]):
            raise FitError(f"{self.settings.n_components + 1} components could not be fitted to the rows")
        values = replicates[np.isfinite(replicates)]
        n_failed = len(replicates) - len(values)
        if n_failed > 0.1 * len(replicates):
            raise FitError(
                f"{n_failed} of {len(replicates)} replicates could not be fitted: there is no test"
            )
        p_value = (1.0 + float((values >= observed[0]).sum())) / (1.0 + len(values))
        error = float(np.sqrt(p_value * (1.0 - p_value) / (1.0 + len(values))))
        return RatioTest(self.settings.n_components, float(observed[0]), p_value, error, values, n_failed)

    @property
    def n_drawn(self) -> int:
        """Rows of a replicate: as many as the rows count as."""
        return max(round(self.rows.summary.row_weight), 2)

    def _side_by_side(self, seeds: list[np.random.SeedSequence]) -> FloatArray:
        """Replicates whose fits climb in the same compiled calls."""
        at_a_time = max(NUMBERS // (self.n_drawn * self.null.n_features), 1)
        found = []
        for first in range(0, len(seeds), at_a_time):
            part = seeds[first : first + at_a_time]
            tables = np.stack([self._drawn(seed) for seed in part])
            found.append(self._ratios(tables, None, part))
            self.tell(first + len(part))
        return np.concatenate(found)

    def _drawn(self, seed: np.random.SeedSequence) -> FloatArray:
        return self.null.sample(self.n_drawn, np.random.default_rng(seed))[0]

    def _ratios(
        self, tables: FloatArray, weights: FloatArray | None, seeds: list[np.random.SeedSequence]
    ) -> FloatArray:
        """Of tables (R, N, D): (R,)."""
        family, n_features = self.settings.family.compact, self.null.n_features
        rule = rule_for(family, n_features, self.step, self.rows.summary.row_weight)
        there = Tables(tables, weights, rule)
        stored = family.from_matrices(self.null.matrices)
        shape = (len(tables), 1)
        start = Mixtures.at(
            np.broadcast_to(self.null.weights, (*shape, *self.null.weights.shape)),
            np.broadcast_to(self.null.means, (*shape, *self.null.means.shape)),
            np.broadcast_to(stored, (*shape, *stored.shape)),
        )
        null = there.climb_to_the_end(start, ENOUGH)
        # Each table has starts of its own, whichever others it is fitted beside.
        more = [
            with_one_more(
                null.of(np.array([i])),
                family,
                tables[[i]],
                np.random.default_rng(seed.spawn(1)[0]),
                BY_CHANCE,
            )
            for i, seed in enumerate(seeds)
        ]
        found = Mixtures(*(np.concatenate(parts) for parts in zip(*(_parts(m) for m in more), strict=True)))
        for n_steps, n_left in ROUNDS:
            found = there.climb(found, n_steps).first(n_left)
        found = there.climb_to_the_end(found, ENOUGH)
        gained: FloatArray = np.maximum(self._likelihoods(found) - self._likelihoods(null), 0.0)
        return 2.0 * gained

    def _likelihoods(self, found: Mixtures) -> FloatArray:
        """Log-likelihood, without the prior, of each table's best mixture, sound ones first: (R,)."""
        family, n_features = self.settings.family, self.null.n_features
        covariance = covariance_seen(self.rows, family)
        whitener = family.whitened(np.eye(n_features), covariance)
        best = np.full(len(found.weights), np.nan)
        for i in range(len(best)):
            alive = np.flatnonzero(np.isfinite(found.objectives[i]))
            mixtures = [
                Mixture(
                    found.weights[i, m] / found.weights[i, m].sum(),
                    found.means[i, m],
                    found.covariances[i, m],
                    family.compact,
                )
                for m in alive
            ]
            if not mixtures:
                continue
            sound = soundness_of_each(
                mixtures, found.effective[i, alive], whitener, self.rows.summary.row_weight
            )
            ranks = [each.rank(found.objectives[i, m]) for each, m in zip(sound, alive, strict=True)]
            m = max(range(len(ranks)), key=ranks.__getitem__)
            # One component more is penalised by an amount that depends on the units.
            best[i] = found.objectives[i, alive[m]] - self.step.prior.log_density(mixtures[m])
        return best

    def _each(self, seeds: list[np.random.SeedSequence]) -> FloatArray:
        """Replicates one by one, on all threads."""
        done = [0]

        def ratio(seed: np.random.SeedSequence) -> float:
            rows = MemoryRows(self._drawn(seed), None, self.rows.feature_names)
            found = self._one_by_one(rows, replace(self.settings, seed=int(seed.generate_state(1)[0])))
            done[0] += 1
            self.tell(done[0])
            return found

        return np.array(self.crew.each(ratio, seeds))

    def _one_by_one(self, rows: MemoryRows, settings: FitSettings) -> float:
        """The ratio of one table; NaN if it cannot be fitted."""
        more = replace(settings, n_components=settings.n_components + 1)

        def watch(*_: object) -> None:
            self.crew.refuse_if_stopped()

        beside = Neighbours((self.null,), "nothing")
        try:
            with unwarned():
                null = search(rows, settings, watch, announce=watch, neighbours=beside)
                beside = Neighbours((null.mixture,), "some")
                found = search(rows, more, watch, announce=watch, neighbours=beside)
        except (DataError, FitError, DegenerateComponentError):
            return float("nan")
        return 2.0 * max(found.log_likelihood - null.log_likelihood, 0.0)


def _parts(mixtures: Mixtures) -> tuple[FloatArray, ...]:
    return tuple(getattr(mixtures, name) for name in mixtures.__dataclass_fields__)


def _all_rows(rows: MemoryRows) -> tuple[FloatArray, FloatArray]:
    """Rows of positive weight (N, D) in float64, and their weights (N,)."""
    tiles = list(rows.tiles())
    weights = [np.ones(len(tile)) if given is None else given for tile, given in tiles]
    return np.concatenate([tile for tile, _ in tiles]).astype(np.float64), np.concatenate(weights)
