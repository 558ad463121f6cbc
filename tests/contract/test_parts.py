"""Rows that the compiled kernel takes in parts, in one call: the bits of a call for each part, added up."""

import numpy as np
import pytest

from gaussmix import kernels
from gaussmix.data import blocks
from gaussmix.data.blocks import added_up
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import Expect
from gaussmix.kernels import native
from gaussmix.kernels.contract import Precision
from gaussmix.kernels.threads import compute_threads
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture, Noise
from gaussmix.model.statistics import SufficientStatistics

QUICK = 3000


def mixture_of(family, n_components, n_features, noise):
    generator = np.random.default_rng(n_components)
    covariances = family.from_matrices(np.stack([np.eye(n_features)] * n_components))
    weights = np.full(n_components, (0.9 if noise else 1.0) / n_components)
    means = generator.normal(size=(n_components, n_features))
    return Mixture(
        weights,
        means,
        covariances,
        family,
        Noise(0.1, np.full(n_features, -4.0), 8.0 * np.eye(n_features)) if noise else None,
    )


@pytest.fixture
def quick(monkeypatch):
    """Single precision from so few numbers on that parts of the tables below are taken in it."""
    monkeypatch.setattr(native, "QUICK_SIZE", QUICK)


def statistics_of(rows, weights, mixture, single):
    kind = mixture.family.scatter
    given = (rows, weights, mixture.components, kind)
    found = native.quick_sums(*given) if single else None
    if found is not None:
        return SufficientStatistics(found, mixture.means, kind, Precision.SINGLE)
    return SufficientStatistics(native.expected_sums(*given), mixture.means, kind)


# Parts that are summed in twice the digits, and too many rows for that; one part, and a last one of one row.
@pytest.mark.parametrize(
    ("n_rows", "part_rows"), [(1, 1), (700, 100), (6400, 1600), (12_001, 3000), (9000, 10_000)]
)
@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_parts_at_once_are_parts_added_up(quick, covariance_type, dtype, weighted, noise, n_rows, part_rows):
    generator = np.random.default_rng(n_rows)
    mixture = mixture_of(covariance_family(covariance_type), 4, 3, noise)
    rows = generator.normal(size=(n_rows, 3)).astype(dtype)
    weights = generator.uniform(0.5, 2.0, n_rows) if weighted else None
    for single in (False, True):
        parts = [slice(first, first + part_rows) for first in range(0, n_rows, part_rows)]
        expected = added_up(
            statistics_of(rows[part], None if weights is None else weights[part], mixture, single)
            for part in parts
        )
        for n_threads in (1, 2, 7):
            with compute_threads(n_threads):
                sums, any_quick = native.sums_in_parts(
                    rows, weights, mixture.components, mixture.family.scatter, part_rows, single
                )
            assert any_quick == (expected.precision is Precision.SINGLE)
            for found, one_by_one in zip(sums, expected.sums, strict=True):
                np.testing.assert_array_equal(found, one_by_one)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, ">f8"])
def test_rows_in_memory_are_what_their_blocks_add_up_to(monkeypatch, quick, dtype):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 4096)
    matrix = (3.0 * np.random.default_rng(0).normal(size=(20_001, 3))).astype(dtype)
    mixture = mixture_of(covariance_family("full"), 2, 3, False)
    rows = MemoryRows(matrix)
    for precision in Precision:
        found = rows.expected_statistics(mixture, precision)
        expected = added_up(map(Expect(mixture, precision), rows.blocks()))
        assert found.precision is expected.precision
        for one, other in zip(found.sums, expected.sums, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_kernel_is_called_once(monkeypatch):
    if kernels.sums_in_parts is not native.sums_in_parts:
        # The NumPy kernel has no threads to begin and end.
        assert kernels.sums_in_parts() is None
        return
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 4096)
    rows = MemoryRows(np.random.default_rng(0).normal(size=(20_001, 3)))
    calls = []
    sums = native._sums
    monkeypatch.setattr(native, "_sums", lambda *given, **named: calls.append(1) or sums(*given, **named))
    rows.expected_statistics(mixture_of(covariance_family("full"), 2, 3, False))
    assert len(calls) == 1
