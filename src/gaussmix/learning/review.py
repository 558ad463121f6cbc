"""A last look at the rows under the fitted mixture: what an honest answer has to mention."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from gaussmix.data.rows import Rows
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
    n_components, n_features = mixture.n_components, mixture.n_features
    least_rows = mixture.family.least_rows(n_features)
    too_far = unexplained_distance(n_features)
    supports = [_Support(least_rows) for _ in range(n_components)]
    assigned = np.zeros(n_components)
    log_certainty = sure = fourth = total = 0.0
    seen, n_unexplained = 0, 0
    unexplained: list[int] = []
    for tile, given in rows.tiles():
        weights = np.ones(len(tile)) if given is None else given
        labels, shares, _, distances = mixture.scores(tile)
        named = labels >= 0
        # Column by column: NumPy is slow along a short last axis.
        nearest, spread = distances[:, 0].copy(), np.zeros(len(tile))
        largest = shares[:, 0].copy() if mixture.noise is None else noise_shares(shares)
        for share, distance in zip(shares.T, distances.T, strict=True):
            np.maximum(largest, share, out=largest)
            np.minimum(nearest, distance, out=nearest)
            # Clipped so that one row 1e70 sigma away cannot overflow the sum.
            spread += share * np.minimum(distance, 1e100) ** 2
        assigned += np.bincount(labels[named], weights=weights[named], minlength=n_components)
        log_certainty += float(weights @ np.log(largest))
        sure += float(weights @ (largest >= 0.95))
        fourth += float(weights @ spread)
        total += float(weights.sum())
        # What noise explains is not unexplained.
        far = np.flatnonzero((nearest > too_far) & named)
        n_unexplained += len(far)
        unexplained.extend(int(i) + seen for i in far[: ROWS_NAMED - len(unexplained)])
        for k, support in enumerate(supports):
            support.add(tile, shares[:, k])
        seen += len(tile)
    by_chance = UNEXPLAINED_TAIL * seen
    expected = n_features * (n_features + 2.0)
    tail_weight = fourth / total / expected
    # Mardia (1970): the mean of d^4 has variance 8 D (D + 2) / n under normality.
    excess = (tail_weight - 1.0) * expected / np.sqrt(8.0 * expected / total)
    return Review(
        n_rows=seen,
        row_weight=total,
        assigned=assigned,
        distinct_rows=np.array([len(support.distinct) for support in supports]),
        least_rows=least_rows,
        examples=tuple(s.distinct[0] if s.distinct else None for s in supports),
        log_certainty=log_certainty,
        sure_share=sure / total,
        n_unexplained=n_unexplained,
        unexplained=tuple(unexplained),
        too_many_unexplained=n_unexplained > by_chance + CHANCE_SIGMAS * np.sqrt(by_chance),
        tail_weight=tail_weight,
        tails_heavy=bool(excess > MISFIT_SIGMAS and tail_weight > 1.0 + MISFIT_SHARE),
    )


class _Support:
    """The first few distinct rows that a component holds a share of."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.distinct: list[FloatArray] = []

    def add(self, tile: FloatArray, shares: FloatArray) -> None:
        if len(self.distinct) >= self.limit:
            return
        candidates = tile[shares >= SUPPORT_SHARE]
        for known in self.distinct:
            candidates = candidates[(candidates != known).any(axis=1)]
        while len(candidates) and len(self.distinct) < self.limit:
            found = candidates[0].copy()
            self.distinct.append(found)
            candidates = candidates[(candidates != found).any(axis=1)]
