"""Scores of given rows under a fitted mixture, in tiles: never an N x K array unless it is the answer."""

from dataclasses import dataclass

import numpy as np

from gaussmix.data.blocks import Block
from gaussmix.data.rows import Rows
from gaussmix.data.tasks import Totals, tiles_of
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.prepare import covariance_seen
from gaussmix.learning.review import unexplained_distance
from gaussmix.model.covariances import CovarianceFamily
from gaussmix.model.mixture import Mixture, noise_shares


@dataclass(frozen=True)
class Scores:
    """Totals over rows."""

    log_likelihood: float
    """In nats."""
    row_weight: float
    log_certainty: float
    """Sum of the logarithm of each row's largest responsibility."""


@dataclass(frozen=True, eq=False)
class RowScores:
    """What a mixture says of each row of a tile."""

    labels: np.ndarray
    """(n,), the likeliest component, counted from 0, or -1 for noise."""
    responsibilities: FloatArray
    """(n, K), with noise (n, K + 1)."""
    log_densities: FloatArray
    """(n,)."""
    unexplained: np.ndarray
    """(n,), whether the row is improbable under every component."""


def score_tile(mixture: Mixture, tile: FloatArray) -> RowScores:
    """Score each row of a tile (n, D)."""
    labels, shares, log_densities, distances = mixture.scores(tile)
    unexplained = (distances.min(axis=1) > unexplained_distance(mixture.n_features)) & (labels >= 0)
    if mixture.noise is not None:
        shares = np.column_stack([shares, noise_shares(shares)])
    return RowScores(labels, shares, log_densities, unexplained)


def score_rows(mixture: Mixture, rows: Rows) -> Scores:
    """Log-likelihood and classification certainty of all rows, each times its weight."""
    return Scores(*rows.added_up(Score(mixture)).values)


@dataclass(frozen=True, eq=False)
class Score:
    """The totals of a block's rows."""

    mixture: Mixture

    def __call__(self, block: Block) -> Totals:
        """Log-likelihood, row weight and classification certainty."""
        total = Totals((0.0, 0.0, 0.0))
        for tile, given in tiles_of(block):
            weights = np.ones(len(tile)) if given is None else given
            _, shares, log_densities, _ = self.mixture.scores(tile)
            largest = shares.max(axis=1)
            if self.mixture.noise is not None:
                largest = np.maximum(largest, noise_shares(shares))
            certain = float(weights @ np.log(largest))
            total += Totals((float(weights @ log_densities), float(weights.sum()), certain))
        return total


def bic(log_likelihood: float, n_parameters: int, row_weight: float) -> float:
    """Bayesian information criterion -2 log L + p log n, lower is better (Schwarz 1978)."""
    return float(-2.0 * log_likelihood + n_parameters * np.log(row_weight))


def aic(log_likelihood: float, n_parameters: int) -> float:
    """Akaike's information criterion -2 log L + 2 p, lower is better (Akaike 1974)."""
    return -2.0 * log_likelihood + 2.0 * n_parameters


def aicc(log_likelihood: float, n_parameters: int, row_weight: float) -> float:
    """AIC corrected for few rows, AIC + 2 p (p + 1) / (n - p - 1), infinite for n <= p + 1.

    Hurvich and Tsai, Biometrika 76 (1989) 297.
    """
    left = row_weight - n_parameters - 1.0
    correction = 2.0 * n_parameters * (n_parameters + 1.0) / left if left > 0.0 else np.inf
    return float(aic(log_likelihood, n_parameters) + correction)


def icl(log_likelihood: float, n_parameters: int, row_weight: float, log_certainty: float) -> float:
    """Integrated completed likelihood: BIC - 2 sum log(largest responsibility), lower is better.

    Biernacki, Celeux and Govaert (2000); mclust's ``icl`` with the sign turned.
    """
    return bic(log_likelihood, n_parameters, row_weight) - 2.0 * log_certainty


def one_component_bic(rows: Rows, family: CovarianceFamily) -> float | None:
    """BIC of a single component, in closed form; None where the rows lie in a flat subspace."""
    covariance = covariance_seen(rows, family)
    if family.spreadless_directions(covariance).shape[1] > 0:
        return None
    summary, n_features = rows.summary, len(rows.feature_names)
    one = Mixture(np.ones(1), summary.mean[None, :], family.from_matrices(covariance[None]), family)
    # At the maximum the squared distances average to D, in every family.
    mean = one.log_determinants[0] - 0.5 * n_features * (1.0 + np.log(2.0 * np.pi))
    return bic(float(summary.row_weight * mean), one.n_parameters, summary.row_weight)
