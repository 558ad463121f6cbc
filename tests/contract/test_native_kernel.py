"""The compiled kernel against the readable one: families x dtypes x shapes x weights, and threads."""

import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from gaussmix.errors import SettingsError
from gaussmix.kernels import _native, native, reference
from gaussmix.kernels.contract import Components, FactorForm, ScatterKind, Sums
from gaussmix.kernels.reference_exact import exact_sum
from gaussmix.model.covariances import FAMILIES
from gaussmix.model.mixture import Mixture

# Rows, features, components: one row, ragged last tiles, every width of a block, more components
# than a tile has rows; few rows, which are summed in twice the digits, and too many for that.
SHAPES = [
    (1, 1, 1),
    (7, 2, 3),
    (1000, 1, 3),
    (3001, 2, 5),
    (700, 3, 2),
    (700, 4, 2),
    (700, 5, 2),
    (700, 6, 2),
    (700, 7, 2),
    (700, 8, 2),
    (900, 10, 10),
    (500, 17, 3),
    (300, 33, 20),
    (60, 3, 600),
    (88_001, 1, 3),
    (13_201, 2, 5),
    (14_999, 3, 2),
    (8_299, 4, 2),
    (5_301, 5, 2),
    (3_701, 6, 2),
    (2_701, 7, 2),
    (2_101, 8, 2),
]


# Of these, some of each kind: one row, few rows, ragged tiles, factors in panels, more components than rows
# in a tile, and one row more than a whole tile.
BACKGROUND_SHAPES = [
    (1, 1, 1),
    (1000, 1, 3),
    (193, 9, 30),
    (500, 17, 3),
    (60, 3, 600),
    (10_001, 1, 3),
    (13_201, 2, 5),
    (3_701, 6, 2),
]

# A kernel sees a form of factors and a kind of scatter: these four have every pair that any family has.
SEEN_BY_KERNELS = FAMILIES[:4]


@pytest.fixture(params=_native.instruction_sets(), autouse=True)
def instruction_set(request):
    before = _native.instruction_set()
    assert _native.use_instruction_set(request.param)
    yield request.param
    _native.use_instruction_set(before)


def mixture_of(family, n_components, n_features, seed=0, offset=5.0):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(n_components, n_features, n_features))
    matrices = roots @ roots.transpose(0, 2, 1) / n_features + np.eye(n_features)
    weights = rng.dirichlet(np.full(n_components, 3.0))
    means = rng.normal(size=(n_components, n_features)) + offset
    return Mixture(weights, means, family.from_matrices(matrices), family)


def rows_and_weights(n_rows, n_features, weighted, seed=1):
    rng = np.random.default_rng(seed)
    rows = 2.0 * rng.normal(size=(n_rows, n_features)) + 5.0
    weights = rng.integers(0, 3, n_rows) + (np.arange(n_rows) == 0) if weighted else None
    return rows, None if weights is None else weights.astype(float)


def beside_a_background(components, rows):
    """Components with a background about as dense as they are at the middle one of the rows."""
    log_densities = reference.log_densities(rows[:1000].astype(float), components)
    return components._replace(log_background=float(np.median(log_densities)) - 0.1)


def assert_same(found, expected, rtol=1e-12):
    for name, a, b in zip(expected._fields, found, expected, strict=True):
        scale = np.max(np.abs(b)) + 1e-300
        np.testing.assert_allclose(np.asarray(a) / scale, np.asarray(b) / scale, atol=rtol, err_msg=name)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "layout", ["rows", "columns", "backwards", "every other", "float32", ">f8", "float16"]
)
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_the_kernels_agree(family, layout, weighted):
    for n_rows, n_features, n_components in SHAPES:
        mixture = mixture_of(family, n_components, n_features)
        rows, weights = rows_and_weights(n_rows, n_features, weighted)
        laid_out = {
            "rows": lambda r: r,
            "columns": np.asfortranarray,
            "backwards": lambda r: r[::-1, ::-1][::-1, ::-1],
            "every other": lambda r: np.repeat(np.repeat(r, 2, axis=0), 3, axis=1)[::2, ::3],
        }.get(layout, lambda r: r.astype(layout))(rows)
        arguments = (laid_out, weights, mixture.components, family.scatter)
        assert_same(native.expected_sums(*arguments), reference.expected_sums(*arguments))


@pytest.mark.parametrize("layout", ["rows", "columns", "float32", ">f8", "many"])
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_scores_agree(family, layout):
    for n_rows, n_features, n_components in [*SHAPES, (20_000, 3, 4)]:
        mixture = mixture_of(family, n_components, n_features)
        rows, _ = rows_and_weights(n_rows, n_features, False)
        if layout == "columns":
            rows = np.asfortranarray(rows)
        elif layout == "many":
            rows = np.concatenate([rows] * 3)
        elif layout != "rows":
            rows = rows.astype(layout)
        components = mixture.components
        shares = reference.shares(rows, components)
        np.testing.assert_allclose(native.shares(rows, components), shares, rtol=1e-9, atol=1e-14)
        expected = reference.log_densities(rows, components)
        np.testing.assert_allclose(native.log_densities(rows, components), expected, rtol=1e-12)
        labels = native.labels(rows, components)
        assert labels.dtype == np.int32
        # Where two components are equally likely to rounding, either label is right.
        best = shares[np.arange(len(rows)), labels]
        assert (best >= shares.max(axis=1) - 1e-12).all()
        assert_looks_agree(rows, components, labels)


def assert_looks_agree(rows, components, labels):
    found, expected = native.looks(rows, components), reference.looks(rows, components)
    assert np.array_equal(found.labels, labels)
    np.testing.assert_allclose(found.largest, expected.largest, rtol=1e-9)
    np.testing.assert_allclose(found.nearest, expected.nearest, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.fourths, expected.fourths, rtol=1e-8, atol=1e-12)


def test_looks_far_away_stay_finite():
    mixture = mixture_of(FAMILIES[0], 2, 2)
    for far in (1e60, 1e120):
        for kernel in (native, reference):
            found = kernel.looks(np.array([[far, 0.0], [0.0, 0.0]]), mixture.components)
            assert found.nearest[0] > 1e100
            assert found.fourths[0] == pytest.approx(1e200)
            assert np.isfinite(found.fourths).all()


@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_all_scores_at_once_agree(family):
    for n_rows, n_features, n_components in SHAPES:
        mixture = mixture_of(family, n_components, n_features)
        rows, _ = rows_and_weights(n_rows, n_features, False)
        found, expected = native.scores(rows, mixture.components), reference.scores(rows, mixture.components)
        np.testing.assert_allclose(found.distances, expected.distances, rtol=1e-10)
        np.testing.assert_allclose(found.shares, expected.shares, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(found.log_densities, expected.log_densities, rtol=1e-12)
        best = expected.shares[np.arange(n_rows), found.labels]
        assert (best >= expected.shares.max(axis=1) - 1e-12).all()


def test_an_emptied_component_has_distances_too():
    mixture = Mixture([1.0, 0.0], [[0.0], [5.0]], [1.0, 1.0], FAMILIES[3])
    assert native.scores(np.array([[1.0]]), mixture.components).distances.tolist() == [[1.0, 16.0]]


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("layout", ["rows", "columns", "float32", ">f8"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", list(ScatterKind), ids=lambda k: k.value)
def test_sums_with_given_responsibilities_agree(kind, weighted, layout, given):
    for n_rows, n_features, n_components in SHAPES:
        rows, weights = rows_and_weights(n_rows, n_features, weighted)
        rows = (
            np.asfortranarray(rows)
            if layout == "columns"
            else rows.astype(np.float64 if layout == "rows" else layout)
        )
        rng = np.random.default_rng(4)
        held = rng.dirichlet(np.ones(n_components), n_rows) if given else None
        centres = rng.normal(size=(n_components, n_features)) + 5.0
        arguments = (rows, weights, held, centres, kind)
        assert_same(native.given_sums(*arguments), reference.given_sums(*arguments))


def test_nearest_centres_agree():
    for n_rows, n_features, n_centres in SHAPES:
        rows, weights = rows_and_weights(n_rows, n_features, True)
        centres = np.random.default_rng(4).normal(size=(n_centres, n_features)) + 5.0
        found = native.nearest_centres(rows, weights, centres)
        expected = reference.nearest_centres(rows, weights, centres)
        np.testing.assert_allclose(found.distances, expected.distances, rtol=1e-12)
        assert np.array_equal(found.labels, expected.labels)
        np.testing.assert_allclose(found.counts, expected.counts, rtol=1e-12)
        scale = np.abs(expected.offsets).max()
        np.testing.assert_allclose(found.offsets / scale, expected.offsets / scale, atol=1e-12)


def test_of_equally_near_centres_the_first_is_taken():
    for kernel in (native, reference):
        found = kernel.nearest_centres(np.zeros((20, 1)), np.ones(20), np.array([[1.0], [-1.0], [1.0]]))
        assert not found.labels.any()


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_single_precision_is_right_to_six_digits(family, offset):
    """Wherever rows lie: they are taken about the middle of the means before anything is multiplied."""
    for n_rows, n_features, n_components in [(300_000, 1, 3), (70_000, 4, 3), (30_000, 10, 5), (8000, 33, 4)]:
        mixture = mixture_of(family, n_components, n_features, offset=5.0 + offset)
        rows, _ = rows_and_weights(n_rows, n_features, False)
        rows = (rows + offset).astype(np.float32)
        quick = native.quick_sums(rows, None, mixture.components, family.scatter)
        precise = native.expected_sums(rows, None, mixture.components, family.scatter)
        assert_same(quick, precise, rtol=3e-6)
        assert not np.array_equal(quick.scatter, precise.scatter)


def test_many_components_in_one_place_do_not_overflow():
    """Each row's total is then K, the most it can be, and logarithms are taken of products of totals."""
    n_components = 60
    rows = np.random.default_rng(0).normal(size=(300_000, 1)).astype(np.float32)
    many = Mixture(
        np.full(n_components, 1 / n_components),
        np.zeros((n_components, 1)),
        np.ones(n_components),
        FAMILIES[3],
    )
    one = Mixture([1.0], [[0.0]], [1.0], FAMILIES[3])
    expected = native.expected_sums(rows, None, one.components, ScatterKind.TRACE).log_likelihood
    for e_step, rtol in ((native.quick_sums, 1e-6), (native.expected_sums, 1e-12)):
        found = e_step(rows, None, many.components, ScatterKind.TRACE)
        assert found.log_likelihood == pytest.approx(expected, rel=rtol)


def test_single_precision_is_for_large_tables_of_floats_only():
    mixture = mixture_of(FAMILIES[0], 2, 3)
    for rows in (np.ones((100, 3), dtype=np.float32), np.ones((200_000, 3))):
        assert native.quick_sums(rows, None, mixture.components, ScatterKind.FULL) is None


@pytest.mark.parametrize("kernel", [native, reference], ids=["native", "reference"])
@pytest.mark.parametrize("log_background", [-np.inf, -5.0])
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_few_rows_have_the_same_sums_in_any_order_and_as_weights(kernel, family, log_background):
    """To the last bit: sums over few rows are taken in twice the digits."""
    rng = np.random.default_rng(0)
    for n_features in (1, 3, 12):
        mixture = mixture_of(family, 3, n_features)
        rows, weights = rows_and_weights(60, n_features, True)
        weights[:5] = [5.0, 3.0, 7.0, 0.0, 1.0]
        copies = rng.permutation(np.repeat(rows, weights.astype(int), axis=0))
        components = mixture.components._replace(log_background=log_background)
        one = kernel.expected_sums(rows, weights, components, family.scatter)
        other = kernel.expected_sums(copies, None, components, family.scatter)
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kernel", [native, reference], ids=["native", "reference"])
def test_a_row_of_weight_zero_may_lie_anywhere(kernel):
    rows, weights = rows_and_weights(60, 3, True)
    weights[-1], rows[-1] = 0.0, 1e200
    shares = np.random.default_rng(0).dirichlet(np.ones(2), 60)
    far = kernel.given_sums(rows, weights, shares, rows[:2], ScatterKind.FULL)
    without = kernel.given_sums(rows[:-1], weights[:-1], shares[:-1], rows[:2], ScatterKind.FULL)
    for found, expected in zip(far, without, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_exact_sums_in_numpy_are_those_of_exact_arithmetic():
    rng = np.random.default_rng(3)
    values, weights = rng.normal(size=(101, 4)) * 10.0 ** rng.integers(-8, 8, (101, 4)), rng.random(101)
    values[-2:] = values[:2] * [[-1.0], [1.0]]
    weights[-2] = weights[0]
    exact = [
        sum(Fraction(w) * Fraction(v) for w, v in zip(weights, column, strict=True)) for column in values.T
    ]
    np.testing.assert_array_equal(exact_sum(values, weights), [float(total) for total in exact])


def test_far_rows_have_scores():
    mixture = mixture_of(FAMILIES[0], 3, 10)
    rows = np.zeros((3, 10))
    rows[0], rows[1] = 1e200, np.where(np.arange(10) % 2, 1e308, -1e308)
    assert np.isfinite(native.log_densities(rows, mixture.components)).all()
    np.testing.assert_allclose(native.shares(rows, mixture.components).sum(axis=1), 1.0)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_the_number_of_threads_does_not_change_a_bit(family, background, monkeypatch):
    for n_rows, n_features, n_components in [(20_000, 3, 4), (3000, 20, 5), (100_000, 1, 2)]:
        mixture = mixture_of(family, n_components, n_features)
        rows, _ = rows_and_weights(n_rows, n_features, False)
        components = mixture.components
        if background:
            components = beside_a_background(components, rows)
        found = []
        for threads in (1, 2, 4, 7):
            monkeypatch.setenv("GAUSSMIX_NUM_THREADS", str(threads))
            sums = native.expected_sums(rows, None, components, family.scatter)
            found.append([*sums, *native.scores(rows, components)])
        for other in found[1:]:
            assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


# Each row so many times, so that plain sums are taken and not those for few rows.
COPIES = 1300


@pytest.mark.parametrize("copies", [1, COPIES])
@pytest.mark.parametrize("offset", [0.0, 1e2, 1e4, 1e8])
@pytest.mark.parametrize("condition", [1e0, 1e4, 1e8, 1e12])
@pytest.mark.parametrize("family", FAMILIES[:2], ids=lambda f: f.name)
def test_against_50_digits_far_out_and_ill_conditioned(family, condition, offset, copies):
    """Log-likelihood and moments of a tight, tilted component beside a wide one."""
    rng = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    tight = rotation @ np.diag([1.0, condition**-0.5, 1.0 / condition]) @ rotation.T
    covariances = family.from_matrices(np.stack([0.5 * (tight + tight.T)] * 2))
    means = offset + np.array([[0.0, 0.0, 0.0], [3.0, 1.0, -2.0]])
    mixture = Mixture([0.4, 0.6], means, covariances, family)
    rows = offset + rng.normal(size=(12, 3)) @ np.linalg.cholesky(tight).T
    found = native.expected_sums(np.tile(rows, (copies, 1)), None, mixture.components, family.scatter)
    exact = exact_sums(rows, mixture)
    distance = 20.0 + 14.0 * condition
    assert found.log_likelihood / copies == pytest.approx(
        exact.log_likelihood, rel=1e-14, abs=1e-14 * condition**0.5 * distance
    )
    np.testing.assert_allclose(found.counts / copies, exact.counts, rtol=1e-13 * condition, atol=1e-14)
    np.testing.assert_allclose(
        found.offsets[0] / copies, exact.offsets[0], rtol=1e-12 * condition, atol=1e-13
    )


@pytest.mark.parametrize("log_background", [-np.inf, -5.0])
@pytest.mark.parametrize("offset", [0.0, 1e2, 1e8])
@pytest.mark.parametrize("apart", [1.0, 20.0, 60.0, 1e3, 1e6])
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_against_50_digits_on_both_sides_of_the_gate(family, apart, offset, log_background):
    """Sums about a common centre lose at most a factor of the gate, and beyond it are not taken."""
    rng = np.random.default_rng(5)
    means = np.round(offset + np.array([[0.0, 0.0, 0.0], [apart, -apart, apart]]), 3)
    matrices = np.array([np.diag([1.0, 2.0, 0.5]), np.diag([0.7, 1.0, 2.0])])
    mixture = Mixture([0.5, 0.5], means, family.from_matrices(matrices), family)
    rows = np.r_[means[0] + rng.normal(size=(6, 3)), means[1] + rng.normal(size=(6, 3))]
    components = mixture.components._replace(log_background=log_background)
    found = native.expected_sums(np.tile(rows, (COPIES, 1)), None, components, family.scatter)
    exact = exact_sums(rows, mixture, log_background)
    # What rows and means themselves are rounded to, far from the origin.
    rounding = 1e-15 * offset
    assert found.log_likelihood / COPIES == pytest.approx(exact.log_likelihood, rel=3e-14 + 10 * rounding)
    np.testing.assert_allclose(found.counts / COPIES, exact.counts, rtol=1e-13 + 10 * rounding)
    np.testing.assert_allclose(found.offsets / COPIES, exact.offsets, atol=1e-12)
    np.testing.assert_allclose(found.scatter / COPIES, exact.scatter, rtol=1e-11, atol=1e-11)


def exact_sums(rows, mixture, log_background=-np.inf):
    """The definition in 50 digits."""
    n_components, n_features = mixture.means.shape
    scatter = np.full((n_components, n_features, n_features), mpmath.mpf(0))
    counts, offsets = np.full(n_components, mpmath.mpf(0)), np.full((n_components, n_features), mpmath.mpf(0))
    log_likelihood = mpmath.mpf(0)
    with mpmath.workdps(50):
        parts = []
        for matrix in mixture.matrices:
            exact = mpmath.matrix(matrix.tolist())
            parts.append((exact**-1, mpmath.sqrt((2 * mpmath.pi) ** 3 * mpmath.det(exact))))
        for row in rows:
            centred = [
                [mpmath.mpf(x) - mpmath.mpf(m) for x, m in zip(row, mean, strict=True)]
                for mean in mixture.means
            ]
            terms = []
            for weight, c, (inverse, root) in zip(mixture.weights, centred, parts, strict=True):
                d = mpmath.matrix(c)
                terms.append(mpmath.mpf(weight) * mpmath.exp(-(d.T * inverse * d)[0] / 2) / root)
            total = sum(terms) + mpmath.exp(log_background)
            log_likelihood += mpmath.log(total)
            for k, (term, c) in enumerate(zip(terms, centred, strict=True)):
                share = term / total
                counts[k] += share
                for i in range(n_features):
                    offsets[k, i] += share * c[i]
                    for j in range(n_features):
                        scatter[k, i, j] += share * c[i] * c[j]
        reduced = {
            ScatterKind.FULL: scatter,
            ScatterKind.POOLED: scatter.sum(axis=0),
            ScatterKind.DIAGONAL: scatter[:, range(n_features), range(n_features)],
            ScatterKind.TRACE: scatter[:, range(n_features), range(n_features)].sum(axis=1),
        }[mixture.family.scatter]
    return Sums(
        float(log_likelihood),
        float(len(rows)),
        counts.astype(float),
        counts.astype(float),
        offsets.astype(float),
        reduced.astype(float),
    )


def test_tied_components_far_apart_keep_their_digits():
    """Beyond the gate the pooled scatter is taken about each mean, not by way of the total scatter."""
    rows = np.random.default_rng(0).normal(size=(400, 2))
    rows[200:] += 1e7
    mixture = Mixture([0.5, 0.5], [[0.0, 0.0], [1e7, 1e7]], np.eye(2), FAMILIES[1])
    arguments = (rows, None, mixture.components, ScatterKind.POOLED)
    assert_same(native.expected_sums(*arguments), reference.expected_sums(*arguments), rtol=1e-13)


def test_rows_out_of_all_proportion_stay_finite():
    mixture = mixture_of(FAMILIES[0], 3, 10)
    rows = np.zeros((5, 10))
    rows[0], rows[1] = 1e200, np.where(np.arange(10) % 2, 1e308, -1e308)
    sums = native.expected_sums(rows, None, mixture.components, ScatterKind.FULL)
    assert np.isfinite(sums.log_likelihood)
    assert sums.counts.sum() == pytest.approx(5.0)


def test_an_emptied_component_gets_nothing():
    mixture = Mixture([1.0, 0.0], [[0.0], [5.0]], [1.0, 1.0], FAMILIES[3])
    sums = native.expected_sums(np.ones((100, 1)), None, mixture.components, ScatterKind.TRACE)
    assert sums.counts.tolist() == [100.0, 0.0]
    assert sums.offsets[1, 0] == 0.0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", ">f8"])
@pytest.mark.parametrize("kind", list(ScatterKind), ids=lambda k: k.value)
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_the_kernels_agree_on_a_background(family, kind, dtype, weighted):
    """For every form of factors and every kind of scatter, means near one another and far apart."""
    for n_rows, n_features, n_components in BACKGROUND_SHAPES:
        for apart in (1.0, 100.0):
            mixture = mixture_of(family, n_components, n_features)
            rows, weights = rows_and_weights(n_rows, n_features, weighted)
            means = mixture.means * apart
            rows = (rows + (means - mixture.means)[np.arange(n_rows) % n_components]).astype(dtype)
            components = beside_a_background(mixture.components._replace(means=means), rows)
            arguments = (rows, weights, components, kind)
            expected = reference.expected_sums(*arguments)
            assert_same(native.expected_sums(*arguments), expected)
            assert 0.1 * expected.row_weight < expected.counts.sum() < 0.9 * expected.row_weight


@pytest.mark.parametrize("layout", ["rows", "columns", "float32", ">f8"])
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_scores_agree_on_a_background(family, layout):
    seen = set()
    for n_rows, n_features, n_components in BACKGROUND_SHAPES:
        mixture = mixture_of(family, n_components, n_features)
        rows, _ = rows_and_weights(n_rows, n_features, False)
        rows = np.asfortranarray(rows) if layout == "columns" else rows
        rows = rows.astype({"rows": "f8", "columns": "f8"}.get(layout, layout))
        components = beside_a_background(mixture.components, rows)
        expected = reference.scores(rows, components)
        together = native.scores(rows, components)
        for found in (together.shares, native.shares(rows, components)):
            np.testing.assert_allclose(found, expected.shares, rtol=1e-9, atol=1e-14)
        for found in (together.log_densities, native.log_densities(rows, components)):
            np.testing.assert_allclose(found, expected.log_densities, rtol=1e-12)
        assert np.array_equal(together.distances, native.scores(rows, mixture.components).distances)
        assert np.array_equal(together.labels, native.labels(rows, components))
        assert_looks_agree(rows, components, together.labels)
        # Shares of the background first, so that label -1 is theirs. To rounding either of equals is right.
        all_shares = np.c_[1.0 - expected.shares.sum(axis=1), expected.shares]
        best = all_shares[np.arange(n_rows), together.labels + 1]
        assert (best >= all_shares.max(axis=1) - 1e-12).all()
        seen |= set(together.labels)
    assert {-1, 0, 1, 2} <= seen


@pytest.mark.parametrize("apart", [1.0, 100.0])
@pytest.mark.parametrize("kind", list(ScatterKind), ids=lambda k: k.value)
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_single_precision_beside_a_background_is_right_to_six_digits(family, kind, apart):
    for n_rows, n_features, n_components in [(262_147, 1, 3), (70_000, 4, 3), (8000, 33, 4)]:
        mixture = mixture_of(family, n_components, n_features, offset=0.0)
        rows, weights = rows_and_weights(n_rows, n_features, n_features == 4)
        means = mixture.means * apart
        rows = (rows - 5.0 + (means - mixture.means)[np.arange(n_rows) % n_components]).astype(np.float32)
        components = beside_a_background(mixture.components._replace(means=means), rows)
        quick = native.quick_sums(rows, weights, components, kind)
        precise = native.expected_sums(rows, weights, components, kind)
        # A distance of `apart` standard deviations costs a float so many of its digits.
        assert_same(quick, precise, rtol=3e-6 * apart)
        assert 0.1 * quick.row_weight < quick.counts.sum() < 0.9 * quick.row_weight


@pytest.mark.parametrize("n_components", [1, 2])
def test_a_label_is_the_background_only_where_it_is_likelier(n_components):
    rows = np.zeros((9, 1))
    zeros = np.zeros(n_components)
    components = Components(zeros, zeros[:, None], zeros + 1.0, zeros, FactorForm.ISOTROPIC)
    emptied = components._replace(log_weights=np.log(np.eye(n_components)[0] + 1e-300))
    at_mean = native.log_densities(rows[:1], emptied)[0]
    for log_background, label in [
        (at_mean, 0),
        (np.nextafter(at_mean, 0), -1),
        (np.nextafter(at_mean, -9), 0),
    ]:
        beside = components._replace(log_background=log_background)
        assert native.labels(rows, beside).tolist() == [label] * 9
        assert native.scores(rows, beside).labels.tolist() == [label] * 9


@pytest.mark.parametrize("n_components", [1, 6, 60])
def test_a_background_as_likely_as_many_components_does_not_overflow(n_components):
    """Each row's total is then K + 1, the most it can be."""
    rows = np.zeros((300_000, 1), dtype=np.float32)
    zeros, at_mean = np.zeros(n_components), -0.5 * reference.LOG_2PI
    components = Components(zeros, zeros[:, None], zeros + 1.0, zeros, FactorForm.ISOTROPIC, at_mean)
    expected = len(rows) * (at_mean + np.log(n_components + 1.0))
    for e_step, rtol in ((native.quick_sums, 1e-5), (native.expected_sums, 1e-12)):
        found = e_step(rows, None, components, ScatterKind.TRACE)
        assert found.log_likelihood == pytest.approx(expected, rel=rtol)
        np.testing.assert_allclose(found.counts, len(rows) / (n_components + 1.0), rtol=rtol)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", list(ScatterKind), ids=lambda k: k.value)
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_the_background_takes_rows_that_no_component_reaches(family, kind, weighted):
    """They count for nothing, wherever they lie: the sums are those of the other rows."""
    for n_rows in (40, 150_001):
        mixture = mixture_of(family, 3, 2)
        components = mixture.components._replace(log_background=-20.0)
        rows, weights = rows_and_weights(n_rows, 2, weighted)
        for dtype, distances in ((np.float64, [1e3, 1e160, 1e308]), (np.float32, [1e3, 1e25, 3e38])):
            far = np.arange(n_rows) % 3 == 1
            mixed = rows.astype(dtype)
            mixed[far, 0] = np.array(distances, dtype=dtype)[np.arange(far.sum()) % 3]
            mixed[far, 1] = -mixed[far, 0]
            near_weights = None if weights is None else weights[~far]
            expected = reference.expected_sums(mixed[~far], near_weights, components, kind)
            lost = float(far.sum() if weights is None else weights[far].sum())
            for e_step, rtol in ((native.expected_sums, 1e-12), (native.quick_sums, 3e-6)):
                found = e_step(mixed, weights, components, kind)
                if found is None:
                    continue
                without = found._replace(
                    log_likelihood=found.log_likelihood + 20.0 * lost, row_weight=found.row_weight - lost
                )
                assert_same(without, expected, rtol=rtol)
            scores = native.scores(mixed[far], components)
            assert (scores.labels == -1).all()
            assert not scores.shares.any()
            assert (scores.log_densities == -20.0).all()
            assert np.array_equal(scores.log_densities, native.log_densities(mixed[far], components))


@pytest.mark.parametrize("kind", list(ScatterKind), ids=lambda k: k.value)
@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_emptied_components_beside_a_background(family, kind):
    """One of them, and then all: everything is background, and nothing is NaN."""
    rows, _ = rows_and_weights(150_001, 2, False)
    rows = rows.astype(np.float32)
    mixture = mixture_of(family, 3, 2)
    log_weights = np.array([-np.inf, -1.0, -1.0])
    components = mixture.components._replace(log_weights=log_weights, log_background=-4.0)
    expected = reference.expected_sums(rows, None, components, kind)
    assert_same(native.expected_sums(rows, None, components, kind), expected)
    assert_same(native.quick_sums(rows, None, components, kind), expected, rtol=3e-6)
    components = components._replace(log_weights=np.full(3, -np.inf))
    for n_rows, e_step in (
        (10, native.expected_sums),
        (150_001, native.expected_sums),
        (150_001, native.quick_sums),
    ):
        found = e_step(rows[:n_rows], None, components, kind)
        assert found.log_likelihood == -4.0 * n_rows
        assert found.row_weight == n_rows
        assert not any(np.any(field) for field in found[2:])
    scores = native.scores(rows, components)
    assert (scores.labels == -1).all()
    assert (scores.log_densities == -4.0).all()
    assert not scores.shares.any()


@pytest.mark.parametrize("family", SEEN_BY_KERNELS, ids=lambda f: f.name)
def test_a_background_of_almost_nothing_changes_almost_nothing(family):
    """And none, said or not, is the same to the last bit."""
    rows, weights = rows_and_weights(13_201, 2, True)
    components = mixture_of(family, 5, 2).components
    none = native.expected_sums(rows, weights, components, family.scatter)
    said = components._replace(log_background=-np.inf)
    for a, b in zip(native.expected_sums(rows, weights, said, family.scatter), none, strict=True):
        assert np.array_equal(a, b)
    little = components._replace(log_background=-1e3)
    assert_same(native.expected_sums(rows, weights, little, family.scatter), none, rtol=1e-14)


@pytest.mark.parametrize("log_background", [np.nan, np.inf])
def test_a_background_must_have_a_density(log_background):
    components = mixture_of(FAMILIES[0], 2, 3).components._replace(log_background=log_background)
    for rows in (np.ones((5, 3)), np.ones((5, 3), dtype=np.float32)):
        with pytest.raises(ValueError, match="background"):
            native.expected_sums(rows, None, components, ScatterKind.FULL)
        with pytest.raises(ValueError, match="background"):
            native.labels(rows, components)


def test_exp_and_log_are_right_to_the_last_bits():
    """Through responsibilities of pairs of distances, and through the log-likelihood."""
    for gap in [0.0, 1e-12, 1e-3, 0.3, 1.0, 5.0, 40.0, 700.0]:
        mixture = Mixture([0.5, 0.5], [[0.0], [np.sqrt(2.0 * gap)]], [1.0, 1.0], FAMILIES[3])
        sums = native.expected_sums(np.zeros((1, 1)), None, mixture.components, ScatterKind.TRACE)
        distance = mixture.squared_distances(np.zeros((1, 1)))[0, 1]
        share = 1.0 / (1.0 + np.exp(distance / 2))
        assert sums.counts[1] == pytest.approx(share, rel=4e-16 * (1.0 + distance))
        exact = -0.5 * np.log(2 * np.pi) + np.log(0.5) + np.log1p(np.exp(-distance / 2))
        assert sums.log_likelihood == pytest.approx(exact, rel=1e-15)


def test_wrong_sizes_are_refused():
    mixture = mixture_of(FAMILIES[0], 2, 3)
    with pytest.raises(ValueError, match="do not fit"):
        native.expected_sums(np.ones((5, 4)), None, mixture.components, ScatterKind.FULL)
    with pytest.raises(ValueError, match="one weight a row"):
        native.expected_sums(np.ones((5, 3)), np.ones(4), mixture.components, ScatterKind.FULL)


@pytest.mark.parametrize("asked", ["many", "0", "-1", "²", "1.5", ""])
def test_the_number_of_threads_must_be_a_number(monkeypatch, asked):
    monkeypatch.setenv("GAUSSMIX_NUM_THREADS", asked)
    mixture = mixture_of(FAMILIES[0], 2, 3)
    with pytest.raises(SettingsError, match="GAUSSMIX_NUM_THREADS"):
        native.expected_sums(np.ones((5, 3)), None, mixture.components, ScatterKind.FULL)


def test_other_python_threads_run_meanwhile():
    mixture = mixture_of(FAMILIES[0], 20, 20)
    rows, _ = rows_and_weights(100_000, 20, False)
    ticks = []
    stop = threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    native.expected_sums(rows, None, mixture.components, ScatterKind.FULL)
    stop.set()
    ticker.join()
    assert len(ticks) > 5


def test_an_interrupt_is_answered_within_a_second():
    code = (
        "import numpy as np, sys\n"
        "from gaussmix.kernels import native\n"
        "from gaussmix.kernels.contract import Components, FactorForm, ScatterKind\n"
        "k, d = 64, 64\n"
        "factors = np.stack([np.eye(d)] * k)\n"
        "c = Components(np.zeros(k), np.zeros((k, d)), factors, np.zeros(k), FactorForm.FULL)\n"
        "rows = np.broadcast_to(np.zeros(d), (50_000_000, d))\n"
        "print('ready', flush=True)\n"
        "native.expected_sums(rows, None, c, ScatterKind.FULL)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 2.0
    assert b"KeyboardInterrupt" in errors


def test_the_kernel_can_be_chosen():
    code = "from gaussmix.kernels import KERNEL_NAME; print(KERNEL_NAME)"
    environment = {**os.environ, "GAUSSMIX_KERNEL": "reference"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "reference (NumPy)"


@pytest.mark.parametrize("n_rows", [1, 1000, 40_000])
@pytest.mark.parametrize("n_features", [1, 3, 17])
def test_rows_are_put_in_place_alike(n_rows, n_features):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n_rows, n_features))
    mean, root = rng.normal(size=n_features), np.triu(rng.normal(size=(n_features, n_features)))
    found, expected = rows.copy(), rows.copy()
    native.place_rows(found, mean, root)
    reference.place_rows(expected, mean, root)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
