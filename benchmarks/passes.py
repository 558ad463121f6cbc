"""What ADR 16 quotes: passes over all rows of a fit, with and without a climb on some of them before.

    python -m benchmarks.passes [--rows N]

Eight groups in eight features at several distances; the fit to all rows begins where a search ended.
"""

import argparse

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.learning import approach
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings

N_FEATURES = N_COMPONENTS = 8
DISTANCES = (0.7, 1.0, 1.5, 3.0)


def drawn(n_rows, distance):
    """Groups whose centres are spread ``distance`` times as far as they are."""
    generator = np.random.default_rng(8)
    means = distance * generator.normal(size=(N_COMPONENTS, N_FEATURES))
    roots = np.eye(N_FEATURES) + 0.3 * generator.normal(size=(N_COMPONENTS, N_FEATURES, N_FEATURES))
    which = generator.choice(N_COMPONENTS, n_rows, p=np.arange(1.0, 9.0) / 36.0)
    matrix = generator.normal(size=(n_rows, N_FEATURES))
    for k in range(N_COMPONENTS):
        chosen = which == k
        matrix[chosen] = matrix[chosen] @ roots[k].T + means[k]
    return MemoryRows(matrix)


class Counted(MemoryRows):
    """Rows that count E-steps over them."""

    n_passes = 0

    def expected_statistics(self, mixture, precision="double"):
        self.n_passes += 1
        return super().expected_statistics(mixture, precision)


def passes(rows, many_times):
    """E-steps over all rows, and where they end; rows are many if they are ``many_times`` the sample's."""
    usual = approach.MANY_TIMES
    approach.MANY_TIMES = many_times
    try:
        counted = Counted.trusted(rows.matrix, None, rows.feature_names)
        result = search(counted, FitSettings(N_COMPONENTS))
    finally:
        approach.MANY_TIMES = usual
    return counted.n_passes, result.log_likelihood / rows.summary.row_weight


def main():
    """Print a line for each distance."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=float, default=4e6)
    n_rows = int(parser.parse_args().rows)
    print(f"{n_rows} rows x {N_FEATURES}, K = {N_COMPONENTS}: E-steps over all rows, without and with a")
    print("climb on some of them before; and by how much the ends differ, in nats a row")
    for distance in DISTANCES:
        rows = drawn(n_rows, distance)
        (plain, end), (short, other) = passes(rows, 10**9), passes(rows, approach.MANY_TIMES)
        print(f"distance {distance:3.1f}: {plain:3d} without, {short:3d} with; {other - end:+.1e}")


if __name__ == "__main__":
    main()
