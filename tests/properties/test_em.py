"""What must hold for any rows: the objective rises, and the answer does not depend on accidents."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataError, FitError
from gaussmix.kernels import KERNEL_NAME, reference
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings
from gaussmix.model.covariances import FAMILIES
from gaussmix.model.mixture import Mixture

FAMILY_NAMES = [family.name for family in FAMILIES]

# Rows as people have them: a few hundred at most, of any scale, with ties.
tables = st.integers(0, 2**32 - 1).flatmap(
    lambda seed: st.tuples(st.just(seed), st.integers(6, 80), st.integers(1, 4), st.integers(0, 3))
)


def rows_of(recipe):
    seed, n_rows, n_features, decimals = recipe
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=4.0, size=(3, n_features))
    rows = centres[rng.integers(0, 3, n_rows)] + rng.normal(size=(n_rows, n_features))
    return np.round(rows, decimals) if decimals < 3 else rows


def fitted(rows, weights=None, **settings_):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return search(MemoryRows(rows, weights), FitSettings(**settings_), trace=True)


@settings(max_examples=400)
@given(
    tables,
    st.sampled_from(FAMILIES),
    st.integers(1, 4),
    st.sampled_from(["weak", "conjugate", "none"]),
    st.booleans(),
    st.booleans(),
)
def test_the_objective_never_falls(recipe, family, n_components, prior, noise, equal_weights):
    rows = rows_of(recipe)
    assume(len(np.unique(rows, axis=0)) >= n_components)
    try:
        result = fitted(
            rows,
            n_components=n_components,
            covariance_type=family.name,
            prior=prior,
            noise=noise,
            equal_weights=equal_weights,
            max_iter=300,
            # EM itself is looked at: a search's end would leave it little to do.
            n_init=1,
        )
    except (DataError, FitError):
        # Rows in a flat subspace have an answer under the weak prior, where variances along single
        # directions are free and no volume is asked for.
        assert prior != "weak" or noise or not family.free or np.ptp(rows, axis=0).max() == 0.0
        return
    gains = np.diff(result.history.objectives)
    slack = 1e-10 * (abs(result.objective) + len(rows) * result.mixture.conditioning * 1e-4)
    assert gains.size == 0 or gains.min() > -slack
    assert result.outcome.kind.value != "objective_fell"
    mixture = result.mixture
    for values in (mixture.weights, mixture.means, mixture.covariances, result.history.objectives):
        assert np.isfinite(values).all()
    share = 0.0 if mixture.noise is None else mixture.noise.weight
    assert mixture.weights.sum() + share == pytest.approx(1.0, rel=1e-12)
    assert not equal_weights or np.ptp(mixture.weights) < 1e-12


@settings(max_examples=25)
@given(tables, st.sampled_from(FAMILY_NAMES))
def test_the_order_of_rows_does_not_matter(recipe, covariance_type):
    rows = rows_of(recipe)
    assume(len(np.unique(rows, axis=0)) >= 2)
    shuffled = np.random.default_rng(recipe[0]).permutation(rows)
    one = fitted(rows, n_components=2, covariance_type=covariance_type)
    other = fitted(shuffled, n_components=2, covariance_type=covariance_type)
    np.testing.assert_allclose(other.mixture.means, one.mixture.means, atol=1e-4)
    assert other.objective == pytest.approx(one.objective, abs=1e-5 * len(rows))


@settings(max_examples=25)
@given(tables, st.sampled_from(FAMILY_NAMES), st.integers(0, 2**32 - 1))
def test_weights_are_copies(recipe, covariance_type, seed):
    rows = rows_of(recipe)
    weights = np.random.default_rng(seed).integers(0, 4, len(rows))
    assume(len(np.unique(rows[weights > 0], axis=0)) >= 3)
    one = fitted(rows, weights.astype(float), n_components=2, covariance_type=covariance_type)
    other = fitted(np.repeat(rows, weights, axis=0), n_components=2, covariance_type=covariance_type)
    np.testing.assert_allclose(other.mixture.means, one.mixture.means, atol=1e-4)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-5 * weights.sum())


@settings(max_examples=25)
@given(
    st.integers(0, 1000),
    st.sampled_from([1e2, -1e4, 1e6]),
    st.sampled_from([2.0**-30, 2.0**-3, 2.0**20]),
    st.sampled_from(FAMILY_NAMES),
)
def test_units_do_not_matter(seed, offset, scale, covariance_type):
    """Translation and change of scale move the mixture along and leave the grouping alone."""
    rows = rows_of((seed, 60, 2, 3))
    one = fitted(rows, n_components=3, covariance_type=covariance_type)
    other = fitted(rows * scale + offset, n_components=3, covariance_type=covariance_type)
    back = (other.mixture.means - offset) / scale
    spread = rows.std()
    # What rounding the shifted rows to doubles has taken away already.
    lost = 1e-3 + 1e4 * np.spacing(abs(offset)) / scale
    assume(lost < 0.1)
    np.testing.assert_allclose(back, one.mixture.means, atol=lost * spread)


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_full_covariance_is_affine_equivariant(seed):
    rows = rows_of((seed, 80, 3, 3))
    rng = np.random.default_rng(seed + 1)
    matrix = rng.normal(size=(3, 3)) + 2.0 * np.eye(3)
    assume(np.linalg.cond(matrix) < 50)
    moved = rows @ matrix * [1e-6, 1.0, 1e6] + [1.0, -5.0, 1e6]
    one = GaussianMixture(2).fit(rows)
    other = GaussianMixture(2).fit(moved)
    agreement = (one.labels_ == other.labels_).mean()
    assert max(agreement, 1.0 - agreement) > 0.97


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=st.floats(-100, 100)),
    st.sampled_from(FAMILIES),
    st.integers(1, 50),
)
def test_the_size_of_tiles_does_not_matter(rows, family, tile_size):
    n_features = rows.shape[1]
    covariances = family.from_matrices(np.stack([50.0 * np.eye(n_features)] * 2))
    mixture = Mixture([0.3, 0.7], np.array([[-10.0], [20.0]]) * np.ones(n_features), covariances, family)
    whole = reference.expected_sums(rows, None, mixture.components, family.scatter, len(rows))
    parts = reference.expected_sums(rows, None, mixture.components, family.scatter, tile_size)
    for found, expected in zip(parts, whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=40)
@given(tables, st.sampled_from(FAMILIES), st.lists(st.integers(0, 80), max_size=4), st.booleans())
def test_shards_merge_to_the_whole(recipe, family, cuts, weighted):
    rows = rows_of(recipe)
    n_rows, n_features = rows.shape
    weights = np.random.default_rng(recipe[0]).uniform(0.1, 3.0, n_rows) if weighted else np.ones(n_rows)
    covariances = family.from_matrices(np.stack([4.0 * np.eye(n_features)] * 2))
    mixture = Mixture([0.3, 0.7], np.array([[-2.0], [3.0]]) * np.ones(n_features), covariances, family)
    bounds = [0, *sorted({c for c in cuts if 0 < c < n_rows}), n_rows]
    shards = [
        MemoryRows(rows[a:b], weights[a:b]).expected_statistics(mixture)
        for a, b in itertools.pairwise(bounds)
    ]
    merged = shards[0]
    for shard in shards[1:]:
        merged = merged + shard
    whole = MemoryRows(rows, weights).expected_statistics(mixture)
    for found, expected in zip(merged.sums, whole.sums, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-9)


@settings(max_examples=30)
@given(tables, st.sampled_from(FAMILY_NAMES), st.booleans())
def test_the_last_likelihood_is_the_returned_mixtures(recipe, covariance_type, weighted):
    rows = rows_of(recipe)
    assume(len(np.unique(rows, axis=0)) >= 2)
    weights = np.random.default_rng(recipe[0]).uniform(0.5, 2.0, len(rows)) if weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GaussianMixture(2, covariance_type=covariance_type, max_iter=7).fit(
            rows, sample_weight=weights
        )
    assert model.score(rows, sample_weight=weights) == pytest.approx(model.lower_bound_, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@given(seed=st.integers(0, 2**16), n_features=st.integers(1, 4), n_components=st.integers(1, 4))
@settings(max_examples=10, deadline=None)
def test_small_fits_are_the_same_for_rows_in_any_order_and_as_weights(
    covariance_type, seed, n_features, n_components
):
    """To the last bit with the compiled kernel, which sums over few rows in twice the digits."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(80, n_features)) + 3.0 * rng.integers(0, 3, size=(80, 1))
    weights = rng.integers(0, 4, size=80)
    copies = rng.permutation(np.repeat(rows, weights, axis=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, other = (
            GaussianMixture(n_components, covariance_type=covariance_type, max_iter=30).fit(
                r, sample_weight=w
            )
            for r, w in ((rows, weights), (copies, None))
        )
    exact = KERNEL_NAME.startswith("native")
    for attribute in ("weights_", "means_", "covariances_", "lower_bound_"):
        found, expected = getattr(one, attribute), getattr(other, attribute)
        np.testing.assert_allclose(found, expected, rtol=0.0 if exact else 1e-5, atol=0.0 if exact else 1e-7)
