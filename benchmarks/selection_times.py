"""How long a selection takes, over 1 to 9 components and all fourteen models, and a test of 999 replicates.

``python -m benchmarks.selection_times``; with and without rows that are held out.
"""

from time import perf_counter

import numpy as np

import gaussmix
from benchmarks.optimum_problems import DATA

ROWS, FEATURES, GROUPS = 5000, 5, 5


def drawn(seed=0):
    """Five groups (5000, 5) of free covariances."""
    generator = np.random.default_rng(seed)
    means = 3.0 * generator.normal(size=(GROUPS, FEATURES))
    each = ROWS // GROUPS
    return np.concatenate(
        [
            mean + 0.7 * generator.normal(size=(each, FEATURES)) @ generator.normal(size=(FEATURES, FEATURES))
            for mean in means
        ]
    )


def table(name):
    """One of the tests' tables."""
    found = np.loadtxt(DATA / f"{name}.csv", delimiter=",", skiprows=1)
    return found[:, None] if found.ndim == 1 else found


def main():
    print(f"{'rows':24} {'models':>7} {'select':>9} {'no folds':>9}   answer")
    problems = {"heights": table("heights"), "faithful": table("faithful"), "iris": table("iris")}
    problems[f"{ROWS} x {FEATURES}"] = drawn()
    for name, rows in problems.items():
        counts = range(1, min(10, len(rows) // 2 + 1))
        seconds = []
        for n_folds in (5, 0):
            began = perf_counter()
            found = gaussmix.select(rows, counts, "all", n_folds=n_folds)
            seconds.append(perf_counter() - began)
        n_models = len({row["covariance"] for row in found.table})
        best = f"{found.choice.n_components} {found.choice.covariance}"
        print(f"{name:24} {n_models:7} {seconds[0]:8.1f}s {seconds[1]:8.1f}s   {best}")
    print()
    for name, model in (("faithful", "VVV"), ("iris", "VVV"), ("faithful", "EEE")):
        n_replicates = 999 if model == "VVV" else 99
        began = perf_counter()
        found = gaussmix.bootstrap_test(table(name), range(1, 5), model, n_replicates=n_replicates)
        took = perf_counter() - began
        print(f"{name} {model}: {len(found.tests)} tests of {n_replicates} replicates, {took:.1f}s")
        print(f"    {found.sentence}")


if __name__ == "__main__":
    main()
