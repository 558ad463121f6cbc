"""Components merged into clusters, one pair at a time, as long as rows are torn between them.

Baudry, Raftery, Celeux, Lo and Gottardo, "Combining mixture components for clustering", J. Comput. Graph.
Statist. 19 (2010) 332. A group that is no Gaussian takes several components, and its rows are torn between
them, which is what the classification entropy -sum_i w_i sum_j r_ij log r_ij measures: each step merges the
two clusters whose merger lowers it most.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix.computed import cached_property
from gaussmix.data.blocks import Block
from gaussmix.data.rows import Rows
from gaussmix.data.tasks import Totals, tiles_of
from gaussmix.errors import SettingsError
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.clusters.elbow import Elbow, elbow_of
from gaussmix.model.mixture import Mixture

# With less entropy a row (nats) than this the components do not overlap: 1 row in 70, torn between two.
APART = 0.01
# Gains that differ by less are equal; what separates them is rounding.
EQUAL = 1e-9

Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Merger:
    """One step: two clusters became one."""

    first: tuple[int, ...]
    """Components of one, counted from 0; it has the smallest number of both."""
    second: tuple[int, ...]
    """Components of the other."""
    rows: float
    """Rows of both, each counted by its weight and its responsibility."""
    entropy_before: float
    """In nats, over all rows."""
    entropy_after: float

    @property
    def gain(self) -> float:
        """By how much the entropy fell, in nats."""
        return self.entropy_before - self.entropy_after


@dataclass(frozen=True, eq=False)
class Mergers:
    """How K components of a mixture merge, step by step, until one cluster is left.

    Parameters
    ----------
    mixture : Mixture
    steps : tuple of K - 1 Merger
        The first one made of two components.
    entropies : (K,) array
        Classification entropy in nats over all rows with 1, 2, ..., K clusters. Noise, which is never merged,
        counts as one cluster more.
    row_weight : float
        Total weight of the rows; their number where none is weighted.
    n_clusters : int
        How many there are to be: those asked for, or the elbow's.
    asked : bool
        Whether they were asked for.
    """

    mixture: Mixture
    steps: tuple[Merger, ...]
    entropies: FloatArray
    row_weight: float
    n_clusters: int
    asked: bool

    @property
    def n_components(self) -> int:
        """K."""
        return self.mixture.n_components

    @property
    def overlapping(self) -> bool:
        """Whether rows are torn between components at all."""
        return bool(self.entropies[-1] - self.entropies[0] >= APART * self.row_weight)

    @cached_property
    def merged_rows(self) -> FloatArray:
        """Rows in all mergers on the way from K to 1, 2, ..., K clusters, cumulated: (K,), falling to 0."""
        rows = [step.rows for step in self.steps]
        return np.append(np.cumsum(rows)[::-1], 0.0) if rows else np.zeros(1)

    @cached_property
    def elbow(self) -> Elbow | None:
        """Where the entropy bends, against the cumulated number of merged rows."""
        return elbow_of(-self.merged_rows, self.entropies) if self.overlapping else None

    @cached_property
    def elbow_by_count(self) -> Elbow | None:
        """Where the entropy bends, against the number of clusters."""
        counts = np.arange(1.0, self.n_components + 1.0)
        return elbow_of(counts, self.entropies) if self.overlapping else None

    @property
    def tree(self) -> FloatArray:
        """The steps as SciPy's linkage matrix, (K - 1, 4): two clusters, height, components in both.

        A height is the entropy that this merger and those before it have taken away, in nats; it never falls.
        ``scipy.cluster.hierarchy.dendrogram`` draws it.
        """
        numbers: dict[tuple[int, ...], int] = {(k,): k for k in range(self.n_components)}
        matrix = np.zeros((len(self.steps), 4))
        height = 0.0
        for i, step in enumerate(self.steps):
            height += step.gain
            joint = joined(step)
            matrix[i] = *sorted((numbers[step.first], numbers[step.second])), height, len(joint)
            numbers[joint] = self.n_components + i
        return matrix

    def clusters(self, n_clusters: int | None = None) -> Groups:
        """Components (counted from 0) of each cluster, in order of their smallest.

        Parameters
        ----------
        n_clusters : int, optional
            From 1 to K; by default ``self.n_clusters``.

        Raises
        ------
        SettingsError
            If there cannot be so many.
        """
        n = checked_count(self.n_clusters if n_clusters is None else n_clusters, self.n_components)
        groups: set[tuple[int, ...]] = {(k,) for k in range(self.n_components)}
        for step in self.steps[: self.n_components - n]:
            groups = groups - {step.first, step.second} | {joined(step)}
        return tuple(sorted(groups))

    def shares(self, rows: NDArray[Any], n_clusters: int | None = None) -> FloatArray:
        """Probabilities of the clusters for rows (N, D): (N, n), with noise (N, n + 1), noise last."""
        return _gathered(self.mixture.shares(rows), self.clusters(n_clusters))

    def labels(self, rows: NDArray[Any], n_clusters: int | None = None) -> NDArray[np.intp]:
        """The likeliest cluster of each row of (N, D), counted from 0, or -1 for noise: (N,)."""
        return self.labels_of(self.shares(rows, n_clusters))

    def labels_of(self, shares: FloatArray) -> NDArray[np.intp]:
        """The largest of each row's probabilities, as ``shares`` gives them, or -1 for noise: (n,)."""
        labels = shares.argmax(axis=1)
        return labels if self.mixture.noise is None else np.where(labels == shares.shape[1] - 1, -1, labels)

    @property
    def sentence(self) -> str:
        """How many clusters, and why."""
        n, of = self.n_clusters, self.n_components
        made = f"{_plural(of, 'component')} {'make' if of > 1 else 'makes'} {_plural(n, 'cluster')}"
        if self.asked:
            return f"{made}, as asked.{self._advice()}"
        if of == 1:
            return f"{made}: there is nothing to merge."
        if not self.overlapping:
            return f"{made}: they hardly overlap, so there is nothing to merge."
        if self.elbow is None:
            why = (
                "an elbow of the entropy cannot be told from fewer than 4 components"
                if of < 4
                else "the entropy has no elbow, for it falls as steeply at the last mergers as at the first"
            )
            return f"{made}, none merged: {why}. Look at the tree and say how many you want."
        said = f"{made}: there the entropy has its elbow over the cumulated number of merged rows."
        if self.elbow_by_count is not None and self.elbow_by_count.n_clusters != n:
            said += f" Over the number of clusters it is at {self.elbow_by_count.n_clusters}."
        if self.elbow.slight:
            least, most = self.elbow.slopes
            said += (
                f" It is a slight one ({most:.2g} nats a merged row down to it, {least:.2g} beyond): look at "
                "the tree."
            )
        return said

    def _advice(self) -> str:
        if self.elbow is None or self.elbow.n_clusters == self.n_clusters:
            return ""
        return f" The entropy has its elbow at {self.elbow.n_clusters}."


def merge_components(mixture: Mixture, rows: Rows, n_clusters: int | None = None) -> Mergers:
    """Merge a mixture's components, two clusters at a time, until one is left.

    Parameters
    ----------
    mixture : Mixture
        Of K components.
    rows : Rows
        Those that decide, usually the ones that were fitted. They are read K times in tiles; O(K^2) numbers
        are kept.
    n_clusters : int, optional
        How many clusters there are to be; by default those at the elbow (``Mergers.elbow``), or K where there
        is none. The elbow is taken over the cumulated number of merged rows, the paper's rescaled plot: there
        a step's slope says how torn each merged row was, whether few rows were merged or many.

    Returns
    -------
    Mergers
        Of gains that are equal, as between components without any overlap, the one of the clusters whose
        means are nearest in standard deviations comes first, so that the components' numbers do not matter.

    Raises
    ------
    SettingsError
        If there cannot be so many clusters.
    """
    n_components = mixture.n_components
    if n_clusters is not None:
        n_clusters = checked_count(n_clusters, n_components)
    groups: Groups = tuple((k,) for k in range(n_components))
    counts, row_weight, least = _first_look(mixture, rows)
    gains = _gains(mixture, rows, groups, None)
    distances = _distances(mixture)
    merged: list[tuple[tuple[int, ...], tuple[int, ...], float, float]] = []
    while len(groups) > 1:
        i, j = _best_pair(gains, distances, groups)
        first, second = groups[i], groups[j]
        joint = tuple(sorted(first + second))
        merged.append((first, second, float(counts[list(joint)].sum()), float(gains[i, j])))
        groups = (*groups[:i], joint, *groups[i + 1 : j], *groups[j + 1 :])
        gains = np.delete(np.delete(gains, j, axis=0), j, axis=1)
        if len(groups) > 1:
            gains[i, :] = gains[:, i] = _gains(mixture, rows, groups, i)[i]
    # From the last step back, so that nothing cancels and no step gains less than nothing.
    gained = np.array([gain for *_, gain in merged])[::-1]
    entropies = least + np.append(0.0, np.cumsum(gained))
    steps = tuple(
        Merger(
            first,
            second,
            count,
            float(entropies[n_components - 1 - i]),
            float(entropies[n_components - 2 - i]),
        )
        for i, (first, second, count, _) in enumerate(merged)
    )
    found = Mergers(mixture, steps, entropies, row_weight, n_components, False)
    if n_clusters is not None:
        return Mergers(mixture, steps, entropies, row_weight, n_clusters, True)
    n = n_components if found.elbow is None else found.elbow.n_clusters
    return Mergers(mixture, steps, entropies, row_weight, n, False)


def joined(step: Merger) -> tuple[int, ...]:
    """The components of the cluster that a step makes."""
    return tuple(sorted(step.first + step.second))


def checked_count(n_clusters: Any, n_components: int) -> int:
    """A number of clusters that there can be.

    Raises
    ------
    SettingsError
        If it is not a whole number from 1 to the number of components.
    """
    whole = isinstance(n_clusters, int | np.integer) and not isinstance(n_clusters, bool)
    if not whole or not 1 <= n_clusters <= n_components:
        raise SettingsError(
            f"n_clusters must be a whole number from 1 to {n_components}, the number of components; "
            f"got {n_clusters!r}"
        )
    return int(n_clusters)


def _first_look(mixture: Mixture, rows: Rows) -> tuple[FloatArray, float, float]:
    """N_k (K,), the rows' weight, and the entropy that noise leaves when all components are one cluster."""
    counts, row_weight, entropy = rows.added_up(FirstLook(mixture)).values
    return counts, row_weight, entropy


@dataclass(frozen=True, eq=False)
class FirstLook:
    """What `_first_look` finds, of one block."""

    mixture: Mixture

    def __call__(self, block: Block) -> Totals:
        """N_k, row weight, and entropy."""
        n_components = self.mixture.n_components
        counts, row_weight, entropy = np.zeros(n_components), 0.0, 0.0
        for tile, given in tiles_of(block):
            weights = np.ones(len(tile)) if given is None else given
            shares = self.mixture.shares(tile)
            counts += weights @ shares[:, :n_components]
            row_weight += float(weights.sum())
            if self.mixture.noise is not None:
                noise = shares[:, -1]
                entropy += float(weights @ _gain(noise, shares[:, :-1].sum(axis=1)))
        return Totals((counts, row_weight, entropy))


def _gains(mixture: Mixture, rows: Rows, groups: Groups, one: int | None) -> FloatArray:
    """By how much the entropy falls if two clusters merge, (n, n): of all pairs, or of those with one."""
    gains: FloatArray = rows.added_up(Gains(mixture, groups, one)).values[0]
    return gains + gains.T if one is None else gains


@dataclass(frozen=True, eq=False)
class Gains:
    """What `_gains` finds, of one block, for pairs in one order."""

    mixture: Mixture
    groups: Groups
    one: int | None

    def __call__(self, block: Block) -> Totals:
        """An array (n, n)."""
        n_groups, one = len(self.groups), self.one
        gains = np.zeros((n_groups, n_groups))
        for tile, weights in tiles_of(block):
            shares = _gathered(self.mixture.shares(tile), self.groups)[:, :n_groups]
            for i in range(n_groups - 1) if one is None else [one]:
                others = slice(i + 1, None) if one is None else slice(None)
                gain = _gain(shares[:, [i]], shares[:, others])
                gains[i, others] += gain.sum(axis=0) if weights is None else weights @ gain
        return Totals((gains,))


def _gain(one: FloatArray, other: FloatArray) -> FloatArray:
    """(a + b) log(a + b) - a log a - b log b, without its cancellation where one of both is small."""
    small, large = np.minimum(one, other), np.maximum(one, other)
    with np.errstate(under="ignore", divide="ignore", invalid="ignore"):
        ratio = small / large
        # a log(1 + b / a) + b log(1 + a / b), the second by way of b / a.
        gain = large * np.log1p(ratio) + small * (np.log1p(ratio) - np.log(ratio))
    found: FloatArray = np.where(ratio > 0.0, gain, 0.0)
    return found


def _gathered(shares: FloatArray, groups: Groups) -> FloatArray:
    """Shares of components (n, K or K + 1) added up to those of clusters, noise as it is: (n, g or g + 1)."""
    n_components = sum(len(group) for group in groups)
    parts = [shares[:, list(group)].sum(axis=1) for group in groups]
    return np.column_stack([*parts, shares[:, n_components:]])


def _distances(mixture: Mixture) -> FloatArray:
    """Squared distances between the means, in the standard deviations of both components: (K, K)."""
    distances = mixture.squared_distances(mixture.means)
    both: FloatArray = distances + distances.T
    return both


def _best_pair(gains: FloatArray, distances: FloatArray, groups: Groups) -> tuple[int, int]:
    """The two clusters that gain most; of equals the nearest, of these the first."""
    pairs = list(combinations(range(len(groups)), 2))
    most = max(gains[pair] for pair in pairs)
    equal = [pair for pair in pairs if gains[pair] >= most * (1.0 - EQUAL)]
    if len(equal) > 1:
        apart = [distances[np.ix_(groups[i], groups[j])].min() for i, j in equal]
        return equal[int(np.argmin(apart))]
    return equal[0]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
