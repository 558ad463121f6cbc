"""``make bench``: seconds for one EM iteration beside scikit-learn's, and the memory of a fit from a file.

Both run in turn, A B A B ..., from the same start; an iteration is (time of 7 - time of 2) / 5, and
medians are shown. The floor is the larger of reading the rows once at the measured bandwidth and
2 K (D^2 + 3 D) operations a row (4 K D for diag and spherical) at the measured rate of a matrix
product, plus K exponentials at NumPy's measured rate. Ratios hold from machine to machine better than
seconds do.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import sklearn
from sklearn.mixture import GaussianMixture as Theirs

from gaussmix import GaussianMixture, __version__
from gaussmix.kernels import KERNEL_NAME
from gaussmix.model.covariances import covariance_family

REPEATS = 3
# The high-water mark of the process itself: what a parent reads of its child includes the parent's
# own memory from before the child became another program.
FIT_AND_TELL_PEAK = """
import re, sys
from gaussmix.cli.main import main
try:
    main(["fit", sys.argv[1], "-k", "2", "--json"])
finally:
    status = open("/proc/self/status").read()
    sys.stderr.write(re.search(r"VmHWM:\\s+(\\d+)", status)[1])
"""


@dataclass(frozen=True)
class Problem:
    """Rows of K Gaussian groups."""

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
    Problem("wide64", 50_000, 64, 64),
    Problem("deep128", 50_000, 128, 16),
)


def rows_of(problem):
    rng = np.random.default_rng(0)
    # Groups that overlap in any number of features, so that no fit is done before its iterations are.
    spread = min(1.0, 3.0 / problem.n_features**0.5)
    centres = spread * rng.normal(size=(problem.n_components, problem.n_features))
    labels = rng.integers(0, problem.n_components, problem.n_rows)
    return centres[labels] + rng.normal(size=(problem.n_rows, problem.n_features)), centres


def seconds(estimator, problem, rows, centres, n_iterations):
    """Wall time of a fit with a fixed number of iterations."""
    family = covariance_family(problem.covariance_type)
    n_components, n_features = centres.shape
    identity = np.broadcast_to(np.eye(n_features), (n_components, n_features, n_features))
    settings = {
        "covariance_type": problem.covariance_type,
        "tol": 0.0,
        "max_iter": n_iterations,
        "weights_init": np.full(n_components, 1.0 / n_components),
        "means_init": centres + 0.3,
        "precisions_init": family.from_matrices(identity),
        "reg_covar": 0.0,
    }
    model = estimator(n_components, **settings)
    began = time.perf_counter()
    model.fit(rows)
    took = time.perf_counter() - began
    if model.n_iter_ != n_iterations:
        raise RuntimeError(f"{problem.name}: {model.n_iter_} iterations instead of {n_iterations}")
    return took


def iteration_seconds(estimator, problem, rows, centres):
    return max(
        (seconds(estimator, problem, rows, centres, 7) - seconds(estimator, problem, rows, centres, 2)) / 5,
        1e-9,
    )


def ours_without_prior(n_components, **settings):
    return GaussianMixture(n_components, prior=None, **settings)


def best_of(work, repeats=5):
    """Shortest wall time of a call."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def roofline():
    """Bytes a second, matrix-product operations a second and exponentials a second of this machine."""
    large = np.ones(20_000_000)
    square = np.random.default_rng(0).normal(size=(1500, 1500))
    small = np.linspace(-20.0, 0.0, 4096)
    out = np.empty_like(small)
    cores = len(os.sched_getaffinity(0))
    return (
        large.nbytes / best_of(large.sum),
        2.0 * 1500**3 / best_of(lambda: square @ square),
        cores * len(small) / best_of(lambda: np.exp(small, out=out), 50),
    )


def floor_seconds(problem, rates):
    bandwidth, products, exponentials = rates
    n_rows, n_features, n_components = problem.n_rows, problem.n_features, problem.n_components
    each = 4 * n_features
    if problem.covariance_type == "full":
        each = 2 * (n_features**2 + 3 * n_features)
    operations = n_rows * n_components * each
    if problem.covariance_type == "tied":
        operations += 2 * n_rows * n_features**2
    reading = 8 * n_rows * n_features / bandwidth
    return max(reading, operations / products) + n_rows * n_components / exponentials


def compare_iterations():
    rates = roofline()
    print(f"{rates[0] / 1e9:.1f} GB/s, {rates[1] / 1e9:.0f} GFLOP/s, {rates[2] / 1e9:.2f} G exp/s")
    print(f"gaussmix {__version__} ({KERNEL_NAME} kernel), scikit-learn {sklearn.__version__}")
    print(
        f"{'problem':12s}{'rows':>10s}{'D':>5s}{'K':>5s}{'ours s':>10s}{'theirs s':>10s}{'theirs/ours':>13s}"
    )
    for problem in PROBLEMS:
        rows, centres = rows_of(problem)
        pairs = []
        for _ in range(REPEATS):
            ours = iteration_seconds(ours_without_prior, problem, rows, centres)
            pairs.append((ours, iteration_seconds(Theirs, problem, rows, centres)))
        ours = statistics.median(pair[0] for pair in pairs)
        theirs = statistics.median(pair[1] for pair in pairs)
        ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
        shape = f"{problem.n_rows:10,d}{problem.n_features:5d}{problem.n_components:5d}"
        above = ours / floor_seconds(problem, rates)
        print(f"{problem.name:12s}{shape}{ours:10.4f}{theirs:10.4f}{ratio:13.1f}{above:12.2f}")


def measure_memory():
    """Peak memory of ``gaussmix fit`` on a Parquet file of 1,000,000 x 2, interpreter included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(1_000_000, 2)) + 5.0 * rng.integers(0, 2, size=(1_000_000, 1))
        pq.write_table(pa.table({"a": rows[:, 0], "b": rows[:, 1]}), path)
        began = time.perf_counter()
        command = [sys.executable, "-c", FIT_AND_TELL_PEAK, str(path)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        took = time.perf_counter() - began
    peak, data = int(told.split()[-1]) / 1024, rows.nbytes / 2**20
    beyond = f"peak {peak:.0f} MiB = data {data:.0f} + {peak - data:.0f}"
    print(f"gaussmix fit, 1,000,000 x 2 Parquet: {took:.1f} s, {beyond}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    measure_memory()
    compare_iterations()
