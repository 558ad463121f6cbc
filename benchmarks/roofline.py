"""What the machine could do at best: the time below which no E-step and M-step can go.

The larger of reading the rows once at the measured bandwidth and 2 K (D^2 + 3 D) operations a row
(4 K D for diag and spherical; for tied that and one whitening) at the measured rate of a matrix
product, plus K exponentials at NumPy's measured vector rate on all cores.
"""

import os
import time
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Machine:
    """Measured rates."""

    bytes_a_second: float
    operations_a_second: float
    exponentials_a_second: float

    def __str__(self):
        rates = (self.bytes_a_second, self.operations_a_second, self.exponentials_a_second)
        return "{:.1f} GB/s, {:.0f} GFLOP/s, {:.2f} G exp/s".format(*(rate / 1e9 for rate in rates))


def shortest(work, repeats):
    """Shortest wall time of a call."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def measure():
    """Rates of this machine."""
    large = np.ones(20_000_000)
    square = np.random.default_rng(0).normal(size=(1500, 1500))
    small = np.linspace(-20.0, 0.0, 4096)
    out = np.empty_like(small)
    cores = len(os.sched_getaffinity(0))
    return Machine(
        large.nbytes / shortest(large.sum, 5),
        2.0 * 1500**3 / shortest(lambda: square @ square, 5),
        cores * len(small) / shortest(lambda: np.exp(small, out=out), 50),
    )


def floor_seconds(problem, machine):
    """The floor of one EM iteration."""
    n_rows, n_features, n_components = problem.n_rows, problem.n_features, problem.n_components
    each = 2 * (n_features**2 + 3 * n_features) if problem.covariance_type == "full" else 4 * n_features
    operations = n_rows * n_components * each
    if problem.covariance_type == "tied":
        operations += 2 * n_rows * n_features**2
    reading = 8 * n_rows * n_features / machine.bytes_a_second
    exponentials = n_rows * n_components / machine.exponentials_a_second
    return max(reading, operations / machine.operations_a_second) + exponentials
