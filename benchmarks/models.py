"""Seconds an iteration of each covariance model takes: ``python -m benchmarks.models``.

100,000 x 10, K = 10, no prior: E-step and M-step as a fit makes them, medians over 21 iterations after four,
in each of which the models take turns. R's mclust (``me``, model VVV) is timed in the same run, where
Rscript has it.
"""

import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.kernels.threads import compute_threads
from gaussmix.model.covariances import FAMILIES
from gaussmix.model.maximise import MStep, maximise
from gaussmix.model.mixture import Mixture

N_ROWS, N_FEATURES, N_COMPONENTS = 100_000, 10, 10
SKIPPED, TIMED = 4, 21
# (time of seven iterations - time of two) / 5, so that what mclust does once is left out.
MCLUST = """
library(mclust)
x <- matrix(readBin("{rows}", "double", {n} * {d}), {n}, {d}, byrow = TRUE)
z <- matrix(readBin("{shares}", "double", {n} * {k}), {n}, {k}, byrow = TRUE)
fit <- function(n) me(data = x, modelName = "VVV", z = z, control = emControl(itmax = n, tol = 0))
once <- function(n) system.time(fit(n))[[3]]
seconds <- replicate(3, (once(7) - once(2)) / 5)
cat(median(seconds))
"""


def rows_and_start():
    """Rows from ten overlapping groups, and those groups."""
    rng = np.random.default_rng(0)
    centres = 3.0 * rng.normal(size=(N_COMPONENTS, N_FEATURES))
    roots = rng.normal(size=(N_COMPONENTS, N_FEATURES, N_FEATURES)) / np.sqrt(N_FEATURES) * 0.5
    roots += np.eye(N_FEATURES)
    labels = rng.integers(N_COMPONENTS, size=N_ROWS)
    noise = rng.normal(size=(N_ROWS, N_FEATURES))
    rows = centres[labels] + np.einsum("nij,nj->ni", roots[labels], noise)
    return rows, centres, roots @ roots.transpose(0, 2, 1)


def seconds_of(rows, centres, matrices):
    """Whole iterations and M-steps, lists of seconds by model: the models take turns."""
    table, step = MemoryRows(rows), MStep.plain(N_FEATURES)
    weights = np.full(N_COMPONENTS, 1.0 / N_COMPONENTS)
    mixtures = {
        family.name: Mixture(weights, centres, family.from_matrices(matrices), family) for family in FAMILIES
    }
    iterations = {name: [] for name in mixtures}
    m_steps = {name: [] for name in mixtures}
    for _ in range(SKIPPED + TIMED):
        for name, mixture in mixtures.items():
            begun = perf_counter()
            statistics_ = table.expected_statistics(mixture)
            between = perf_counter()
            mixtures[name] = maximise(statistics_, mixture, step)
            ended = perf_counter()
            iterations[name].append(ended - begun)
            m_steps[name].append(ended - between)
    return {name: (iterations[name][SKIPPED:], m_steps[name][SKIPPED:]) for name in mixtures}


def mclust_seconds(rows, centres, matrices):
    """Seconds an iteration of mclust's VVV takes, or None where there is no mclust."""
    if shutil.which("Rscript") is None:
        return None
    family = next(f for f in FAMILIES if f.name == "VVV")
    weights = np.full(N_COMPONENTS, 1.0 / N_COMPONENTS)
    shares = Mixture(weights, centres, matrices, family).shares(rows)
    with tempfile.TemporaryDirectory() as folder:
        rows.tofile(f"{folder}/rows")
        shares.tofile(f"{folder}/shares")
        script = MCLUST.format(
            rows=f"{folder}/rows", shares=f"{folder}/shares", n=N_ROWS, d=N_FEATURES, k=N_COMPONENTS
        )
        Path(f"{folder}/time.R").write_text(script)
        done = subprocess.run(["Rscript", f"{folder}/time.R"], capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None


def main():
    """Print the table."""
    problem = rows_and_start()
    with compute_threads(None):
        taken = seconds_of(*problem)
    mclust = mclust_seconds(*problem)
    free = statistics.median(taken["VVV"][0])
    print(f"{N_ROWS:,} x {N_FEATURES}, K = {N_COMPONENTS}; medians, ratios to VVV in the same turn")
    print("model       iteration ms   M-step ms   times VVV")
    for name, (iterations, m_steps) in taken.items():
        ratio = statistics.median(a / b for a, b in zip(iterations, taken["VVV"][0], strict=True))
        iteration, m_step = statistics.median(iterations), statistics.median(m_steps)
        print(f"{name:10s} {1e3 * iteration:13.2f} {1e3 * m_step:11.2f} {ratio:11.2f}")
    if mclust is not None:
        print(f"mclust VVV {1e3 * mclust:13.0f}: {mclust / free:.0f} times as long")


if __name__ == "__main__":
    main()
