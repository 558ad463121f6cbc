"""What ADR 11 quotes of times: EM steps of many mixtures side by side, and whole fits with the search."""

from functools import partial
from statistics import median

import numpy as np

from benchmarks.optimum_problems import makers
from benchmarks.uses import median_seconds, seconds
from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.kernels import reference_climb
from gaussmix.learning import climbers
from gaussmix.learning.climbers import climb
from gaussmix.learning.em import fit_em
from gaussmix.learning.prepare import prepare
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.stopping import Limits
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture


def steps_side_by_side():
    """A hundred starts of 500 x 2, each by itself and all at once."""
    rng = np.random.default_rng(0)
    rows = np.r_[rng.normal(0, 1, (300, 2)), rng.normal(3, 1, (200, 2))]
    table, family = MemoryRows(rows), covariance_family("full")
    step = prepare(table, FitSettings(2))
    matrices = np.stack([np.cov(rows.T)] * 2)
    starts = [Mixture([0.5, 0.5], rows[rng.integers(0, 500, 2)], matrices, family) for _ in range(100)]
    together = median_seconds(lambda: climb(table, starts, step, 10), 9)
    page = median_seconds(lambda: [fit_em(table, s, step, Limits(0.0, 10)) for s in starts], 3)
    compiled, climbers.kernels.climb = climbers.kernels.climb, reference_climb.climb
    numpy = median_seconds(lambda: climb(table, starts, step, 10), 3)
    climbers.kernels.climb = compiled
    print("100 starts of 500 x 2, K = 2, 10 steps, in ms:")
    print(f"  together {1e3 * together:.1f}, one by one on the page {1e3 * page:.0f}, ", end="")
    print(f"together in NumPy {1e3 * numpy:.0f}")


def problems():
    """Name, rows, K and how many fits to take the median of."""
    rng = np.random.default_rng(0)
    centres = np.repeat([[0.0, 0.0], [3.0, 3.0], [0.0, 4.0]], [400, 300, 300], axis=0)
    yield "1,000 x 2, K = 3, groups apart", centres + rng.normal(size=centres.shape), 3, 9
    yield "1,000 x 2, K = 3, one Gaussian", rng.normal(size=(1000, 2)), 3, 9
    for name, repeats in (("d2-k3-o20", 9), ("d2-k50-o05", 1)):
        problem = makers()[name]()
        yield f"{name}, {len(problem.rows):,} rows", problem.rows, problem.n_components, repeats
    wide = rng.normal(size=(600, 60))
    wide[:, :3] += 9.0 * np.eye(3)[np.repeat(np.arange(3), 200)]
    yield "600 x 60, K = 3, apart in three columns", wide, 3, 3
    centres = rng.normal(0, 3, (100, 2))[rng.integers(100, size=5000)]
    yield "5,000 x 2, K = 100", centres + rng.normal(size=centres.shape), 100, 1


def search_times():
    """ADR 11: EM steps of many mixtures side by side, and whole fits with the search."""
    steps_side_by_side()
    for name, rows, n_components, repeats in problems():
        times = {
            n_init: median(
                seconds(partial(GaussianMixture(n_components, n_init=n_init, random_state=seed).fit, rows))
                for seed in range(repeats)
            )
            for n_init in ("auto", 1)
        }
        reached = [GaussianMixture(n_components, n_init=n).fit(rows).lower_bound_ for n in ("auto", 1)]
        print(f"{name}: with the search {times['auto']:.3f} s, from one start {times[1]:.3f} s; ", end="")
        print(f"{reached[0]:.4f} and {reached[1]:.4f} nats a row")
