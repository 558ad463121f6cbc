"""A last look at the rows under the fitted mixture: what an honest answer has to mention."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from gaussmix.data.blocks import Block, added_up
from gaussmix.data.checkpoints.encoding import register
from gaussmix.data.rows import Rows
from gaussmix.data.tasks import tiles_of
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.outcome import Doubt
from gaussmix.model.mixture import Mixture

# A row this improbable under every component is explained by none of them.
UNEXPLAINED_TAIL = 1e-4
# A component rests on the rows that it holds at least this share of.
SUPPORT_SHARE = 0.01
# Misfit is mentioned when it is both beyond chance and large enough to matter.
MISFIT_SIGMAS, MISFIT_SHARE = 5.0, 0.2
CHANCE_SIGMAS = 3.0
ROWS_NAMED = 5
# Rows that are looked at at a time: few next to what a fit may need besides the rows, many to a call.
ROWS_LOOKED_AT = 1 << 17
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
    """The first few of them, counted from 0 among all rows, those left out of files too."""
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


@register
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
    n_given: int
    """Also those of no weight."""
    unexplained: tuple[int, ...]
    """Counted from the first of these rows; where rows have numbers, one less than these."""
    numbered: bool
    supports: tuple[FloatArray, ...]
    """K tables (n, D) of distinct rows, none longer than ``least_rows``."""
    least_rows: int

    def __add__(self, other: "_Seen") -> "_Seen":
        """Of both, the others' rows after these."""
        later = (i if other.numbered else self.n_given + i for i in other.unexplained)
        return _Seen(
            n_rows=self.n_rows + other.n_rows,
            row_weight=self.row_weight + other.row_weight,
            assigned=self.assigned + other.assigned,
            log_certainty=self.log_certainty + other.log_certainty,
            sure=self.sure + other.sure,
            fourth=self.fourth + other.fourth,
            n_unexplained=self.n_unexplained + other.n_unexplained,
            n_given=self.n_given + other.n_given,
            unexplained=(*self.unexplained, *later)[:ROWS_NAMED],
            numbered=self.numbered,
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
        """With memory for a label and a flag of each row, and for more of a piece at a time."""
        labels, held = np.empty(len(block.matrix), dtype=np.int32), np.zeros(len(block.matrix), dtype=bool)

        def seen(piece: Block) -> _Seen:
            own = slice(piece.first - block.first, piece.first - block.first + len(piece.matrix))
            return self._seen(piece, labels[own], held[own])

        return replace(
            added_up(map(seen, block.pieces(ROWS_LOOKED_AT))), supports=self._supports(block, labels, held)
        )

    def _seen(self, block: Block, labels: NDArray[np.int32], held: NDArray[np.bool_]) -> _Seen:
        """All but the supports; notes (n,) which component is likeliest, and whether it holds the row."""
        matrix, weights = block.matrix, block.weights
        places = np.arange(len(matrix)) if block.numbers is None else block.numbers - 1
        counting = slice(None) if weights is None or weights.all() else weights > 0.0
        matrix, places = matrix[counting], places[counting]
        weights = np.ones(len(matrix)) if weights is None else weights[counting]
        looks = self.mixture.looks(matrix)
        labels[counting], held[counting] = looks.labels, looks.largest >= SUPPORT_SHARE
        far = looks.nearest > unexplained_distance(matrix.shape[1])
        found, of_named = looks.labels, weights
        if self.mixture.noise is not None:
            # What noise explains is not unexplained.
            named = found >= 0
            far &= named
            found, of_named = found[named], weights[named]
        unexplained = np.flatnonzero(far)
        assigned = np.bincount(found, of_named, self.mixture.n_components)
        return _Seen(
            n_rows=len(matrix),
            row_weight=float(weights.sum()),
            assigned=assigned.astype(np.float64),
            log_certainty=float((weights * np.log(looks.largest)).sum()),
            sure=float((weights * (looks.largest >= 0.95)).sum()),
            fourth=float((weights * looks.fourths).sum()),
            n_unexplained=len(unexplained),
            n_given=len(block.matrix),
            unexplained=tuple(int(i) for i in places[unexplained[:ROWS_NAMED]]),
            numbered=block.numbers is not None,
            supports=(),
            least_rows=self._least_rows,
        )

    @property
    def _least_rows(self) -> int:
        return self.mixture.family.least_rows(self.mixture.n_features)

    def _supports(
        self, block: Block, labels: NDArray[np.int32], held: NDArray[np.bool_]
    ) -> tuple[FloatArray, ...]:
        """Distinct rows (m, D) that each component holds a share of, no more than are needed."""
        most, matrix = self._least_rows, block.matrix
        nothing = np.empty((0, matrix.shape[1]))
        found = [nothing] * self.mixture.n_components
        for k in range(len(found)):
            # Mostly the first of those that are likeliest in it are enough.
            likeliest = np.flatnonzero((labels == k) & held)[: 4 * most]
            found[k] = _with_new(nothing, np.asarray(matrix[likeliest], dtype=np.float64), most)
        if all(len(rows) == most for rows in found):
            return tuple(found)
        found = [rows if len(rows) == most else nothing for rows in found]
        for tile, _ in tiles_of(block):
            for k, share in enumerate(self.mixture.scores(tile).shares.T):
                if len(found[k]) < most:
                    found[k] = _with_new(found[k], tile[share >= SUPPORT_SHARE], most)
        return tuple(found)


def _with_new(known: FloatArray, candidates: FloatArray, most: int) -> FloatArray:
    """Distinct rows (n, D), and the first of the candidates (m, D) that are new, no more than so many."""
    if len(known) >= most or not len(candidates):
        return known
    found = list(known)
    if found:
        for row in found:
            candidates = candidates[(candidates != row).any(axis=1)]
    while len(candidates) and len(found) < most:
        found.append(candidates[0].copy())
        candidates = candidates[(candidates != found[-1]).any(axis=1)]
    return np.array(found).reshape(-1, known.shape[1])
