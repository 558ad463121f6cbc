"""A last look at the rows under the fitted mixture: what an honest answer has to mention."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from gaussmix.data.blocks import Block
from gaussmix.data.rows import Rows
from gaussmix.data.tasks import tiles_of
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.outcome import Doubt
from gaussmix.model.mixture import Mixture, noise_shares

# A row this improbable under every component is explained by none of them.
UNEXPLAINED_TAIL = 1e-4
# A component rests on the rows that it holds at least this share of.
SUPPORT_SHARE = 0.01
# Misfit is mentioned when it is both beyond chance and large enough to matter.
MISFIT_SIGMAS, MISFIT_SHARE = 5.0, 0.2
CHANCE_SIGMAS = 3.0
ROWS_NAMED = 5
# Components coincide when squared distances and divergence of their covariances are below this.
SAME_GAUSSIAN = 0.01
# A component that holds less than half a row altogether describes nothing.
EMPTY_BELOW = 0.5


@dataclass(frozen=True, eq=False)
class Review:
    """Facts about rows and components that one pass after the fit collects."""

    n_rows: int
    """Rows of positive weight."""
    row_weight: float
    """Their total weight."""
    assigned: FloatArray
    """(K,), row weight for which each component is the likeliest."""
    distinct_rows: np.ndarray
    """(K,), distinct rows each component rests on, counted no further than ``least_rows``."""
    least_rows: int
    """Distinct rows a component of this family needs to have a covariance of its own."""
    examples: tuple[FloatArray | None, ...]
    """A row that each component rests on, or None."""
    log_certainty: float
    """Sum of log(largest responsibility) over rows: what ICL adds to the log-likelihood, halved."""
    sure_share: float
    """Share of row weight whose largest responsibility is at least 0.95."""
    n_unexplained: int
    """Rows no component explains."""
    unexplained: tuple[int, ...]
    """The first few of them, counted from 0 among rows of positive weight."""
    too_many_unexplained: bool
    """Whether they are more than Gaussian components would leave unexplained by chance."""
    tail_weight: float
    """Mean fourth power of the Mahalanobis distance over its value for Gaussian components: 1 is Gaussian."""
    tails_heavy: bool

    def doubts(self, mixture: Mixture) -> tuple[Doubt, ...]:
        """The components that are empty or rest on too few distinct rows."""
        found = []
        for k in range(mixture.n_components):
            held = mixture.weights[k] * max(self.row_weight, self.n_rows)
            if held < EMPTY_BELOW:
                sentence = (
                    f"Component {k + 1} was emptied: it holds {held:.2g} rows' worth of the data. "
                    "Use fewer components."
                )
                found.append(Doubt(k, "emptied", sentence))
            elif 0 < self.distinct_rows[k] < self.least_rows:
                found.append(Doubt(k, "few_rows", self._few_rows(k)))
        for group in coinciding(mixture):
            listed = " and ".join(str(k + 1) for k in group)
            sentence = f"Components {listed} coincide: fewer components say the same."
            found.append(Doubt(group[-1], "coincide", sentence))
        return tuple(found)

    def _few_rows(self, k: int) -> str:
        example = self.examples[k]
        count = int(self.distinct_rows[k])
        where = ""
        if count == 1 and example is not None and len(example) <= 8:
            where = f" ({', '.join(f'{value:.6g}' for value in example)})"
        rows = "row" if count == 1 else "rows"
        verdict = "a spike, not a group" if count == 1 else "do not trust its shape"
        return (
            f"Component {k + 1} rests on {count} distinct {rows}{where}, fewer than the "
            f"{self.least_rows} that its covariance needs: {verdict}."
        )


def coinciding(mixture: Mixture) -> list[list[int]]:
    """Groups of components that are the same Gaussian for all that rows could tell."""
    distances = mixture.squared_distances(mixture.means)
    groups = []
    left = [k for k in range(mixture.n_components) if mixture.weights[k] > 0.0]
    while left:
        first, *others = left
        near = [k for k in others if max(distances[first, k], distances[k, first]) < SAME_GAUSSIAN]
        group = [first] + [k for k in near if _divergence(mixture, first, k) < SAME_GAUSSIAN]
        left = [k for k in others if k not in group]
        if len(group) > 1:
            groups.append(group)
    return groups


def _divergence(mixture: Mixture, one: int, other: int) -> float:
    """tr(A B^-1 + B A^-1) - 2 D of two components' covariances: 0 if they are equal, else positive."""
    a, b = mixture.matrices[one], mixture.matrices[other]
    return float(np.trace(np.linalg.solve(b, a)) + np.trace(np.linalg.solve(a, b)) - 2.0 * len(a))


def unexplained_distance(n_features: int, tail: float = UNEXPLAINED_TAIL) -> float:
    """Squared Mahalanobis distance that a Gaussian row exceeds with probability ``tail``."""
    return float(chdtri(n_features, tail))


def review_rows(rows: Rows, mixture: Mixture) -> Review:
    """Look at every row once more, in tiles.

    Parameters
    ----------
    rows : Rows
        The rows fitted to.
    mixture : Mixture
        The fitted mixture.

    Returns
    -------
    Review
        Computed in one pass, with memory for one tile.
    """
    n_features = mixture.n_features
    seen = rows.added_up(LookAgain(mixture))
    by_chance = UNEXPLAINED_TAIL * seen.n_rows
    expected = n_features * (n_features + 2.0)
    tail_weight = seen.fourth / seen.row_weight / expected
    # Mardia (1970): the mean of d^4 has variance 8 D (D + 2) / n under normality.
    excess = (tail_weight - 1.0) * expected / np.sqrt(8.0 * expected / seen.row_weight)
    return Review(
        n_rows=seen.n_rows,
        row_weight=seen.row_weight,
        assigned=seen.assigned,
        distinct_rows=np.array([len(support) for support in seen.supports]),
        least_rows=seen.least_rows,
        examples=tuple(support[0] if len(support) else None for support in seen.supports),
        log_certainty=seen.log_certainty,
        sure_share=seen.sure / seen.row_weight,
        n_unexplained=seen.n_unexplained,
        unexplained=seen.unexplained,
        too_many_unexplained=seen.n_unexplained > by_chance + CHANCE_SIGMAS * np.sqrt(by_chance),
        tail_weight=tail_weight,
        tails_heavy=bool(excess > MISFIT_SIGMAS and tail_weight > 1.0 + MISFIT_SHARE),
    )


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a review adds up, of rows that follow one another."""

    n_rows: int
    row_weight: float
    assigned: FloatArray
    """(K,)."""
    log_certainty: float
    sure: float
    fourth: float
    n_unexplained: int
    unexplained: tuple[int, ...]
    """Counted from the first of these rows."""
    supports: tuple[FloatArray, ...]
    """K tables (n, D) of distinct rows, none longer than ``least_rows``."""
    least_rows: int

    def __add__(self, other: "_Seen") -> "_Seen":
        """Of both, the others' rows after these."""
        later = (self.n_rows + i for i in other.unexplained)
        return _Seen(
            n_rows=self.n_rows + other.n_rows,
            row_weight=self.row_weight + other.row_weight,
            assigned=self.assigned + other.assigned,
            log_certainty=self.log_certainty + other.log_certainty,
            sure=self.sure + other.sure,
            fourth=self.fourth + other.fourth,
            n_unexplained=self.n_unexplained + other.n_unexplained,
            unexplained=(*self.unexplained, *later)[:ROWS_NAMED],
            supports=tuple(
                _with_new(known, more, self.least_rows)
                for known, more in zip(self.supports, other.supports, strict=True)
            ),
            least_rows=self.least_rows,
        )


@dataclass(frozen=True, eq=False)
class LookAgain:
    """A last look at the rows of a block under a fitted mixture."""

    mixture: Mixture

    def __call__(self, block: Block) -> _Seen:
        """With memory for one tile."""
        n_components, n_features = self.mixture.means.shape
        least_rows = self.mixture.family.least_rows(n_features)
        nothing = _Seen(
            *(0, 0.0, np.zeros(n_components), 0.0, 0.0, 0.0, 0, ()),
            supports=(np.empty((0, n_features)),) * n_components,
            least_rows=least_rows,
        )
        too_far, seen = unexplained_distance(n_features), nothing
        for tile, given in tiles_of(block):
            weights = np.ones(len(tile)) if given is None else given
            seen += self._of_tile(tile, weights, too_far, seen)
        return seen

    def _of_tile(self, tile: FloatArray, weights: FloatArray, too_far: float, seen: _Seen) -> _Seen:
        labels, shares, _, distances = self.mixture.scores(tile)
        named = labels >= 0
        # Column by column: NumPy is slow along a short last axis.
        nearest, spread = distances[:, 0].copy(), np.zeros(len(tile))
        largest = shares[:, 0].copy() if self.mixture.noise is None else noise_shares(shares)
        for share, distance in zip(shares.T, distances.T, strict=True):
            np.maximum(largest, share, out=largest)
            np.minimum(nearest, distance, out=nearest)
            # Clipped so that one row 1e70 sigma away cannot overflow the sum.
            spread += share * np.minimum(distance, 1e100) ** 2
        # What noise explains is not unexplained.
        far = np.flatnonzero((nearest > too_far) & named)
        return _Seen(
            n_rows=len(tile),
            row_weight=float(weights.sum()),
            assigned=np.bincount(labels[named], weights[named], shares.shape[1]).astype(np.float64),
            log_certainty=float(weights @ np.log(largest)),
            sure=float(weights @ (largest >= 0.95)),
            fourth=float(weights @ spread),
            n_unexplained=len(far),
            unexplained=tuple(int(i) for i in far[:ROWS_NAMED]),
            supports=tuple(
                tile[:0] if len(known) >= seen.least_rows else tile[share >= SUPPORT_SHARE]
                for known, share in zip(seen.supports, shares.T, strict=True)
            ),
            least_rows=seen.least_rows,
        )


def _with_new(known: FloatArray, candidates: FloatArray, most: int) -> FloatArray:
    """Distinct rows (n, D), and the first of the candidates (m, D) that are new, no more than so many."""
    found = list(known)
    if len(found) < most and len(candidates):
        for row in found:
            candidates = candidates[(candidates != row).any(axis=1)]
    while len(candidates) and len(found) < most:
        found.append(candidates[0].copy())
        candidates = candidates[(candidates != found[-1]).any(axis=1)]
    return np.array(found).reshape(-1, known.shape[1])
