"""Noise is found where it is, not where it is not, and accidents of the data change nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import expit, logsumexp, softmax

from gaussmix.errors import SettingsError
from gaussmix.learning import cleaning
from gaussmix.learning.cleaning import noise_probabilities

recipes = st.tuples(st.integers(0, 2**32 - 1), st.integers(10, 150), st.integers(1, 4), st.integers(0, 3))


def groups(rng, n_points, n_features, spread=1.0):
    """Two Gaussian groups, 10 apart."""
    centres = np.zeros((2, n_features))
    centres[1, 0] = 10.0
    return centres[rng.integers(0, 2, n_points)] + spread * rng.normal(size=(n_points, n_features))


def cluttered(rng, n_points, n_features, spread=0.3):
    """The groups, then a third as many points all over a box around them."""
    clutter = rng.uniform(-10.0, 10.0, size=(n_points // 4, n_features))
    clutter[:, 0] += 5.0
    return np.r_[groups(rng, n_points - len(clutter), n_features, spread), clutter]


def points_of(recipe):
    """Any points: with clutter or not, often with ties."""
    seed, n_points, n_features, decimals = recipe
    rng = np.random.default_rng(seed)
    make = cluttered if seed % 2 else groups
    points = make(rng, n_points, n_features)
    return np.round(points, decimals) if decimals < 3 else points


def probabilities(points, weights=None, **settings_):
    found = noise_probabilities(points, np.ones(len(points)) if weights is None else weights, **settings_)
    assert found.shape == (len(points),)
    assert np.isfinite(found).all()
    assert found.min() >= 0.0
    assert found.max() <= 1.0 + 1e-12
    return found


def rates(points, n_clutter, **settings_):
    """Shares called noise: of the clutter, and of the groups."""
    noise = probabilities(points, **settings_) > 0.5
    return noise[-n_clutter:].mean(), noise[:-n_clutter].mean()


# Clutter that falls inside a group cannot be told from it, and the groups' outermost points are
# as thin as clutter; both matter less the more dimensions there are.
@pytest.mark.parametrize(
    ("n_points", "n_features", "spread", "least_found", "most_lost"),
    [
        (1000, 1, 0.1, 0.90, 0.08),
        (40, 2, 0.3, 0.90, 0.05),
        (200, 2, 0.3, 0.95, 0.03),
        (2000, 2, 0.3, 0.97, 0.06),
        (2000, 2, 1.0, 0.85, 0.12),
        (200, 10, 0.3, 1.0, 0.01),
        (2000, 10, 1.0, 0.99, 0.02),
        (1000, 50, 1.0, 0.99, 0.02),
    ],
)
def test_clutter_is_found_and_groups_are_kept(n_points, n_features, spread, least_found, most_lost):
    points = cluttered(np.random.default_rng(0), n_points, n_features, spread)
    found, lost = rates(points, n_points // 4)
    assert found >= least_found
    assert lost <= most_lost


@pytest.mark.parametrize("n_neighbours", [3, 10, 30])
def test_the_number_of_neighbours_matters_little(n_neighbours):
    points = cluttered(np.random.default_rng(0), 1000, 2)
    found, lost = rates(points, 250, n_neighbours=n_neighbours)
    assert found >= 0.97
    assert lost <= 0.06


@pytest.mark.parametrize("n_points", [50, 300, 2000])
@pytest.mark.parametrize("n_features", [1, 2, 10, 50])
def test_without_clutter_nobody_is_noise(n_points, n_features):
    """Gaussian groups thin out towards their edges, which alone must not count."""
    points = groups(np.random.default_rng(1), n_points, n_features)
    assert (probabilities(points) == 0.0).all()


def test_even_density_has_no_noise():
    assert (probabilities(np.random.default_rng(0).uniform(size=(1000, 2))) == 0.0).all()


def test_mixed_poisson_processes_are_told_apart_as_their_intensities_say():
    """Where the model holds, probabilities are calibrated: they add up to the number of noise points."""
    rng = np.random.default_rng(5)
    # Two strips of even intensity 1 and 40, so long that hardly a ball reaches over an edge.
    points = np.sort(np.r_[rng.uniform(0.0, 3000.0, 3000), rng.uniform(3000.0, 3100.0, 4000)])[:, None]
    found = probabilities(points)
    assert found.sum() == pytest.approx(3000.0, rel=0.01)
    assert ((found > 0.5) == (points[:, 0] < 3000.0)).mean() > 0.995


def test_the_mixture_is_the_likeliest():
    """Against a general optimiser, where the two populations overlap."""
    rng, k = np.random.default_rng(0), 4
    log_volumes = np.sort(np.log(np.r_[rng.gamma(k, size=300), rng.gamma(k, scale=3.0, size=100)]))
    counts = rng.integers(1, 4, 400).astype(float)

    def log_joint(parameters):
        expected = log_volumes[:, None] + parameters[:2]
        shares = np.array([expit(-parameters[2]), expit(parameters[2])])
        return np.log(shares) + k * expected - np.exp(expected)

    def loss(parameters):
        return -(counts @ logsumexp(log_joint(parameters), axis=1)) / counts.sum()

    best = minimize(loss, [0.0, -1.0, -1.0], method="BFGS", options={"gtol": 1e-7}).x
    expected = softmax(log_joint(best), axis=1)[:, 1]
    np.testing.assert_allclose(cleaning._fitted(log_volumes, counts, k, 0.0), expected, atol=2e-3)


@given(st.lists(st.tuples(st.floats(-50.0, 50.0), st.floats(0.1, 9.0)), min_size=2, max_size=12))
def test_the_first_split_is_the_best_in_two(pairs):
    values, counts = np.array(sorted(pairs)).T

    def within(part):
        mean = np.average(values[part], weights=counts[part])
        return counts[part] @ (values[part] - mean) ** 2

    costs = [within(slice(0, i)) + within(slice(i, None)) for i in range(1, len(values))]
    chosen = cleaning._split(values, counts)
    assert costs[chosen - 1] <= min(costs) + 1e-8 * (1.0 + values @ values)


@settings(max_examples=60)
@given(recipes, st.floats(-60.0, 60.0))
def test_units_do_not_matter(recipe, power):
    points = points_of(recipe)
    np.testing.assert_allclose(probabilities(points * 10.0**power), probabilities(points), atol=1e-6)


@settings(max_examples=60)
@given(recipes, st.sampled_from([0.9, 3.0]), st.randoms(use_true_random=False))
def test_order_does_not_matter_to_the_last_bit(recipe, heaviest, random):
    points = points_of(recipe)
    weights = np.random.default_rng(recipe[0]).uniform(0.2, heaviest, len(points))
    order = np.array(random.sample(range(len(points)), len(points)))
    found = probabilities(points[order], weights[order], n_neighbours=4)
    np.testing.assert_array_equal(found, probabilities(points, weights, n_neighbours=4)[order])


@settings(max_examples=60)
@given(recipes)
def test_weights_are_copies(recipe):
    points = np.unique(points_of(recipe), axis=0)
    weights = np.random.default_rng(recipe[0]).integers(1, 4, len(points))
    copies = probabilities(np.repeat(points, weights, axis=0))
    weighted = probabilities(points, weights.astype(float))
    np.testing.assert_array_equal(np.repeat(weighted, weights), copies)


def test_small_weights_on_all_rows_are_only_a_unit():
    points = cluttered(np.random.default_rng(0), 400, 2)
    shares = np.full(400, 1.0 / 400.0)
    np.testing.assert_allclose(probabilities(points, shares), probabilities(points), atol=1e-6)
    assert probabilities(points, shares).max() > 0.99


@pytest.mark.parametrize("heavy", [0.0, 2.0])
def test_neighbours_are_counted_by_weight(heavy, monkeypatch):
    """Against all pairs, with weights so uneven that some points need many neighbours, in small blocks."""
    monkeypatch.setattr(cleaning, "BLOCK_ANSWERS", 64)
    rng = np.random.default_rng(2)
    points, counts = rng.normal(size=(120, 3)), np.exp(rng.normal(scale=heavy, size=120))
    pairs = cdist(points, points)
    for k in (1, 5, 20):
        order = np.argsort(pairs, axis=1, kind="stable")
        enough = np.cumsum(counts[order], axis=1) >= (k + 1) * (1.0 - 1e-9)
        expected = np.take_along_axis(pairs, order, axis=1)[np.arange(120), enough.argmax(axis=1)]
        np.testing.assert_allclose(cleaning._neighbour_distances(points, counts, k), expected, rtol=1e-12)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_many_rows_in_one_place_do_not_make_noise_of_the_rest(share):
    points = groups(np.random.default_rng(3), 500, 2)
    points[: int(500 * share)] = points[0]
    assert (probabilities(points) > 0.5).mean() < 0.01


def test_clutter_is_found_beside_rows_in_one_place():
    points = cluttered(np.random.default_rng(0), 1000, 2)
    points[:200] = points[0]
    found, lost = rates(points, 250)
    assert found >= 0.97
    assert lost <= 0.06


def test_copies_but_for_rounding_are_ties():
    points = groups(np.random.default_rng(3), 500, 2)
    points[:50] = points[0] * (1.0 + np.finfo(float).eps * (np.arange(50)[:, None] % 8))
    assert (probabilities(points) > 0.5).mean() < 0.01


@pytest.mark.parametrize(
    "points",
    [
        np.ones((30, 2)),
        np.zeros((30, 1)),
        np.arange(30.0)[:, None],
        np.repeat(np.eye(3), 10, axis=0),
        np.repeat(np.eye(12), 1, axis=0),
        np.r_[np.zeros((29, 2)), np.ones((1, 2))],
        np.r_[np.zeros((8, 2)), np.eye(2)],
    ],
    ids=["equal", "zero", "ladder", "three places", "equally far", "all but one", "ten"],
)
def test_tied_points_are_no_noise(points):
    assert (probabilities(points) == 0.0).all()


def test_one_heavy_point_is_no_noise():
    assert probabilities(np.ones((1, 3)), np.array([50.0])) == 0.0


@pytest.mark.parametrize(("weight", "is_noise"), [(0.4, False), (1.0, True)])
def test_half_a_row_is_no_population(weight, is_noise):
    points = np.r_[np.random.default_rng(0).uniform(size=(60, 2)), np.full((1, 2), 50.0)]
    found = probabilities(points, np.r_[np.full(60, 2.0), weight])
    assert (found[-1] > 0.5) == is_noise
    assert found[:-1].max() < 0.5


def test_huge_contrasts_do_not_overflow():
    rng = np.random.default_rng(0)
    points = np.r_[1e-4 * rng.normal(size=(200, 50)), 1e8 * rng.normal(size=(100, 50))]
    found, lost = rates(points, 100)
    assert found == 1.0
    assert lost == 0.0


@pytest.mark.parametrize("n_points", [1, 2, 9])
def test_few_rows_have_no_noise(n_points):
    points = np.r_[1e-3 * np.random.default_rng(0).normal(size=(n_points - 1, 2)), np.full((1, 2), 50.0)]
    assert (probabilities(points) == 0.0).all()


def test_few_places_are_no_few_rows():
    """Nine places with two rows each are eighteen rows."""
    points = np.r_[np.random.default_rng(0).normal(size=(8, 2)), np.full((1, 2), 500.0)]
    assert probabilities(points, np.full(9, 2.0))[-1] > 0.99


@pytest.mark.parametrize("n_neighbours", [-1, 0, 20, 1000])
def test_impossible_numbers_of_neighbours_are_refused(n_neighbours):
    with pytest.raises(SettingsError, match="from 1 to 19 will do"):
        probabilities(np.random.default_rng(0).normal(size=(20, 2)), n_neighbours=n_neighbours)


@pytest.mark.parametrize(("n_rows", "expected"), [(10, 2), (40, 5), (80, 10), (1e5, 10), (79.9999999999, 10)])
def test_default_neighbours(n_rows, expected):
    assert cleaning._default_neighbours(n_rows) == expected
