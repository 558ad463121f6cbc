"""Many tables of as many rows each, with mixtures that climb on all of them in one compiled call."""

from dataclasses import dataclass, replace

import numpy as np

from gaussmix import kernels
from gaussmix.kernels.contract import FloatArray, MStepRule
from gaussmix.model.covariances import CovarianceFamily

# Steps at a time until nothing worth having is left, and how often.
STEPS, MOST_ROUNDS = 50, 20


@dataclass(frozen=True, eq=False)
class Mixtures:
    """M mixtures for each of R tables."""

    weights: FloatArray
    """(R, M, K)."""
    means: FloatArray
    """(R, M, K, D)."""
    covariances: FloatArray
    """(R, M, K, ...), as the family's factors are stored."""
    objectives: FloatArray
    """(R, M), in nats; minus infinity for one that has collapsed."""
    effective: FloatArray
    """(R, M, K), effective rows of each component."""

    @classmethod
    def at(cls, weights: FloatArray, means: FloatArray, covariances: FloatArray) -> "Mixtures":
        """Mixtures that have not climbed yet."""
        shape = weights.shape[:2]
        return cls(weights, means, covariances, np.full(shape, -np.inf), np.zeros(weights.shape))

    def of(self, tables: np.ndarray) -> "Mixtures":
        """Those of some tables."""
        return Mixtures(*(getattr(self, name)[tables] for name in self.__dataclass_fields__))

    def first(self, most: int) -> "Mixtures":
        """The highest so many of each table, the highest first."""
        order = np.argsort(-self.objectives, axis=1, kind="stable")[:, :most]
        place = np.arange(len(order))[:, None]
        return Mixtures(*(getattr(self, name)[place, order] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Tables:
    """R tables of N rows."""

    rows: FloatArray
    """(R, N, D)."""
    weights: FloatArray | None
    """(R, N), or None."""
    rule: MStepRule

    def climb(self, mixtures: Mixtures, n_steps: int) -> Mixtures:
        """Take so many EM steps from each."""
        n_tables, n_mixtures, n_components = mixtures.weights.shape
        flat = n_tables * n_mixtures
        climbed = kernels.climb(
            self.rows.reshape(-1, self.rows.shape[2]),
            None if self.weights is None else self.weights.reshape(-1),
            mixtures.weights.reshape(flat, n_components),
            mixtures.means.reshape(flat, n_components, -1),
            mixtures.covariances.reshape(flat, *mixtures.covariances.shape[2:]),
            self.rule,
            n_steps,
            n_tables,
        )
        shape = mixtures.weights.shape
        squared = np.where(climbed.squared_counts > 0.0, climbed.squared_counts, 1.0)
        return Mixtures(
            climbed.weights.reshape(shape),
            climbed.means.reshape(mixtures.means.shape),
            climbed.covariances.reshape(mixtures.covariances.shape),
            climbed.objectives.reshape(shape[:2]),
            (climbed.counts * (climbed.counts / squared)).reshape(shape),
        )

    def climb_to_the_end(self, mixtures: Mixtures, enough: float) -> Mixtures:
        """Take EM steps until less than ``enough`` nats are left, if gains go on shrinking as they do."""
        found, active = self.climb(mixtures, STEPS), np.arange(len(mixtures.weights))
        before = np.full(mixtures.objectives.shape, np.inf)
        for _ in range(MOST_ROUNDS):
            last = found.of(active)
            after = self.of(active).climb(last, STEPS)
            gains = _gains(last.objectives, after.objectives)
            found = _put(found, active, after)
            left = _left(gains, before[active])
            before[active] = gains
            active = active[(left > enough).any(axis=1)]
            if not len(active):
                break
        return found

    def of(self, tables: np.ndarray) -> "Tables":
        """Some of the tables."""
        if len(tables) == len(self.rows):
            return self
        weights = None if self.weights is None else self.weights[tables]
        return replace(self, rows=self.rows[tables], weights=weights)


def _gains(before: FloatArray, after: FloatArray) -> FloatArray:
    alive = np.isfinite(before) & np.isfinite(after)
    gains = np.zeros(before.shape)
    # Less than nothing is rounding.
    gains[alive] = np.maximum(after[alive] - before[alive], 0.0)
    return gains


def _left(gains: FloatArray, before: FloatArray) -> FloatArray:
    """Gains to come, if each is less than the one before by as much again; at least the last one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(before > 0.0, gains / before, 0.0)
        left: FloatArray = np.where(rate < 1.0, gains * rate / (1.0 - rate), gains)
    return np.where(np.isinf(before), gains, left)


def _put(all_of_them: Mixtures, tables: np.ndarray, some: Mixtures) -> Mixtures:
    arrays = []
    for name in all_of_them.__dataclass_fields__:
        array = getattr(all_of_them, name).copy()
        array[tables] = getattr(some, name)
        arrays.append(array)
    return Mixtures(*arrays)


def with_one_more(
    mixtures: Mixtures,
    family: CovarianceFamily,
    rows: FloatArray,
    generator: np.random.Generator,
    by_chance: int,
) -> Mixtures:
    """Starts with one component more for each table: every component split, and some about random rows.

    Parameters
    ----------
    mixtures : Mixtures
        One for each table.
    family : CovarianceFamily
        Whose covariances are stored as its factors are.
    rows : (R, N, D) array
    generator : numpy.random.Generator
    by_chance : int
        Starts about random rows.
    """
    n_tables, _, n_components = mixtures.weights.shape
    n_features = rows.shape[2]
    weights, means = mixtures.weights[:, 0], mixtures.means[:, 0]
    stored = mixtures.covariances[:, 0]
    many = n_tables * n_components
    matrices = family.matrices(stored.reshape(many, *stored.shape[2:]), many, n_features)
    matrices = matrices.reshape(n_tables, n_components, n_features, n_features)
    lengths, axes = np.linalg.eigh(matrices)
    starts = []
    for k in range(n_components):
        others = [j for j in range(n_components) if j != k]
        halves = []
        for axis in range(max(n_features - 2, 0), n_features):
            # As far apart as the halves of a Gaussian have their means.
            offset = np.sqrt(2.0 / np.pi * lengths[:, k, axis])[:, None] * axes[:, k, :, axis]
            rest = matrices[:, k] - offset[:, :, None] * offset[:, None, :]
            halves.append((offset, rest, rest))
        halves.append((np.zeros((n_tables, n_features)), 0.3 * matrices[:, k], 1.7 * matrices[:, k]))
        for offset, one, other in halves:
            starts.append(
                (
                    np.c_[weights[:, others], weights[:, [k]] / 2.0, weights[:, [k]] / 2.0],
                    np.concatenate(
                        [means[:, others], (means[:, k] - offset)[:, None], (means[:, k] + offset)[:, None]],
                        1,
                    ),
                    np.concatenate([matrices[:, others], one[:, None], other[:, None]], axis=1),
                )
            )
    middle = np.einsum("rk,rkd->rd", weights, means)
    away = means - middle[:, None]
    whole = np.einsum("rk,rkij->rij", weights, matrices) + np.einsum("rk,rki,rkj->rij", weights, away, away)
    even = np.full((n_tables, n_components + 1), 1.0 / (n_components + 1))
    for _ in range(by_chance):
        drawn = np.stack(
            [generator.choice(rows.shape[1], n_components + 1, replace=False) for _ in range(n_tables)]
        )
        about = rows[np.arange(n_tables)[:, None], drawn]
        starts.append((even, about, np.repeat(whole[:, None] / (n_components + 1), n_components + 1, axis=1)))
    weights, means, matrices = (np.stack(parts, axis=1) for parts in zip(*starts, strict=True))
    compact = family.from_matrices(matrices.reshape(-1, n_features, n_features))
    return Mixtures.at(weights, means, compact.reshape(*weights.shape, *compact.shape[1:]))
