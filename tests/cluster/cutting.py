"""What tests of rows on clusters share: rows cut into partitions, and fits that are compared."""

import uuid
from itertools import pairwise

import dask.array as da
import numpy as np
import pytest

from gaussmix.learning.settings import FitSettings

ODD = (701, 0, 1, 1333, 1965)
QUICK = FitSettings(3, "full", n_init=1)


def cut(matrix, heights=ODD):
    """A dask array of chunks of these heights, one of them empty, each of which is made by a task."""
    name, edges = f"cut-{uuid.uuid4().hex}", np.cumsum([0, *heights])
    flat = (0,) * (matrix.ndim - 1)
    graph = {(name, i, *flat): (np.array, matrix[a:b]) for i, (a, b) in enumerate(pairwise(edges))}
    return da.Array(graph, name, (heights, *((n,) for n in matrix.shape[1:])), dtype=matrix.dtype)


def assert_alike(one, other, relative=1e-10):
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=relative)
    for name in ("weights", "means", "covariances"):
        a, b = getattr(one.mixture, name), getattr(other.mixture, name)
        np.testing.assert_allclose(a, b, rtol=0.0, atol=relative * np.abs(b).max(), err_msg=name)
    assert one.n_iterations == other.n_iterations


def assert_same_bits(one, other):
    assert one.log_likelihood == other.log_likelihood
    for name in ("weights", "means", "covariances"):
        assert np.array_equal(getattr(one.mixture, name), getattr(other.mixture, name)), name
    assert one.history.objectives == other.history.objectives


def with_value(matrix, row, column, value):
    changed = matrix.copy()
    changed[row, column] = value
    return changed
