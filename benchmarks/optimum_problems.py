"""The problems of ``benchmarks.optimum``: rows, K, and the true mixture where there is one.

Drawn mixtures have unequal weights, volumes, shapes and orientations. How far their means lie apart is
found by bisection, so that the true mixture itself puts a given share of rows into the wrong component:
that is the overlap. Components get many more rows than their covariance has entries, because with few the
highest likelihood is that of a spike.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.decomposition import PCA

from benchmarks.optimum_judge import log_joint

DATA = Path(__file__).parent.parent / "tests" / "data"
# (n, D, K, overlap).
DRAWN = (
    (300, 1, 2, 0.05),
    (600, 1, 3, 0.10),
    (2000, 1, 4, 0.02),
    (5000, 1, 6, 0.05),
    (200, 2, 2, 0.02),
    (400, 2, 3, 0.05),
    (1000, 2, 3, 0.20),
    (1000, 2, 5, 0.05),
    (2000, 2, 8, 0.02),
    (2000, 2, 8, 0.10),
    (4000, 2, 12, 0.05),
    (6000, 2, 20, 0.05),
    (20000, 2, 50, 0.05),
    (500, 3, 3, 0.10),
    (1500, 3, 6, 0.05),
    (3000, 3, 10, 0.02),
    (3000, 3, 10, 0.10),
    (600, 4, 2, 0.10),
    (1000, 4, 4, 0.05),
    (2000, 4, 6, 0.15),
    (1500, 5, 4, 0.02),
    (2500, 5, 8, 0.05),
    (5000, 5, 15, 0.01),
    (10000, 5, 20, 0.05),
    (2000, 6, 5, 0.10),
    (2500, 8, 3, 0.05),
    (4000, 8, 6, 0.10),
    (3000, 10, 4, 0.05),
    (8000, 10, 10, 0.05),
    (20000, 10, 5, 0.10),
    (6000, 15, 4, 0.05),
    (5000, 20, 2, 0.05),
    (10000, 20, 5, 0.05),
)
# The same, with columns in units from 1e-3 to 1e4.
BADLY_SCALED = ((800, 2, 4, 0.05), (1500, 3, 5, 0.05), (2000, 5, 4, 0.05), (4000, 8, 5, 0.05))
# Columns of scikit-learn's tables that are measured finely enough for a density.
CANCER = ("mean radius", "mean texture", "mean smoothness", "mean concavity", "mean symmetry")
# Of thirteen, because 178 rows are too few for three covariances of all.
WINE = ("alcohol", "flavanoids", "color_intensity", "hue", "proline")
DIABETES = ("bmi", "bp", "s1", "s3", "s5")
QUICK_WORK = 150_000


class Parameters(NamedTuple):
    """A mixture: (K,), (K, D), (K, D, D)."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows (n, D) and how many components to find in them."""

    name: str
    rows: np.ndarray
    n_components: int
    truth: Parameters | None = None

    @property
    def quick(self):
        """Whether a fit is a matter of little time."""
        n_rows, n_features = self.rows.shape
        return n_rows * self.n_components * n_features**2 <= QUICK_WORK


def chosen_weights(rng, n_components):
    """Unequal weights, none below 0.3 / K."""
    weights = np.exp(rng.normal(scale=0.8, size=n_components))
    return 0.3 / n_components + 0.7 * weights / weights.sum()


def chosen_covariances(rng, n_components, n_features):
    """Covariances (K, D, D): volumes within about 1 to 20, axes within about 1 to 30, any direction."""
    volumes = np.exp(rng.uniform(-1.5, 1.5, size=n_components))
    logs = rng.uniform(-1.7, 1.7, size=(n_components, n_features))
    shapes = np.exp(logs - logs.mean(axis=1, keepdims=True))
    axes = np.linalg.qr(rng.normal(size=(n_components, n_features, n_features)))[0]
    return np.einsum("k,kab,kb,kcb->kac", volumes, axes, shapes, axes)


def drawn(rng, mixture, n_rows):
    """Rows (n, D) of a mixture, and the component (n,) of each."""
    labels = rng.choice(len(mixture.weights), size=n_rows, p=mixture.weights)
    noise = rng.normal(size=(n_rows, mixture.means.shape[1]))
    roots = np.linalg.cholesky(mixture.covariances)
    return mixture.means[labels] + np.einsum("nab,nb->na", roots[labels], noise), labels


def wrong_share(seed, mixture):
    """Share of rows that the true mixture puts into another component than they come from."""
    rows, labels = drawn(np.random.default_rng(seed), mixture, 4000)
    return float((log_joint(rows, *mixture).argmax(axis=1) != labels).mean())


def true_mixture(seed, n_features, n_components, overlap):
    """A mixture with a given overlap."""
    rng = np.random.default_rng(seed)
    weights = chosen_weights(rng, n_components)
    covariances = chosen_covariances(rng, n_components, n_features)
    directions = rng.normal(size=(n_components, n_features))
    near, far = 0.1, 1000.0
    for _ in range(20):
        middle = (near * far) ** 0.5
        wrong = wrong_share(seed, Parameters(weights, middle * directions, covariances))
        near, far = (middle, far) if wrong > overlap else (near, middle)
    # Few digits, so that the rows do not hang on the last bits of a machine's arithmetic.
    return Parameters(weights, float(f"{far:.3g}") * directions, covariances)


def drawn_problem(name, seed, shape, scaled=False):
    """Rows of a true mixture."""
    n_rows, n_features, n_components, overlap = shape
    truth = true_mixture(seed, n_features, n_components, overlap)
    rows, _ = drawn(np.random.default_rng([seed, 1]), truth, n_rows)
    if scaled:
        units = np.random.default_rng(seed).permutation(10.0 ** np.linspace(-3.0, 4.0, n_features))
        rows = rows * units
        truth = Parameters(truth.weights, truth.means * units, truth.covariances * np.outer(units, units))
    return Problem(name, rows, n_components, truth)


def repository_table(name):
    return np.loadtxt(DATA / f"{name}.csv", delimiter=",", skiprows=1)


def columns_of(load, names):
    """Some columns of one of scikit-learn's tables."""
    bunch = load()
    places = [list(bunch.feature_names).index(name) for name in names]
    return np.ascontiguousarray(bunch.data[:, places])


def digits():
    """Handwritten digits along their first eight principal axes."""
    return PCA(8, svd_solver="full").fit_transform(datasets.load_digits().data)


def real_tables():
    """How to get the rows of the real tables, and K, by name. scikit-learn's iris is tests/data's."""
    iris, faithful = partial(repository_table, "iris"), partial(repository_table, "faithful")
    cancer = partial(columns_of, datasets.load_breast_cancer, CANCER)
    diabetes = partial(columns_of, datasets.load_diabetes, DIABETES)
    tables = {f"iris-k{k}": (iris, k) for k in (2, 3, 4, 5)}
    tables |= {f"faithful-k{k}": (faithful, k) for k in (2, 3, 4)}
    wine = partial(columns_of, datasets.load_wine, WINE)
    tables |= {"wine-k3": (wine, 3), "cancer-k2": (cancer, 2), "cancer-k3": (cancer, 3)}
    return tables | {"diabetes-k2": (diabetes, 2), "digits-k10": (digits, 10)}


def real_problem(name, load, n_components):
    return Problem(name, load(), n_components)


def makers():
    """A function that makes the problem, by name: making all takes a while."""
    made = {}
    for i, shape in enumerate(DRAWN + BADLY_SCALED):
        scaled = i >= len(DRAWN)
        name = f"d{shape[1]}-k{shape[2]}-o{100 * shape[3]:02.0f}" + ("-scaled" if scaled else "")
        made[name] = partial(drawn_problem, name, 1000 + i, shape, scaled)
    for name, (load, n_components) in real_tables().items():
        made[name] = partial(real_problem, name, load, n_components)
    return made
