"""Rows cut into blocks: whatever is asked of them is what one block would say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussmix.data import blocks
from gaussmix.data.blocked import BlockedRows
from gaussmix.data.blocks import Block, Tree, added_up, block_rows
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import Measure, TakeDistinct
from gaussmix.errors import DataError
from gaussmix.learning.approach import approached
from gaussmix.learning.clusters.merging import merge_components
from gaussmix.learning.clutter import noise_over
from gaussmix.learning.prepare import prepare
from gaussmix.learning.review import review_rows
from gaussmix.learning.scoring import score_rows
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture


class Words:
    """What was added to what."""

    def __init__(self, text):
        self.text = text

    def __add__(self, other):
        return Words(f"({self.text}{other.text})")


def table(n_rows=1000, n_features=3, offset=0.0):
    generator = np.random.default_rng(n_rows)
    centres = 4.0 * generator.normal(size=(3, n_features))
    drawn = generator.normal(size=(n_rows, n_features)) @ (
        np.eye(n_features) + 0.3 * generator.normal(size=(n_features, n_features))
    )
    return offset + centres[generator.integers(3, size=n_rows)] + drawn


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 64 rows of three or four features."""
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 256)
    assert block_rows(3) == block_rows(4) == 64


@pytest.fixture
def mixture():
    means = table()[:3]
    return Mixture(
        np.array([0.2, 0.3, 0.5]), means, np.stack([np.eye(3), 2 * np.eye(3), 3 * np.eye(3)]), FULL
    )


FULL = covariance_family("full")


def test_a_tree_is_balanced_and_in_order():
    assert added_up(map(Words, "abcdefg")).text == "(((ab)(cd))((ef)g))"
    assert added_up([Words("a")]).text == "a"


@given(st.integers(1, 200))
def test_a_tree_keeps_few(n):
    tree = Tree()
    for i in range(n):
        tree.push(Words(str(i)))
        assert len(tree._levels) <= n.bit_length()


@given(st.integers(1, 10_000))
def test_blocks_are_powers_of_two_of_bounded_size(n_features):
    size = block_rows(n_features)
    assert size & (size - 1) == 0
    assert size * n_features <= blocks.BLOCK_VALUES < 2 * size * n_features


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e8, -1e12])
def test_moments_of_many_blocks_are_those_of_one(small_blocks, weighted, offset):
    matrix = table(offset=offset)
    weights = np.random.default_rng(0).integers(0, 3, len(matrix)).astype(float) if weighted else None
    rows = MemoryRows(matrix, weights)
    kept = matrix - offset if weights is None else np.repeat(matrix, weights.astype(int), axis=0) - offset
    exact = kept.astype(np.longdouble)
    assert rows.summary.n_rows == (len(matrix) if weights is None else (weights > 0).sum())
    assert rows.summary.row_weight == len(kept)
    np.testing.assert_allclose(
        rows.summary.mean - offset, exact.mean(axis=0), rtol=1e-12, atol=1e-15 * abs(offset)
    )
    away = exact - exact.mean(axis=0)
    np.testing.assert_allclose(
        rows.covariance(), (away.T @ away / len(kept)).astype(float), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(rows.summary.variances, np.diag(rows.covariance()), rtol=1e-13)
    np.testing.assert_array_equal(rows.summary.low, (kept + offset).min(axis=0))
    np.testing.assert_array_equal(rows.summary.high, (kept + offset).max(axis=0))


def test_a_first_block_far_from_the_rest_costs_no_digits(small_blocks):
    matrix = table()
    matrix[:64] = 1e9
    far = MemoryRows(matrix).covariance()
    exact = matrix.astype(np.longdouble)
    away = exact - exact.mean(axis=0)
    np.testing.assert_allclose(far, (away.T @ away / len(matrix)).astype(float), rtol=1e-13)


def test_constant_columns_are_constant_over_blocks(small_blocks):
    rows = MemoryRows(np.c_[table()[:, :2], np.full(1000, 0.1)])
    assert rows.summary.variances[2] == 0.0
    assert rows.summary.mean[2] == 0.1
    assert not rows.covariance()[2].any()


def test_blocks_without_weight_say_nothing(small_blocks):
    matrix, weights = table(), np.ones(1000)
    weights[64:192] = 0.0
    matrix[64:192] = 1e6
    rows, kept = MemoryRows(matrix, weights), MemoryRows(matrix[weights > 0])
    np.testing.assert_allclose(rows.covariance(), kept.covariance(), rtol=1e-12)
    np.testing.assert_array_equal(rows.summary.high, kept.summary.high)
    assert rows.added_up(Measure(products=False)).n_rows == 872


@pytest.mark.parametrize("model", ["full", "tied", "diag", "spherical"])
def test_the_e_step_is_that_of_one_block(monkeypatch, mixture, model):
    matrix, weights = table(), np.random.default_rng(1).random(1000)
    family = covariance_family(model)
    mixture = Mixture(mixture.weights, mixture.means, family.from_matrices(mixture.matrices), family)
    whole = MemoryRows(matrix, weights).expected_statistics(mixture).sums
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 256)
    cut = MemoryRows(matrix, weights).expected_statistics(mixture).sums
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def test_the_review_is_that_of_one_block(monkeypatch, mixture):
    matrix = table()
    matrix[[3, 500, 501, 700, 998]] = 1e3
    matrix[[10, 400]] = matrix[5]
    weights = np.random.default_rng(1).integers(0, 3, 1000).astype(float)
    weights[[3, 500, 501, 700, 998]] = 1.0
    whole = review_rows(MemoryRows(matrix, weights), mixture)
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 256)
    cut = review_rows(MemoryRows(matrix, weights), mixture)
    assert cut.n_rows == whole.n_rows
    assert cut.unexplained == whole.unexplained
    assert len(cut.unexplained) == 5
    np.testing.assert_array_equal(cut.distinct_rows, whole.distinct_rows)
    np.testing.assert_allclose(cut.assigned, whole.assigned, rtol=1e-13)
    for name in ("log_certainty", "sure_share", "tail_weight", "row_weight"):
        assert getattr(cut, name) == pytest.approx(getattr(whole, name), rel=1e-12)


def test_scores_noise_and_mergers_are_those_of_one_block(monkeypatch, mixture):
    matrix = table()
    whole = MemoryRows(matrix)
    scores, noise, merged = (
        score_rows(mixture, whole),
        noise_over(whole, 0.1),
        merge_components(mixture, whole),
    )
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 256)
    cut = MemoryRows(matrix)
    assert score_rows(mixture, cut).log_likelihood == pytest.approx(scores.log_likelihood, rel=1e-13)
    assert score_rows(mixture, cut).log_certainty == pytest.approx(scores.log_certainty, rel=1e-12)
    assert noise_over(cut, 0.1).log_volume == pytest.approx(noise.log_volume, rel=1e-12)
    np.testing.assert_allclose(merge_components(mixture, cut).entropies, merged.entropies, rtol=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
def test_samples_do_not_depend_on_blocks(monkeypatch, weighted):
    matrix = table()
    weights = np.random.default_rng(1).integers(0, 4, 1000).astype(float) if weighted else None
    whole = MemoryRows(matrix, weights).sample(300, np.random.default_rng(7))
    every = MemoryRows(matrix, weights).sample(1000, np.random.default_rng(7))
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 256)
    for once, again in (
        (whole, MemoryRows(matrix, weights).sample(300, np.random.default_rng(7))),
        (every, MemoryRows(matrix, weights).sample(1000, np.random.default_rng(7))),
    ):
        np.testing.assert_array_equal(once[0], again[0])
        np.testing.assert_array_equal(once[1], again[1])


def test_rows_are_drawn_by_their_weight(small_blocks):
    matrix = np.arange(1000.0)[:, None] * np.ones((1, 3))
    weights = np.where(np.arange(1000) < 100, 9.0, 1.0)
    weights[::7] = 0.0
    drawn, _ = MemoryRows(matrix, weights).sample(600, np.random.default_rng(3))
    assert (drawn[:, 0] % 7 != 0).all()
    expected = weights[:100].sum() / weights.sum()
    assert abs((drawn[:, 0] < 100).mean() - expected) < 4 * np.sqrt(0.25 / 600)


def test_distinct_rows_are_found_across_blocks(small_blocks):
    matrix = np.repeat(table(4), 250, axis=0)
    assert len(MemoryRows(matrix).added_up(TakeDistinct(10)).matrix) == 4
    assert len(MemoryRows(matrix).added_up(TakeDistinct(3)).matrix) == 3


@pytest.mark.parametrize("model", ["full", "EEE", "VVI", "VEV"])
def test_a_whole_fit_is_that_of_one_block(monkeypatch, model):
    matrix = table()
    whole = search(MemoryRows(matrix), FitSettings(3, model))
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 256)
    cut = search(MemoryRows(matrix), FitSettings(3, model))
    np.testing.assert_allclose(cut.mixture.means, whole.mixture.means, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(cut.mixture.covariances, whole.mixture.covariances, rtol=1e-8, atol=1e-9)
    assert cut.objective == pytest.approx(whole.objective, rel=1e-12)


class Shrinking(BlockedRows):
    """Loses a block after the first pass."""

    def __init__(self, matrix):
        self.rows, self.passes = MemoryRows(matrix), 0

    @property
    def feature_names(self):
        return self.rows.feature_names

    def blocks(self):
        self.passes += 1
        found: list[Block] = list(self.rows.blocks())
        yield from found if self.passes == 1 else found[1:]


def test_rows_that_get_lost_are_missed(small_blocks, mixture):
    rows = Shrinking(table())
    assert rows.summary.n_rows == 1000
    with pytest.raises(DataError, match=r"the rows changed during the fit: they weighed 1000 .* weigh 936"):
        rows.expected_statistics(mixture)


def test_a_climb_on_a_sample_brings_a_start_nearer(monkeypatch):
    monkeypatch.setattr("gaussmix.learning.approach.APPROACH_VALUES", 3 * 2000)
    generator = np.random.default_rng(0)
    matrix = np.concatenate([generator.normal(place, 1.0, (10_000, 3)) for place in (0.0, 1.0, 2.0)])
    rows, settings = MemoryRows(matrix), FitSettings(3, "spherical")
    step = prepare(rows, settings)
    start = Mixture(
        np.full(3, 1 / 3), np.array([[-1.0] * 3, [0.0] * 3, [1.0] * 3]), np.full(3, 2.0), settings.family
    )
    near = approached(rows, start, settings, step)

    def objective(mixture):
        return step.objective(mixture, rows.expected_statistics(mixture).log_likelihood)

    best = objective(search(rows, settings).mixture)
    assert best - objective(start) > 1000
    assert best - objective(near) < 50
    monkeypatch.setattr("gaussmix.learning.approach.MANY_TIMES", 100)
    assert approached(rows, start, settings, step) is start
