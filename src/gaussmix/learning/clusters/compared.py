"""What a comparison of two fits found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gaussmix.computed import cached_property
from gaussmix.kernels.contract import FloatArray
from gaussmix.model.mixture import Mixture

# Differences up to this are rounding's: of weights, of means in standard deviations, of logarithms of
# standard deviations, of correlations. Means that are far from the origin have fewer digits.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Side:
    """One of two fits.

    Parameters
    ----------
    mixture : Mixture
    feature_names : tuple of str or None
        D names; None where the columns have none of their own.
    facts : mapping
        What is known of the fit to its own rows: "log_likelihood", "bic", "n_rows", where there are any.
    """

    mixture: Mixture
    feature_names: tuple[str, ...] | None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ComponentPair:
    """A component of A and the one of B that stands for it; every difference is B's less A's."""

    a: int
    """Counted from 0."""
    b: int
    weights: tuple[float, float]
    means: FloatArray
    """(2, D), in the units of the data."""
    deviations: FloatArray
    """(2, D), standard deviations in the units of the data."""
    correlations: FloatArray
    """(2, D, D)."""
    hellinger: float
    """Hellinger's distance, without the weights: 0 for equal ones, 1 for such as share nothing."""

    @property
    def mean_differences(self) -> FloatArray:
        """(D,), in the units of the data."""
        return np.asarray(self.means[1] - self.means[0])

    @property
    def mean_steps(self) -> FloatArray:
        """The same in standard deviations (root of the mean of both variances): (D,)."""
        # Of their ratio, for squares of small or large units leave the range of numbers.
        larger = self.deviations.max(axis=0)
        return np.asarray(
            self.mean_differences / larger / np.sqrt(0.5 * ((self.deviations / larger) ** 2).sum(axis=0))
        )

    @property
    def deviation_ratios(self) -> FloatArray:
        """Standard deviations of B over A's: (D,)."""
        return np.asarray(self.deviations[1] / self.deviations[0])

    @property
    def largest_difference(self) -> float:
        """The largest of all, each in units of its own: see ``ROUNDING``."""
        return float(
            max(
                abs(self.weights[1] - self.weights[0]),
                np.abs(self.mean_steps).max(),
                np.abs(np.log(self.deviation_ratios)).max(),
                np.abs(self.correlations[1] - self.correlations[0]).max(),
            )
        )


@dataclass(frozen=True, eq=False)
class Agreement:
    """Which component of A and of B each row belongs to."""

    table: FloatArray
    """Rows by component of A and of B, (K, L); with noise in either, (K + 1, L + 1), noise last."""
    rand: float
    """Adjusted Rand index: 1 for the same groups, 0 on average for groups at random."""
    n_drawn: int
    """Rows that were drawn from both mixtures, half and half; 0 where rows were given."""
    seed: int


@dataclass(frozen=True)
class OnRows:
    """How well one fit describes the given rows."""

    log_likelihood: float
    """Total, in nats."""
    n_parameters: int
    bic: float
    """Lower is better."""


@dataclass(frozen=True, eq=False)
class Compared:
    """What sets two fits apart.

    Parameters
    ----------
    a, b : Mixture
        Both with their features in A's order.
    feature_names : tuple of str
        D names.
    pairs : tuple of ComponentPair
        In order of A's components.
    only_a, only_b : tuple of int
        Components without a counterpart, counted from 0.
    agreement : Agreement
    on_rows : (OnRows, OnRows) or None
        Of the given rows, where there are any.
    facts : two mappings
        What is known of each fit to its own rows.
    notes : tuple of str
    """

    a: Mixture
    b: Mixture
    feature_names: tuple[str, ...]
    pairs: tuple[ComponentPair, ...]
    only_a: tuple[int, ...]
    only_b: tuple[int, ...]
    agreement: Agreement
    on_rows: tuple[OnRows, OnRows] | None
    facts: tuple[Mapping[str, Any], Mapping[str, Any]]
    notes: tuple[str, ...] = ()

    @cached_property
    def largest_difference(self) -> float:
        """The largest difference, each in units of its own; infinite where components are left over."""
        noise = [0.0 if side.noise is None else side.noise.weight for side in (self.a, self.b)]
        if self.only_a or self.only_b:
            return np.inf
        return max(abs(noise[1] - noise[0]), *(pair.largest_difference for pair in self.pairs))

    @property
    def same(self) -> bool:
        """Whether nothing but rounding separates the two."""
        digits = 8.0 * np.finfo(float).eps * max(self.a.remoteness, self.b.remoteness)
        return bool(self.largest_difference <= ROUNDING + digits)

    @property
    def shared(self) -> float:
        """The share of rows that are in components which stand for each other, or in both noises."""
        table = self.agreement.table
        cells = [table[pair.a, pair.b] for pair in self.pairs]
        if self.a.noise is not None and self.b.noise is not None:
            cells.append(table[-1, -1])
        return float(sum(cells) / table.sum())
