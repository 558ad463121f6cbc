"""What else is promised of speed and memory: predicting, threads, small fits, imports, files."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.mixture import GaussianMixture as ScikitLearn

from benchmarks.adapters import ours
from benchmarks.problems import PROBLEMS, rows_of
from gaussmix import GaussianMixture
from gaussmix.kernels.threads import compute_threads
from gaussmix.report.worked_example import HEIGHTS as HEIGHTS_OF_THE_EXAMPLE

HEIGHTS = np.array(HEIGHTS_OF_THE_EXAMPLE)[:, None]
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


def median_seconds(work, repeats=5):
    """Median wall time of a call."""
    return statistics.median(seconds(work) for _ in range(repeats))


def seconds(work):
    """Wall time of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def problem_named(name):
    """One of the problems."""
    return next(problem for problem in PROBLEMS if problem.name == name)


def show_predicting():
    """predict_proba and score_samples beside scikit-learn's, with the same parameters."""
    for name in ("tall2d", "mid10"):
        problem = problem_named(name)
        rows, _ = rows_of(problem)
        theirs = ScikitLearn(problem.n_components, max_iter=1, init_params="random_from_data", random_state=0)
        theirs.fit(rows[:20_000])
        ours = GaussianMixture(
            problem.n_components,
            max_iter=0,
            weights_init=theirs.weights_,
            means_init=theirs.means_,
            precisions_init=theirs.precisions_,
        ).fit(rows[:20_000])
        for method in ("predict_proba", "score_samples"):
            pairs = [
                (seconds(lambda: getattr(ours, method)(rows)), seconds(lambda: getattr(theirs, method)(rows)))  # noqa: B023
                for _ in range(5)
            ]
            ratio = statistics.median(b / a for a, b in pairs)
            took = statistics.median(a for a, _ in pairs)
            print(f"{method} on {name}: {took:.4f} s, scikit-learn takes {ratio:.1f} times as long")


def show_threads():
    """Two threads beside one."""
    for name in ("tall2d", "mid10", "wide32"):
        problem = problem_named(name)
        rows, start = rows_of(problem)
        ratios = []
        for _ in range(5):
            taken = []
            for n_threads in (1, 2):
                with compute_threads(n_threads):
                    long = seconds(lambda: ours(problem, rows, start, 12))  # noqa: B023
                    taken.append(long - seconds(lambda: ours(problem, rows, start, 2)))  # noqa: B023
            ratios.append(taken[0] / taken[1])
        print(f"two threads on {name}: {statistics.median(ratios):.2f} times as fast as one")


def show_small():
    """Fits that are over before one looks."""
    for n_init in ("auto", 1):
        fit = median_seconds(lambda: GaussianMixture(2, n_init=n_init).fit(HEIGHTS), 9)  # noqa: B023
        model = GaussianMixture(2, n_init=n_init).fit(HEIGHTS)
        print(f"the ten heights, whole fit, n_init={n_init}: {fit * 1e3:.1f} ms ({model.n_iter_} iterations)")
    python = sys.executable
    for what, command in {
        "import gaussmix": [python, "-c", "import gaussmix"],
        "import of the estimator, scikit-learn included": [
            python,
            "-c",
            "from gaussmix import GaussianMixture",
        ],
        "gaussmix --help": [python, "-m", "gaussmix", "--help"],
    }.items():
        took = median_seconds(lambda: subprocess.run(command, check=True, capture_output=True))  # noqa: B023
        print(f"{what}: {took:.3f} s, interpreter included")


def show_file():
    """Peak memory of ``gaussmix fit`` on a Parquet file of 1,000,000 x 2, interpreter included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(1_000_000, 2)) + 5.0 * rng.integers(0, 2, size=(1_000_000, 1))
        pq.write_table(pa.table({"a": rows[:, 0], "b": rows[:, 1]}), path)
        command = [sys.executable, "-c", FIT_AND_TELL_PEAK, str(path)]
        began = time.perf_counter()
        told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        took = time.perf_counter() - began
    peak, data = int(told.split()[-1]) / 1024, rows.nbytes / 2**20
    beyond = f"peak {peak:.0f} MiB = data {data:.0f} + {peak - data:.0f}"
    print(f"gaussmix fit, 1,000,000 x 2 Parquet: {took:.1f} s, {beyond}")


def show():
    """All of it."""
    show_file()
    show_small()
    show_predicting()
    show_threads()
