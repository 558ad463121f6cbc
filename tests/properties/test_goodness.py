"""The check objects to what is not Gaussian, keeps its level, and says when it cannot tell."""

import mpmath
import numpy as np
import pytest
from scipy.stats import cramervonmises, kstest, norm

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import SettingsError
from gaussmix.learning.belief.goodness import goodness_of_fit
from gaussmix.learning.belief.misfit import energy_from_normal, lopsidedness, mean_distance, misfit
from gaussmix.learning.belief.recorded import steps_of
from gaussmix.learning.settings import FitSettings
from gaussmix.model.covariances import FAMILIES, covariance_family
from gaussmix.model.mixture import Mixture, Noise

FULL = covariance_family("full")
N_ROWS = 200


def two_groups(draw, apart=8.0, n_features=2, seed=0):
    rng = np.random.default_rng(seed)
    rows = draw(rng, (N_ROWS, n_features))
    rows[: N_ROWS // 2, 0] += apart
    return rows


def normal(rng, shape):
    return rng.normal(size=shape)


def crescent(rng, shape):
    angle = rng.uniform(0.0, np.pi, shape[0])
    return np.c_[np.cos(angle), np.sin(angle)] + 0.1 * rng.normal(size=shape)


def groups_of(rows, n_components=2):
    """The mixture that labels give, which EM would hardly move."""
    half = len(rows) // 2
    parts = [rows] if n_components == 1 else [rows[half:], rows[:half]]
    means = np.array([part.mean(axis=0) for part in parts])
    spreads = np.array([np.atleast_2d(np.cov(part.T, bias=True)) for part in parts])
    return Mixture(np.full(n_components, 1.0 / n_components), means, spreads, FULL)


def checked(rows, mixture=None, weights=None, n_replicates=59, seed=0, **settings):
    mixture = groups_of(rows) if mixture is None else mixture
    asked = FitSettings(mixture.n_components, covariance_type=mixture.family.name, **settings)
    return goodness_of_fit(mixture, MemoryRows(rows, weights), asked, n_replicates, seed)


@pytest.mark.parametrize(
    ("name", "draw", "words"),
    [
        ("exponential", lambda g, s: g.exponential(size=s), "trails off to high values of x"),
        ("turned exponential", lambda g, s: -g.exponential(size=s), "trails off to low values of x"),
        ("uniform", lambda g, s: g.uniform(-1.0, 1.0, size=s), "they end bluntly"),
        ("t with 3 degrees", lambda g, s: g.standard_t(3, size=s), "tails are heavy"),
        ("crescent", crescent, "These rows are not Gaussian groups"),
    ],
)
def test_groups_that_are_not_gaussian_are_told(name, draw, words):
    found = checked(two_groups(draw, apart=12.0))
    assert found.gaussian is False
    assert found.p_value <= 0.04
    assert found.sentence.startswith("These rows are not Gaussian groups (p = ")
    assert words in found.sentence
    assert found.n_replicates == 59


@pytest.mark.parametrize("n_features", [1, 2, 5])
def test_gaussian_groups_are_left_in_peace(n_features):
    found = checked(two_groups(normal, n_features=n_features, seed=3))
    assert found.gaussian is True
    assert found.sentence.startswith("Nothing here speaks against Gaussian groups (p = ")
    assert found.refit_gain < 0.01
    assert not found.outdated


def test_the_level_holds_for_gaussian_tables():
    """p is uniform, as far as 60 tables tell; the benchmark has more tables of more kinds."""
    p_values = []
    for seed in range(60):
        rows = np.random.default_rng(seed).normal(size=(40, 1))
        p_values.append(checked(rows, groups_of(rows, 1), n_replicates=39, seed=seed).p_value)
    assert kstest(p_values, "uniform").statistic < 1.63 / np.sqrt(60)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15


def test_an_analyst_is_told_of_skewed_groups():
    rows = two_groups(lambda g, s: g.lognormal(0.0, 0.6, size=s), apart=10.0, seed=1)
    model = GaussianMixture(2).fit(rows)
    found = model.check(rows, n_replicates=59)
    assert found.gaussian is False
    assert str(found) == found.sentence
    same = model.check(rows, n_replicates=59, random_state=0)
    assert same.sentence == found.sentence
    assert same.component_p_values.tolist() == found.component_p_values.tolist()
    assert {each.component for each in found.leaning} == {0, 1}


def test_one_of_the_two_tests_is_enough(faithful):
    """Short eruptions of Old Faithful are skewed, though as far from their mean as Gaussian ones."""
    found = checked(faithful, GaussianMixture(2).fit(faithful)._mixture())
    radial, shape = found.tests
    assert radial.p_value > 0.3
    assert shape.p_value <= 0.02
    assert found.p_value <= 0.04
    assert "component 1 trails off to high values of x1" in found.sentence


def test_the_component_that_is_wrong_is_named():
    rng = np.random.default_rng(5)
    away = np.array([12.0, 0.0])
    rows = np.r_[away + rng.normal(size=(100, 2)), rng.uniform(-1.0, 1.0, size=(100, 2)) ** 3]
    found = checked(rows)
    assert "component 1 differs most" in found.sentence
    assert found.component_p_values[0] <= 0.05 < found.component_p_values[1]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_every_covariance_model_can_be_checked(family):
    mixture = groups_of(rows := two_groups(normal, seed=6))
    mixture = Mixture(mixture.weights, mixture.means, family.from_matrices(mixture.matrices), family)
    found = checked(rows, mixture, n_replicates=39)
    assert found.p_value > 0.0
    assert found.n_failed == 0


def test_rounding_is_no_misfit():
    rows = two_groups(normal, seed=2).round(0) * 0.5 + 1e6
    found = checked(rows, n_replicates=99)
    assert found.gaussian is True
    assert found.steps == {"x1": 0.5, "x2": 0.5}
    assert "in steps of 0.5" in found.sentence


@pytest.mark.parametrize(
    ("column", "step"),
    [
        (np.random.default_rng(0).normal(size=300).round(1), 0.1),
        (5.0 * np.random.default_rng(1).poisson(10.0, 300), 5.0),
        (1e8 + np.random.default_rng(2).normal(size=300).round(1), 0.1),
        (np.random.default_rng(3).normal(size=300), 0.0),
        (np.repeat(np.random.default_rng(4).normal(size=30), 10), 0.0),
        (np.ones(300), 0.0),
    ],
)
def test_steps_are_found_where_there_are_any(column, step):
    steps = steps_of(column[:, None], np.ones(len(column)))
    assert steps.sizes[0] == pytest.approx(step, rel=1e-6)
    np.testing.assert_allclose(steps.rounded(column[:, None])[:, 0], column, rtol=1e-9, atol=1e-9)


def test_weights_are_counts_of_rows():
    rows = two_groups(normal, seed=7)[::4]
    weights = np.tile([1.0, 2.0], len(rows) // 2)
    mixture = groups_of(np.repeat(rows, weights.astype(int), axis=0))
    weighted, repeated = (
        misfit(mixture, rows, weights),
        misfit(mixture, np.repeat(rows, weights.astype(int), axis=0), np.ones(int(weights.sum()))),
    )
    assert weighted.radial == pytest.approx(repeated.radial, rel=1e-3)
    assert weighted.shape == pytest.approx(repeated.shape, rel=1e-10)
    assert weighted.outside == pytest.approx(repeated.outside, rel=1e-12)
    whole, twice = checked(rows, mixture, weights), checked(np.r_[rows, rows[1::2]], mixture)
    assert whole.p_value == pytest.approx(twice.p_value, abs=0.2)
    assert [t.statistic for t in whole.tests] == pytest.approx([t.statistic for t in twice.tests], rel=1e-3)
    copied = checked(np.repeat(rows, 5, axis=0), mixture)
    assert copied.gaussian is True
    assert "80.0% of the rows are exact copies of others, and count as one" in copied.sentence
    # Weights that add up to 1 cannot be counts: they are taken as if they were.
    light = checked(rows, mixture, np.full(len(rows), 1.0 / len(rows)))
    assert light.p_value == checked(rows, mixture).p_value
    absent = checked(np.r_[rows, rows[:1] + 1e3], mixture, np.r_[np.ones(len(rows)), 0.0])
    assert absent.n_rows == len(rows)


@pytest.mark.parametrize("seed", range(3))
def test_uneven_weights_are_no_misfit(seed):
    rows = two_groups(normal, seed=seed)
    weights = np.random.default_rng(seed).uniform(0.1, 5.0, len(rows))
    model = GaussianMixture(2).fit(rows, sample_weight=weights)
    assert model.check(rows, sample_weight=weights, n_replicates=59).gaussian is True


def test_a_histogram_says_what_its_rows_say():
    rng = np.random.default_rng(4)
    for draw, verdict in ((rng.normal, True), (rng.exponential, False)):
        rows = (5.0 * draw(size=600)).round()[:, None]
        values, counts = np.unique(rows, axis=0, return_counts=True)
        told = checked(values, groups_of(rows, 1), counts.astype(float))
        assert told.gaussian is verdict
        assert told.steps == {"x1": 1.0}
        assert checked(rows, groups_of(rows, 1)).gaussian is verdict


def test_groups_narrower_than_their_steps_cannot_be_told():
    rows = np.repeat([[0.0], [1.0]], 50, axis=0)
    mixture = Mixture([0.5, 0.5], [[0.0], [1.0]], np.full((2, 1, 1), 1e-4), FULL)
    assert "the steps in which x1 was recorded are wider than a group" in checked(rows, mixture).sentence


def test_large_tables_are_sampled_and_say_so():
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(30_000, 2))
    rows[::4, 0] += 6.0
    found = checked(rows, Mixture([0.75, 0.25], [[0.0, 0.0], [6.0, 0.0]], np.array([np.eye(2)] * 2), FULL))
    assert found.n_tested == 2000
    assert found.component_p_values.min() > 0.1
    assert found.gaussian is True
    assert "Tested on 2,000 of 30,000 rows" in found.sentence


def test_rows_that_are_elsewhere_are_named():
    rows = two_groups(normal, seed=9)
    found = checked(rows + 1.5, groups_of(rows), n_replicates=39)
    assert found.gaussian is True
    assert found.outdated
    assert "The groups are not where the mixture says" in found.sentence


def test_noise_takes_part():
    rng = np.random.default_rng(10)
    rows = np.r_[two_groups(normal, seed=10), rng.uniform(-10.0, 20.0, size=(20, 2))]
    noise = Noise(0.09, np.full(2, -10.0), 30.0 * np.eye(2))
    mixture = Mixture([0.455, 0.455], [[0.0, 0.0], [8.0, 0.0]], np.array([np.eye(2), np.eye(2)]), FULL, noise)
    found = checked(rows, mixture, noise=True)
    assert found.gaussian is True
    assert found.outside == pytest.approx(0.05, abs=0.04)


@pytest.mark.parametrize(
    ("rows", "n_components", "words"),
    [
        (np.arange(6.0)[:, None], 1, "6 rows are too few for 2 parameters"),
        (np.random.default_rng(0).normal(size=(10, 2)), 2, "10 rows are too few for 11 parameters"),
        (np.c_[np.random.default_rng(0).normal(size=50), np.ones(50)], 1, "they do not vary at all"),
    ],
)
def test_what_cannot_be_told_is_said(rows, n_components, words):
    n_features = rows.shape[1]
    means = np.linspace(0.0, 1.0, n_components)[:, None] * np.ones(n_features)
    mixture = Mixture(
        np.full(n_components, 1.0 / n_components), means, np.array([np.eye(n_features)] * n_components), FULL
    )
    found = checked(rows, mixture)
    assert found.gaussian is None
    assert found.p_value is None
    assert found.sentence.startswith("Whether these rows are Gaussian groups cannot be told: ")
    assert words in found.sentence
    assert found.as_json()["tests"] == []


def test_nasty_mixtures_are_checked_like_any_other():
    rows = two_groups(normal, seed=11)
    plain = checked(rows, n_replicates=39)
    for scales, origin in (([1e-12, 1e12], 0.0), ([1.0, 1.0], 1e8)):
        found = checked(rows * scales + origin, n_replicates=39)
        assert [test.p_value for test in found.tests] == [test.p_value for test in plain.tests]
    halves = groups_of(rows)
    emptied = Mixture(
        [0.5, 0.5, 0.0], np.r_[halves.means, [[50.0, 0.0]]], np.r_[halves.covariances, [np.eye(2)]], FULL
    )
    assert checked(rows, emptied, n_replicates=39, prior="none").component_p_values[2] == 1.0
    assert checked(np.r_[rows, [[1e6, 0.0]]], halves).gaussian is False
    twins = groups_of(rows, 1)
    twins = Mixture(
        [0.5, 0.5], np.repeat(twins.means, 2, axis=0), np.repeat(twins.covariances, 2, axis=0), FULL
    )
    assert checked(rows, twins, n_replicates=39).gaussian is False


@pytest.mark.parametrize("n_replicates", [0, 38, 2.5, "many", True])
def test_too_few_replicates_are_refused(n_replicates):
    with pytest.raises(SettingsError, match="n_replicates must be"):
        checked(two_groups(normal), n_replicates=n_replicates)


def test_radial_misfit_is_cramer_and_von_mises_statistic():
    rows = np.random.default_rng(12).normal(size=(40, 1))
    mixture = Mixture([1.0], [[0.0]], [[[1.0]]], FULL)
    levels = 2.0 * norm.cdf(np.abs(rows[:, 0])) - 1.0
    found = misfit(mixture, rows, np.ones(40))
    assert found.radial == pytest.approx(cramervonmises(levels, "uniform").statistic, rel=1e-12)
    assert found.radial_of_each[0] == found.radial
    assert found.outside == (np.abs(rows) > norm.isf(0.025)).mean()


def test_energy_distance_equals_its_integral():
    """In one dimension it is twice the integral of the squared difference of distribution functions."""
    places = np.sort(np.random.default_rng(13).normal(0.5, 1.2, size=9))
    shares = np.random.default_rng(14).dirichlet(np.ones(9))
    below = np.r_[0.0, np.cumsum(shares)]
    cuts = [-12.0, *places, 12.0]
    integral = sum(
        mpmath.quad(lambda x, level=level: (mpmath.ncdf(x) - level) ** 2, [low, high])
        for level, low, high in zip(below, cuts[:-1], cuts[1:], strict=True)
    )
    assert energy_from_normal(places[:, None], shares) == pytest.approx(2.0 * float(integral), rel=1e-9)


@pytest.mark.parametrize("n_features", [1, 3, 100, 101, 1000])
def test_mean_distances_equal_the_confluent_function(n_features):
    for square in (0.0, 1.0, 50.0, 3000.0):
        with mpmath.workdps(30):
            half = mpmath.mpf(n_features) / 2
            scale = mpmath.sqrt(2) * mpmath.gammaprod([half + 0.5], [half])
            expected = float(scale * mpmath.hyp1f1(-0.5, half, -mpmath.mpf(square) / 2))
        assert mean_distance(np.array([square]), n_features)[0] == pytest.approx(expected, rel=2e-7)


def test_lopsidedness_of_an_exponential_is_what_its_quantiles_say():
    rows = np.random.default_rng(15).exponential(size=(20_000, 1))
    mixture = Mixture([1.0], [[1.0]], [[[1.0]]], FULL)
    found, counts = lopsidedness(mixture, rows, np.ones(len(rows)))
    low, middle, high = -np.log([0.95, 0.5, 0.05])
    assert found[0, 0] == pytest.approx((high + low - 2.0 * middle) / (high - low), abs=0.02)
    assert counts[0] == pytest.approx(20_000)
