"""What a mixture says of each row: which component, how surely, how dense, and whether none of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from gaussmix import kernels
from gaussmix.computed import cached_property
from gaussmix.data.blocks import Block
from gaussmix.data.rows import Rows
from gaussmix.data.tasks import Totals, tiles_of
from gaussmix.errors import SettingsError
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.belief.tails import Tails, tails_of
from gaussmix.learning.scoring import score_tile
from gaussmix.model.mixture import Mixture

# A row is none of these if less of the mixture's mass than this is less dense.
DEFAULT_LEVEL = 0.001


@dataclass(frozen=True, eq=False)
class RowFacts:
    """Facts about N rows under a mixture."""

    responsibilities: FloatArray
    """(N, K), with noise (N, K + 1), noise last."""
    labels: NDArray[np.int32]
    """(N,), the likeliest component, counted from 0, or -1 for noise."""
    log_density: FloatArray
    """(N,), in nats."""
    tail_probability: FloatArray
    """(N,), share of the mixture's mass that is less dense than the row: uniform for rows of the mixture."""
    tail_error: FloatArray
    """(N,), one standard error of the tail probability, which is estimated where components overlap."""
    level: float
    """Tail probability below which a row is none of these."""
    row_weight: float
    """Total weight of the rows."""
    flagged: float
    """Weight of the rows that are none of these."""
    expected_flagged: float
    """What of that weight would be so if the rows came from the mixture itself."""

    @cached_property
    def uncertainty(self) -> FloatArray:
        """(N,), 1 less the largest responsibility: how often the label would be wrong."""
        # What the others hold, added up: 1 - 0.9999... would lose it.
        shares = np.sort(self.responsibilities, axis=1)
        uncertainty: FloatArray = np.minimum(shares[:, :-1].sum(axis=1), 1.0)
        return uncertainty

    @property
    def none_of_these(self) -> NDArray[np.bool_]:
        """(N,), whether so little of the mixture is less dense that the row seems to come from elsewhere."""
        flags: NDArray[np.bool_] = self.tail_probability < self.level
        return flags

    @property
    def least_dense(self) -> NDArray[np.intp]:
        """(N,), all rows, those with the smallest tail probability first."""
        return np.lexsort((self.log_density, self.tail_probability))

    @property
    def table(self) -> list[dict[str, Any]]:
        """One entry a row; components are counted from 0."""
        columns: dict[str, NDArray[Any]] = {
            "label": self.labels,
            "probability": 1.0 - self.uncertainty,
            "uncertainty": self.uncertainty,
            "log_density": self.log_density,
            "tail_probability": self.tail_probability,
            "none_of_these": self.none_of_these,
        }
        lists = [column.tolist() for column in columns.values()]
        return [
            {"row": i, **dict(zip(columns, values, strict=True))}
            for i, values in enumerate(zip(*lists, strict=True))
        ]

    @property
    def too_many(self) -> bool:
        """Whether more rows are none of these than the mixture itself would make so by chance."""
        return bool(self.flagged > self.expected_flagged + 3.0 * np.sqrt(self.expected_flagged) + 1.0)

    @property
    def sentence(self) -> str:
        """How many rows are none of these, and how many the mixture itself would make so."""
        none, expected = _count(self.flagged), _count(self.expected_flagged)
        return (
            f"{none} of {_count(self.row_weight)} rows are none of these (less than {100.0 * self.level:g}% "
            f"of the mixture is less dense); of as many rows from the mixture itself {expected} would be."
            + (" That is more than chance." if self.too_many else "")
        )

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Entropy:
    """How undecided rows are between components."""

    total: float
    """-sum over rows and components of r log r, in nats: 0 if every row is sure."""
    normalised: float
    """1 - total / (n log K), with noise log (K + 1): 1 if every row is sure, 0 if none is at all."""
    row_weight: float

    @property
    def sentence(self) -> str:
        """Both, in words."""
        return (
            f"Classification entropy {self.total:.6g} nats over {_count(self.row_weight)} rows; normalised "
            f"{self.normalised:.4f} (1: all rows are sure, 0: none)."
        )

    def __str__(self) -> str:
        return self.sentence


def row_facts(
    mixture: Mixture,
    matrix: NDArray[Any],
    weights: FloatArray | None = None,
    level: float = DEFAULT_LEVEL,
    tails: Tails | None = None,
) -> RowFacts:
    """Look at each row.

    Parameters
    ----------
    mixture : Mixture
    matrix : (N, D) array
    weights : (N,) array or None
        How often each row counts in ``flagged`` and ``expected_flagged``; nothing else depends on it.
    level : float
        A row is none of these if its tail probability is below this.
    tails : Tails or None
        Prepared before, for rows that come in pieces.

    Raises
    ------
    SettingsError
        If ``level`` is not between 0 and 1.

    Notes
    -----
    A row of the mixture itself is none of these with probability ``level``, whatever K and D: the tail
    probability is the region of highest density that just leaves the row out (Hyndman, The American
    Statistician 50 (1996) 120).
    """
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0.0 < level < 1.0:
        raise SettingsError(f"level must be a number between 0 and 1; got {level!r}")
    tails = tails_of(mixture) if tails is None else tails
    n_rows = len(matrix)
    shares = np.empty((n_rows, mixture.n_components + (mixture.noise is not None)))
    labels = np.empty(n_rows, dtype=np.int32)
    log_density, tail, error = np.empty(n_rows), np.empty(n_rows), np.empty(n_rows)
    done = 0
    for tile, _ in kernels.tiles(matrix, None, kernels.tile_rows(mixture.n_features, mixture.n_components)):
        part = slice(done, done + len(tile))
        scores = score_tile(mixture, tile)
        shares[part], labels[part] = scores.responsibilities, scores.labels
        log_density[part] = scores.log_densities
        tail[part], error[part] = tails.probabilities(tile)
        done += len(tile)
    counts = np.ones(n_rows) if weights is None else weights
    total = float(counts.sum())
    return RowFacts(
        responsibilities=shares,
        labels=labels,
        log_density=log_density,
        tail_probability=tail,
        tail_error=error,
        level=float(level),
        row_weight=total,
        flagged=float(counts[tail < level].sum()),
        expected_flagged=tails.share_below(float(level)) * total,
    )


def classification_entropy(mixture: Mixture, rows: Rows) -> Entropy:
    """How undecided rows are: Celeux and Soromenho, Journal of Classification 13 (1996) 195.

    With noise, that is one more component. One component is always sure.
    """
    n_kinds = mixture.n_components + (mixture.noise is not None)
    total, row_weight = rows.added_up(TakeEntropy(mixture)).values
    normalised = 1.0 if n_kinds == 1 else 1.0 - total / (row_weight * np.log(n_kinds))
    return Entropy(total, float(normalised), row_weight)


@dataclass(frozen=True, eq=False)
class TakeEntropy:
    """The entropy of a block's rows, and their weight."""

    mixture: Mixture

    def __call__(self, block: Block) -> Totals:
        """Of one block."""
        total = row_weight = 0.0
        for tile, given in tiles_of(block):
            weights = np.ones(len(tile)) if given is None else given
            total += float(weights @ entr(self.mixture.shares(tile)).sum(axis=1))
            row_weight += float(weights.sum())
        return Totals((total, row_weight))


def _count(weight: float) -> str:
    return f"{weight:,.0f}" if weight == round(weight) else f"{weight:,.3g}"
