"""The estimator beyond scikit-learn's own checks."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture as Theirs
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gaussmix
from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import ComponentWarning, DataWarning, FitError, SettingsError, StartError


def test_takes_every_parameter_that_scikit_learns_takes():
    assert set(Theirs().get_params()) <= set(GaussianMixture().get_params())


def test_has_every_fitted_attribute_and_method_that_scikit_learns_has(iris):
    theirs, ours = Theirs(2).fit(iris), GaussianMixture(2).fit(iris)
    public = [name for name in dir(theirs) if not name.startswith("_")]
    assert [name for name in public if not hasattr(ours, name)] == []


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_lower_bound_belongs_to_the_returned_parameters(iris, covariance_type):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GaussianMixture(3, covariance_type=covariance_type, max_iter=3).fit(iris)
    assert model.score(iris) == pytest.approx(model.lower_bound_, rel=1e-12)
    assert model.lower_bounds_[-1] == model.lower_bound_
    assert len(model.lower_bounds_) == model.n_iter_ + 1


def test_same_data_same_answer_bit_for_bit(iris):
    one, other = GaussianMixture(3).fit(iris), GaussianMixture(3).fit(iris)
    assert np.array_equal(one.means_, other.means_)
    assert np.array_equal(one.covariances_, other.covariances_)


def test_random_state_may_be_a_generator_of_either_kind(iris):
    one = GaussianMixture(3, random_state=np.random.RandomState(3)).fit(iris)
    other = GaussianMixture(3, random_state=np.random.RandomState(3)).fit(iris)
    assert np.array_equal(one.means_, other.means_)


def test_components_stand_in_canonical_order(iris):
    means = GaussianMixture(4).fit(iris).means_
    assert np.array_equal(np.argsort(means[:, 0]), np.arange(4))


def test_a_given_start_keeps_its_order(faithful):
    start = [[4.3, 80.0], [2.0, 54.0]]
    model = GaussianMixture(2, means_init=start).fit(faithful)
    assert model.means_[0, 0] > model.means_[1, 0]


def test_start_may_be_labels_responsibilities_or_a_mixture(faithful):
    labels = (faithful[:, 0] > 3.0).astype(int)
    from_labels = GaussianMixture(2).fit(faithful, start=labels)
    from_shares = GaussianMixture(2).fit(faithful, start=np.eye(2)[labels])
    assert np.array_equal(from_labels.means_, from_shares.means_)
    flipped = GaussianMixture(2).fit(faithful, start=1 - labels)
    np.testing.assert_allclose(flipped.means_[::-1], from_labels.means_, rtol=1e-6)
    from_labels.set_params(trace=True).fit(faithful, start=labels)
    again = GaussianMixture(2).fit(faithful, start=from_labels.trace_[0].mixture)
    assert np.array_equal(again.means_, from_labels.means_)
    with pytest.raises(StartError, match="between 0 and 1"):
        GaussianMixture(2).fit(faithful, start=labels + 1)
    with pytest.raises(StartError, match="responsibilities"):
        GaussianMixture(2).fit(faithful, start=np.ones((5, 2)))


def test_labels_start_with_zero_weights_and_weights(faithful):
    labels = (faithful[:, 0] > 3.0).astype(int)
    weights = np.random.default_rng(0).integers(0, 3, len(faithful)).astype(float)
    one = GaussianMixture(2).fit(faithful, sample_weight=weights, start=labels)
    kept = np.repeat(np.arange(len(faithful)), weights.astype(int))
    other = GaussianMixture(2).fit(faithful[kept], start=labels[kept])
    np.testing.assert_allclose(one.means_, other.means_, rtol=1e-5)


@pytest.mark.parametrize("method", ["kmeans", "k-means++", "random", "random_from_data"])
def test_every_kind_of_start_fits(iris, method):
    model = GaussianMixture(3, init_params=method, n_init=5).fit(iris)
    assert model.converged_
    assert model.lower_bound_ > GaussianMixture(1).fit(iris).lower_bound_


def test_more_starts_are_never_worse(iris):
    one = GaussianMixture(4, init_params="random_from_data", random_state=5).fit(iris)
    many = GaussianMixture(4, init_params="random_from_data", random_state=5, n_init=8).fit(iris)
    assert many.lower_bound_ >= one.lower_bound_ - 1e-12


def test_failed_starts_are_dropped_and_counted_not_fatal(monkeypatch, iris):
    from gaussmix.errors import DegenerateComponentError
    from gaussmix.learning import search as module

    real, calls = module.make_start, []

    def sometimes(*arguments):
        calls.append(1)
        if len(calls) % 2:
            raise DegenerateComponentError(0, "was told to fail")
        return real(*arguments)

    monkeypatch.setattr(module, "make_start", sometimes)
    settings = module.FitSettings(2, n_init=4)
    result = module.search(MemoryRows(iris), settings)
    assert result.n_starts == 4
    assert len(result.failures) == 2
    assert result.outcome.converged
    calls.clear()
    with pytest.raises(FitError, match="none of 1 starts"):
        module.search(MemoryRows(iris), module.FitSettings(2, n_init=1))


def test_warm_start_goes_on_where_it_was(iris):
    model = GaussianMixture(3, max_iter=2, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        bounds = [model.fit(iris).lower_bound_ for _ in range(4)]
    assert np.all(np.diff(bounds) > 0)
    assert model.lower_bounds_[0] == pytest.approx(bounds[-2], rel=1e-12)


def test_constructor_parameters_are_never_overwritten(iris):
    start = [[5.0, 3.4, 1.5, 0.2], [6.2, 2.9, 4.9, 1.7]]
    model = GaussianMixture(2, means_init=start, random_state=np.random.RandomState(1))
    before = dict(model.get_params())
    model.fit(iris)
    assert model.get_params()["means_init"] is before["means_init"] is start
    assert all(model.get_params()[name] is value for name, value in before.items())


def test_reg_covar_is_added_as_scikit_learn_adds_it(faithful):
    model = GaussianMixture(2, reg_covar=0.5, prior=None).fit(faithful)
    plain = GaussianMixture(2, prior=None).fit(faithful)
    theirs = Theirs(2, reg_covar=0.5, tol=1e-10, max_iter=1000, means_init=model.means_).fit(faithful)
    np.testing.assert_allclose(model.covariances_, theirs.covariances_, rtol=1e-3)
    assert np.all(model.covariances_[:, 0, 0] > plain.covariances_[:, 0, 0] + 0.3)


def test_pandas_names_are_kept_and_checked(faithful):
    frame = pd.DataFrame(faithful, columns=["eruptions", "waiting"])
    model = GaussianMixture(2).fit(frame)
    assert model.feature_names_in_.tolist() == ["eruptions", "waiting"]
    assert np.array_equal(model.predict(frame), model.labels_)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"waiting": "wait"}))


def test_polars_frames_work_like_pandas(faithful):
    frame = pl.DataFrame(faithful, schema=["eruptions", "waiting"])
    model = GaussianMixture(2).fit(frame)
    assert model.feature_names_in_.tolist() == ["eruptions", "waiting"]
    assert np.array_equal(model.labels_, GaussianMixture(2).fit(faithful).labels_)
    assert model.predict_proba(frame).shape == (272, 2)


def test_pandas_nullable_columns_name_the_missing_cell():
    frame = pd.DataFrame({"a": pd.array([1, 2, None, 4], dtype="Int64"), "b": [1.0, 2.0, 3.0, 4.5]})
    with pytest.raises(ValueError, match="row 2, column 'a' is missing"):
        GaussianMixture(1).fit(frame)


def test_works_in_a_pipeline_and_a_grid_search(iris):
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(3)).fit(iris)
    assert pipeline.predict(iris).shape == (150,)
    rows = np.random.default_rng(0).permutation(iris)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ComponentWarning)
        grid = GridSearchCV(
            GaussianMixture(), {"n_components": [1, 2], "covariance_type": ["full", "diag"]}, cv=3
        )
        grid.fit(rows)
    assert grid.best_params_ == {"covariance_type": "full", "n_components": 2}


def test_clone_and_pickle(iris):
    model = GaussianMixture(2, prior=None, covariance_type="diag").fit(iris)
    assert clone(model).get_params() == model.get_params()
    back = pickle.loads(pickle.dumps(model))
    assert np.array_equal(back.predict_proba(iris), model.predict_proba(iris))


def test_before_fit_it_says_so(iris):
    for method in ("predict", "predict_proba", "score_samples", "score", "bic", "aic", "icl"):
        with pytest.raises(NotFittedError):
            getattr(GaussianMixture(), method)(iris)
    with pytest.raises(NotFittedError):
        GaussianMixture().sample()


def test_sample_has_shape_and_seed(iris):
    model = GaussianMixture(3, random_state=4).fit(iris)
    rows, labels = model.sample(100)
    assert rows.shape == (100, 4)
    assert labels.shape == (100,)
    assert np.array_equal(rows, model.sample(100)[0])
    with pytest.raises(SettingsError, match="at least 1"):
        model.sample(0)


def test_weighted_scores_are_those_of_copies(faithful):
    weights = np.random.default_rng(0).integers(0, 3, len(faithful))
    copies = np.repeat(faithful, weights, axis=0)
    model = GaussianMixture(2).fit(faithful, sample_weight=weights)
    for name in ("score", "bic", "aic", "icl"):
        weighted = getattr(model, name)(faithful, sample_weight=weights)
        assert weighted == pytest.approx(getattr(model, name)(copies), rel=1e-12), name


def test_verbose_prints_progress(capsys, iris):
    GaussianMixture(2, verbose=1, verbose_interval=1).fit(iris)
    assert "iteration 1: mean log-likelihood" in capsys.readouterr().out


def test_save_and_load_bit_for_bit(tmp_path, faithful):
    frame = pd.DataFrame(faithful, columns=["eruptions", "waiting"])
    model = GaussianMixture(2, covariance_type="tied").fit(frame)
    model.save(tmp_path / "m.json")
    back = gaussmix.load(tmp_path / "m.json")
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert np.array_equal(getattr(back, name), getattr(model, name)), name
    assert np.array_equal(back.predict_proba(frame), model.predict_proba(frame))
    assert back.feature_names_in_.tolist() == ["eruptions", "waiting"]
    assert back.converged_


def test_given_variances_may_be_written_in_any_form(heights):
    forms = [0.1, [0.1, 0.1], [[0.1], [0.1]], [[[0.1]], [[0.1]]]]
    fits = [
        GaussianMixture(2, means_init=[[5.5], [6.0]], covariances_init=form).fit(heights) for form in forms
    ]
    assert len({fit.means_.tobytes() for fit in fits}) == 1


def test_a_component_on_too_few_rows_is_named_not_hidden():
    rows = np.r_[np.random.default_rng(0).normal(size=(60, 2)), [[40.0, 40.0]]]
    with pytest.warns(ComponentWarning, match=r"Component 2 rests on 1 distinct row \(40, 40\)"):
        model = GaussianMixture(2).fit(rows)
    assert model.converged_
    assert not model.outcome_.sound
    assert model.outcome_.doubts[0].trouble == "few_rows"


def test_an_emptied_component_is_named():
    rows = np.random.default_rng(0).normal(size=(100, 1))
    model = GaussianMixture(2, means_init=[[0.0], [1e4]], covariances_init=1.0, weights_init=[0.5, 0.5])
    with pytest.warns(ComponentWarning, match="Component 2 was emptied"):
        model.fit(rows)
    assert np.isfinite(model.means_).all()
    assert model.outcome_.doubts[0].trouble == "emptied"


def test_identical_components_leave_the_saddle(faithful):
    start = {"means_init": [[3.5, 70.0]] * 2, "covariances_init": [1.0, 1.0], "weights_init": [0.5, 0.5]}
    with pytest.warns(DataWarning, match="components 1 and 2 start with the same mean"):
        model = GaussianMixture(2, prior=None, **start).fit(faithful)
    assert model.score(faithful) * 272 == pytest.approx(-1130.26396, rel=1e-7)
