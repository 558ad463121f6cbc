"""What must hold of components that merge into clusters."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, is_monotonic, is_valid_linkage

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataError, SettingsError
from gaussmix.learning.clusters.elbow import elbow_of
from gaussmix.learning.clusters.merging import merge_components
from gaussmix.model.covariances import FAMILIES, covariance_family
from gaussmix.model.mixture import Mixture, Noise

FULL = covariance_family("full")


def drawn(n_components, n_features, seed, n_rows=200, spread=1.5):
    """A mixture, whose components overlap, and rows of it."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(n_components, n_features, n_features)) / np.sqrt(n_features)
    matrices = roots @ roots.transpose(0, 2, 1) + 0.2 * np.eye(n_features)
    means = spread * rng.normal(size=(n_components, n_features))
    mixture = Mixture(rng.dirichlet(np.full(n_components, 4.0)), means, matrices, FULL)
    return mixture, mixture.sample(n_rows, rng)[0]


def entropy(shares):
    positive = shares[shares > 0.0]
    return -float((positive * np.log(positive)).sum())


@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 10_000))
def test_each_merger_lowers_the_entropy_to_that_of_its_clusters(n_components, n_features, seed):
    mixture, rows = drawn(n_components, n_features, seed)
    mergers = merge_components(mixture, MemoryRows(rows))
    assert (np.diff(mergers.entropies) >= 0.0).all()
    assert mergers.entropies[0] == 0.0
    for n in range(1, n_components + 1):
        assert len(mergers.clusters(n)) == n
        assert sorted(k for group in mergers.clusters(n) for k in group) == list(range(n_components))
        assert mergers.entropies[n - 1] == pytest.approx(
            entropy(mergers.shares(rows, n)), abs=1e-10 * len(rows)
        )


@given(st.integers(2, 6), st.integers(0, 10_000))
def test_no_other_pair_would_have_lowered_it_more(n_components, seed):
    mixture, rows = drawn(n_components, 2, seed)
    mergers = merge_components(mixture, MemoryRows(rows))
    for n in range(2, n_components + 1):
        shares = mergers.shares(rows, n)
        for i in range(n):
            for j in range(i):
                others = np.delete(shares, [i, j], axis=1)
                merged = np.column_stack([others, shares[:, i] + shares[:, j]])
                assert mergers.entropies[n - 2] <= entropy(merged) + 1e-10 * len(rows)


@given(st.integers(2, 7), st.integers(0, 10_000))
def test_the_tree_is_one_that_scipy_knows(n_components, seed):
    mixture, rows = drawn(n_components, 2, seed)
    mergers = merge_components(mixture, MemoryRows(rows))
    assert is_valid_linkage(mergers.tree, throw=True)
    assert is_monotonic(mergers.tree)
    taken_away = mergers.entropies[-1] - mergers.entropies[-2::-1]
    np.testing.assert_allclose(mergers.tree[:, 2], taken_away, atol=1e-9 * len(rows))
    for n in range(1, n_components + 1):
        cut = fcluster(mergers.tree, n, "maxclust")
        groups = {tuple(np.flatnonzero(cut == label).tolist()) for label in set(cut)}
        assert len(groups) < n or groups == set(mergers.clusters(n))


@given(st.integers(2, 6), st.integers(0, 10_000))
def test_neither_the_order_of_rows_nor_the_numbers_of_components_matter(n_components, seed):
    mixture, rows = drawn(n_components, 3, seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_components)
    one = merge_components(mixture, MemoryRows(rows))
    other = merge_components(mixture.permuted(order), MemoryRows(rng.permutation(rows)))
    np.testing.assert_allclose(other.entropies, one.entropies, rtol=1e-9, atol=1e-12)
    assert other.n_clusters == one.n_clusters
    for n in range(1, n_components + 1):
        renumbered = {tuple(sorted(order[list(group)].tolist())) for group in other.clusters(n)}
        assert renumbered == set(one.clusters(n))


def test_components_far_apart_merge_by_distance_whatever_their_numbers():
    """No row is torn at all between some of them: 0 is what every merger gains."""
    means = np.array([[0.0], [1e3], [2.1e3], [4e3]])
    mixture = Mixture(np.full(4, 0.25), means, np.ones((4, 1, 1)), FULL)
    rows = means + np.linspace(-1.0, 1.0, 20)
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]):
        found = merge_components(mixture.permuted(np.array(order)), MemoryRows(rows.reshape(-1, 1)))
        assert (found.entropies == 0.0).all()
        back = [{order[k] for k in step.first + step.second} for step in found.steps]
        assert back == [{0, 1}, {0, 1, 2}, {0, 1, 2, 3}]


def test_weights_are_repeated_rows():
    mixture, rows = drawn(5, 2, 7)
    counts = np.random.default_rng(0).integers(0, 4, len(rows))
    weighted = merge_components(mixture, MemoryRows(rows, counts.astype(float)))
    repeated = merge_components(mixture, MemoryRows(np.repeat(rows, counts, axis=0)))
    np.testing.assert_allclose(weighted.entropies, repeated.entropies, rtol=1e-11)
    np.testing.assert_allclose(weighted.merged_rows, repeated.merged_rows, rtol=1e-11)
    assert weighted.row_weight == repeated.row_weight == counts.sum()
    assert [s.first + s.second for s in weighted.steps] == [s.first + s.second for s in repeated.steps]


def test_two_halves_of_one_gaussian_merge_first():
    rng = np.random.default_rng(1)
    means = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.1, 0.1]])
    mixture = Mixture(np.array([0.4, 0.15, 0.3, 0.15]), means, np.tile(np.eye(2), (4, 1, 1)), FULL)
    mergers = merge_components(mixture, MemoryRows(mixture.sample(500, rng)[0]))
    assert (mergers.steps[0].first, mergers.steps[0].second) == ((1,), (3,))
    assert mergers.clusters() == ((0,), (1, 3), (2,))
    assert mergers.n_clusters == 3
    assert "elbow" in mergers.sentence


def test_groups_far_apart_are_not_merged():
    rng = np.random.default_rng(2)
    for n_components in (3, 5):
        centres = 12.0 * np.c_[np.arange(n_components), np.arange(n_components) % 2]
        rows = np.concatenate([centre + rng.normal(size=(60, 2)) for centre in centres])
        model = GaussianMixture(n_components).fit(rows)
        mergers = model.merge(rows)
        assert mergers.n_clusters == n_components
        assert "hardly overlap" in mergers.sentence
        assert np.array_equal(mergers.labels_for(rows), model.predict(rows))


def test_an_elbow_needs_four_components():
    mixture, rows = drawn(3, 2, 3)
    mergers = merge_components(mixture, MemoryRows(rows))
    assert mergers.elbow is None
    assert mergers.n_clusters == 3
    assert "fewer than 4 components" in mergers.sentence


def test_a_straight_line_has_no_elbow():
    assert elbow_of(np.arange(1.0, 7.0), 3.0 * np.arange(6.0)) is None
    assert elbow_of(np.arange(1.0, 7.0), np.sqrt(np.arange(6.0))) is None
    assert elbow_of(np.arange(1.0, 7.0), np.maximum(np.arange(6.0) - 2.0, 0.0)).n_clusters == 3
    assert elbow_of(np.arange(1.0, 6.0), np.array([0.0, 1.0, 2.0, 3.5, 5.0])).slight


def test_an_elbow_that_is_hardly_one_is_called_so():
    """One Gaussian taken four times: every merger gains nearly alike, and one cluster is no elbow."""
    mixture = Mixture(np.full(4, 0.25), np.zeros((4, 1)), np.ones((4, 1, 1)), FULL)
    mergers = merge_components(mixture, MemoryRows(np.linspace(-2.0, 2.0, 50)[:, None]))
    shares = ([1.0], [0.75, 0.25], [0.5, 0.25, 0.25], [0.25] * 4)
    np.testing.assert_allclose(mergers.entropies, [50.0 * entropy(np.array(r)) for r in shares], atol=1e-10)
    assert mergers.elbow.slight
    assert "slight" in mergers.sentence
    # Two alike have nothing but the tie to tell them: the answer is the same every time.
    assert [s.first + s.second for s in mergers.steps] == [(0, 1), (0, 1, 2), (0, 1, 2, 3)]


def test_noise_is_never_merged_and_keeps_its_rows():
    rng = np.random.default_rng(5)
    mixture, _ = drawn(4, 2, 11)
    noise = Noise(0.2, np.array([-20.0, -20.0]), np.diag([40.0, 40.0]))
    mixture = Mixture(0.8 * mixture.weights, mixture.means, mixture.covariances, FULL, noise)
    rows, _ = mixture.sample(400, rng)
    mergers = merge_components(mixture, MemoryRows(rows))
    assert mergers.entropies[0] > 0.0
    for n in range(1, 5):
        shares = mergers.shares(rows, n)
        assert shares.shape == (400, n + 1)
        assert mergers.entropies[n - 1] == pytest.approx(entropy(shares), abs=1e-9)
        np.testing.assert_array_equal(shares[:, -1], mixture.shares(rows)[:, -1])
    labels = mergers.labels(rows, 1)
    assert set(labels.tolist()) == {0, -1}
    # Likelier under one of the components than noise, they are likelier under all together.
    assert (labels[mixture.labels(rows) >= 0] == 0).all()


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
def test_every_family_far_from_the_origin_and_in_odd_units(family):
    """The same entropies: to eight digits, which is what an offset of 1e8 leaves of the rows."""
    rows = drawn(3, 3, 4, n_rows=120)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture = GaussianMixture(4, covariance_type=family, n_init=1, max_iter=20).fit(rows)._mixture()
    plain = merge_components(mixture, MemoryRows(rows))
    away = Mixture(mixture.weights, mixture.means + 1e8, mixture.covariances, mixture.family)
    moved = merge_components(away, MemoryRows(rows + 1e8))
    np.testing.assert_allclose(moved.entropies, plain.entropies, rtol=1e-5, atol=1e-6)
    assert moved.clusters(2) == plain.clusters(2)
    scales = np.array([1e-12, 1.0, 1e12])
    scaled = Mixture(
        mixture.weights, mixture.means * scales, mixture.matrices * scales[:, None] * scales, FULL
    )
    there = merge_components(scaled, MemoryRows(rows * scales))
    np.testing.assert_allclose(there.entropies, plain.entropies, rtol=1e-7, atol=1e-9)


def test_an_emptied_component_and_a_single_one():
    mixture, rows = drawn(4, 2, 9)
    emptied = Mixture(np.array([0.5, 0.0, 0.5, 0.0]), mixture.means, mixture.covariances, FULL)
    mergers = merge_components(emptied, MemoryRows(rows))
    assert np.isfinite(mergers.entropies).all()
    assert mergers.steps[0].first + mergers.steps[0].second == (0, 2)
    assert is_valid_linkage(mergers.tree)
    one = GaussianMixture(1).fit(rows).merge(rows)
    assert one.steps == ()
    assert one.tree.shape == (0, 4)
    assert one.entropies.tolist() == [0.0]
    assert set(one.labels_for(rows)) == {0}
    assert "nothing to merge" in one.sentence


def test_a_number_that_was_asked_for():
    rows = drawn(5, 2, 21)[1]
    model = GaussianMixture(5).fit(rows)
    asked, free = model.merge(rows, n_clusters=2), model.merge(rows)
    assert asked.n_clusters == len(asked.clusters()) == 2
    assert asked.clusters() == free.clusters(2)
    assert "as asked" in asked.sentence
    assert asked.predict_proba(rows).shape == (len(rows), 2)
    np.testing.assert_allclose(asked.predict_proba(rows).sum(axis=1), 1.0, rtol=1e-12)
    assert np.array_equal(asked.predict_proba(rows).argmax(axis=1), asked.labels_for(rows))
    assert np.array_equal(asked.labels_for(rows, 5), model.predict(rows))
    for wrong in (0, 6, -1, 2.0, "2", True):
        with pytest.raises(SettingsError, match="from 1 to 5"):
            model.merge(rows, n_clusters=wrong)
    with pytest.raises(SettingsError, match="from 1 to 5"):
        free.clusters(7)
    with pytest.raises((DataError, ValueError), match="features"):
        free.labels_for(rows[:, :1])


def test_many_rows_are_read_in_tiles_and_give_the_same():
    mixture, rows = drawn(4, 2, 13, n_rows=70_000)
    mergers = merge_components(mixture, MemoryRows(rows))
    assert mergers.entropies[-1] == pytest.approx(entropy(mixture.shares(rows)), rel=1e-11)
    assert mergers.merged_rows[0] == pytest.approx(sum(step.rows for step in mergers.steps), rel=1e-14)
