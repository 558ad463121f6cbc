"""Lines of learning/ that could be changed without any test noticing: see tests/mutation/README.md."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix.data.files.room import SHARE
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataError, DataWarning, DegenerateComponentError, FitError, StartError
from gaussmix.kernels.contract import Precision
from gaussmix.learning import prepare as prepare_module
from gaussmix.learning import starts
from gaussmix.learning.acceleration import ENOUGH, Leaps, _steps_to_go
from gaussmix.learning.belief import goodness as goodness_module
from gaussmix.learning.belief.rowfacts import row_facts
from gaussmix.learning.cleaning import _untied
from gaussmix.learning.clusters.elbow import elbow_of
from gaussmix.learning.clusters.merging import merge_components
from gaussmix.learning.history import History
from gaussmix.learning.outcome import collapsed
from gaussmix.learning.partitions import _gaussian
from gaussmix.learning.prepare import covariance_seen, prepare
from gaussmix.learning.repair import _Look
from gaussmix.learning.review import review_rows
from gaussmix.learning.search import search
from gaussmix.learning.selection import likelihood_ratio as ratio_module
from gaussmix.learning.selection.cells import Cell, SelectionSettings
from gaussmix.learning.selection.choice import choice
from gaussmix.learning.selection.grid import Selection, select
from gaussmix.learning.selection.likelihood_ratio import ratio_tests
from gaussmix.learning.settings import FitSettings, GivenStart, checked_start
from gaussmix.learning.starts import draw_sample, make_start
from gaussmix.learning.stepwise import Bygone
from gaussmix.learning.stream import Stream, stream_after
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import NoPrior

EPSILON = float(np.finfo(np.float64).eps)
FULL, SPHERES = covariance_family("full"), covariance_family("spherical")


def two_groups(n_each=40, n_features=2, apart=6.0):
    rows = np.random.default_rng(0).normal(size=(2 * n_each, n_features))
    rows[n_each:] += apart
    return rows


def one_at(mean):
    return Mixture([1.0], [[mean]], [1.0], SPHERES)


def test_assigned_rows_are_counted_by_their_weights(heights):
    weights = np.arange(1.0, 11.0)
    mixture = Mixture([0.5, 0.5], [[5.5], [6.0]], [0.1, 0.1], SPHERES)
    labels = mixture.looks(heights).labels
    review = review_rows(MemoryRows(heights, weights), mixture)
    assert review.assigned.tolist() == [weights[labels == k].sum() for k in (0, 1)]


def test_many_rows_with_noise_have_one_start_for_each_seed(monkeypatch):
    monkeypatch.setattr(starts, "CLEANED_ROWS", 60)
    rows, settings = MemoryRows(two_groups()), FitSettings(2, noise=True)
    one, other, another = (
        make_start(rows, settings, prepare(rows, settings), np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.means, other.means)
    assert np.abs(one.means - another.means).max() > 0.0


def test_columns_too_unlike_to_be_turned_are_named():
    rows = two_groups() * [1.0, 1e9]
    with pytest.raises(
        DataError, match=r"columns 'x1' and 'x2' have standard deviations of .*which turns axes"
    ):
        GaussianMixture(2, covariance_type="EVE").fit(rows)


def test_features_are_too_many_when_one_covariance_is_more_than_a_share_of_memory(monkeypatch):
    n_features = 500
    one_covariance = 8 * n_features**2
    monkeypatch.setattr(prepare_module, "memory_to_use", lambda: one_covariance * SHARE)
    prepare_module._refuse_too_wide(n_features)
    monkeypatch.setattr(prepare_module, "memory_to_use", lambda: one_covariance * SHARE - 1)
    with pytest.raises(DataError, match="one covariance of 500 features takes"):
        prepare_module._refuse_too_wide(n_features)


def test_start_covariances_in_the_form_of_their_family_are_taken_and_checked():
    def checked(covariances):
        return checked_start(FitSettings(2, "spherical", given=GivenStart(covariances=covariances)), 3)

    assert checked([0.5, 2.0]).covariances.tolist() == [0.5, 2.0]
    with pytest.raises(StartError, match="covariances must be finite"):
        checked([0.5, np.nan])


def test_what_a_remote_mean_is_rounded_by_counts_for_each_row():
    history = History(objectives=[-10.0], row_weight=10.0, _latest=one_at(1e12))
    assert history.rounding == pytest.approx(10.0 * (2.0 * EPSILON * 1e12) ** 2)


def test_an_objective_is_rounded_by_its_size_and_by_one_for_each_row():
    history = History(objectives=[-10.0], row_weight=10.0, _latest=one_at(0.0))
    assert history.rounding == pytest.approx(4.0 * EPSILON * (10.0 + 10.0), abs=0.0)


def test_what_is_left_to_gain_is_half_the_gain_along_the_slowest_direction():
    rows, settings = MemoryRows(two_groups()), FitSettings(2)
    leaps = Leaps(prepare(rows, settings), 1e-6)
    inverse = np.diag(np.arange(1.0, ENOUGH + 1.0))
    for _ in range(ENOUGH):
        left = leaps._left(3.0, inverse)
    assert left == pytest.approx(0.5 * 3.0 * ENOUGH)


@pytest.mark.parametrize(("behind", "said"), [(1.9, "comes within 2."), (4.0, "EEE is next, 4.0 behind.")])
def test_other_models_are_near_when_the_difference_is_not_decisive(behind, said):
    rows = MemoryRows(two_groups())
    fits = {model: search(rows, FitSettings(2, model)) for model in ("VVV", "EEE")}
    bics = {"VVV": 100.0, "EEE": 100.0 + behind}
    others = dict.fromkeys(("icl", "aic", "aicc"), 0.0)
    cells = tuple(Cell(2, model, fit, criteria=others | {"bic": bics[model]}) for model, fit in fits.items())
    found = choice(Selection(cells, SelectionSettings((2,), tuple(fits), FitSettings()), 80.0, None, False))
    assert any(said in sentence for sentence in found.sentences)


def test_a_bootstrap_test_announces_steps_of_all_it_may_come_to():
    told = []
    ratio_tests(
        MemoryRows(two_groups(n_each=20)), (1, 2), FitSettings(), 19, announce=lambda *step: told.append(step)
    )
    assert {of for _, of in told} == {2 * 19}
    assert max(done for done, _ in told) == 2 * 19


@pytest.mark.parametrize(("n_scores", "latest"), [(1, "latest batch,"), (2, "latest 2 batches,")])
def test_a_stream_says_over_how_many_batches_its_likelihood_is(n_scores, latest):
    rows, settings = MemoryRows(two_groups()), FitSettings(2)
    stream = replace(stream_after(search(rows, settings), rows, settings), scores=((-3.0, 2.0),) * n_scores)
    assert isinstance(stream, Stream)
    assert latest in stream.sentence
    assert "learnt: -1.5" in stream.sentence


def test_chance_in_standard_errors_is_that_of_their_number():
    """A standard deviation from n normal draws is known to 1 / sqrt(2 (n - 1)) of itself."""
    rows = two_groups()
    found = GaussianMixture(2).fit(rows).uncertainty(rows, method="parametric", n_replicates=10)
    assert "10 refits" in found.sentence
    assert "uncertain by about 24 %" in found.sentence


def test_the_weight_of_noise_is_no_components_own():
    rows = np.r_[two_groups(100), np.random.default_rng(1).uniform(-10.0, 15.0, size=(20, 2))]
    table = GaussianMixture(2, noise=True).fit(rows).uncertainty(rows).table
    nobodys = [line for line in table if line["component"] is None]
    assert [line["parameter"] for line in nobodys] == ["weight"]


def test_a_collapse_is_told_alike_when_components_are_numbered_anew():
    collapse = DegenerateComponentError(0, "its variance is 0")
    before, after = collapsed(collapse, "3 steps"), collapsed(collapse, "3 steps").permuted(np.array([1, 0]))
    assert str(before).replace("omponent 1", "omponent 2") == str(after)
    assert after.collapse.component == 1


def test_the_component_whose_start_is_too_narrow_is_named():
    rows = MemoryRows(1e6 + two_groups(n_features=1))
    given = GivenStart(means=[[1e6], [1e6 + 6.0]], covariances=[1.0, 1e-30])
    settings = FitSettings(2, "spherical", given=given)
    with pytest.raises(StartError, match="start covariance of component 2 is narrower"):
        make_start(rows, settings, prepare(rows, settings), np.random.default_rng(0))


def test_tables_that_cannot_be_fitted_count_among_the_replicates(monkeypatch):
    rows, settings = MemoryRows(two_groups()), FitSettings(2)
    mixture = search(rows, settings).mixture
    refits = []

    def only_the_first(*arguments):
        refits.append(arguments)
        return mixture if len(refits) == 1 else None

    monkeypatch.setattr(goodness_module, "_refitted", only_the_first)
    n_replicates = goodness_module.LEAST_REPLICATES
    found = goodness_module.goodness_of_fit(mixture, rows, settings, n_replicates)
    assert len(refits) == 1 + n_replicates
    assert "too few of the tables drawn from the mixture could be fitted" in found.sentence


def test_a_group_of_few_points_has_one_pseudo_point_more_than_features():
    points, weights = np.array([[1.0, 2.0, 3.0]]), np.array([5.0])
    centre, lower = _gaussian(points, weights, 0.1)
    assert centre.tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_allclose(lower @ lower.T, 4 * 0.1 / (5.0 + 4.0) * np.eye(3))


def test_both_elbows_are_told_where_they_differ():
    rng = np.random.default_rng(12)
    roots = rng.normal(size=(6, 2, 2)) / np.sqrt(2)
    covariances = roots @ roots.transpose(0, 2, 1) + 0.2 * np.eye(2)
    means = 1.5 * rng.normal(size=(6, 2))
    mixture = Mixture(rng.dirichlet(np.full(6, 4.0)), means, covariances, FULL)
    found = merge_components(mixture, MemoryRows(mixture.sample(200, rng)[0]))
    assert found.elbow.n_clusters != found.elbow_by_count.n_clusters
    assert found.elbow.slight
    assert found.sentence.startswith(
        f"6 components make {found.elbow.n_clusters} clusters: there the entropy"
    )
    assert f" Over the number of clusters it is at {found.elbow_by_count.n_clusters}. It is" in found.sentence
    least, most = found.elbow.slopes
    assert f"({most:.2g} nats a merged row down to it, {least:.2g} beyond)" in found.sentence


def test_a_sample_is_measured_from_its_middle_wherever_that_is():
    for place in (0.0, 1e6):
        sample = draw_sample(MemoryRows(place + two_groups()), FitSettings(2), np.random.default_rng(0))
        np.testing.assert_allclose(sample.weights @ sample.points, 0.0, atol=1e-6)


def test_every_climb_of_a_search_tells_its_passes():
    entries = GaussianMixture(2).fit(two_groups()).search_.entries
    assert all(isinstance(entry.n_passes, int) and entry.n_passes >= 0 for entry in entries)


def test_rows_that_have_gone_by_spread_as_they_did_however_many_they_count_as():
    rows, settings = MemoryRows(two_groups()), FitSettings(2)
    extent = stream_after(search(rows, settings), rows, settings).extent
    fewer = Bygone(extent, 0.25 * extent.row_weight, 3, rows.feature_names)
    assert fewer.summary.row_weight == 0.25 * rows.summary.row_weight
    np.testing.assert_allclose(fewer.summary.variances, rows.summary.variances)
    np.testing.assert_allclose(covariance_seen(fewer, FULL), covariance_seen(rows, FULL))


def test_what_stops_a_bootstrap_test_is_told_if_there_is_one_before_and_raised_if_not(monkeypatch):
    rows, run, runs = MemoryRows(two_groups(n_each=20)), ratio_module._Test.run, []

    def failing(at, test):
        runs.append(test)
        if len(runs) == at:
            raise FitError("no fit")
        return run(test)

    monkeypatch.setattr(ratio_module._Test, "run", lambda test: failing(2, test))
    found = ratio_tests(rows, (1, 2), FitSettings(), 19)
    assert (len(found.tests), found.stopped) == (1, "no fit")
    assert "more cannot be tested (no fit)" in found.conclusion
    monkeypatch.setattr(ratio_module._Test, "run", lambda test: failing(3, test))
    with pytest.raises(FitError, match="no fit"):
        ratio_tests(rows, (1, 2), FitSettings(), 19)


def test_facts_of_rows_have_these_names():
    rows = two_groups()
    table = row_facts(search(MemoryRows(rows), FitSettings(2)).mixture, rows).table
    names = ["row", "label", "probability", "uncertainty", "log_density", "tail_probability", "none_of_these"]
    assert [list(line) for line in table] == [names] * 80
    assert all(line["probability"] == 1.0 - line["uncertainty"] for line in table)


def test_entropies_that_do_not_change_have_no_elbow():
    assert elbow_of(np.arange(5.0), np.full(5, 2.0)) is None


@pytest.mark.parametrize(
    "weights", [None, np.random.default_rng(4).uniform(0.5, 2.0, 60)], ids=["none", "some"]
)
def test_what_a_dropped_component_is_missed_by_is_the_log_likelihood_it_leaves(weights):
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(60, 2))
    mixture = Mixture([0.5, 0.3, 0.2], rng.normal(size=(3, 2)), np.stack([np.eye(2)] * 3), FULL)
    rows, settings = MemoryRows(matrix, weights), FitSettings(3)
    step = prepare(rows, settings)
    look = _Look(rows, mixture, step, mixture.shares(matrix), np.eye(2), rng)
    for k, missed in enumerate(look.missed()):
        kept = np.delete(np.arange(3), k)
        left = mixture.weights[kept] / mixture.weights[kept].sum()
        without = Mixture(left, mixture.means[kept], mixture.covariances[kept], FULL)
        lost = mixture.log_density(matrix) - without.log_density(matrix)
        loss = lost.sum() if weights is None else weights @ lost
        assert missed == pytest.approx(loss)


def test_fits_set_aside_before_their_end_are_told_from_doubtful_ones():
    rows = MemoryRows(two_groups())
    sound, cut = (search(rows, FitSettings(k, max_iter=most)) for k, most in ((2, 1000), (3, 1)))
    others = dict.fromkeys(("icl", "aic", "aicc"), 0.0)
    cells = (
        Cell(2, "VVV", sound, criteria=others | {"bic": 0.0}),
        Cell(3, "VVV", cut, criteria=others | {"bic": 9.0}),
    )
    asked = SelectionSettings((2, 3), ("VVV",), FitSettings())
    doubts = choice(Selection(cells, asked, 80.0, None, False)).doubts
    why = "1 of 2 fits was set aside for doubtful components, or because EM had not ended."
    assert why in doubts


@pytest.mark.parametrize(("monotone", "first"), [(True, -12.0), (False, -10.0)])
def test_rough_values_are_lowered_only_where_em_cannot_have_fallen(monotone, first):
    history = History([-10.0], [-10.0], n_rough=1, row_weight=1.0)
    step = SimpleNamespace(
        prior=NoPrior(), monotone=monotone, objective=lambda _, log_likelihood: log_likelihood
    )
    found = SimpleNamespace(log_likelihood=-12.0, row_weight=1.0, precision=Precision.DOUBLE)
    history.record(one_at(0.0), found, step)
    assert history.objectives == [first, -12.0]


def test_a_start_along_a_direction_without_spread_is_what_the_prior_holds_there():
    rows = MemoryRows(np.c_[two_groups(n_features=1), np.full(80, 5.0)])
    given = GivenStart(means=[[0.0, 5.0], [6.0, 5.0]], covariances=[[[1.0, 0.3], [0.3, 2.0]]] * 2)
    settings = FitSettings(2, given=given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        step = prepare(rows, settings)
    start = make_start(rows, settings, step, np.random.default_rng(0))
    floor = step.prior.floor()
    for matrix in start.covariances:
        np.testing.assert_array_equal(matrix, matrix.T)
        assert matrix[0, 0] == pytest.approx(1.0)
        assert matrix[1, 1] == pytest.approx(floor.matrix[1, 1], rel=1e-6)


def test_every_fit_of_a_selection_knows_where_its_climbs_have_ended():
    found = select(MemoryRows(two_groups()), SelectionSettings((1, 2), ("VVV",), FitSettings(), n_folds=0))
    for cell in found.cells:
        assert cell.n_reached(80.0) >= 1
        assert max(cell.ends) == pytest.approx(cell.result.objective, abs=0.1)


def test_one_component_makes_one_cluster():
    mixture = Mixture([1.0], [[0.0, 0.0]], [np.eye(2)], FULL)
    sentence = merge_components(mixture, MemoryRows(two_groups())).sentence
    assert sentence == "1 component makes 1 cluster: there is nothing to merge."


def test_the_sandwich_says_that_it_does_not_need_the_model():
    rows = two_groups(100)
    model = GaussianMixture(2).fit(rows)
    one, other = (model.uncertainty(rows, method=method).sentence for method in ("sandwich", "hessian"))
    assert "even if components are not quite Gaussian" in one
    assert "if the rows do come from such a mixture" in other


def test_a_goodness_of_fit_tests_distances_and_shape():
    rows, settings = MemoryRows(two_groups()), FitSettings(2)
    found = goodness_module.goodness_of_fit(search(rows, settings).mixture, rows, settings, 39)
    assert [test.name for test in found.tests] == ["radial", "shape"]


@pytest.mark.parametrize(("gain", "steps"), [(0.0, 0.0), (1e-7, 0.0), (2e-3, np.inf)])
def test_steps_to_go_where_gains_do_not_shrink(gain, steps):
    history = History(objectives=[-10.0 - 1e-9, -10.0, -10.0 + gain], row_weight=10.0, _latest=one_at(0.0))
    assert _steps_to_go(history, 1e-6) == steps


def test_rows_tied_as_deep_as_is_looked_are_as_far_as_the_nearest_that_are_not():
    assert _untied(np.array([0.0, 0.0, 0.25]), np.zeros((3, 1))).tolist() == [0.25] * 3
    assert _untied(np.zeros(3), np.zeros((3, 1))).tolist() == [1.0] * 3
