"""How much the components of a mixture overlap, pair by pair."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from gaussmix.kernels.contract import FloatArray
from gaussmix.kernels.threads import single_threaded_blas
from gaussmix.model.mixture import Mixture
from gaussmix.model.quadratic import taken_for_other

# A misclassification that cannot be more likely than this is given as 0.
NONE_AT_ALL = 1e-12


@dataclass(frozen=True, eq=False)
class Overlap:
    """What pairs of components have in common.

    Notes
    -----
    Misclassification: Maitra and Melnykov, Journal of Computational and Graphical Statistics 19 (2010) 354.
    Bhattacharyya: Bulletin of the Calcutta Mathematical Society 35 (1943) 99. Symmetric divergence:
    Jeffreys, Proceedings of the Royal Society A 186 (1946) 453.
    """

    misclassification: FloatArray
    """(K, K), entry (j, k): how often a row of component j is likelier under k, their weights counted;
    ties count half, and 0 stands for less than 1e-12. The diagonal is 0. Noise has no part in it."""
    bhattacharyya_distance: FloatArray
    """(K, K), -log of the coefficient, in nats; weights have no part in it."""
    symmetric_kl: FloatArray
    """(K, K), KL(j || k) + KL(k || j), in nats."""

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.misclassification)

    @property
    def bhattacharyya_coefficient(self) -> FloatArray:
        """(K, K), integral of the square root of the two densities' product: 1 for equal components."""
        coefficient: FloatArray = np.exp(-self.bhattacharyya_distance)
        return coefficient

    @property
    def total(self) -> FloatArray:
        """(K, K), misclassification both ways, added up: Maitra and Melnykov's pairwise overlap."""
        total: FloatArray = self.misclassification + self.misclassification.T
        return total

    @property
    def table(self) -> list[dict[str, Any]]:
        """One entry a pair, those that overlap most first; components are counted from 0."""
        total, coefficient = self.total, self.bhattacharyya_coefficient
        first, second = np.triu_indices(self.n_components, 1)
        # Where nothing overlaps the nearest come first.
        order = np.lexsort((self.bhattacharyya_distance[first, second], -total[first, second]))
        return [
            {
                "components": (int(j), int(k)),
                "overlap": float(total[j, k]),
                "first_as_second": float(self.misclassification[j, k]),
                "second_as_first": float(self.misclassification[k, j]),
                "bhattacharyya_distance": float(self.bhattacharyya_distance[j, k]),
                "bhattacharyya_coefficient": float(coefficient[j, k]),
                "symmetric_kl": float(self.symmetric_kl[j, k]),
            }
            for j, k in zip(first[order], second[order], strict=True)
        ]

    @property
    def sentence(self) -> str:
        """Which two overlap most, and how much."""
        if self.n_components == 1:
            return "One component: there is nothing for it to overlap with."
        most = self.table[0]
        j, k = most["components"]
        if most["overlap"] < NONE_AT_ALL:
            return f"No two components overlap; {j + 1} and {k + 1} are nearest."
        return (
            f"Components {j + 1} and {k + 1} overlap most: {100.0 * most['first_as_second']:.3g}% of the "
            f"rows of {j + 1} are likelier under {k + 1}, and "
            f"{100.0 * most['second_as_first']:.3g}% the other way."
        )

    def __str__(self) -> str:
        return self.sentence


@single_threaded_blas()
def overlap_of(mixture: Mixture) -> Overlap:
    """Compare each pair of components.

    Parameters
    ----------
    mixture : Mixture
        With noise, only its components are compared.

    Returns
    -------
    Overlap
        Computed in the components' own standard deviations, so that neither units nor the distance from
        the origin have a say. Misclassification is exact to 1e-10 of itself.
    """
    n_components = mixture.n_components
    misclassification, distance, divergence = (np.zeros((n_components, n_components)) for _ in range(3))
    factors = factor_matrices(mixture)
    with np.errstate(divide="ignore"):
        log_weights = np.log(mixture.weights)
    for j in range(n_components - 1):
        others = np.arange(j + 1, n_components)
        stretches, offsets = _seen_from(mixture, factors, j, others)
        distance[j, others] = distance[others, j] = _bhattacharyya(stretches, offsets)
        divergence[j, others] = divergence[others, j] = _jeffreys(stretches, offsets)
        for k, stretch, offset in zip(others, stretches, offsets, strict=True):
            odds = (
                log_weights[k] - log_weights[j]
                if (mixture.weights[j] > 0.0 or mixture.weights[k] > 0.0)
                else 0.0
            )
            misclassification[j, k] = _mistaken(stretch, offset, odds, distance[j, k])
            misclassification[k, j] = _mistaken(1.0 / stretch, -offset / stretch, -odds, distance[j, k])
    return Overlap(misclassification, distance, divergence)


def factor_matrices(mixture: Mixture) -> FloatArray:
    """The precision factors written out, upper triangular: (K, D, D)."""
    n_components, n_features = mixture.means.shape
    steps = np.repeat(np.eye(n_features)[:, None, :], n_components, axis=1)
    # P^T times the unit vectors are the rows of P.
    return mixture.family.whitened_steps(mixture.precision_factors, steps).transpose(1, 0, 2)


def _seen_from(
    mixture: Mixture, factors: FloatArray, j: int, others: np.ndarray
) -> tuple[FloatArray, FloatArray]:
    """Stretches and offsets (n, D) of other components along axes that they share with component j."""
    n_features = mixture.n_features
    side_by_side = factors[others].transpose(1, 0, 2).reshape(n_features, -1)
    solved = solve_triangular(factors[j], side_by_side, check_finite=False)
    maps = solved.reshape(n_features, len(others), n_features).transpose(1, 2, 0)
    apart = np.einsum("kde,kd->ke", factors[others], mixture.means[j] - mixture.means[others])
    turned, stretches, _ = np.linalg.svd(maps)
    # Rounding may have made one 0.
    return np.maximum(stretches, np.finfo(np.float64).tiny), np.einsum("kde,kd->ke", turned, apart)


def _bhattacharyya(stretches: FloatArray, offsets: FloatArray) -> FloatArray:
    """Bhattacharyya's distance, from stretches and offsets (n, D): (n,)."""
    # cosh of the log stretch, whose square may be too large for a number.
    volumes = np.logaddexp(np.log(stretches), -np.log(stretches)) - np.log(2.0)
    places = (offsets / np.hypot(1.0, stretches)) ** 2
    distance: FloatArray = 0.5 * volumes.sum(axis=1) + 0.25 * places.sum(axis=1)
    return distance


def _jeffreys(stretches: FloatArray, offsets: FloatArray) -> FloatArray:
    """Symmetric Kullback-Leibler divergence, from stretches and offsets (n, D): (n,)."""
    shapes = (stretches - 1.0 / stretches) ** 2
    divergence: FloatArray = 0.5 * (shapes + offsets**2 + (offsets / stretches) ** 2).sum(axis=1)
    return divergence


def _mistaken(stretches: FloatArray, offsets: FloatArray, log_odds: float, distance: float) -> float:
    """How often a row of the one is likelier under the other."""
    if np.isinf(log_odds):
        return float(log_odds > 0.0)
    # The expectation of the square root of the densities' ratio bounds it.
    if 0.5 * log_odds - distance < np.log(NONE_AT_ALL):
        return 0.0
    return taken_for_other(stretches, offsets, float(log_odds))
