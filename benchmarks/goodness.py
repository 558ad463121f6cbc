"""How often the goodness-of-fit check objects: ``python -m benchmarks.goodness [TABLES]``.

To groups that are Gaussian it should object in 5% of tables, to others nearly always. Each table is fitted
as a user would, then checked.
"""

import sys
import warnings
from time import perf_counter

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.learning.belief.goodness import goodness_of_fit
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings

TABLES = 100
REPLICATES = 99


def groups(draw, apart, n_groups=2, n_features=2):
    """Tables of equal groups, each ``apart`` from the one before, of what ``draw`` makes."""

    def table(rng, n_rows):
        labels = rng.integers(0, n_groups, n_rows)
        rows = draw(rng, (n_rows, n_features))
        rows[:, 0] += apart * labels
        return rows

    return table


def normal(rng, shape):
    return rng.normal(size=shape)


def correlated(rng, shape):
    rows = rng.normal(size=shape)
    rows[:, -1] += 3.0 * rows[:, 0]
    return rows


def crescent(rng, shape):
    angle = rng.uniform(0.0, np.pi, shape[0])
    return np.c_[np.cos(angle), np.sin(angle)] + 0.1 * rng.normal(size=shape)


def in_tenths(table):
    return lambda rng, n_rows: table(rng, n_rows).round(1)


# Name, table, rows, components, covariance model.
GAUSSIAN = [
    ("one group, one feature", groups(normal, 0.0, 1, 1), 50, 1, "full"),
    ("one group, ten features", groups(correlated, 0.0, 1, 10), 300, 1, "full"),
    ("two groups, far apart", groups(normal, 8.0), 200, 2, "full"),
    ("two groups, near each other", groups(normal, 3.0), 300, 2, "full"),
    ("two groups, tied", groups(correlated, 4.0), 200, 2, "tied"),
    ("two groups, diag", groups(normal, 4.0, 2, 3), 200, 2, "diag"),
    ("four groups, five features", groups(normal, 5.0, 4, 5), 400, 4, "full"),
    ("two groups, in tenths", in_tenths(groups(lambda g, s: 0.3 * g.normal(size=s), 2.0)), 200, 2, "full"),
    ("two groups, 5,000 rows", groups(normal, 4.0), 5000, 2, "full"),
]
OTHERS = [
    ("exponential groups", groups(lambda g, s: g.exponential(size=s), 8.0), 200, 2, "full"),
    ("uniform boxes", groups(lambda g, s: g.uniform(-1.0, 1.0, size=s), 4.0), 200, 2, "full"),
    ("t with 3 degrees", groups(lambda g, s: g.standard_t(3, size=s), 12.0), 200, 2, "full"),
    ("crescents", groups(crescent, 3.0), 200, 2, "full"),
    ("exponential, one feature", groups(lambda g, s: g.exponential(size=s), 8.0, 2, 1), 200, 2, "full"),
    ("two groups taken for one", groups(normal, 3.0), 200, 1, "full"),
    ("diag, but correlated", groups(correlated, 0.0, 1), 200, 1, "diag"),
    (
        "log-normal, five features",
        groups(lambda g, s: g.lognormal(0.0, 0.5, size=s), 8.0, 2, 5),
        300,
        2,
        "full",
    ),
]


def rejected(table, n_rows, n_components, covariance, n_tables):
    """Share of tables that the check objects to, at 5%, and its time for each."""
    objections, seconds = 0, 0.0
    settings = FitSettings(n_components, covariance_type=covariance)
    for seed in range(n_tables):
        rows = MemoryRows(table(np.random.default_rng([seed, n_rows, n_components]), n_rows))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mixture = search(rows, settings).mixture
        began = perf_counter()
        objections += goodness_of_fit(mixture, rows, settings, REPLICATES, seed).gaussian is False
        seconds += perf_counter() - began
    return objections / n_tables, seconds / n_tables


def main():
    n_tables = int(sys.argv[1]) if len(sys.argv) > 1 else TABLES
    print(f"{'rows':>44s} {'rejected':>9s} {'± se':>6s} {'seconds':>8s}")
    for heading, cases in (("Gaussian groups", GAUSSIAN), ("others", OTHERS)):
        print(heading)
        rates = []
        for name, table, n_rows, n_components, covariance in cases:
            rate, seconds = rejected(table, n_rows, n_components, covariance, n_tables)
            error = np.sqrt(rate * (1.0 - rate) / n_tables)
            rates.append(rate)
            print(f"  {name:<34s} {n_rows:7,d} {rate:9.1%} {error:6.1%} {seconds:8.2f}", flush=True)
        print(f"  {'all':<34s} {'':7s} {np.mean(rates):9.1%}")


if __name__ == "__main__":
    main()
