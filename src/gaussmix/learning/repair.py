"""Moves out of a poor optimum, for the components that are in the wrong places.

Where two do the work of one, another does the work of two: moves take from the one place and give to
the other. Bad optima of mixtures are of that kind (Chen, Song, Xi and Bai, IEEE Transactions on Information
Theory 70 (2024) 4192). The moves are in the spirit of Ueda, Nakano, Ghahramani and Hinton, Neural
Computation 12 (2000) 2109 (split and merge) and of Zhao, Hautamaki, Karkkainen and Franti, Pattern
Recognition Letters 33 (2012) 2120 (random swap).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gaussmix.computed import cached_property
from gaussmix.data.memory import MemoryRows
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.climbers import climb
from gaussmix.learning.partitions import drawn_by_weight
from gaussmix.model.covariances import free_cousin
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import NoPrior, WeakPrior

# Rows that a component holds less of than this are not its own; of its own so many are looked at.
HELD, MOST_HELD = 0.01, 1000
# EM steps on a component's own rows, from each way to part them; ways that begin at random rows.
LOCAL_STEPS, RANDOM_PARTINGS = 12, 3
# Partners of each component that a merger is thought of with.
PARTNERS = 4
# Moves that take from, or give to, the same components before others have their turn.
ALIKE = 2
TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Move:
    """A mixture with some components changed."""

    words: str
    make: Callable[[], Mixture]
    """The mixture that it leads to: of thousands of moves, few are made."""
    promise: float
    """What the change seems to gain, in nats, before all rows have seen it."""
    taken: tuple[int, ...]
    """Components that are merged or dropped."""
    given: tuple[int, ...]
    """Components whose rows get more of them, or others."""

    @cached_property
    def mixture(self) -> Mixture:
        """What ``make`` makes."""
        return self.make()


@dataclass(frozen=True, eq=False)
class _Parts:
    """Components that could stand where others stand now."""

    weights: FloatArray
    """(m,)."""
    means: FloatArray
    """(m, D)."""
    matrices: FloatArray
    """(m, D, D)."""
    gain: float
    """What the log-likelihood gains by them, in nats, if other components have no say."""


def moves(
    rows: MemoryRows,
    mixture: Mixture,
    step: MStep,
    whitener: FloatArray,
    generator: np.random.Generator,
    thorough: bool = True,
) -> list[Move]:
    """Moves from a mixture, the most promising first.

    Parameters
    ----------
    rows : MemoryRows
        In float64; their weights add up to those of the rows fitted to.
    mixture : Mixture
        Where EM has ended.
    step : MStep
        For the objective.
    whitener : (D, M) array
        W with W^T S W = I, S the rows' covariance as the family sees it.
    generator : numpy.random.Generator
    thorough : bool
        Whether three and four components are parted anew, too.

    Returns
    -------
    list of Move
    """
    places = range(mixture.n_components)
    shares = mixture.shares(rows.matrix)[:, : mixture.n_components]
    look = _Look(rows, mixture, step, shares, whitener, generator)
    splits = {k: parts for k in places if (parts := look.parted((k,), 2)) is not None}
    mergers = look.mergers()
    missed = look.missed()
    found = [
        _parted_anew(mixture, pair, parts)
        for pair, _ in mergers[: 2 * len(places)]
        if (parts := look.parted(pair, 2)) is not None
    ]
    found += [
        _parted_anew(mixture, group, parts)
        for group in (look.groups() if thorough else [])
        if (parts := look.parted(group, len(group))) is not None
    ]
    for k, split in splits.items():
        for (a, b), merged in mergers:
            if k not in (a, b):
                words = f"merge {a + 1} and {b + 1}, split {k + 1}"
                changed = partial(_composed, mixture, (a, b, k), (merged, split))
                found.append(Move(words, changed, split.gain + merged.gain, (a, b), (k,)))
        for gone in places:
            if gone != k:
                changed = partial(_composed, mixture, (gone, k), (split,))
                promise = split.gain - missed[gone]
                found.append(Move(f"drop {gone + 1}, split {k + 1}", changed, promise, (gone,), (k,)))
    return _varied(sorted(found, key=lambda move: -move.promise))


def to_neighbours(
    rows: MemoryRows,
    mixture: Mixture,
    step: MStep,
    whitener: FloatArray,
    generator: np.random.Generator,
    n_components: int,
) -> list[Move]:
    """Moves to one component more, by a split, or to one less, by a merger; the most promising first.

    Parameters are as in ``moves``; ``n_components`` is one more or one less than the mixture has.
    """
    places = range(mixture.n_components)
    shares = mixture.shares(rows.matrix)[:, : mixture.n_components]
    look = _Look(rows, mixture, step, shares, whitener, generator)
    if n_components > mixture.n_components:
        found = [
            Move(f"split {k + 1}", partial(_composed, mixture, (k,), (parts,)), parts.gain, (), (k,))
            for k in places
            if (parts := look.parted((k,), 2)) is not None
        ]
    else:
        found = [
            Move(
                f"merge {a + 1} and {b + 1}",
                partial(_composed, mixture, (a, b), (merged,)),
                merged.gain,
                (a, b),
                (),
            )
            for (a, b), merged in look.mergers()
        ]
    return sorted(found, key=lambda move: -move.promise)


def _parted_anew(mixture: Mixture, group: tuple[int, ...], parts: _Parts) -> Move:
    make = partial(_composed, mixture, group, (parts,))
    return Move(f"part {_listed(group)} anew", make, parts.gain, (), group)


def _varied(ranked: list[Move]) -> list[Move]:
    """The same moves so that the first ones differ in what they take and in what they give to."""
    taken: Counter[tuple[int, ...]] = Counter()
    given: Counter[tuple[int, ...]] = Counter()
    tiers = []
    for move in ranked:
        tiers.append(max(taken[move.taken] if move.taken else 0, given[move.given]) // ALIKE)
        taken[move.taken] += 1
        given[move.given] += 1
    return [ranked[i] for i in np.argsort(tiers, kind="stable")]


def _composed(mixture: Mixture, gone: tuple[int, ...], added: tuple[_Parts, ...]) -> Mixture:
    """The mixture with some components replaced by others."""
    kept = np.setdiff1d(np.arange(mixture.n_components), gone)
    weights = np.concatenate([mixture.weights[kept], *(parts.weights for parts in added)])
    matrices = np.concatenate([mixture.matrices[kept], *(parts.matrices for parts in added)])
    return replace(
        mixture,
        weights=weights * (mixture.weights.sum() / weights.sum()),
        means=np.concatenate([mixture.means[kept], *(parts.means for parts in added)]),
        covariances=mixture.family.from_matrices(matrices),
    )


class _Look:
    """What rows say of a mixture's components, one by one and by pairs."""

    def __init__(
        self,
        rows: MemoryRows,
        mixture: Mixture,
        step: MStep,
        shares: FloatArray,
        whitener: FloatArray,
        generator: np.random.Generator,
    ) -> None:
        self.rows, self.mixture = rows, mixture
        self.shares, self.whitener, self.generator = shares, whitener, generator
        self.weights = np.ones(len(shares)) if rows.weights is None else rows.weights
        self.counts = self.weights @ shares
        self.matrices = mixture.matrices
        prior = step.prior if isinstance(step.prior, WeakPrior) else NoPrior()
        self.free_step = MStep(prior, step.reg_covar, step.resolution, lightest=step.lightest)
        self.overlap = (shares * self.weights[:, None]).T @ shares
        np.fill_diagonal(self.overlap, -1.0)

    def missed(self) -> FloatArray:
        """What the log-likelihood loses, at most, when a component is dropped: (K,)."""
        left = np.log(np.maximum(1.0 - self.mixture.weights, TINY))
        gone = -(self.weights @ np.log(np.maximum(1.0 - self.shares, TINY)))
        missed: FloatArray = gone + self.weights.sum() * left
        return missed

    def mergers(self) -> list[tuple[tuple[int, int], _Parts]]:
        """Pairs of neighbours, and what they would be as one; the pair that loses least first."""
        pairs = {
            (min(a, int(b)), max(a, int(b)))
            for a in range(self.mixture.n_components)
            for b in np.argsort(-self.overlap[a], kind="stable")[: min(PARTNERS, len(self.overlap) - 1)]
        }
        found = [(pair, self._merged(*pair)) for pair in sorted(pairs)]
        return sorted(found, key=lambda merger: -merger[1].gain)

    def groups(self) -> list[tuple[int, ...]]:
        """Components with those that they share most rows with, in groups of three and of four."""
        order = np.argsort(-self.overlap, axis=1, kind="stable")
        found = {
            tuple(sorted([k, *(int(j) for j in order[k, :n_others])]))
            for n_others in (2, 3)
            for k in range(len(order))
            if n_others < len(order)
        }
        return sorted(found)

    def _merged(self, a: int, b: int) -> _Parts:
        n_a, n_b = np.maximum(self.counts[[a, b]], TINY)
        share = n_a / (n_a + n_b)
        apart = self.mixture.means[a] - self.mixture.means[b]
        mean = share * self.mixture.means[a] + (1.0 - share) * self.mixture.means[b]
        matrix = share * self.matrices[a] + (1.0 - share) * self.matrices[b]
        matrix = matrix + share * (1.0 - share) * np.outer(apart, apart)
        # log(w_a p_a + w_b p_b) is the mean of log(w p) and of -log q over which of the two it was.
        r_a, r_b = self.shares[:, a], self.shares[:, b]
        both = np.maximum(r_a + r_b, TINY)
        undecided = -float(
            self.weights
            @ (r_a * np.log(np.maximum(r_a, TINY) / both) + r_b * np.log(np.maximum(r_b, TINY) / both))
        )
        apart_now = _complete(n_a, self.matrices[a]) + _complete(n_b, self.matrices[b]) + undecided
        weight = self.mixture.weights[[a, b]].sum(keepdims=True)
        return _Parts(weight, mean[None], matrix[None], _complete(n_a + n_b, matrix) - apart_now)

    def parted(self, places: tuple[int, ...], n_parts: int) -> _Parts | None:
        """The best so many components for the rows of some, by EM on those rows alone."""
        mixture, chosen = self.mixture, list(places)
        # What components share they share with others than these, too: here they are free.
        family = free_cousin(mixture.family)
        shares = self.shares[:, chosen].sum(axis=1)
        own = np.flatnonzero(shares > HELD)
        weights = self.weights[own] * shares[own]
        if len(own) > MOST_HELD:
            drawn = drawn_by_weight(weights, MOST_HELD, self.generator)
            own, weights = own[drawn], np.full(MOST_HELD, weights.sum() / MOST_HELD)
        if len(own) < n_parts * family.least_rows(mixture.n_features):
            return None
        rows = MemoryRows.trusted(self.rows.matrix[own], weights, self.rows.feature_names)
        part = mixture.weights[chosen] / mixture.weights[chosen].sum()
        now = Mixture(part, mixture.means[chosen], family.from_matrices(self.matrices[chosen]), family)
        whole = _Whole.of(now)
        starts = [
            Mixture(np.full(n_parts, 1.0 / n_parts), means, family.from_matrices(matrices), family)
            for means, matrices in [
                *(whole.halves(self.whitener) if n_parts == 2 else []),
                *whole.about(rows, n_parts, self.generator),
            ]
        ]
        best = max(climb(rows, starts, self.free_step, LOCAL_STEPS), key=lambda climber: climber.objective)
        if not np.isfinite(best.objective):
            return None
        likely = float(weights @ now.log_density(rows.matrix))
        weight = mixture.weights[chosen].sum()
        found = best.mixture
        return _Parts(
            weight * found.weights,
            found.means,
            found.matrices,
            best.objective - self.free_step.objective(now, likely),
        )


@dataclass(frozen=True, eq=False)
class _Whole:
    """Some components seen as one."""

    mean: FloatArray
    """(D,)."""
    matrix: FloatArray
    """(D, D)."""

    @classmethod
    def of(cls, mixture: Mixture) -> "_Whole":
        mean = mixture.weights @ mixture.means
        away = mixture.means - mean
        between = (away * mixture.weights[:, None]).T @ away
        return cls(mean, np.einsum("k,kij->ij", mixture.weights, mixture.matrices) + between)

    def halves(self, whitener: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """Means (2, D) and matrices (2, D, D): apart along the longest axes, and one inside the other."""
        lengths, axes = np.linalg.eigh(whitener.T @ self.matrix @ whitener)
        found = []
        for length, axis in list(zip(lengths[::-1], axes.T[::-1], strict=True))[:2]:
            if length <= 0.0:
                continue
            # As far apart as the halves of a Gaussian have their means.
            offset = np.sqrt(2.0 / np.pi / length) * (self.matrix @ whitener @ axis)
            rest = self.matrix - np.outer(offset, offset)
            found.append((np.stack([self.mean - offset, self.mean + offset]), np.stack([rest, rest])))
        inside = (np.stack([self.mean, self.mean]), np.stack([0.3 * self.matrix, 1.7 * self.matrix]))
        return [*found, inside]

    def about(
        self, rows: MemoryRows, n_parts: int, generator: np.random.Generator
    ) -> list[tuple[FloatArray, FloatArray]]:
        """Means (m, D) and matrices (m, D, D) about rows drawn at random."""
        n_tries = RANDOM_PARTINGS * (n_parts - 1)
        drawn = [generator.choice(len(rows.matrix), n_parts, replace=False) for _ in range(n_tries)]
        return [(rows.matrix[some], np.stack([self.matrix / n_parts] * n_parts)) for some in drawn]


def _listed(places: tuple[int, ...]) -> str:
    return ", ".join(str(k + 1) for k in places[:-1]) + f" and {places[-1] + 1}"


def _complete(count: float, matrix: FloatArray) -> float:
    """Log-likelihood of rows known to be a component's, N log N - N log|S| / 2, up to what all have alike."""
    return float(count * np.log(count) - 0.5 * count * np.linalg.slogdet(matrix)[1])
