"""Tail probabilities against chi-squared tails, counted draws, and their own calibration."""

import numpy as np
import pytest
from scipy.stats import binom, chi2
from scipy.stats import entropy as shannon

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import SettingsError
from gaussmix.learning.belief.rowfacts import classification_entropy, row_facts
from gaussmix.learning.belief.tails import tails_of
from gaussmix.model.covariances import FAMILIES, covariance_family
from gaussmix.model.mixture import Mixture, Noise

FULL = covariance_family("full")
TAILS = np.array([0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-6])


def rows_at(squared_distances, n_features):
    rows = np.zeros((len(squared_distances), n_features))
    rows[:, -1] = np.sqrt(squared_distances)
    return rows


def with_noise(weight=0.1):
    noise = Noise(weight, np.full(2, -10.0), np.diag([30.0, 20.0]))
    shares = np.array([0.6, 0.4]) * (1.0 - weight)
    return Mixture(shares, [[0.0, 0.0], [10.0, 0.0]], np.array([np.eye(2)] * 2), FULL, noise)


@pytest.mark.parametrize("n_features", [1, 2, 10, 50])
def test_one_component_is_exactly_chi_squared(n_features):
    mixture = Mixture([1.0], np.zeros((1, n_features)), np.eye(n_features)[None], FULL)
    tails, errors = tails_of(mixture).probabilities(rows_at(chi2.isf(TAILS, n_features), n_features))
    np.testing.assert_allclose(tails, TAILS, rtol=1e-9)
    assert (errors == 0.0).all()


@pytest.mark.parametrize("n_features", [1, 2, 10, 50])
@pytest.mark.parametrize("n_components", [2, 5])
def test_components_that_coincide_are_as_one(n_features, n_components):
    """The hardest case, for no sum of chi-squared tails is near: the estimate and its error must be right."""
    mixture = Mixture(
        np.full(n_components, 1.0 / n_components),
        np.zeros((n_components, n_features)),
        np.array([np.eye(n_features)] * n_components),
        FULL,
    )
    tails, errors = tails_of(mixture).probabilities(rows_at(chi2.isf(TAILS, n_features), n_features))
    assert (np.abs(tails - TAILS) < 4.0 * errors).all()
    assert (errors < 0.04 * TAILS).all()


@pytest.mark.parametrize("n_features", [1, 2, 10, 50])
def test_components_far_apart_are_chi_squared_tails_added_up(n_features):
    means = np.zeros((2, n_features))
    means[1, 0] = 1000.0
    weights = np.array([0.3, 0.7])
    mixture = Mixture(weights, means, np.array([np.eye(n_features)] * 2), FULL)
    distances = chi2.isf(TAILS, n_features)
    exponents = 2.0 * np.log(weights[:, None] / weights[0]) + distances
    expected = weights @ chi2.sf(np.maximum(exponents, 0.0), n_features)
    tails, errors = tails_of(mixture).probabilities(rows_at(distances, n_features))
    np.testing.assert_allclose(tails, expected, rtol=1e-4)
    assert (errors < 1e-4 * expected).all()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_tails_are_uniform_for_rows_of_the_mixture_itself(family):
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(3, 2, 2))
    matrices = roots @ roots.transpose(0, 2, 1) + 0.2 * np.eye(2)
    mixture = Mixture(
        [0.2, 0.5, 0.3], rng.normal(scale=2.0, size=(3, 2)), family.from_matrices(matrices), family
    )
    rows, _ = mixture.sample(20_000, rng)
    tails, _ = tails_of(mixture).probabilities(rows)
    reached = np.searchsorted(np.sort(tails), TAILS[:4]) / len(tails)
    np.testing.assert_allclose(reached, TAILS[:4], atol=0.0, rtol=0.4)
    assert (
        np.abs(np.sort(tails) - np.linspace(0.0, 1.0, len(tails))).max() < 1.95 / np.sqrt(len(tails)) + 0.005
    )


@pytest.mark.parametrize("level", [0.001, 0.01])
@pytest.mark.parametrize("n_features", [1, 5])
def test_none_of_these_is_as_rare_as_it_says(level, n_features):
    rng = np.random.default_rng(1)
    means = rng.normal(scale=2.0, size=(3, n_features))
    spreads = np.array([np.eye(n_features), 4.0 * np.eye(n_features), 0.1 * np.eye(n_features)])
    mixture = Mixture([0.7, 0.1, 0.2], means, spreads, FULL)
    rows, _ = mixture.sample(100_000, rng)
    facts = row_facts(mixture, rows, level=level)
    low, high = binom.interval(0.9999, len(rows), level)
    assert 0.93 * low < facts.flagged < 1.07 * high
    assert facts.none_of_these.sum() == facts.flagged
    assert facts.expected_flagged == level * len(rows)
    assert not facts.too_many


def test_a_wide_rare_component_has_the_tail():
    mixture = Mixture([0.9, 0.1], [[0.0, 0.0], [1.0, 0.0]], np.array([np.eye(2), 25.0 * np.eye(2)]), FULL)
    draws, _ = mixture.sample(400_000, np.random.default_rng(2))
    order = np.argsort(mixture.log_density(draws))
    places = np.array([400, 4000, 40_000, 200_000])
    tails, _ = tails_of(mixture).probabilities(draws[order[places]])
    np.testing.assert_allclose(tails, places / len(draws), rtol=0.15)


def test_noise_explains_rows_inside_its_box_only():
    mixture = with_noise()
    rows, labels = mixture.sample(50_000, np.random.default_rng(3))
    facts = row_facts(mixture, np.r_[rows, [[200.0, 0.0], [9.0, 19.9], [9.0, -9.9]]])
    assert facts.responsibilities.shape == (50_003, 3)
    assert facts.none_of_these[-3]
    assert not facts.none_of_these[:-3].any()
    assert facts.expected_flagged < 1e-6 * 50_003
    assert facts.tail_probability[:-3][labels < 0].min() > 0.01
    for tail in (0.5, 0.2):
        assert (facts.tail_probability < tail).mean() == pytest.approx(tail, abs=0.01)


def test_little_noise_is_none_of_these():
    """Noise with less of the mass than the level is less dense than nearly everything."""
    facts = row_facts(with_noise(1e-4), np.array([[19.0, 9.0], [0.0, 0.0]]))
    assert facts.none_of_these.tolist() == [True, False]


@pytest.mark.parametrize(("origin", "scale"), [(1e8, 1.0), (0.0, 1e-12), (0.0, 1e12), (0.0, 1e-30)])
def test_units_and_the_origin_have_no_say(origin, scale):
    means, spread = np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([np.eye(2), 2.0 * np.eye(2)])
    rows = np.array([[5.0, 0.0], [0.0, -3.0], [1.0, 0.0], [100.0, 0.0]])
    scales = np.array([scale, 1.0])
    moved = Mixture([0.5, 0.5], means * scales + origin, spread * scales * scales[:, None], FULL)
    plain, _ = tails_of(Mixture([0.5, 0.5], means, spread, FULL)).probabilities(rows)
    tails, _ = tails_of(moved).probabilities(rows * scales + origin)
    np.testing.assert_allclose(tails, plain, rtol=1e-4)


def test_denser_rows_have_larger_tails_and_far_ones_none():
    mixture = Mixture([0.5, 0.5, 0.0], [[0.0], [2.0], [9.0]], np.array([[[1.0]], [[2.0]], [[1.0]]]), FULL)
    rows = np.linspace(2.0, 60.0, 4000)[:, None]
    tails, _ = tails_of(mixture).probabilities(rows)
    assert (np.diff(tails) <= 1e-12 * tails[:-1]).all()
    assert tails[0] > 0.3
    assert 0.0 < tails[2000] < 1e-80
    far, _ = tails_of(mixture).probabilities(np.array([[1e200]]))
    assert far[0] == 0.0


def test_facts_agree_with_the_estimator(faithful):
    model = GaussianMixture(2).fit(faithful)
    facts = model.assess(faithful)
    np.testing.assert_array_equal(facts.labels, model.predict(faithful))
    np.testing.assert_array_equal(facts.responsibilities, model.predict_proba(faithful))
    np.testing.assert_array_equal(facts.log_density, model.score_samples(faithful))
    np.testing.assert_allclose(facts.uncertainty, 1.0 - facts.responsibilities.max(axis=1), atol=1e-15)
    assert facts.uncertainty.min() > 0.0
    assert len(facts.table) == len(faithful)
    assert facts.table[3]["tail_probability"] == facts.tail_probability[3]
    again = model.assess(faithful)
    np.testing.assert_array_equal(again.tail_probability, facts.tail_probability)
    total = shannon(facts.responsibilities, axis=1).sum()
    entropy = model.entropy(faithful)
    assert entropy.total == pytest.approx(total, rel=1e-12)
    assert entropy.normalised == pytest.approx(1.0 - total / (272 * np.log(2.0)), rel=1e-12)


def test_an_outlier_is_none_of_these_and_its_weight_counts(faithful):
    model = GaussianMixture(2).fit(faithful)
    rows = np.r_[faithful, [[50.0, 500.0]]]
    weights = np.ones(len(rows))
    weights[-1] = 3.0
    facts = model.assess(rows, sample_weight=weights)
    assert facts.none_of_these.tolist() == [False] * len(faithful) + [True]
    assert facts.flagged == 3.0
    assert facts.expected_flagged == pytest.approx(0.275)
    assert facts.least_dense[0] == len(faithful)
    assert facts.sentence.startswith(
        "3 of 275 rows are none of these (less than 0.1% of the mixture is less dense)"
    )
    assert facts.sentence.endswith("0.275 would be. That is more than chance.")


def test_entropy_of_one_component_of_noise_and_of_weights():
    one = Mixture([1.0], [[0.0]], [[[1.0]]], FULL)
    assert classification_entropy(one, MemoryRows([[0.0], [1.0]])).normalised == 1.0
    mixture = with_noise()
    rows = np.array([[0.0, 3.5], [5.0, 0.0], [19.0, 9.0]])
    weighted = classification_entropy(mixture, MemoryRows(rows, np.array([2.0, 1.0, 0.0])))
    repeated = classification_entropy(mixture, MemoryRows(rows[[0, 0, 1]]))
    assert weighted.total == pytest.approx(repeated.total, rel=1e-14)
    assert weighted.normalised == pytest.approx(1.0 - weighted.total / (3.0 * np.log(3.0)), rel=1e-12)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, True, "0.1", float("nan")])
def test_a_level_that_means_nothing_is_refused(level):
    mixture = Mixture([1.0], [[0.0]], [[[1.0]]], FULL)
    with pytest.raises(SettingsError, match="level must be a number between 0 and 1"):
        row_facts(mixture, np.zeros((1, 1)), level=level)
