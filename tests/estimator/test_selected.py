"""The estimator that chooses its model is one of scikit-learn's, and hands over what it chose."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gaussmix import SelectedGaussianMixture
from gaussmix.errors import SettingsError


@parametrize_with_checks(
    [SelectedGaussianMixture(n_components=(1, 2), covariance_types=("EII", "VVV"), random_state=0)]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    return np.r_[generator.normal(0.0, 1.0, (60, 2)), generator.normal(7.0, 1.0, (60, 2))]


def test_it_predicts_as_the_model_it_chose(rows):
    model = SelectedGaussianMixture(n_components=range(1, 4), covariance_types=["EII", "VVV"]).fit(rows)
    assert (model.n_components_, model.covariance_type_) == (2, "EII")
    np.testing.assert_array_equal(model.predict(rows), model.best_.predict(rows))
    np.testing.assert_array_equal(model.predict_proba(rows), model.best_.predict_proba(rows))
    assert model.score(rows) == model.best_.score(rows) == pytest.approx(model.score_samples(rows).mean())
    assert model.sample(5)[0].shape == (5, 2)
    assert np.bincount(model.fit_predict(rows)).tolist() == [60, 60]
    assert model.selection_.choice.n_components == 2


def test_it_can_be_pickled_cloned_and_put_into_a_pipeline(rows):
    model = SelectedGaussianMixture(n_components=(1, 2), covariance_types="EEE")
    assert clone(model).get_params() == model.get_params()
    fitted = pickle.loads(pickle.dumps(model.fit(rows)))
    np.testing.assert_array_equal(fitted.predict(rows), model.predict(rows))
    piped = make_pipeline(StandardScaler(), clone(model)).fit(rows)
    assert len(set(piped.predict(rows))) == 2


def test_names_of_columns_are_kept_and_missed(rows):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows, columns=["a", "b"])
    model = SelectedGaussianMixture(n_components=(1, 2), covariance_types="EII").fit(frame)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a"]])


def test_before_a_fit_it_says_so(rows):
    with pytest.raises(NotFittedError):
        SelectedGaussianMixture().predict(rows)


def test_what_has_no_meaning_is_refused_when_it_is_fitted(rows):
    with pytest.raises(SettingsError, match="criterion"):
        SelectedGaussianMixture(criterion="none").fit(rows)
