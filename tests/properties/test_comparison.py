"""What must hold of two mixtures side by side: alignment, differences, and who goes where."""

import mpmath
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import SettingsError
from gaussmix.estimators.comparing import compare
from gaussmix.learning.clusters.compared import Side
from gaussmix.learning.clusters.comparison import adjusted_rand, compare_mixtures, with_features
from gaussmix.model.alignment import aligned, bhattacharyya_distances, hellinger_distances
from gaussmix.model.covariances import FAMILIES, covariance_family
from gaussmix.model.mixture import Mixture, Noise

FULL = covariance_family("full")
FAMILY_NAMES = [family.name for family in FAMILIES]


def drawn(n_components, n_features, seed, offset=0.0, scales=1.0, spread=2.0):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(n_components, n_features, n_features))
    matrices = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(n_features)
    means = spread * rng.normal(size=(n_components, n_features)) + offset
    scales = np.broadcast_to(scales, n_features)
    weights = rng.dirichlet(np.full(n_components, 4.0))
    return Mixture(weights, means * scales, matrices * scales[:, None] * scales, FULL)


def line(means, weights=None, deviation=1.0):
    """Components along a line."""
    means = np.asarray(means, dtype=float)[:, None]
    weights = np.full(len(means), 1.0 / len(means)) if weights is None else np.asarray(weights)
    return Mixture(weights, means, np.full((len(means), 1, 1), deviation**2), FULL)


def side(mixture, names=None):
    return Side(mixture, names)


@given(
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(0, 10_000),
    st.sampled_from([0.0, 1e8]),
    st.booleans(),
)
def test_alignment_finds_a_permutation(n_components, n_features, seed, offset, odd):
    """Far from the origin, in columns of units from 1e-12 to 1e12, and with every parameter a little off."""
    scales = np.logspace(-12, 12, n_features) if odd else 1.0
    mixture = drawn(n_components, n_features, seed, offset, scales)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_components)
    moved = Mixture(
        mixture.weights,
        mixture.means + 1e-4 * scales * rng.normal(size=mixture.means.shape),
        mixture.covariances * (1.0 + 1e-4 * rng.normal(size=(n_components, 1, 1))),
        FULL,
    ).permuted(order)
    found = aligned(moved, mixture)
    assert np.array_equal(order[found], np.arange(n_components))
    np.testing.assert_allclose(moved.permuted(found).weights, mixture.weights)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_alignment_in_every_family(family):
    rng = np.random.default_rng(0)
    full, chosen = drawn(5, 3, 1), covariance_family(family)
    mixture = Mixture(full.weights, full.means, chosen.from_matrices(full.matrices), chosen)
    order = rng.permutation(5)
    assert np.array_equal(order[aligned(mixture.permuted(order), mixture)], np.arange(5))


def test_one_component_that_went_elsewhere_does_not_push_the_others_on():
    assert aligned(line([10.0, 20.0]), line([0.0, 10.0])).tolist() == [1, 0]
    # So far apart that no number holds the overlap, near is still nearer than far.
    assert aligned(line([2100.0, 50.0, 1000.0]), line([0.0, 1100.0, 2000.0])).tolist() == [1, 2, 0]


def test_where_all_else_is_equal_weights_decide():
    one = line([0.0, 0.0, 0.0], [0.2, 0.5, 0.3])
    assert aligned(one, line([0.0, 0.0, 0.0], [0.52, 0.29, 0.19])).tolist() == [1, 2, 0]
    # Those that are empty are told by their means.
    emptied = line([0.0, 5.0, 9.0], [0.0, 1.0, 0.0])
    assert aligned(emptied, line([9.0, 5.0, 0.1], [0.0, 1.0, 0.0])).tolist() == [2, 1, 0]


def test_with_fewer_components_some_have_none():
    assert aligned(line([0.0, 9.0]), line([9.1, 4.0, 0.1])).tolist() == [1, -1, 0]
    assert aligned(line([9.1, 4.0, 0.1]), line([0.0, 9.0])).tolist() == [2, 0]
    with pytest.raises(SettingsError, match="of 2 and of 1 features"):
        aligned(line([0.0]), drawn(1, 2, 0))


def test_bhattacharyya_is_the_textbook_s_in_fifty_digits():
    one, other = drawn(2, 3, 5), drawn(3, 3, 6)
    found = bhattacharyya_distances(one, other)
    with mpmath.workdps(50):
        for k in range(2):
            for m in range(3):
                f, g = mpmath.matrix(one.matrices[k].tolist()), mpmath.matrix(other.matrices[m].tolist())
                away = mpmath.matrix(one.means[k].tolist()) - mpmath.matrix(other.means[m].tolist())
                middle = (f + g) / 2
                means = (away.T * mpmath.lu_solve(middle, away))[0] / 8
                ratio = mpmath.det(middle) / mpmath.sqrt(mpmath.det(f) * mpmath.det(g))
                assert found[k, m] == pytest.approx(float(means + mpmath.log(ratio) / 2), rel=1e-12)
    np.testing.assert_allclose(bhattacharyya_distances(other, one), found.T, rtol=1e-12)
    assert np.abs(np.diagonal(hellinger_distances(one, one))).max() < 1e-15


def test_hellinger_is_the_integral():
    one, other = drawn(1, 2, 7), drawn(1, 2, 8)
    grid = np.linspace(-40.0, 40.0, 1601)
    points = np.stack(np.meshgrid(grid, grid), axis=-1)
    densities = [multivariate_normal(m.means[0], m.matrices[0]).pdf(points) for m in (one, other)]
    overlap = np.sqrt(densities[0] * densities[1]).sum() * (grid[1] - grid[0]) ** 2
    assert hellinger_distances(one, other)[0, 0] == pytest.approx(np.sqrt(1.0 - overlap), rel=1e-8)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(2, 300), st.integers(0, 10_000))
def test_the_rand_index_is_scikit_learn_s(n_one, n_other, n_rows, seed):
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, n_one, n_rows), rng.integers(0, n_other, n_rows)
    other = np.where(rng.random(n_rows) < 0.5, one % n_other, other)
    table = np.zeros((n_one, n_other))
    np.add.at(table, (one, other), 1.0)
    assert adjusted_rand(table) == pytest.approx(adjusted_rand_score(one, other), abs=1e-12)


@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 10_000), st.sampled_from([0.0, 1e8]))
def test_a_mixture_is_the_same_as_itself_whatever_the_order(n_components, n_features, seed, offset):
    mixture = drawn(n_components, n_features, seed, offset)
    order = np.random.default_rng(seed).permutation(n_components)
    found = compare_mixtures(side(mixture), side(mixture.permuted(order)))
    assert found.same
    assert found.sentence == "A and B are the same to rounding."
    assert found.agreement.rand == found.shared == 1.0
    assert [(pair.a, order[pair.b]) for pair in found.pairs] == [(k, k) for k in range(n_components)]
    assert found.agreement.n_drawn == found.agreement.table.sum() == 10_000


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_features_are_matched_by_name(iris, family):
    frame = pd.DataFrame(iris, columns=["a", "b", "c", "d"])
    one = GaussianMixture(2, covariance_type=family, n_init=1).fit(frame)
    mixture, places = one._mixture(), np.array([2, 0, 3, 1])
    turned = Mixture(
        mixture.weights, mixture.means[:, places], mixture.matrices[:, places][:, :, places], FULL
    )
    found = compare_mixtures(
        side(mixture, tuple("abcd")), side(turned, tuple("cadb")), MemoryRows(iris, None, list("abcd"))
    )
    assert found.same
    likelihoods = [fit.log_likelihood for fit in found.on_rows]
    assert likelihoods[0] == pytest.approx(likelihoods[1], rel=1e-10)
    assert likelihoods[0] == pytest.approx(one.score(frame) * len(iris), rel=1e-12)
    assert found.on_rows[0].bic == pytest.approx(one.bic(frame), rel=1e-12)


@pytest.mark.parametrize("family", ["diag", "EVE", "tied"])
def test_a_mixture_is_no_freer_for_being_turned(iris, family):
    frame = pd.DataFrame(iris, columns=["a", "b", "c", "d"])
    turned = frame[["c", "a", "d", "b"]]
    one = GaussianMixture(2).fit(frame)
    other = GaussianMixture(2, covariance_type=family).fit(turned)
    found = compare(one, other, frame)
    assert found.on_rows[1].bic == pytest.approx(other.bic(turned), rel=1e-10)
    assert found.on_rows[1].n_parameters == other._mixture().n_parameters


def test_noise_turns_with_its_features():
    noise = Noise(0.3, np.array([0.0, 10.0]), np.array([[2.0, 0.5], [0.0, 4.0]]))
    mixture = drawn(2, 2, 3)
    mixture = Mixture(0.7 * mixture.weights, mixture.means, mixture.covariances, FULL, noise)
    turned = with_features(mixture, np.array([1, 0]))
    rows = mixture.sample(50, np.random.default_rng(0))[0]
    np.testing.assert_allclose(turned.log_density(rows[:, ::-1]), mixture.log_density(rows), rtol=1e-12)
    drawn_there = turned.sample(2000, np.random.default_rng(0))
    inside = drawn_there[0][drawn_there[1] == -1]
    assert inside[:, 0].min() >= 10.0
    assert inside[:, 0].max() <= 14.5
    assert inside[:, 1].max() <= 2.0
    found = compare_mixtures(side(mixture, ("x", "y")), side(turned, ("y", "x")))
    assert found.same
    assert found.agreement.table.shape == (3, 3)
    assert found.shared == 1.0
    assert found.agreement.table[2, 2] > 0.0


def test_differences_by_hand():
    one = Mixture([0.4, 0.6], [[0.0, 0.0], [50.0, 0.0]], [np.diag([4.0, 9.0])] * 2, FULL)
    wider = np.array([[16.0, 3.0], [3.0, 9.0]])
    other = Mixture([0.7, 0.3], [[51.0, 0.0], [1.0, -2.0]], [np.diag([4.0, 9.0]), wider], FULL)
    pair = compare_mixtures(side(one), side(other)).pairs[0]
    assert (pair.a, pair.b, pair.weights) == (0, 1, (0.4, 0.3))
    assert pair.mean_differences.tolist() == [1.0, -2.0]
    np.testing.assert_allclose(pair.mean_steps, [1.0 / np.sqrt(10.0), -2.0 / 3.0], rtol=1e-14)
    np.testing.assert_allclose(pair.deviation_ratios, [2.0, 1.0], rtol=1e-14)
    np.testing.assert_allclose(pair.correlations[1], [[1.0, 0.25], [0.25, 1.0]], rtol=1e-14)
    assert pair.largest_difference == pytest.approx(np.log(2.0))


def test_what_came_of_it_in_words():
    three, four = line([0.0, 10.0, 20.0]), line([0.0, 9.0, 11.0, 20.0], deviation=0.7)

    def words(one, other):
        return compare_mixtures(side(one), side(other)).sentence

    assert words(four, three) == "A splits component 2 of B into its components 2 and 3."
    assert words(three, four) == "B splits component 2 of A into its components 2 and 3."
    assert "nearly the same" in words(three, line([0.0, 10.0, 20.0001]))
    sized = words(three, line([0.0, 10.3, 20.0], [0.3, 0.3, 0.4]))
    assert sized.startswith("A and B have the same groups")
    assert "6.7 percentage points (component 3 of A)" in sized
    assert "0.3 standard deviations (x1 of component 2 of A)" in sized
    assert "group rows differently" in words(line([0.0, 8.0]), line([4.0, 30.0]))
    # A few rows that are everywhere are no part of a group.
    few = Mixture([0.32, 0.32, 0.32, 0.04], [[0.0], [10.0], [20.0], [10.0]], [[[1.0]]] * 3 + [[[1e4]]], FULL)
    assert words(few, three).startswith("A and B have the same groups but for component 4 of A (4.0%)")


def test_the_given_rows_are_those_that_are_counted(iris):
    two, three = (GaussianMixture(k).fit(iris) for k in (2, 3))
    found = compare(two, three, iris)
    assert found.agreement.n_drawn == 0
    assert found.agreement.table.sum() == 150
    assert found.agreement.rand == pytest.approx(
        adjusted_rand_score(two.predict(iris), three.predict(iris)), rel=1e-12
    )
    assert found.only_a == ()
    assert len(found.only_b) == 1
    counts = np.random.default_rng(0).integers(0, 3, 150)
    weighted = compare(two, three, iris, sample_weight=counts)
    repeated = compare(two, three, np.repeat(iris, counts, axis=0))
    assert np.array_equal(weighted.agreement.table, repeated.agreement.table)
    assert weighted.agreement.rand == pytest.approx(repeated.agreement.rand, rel=1e-12)
    for a, b in zip(weighted.on_rows, repeated.on_rows, strict=True):
        assert a.bic == pytest.approx(b.bic, rel=1e-12)


def test_other_features_are_refused_and_missing_names_are_said(iris):
    names = ["a", "b", "c", "d"]
    one = GaussianMixture(2).fit(pd.DataFrame(iris, columns=names))
    with pytest.raises(SettingsError, match="only A has 'd'; only B has 'e'"):
        compare(one, GaussianMixture(2).fit(pd.DataFrame(iris, columns=["a", "b", "c", "e"])))
    with pytest.raises(SettingsError, match="A has 4 features and B has 3"):
        compare(one, GaussianMixture(2).fit(pd.DataFrame(iris[:, :3], columns=names[:3])))
    found = compare(one, GaussianMixture(2).fit(iris))
    assert found.same
    assert found.notes == ("B has no names of columns: columns are matched by their places",)
    assert found.feature_names == tuple(names)


def test_the_seed_decides_which_rows_are_drawn():
    one, other = drawn(3, 2, 1), drawn(4, 2, 2)
    tables = [compare_mixtures(side(one), side(other), seed=seed).agreement.table for seed in (0, 0, 1)]
    assert np.array_equal(tables[0], tables[1])
    assert not np.array_equal(tables[0], tables[2])


def test_model_files_can_be_compared(tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 2))
    model = GaussianMixture(1).fit(rows)
    model.save(tmp_path / "a.json")
    assert compare(tmp_path / "a.json", str(tmp_path / "a.json")).same
    with pytest.raises(SettingsError, match="compare takes"):
        compare(model, rows)
