"""Fits that are stopped after some passes, and whether two of them are the same."""

import numpy as np

from gaussmix.data.checkpoints.encoding import encoded
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import Expect, Given, Measure, TakeAll, TakeDistinct
from gaussmix.kernels.contract import Precision
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture

N_ROWS = 240


def table(n_rows=N_ROWS, n_features=2):
    rng = np.random.default_rng(3)
    return rng.normal(size=(n_rows, n_features)) + 1.3 * rng.integers(0, 3, n_rows)[:, None]


def counted_twice(n_rows=N_ROWS):
    return np.random.default_rng(4).integers(0, 3, n_rows).astype(float)


class Watched(MemoryRows):
    """Counts passes that are written down if results of their kind are, and stops before one too many."""

    left = np.inf
    made = 0

    def added_up(self, task):
        if not isinstance(task, Given):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            self.made += 1
        return super().added_up(task)

    def stopped_after(self, n_passes):
        self.left, self.made = n_passes, 0
        return self


def same(one, other):
    """Whether two fits are the same to the last bit."""
    a, b = one.mixture, other.mixture
    arrays = [(a.weights, b.weights), (a.means, b.means), (a.covariances, b.covariances)]
    if a.noise is not None:
        arrays += [(a.noise.edges, b.noise.edges), (a.noise.corner, b.noise.corner)]
        assert a.noise.weight == b.noise.weight
    assert all(x.tobytes() == y.tobytes() for x, y in arrays)
    assert one.history.log_likelihoods == other.history.log_likelihoods
    assert one.history.objectives == other.history.objectives
    assert one.history.n_iterations == other.history.n_iterations
    assert str(one.outcome) == str(other.outcome)
    assert one.review.tail_weight == other.review.tail_weight
    return True


def passes_on(rows):
    """Some passes of all kinds, with what they find as bytes."""
    family = covariance_family("full")
    mixture = Mixture(np.full(2, 0.5), np.eye(2), np.stack([np.eye(2)] * 2), family)
    tasks = (Measure(True), TakeAll(), TakeDistinct(5), Expect(mixture, Precision.DOUBLE))
    return [encoded(rows.added_up(task)) for task in tasks]
