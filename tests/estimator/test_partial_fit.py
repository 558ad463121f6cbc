"""``partial_fit``: what an estimator shows of a stream, and what it refuses."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from batchwise import (
    MEANS,
    Streaming,
    batches,
    distance,
    drawn,
    learn,
    numbers,
    streamed,
)
from gaussmix import GaussianMixture, load
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import ComponentWarning, DataError, DataWarning, SettingsError
from gaussmix.learning import stream as streams
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.stepwise import Pace
from gaussmix.learning.stream import taken


@pytest.fixture
def short_start(monkeypatch):
    """Few first rows, so that most are learnt stepwise."""
    monkeypatch.setattr(streams, "AT_LEAST", 600)
    monkeypatch.setattr(streams, "ENOUGH", 1)


def test_rows_are_collected_until_they_are_enough():
    rows = drawn(100)
    model = Streaming(3)
    assert model.partial_fit(rows[:30]) is model
    assert model.n_features_in_ == 2
    assert not hasattr(model, "means_")
    with pytest.raises(NotFittedError, match="30 rows in 1 batch: a first mixture needs 60 rows"):
        model.predict(rows)
    model.partial_fit(rows[30:59])
    with pytest.raises(NotFittedError, match="59 rows"):
        model.predict(rows)
    model.partial_fit(rows[59:60])
    # The first mixture is that of a fit.
    np.testing.assert_array_equal(model.means_, GaussianMixture(3).fit(rows[:60]).means_)
    assert model.predict(rows).shape == (100,)


def test_the_first_rows_are_searched_again_as_they_double():
    rows = drawn(480, seed=2)
    model = Streaming(3)
    for part in batches(rows, 60):
        model.partial_fit(part)
        seen = model.n_samples_seen_
        if seen in (60, 120, 240, 480):
            whole = GaussianMixture(3).fit(rows[:seen])
            np.testing.assert_array_equal(model.means_, whole.means_)
            np.testing.assert_array_equal(model.covariances_, whole.covariances_)


def test_first_rows_that_say_nothing_are_waited_out():
    model = Streaming(2)
    model.partial_fit(np.zeros((50, 2)))
    with pytest.raises(NotFittedError, match="needs 100 rows"):
        model.predict([[0.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ComponentWarning)
        model.partial_fit(drawn(300))
    assert np.isfinite(model.means_).all()


def test_an_array_may_be_filled_again_with_the_next_batch():
    rows, room = drawn(300), np.empty((50, 2))
    one, other = Streaming(2), Streaming(2)
    for part in batches(rows, 50):
        room[:] = part
        one.partial_fit(room)
        other.partial_fit(part)
    np.testing.assert_array_equal(one.means_, other.means_)


def test_a_refused_batch_changes_nothing(short_start):
    model = streamed(batches(drawn(1_000), 250))
    before = numbers(model._mixture())
    spoiled = drawn(10)
    spoiled[3, 1] = np.nan
    with pytest.raises(DataError, match="row 3"):
        model.partial_fit(spoiled)
    with pytest.raises(ValueError, match="X has 1 features, but Streaming is expecting 2"):
        model.partial_fit(spoiled[:, :1])
    with pytest.raises(DataError, match="zero for every row"):
        model.partial_fit(drawn(10), sample_weight=np.zeros(10))
    np.testing.assert_array_equal(numbers(model._mixture()), before)
    assert model.n_samples_seen_ == 1_000


def test_the_same_stream_gives_the_same_bits_on_any_number_of_threads(short_start):
    parts = batches(drawn(4_000), 700)
    one, other = (streamed(parts, n_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(numbers(one._mixture()), numbers(other._mixture()))


@pytest.mark.parametrize("when", [1, 4], ids=["among the first rows", "later"])
def test_a_pickled_stream_goes_on_to_the_same_bits(when, short_start):
    parts = batches(drawn(2_000), 250)
    whole, half = streamed(parts), streamed(parts[:when])
    half = pickle.loads(pickle.dumps(half))
    learn(half, parts[when:])
    np.testing.assert_array_equal(numbers(half._mixture()), numbers(whole._mixture()))


def test_a_clone_begins_anew(short_start):
    model = streamed(batches(drawn(1_000), 250))
    again = clone(model)
    assert not hasattr(again, "stream_")
    assert not hasattr(again, "means_")


def test_fit_begins_anew_and_the_stream_goes_on_from_it(short_start):
    rows = drawn(6_000)
    model = streamed(batches(rows + 50.0, 500), means_init=MEANS + 50.0)
    model.set_params(means_init=MEANS).fit(rows[:3_000])
    fitted = model._mixture()
    np.testing.assert_array_equal(fitted.means, GaussianMixture(3, means_init=MEANS).fit(rows[:3_000]).means_)
    assert not hasattr(model, "n_samples_seen_")
    assert hasattr(model, "labels_")
    learn(model, batches(rows[3_000:], 500))
    assert model.n_samples_seen_ == 6_000
    for name in ("labels_", "outcome_", "converged_", "lower_bound_", "lower_bounds_", "search_"):
        assert not hasattr(model, name)
    whole = GaussianMixture(3, means_init=MEANS).fit(rows)._mixture()
    assert distance(model._mixture(), whole) < 0.8 * distance(fitted, whole)


def test_a_warm_start_is_where_the_stream_has_come_to(short_start):
    rows = drawn(3_000)
    model = streamed(batches(rows, 300), warm_start=True)
    model.fit(rows)
    assert model.n_iter_ < 200
    assert model.lower_bound_ == pytest.approx(GaussianMixture(3).fit(rows).lower_bound_, abs=1e-6)


@pytest.mark.parametrize(
    "other", [{"n_components": 2}, {"covariance_type": "diag"}, {"noise": True}], ids=str
)
def test_a_stream_goes_on_as_it_began(other, short_start):
    model = streamed(batches(drawn(1_000), 250))
    name = next(iter(other))
    with pytest.raises(SettingsError, match=f"begin a new one with {name}="):
        model.set_params(means_init=None, **other).partial_fit(drawn(100))


def test_a_saved_stream_reads_back_as_a_mixture(tmp_path, short_start):
    model = streamed(batches(drawn(1_000), 250))
    model.save(tmp_path / "stream.json")
    back = load(tmp_path / "stream.json")
    np.testing.assert_array_equal(back.means_, model.means_)
    stranger = Streaming(3)
    stranger._set_mixture(model._mixture())
    with pytest.raises(SettingsError, match="fit it first"):
        stranger.partial_fit(drawn(100))
    assert "<" in model._repr_html_()


def test_what_is_said_of_first_rows_is_said_once(short_start):
    parts = [np.column_stack([part, np.ones(len(part))]) for part in batches(drawn(1_500), 100)]
    with pytest.warns(DataWarning, match="constant") as caught:
        model = learn(Streaming(2), parts)
    assert len([w for w in caught if issubclass(w.category, DataWarning)]) == 1
    # A column that begins to vary is learnt.
    rng = np.random.default_rng(0)
    for part in batches(drawn(6_000, seed=3), 300):
        model.partial_fit(np.column_stack([part, 1.0 + rng.normal(size=300)]))
    assert (np.diagonal(model.covariances_, axis1=1, axis2=2)[:, 2] > 0.2).all()


def test_the_state_is_never_changed_in_place(short_start):
    settings, pace = FitSettings(3), Pace()
    begun = taken(None, MemoryRows(drawn(1_000)), settings, pace)
    before = pickle.dumps(replace(begun))
    taken(begun, MemoryRows(drawn(500, seed=1)), settings, pace)
    assert pickle.dumps(replace(begun)) == before
