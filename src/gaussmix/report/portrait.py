"""What pictures show of a mixture and rows: plain arrays, from which every renderer draws."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.special import chdtri

from gaussmix.data.rows import Rows
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.review import unexplained_distance
from gaussmix.model.mixture import Mixture

# More rows than this are drawn as a random sample, and the picture says so.
MOST_DRAWN = 5000
SAMPLE_SEED = 0
# Terms of a projection that are named on its axis.
TERMS_NAMED = 3


@dataclass(frozen=True, eq=False)
class Portrait:
    """A mixture with K components in D features, and n of N rows under it."""

    feature_names: tuple[str, ...]
    weights: FloatArray
    """(K,)."""
    means: FloatArray
    """(K, D)."""
    matrices: FloatArray
    """(K, D, D), the covariances."""
    noise_weight: float
    """0 without noise."""
    rows: FloatArray
    """(n, D), those that are drawn."""
    row_numbers: NDArray[np.int64]
    """(n,), in their file, counted from 1."""
    row_weights: FloatArray
    """(n,)."""
    shares: FloatArray
    """(n, K), responsibilities; what they lack to 1 is the noise's."""
    labels: NDArray[np.int32]
    """(n,), counted from 0, -1 for noise."""
    unexplained: NDArray[np.bool_]
    """(n,), rows that no component explains."""
    n_rows: int
    """N."""

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.weights)

    @property
    def sampling(self) -> str:
        """Which rows are drawn, in words; empty if all are."""
        if len(self.rows) == self.n_rows:
            return ""
        return f"{len(self.rows):,} of {self.n_rows:,} rows drawn, chosen at random"

    def feature(self, asked: str | int) -> int:
        """The place of a feature, given by name or by place.

        Raises
        ------
        KeyError
            If there is none.
        """
        if isinstance(asked, str):
            if asked not in self.feature_names:
                raise KeyError(f"no feature {asked!r}; there are {', '.join(self.feature_names)}")
            return self.feature_names.index(asked)
        if not 0 <= asked < len(self.feature_names):
            raise KeyError(f"no feature {asked}; there are {len(self.feature_names)}, counted from 0")
        return int(asked)

    def seen_along(self, directions: FloatArray, names: tuple[str, ...]) -> "Portrait":
        """The same in other features: projections on directions (D, M)."""
        return Portrait(
            feature_names=names,
            weights=self.weights,
            means=self.means @ directions,
            matrices=np.asarray(directions.T @ self.matrices @ directions),
            noise_weight=self.noise_weight,
            rows=self.rows @ directions,
            row_numbers=self.row_numbers,
            row_weights=self.row_weights,
            shares=self.shares,
            labels=self.labels,
            unexplained=self.unexplained,
            n_rows=self.n_rows,
        )

    def discriminating(self) -> "Portrait":
        """The same along the two directions that tell components apart best.

        Notes
        -----
        The leading eigenvectors of between B = sum w (mu - m)(mu - m)^T against within W = sum w Sigma
        (Fisher's linear discriminants for K groups; Rao, Journal of the Royal Statistical Society B 10
        (1948) 159), scaled so that the standard deviation within components is 1 along each.
        """
        shares = self.weights / self.weights.sum()
        away = self.means - shares @ self.means
        between = (away * shares[:, None]).T @ away
        within = np.einsum("k,kij->ij", shares, self.matrices)
        scales = np.sqrt(np.diagonal(within))
        outer = scales[:, None] * scales
        _, vectors = eigh(between / outer, within / outer)
        found = vectors[:, ::-1][:, :2]
        # The sign is free: the largest entry is positive, so that pictures are the same each time.
        found = found * np.sign(found[np.abs(found).argmax(axis=0), range(found.shape[1])])
        names = tuple(_direction_name(i + 1, v, self.feature_names) for i, v in enumerate(found.T))
        return self.seen_along(found / scales[:, None], names)


def portrait_of(
    mixture: Mixture, rows: Rows, most: int = MOST_DRAWN, row_numbers: NDArray[Any] | None = None
) -> Portrait:
    """What pictures show of a mixture and rows.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
        Of as many features.
    most : int
        Rows that are drawn; more are sampled at random, the same ones each time.
    row_numbers : (N,) array, optional
        Numbers of the rows in their file, where some were left out.
    """
    n_rows = rows.summary.n_rows
    chosen = np.arange(n_rows)
    if n_rows > most:
        chosen = np.sort(np.random.default_rng(SAMPLE_SEED).choice(n_rows, most, replace=False))
    drawn, weights, seen = [], [], 0
    for tile, given in rows.tiles():
        own = chosen[(chosen >= seen) & (chosen < seen + len(tile))] - seen
        drawn.append(np.array(tile[own]))
        weights.append(np.ones(len(own)) if given is None else given[own])
        seen += len(tile)
    matrix = np.concatenate(drawn)
    labels, shares, _, distances = mixture.scores(matrix)
    far = (distances.min(axis=1) > unexplained_distance(mixture.n_features)) & (labels >= 0)
    return Portrait(
        feature_names=rows.feature_names,
        weights=mixture.weights,
        means=mixture.means,
        matrices=mixture.matrices,
        noise_weight=0.0 if mixture.noise is None else mixture.noise.weight,
        rows=matrix,
        row_numbers=chosen + 1 if row_numbers is None else np.asarray(row_numbers)[chosen],
        row_weights=np.concatenate(weights),
        shares=shares,
        labels=labels,
        unexplained=far,
        n_rows=n_rows,
    )


def ellipse_radius(coverage: float) -> float:
    """How many standard deviations an ellipse reaches that holds a share of a two-dimensional Gaussian."""
    return float(np.sqrt(chdtri(2, 1.0 - coverage)))


def _direction_name(number: int, direction: FloatArray, names: tuple[str, ...]) -> str:
    """Its largest terms, for features in units of their standard deviation within components."""
    largest = np.argsort(-np.abs(direction), kind="stable")[:TERMS_NAMED]
    terms = " ".join(f"{direction[j]:+.2g} {names[j]}" for j in largest)
    return f"direction {number}: {terms}" + (" ..." if len(names) > TERMS_NAMED else "")
