"""What a selection says of margins, of those who disagree, and of how its figures come about."""

import json
import threading
import warnings

import numpy as np
import pytest

import gaussmix
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataError, DataWarning, SettingsError
from gaussmix.kernels.threads import compute_threads
from gaussmix.learning.auto_search import Neighbours
from gaussmix.learning.search import search
from gaussmix.learning.selection import grid as grid_module
from gaussmix.learning.selection.cells import Cell, Key, SelectionSettings
from gaussmix.learning.selection.choice import choice, share_of
from gaussmix.learning.selection.crew import Crew
from gaussmix.learning.selection.grid import Selection, select
from gaussmix.learning.selection.held_out import HeldOut, HeldOutCell
from gaussmix.learning.settings import FitSettings

ROWS = np.random.default_rng(0).normal(size=(40, 1)) + np.repeat([[0.0], [9.0]], 20, axis=0)
FITS = {k: search(MemoryRows(ROWS), FitSettings(k, "V")) for k in (1, 2)}
# Any sound fit will do where the test says what its criteria are.
FITS[3] = FITS[2]


def made_up(bics, held_out=None, icls=None, **more):
    """A selection of fits whose criteria are what the test says."""
    icls = icls or bics
    cells = tuple(
        Cell(k, "V", FITS[k], criteria={"bic": bics[k], "icl": icls[k], "aic": 0.0, "aicc": np.inf})
        for k in bics
    )
    asked = SelectionSettings(tuple(bics), ("V",), FitSettings(), **more)
    found = None
    if held_out is not None:
        reference = Key(min(bics, key=bics.get), "V")
        found = HeldOut(
            {Key(k, "V"): HeldOutCell(*figures) for k, figures in held_out.items()}, reference, 5, 1
        )
    return Selection(cells, asked, 40.0, found, False)


@pytest.mark.parametrize(
    ("margin", "strength"),
    [(1.9, "not decisive"), (2.1, "some evidence"), (6.1, "strong evidence"), (10.1, "very strong evidence")],
)
def test_margins_have_the_words_of_kass_and_raftery(margin, strength):
    found = choice(made_up({2: 100.0, 1: 100.0 + margin, 3: 150.0}, parsimony=0))
    assert found.strength == strength
    assert found.margin == pytest.approx(margin)


def test_the_share_is_that_of_exp_of_minus_half_of_bic():
    found = choice(made_up({1: 103.0, 2: 100.0, 3: 101.0}, parsimony=0))
    weights = np.exp([-1.5, 0.0, -0.5])
    assert found.share == pytest.approx(weights[1] / weights.sum())
    assert f"BIC gives two components {weights[1] / weights.sum():.0%}" in found.sentences[0]


def test_icl_and_held_out_rows_may_disagree():
    against = {2: (-3.0, 0.0, 0.0), 3: (-2.9, 0.1, 0.04), 1: (-4.0, -1.0, 0.1)}
    found = choice(made_up({1: 130.0, 2: 100.0, 3: 110.0}, against))
    assert not found.agree
    assert any("likeliest with three components (V), by 0.1 ± 0.04" in s for s in found.sentences)
    assert any(s.endswith("they disagree.") for s in found.doubts)
    within = {2: (-3.0, 0.0, 0.0), 3: (-2.9, 0.1, 0.06)}
    found = choice(made_up({1: 130.0, 2: 100.0, 3: 110.0}, within))
    assert found.agree
    assert any(s.endswith("that is within chance.") for s in found.sentences)
    found = choice(made_up({1: 130.0, 2: 100.0, 3: 110.0}, icls={1: 101.0, 2: 104.0, 3: 120.0}))
    assert not found.agree
    assert any(s.startswith("ICL prefers one component (V)") for s in found.doubts)


def test_an_infinite_criterion_is_no_margin():
    found = gaussmix.select(ROWS[:10], (1, 2, 3), ["V"], criterion="aicc", n_folds=0)
    json.dumps(found.as_json(), allow_nan=False)
    many = gaussmix.select(ROWS[::5], (1, 2, 3), ["V"], criterion="aicc", n_folds=0)
    json.dumps(many.as_json(), allow_nan=False)
    assert "inf" not in many.verdict


def test_fits_that_were_set_aside_are_no_evidence():
    """Two points many times over: two components are spikes, and that is no evidence of one group."""
    found = gaussmix.select(np.repeat([[0.0], [5.0]], 200, axis=0), (1, 2), ["E", "V"])
    assert found.choice.margin is None
    assert "Every fit with another number of components was set aside" in found.verdict
    assert "no evidence of groups" not in found.verdict


def test_weights_that_cannot_be_counts_are_refused():
    weights = np.full(len(ROWS), 1e-3)
    for call in (gaussmix.select, gaussmix.bootstrap_test):
        with pytest.raises(DataError, match="scale them to mean 1"):
            call(ROWS, (1, 2), sample_weight=weights)
    with pytest.raises(DataError, match="too large to be drawn"):
        gaussmix.bootstrap_test(ROWS, (1,), sample_weight=np.full(len(ROWS), 1e8))


def test_differences_of_held_out_rows_have_the_error_of_their_mean():
    values = np.random.default_rng(2).normal(size=(60, 2)) + np.repeat([[0.0], [4.0]], 30, axis=0)
    found = select(
        MemoryRows(values), SelectionSettings((1, 2), ("EII",), FitSettings(), n_folds=3, n_repeats=2)
    ).held_out
    generator = np.random.default_rng(np.random.SeedSequence(0).spawn(2)[1])
    ahead, variances = [], []
    which = np.unique(values, axis=0, return_inverse=True)[1].reshape(-1)
    for _ in range(2):
        folds = (generator.permutation(60) % 3)[which]
        densities = np.empty((2, 60))
        for fold in range(3):
            for i, k in enumerate((1, 2)):
                whole = gaussmix.GaussianMixture(k, covariance_type="EII").fit(values)._mixture()
                model = gaussmix.GaussianMixture(k, covariance_type="EII")
                model.fit(values[folds != fold], start=whole)
                densities[i, folds == fold] = model.score_samples(values[folds == fold])
        difference = densities[0] - densities[1]
        ahead.append(difference.mean())
        variances.append(difference.var() / 60.0)
    assert found.reference == Key(2, "EII")
    cell = found.cells[Key(1, "EII")]
    assert cell.standard_error == pytest.approx(np.sqrt(np.mean(variances)), rel=1e-4)
    assert cell.mean - found.cells[Key(2, "EII")].mean == pytest.approx(np.mean(ahead), abs=1e-4)
    assert cell.ahead == pytest.approx(np.mean(ahead), abs=1e-4)
    assert cell.ahead < 0.0


def test_nothing_is_held_out_where_fits_may_not_move_or_rows_are_few():
    assert gaussmix.select(ROWS, (1, 2), ["V"], max_iter=0).summary.n_folds == 0
    wide = np.random.default_rng(0).normal(size=(6, 10))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        assert gaussmix.select(wide, (1, 2), ["EEE", "VII"], prior="weak").summary.n_folds == 0


def test_spread_and_climbs_are_of_all_searches_for_a_cell():
    cell = Cell(2, "V", FITS[2], ends=(-100.0, -100.0 + 1e-6, -104.0))
    assert cell.spread(40.0) == pytest.approx(4.0 / 40.0, rel=1e-5)
    assert cell.n_reached(40.0) == 2


@pytest.fixture
def a_grid():
    rows = MemoryRows(ROWS)
    asked = SelectionSettings((1, 2, 3), ("E", "V"), FitSettings())
    with compute_threads(1):
        yield grid_module._Grid(rows, asked, lambda done, of: None)  # noqa: ARG005


def test_going_down_and_across_mends_a_poor_fit(a_grid):
    a_grid.up()
    good = a_grid.cells[Key(2, "V")]
    poor = search(MemoryRows(ROWS), FitSettings(2, "V", n_init=1, max_iter=1, init_params="random"))
    assert poor.objective < good.result.objective - 5.0
    a_grid.cells[Key(2, "V")] = Cell(2, "V", poor, criteria={"bic": 0.0, "icl": 0.0, "aic": 0.0, "aicc": 0.0})
    a_grid.down_and_across()
    assert a_grid.cells[Key(2, "V")].result.objective == pytest.approx(good.result.objective, abs=0.02)


def test_what_may_win_is_searched_as_a_single_fit_is(a_grid):
    a_grid.up()
    a_grid.thoroughly()
    best = a_grid.ranked[0]
    assert best.thorough
    assert a_grid.cells[Key(2, "V")].thorough
    whole = search(MemoryRows(ROWS), FitSettings(2, "E"))
    assert a_grid.cells[Key(2, "E")].result.objective >= whole.objective - 1e-6


def test_a_fit_that_is_worse_does_not_replace_one_that_is_better(a_grid):
    a_grid.up()
    before = a_grid.cells[Key(2, "V")]
    poor = search(MemoryRows(ROWS), FitSettings(2, "V", n_init=1, max_iter=1, init_params="random"))
    worse = Cell(2, "V", poor, criteria=before.criteria, ends=(1.0,))
    a_grid._fitted = lambda *_: worse
    a_grid._improve(Key(2, "V"), Neighbours())
    assert a_grid.cells[Key(2, "V")].result is before.result
    assert a_grid.cells[Key(2, "V")].ends == (*before.ends, 1.0)


def test_fits_are_rough_until_it_is_known_which_matter(a_grid, monkeypatch):
    asked = []
    real = grid_module.search

    def spy(rows, settings, *rest, **more):
        asked.append((settings.tol, settings.max_iter))
        return real(rows, settings, *rest, **more)

    monkeypatch.setattr(grid_module, "search", spy)
    a_grid.up()
    assert set(asked) == {(grid_module.ROUGHLY / 40.0, grid_module.ROUGH_ITERATIONS)}
    asked.clear()
    a_grid.thoroughly()
    assert set(asked) == {(1e-9, 10_000)}


def test_a_task_that_fails_stops_the_others():
    crew, done = Crew(), []

    def work(task):
        if task == 0:
            raise ValueError("no")
        crew.refuse_if_stopped()
        done.append(task)
        return task

    with compute_threads(2), pytest.raises(ValueError, match="no"):
        crew.each(work, list(range(400)))
    assert len(done) < 400
    with compute_threads(2):
        assert crew.each(lambda task: 2 * task, [1, 2, 3]) == [2, 4, 6]


def test_selections_on_other_threads_leave_warnings_alone():
    """Filters of warnings are the process's: a selection must not touch them."""
    before = list(warnings.filters)
    flat = np.c_[ROWS, np.ones(len(ROWS))]
    caught = []

    def run():
        with pytest.warns(DataWarning, match="constant"):
            gaussmix.select(flat, (1, 2), ["VVV"], n_folds=0)
        caught.append(True)

    run()
    thread = threading.Thread(target=lambda: gaussmix.select(ROWS, (1, 2), ["V"], n_folds=0))
    thread.start()
    gaussmix.select(ROWS, (1, 2), ["E"], n_folds=0)
    thread.join()
    assert warnings.filters == before
    assert caught == [True]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"covariance_type": "full"}, "covariance_type"),
        ({"covariance_types": 5}, "covariance_types"),
        ({"n_folds": False}, "n_folds"),
        ({"n_components": range(1, 99_999)}, "n_components"),
    ],
)
def test_what_would_be_lost_is_refused(given, words):
    with pytest.raises(SettingsError, match=words) as refused:
        gaussmix.select(ROWS, **{"n_components": (1, 2), **given})
    assert len(str(refused.value)) < 300


def test_numbers_of_numpy_are_numbers():
    found = gaussmix.select(ROWS, np.arange(1, 3), np.array(["E"]), n_folds=np.int64(3))
    json.dumps(found.as_json(), allow_nan=False)
    assert found.model(np.int64(2)).n_components == 2


def test_tests_that_cannot_go_on_keep_what_was_found():
    atoms = np.repeat([[0.0, 0.0], [5.0, 1.0], [2.0, 7.0]], 40, axis=0)
    jitter = atoms + np.random.default_rng(0).integers(0, 2, atoms.shape) * 1e-3
    found = gaussmix.bootstrap_test(jitter, (1, 2, 3), "EEE", n_replicates=19)
    assert found.tests
    three = gaussmix.bootstrap_test(atoms, (1, 2), "EEE", n_replicates=19)
    assert [t.n_components for t in three.tests] in ([1], [1, 2])


def test_share_of_models_with_as_many_components_adds_up():
    cells = [
        Cell(k, model, FITS[k], criteria={"bic": bic})
        for k, model, bic in ((1, "E", 4.0), (1, "V", 4.0), (2, "E", 0.0))
    ]
    assert share_of(cells, 1) == pytest.approx(2.0 * np.exp(-2.0) / (2.0 * np.exp(-2.0) + 1.0))
