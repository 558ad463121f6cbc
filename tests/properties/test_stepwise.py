"""Stepwise EM: batches that are learnt and forgotten lead to where EM on all rows leads."""

import pickle
import warnings

import numpy as np
import pytest

from batchwise import (
    MEANS,
    SHAPES,
    WEIGHTS,
    Streaming,
    batches,
    distance,
    drawn,
    learn,
    numbers,
    start_of,
    streamed,
)
from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import ComponentWarning, SettingsError
from gaussmix.learning import stream as streams
from gaussmix.learning.prepare import prepare
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings, GivenStart
from gaussmix.learning.stepwise import Averages, Pace
from gaussmix.learning.stream import taken
from gaussmix.model.covariances import FAMILIES
from gaussmix.model.maximise import MStep, maximise
from gaussmix.model.mixture import Mixture


@pytest.fixture
def short_start(monkeypatch):
    """Few first rows, so that most are learnt stepwise."""
    monkeypatch.setattr(streams, "AT_LEAST", 600)
    monkeypatch.setattr(streams, "ENOUGH", 1)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
@pytest.mark.parametrize("prior", ["weak", "none"])
def test_a_step_of_1_is_a_step_of_em(family, prior):
    before, rows = MemoryRows(drawn(300)), MemoryRows(drawn(400, seed=1))
    mixture = start_of(family, before)
    step = prepare(rows, FitSettings(3, family.name, prior=prior))
    statistics = rows.expected_statistics(mixture)
    averages = Averages.begin(mixture, before.expected_statistics(mixture))
    found = averages.mixed(statistics, 1.0, 1.0).climbed(step)
    wanted = maximise(statistics, mixture, step)
    for one in (found.mixture, found.mixture_along(step)):
        np.testing.assert_allclose(one.weights, wanted.weights, rtol=1e-12)
        np.testing.assert_allclose(one.means, wanted.means, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.mixture.matrices, wanted.matrices, rtol=1e-10, atol=1e-12)
    assert found.effective_weight == pytest.approx(400.0)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
@pytest.mark.parametrize("offset", [0.0, 2.0**27])
def test_averages_are_those_of_the_rows_about_the_new_means(family, offset):
    """An oracle that has all rows at once: each keeps the responsibilities of when it was seen."""
    parts = [np.round(drawn(200, seed), 3) + offset for seed in range(3)]
    mixture = start_of(family, MemoryRows(parts[0]))
    averages, seen, shares = None, [], []
    counted = np.array([1.0])
    for part, share in zip(parts, (None, 0.3, 0.2), strict=True):
        rows = MemoryRows(part)
        seen.append(part)
        shares.append(mixture.shares(part))
        statistics = rows.expected_statistics(mixture)
        if share is None:
            averages = Averages.begin(mixture, statistics)
        else:
            averages = averages.mixed(statistics, share, 0.5)
            counted = np.append(counted * (1.0 - share), share)
        averages = averages.climbed(MStep.plain(2))
        mixture = averages.mixture
    weights = np.repeat(counted / 200.0, 200)
    rows = MemoryRows(np.concatenate(seen), weights)
    wanted = rows.given_statistics(np.concatenate(shares), mixture.means, family.scatter).sums
    found = averages.latest.sums
    assert found.row_weight == pytest.approx(1.0)
    np.testing.assert_allclose(found.counts, wanted.counts, rtol=1e-12)
    np.testing.assert_allclose(found.offsets, wanted.offsets, atol=1e-10 if offset == 0.0 else 1e-7)
    np.testing.assert_allclose(found.scatter, wanted.scatter, atol=1e-10 if offset == 0.0 else 1e-7)
    effective = wanted.counts**2 / (weights[:, None] ** 2 * np.concatenate(shares) ** 2).sum(axis=0)
    held = wanted.counts / (weights**2).sum()
    np.testing.assert_allclose(averages.effective_rows, np.minimum(effective, held), rtol=1e-10)
    assert averages.effective_weight == pytest.approx(1.0 / (weights**2).sum())


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_a_fitted_mixture_stands_for_its_rows(family):
    """Statistics made up from parameters give those parameters back."""
    mixture = start_of(family, MemoryRows(drawn(300)))
    back = Averages.of_mixture(mixture, 300.0).climbed(MStep.plain(2)).mixture
    np.testing.assert_allclose(numbers(back), numbers(mixture), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.55, 0.6, 0.8, 1.0])
def test_steps_do_not_depend_on_how_a_stream_is_cut(alpha):
    pace = Pace(alpha)
    whole = pace.share(300.0, 500.0, 100.0)
    kept = 1.0
    for seen, weight in ((300.0, 1.0), (301.0, 99.0), (400.0, 400.0)):
        kept *= 1.0 - pace.share(seen, weight, 100.0)
    assert 1.0 - kept == pytest.approx(whole, rel=1e-12)
    # Below a unit all rows count alike, and with alpha = 1 for ever.
    assert pace.share(60.0, 20.0, 100.0) == pytest.approx(0.25)
    assert Pace(1.0).share(6000.0, 2000.0, 100.0) == pytest.approx(0.25)


@pytest.mark.parametrize("alpha", [0.55, 0.6, 0.8, 1.0])
def test_batches_of_one_unit_take_the_steps_of_cappe_and_moulines(alpha):
    n = np.array([10.0, 100.0, 1000.0])
    found = [Pace(alpha).share(100.0 * before, 100.0, 100.0) for before in n]
    np.testing.assert_allclose(found, n**-alpha, rtol=0.15)
    np.testing.assert_allclose(found[-1], n[-1] ** -alpha, rtol=0.02)


@pytest.mark.parametrize(
    "wrong", [{"alpha": 0.5}, {"alpha": 1.1}, {"alpha": "0.6"}, {"half_life": 0.0}, {"half_life": np.inf}]
)
def test_a_pace_without_meaning_is_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Pace(**wrong)


# Where it leads.


def test_it_comes_as_close_to_the_fit_of_all_rows_as_sampling_errors(short_start):
    """Root mean squares over seeds; the fit of all rows is as far from the truth as sampling puts it."""
    apart, errors = {}, {}
    for n_rows in (8_000, 32_000):
        found = []
        for seed in range(6):
            rows = drawn(n_rows, seed)
            stream = streamed(batches(rows, 500))._mixture()
            whole = search(MemoryRows(rows), FitSettings(3, given=GivenStart(WEIGHTS, MEANS, SHAPES))).mixture
            truth = Mixture(WEIGHTS, MEANS, SHAPES, whole.family)
            found.append((distance(stream, whole), distance(whole, truth), distance(stream, truth)))
        squares = np.mean(np.square(found), axis=0)
        apart[n_rows], errors[n_rows] = np.sqrt(squares[0]), np.sqrt(squares[1:])
    # Weights that rise along the way cost 1/3 of the sampling variance at most: 0.58 of its root.
    for n_rows in apart:
        own, stream = errors[n_rows]
        assert apart[n_rows] < 0.8 * own
        assert stream < 1.4 * own
    # Four times the rows, half the distance.
    assert apart[32_000] < 0.65 * apart[8_000]


def test_averaging_over_the_way_comes_closer(short_start):
    rows = drawn(20_000, seed=3)
    whole = search(MemoryRows(rows), FitSettings(3, given=GivenStart(WEIGHTS, MEANS, SHAPES))).mixture
    settings = FitSettings(3, given=GivenStart(means=MEANS))
    apart = []
    for averaging in (True, False):
        stream = None
        for part in batches(rows, 500):
            stream = taken(stream, MemoryRows(part), settings, Pace(averaging=averaging))
        apart.append(distance(stream.mixture, whole))
    assert apart[0] < 0.5 * apart[1]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_every_covariance_model_follows_its_own_fit(family, short_start):
    rows = drawn(4_000)
    stream = streamed(batches(rows, 400), covariance_type=family.name)
    whole = GaussianMixture(3, means_init=MEANS, covariance_type=family.name).fit(rows)
    assert whole.lower_bound_ - 0.003 < stream.score(rows) < whole.lower_bound_ + 1e-6
    mixture = stream._mixture()
    # Still of its family: the nearest of it is itself.
    nearest = family.matrices(family.from_matrices(mixture.matrices), 3, 2)
    np.testing.assert_allclose(nearest, mixture.matrices, rtol=1e-6, atol=1e-6)


def test_tables_far_from_the_origin_come_out_the_same(short_start):
    # Sums of a grid and a power of two are exact.
    rows = np.round(drawn(3_000) * 1024) / 1024
    offset = 2.0**27
    here = streamed(batches(rows, 300))._mixture()
    there = streamed([part + offset for part in batches(rows, 300)], means_init=MEANS + offset)._mixture()
    np.testing.assert_allclose(there.means - offset, here.means, atol=1e-6)
    np.testing.assert_allclose(there.weights, here.weights, rtol=1e-6)
    np.testing.assert_allclose(there.covariances, here.covariances, rtol=1e-6, atol=1e-6)


def test_units_and_directions_of_the_full_model_do_not_matter(short_start):
    rows, turn = drawn(3_000), np.array([[1e-9, 2e-9], [-3e6, 1e6]])
    here = streamed(batches(rows, 300), tol=1e-14)._mixture()
    turned = [part @ turn.T for part in batches(rows, 300)]
    there = streamed(turned, means_init=MEANS @ turn.T, tol=1e-14)._mixture()
    back = np.linalg.inv(turn)
    np.testing.assert_allclose(there.weights, here.weights, rtol=1e-6)
    np.testing.assert_allclose(there.means @ back.T, here.means, atol=1e-6)
    np.testing.assert_allclose(back @ there.covariances @ back.T, here.covariances, atol=1e-6)


def test_weights_are_copies(short_start):
    counts = np.random.default_rng(5).integers(0, 3, 3_000)
    rows = drawn(3_000)
    one, other = (Streaming(3, means_init=MEANS, tol=1e-14) for _ in range(2))
    # The first batch is enough for both to let it go.
    for part in [slice(0, 1_000), *(slice(i, i + 200) for i in range(1_000, 3_000, 200))]:
        one.partial_fit(rows[part], sample_weight=counts[part])
        other.partial_fit(np.repeat(rows[part], counts[part], axis=0))
    assert one.stream_.extent.row_weight == other.stream_.extent.row_weight == counts.sum()
    assert one.n_samples_seen_ == (counts > 0).sum()
    np.testing.assert_allclose(numbers(one._mixture()), numbers(other._mixture()), rtol=1e-5, atol=1e-7)


def test_weights_are_copies_to_the_last_digits_once_the_first_rows_are_gone():
    first, batch = MemoryRows(drawn(500)), drawn(150, seed=1)
    counts = np.random.default_rng(5).integers(0, 4, 150)
    settings = FitSettings(3)
    begun = streams.stream_after(search(first, settings), first, settings)
    for pace in (Pace(), Pace(half_life=300.0)):
        one = taken(begun, MemoryRows(batch, counts), settings, pace)
        other = taken(begun, MemoryRows(np.repeat(batch, counts, axis=0)), settings, pace)
        np.testing.assert_allclose(numbers(one.mixture), numbers(other.mixture), rtol=1e-10, atol=1e-12)
        assert one.mean_log_likelihood == pytest.approx(other.mean_log_likelihood, rel=1e-12)


def test_a_half_life_follows_a_drift(short_start):
    n_rows = 12_000
    rng, apart = np.random.default_rng(0), 4.0 * MEANS
    rows = apart[rng.choice(3, n_rows, p=WEIGHTS)] + rng.normal(size=(n_rows, 2))
    parts = batches(rows + np.linspace(0.0, 6.0, n_rows)[:, None], 200)
    follows = streamed(parts, means_init=apart, half_life=400.0)
    lags = streamed(parts, means_init=apart)
    # The mean age of what is remembered is half_life / log 2 rows, 577, in which the means move by 0.29.
    # Of as many rows twice over, 1154, the lightest component has 231: a standard error of 0.07.
    assert np.abs(follows.means_ - (apart + 6.0 - 0.29)).max() < 0.22
    assert np.abs(lags.means_ - (apart + 6.0 - 0.29)).max() > 0.6


def test_single_precision_rows_are_learnt_in_doubles(short_start):
    rows = drawn(2_000).astype(np.float32)
    one = streamed(batches(rows, 250))._mixture()
    other = streamed(batches(rows.astype(np.float64), 250))._mixture()
    np.testing.assert_allclose(numbers(one), numbers(other), rtol=1e-6, atol=1e-6)


def test_batches_of_any_size_lead_to_the_same_place(short_start):
    rows = drawn(6_000)
    whole = GaussianMixture(3, means_init=MEANS).fit(rows)._mixture()
    sampling = distance(whole, Mixture(WEIGHTS, MEANS, SHAPES, whole.family))
    for size in (64, 999, 5_000):
        model = streamed(batches(rows, size))
        assert model.n_samples_seen_ == 6_000
        assert distance(model._mixture(), whole) < sampling


def test_single_rows_are_learnt(short_start):
    rows = drawn(1_000)
    model = streamed([rows[:700]])
    before = model._mixture()
    for row in rows[700:]:
        model.partial_fit(row[None])
        assert np.isfinite(numbers(model._mixture())).all()
    assert model.n_samples_seen_ == 1_000
    assert model.n_iter_ == 300
    assert 0.0 < distance(model._mixture(), before) < 0.5
    # One row moves little.
    before = model._mixture()
    model.partial_fit(rows[:1])
    assert 0.0 < distance(model._mixture(), before) < 0.02


def test_a_sorted_batch_is_no_drift(short_start):
    rows = drawn(8_000)
    model = streamed([rows[:1_000], *(part[np.argsort(part[:, 0])] for part in batches(rows[1_000:], 3_500))])
    whole = GaussianMixture(3, means_init=MEANS).fit(rows)._mixture()
    assert distance(model._mixture(), whole) < distance(whole, Mixture(WEIGHTS, MEANS, SHAPES, whole.family))


def test_one_component_is_the_mean_of_all_rows(short_start):
    rows = drawn(4_000)
    model = learn(Streaming(1), batches(rows, 500))
    np.testing.assert_allclose(model.means_[0], rows.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(model.covariances_[0], np.cov(rows.T), atol=0.2)


def test_steps_of_equal_weight_give_one_component_the_exact_mean(short_start):
    """With alpha = 1 and nothing to share out, averages are those of all rows."""
    rows = drawn(2_000)
    settings = FitSettings(1)
    stream = None
    # The last is learnt in three steps.
    for part in np.split(rows, [700, 701, 800]):
        stream = taken(stream, MemoryRows(part), settings, Pace(1.0, averaging=False))
    wanted = search(MemoryRows(rows), settings).mixture
    np.testing.assert_allclose(numbers(stream.mixture), numbers(wanted), rtol=1e-9, atol=1e-12)


def test_noise_is_followed(short_start):
    rng = np.random.default_rng(0)
    scattered = rng.uniform(-20.0, 20.0, size=(600, 2))
    rows = rng.permutation(np.concatenate([drawn(5_400), scattered]))
    model = streamed(batches(rows, 300), noise=True)
    assert model.noise_.weight == pytest.approx(0.1, abs=0.02)
    assert model.weights_.sum() + model.noise_.weight == pytest.approx(1.0, rel=1e-12)
    assert model.predict([[15.0, -15.0], [0.0, 0.0]]).tolist() == [-1, 0]


def test_ties_are_kept(short_start):
    rows = drawn(3_000)
    model = streamed(batches(rows, 300), hold={"means": [0]}, equal_weights=True)
    np.testing.assert_array_equal(model.means_[0], MEANS[0])
    np.testing.assert_allclose(model.weights_, 1.0 / 3.0, rtol=1e-12)
    free = streamed(batches(rows, 300), share={"covariances": [[0, 2]]})
    np.testing.assert_allclose(free.covariances_[0], free.covariances_[2], rtol=1e-12)


@pytest.mark.parametrize("prior", ["weak", "conjugate", None])
def test_a_component_that_starves_is_named(prior, short_start):
    rng, apart = np.random.default_rng(0), 4.0 * MEANS
    labels = rng.choice(3, 4_000, p=WEIGHTS)
    rows = apart[labels] + rng.normal(size=(4_000, 2))
    model = streamed([rows[:1_000]], means_init=apart, prior=prior)
    with pytest.warns(ComponentWarning, match="Component 2 starves") as caught:
        learn(model, batches(rows[labels != 1], 200), half_life=100.0)
    # Said once.
    assert len(caught) == 1
    assert np.isfinite(numbers(model._mixture())).all()
    assert "Component 2 starves" in str(model.stream_)
    if prior == "conjugate":
        # Which draws it to the middle, where its rows do not come back to.
        return
    # Rows that come back feed it again.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ComponentWarning)
        learn(model, batches(rows, 200), half_life=1_000.0)
    assert not model.stream_.doubts
    np.testing.assert_allclose(model.means_, apart, atol=0.2)


def test_a_collapse_stops_the_mixture_but_not_the_stream(short_start):
    model = streamed([drawn(1_000)], prior=None)
    spike = np.full((50, 2), 4.0)
    with pytest.warns(ComponentWarning) as caught:
        learn(model, [spike] * 200, half_life=10.0)
    assert any("use prior='weak'" in str(warning.message) for warning in caught)
    assert np.isfinite(numbers(model._mixture())).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ComponentWarning)
        learn(model, batches(drawn(2_000, seed=4), 200), half_life=100.0)
    assert not any(doubt.trouble == "collapsed" for doubt in model.stream_.doubts)


# What it says.


def test_batches_are_scored_before_they_are_learnt(short_start):
    rows = drawn(2_000)
    model = streamed([rows[:700]])
    assert model.stream_.mean_log_likelihood is None
    scores = []
    for part in batches(rows[700:], 300):
        scores.append(model.score(part) * len(part))
        model.partial_fit(part, half_life=2_000.0)
    assert model.stream_.mean_log_likelihood == pytest.approx(sum(scores) / 1_300, rel=1e-12)
    assert "2,000 rows in 6 batches, 5 steps; mean log-likelihood of the latest 5 batches" in str(
        model.stream_
    )


def test_memory_does_not_grow(short_start):
    model = streamed(batches(drawn(700), 100))
    sizes = set()
    for part in batches(drawn(30_000, seed=1), 1_000):
        model.partial_fit(part)
        sizes.add(len(pickle.dumps(model)) // 1024)
    assert max(sizes) <= min(sizes) + 1 <= 12
