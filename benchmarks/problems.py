"""The problems: rows of K Gaussian groups, and where every library starts."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Problem:
    """Rows of K overlapping Gaussian groups."""

    name: str
    n_rows: int
    n_features: int
    n_components: int
    covariance_type: str = "full"


PROBLEMS = (
    Problem("line1d", 5_000_000, 1, 3),
    Problem("tall2d", 1_000_000, 2, 5),
    Problem("mid10", 500_000, 10, 10),
    Problem("mid10-tied", 500_000, 10, 10, "tied"),
    Problem("mid10-sph", 500_000, 10, 10, "spherical"),
    Problem("diag10", 500_000, 10, 50, "diag"),
    Problem("wide32", 100_000, 32, 32),
    Problem("wide32-tied", 100_000, 32, 32, "tied"),
    Problem("wide32-sph", 100_000, 32, 32, "spherical"),
    Problem("wide64", 50_000, 64, 64),
    Problem("deep128", 50_000, 128, 16),
)


@dataclass(frozen=True, eq=False)
class Start:
    """The first mixture: equal weights, means beside the true ones, identity covariances."""

    weights: np.ndarray
    means: np.ndarray


def rows_of(problem):
    """Rows (N, D) of float64, and the start."""
    rng = np.random.default_rng(0)
    # Groups that overlap in any number of features, so that no fit is done before its iterations are.
    spread = min(1.0, 3.0 / problem.n_features**0.5)
    centres = spread * rng.normal(size=(problem.n_components, problem.n_features))
    labels = rng.integers(0, problem.n_components, problem.n_rows)
    rows = rng.normal(size=(problem.n_rows, problem.n_features))
    for first in range(0, problem.n_rows, 1 << 16):
        rows[first : first + (1 << 16)] += centres[labels[first : first + (1 << 16)]]
    weights = np.full(problem.n_components, 1.0 / problem.n_components)
    return rows, Start(weights, centres + 0.3 * spread)
