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
from gaussmix.learning.review import review_rows
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture


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
    one = GaussianMixture(4, init_params="random_from_data", random_state=5, n_init=1).fit(iris)
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
    model = GaussianMixture(3, max_iter=2, n_init=1, warm_start=True)
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


def test_weights_that_add_up_to_one_do_not_make_the_prior_strong(faithful):
    plain = GaussianMixture(2).fit(faithful)
    with pytest.warns(DataWarning, match="adds up to 1 for 272 rows"):
        shares = GaussianMixture(2).fit(faithful, sample_weight=np.full(272, 1 / 272))
    np.testing.assert_allclose(shares.means_, plain.means_, rtol=1e-9)
    np.testing.assert_allclose(shares.covariances_, plain.covariances_, rtol=1e-9)


def test_one_component_forgets_a_start_far_away(heights):
    model = GaussianMixture(1, means_init=[[1e6]], covariances_init=5.0, prior=None).fit(heights)
    assert model.covariances_[0, 0, 0] == pytest.approx(0.0921)
    warm = GaussianMixture(1, warm_start=True, prior=None).fit(heights)
    assert warm.fit(heights * 50 + 1e6).covariances_[0, 0, 0] == pytest.approx(0.0921 * 2500)


def test_an_emptied_component_takes_no_share_of_the_tied_covariance(heights):
    start = {"weights_init": [1.0, 0.0], "means_init": [[0.0], [1.0]], "prior": None}
    with pytest.warns(ComponentWarning, match="emptied"):
        model = GaussianMixture(2, covariance_type="tied", **start).fit(heights)
    assert model.covariances_[0, 0] == pytest.approx(0.0921)


@pytest.mark.parametrize("start", [{"init_params": "random"}, {"means_init": [[3.0, 3.0], [3.0001, 3.0]]}])
def test_components_that_come_out_alike_are_pulled_apart(start):
    rows = np.random.default_rng(0).normal(size=(4000, 2))
    rows[2000:] += 6.0
    best = GaussianMixture(2, covariance_type="tied").fit(rows).lower_bound_
    assert GaussianMixture(2, covariance_type="tied", **start).fit(rows).lower_bound_ == pytest.approx(best)


def test_components_that_are_alike_are_named():
    rows = MemoryRows(np.random.default_rng(0).normal(size=(300, 1)))
    mixture = Mixture(
        [0.3, 0.3, 0.4], [[0.0], [0.01], [1.0]], [1.0, 1.001, 1.0], covariance_family("spherical")
    )
    doubts = review_rows(rows, mixture).doubts(mixture)
    assert [(d.component, d.trouble) for d in doubts] == [(1, "coincide")]
    assert doubts[0].sentence.startswith("Components 1 and 2 coincide")


def test_set_params_after_fit_does_not_reinterpret_what_was_fitted(iris):
    model = GaussianMixture(4, covariance_type="tied").fit(iris)
    before = model.score(iris)
    assert model.set_params(covariance_type="diag").score(iris) == before
    warm = GaussianMixture(2, covariance_type="tied", warm_start=True).fit(iris)
    assert warm.set_params(covariance_type="full").fit(iris).covariances_.shape == (2, 4, 4)
    with pytest.raises(StartError, match="has 2 components, but n_components is 3"):
        warm.set_params(n_components=3).fit(iris)


def test_masked_cells_are_missing_cells(faithful):
    masked = np.ma.array(faithful)
    masked[3, 1] = np.ma.masked
    with pytest.raises(ValueError, match="row 3, column 1 is missing"):
        GaussianMixture().fit(masked)


def test_a_loaded_model_is_whole(tmp_path, faithful):
    model = GaussianMixture(2, prior=None, random_state=3).fit(faithful)
    model.save(tmp_path / "one.json")
    back = gaussmix.load(tmp_path / "one.json")
    back.save(tmp_path / "two.json")
    assert (tmp_path / "two.json").read_bytes() == (tmp_path / "one.json").read_bytes()
    assert back.get_params()["prior"] is None
    assert back.random_state == 3
    assert str(back.outcome_) == str(model.outcome_)
    assert back.lower_bound_ == pytest.approx(model.lower_bound_, rel=1e-15)
    assert not hasattr(back, "feature_names_in_")


def test_rare_rows_that_a_sample_misses_are_found():
    rows = np.zeros((40_000, 1))
    rows[:10, 0] = range(1, 11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ComponentWarning)
        assert np.isfinite(GaussianMixture(10).fit(rows).means_).all()
    lonely = np.zeros((100_000, 1))
    lonely[5] = 1.0
    assert GaussianMixture(1, prior=None).fit(lonely).means_[0, 0] == pytest.approx(1e-5)


@pytest.mark.parametrize("signs", [[-1, 1, 1], [-1, -1, -1]])
def test_turning_an_axis_round_does_not_change_the_answer(signs):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 3)) + rng.integers(0, 2, size=(400, 3)) * 2.0
    plain, turned = GaussianMixture(4).fit(rows), GaussianMixture(4).fit(rows * signs)
    assert turned.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-6)


@pytest.mark.parametrize(
    "bad",
    [
        {"verbose": 1, "verbose_interval": 0},
        {"covariances_init": "x"},
        {"prior": np.array([1, 2])},
        {"reg_covar": 10**400},
        {"random_state": 2**40},
    ],
    ids=str,
)
def test_mistakes_are_named(bad, faithful):
    with pytest.raises(SettingsError):
        GaussianMixture(2, **bad).fit(faithful)


def test_more_starts_than_rows_are_refused_before_memory_is_asked_for(faithful):
    with pytest.raises(StartError, match="more than 272 labels"):
        GaussianMixture(2**30).fit(faithful, start=np.zeros(272, dtype=int))


@pytest.mark.parametrize("copies", [pickle.dumps, None], ids=["pickle", "deepcopy"])
def test_a_collapsed_fit_can_be_copied(heights, copies):
    import copy

    model = GaussianMixture(
        2, prior=None, means_init=[[5.5], [6.0]], covariances_init=0.1, weights_init=[0.5, 0.5]
    )
    with pytest.warns(UserWarning, match="component 2"):
        model.fit(heights)
    back = copy.deepcopy(model) if copies is None else pickle.loads(copies(model))
    assert str(back.outcome_) == str(model.outcome_)
    assert back.outcome_.collapse.component == 1


@pytest.mark.parametrize(
    ("rows", "n_components"),
    [
        ([[0.0], [1e-17], [1.0]], 3),
        ([[0.0, 0.0], [1.0, 1.0 + 1e-9], [1.0 + 1e-9, 1.0]], 3),
        (np.r_[np.linspace(0, 1e-10, 20), 1 + np.linspace(0, 1e-10, 20)][:, None], 4),
    ],
    ids=["equal once whitened", "nearly on a line", "two tight groups"],
)
@pytest.mark.parametrize("method", ["kmeans", "k-means++", "random_from_data"])
def test_rows_too_near_one_another_to_tell_apart_still_start(rows, n_components, method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GaussianMixture(n_components, init_params=method).fit(rows)
    assert np.isfinite(model.means_).all()


def test_emptied_is_judged_by_weight():
    """A histogram: 15 rows that stand for a hundred thousand."""
    centres = np.linspace(-4.0, 6.0, 15)[:, None]
    heights = np.exp(-0.5 * centres[:, 0] ** 2) + 0.03 * np.exp(-0.5 * (centres[:, 0] - 5.0) ** 2)
    weights = np.round(1e5 * heights / heights.sum())
    model = GaussianMixture(2, covariance_type="tied").fit(centres, sample_weight=weights)
    assert model.outcome_.sound


def test_settings_may_be_numpys(tmp_path, faithful):
    model = GaussianMixture(np.int64(2), max_iter=np.int64(500), n_init=np.int64(2), tol=np.float32(1e-6))
    model.fit(faithful).save(tmp_path / "m.json")
    back = gaussmix.load(tmp_path / "m.json")
    assert (back.n_init, back.max_iter) == (2, 500)
    with pytest.raises(SettingsError, match="max_iter"):
        GaussianMixture(max_iter=10**19).fit(faithful)


def test_a_loaded_model_remembers_how_it_was_fitted(tmp_path, faithful):
    GaussianMixture(2, reg_covar=0.01, init_params="random").fit(faithful).save(tmp_path / "m.json")
    back = gaussmix.load(tmp_path / "m.json")
    assert (back.reg_covar, back.init_params) == (0.01, "random")


def test_labels_to_start_from_mean_the_same_for_weights_and_copies(faithful):
    labels = (faithful[:, 0] > 3.0).astype(int)
    settings = {"n_components": 2, "max_iter": 0}
    weighted = GaussianMixture(**settings).fit(faithful, sample_weight=np.full(272, 4.0), start=labels)
    copied = GaussianMixture(**settings).fit(np.repeat(faithful, 4, axis=0), start=np.repeat(labels, 4))
    np.testing.assert_allclose(weighted.covariances_, copied.covariances_, rtol=1e-12)


def test_a_trace_does_not_outlive_its_fit(faithful):
    model = GaussianMixture(2, trace=True).fit(faithful)
    assert not hasattr(model.set_params(trace=False).fit(faithful), "trace_")


def test_one_blas_thread_is_given_back_when_fits_overlap():
    from threadpoolctl import threadpool_info

    from gaussmix.kernels.threads import single_threaded_blas

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    first, second = single_threaded_blas(), single_threaded_blas()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(threads()) == {1}
    second.__exit__(None, None, None)
    assert threads() == before


def test_scales_that_cancel_in_the_determinant_are_no_fall():
    for seed in range(4):
        rows = np.random.default_rng(seed).normal(size=(200, 2))
        rows[:100] += 3.0
        model = GaussianMixture(2, tol=0.0).fit(rows * [1e120, 1e-120])
        assert model.converged_
