"""``fit_rows``, ``assign_rows`` and ``score_rows``: what an estimator is after them."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import gaussmix
from gaussmix import GaussianMixture
from gaussmix.data import blocks
from gaussmix.data.files.filerows import FileRows
from gaussmix.data.tasks import Expect, Measure
from gaussmix.errors import CheckpointError, ComponentWarning, DataError, SettingsError, StartError

N, NAMES = 800, ["a", "b"]
MEANS = [[0.0, 0.0], [4.0, -3.0], [8.0, -6.0]]


@pytest.fixture(scope="module")
def matrix():
    """(N, 2): three groups that touch."""
    rng = np.random.default_rng(3)
    return rng.normal(size=(N, 2)) + rng.integers(0, 3, N)[:, None] * [4.0, -3.0]


@pytest.fixture(autouse=True)
def many_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 128)


@pytest.fixture
def path(tmp_path, matrix):
    (tmp_path / "data").mkdir()
    pd.DataFrame(matrix, columns=NAMES).to_parquet(tmp_path / "data" / "t.parquet")
    return tmp_path / "data" / "t.parquet"


@pytest.fixture
def rows(path):
    return gaussmix.rows(path, memory=0)


def quick(**options):
    return GaussianMixture(**{"n_components": 3, "n_init": 1, **options})


def attributes(model):
    return {name for name in vars(model) if name.endswith("_") and not name.startswith("_")}


# What it leaves


@pytest.mark.parametrize("options", [{}, {"n_init": "auto"}, {"noise": True}, {"trace": True}], ids=str)
def test_all_attributes_of_fit_are_there_but_labels(rows, matrix, options):
    found, expected = quick(**options), quick(**options)
    assert found.fit_rows(rows) is found
    expected.fit(pd.DataFrame(matrix, columns=NAMES))
    assert attributes(found) == attributes(expected) - {"labels_"}
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert found.lower_bounds_ == expected.lower_bounds_
    assert (found.n_iter_, found.n_features_in_) == (expected.n_iter_, 2)
    assert found.converged_ is expected.converged_ is True
    assert found.feature_names_in_.tolist() == NAMES
    assert found.summary_.as_json() == expected.summary_.as_json()
    assert (found.search_ is None) == (options != {"n_init": "auto"})


@pytest.mark.parametrize("memory", [0, None])
def test_attributes_do_not_depend_on_where_rows_were_held(path, matrix, memory):
    in_files = attributes(quick().fit_rows(gaussmix.rows(path, memory=memory)))
    frame = pd.DataFrame(matrix, columns=NAMES)
    assert in_files == attributes(quick().fit_rows(frame))
    assert in_files == attributes(quick().fit_rows(path))
    assert "labels_" not in in_files


def test_a_source_may_be_given_as_it_is(path, matrix):
    expected = quick().fit(matrix)
    for source in (path, str(path), [path], f"{path.parent}/*.parquet", path.parent, matrix):
        assert np.array_equal(quick().fit_rows(source).covariances_, expected.covariances_)


def test_a_fitted_model_predicts_scores_and_draws(rows, matrix):
    frame = pd.DataFrame(matrix, columns=NAMES)
    model, expected = quick(random_state=1).fit_rows(rows), quick(random_state=1).fit(frame)
    assert np.array_equal(model.predict(frame), expected.labels_)
    assert model.bic(frame) == expected.bic(frame)
    assert model.score_rows(rows) == model.score(frame) == pytest.approx(model.lower_bound_, rel=1e-14)
    assert np.array_equal(model.sample(5)[0], expected.sample(5)[0])
    assert "data-" in model._repr_html_() or "<" in model._repr_html_()


def test_rows_without_names_leave_none(tmp_path, matrix, path):
    """So that arrays are no surprise to ``predict``."""
    np.save(tmp_path / "t.npy", matrix)
    for source in (matrix, tmp_path / "t.npy"):
        model = quick().fit_rows(path)
        model.fit_rows(source)
        assert not hasattr(model, "feature_names_in_")
        model.predict(matrix)
        assert model.summary_.columns_named is False
    with pytest.warns(UserWarning, match="feature names"):
        quick().fit_rows(path).predict(matrix)


def test_a_model_is_saved_and_read_back(rows, matrix, tmp_path):
    model = quick().fit_rows(rows)
    model.save(tmp_path / "m.json")
    loaded = gaussmix.load(tmp_path / "m.json")
    assert loaded.feature_names_in_.tolist() == NAMES
    assert np.array_equal(loaded.covariances_, model.covariances_)
    assert loaded.score_rows(rows) == model.score_rows(rows)


def test_it_is_cloned_and_pickled(rows, matrix):
    model = quick(noise=True).fit_rows(rows)
    assert attributes(clone(model)) == set()
    assert clone(model).get_params() == model.get_params()
    again = pickle.loads(pickle.dumps(model))
    assert attributes(again) == attributes(model)
    assert again.score_rows(rows) == model.score_rows(rows)
    assert np.array_equal(clone(model).fit_rows(rows).means_, model.means_)


# Where it begins


def test_warm_start_begins_at_the_last_solution(rows, matrix):
    model = quick(warm_start=True).fit_rows(rows)
    n_iter, bound = model.n_iter_, model.lower_bound_
    assert n_iter > 5
    model.fit_rows(rows)
    assert model.n_iter_ < n_iter / 2
    assert model.lower_bound_ == pytest.approx(bound, abs=1e-8)
    model = quick(warm_start=True).fit(pd.DataFrame(matrix, columns=NAMES))
    assert model.fit_rows(rows).n_iter_ < n_iter / 2
    assert model.fit(pd.DataFrame(matrix, columns=NAMES)).n_iter_ < n_iter / 2
    assert quick().fit_rows(rows).fit_rows(rows).n_iter_ == n_iter


def test_a_start_may_be_a_mixture_means_or_labels(rows, matrix):
    fitted = quick().fit_rows(rows)
    start = fitted._mixture()
    assert quick().fit_rows(rows, start=start).n_iter_ < fitted.n_iter_ / 2
    # What is given is kept in its order.
    turned = quick().fit_rows(rows, start=start.permuted([2, 0, 1]))
    np.testing.assert_allclose(turned.means_, fitted.means_[[2, 0, 1]], atol=1e-4)
    labels = (matrix[:, 0] > 2).astype(int) + (matrix[:, 0] > 6)
    expected = quick().fit(matrix, start=labels)
    assert np.array_equal(quick().fit_rows(rows, start=labels).means_, expected.means_)
    assert np.array_equal(
        quick(means_init=fitted.means_).fit_rows(rows).means_,
        quick(means_init=fitted.means_).fit(matrix).means_,
    )
    with pytest.raises(StartError, match="responsibilities"):
        quick().fit_rows(rows, start=labels[:-1])
    with pytest.raises(StartError, match="3 components, but n_components is 2"):
        quick(n_components=2).fit_rows(rows, start=start)


def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(rows):
    models = [quick(n_init="auto", random_state=5, n_threads=n).fit_rows(rows) for n in (1, 2)]
    assert np.array_equal(models[0].covariances_, models[1].covariances_)


# Checkpoints


def test_a_fit_is_resumed_to_the_same_bits_without_its_passes(path, tmp_path, monkeypatch):
    # Starts from labels of all rows are no smaller than the rows, and are made again.
    options = {"trace": True, "means_init": MEANS}
    expected, model = quick(**options).fit_rows(gaussmix.rows(path, memory=0)), quick(**options)
    assert model.fit_rows(gaussmix.rows(path, memory=0), checkpoint=tmp_path / "c") is model
    with pytest.raises(CheckpointError, match="is there already"):
        model.fit_rows(gaussmix.rows(path, memory=0), checkpoint=tmp_path / "c")
    added_up, made = FileRows.added_up, []
    monkeypatch.setattr(FileRows, "added_up", lambda rows, task: (made.append(task), added_up(rows, task))[1])
    again = quick(**options).fit_rows(
        gaussmix.rows(path, memory=0), checkpoint=str(tmp_path / "c"), resume=True
    )
    for name in ("weights_", "means_", "covariances_", "lower_bounds_"):
        assert np.array_equal(getattr(again, name), getattr(expected, name)), name
        assert np.array_equal(getattr(model, name), getattr(expected, name)), name
    assert not [task for task in made if isinstance(task, Expect | Measure)]
    assert len(made) <= 1
    assert len(again.trace_) == len(expected.trace_)
    assert again.feature_names_in_.tolist() == NAMES


class CtrlC(KeyboardInterrupt):
    """Ctrl-C in a test."""


@pytest.mark.parametrize("at", [0, 1, 5, 9])
def test_what_was_fitted_before_ctrl_c_stays_and_the_fit_goes_on(path, tmp_path, monkeypatch, at):
    expected = quick().fit_rows(gaussmix.rows(path, memory=0))
    model, added_up, n_passes = quick(n_components=2), FileRows.added_up, []
    model.fit_rows(path)
    before = model.means_.copy()
    model.set_params(n_components=3)

    def interrupted(rows, task):
        n_passes.append(task)
        if len(n_passes) == at + 1:
            raise CtrlC
        return added_up(rows, task)

    monkeypatch.setattr(FileRows, "added_up", interrupted)
    with pytest.raises(CtrlC):
        model.fit_rows(gaussmix.rows(path, memory=0), checkpoint=tmp_path / "c")
    assert np.array_equal(model.means_, before)
    n_passes[:] = [None] * 100
    model.fit_rows(gaussmix.rows(path, memory=0), checkpoint=tmp_path / "c", resume=True)
    assert model.lower_bounds_ == expected.lower_bounds_
    assert np.array_equal(model.covariances_, expected.covariances_)
    monkeypatch.undo()


def test_the_same_rows_go_on_without_a_word(rows, tmp_path):
    """As in a notebook, where they are still at hand after Ctrl-C."""
    model = quick().fit_rows(rows, checkpoint=tmp_path / "c")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = quick().fit_rows(rows, checkpoint=tmp_path / "c", resume=True)
    assert np.array_equal(again.means_, model.means_)


def test_another_fit_is_not_resumed(path, rows, tmp_path, matrix):
    quick().fit_rows(rows, checkpoint=tmp_path / "c")
    for model, source, words in [
        (quick(tol=1e-3), rows, "tol was 1e-09 and is 0.001"),
        (quick(n_components=2), rows, "n_components was 3 and is 2"),
        (quick(), gaussmix.rows(matrix[1:]), "the rows are not those"),
        (quick(), gaussmix.rows(path, columns=["b", "a"], memory=0), "the rows are not those"),
    ]:
        with pytest.raises(CheckpointError, match=words):
            model.fit_rows(source, checkpoint=tmp_path / "c", resume=True)
        assert not hasattr(model, "means_")
    with pytest.raises(SettingsError, match="resume=True needs checkpoint="):
        quick().fit_rows(rows, resume=True)


def test_a_fit_that_never_began_is_resumed_from_its_beginning(rows, tmp_path):
    expected = quick().fit_rows(rows)
    found = quick().fit_rows(rows, checkpoint=tmp_path / "new", resume=True)
    assert np.array_equal(found.means_, expected.means_)


# What is refused, and warned of


def test_other_numbers_of_features_are_refused(path, rows, matrix, tmp_path):
    model = quick().fit_rows(rows)
    for wrong in (matrix[:, :1], gaussmix.rows(path, columns="a", memory=0), np.c_[matrix, matrix]):
        n_features = 1 if wrong is not matrix and not isinstance(wrong, np.ndarray) else wrong.shape[1]
        with pytest.raises(DataError, match=f"the rows have {n_features} features? and the mixture 2"):
            model.score_rows(wrong)
        with pytest.raises(DataError, match="and the mixture 2"):
            model.assign_rows(wrong, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
    model = quick(warm_start=True).fit_rows(rows)
    with pytest.raises((StartError, DataError)):
        model.fit_rows(matrix[:, :1])
    assert model.means_.shape == (3, 2)


def test_columns_in_another_order_are_matched_by_name_or_refused(path, matrix):
    model = quick().fit_rows(path)
    swapped = gaussmix.rows(path, columns=["b", "a"], memory=0)
    with pytest.raises(DataError, match="the rows have the features b, a and the mixture a, b"):
        model.score_rows(swapped)
    other = pd.DataFrame(matrix, columns=["long", "wide"])
    with pytest.raises(DataError, match="long, wide"):
        model.score_rows(other)
    # Rows without names are taken in their order.
    assert model.score_rows(matrix) == pytest.approx(model.lower_bound_, rel=1e-14)
    assert quick().fit_rows(matrix).score_rows(path) == pytest.approx(model.lower_bound_, rel=1e-14)


def test_what_is_not_fitted_says_so(rows, tmp_path):
    for ask in (lambda m: m.score_rows(rows), lambda m: m.assign_rows(rows, tmp_path / "x.csv")):
        with pytest.raises(NotFittedError):
            ask(quick())


def test_warnings_are_those_of_fit(rows, matrix):
    with pytest.warns(ConvergenceWarning) as heard:
        quick(max_iter=2).fit_rows(rows)
    assert len(heard) == 1
    twice = np.r_[matrix, np.full((20, 2), 60.0)]
    with pytest.warns(ComponentWarning):
        quick(n_components=4, means_init=[[0, 0], [4, -3], [8, -6], [60, 60]]).fit_rows(twice)


# Uncertainty, and what comes after


def test_uncertainty_asks_for_the_rows(rows, matrix):
    frame = pd.DataFrame(matrix, columns=NAMES)
    model = quick().fit(frame)
    model.uncertainty()
    model.fit_rows(rows)
    with pytest.raises(SettingsError, match=r"give the rows, model\.uncertainty\(X\)"):
        model.uncertainty()
    expected = quick().fit(frame).uncertainty()
    assert np.array_equal(model.uncertainty(frame).means.standard_error, expected.means.standard_error)


def test_fit_after_fit_rows_brings_labels_back_and_fit_rows_takes_them_away(rows, matrix):
    model = quick().fit_rows(rows)
    assert not hasattr(model, "labels_")
    model.fit(matrix)
    assert np.array_equal(model.labels_, model.predict(matrix))
    assert not hasattr(model, "feature_names_in_")
    assert model.uncertainty().sentence
    model.fit_rows(rows)
    assert not hasattr(model, "labels_")
    assert model.feature_names_in_.tolist() == NAMES
    assert np.array_equal(model.fit_predict(matrix), model.labels_)


def test_partial_fit_goes_on_from_fit_rows(rows, matrix):
    frame = pd.DataFrame(matrix, columns=NAMES)
    streamed, in_memory = quick().fit_rows(rows), quick().fit(frame)
    before = streamed.means_.copy()
    batch = frame.iloc[:300]
    streamed.partial_fit(batch)
    in_memory.partial_fit(batch)
    assert np.array_equal(streamed.means_, in_memory.means_)
    assert streamed.n_samples_seen_ == N + 300
    assert not np.array_equal(streamed.means_, before)
    np.testing.assert_allclose(streamed.means_, before, atol=0.5)
    streamed.fit_rows(rows)
    assert np.array_equal(streamed.means_, before)
    assert not hasattr(streamed, "n_samples_seen_")


def test_fit_rows_begins_anew_after_partial_fit(rows, matrix):
    model = quick().partial_fit(matrix + 100.0).fit_rows(rows)
    assert np.array_equal(model.means_, quick().fit_rows(rows).means_)
    assert model.lower_bound_ == quick().fit_rows(rows).lower_bound_
