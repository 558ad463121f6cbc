"""An estimator that is fitted, fed, copied, saved and changed in any order, and never answers nonsense."""

import pickle
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import gaussmix
from gaussmix import GaussianMixture
from gaussmix.errors import GaussmixError
from gaussmix.model.covariances import FAMILIES

PARAMETERS = {
    "n_components": st.integers(1, 4),
    "covariance_type": st.sampled_from([family.name for family in FAMILIES]),
    "tol": st.sampled_from([0.0, 1e-9, 1e-3]),
    "max_iter": st.sampled_from([0, 1, 30]),
    "n_init": st.sampled_from([1, 2]),
    "init_params": st.sampled_from(["kmeans", "k-means++", "random", "random_from_data"]),
    "prior": st.sampled_from(["weak", "conjugate", None]),
    "noise": st.booleans(),
    "equal_weights": st.booleans(),
    "warm_start": st.booleans(),
    "trace": st.booleans(),
    "acceleration": st.sampled_from(["auto", None]),
    "random_state": st.integers(0, 5),
    # Without meaning: to be refused at the next fit, and to harm nothing before it.
    "reg_covar": st.sampled_from([0.0, 0.0, 0.0, 1e-6, -1.0]),
}
changes = st.fixed_dictionaries({}, optional=PARAMETERS)
tables = st.tuples(
    st.integers(0, 30), st.integers(1, 40), st.sampled_from([1, 2, 2, 2, 3]), st.integers(0, 3)
)


def table_of(recipe):
    seed, n_rows, n_features, decimals = recipe
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_rows, n_features)) + 5.0 * rng.integers(0, 2, (n_rows, 1))
    return np.round(rows, decimals) if decimals < 3 else rows


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("weights_", "means_", "covariances_", "precisions_cholesky_")
    )


class Life(RuleBasedStateMachine):
    """What a user may do to one estimator."""

    @initialize(asked=changes)
    def begin(self, asked):
        self.model = GaussianMixture(n_init=1, max_iter=30).set_params(**asked)
        self.folder = tempfile.TemporaryDirectory()

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @property
    def fitted(self):
        return hasattr(self.model, "means_")

    def tried(self, act, width=None):
        """Whether it went well; all else are errors of gaussmix, which leave the last answer as it was."""
        before = pickle.dumps(self.model) if self.fitted else None
        known = getattr(self.model, "n_features_in_", width)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                act()
            except GaussmixError as error:
                refusal, wrong_width = str(error), False
            except ValueError as error:
                # scikit-learn's own words for rows of another width, where a model goes on.
                refusal = str(error)
                wrong_width = True
            else:
                return True
        assert not wrong_width or (width not in (None, known) and "features" in refusal)
        assert len(refusal.split()) > 2
        if before is not None:
            assert same(pickle.loads(before), self.model)
        return False

    @rule(recipe=tables, weighted=st.booleans())
    def fit(self, recipe, weighted):
        rows = table_of(recipe)
        weights = np.arange(len(rows)) % 3 if weighted else None
        if self.tried(lambda: self.model.fit(rows, sample_weight=weights)):
            assert self.model.labels_.shape == (len(rows),)
            assert np.array_equal(self.model.labels_, self.model.predict(rows))
            assert np.isfinite(self.model.lower_bound_)
            if not self.model.warm_start:
                self.same_again(lambda model: model.fit(rows, sample_weight=weights))

    @rule(recipe=tables, n_batches=st.integers(1, 3))
    def partial_fit(self, recipe, n_batches):
        for batch in np.array_split(table_of(recipe), n_batches):
            if len(batch):
                self.tried(lambda batch=batch: self.model.partial_fit(batch), recipe[2])

    @rule(recipe=tables)
    def fit_rows(self, recipe):
        rows = gaussmix.rows(table_of(recipe)) if recipe[1] > 0 else None
        if self.tried(lambda: self.model.fit_rows(rows)):
            assert not hasattr(self.model, "n_samples_seen_")
            assert np.isfinite(self.model.score_rows(rows))

    @rule(asked=changes)
    def set_params(self, asked):
        before = pickle.loads(pickle.dumps(self.model)) if self.fitted else None
        self.model.set_params(**asked)
        assert {name: self.model.get_params()[name] for name in asked} == asked
        assert before is None or same(before, self.model)

    @rule()
    def copied(self):
        copy = clone(self.model)
        assert copy.get_params() == self.model.get_params()
        with pytest.raises(NotFittedError):
            copy.predict([[0.0]])

    @rule()
    def pickled(self):
        copy = pickle.loads(pickle.dumps(self.model))
        assert copy.get_params() == self.model.get_params()
        if self.fitted:
            rows = self.some_rows()
            assert np.array_equal(copy.predict_proba(rows), self.model.predict_proba(rows))
        # Whichever of the two goes on, it goes on from the same place.
        self.model = copy

    @precondition(lambda self: self.fitted)
    @rule(goes_on=st.booleans())
    def saved_and_loaded(self, goes_on):
        path, rows = Path(self.folder.name) / "model.json", self.some_rows()
        self.model.save(path)
        loaded = gaussmix.load(path)
        assert same(loaded, self.model)
        assert np.array_equal(loaded.score_samples(rows), self.model.score_samples(rows))
        assert np.array_equal(loaded.predict(rows), self.model.predict(rows))
        if goes_on:
            self.model = loaded

    @precondition(lambda self: self.fitted)
    @rule(seed=st.integers(0, 5))
    def sampled(self, seed):
        self.model.set_params(random_state=seed)
        rows, labels = self.model.sample(7)
        assert rows.shape == (7, self.model.n_features_in_)
        assert labels.shape == (7,)
        assert np.array_equal(rows, self.model.sample(7)[0])

    @precondition(lambda self: self.fitted)
    @rule(n_features=st.integers(1, 4))
    def rows_of_another_width(self, n_features):
        if n_features != self.model.n_features_in_:
            with pytest.raises(ValueError, match="features"):
                self.model.predict(np.zeros((2, n_features)))

    @invariant()
    def answers_make_sense(self):
        if not hasattr(self, "model"):
            return
        if not self.fitted:
            with pytest.raises(NotFittedError):
                self.model.predict([[0.0]])
            return
        model, rows = self.model, self.some_rows()
        k, d = model.means_.shape
        n_parts = k + (model.noise_ is not None)
        assert model.weights_.shape == (k,)
        assert model.n_features_in_ == d
        noise = 0.0 if model.noise_ is None else model.noise_.weight
        assert model.weights_.sum() + noise == pytest.approx(1.0, abs=1e-12)
        shares, labels = model.predict_proba(rows), model.predict(rows)
        assert shares.shape == (len(rows), n_parts)
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-9)
        assert (shares >= 0.0).all()
        assert set(labels.tolist()) <= set(range(-1 if model.noise_ is not None else 0, k))
        assert model.score(rows) == pytest.approx(model.score_samples(rows).mean(), rel=1e-9, abs=1e-9)
        for values in (model.covariances_, model.precisions_, model.score_samples(rows)):
            assert np.isfinite(values).all()

    def some_rows(self):
        return np.random.default_rng(1).normal(scale=4.0, size=(6, self.model.means_.shape[1]))

    def same_again(self, act):
        other = clone(self.model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            act(other)
        assert same(other, self.model)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=60, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
)
