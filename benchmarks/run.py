"""``make bench``: one EM iteration of every library that is installed, and what else we promise of speed.

Libraries run in turn, A B A B ..., from the same start; an iteration is (time of 7 - time of 2) / 5
(for us, who do more of them in the same time, of 22), and medians are shown.
Ratios are medians of ratios within a turn: they hold better than seconds do.

    python -m benchmarks.run [PROBLEM ...]      the table, or some rows of it
    python -m benchmarks.run --uses             predict, threads, small fits, imports, memory only
"""

import ctypes
import statistics
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from benchmarks import uses
from benchmarks.adapters import NotOfferedError, installed, iteration_seconds, ours
from benchmarks.problems import PROBLEMS, rows_of
from benchmarks.roofline import floor_seconds, measure
from gaussmix import __version__
from gaussmix.kernels import KERNEL_NAME

REPEATS = 3
DISTRIBUTIONS = {"scikit-learn": "scikit-learn", "pomegranate": "pomegranate", "oneDAL": "daal4py"}


def peak_beyond_data(problem, rows, start):
    """MiB that a fit of ours needs at its highest, beyond what was in memory before it."""
    # What was freed goes back to the system, and Linux forgets the peak when asked.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = memory_of("VmRSS")
    ours(problem, rows, start, 2)
    return (memory_of("VmHWM") - before) / 1024


def memory_of(field):
    """A figure of this process in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise LookupError(field)


def measured(problem, adapters):
    """Seconds an iteration by library, in turns; our float32 besides."""
    rows, start = rows_of(problem)
    ours(problem, rows, start, 2)
    peak = peak_beyond_data(problem, rows, start)
    floats = rows.astype(np.float32)
    seconds = {}
    for _ in range(REPEATS):
        for name, adapter in adapters.items():
            try:
                most = 22 if adapter is ours else 7
                seconds.setdefault(name, []).append(iteration_seconds(adapter, problem, rows, start, most))
            except NotOfferedError:
                seconds.pop(name, None)
        seconds.setdefault("float32", []).append(iteration_seconds(ours, problem, floats, start, 22))
    return seconds, peak


def compare(names):
    """The table."""
    adapters, machine = installed(), measure()
    print(machine)
    print(f"gaussmix {__version__} ({KERNEL_NAME} kernel)", end="")
    for name in list(adapters)[1:]:
        try:
            print(f", {name} {version(DISTRIBUTIONS[name])}", end="")
        except PackageNotFoundError:
            print(f", {name}", end="")
    print("\ntheirs / ours; our float64 / our float32; ours / the floor; peak memory beyond the data")
    header = f"{'problem':12s}{'rows':>10s}{'D':>5s}{'K':>4s}{'seconds':>10s}"
    header += "".join(f"{name:>14s}" for name in list(adapters)[1:])
    print(header + f"{'float32':>9s}{'floor':>7s}{'MiB':>8s}")
    for problem in PROBLEMS:
        if names and problem.name not in names:
            continue
        seconds, peak = measured(problem, adapters)
        base = seconds["gaussmix"]
        line = f"{problem.name:12s}{problem.n_rows:10,d}{problem.n_features:5d}{problem.n_components:4d}"
        line += f"{statistics.median(base):10.4f}"
        for name in list(adapters)[1:]:
            line += f"{times(seconds[name], base):14.1f}" if name in seconds else f"{'-':>14s}"
        line += f"{times(base, seconds['float32']):9.2f}"
        line += f"{statistics.median(base) / floor_seconds(problem, machine):7.2f}{peak:8.1f}"
        print(line, flush=True)


def times(long, short):
    """Median of the ratios within a turn."""
    return statistics.median(a / b for a, b in zip(long, short, strict=True))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    chosen = sys.argv[1:]
    if not chosen or chosen == ["--uses"]:
        uses.show()
    if chosen != ["--uses"]:
        compare(chosen)
