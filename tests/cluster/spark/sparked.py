"""What tests of rows in Spark share: frames of rows, and fits that are compared."""

from itertools import pairwise

import numpy as np
import pytest

from gaussmix.learning.settings import FitSettings

N_ROWS = 1500
PLAIN = ["a", "b", "c"]
ODD = (301, 0, 1199)
FITS = [
    FitSettings(3, "full", n_init=1),
    FitSettings(3, "tied", n_init=1),
    FitSettings(3, "diag", n_init=1, noise=True, max_iter=5),
    FitSettings(3, "spherical", n_init=1),
    FitSettings(3, "EVE", n_init=1, prior="conjugate"),
]


def framed(session, rows, weights=None, heights=None):
    """A DataFrame of the rows in their order, in partitions of these heights."""
    names = PLAIN[: rows.shape[1]] + ([] if weights is None else ["w"])
    kinds = ["float" if rows.dtype == np.float32 else "double"] * rows.shape[1] + ["double"]
    columns = rows.tolist() if weights is None else np.c_[rows, weights].tolist()
    edges = np.cumsum([0, *(heights or [len(rows)])])
    parts = [columns[a:b] for a, b in pairwise(edges)]
    # Of each part one element, so that each is a partition.
    spread = session.sparkContext.parallelize(parts, len(parts)).flatMap(list)
    schema = ", ".join(f"{name} {kind}" for name, kind in zip(names, kinds, strict=False))
    return session.createDataFrame(spread, schema)


def assert_alike(one, other, relative=1e-10):
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=relative)
    for name in ("weights", "means", "covariances"):
        a, b = getattr(one.mixture, name), getattr(other.mixture, name)
        np.testing.assert_allclose(a, b, rtol=relative, atol=relative * np.abs(b).max())


def assert_same_bits(one, other):
    assert one.history.objectives == other.history.objectives
    for name in ("weights", "means", "covariances"):
        np.testing.assert_array_equal(getattr(one.mixture, name), getattr(other.mixture, name))


def with_value(table, value):
    rows = table[0].copy()
    rows[700, 1] = value
    return rows
