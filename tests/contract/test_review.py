"""The review after a fit, number by number: each of these lines has been broken to see a test fail."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import gaussmix.learning.review as review_module
from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.learning.partitions import METHODS
from gaussmix.learning.review import coinciding, review_rows
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings, GivenStart
from gaussmix.learning.starts import draw_sample
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture, Noise
from gaussmix.report.summary import summarise

SPHERES = covariance_family("spherical")
HEIGHTS_START = GivenStart(weights=[0.5, 0.5], means=[[5.5], [6.0]], covariances=0.1)


def one_gaussian(n_features=1):
    return Mixture([1.0], np.zeros((1, n_features)), [1.0], SPHERES)


def test_sure_share_and_support_of_the_heights(heights):
    result = search(MemoryRows(heights), FitSettings(2, given=HEIGHTS_START))
    assert result.review.sure_share == 0.4
    assert result.review.distinct_rows.tolist() == [2, 2]
    assert result.review.assigned.tolist() == [7.0, 3.0]
    assert result.outcome.sound


def test_a_component_that_holds_next_to_nothing_is_named_emptied(heights):
    mixture = Mixture([0.9998, 2e-4], [[5.77], [5.9]], [0.09, 0.3], SPHERES)
    doubts = review_rows(MemoryRows(heights), mixture).doubts(mixture)
    assert [(d.component, d.trouble) for d in doubts] == [(1, "emptied")]
    assert "it holds 0.002 rows' worth" in doubts[0].sentence


def test_unexplained_rows_are_numbered_through_all_tiles():
    rows = np.random.default_rng(0).normal(size=(20_000, 1)).clip(-3.0, 3.0)
    rows[15_000] = 9.0
    review = review_rows(MemoryRows(rows), one_gaussian())
    assert review.unexplained == (15_000,)
    assert review.n_unexplained == 1
    assert not review.too_many_unexplained


def test_a_few_more_than_expected_are_chance_and_many_are_not():
    rows = np.zeros((20_000, 1))
    rows[:4] = 5.0
    assert not review_rows(MemoryRows(rows), one_gaussian()).too_many_unexplained
    rows[:40] = 5.0
    assert review_rows(MemoryRows(rows), one_gaussian()).too_many_unexplained


def test_certainty_counts_weights(faithful):
    weights = np.random.default_rng(0).uniform(0.5, 3.0, len(faithful))
    rows = MemoryRows(faithful, weights)
    settings = FitSettings(2)
    facts = summarise(search(rows, settings), rows, settings).facts
    model = GaussianMixture(2).fit(faithful, sample_weight=weights)
    assert facts["icl"] == pytest.approx(model.icl(faithful, sample_weight=weights), rel=1e-12)
    assert facts["bic"] == pytest.approx(model.bic(faithful, sample_weight=weights), rel=1e-12)


def test_equal_means_with_different_covariances_do_not_coincide():
    mixture = Mixture([0.5, 0.5], [[0.0], [0.0]], [1.0, 4.0], SPHERES)
    assert coinciding(mixture) == []
    assert coinciding(Mixture([0.5, 0.5], [[0.0], [0.0]], [1.0, 1.001], SPHERES)) == [[0, 1]]
    assert coinciding(Mixture([1.0, 0.0], [[0.0], [0.0]], [1.0, 1.0], SPHERES)) == []


def test_the_sample_is_ordered_alike_for_turned_axes(iris):
    """And so the same draws fall on the same rows."""
    settings = FitSettings(3)
    one = draw_sample(MemoryRows(iris), settings, np.random.default_rng(0))
    other = draw_sample(MemoryRows(-iris), settings, np.random.default_rng(0))
    assert np.allclose((one.points**2).sum(axis=1), (other.points**2).sum(axis=1))
    assert np.all(np.diff((one.points**2).sum(axis=1)) > -1e-7)


def test_random_rows_are_drawn_by_weight():
    rows = MemoryRows(np.array([[0.0], [1.0], [5.0]]), [1.0, 1.0, 1000.0])
    sample = draw_sample(rows, FitSettings(1), np.random.default_rng(0))
    heavy = int(np.argmax(sample.weights))
    near = int(np.argmin(np.abs(sample.rows.matrix[:, 0] - 1.0)))
    labels = [
        METHODS["random_from_data"](sample.points, sample.weights, 2, np.random.default_rng(seed))
        for seed in range(50)
    ]
    # Unless the heavy row is a centre itself, it goes with the row next to it.
    assert np.mean([found[heavy] != found[near] for found in labels]) > 0.9


def test_responsibilities_to_start_from_are_normalised(faithful):
    shares = np.eye(2)[(faithful[:, 0] > 3.0).astype(int)]
    scaled = shares * np.random.default_rng(0).uniform(1.0, 9.0, (len(faithful), 1))
    plain, other = (GaussianMixture(2, trace=True).fit(faithful, start=s) for s in (shares, scaled))
    np.testing.assert_allclose(other.trace_[0].mixture.means, plain.trace_[0].mixture.means, rtol=1e-12)


@pytest.mark.parametrize(
    "noise", [None, Noise(0.1, np.array([-200.0, -200.0]), 500.0 * np.eye(2))], ids=["", "noise"]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_pieces_of_any_length_are_looked_at_alike(monkeypatch, faithful, weighted, noise):
    weights = np.random.default_rng(1).integers(0, 3, len(faithful)).astype(float) if weighted else None
    rows = np.vstack([faithful, faithful[:1] + 100.0, faithful[-1:] - 100.0])
    rows = MemoryRows(rows, None if weights is None else np.r_[weights, 1.0, 2.0])
    found = search(MemoryRows(faithful), FitSettings(2)).mixture
    mixture = replace(
        found, weights=found.weights * (1.0 if noise is None else 1.0 - noise.weight), noise=noise
    )
    whole = review_rows(rows, mixture)
    for n_rows in (1, 7, len(faithful)):
        monkeypatch.setattr(review_module, "ROWS_LOOKED_AT", n_rows)
        pieces = review_rows(rows, mixture)
        for name, value in vars(whole).items():
            if name == "examples":
                np.testing.assert_array_equal(np.array(getattr(pieces, name)), np.array(value))
            else:
                np.testing.assert_allclose(getattr(pieces, name), value, rtol=1e-12, err_msg=name)


def test_a_review_needs_memory_for_a_few_bytes_a_row():
    rows = MemoryRows(np.random.default_rng(0).normal(size=(2_000_000, 1)))
    assert rows.summary.n_rows == 2_000_000
    tracemalloc.start()
    try:
        review_rows(rows, one_gaussian())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Looking at all of them at once takes 60 bytes a row.
    assert peak < 16 * 2_000_000
