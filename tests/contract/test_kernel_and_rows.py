"""Families x dtypes x weights x shapes: sums over tiles equal sums written out naively."""

import numpy as np
import pytest

from gaussmix.data.memory import MemoryRows
from gaussmix.kernels import reference
from gaussmix.kernels.contract import Components, FactorForm, ScatterKind
from gaussmix.model.covariances import FAMILIES
from gaussmix.model.mixture import Mixture

# A kernel sees a form of factors and a kind of scatter: these four have every pair that any family has.
SEEN_BY_KERNELS = FAMILIES[:4]


def mixture_of(family, n_components, n_features, offset=0.0):
    rng = np.random.default_rng(7)
    roots = rng.normal(size=(n_components, n_features, n_features))
    matrices = roots @ roots.transpose(0, 2, 1) + np.eye(n_features)
    weights = rng.dirichlet(np.full(n_components, 5.0))
    means = offset + rng.normal(size=(n_components, n_features))
    return Mixture(weights, means, family.from_matrices(matrices), family)


def naive(rows, weights, mixture, log_background=-np.inf):
    """The definitions, row by row, with K full outer products each; and each row's log density and shares."""
    rows = rows.astype(np.float64)
    matrices = mixture.matrices
    counts = np.zeros(mixture.n_components)
    squares = np.zeros(mixture.n_components)
    offsets = np.zeros(mixture.means.shape)
    scatter = np.zeros(matrices.shape)
    log_likelihood = 0.0
    log_densities, all_shares = [], []
    for row, weight in zip(rows, weights, strict=True):
        d = row - mixture.means
        distances = np.array([di @ np.linalg.solve(m, di) for di, m in zip(d, matrices, strict=True)])
        terms = (
            np.log(mixture.weights)
            - 0.5 * distances
            - 0.5 * np.array([np.linalg.slogdet(2 * np.pi * m)[1] for m in matrices])
        )
        log_density = np.logaddexp.reduce([*terms, log_background])
        shares = np.exp(terms - log_density)
        log_likelihood += weight * log_density
        counts += weight * shares
        squares += weight * shares**2
        offsets += weight * shares[:, None] * d
        scatter += weight * shares[:, None, None] * d[:, :, None] * d[:, None, :]
        log_densities.append(log_density)
        all_shares.append(shares)
    return log_likelihood, counts, squares, offsets, scatter, np.array(log_densities), np.array(all_shares)


REDUCE = {
    ScatterKind.FULL: lambda s: s,
    ScatterKind.POOLED: lambda s: s.sum(axis=0),
    ScatterKind.DIAGONAL: lambda s: np.diagonal(s, axis1=1, axis2=2),
    ScatterKind.TRACE: lambda s: np.trace(s, axis1=1, axis2=2),
}


@pytest.mark.parametrize("log_background", [-np.inf, -4.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, ">f8"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 1, 3), (50, 3, 1), (33, 4, 2), (5, 2, 9)])
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_sums_are_what_they_say(family, shape, dtype, weighted, log_background):
    n_rows, n_features, n_components = shape
    rng = np.random.default_rng(n_rows)
    rows = rng.normal(scale=2.0, size=(n_rows, n_features)).astype(dtype)
    weights = rng.integers(0, 4, n_rows).astype(float) + (np.arange(n_rows) == 0) if weighted else None
    mixture = mixture_of(family, n_components, n_features)
    expected = naive(rows, np.ones(n_rows) if weights is None else weights, mixture, log_background)
    components = mixture.components._replace(log_background=log_background)
    for tile_size in (None, 8):
        sums = reference.expected_sums(rows, weights, components, family.scatter, tile_size)
        assert sums.log_likelihood == pytest.approx(expected[0], rel=1e-11)
        np.testing.assert_allclose(sums.counts, expected[1], rtol=1e-10)
        np.testing.assert_allclose(sums.squared_counts, expected[2], rtol=1e-10)
        np.testing.assert_allclose(sums.offsets, expected[3], rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(sums.scatter, REDUCE[family.scatter](expected[4]), rtol=1e-9, atol=1e-11)
        assert sums.row_weight == (n_rows if weights is None else weights.sum())


@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_scores_beside_a_background_are_what_they_say(family):
    rows = np.random.default_rng(1).normal(scale=2.0, size=(60, 2))
    mixture = mixture_of(family, 3, 2)
    components = mixture.components._replace(log_background=-4.0)
    *_, log_densities, shares = naive(rows, np.ones(60), mixture, -4.0)
    likeliest = np.where(shares.sum(axis=1) + shares.max(axis=1) < 1.0, -1, shares.argmax(axis=1))
    assert {-1, 0, 1} <= set(likeliest)
    together = reference.scores(rows, components)
    for found in (reference.labels(rows, components), together.labels):
        assert found.dtype == np.int32
        assert np.array_equal(found, likeliest)
    for found in (reference.shares(rows, components), together.shares):
        np.testing.assert_allclose(found, shares, rtol=1e-11)
    for found in (reference.log_densities(rows, components), together.log_densities):
        np.testing.assert_allclose(found, log_densities, rtol=1e-12)
    assert np.array_equal(together.distances, mixture.squared_distances(rows))
    assert np.array_equal(
        reference.weighted_log_densities(rows, components), mixture.weighted_log_densities(rows)
    )


def test_a_component_as_likely_as_the_background_keeps_the_row():
    means, factors = np.zeros((2, 1)), np.ones(2)
    at_mean = -0.5 * reference.LOG_2PI
    for log_background, label in [
        (at_mean, 0),
        (np.nextafter(at_mean, 0), -1),
        (np.nextafter(at_mean, -9), 0),
    ]:
        both = Components(np.zeros(2), means, factors, np.zeros(2), FactorForm.ISOTROPIC, log_background)
        assert reference.labels(np.zeros((1, 1)), both).tolist() == [label]
        assert reference.scores(np.zeros((1, 1)), both).labels.tolist() == [label]


@pytest.mark.parametrize("kind", list(ScatterKind), ids=lambda k: k.value)
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_the_background_takes_rows_that_no_component_reaches(family, kind):
    components = mixture_of(family, 3, 2).components._replace(log_background=-700.0)
    rows = np.array([[1e3, 0.0], [1e200, -1e200], [1e308, 1e308]])
    found = reference.scores(rows, components)
    assert found.labels.tolist() == [-1] * 3
    assert found.log_densities.tolist() == [-700.0] * 3
    assert not found.shares.any()
    sums = reference.expected_sums(rows, None, components, kind)
    assert sums.log_likelihood == -2100.0
    assert sums.row_weight == 3.0
    assert not any(np.any(field) for field in sums[2:])


@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_shards_merge_to_the_whole(family):
    rows = np.random.default_rng(2).normal(size=(101, 3))
    mixture = mixture_of(family, 3, 3)
    whole = MemoryRows(rows).expected_statistics(mixture)
    shards = [MemoryRows(part).expected_statistics(mixture) for part in np.array_split(rows, 4)]
    merged = shards[0] + shards[1] + shards[2] + shards[3]
    for found, expected in zip(merged.sums, whole.sums, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_statistics_of_different_mixtures_do_not_add_up():
    rows = MemoryRows(np.random.default_rng(2).normal(size=(10, 2)))
    one = rows.expected_statistics(mixture_of(FAMILIES[0], 2, 2))
    other = rows.expected_statistics(mixture_of(FAMILIES[0], 2, 2, offset=1.0))
    with pytest.raises(ValueError, match="same mixture"):
        one + other


def test_float32_rows_are_accumulated_in_float64():
    """A million float32 rows: a float32 accumulator would be off by 1e-4 and more."""
    rows = (np.arange(1_000_000, dtype=np.float32) % 1000 + 0.5).reshape(-1, 1)
    mixture = Mixture([1.0], [[0.0]], [[[1e6]]], FAMILIES[0])
    sums = reference.expected_sums(rows, None, mixture.components, ScatterKind.FULL)
    exact = rows.astype(np.float64)
    assert sums.offsets[0, 0] == pytest.approx(exact.sum(), rel=1e-14)
    assert sums.scatter[0, 0, 0] == pytest.approx((exact**2).sum(), rel=1e-14)


def test_memory_does_not_grow_with_rows():
    """No N x K array, of 80 MB: the peak beyond the data is the same for ten times the rows."""
    import tracemalloc

    mixture = mixture_of(FAMILIES[0], 20, 2)
    peaks = []
    for n_rows in (50_000, 500_000):
        rows = np.random.default_rng(0).normal(size=(n_rows, 2))
        tracemalloc.start()
        reference.expected_sums(rows, None, mixture.components, ScatterKind.FULL)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # What threads of other tests ask for is counted too.
    assert peaks[1] < peaks[0] + 1e6 < 10e6


def test_far_rows_have_shares_and_not_nan():
    mixture = mixture_of(FAMILIES[0], 3, 2)
    _, shares, log_density, _ = mixture.scores(np.array([[1e200, -1e200], [1e100, 0.0]]))
    assert np.isfinite(shares).all()
    assert np.isfinite(log_density).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_zero_weight_rows_are_absent_even_from_the_summary():
    rows = MemoryRows(np.array([[0.0], [1.0], [1e9]]), [1.0, 1.0, 0.0])
    assert rows.summary.n_rows == 2
    assert rows.summary.high[0] == 1.0
    assert rows.summary.variances[0] == 0.25


def test_a_drawn_sample_follows_the_weights():
    rows = MemoryRows(np.arange(100_000.0)[:, None] % 2, np.where(np.arange(100_000) % 2, 3.0, 1.0))
    drawn, weights = rows.sample(10_000, np.random.default_rng(0))
    assert drawn.shape == (10_000, 1)
    assert weights.sum() == 10_000
    assert drawn.mean() == pytest.approx(0.75, abs=0.02)
