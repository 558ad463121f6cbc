"""Tables in batches, and models that learn from them."""

import numpy as np

from gaussmix import GaussianMixture
from gaussmix.estimators.stepwise import Stepwise
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings

MEANS = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
SHAPES = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.5], [0.5, 1.0]], [[0.5, 0.0], [0.0, 1.0]]])
WEIGHTS = np.array([0.5, 0.3, 0.2])


class Streaming(*([] if issubclass(GaussianMixture, Stepwise) else [Stepwise]), GaussianMixture):
    """The estimator under test."""


def drawn(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n_rows, p=WEIGHTS)
    roots = np.linalg.cholesky(SHAPES)
    return MEANS[labels] + np.einsum("nij,nj->ni", roots[labels], rng.normal(size=(n_rows, 2)))


def batches(rows, size):
    return [rows[first : first + size] for first in range(0, len(rows), size)]


def learn(model, parts, **options):
    for part in parts:
        model.partial_fit(part, **options)
    return model


def streamed(parts, half_life=None, **parameters):
    return learn(Streaming(3, **({"means_init": MEANS} | parameters)), parts, half_life=half_life)


def numbers(mixture):
    return np.concatenate([mixture.weights, mixture.means.ravel(), mixture.matrices.ravel()])


def distance(one, other):
    return np.linalg.norm(numbers(one) - numbers(other))


def start_of(family, rows, n_components=3):
    settings = FitSettings(n_components, family.name, n_init=1, max_iter=3)
    return search(rows, settings).mixture
