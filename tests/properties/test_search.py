"""The search: it leaves poor optima, sets spurious ones aside, and says what it did."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import GaussmixError, SettingsError
from gaussmix.learning import auto_search as module
from gaussmix.learning import field, starts
from gaussmix.learning import search as search_module
from gaussmix.learning.auto_search import AutoSearch
from gaussmix.learning.climbers import Climber, effective_rows
from gaussmix.learning.effort import SIDE_BY_SIDE
from gaussmix.learning.em import fit_em
from gaussmix.learning.partitions import METHODS
from gaussmix.learning.prepare import prepare
from gaussmix.learning.repair import moves
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings, GivenStart
from gaussmix.learning.spurious import soundness
from gaussmix.learning.stopping import Limits
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture

FULL = covariance_family("full")


@pytest.fixture(scope="module")
def six_groups():
    generator = np.random.default_rng(0)
    centres = 8.0 * np.array([[0, 0], [1, 0], [0, 1], [4, 4], [5, 4], [4, 5]], dtype=float)
    return np.concatenate([generator.normal(centre, 1.0, (80, 2)) for centre in centres])


def poor_optimum(rows):
    """EM from five components on one side and one on the other: two bad places at once."""
    means = np.r_[rows[[0, 20, 80, 160, 170]], [[36.0, 36.0]]]
    start = GivenStart(
        weights=np.full(6, 1 / 6), means=means, covariances=np.stack([np.eye(2)] * 5 + [30 * np.eye(2)])
    )
    return search(MemoryRows(rows), FitSettings(6, given=start))


def test_moves_leave_a_poor_optimum(six_groups):
    poor = poor_optimum(six_groups)
    best = search(MemoryRows(six_groups), FitSettings(6))
    assert best.objective > poor.objective + 100.0
    rows = MemoryRows(six_groups)
    settings = FitSettings(6)
    found = AutoSearch(rows, settings, prepare(rows, settings), SIDE_BY_SIDE)
    fit = found.field._on_the_page("given", poor.mixture, poor.mixture)
    repaired = found._repaired(fit)
    assert repaired.entry.objective == pytest.approx(best.objective, abs=1e-3)


def test_the_most_promising_move_takes_from_the_crowd_and_gives_to_the_lonely(six_groups):
    poor = poor_optimum(six_groups).mixture
    rows = MemoryRows(six_groups, np.ones(len(six_groups)))
    settings = FitSettings(6)
    step = prepare(rows, settings)
    first, *others = [
        move for move in moves(rows, poor, step, np.eye(2), np.random.default_rng(0)) if move.taken
    ]
    assert (poor.means[list(first.taken), 0] < 20.0).all()
    assert (poor.means[list(first.given), 0] > 20.0).all()
    assert first.promise > 0.0
    for move in (first, *others):
        assert move.mixture.n_components == 6
        assert move.mixture.weights.sum() == pytest.approx(1.0)
    # The first moves differ in what they change.
    assert len({move.given + move.taken for move in others[:6]}) > 3


def test_the_default_finds_the_best_known_of_iris(iris):
    # mclust's best for VVV and K = 3 is -180.185; the prior takes a little of it.
    model = GaussianMixture(3).fit(iris)
    assert model.score(iris) * len(iris) > -180.3
    assert GaussianMixture(3, n_init=1).fit(iris).score(iris) * len(iris) < -186.0


@pytest.mark.parametrize("seed", range(3))
def test_the_same_whatever_the_threads(iris, seed):
    fits = [GaussianMixture(4, random_state=seed, n_threads=n).fit(iris) for n in (1, 2, 4)]
    for other in fits[1:]:
        assert other.means_.tobytes() == fits[0].means_.tobytes()
        assert other.search_ == fits[0].search_


def test_rows_count_and_order_does_not(iris):
    generator = np.random.default_rng(1)
    one = GaussianMixture(3).fit(iris)
    other = GaussianMixture(3).fit(iris[generator.permutation(len(iris))])
    np.testing.assert_allclose(one.means_, other.means_, rtol=1e-12)


def test_a_spike_loses_against_a_sound_optimum():
    generator = np.random.default_rng(2)
    rows = np.r_[generator.normal(0.0, 1.0, (60, 2)), generator.normal(5.0, 1.0, (60, 2))]
    # Three rows nearly on a line: a component on them has a likelihood without bound.
    rows = np.r_[rows, [[2.5, 2.5], [2.5 + 1e-7, 2.5 + 1e-7], [2.5 + 2e-7, 2.5 + 2.1e-7]]]
    spiky = GivenStart(
        weights=[0.5, 0.48, 0.02],
        means=[[0.0, 0.0], [5.0, 5.0], [2.5, 2.5]],
        covariances=np.stack([np.eye(2), np.eye(2), 1e-10 * np.eye(2)]),
    )
    memory = MemoryRows(rows)
    spike = search(memory, FitSettings(3, given=spiky))
    found = search(memory, FitSettings(3))
    assert spike.objective > found.objective
    assert found.mixture.weights.min() > 0.04
    assert found.search.best.trouble == "" or "few rows" in found.search.best.trouble


def test_a_rare_group_that_is_there_pays_its_price():
    generator = np.random.default_rng(3)
    rare = generator.normal([12.0, -9.0], 0.05, (12, 2))
    rows = np.r_[generator.normal(0.0, 1.0, (400, 2)), generator.normal(6.0, 1.0, (400, 2)), rare]
    model = GaussianMixture(3).fit(rows)
    assert model.weights_.min() == pytest.approx(12 / 812, rel=0.02)
    assert model.search_.best.price > 0.0


def test_soundness():
    means = np.array([[0.0, 0.0], [9.0, 9.0]])
    wide = Mixture([0.9, 0.1], means, np.stack([np.eye(2)] * 2), FULL)
    narrow = Mixture([0.9, 0.1], means, np.stack([np.eye(2), 0.01 * np.eye(2)]), FULL)
    plenty, few, spike = np.array([900.0, 100.0]), np.array([900.0, 20.0]), np.array([900.0, 2.5])
    unit = 0.1 * np.eye(2)
    assert soundness(wide, plenty, unit, 1000.0).rank(5.0) == (True, 5.0)
    assert soundness(narrow, plenty, unit, 1000.0).n_doubtful == 0
    assert soundness(wide, few, unit, 1000.0).n_doubtful == 0
    doubtful = soundness(narrow, few, unit, 1000.0)
    # Half of a component's 5.5 parameters times log n.
    assert doubtful.price == pytest.approx(0.5 * 5.5 * np.log(1000.0))
    assert doubtful.rank(5.0) == (True, 5.0 - doubtful.price)
    assert doubtful.trouble == "1 on few rows"
    assert not soundness(narrow, spike, unit, 1000.0).sound
    tied = Mixture([0.9, 0.1], means, 1e-9 * np.eye(2), covariance_family("tied"))
    assert soundness(tied, spike, unit, 1000.0).rank(5.0) == (True, 5.0)


def test_what_a_search_tells(six_groups):
    model = GaussianMixture(6).fit(six_groups)
    told = model.search_
    assert told.n_starts > 10
    assert 1 <= told.n_reached <= len(told.entries)
    assert told.best in told.entries
    assert told.best.objective == pytest.approx(
        max(entry.objective for entry in told.entries if not entry.trouble), abs=0.05
    )
    assert set(told.table[0]) == {"origin", "objective", "n_passes", "trouble", "price"}
    assert told.spread >= 0.0
    assert f"Searched {told.n_starts} starts" in told.sentence
    assert model.summary_.as_json()["search"]["n_reached"] == told.n_reached


def test_few_components_need_two_lines_and_try_moves_from_one_end_once():
    generator = np.random.default_rng(3)
    rows = np.repeat([[0.0, 0.0], [2.6, 0.0], [0.0, 2.6]], [400, 300, 300], axis=0)
    told = GaussianMixture(3).fit(rows + generator.normal(size=(1000, 2))).search_
    assert len(told.entries) == told.n_reached == 2
    # Part three pairs and the three together anew, and three times three drops and mergers.
    assert told.n_moves == 13


def test_groups_that_lie_apart_in_a_few_of_many_columns_are_found():
    """Whitening makes all sixty directions count the same."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 200)
    rows = generator.normal(size=(600, 60))
    rows[:, :3] += 9.0 * np.eye(3)[labels]
    model = GaussianMixture(3).fit(rows)
    assert len({(int(a), int(b)) for a, b in zip(labels, model.labels_, strict=True)}) == 3


def test_alike_is_more_than_equally_high():
    rows = MemoryRows(np.random.default_rng(0).normal(size=(200, 2)))
    settings = FitSettings(2)
    judges = AutoSearch(rows, settings, prepare(rows, settings), SIDE_BY_SIDE).judges
    matrices = np.stack([np.eye(2)] * 2)

    def climber(weights, means, objective=-500.0):
        return Climber(Mixture(weights, means, matrices, FULL), objective, np.full(2, 100.0))

    one = climber([0.4, 0.6], [[0.0, 0.0], [1.0, 1.0]])
    assert judges.alike(one, climber([0.6, 0.4], [[1.01, 1.0], [0.0, 0.01]], -500.01))
    assert not judges.alike(one, climber([0.4, 0.6], [[0.0, 0.0], [1.0, 1.0]], -500.1))
    assert not judges.alike(one, climber([0.4, 0.6], [[0.0, 0.0], [-1.0, 1.0]]))
    assert not judges.alike(one, climber([0.5, 0.5], [[0.0, 0.0], [1.0, 1.0]]))


def test_rows_that_are_equal_are_one_place_to_rest_on():
    generator = np.random.default_rng(4)
    rows = generator.normal(size=(300, 1))
    spike = Mixture([0.5, 0.5], [[0.0], [rows[0, 0]]], [[[1.0]], [[1e-6]]], FULL)
    for table, copies in ((rows, 1.0), (np.repeat(rows, 50, axis=0), 50.0)):
        memory, settings = MemoryRows(table), FitSettings(2)
        judges = AutoSearch(memory, settings, prepare(memory, settings), SIDE_BY_SIDE).judges
        assert judges.soundness(spike, np.array([200.0, 1.0]) * copies).n_spikes == 1
        assert judges.soundness(spike, np.array([200.0, 90.0]) * copies).n_spikes == 0


def test_a_start_that_is_given_is_not_searched_from(six_groups):
    for settings in ({"means_init": six_groups[:2]}, {"n_init": 3}, {"max_iter": 0}):
        assert GaussianMixture(2, **settings).fit(six_groups).search_ is None


def test_the_limit_on_iterations_is_of_each_climb(six_groups):
    with pytest.warns(UserWarning, match="limit of 2 iterations"):
        model = GaussianMixture(6, max_iter=2, n_init=1, init_params="random").fit(six_groups)
    assert model.n_iter_ == 2
    for trace in (False, True):
        with warnings.catch_warnings():
            # Two iterations may be too few to tell what is left, even at the end of a search.
            warnings.simplefilter("ignore", ConvergenceWarning)
            searched = GaussianMixture(6, max_iter=2, trace=trace).fit(six_groups)
        assert searched.n_iter_ <= 2
        assert all(entry.n_passes <= 3 for entry in searched.search_.entries)
        assert searched.lower_bound_ > model.lower_bound_ + 0.1


def test_a_trace_tells_the_whole_way_to_the_same_optimum(six_groups):
    told = GaussianMixture(6, init_params="random", trace=True).fit(six_groups)
    short = GaussianMixture(6, init_params="random").fit(six_groups)
    assert len(told.trace_) > short.n_iter_
    assert told.trace_[0].objective < told.trace_[-1].objective
    assert told.lower_bound_ == pytest.approx(short.lower_bound_, abs=1e-7)
    np.testing.assert_allclose(told.means_, short.means_, rtol=1e-4)


@pytest.mark.parametrize(
    "settings", [{}, {"noise": True}, {"covariance_type": "tied"}, {"equal_weights": True}]
)
def test_more_rows_than_a_search_looks_at(six_groups, monkeypatch, settings):
    for place in (starts, field):
        monkeypatch.setattr(place, "SAMPLE_ROWS", 200)
    result = search(MemoryRows(six_groups), FitSettings(6, **settings))
    assert result.search is not None
    assert result.outcome.converged
    full = GaussianMixture(6, **settings).fit(six_groups)
    assert result.log_likelihood == pytest.approx(full.lower_bound_ * len(six_groups), rel=1e-3)


def test_a_search_that_finds_nothing_falls_back_to_a_plain_start(six_groups, monkeypatch):
    monkeypatch.setattr(module.AutoSearch, "run", lambda _: None)
    result = search(MemoryRows(six_groups), FitSettings(6))
    assert result.search is None
    assert result.n_starts == 1


def test_an_end_that_a_fit_from_its_start_does_not_reach_is_gone_on_from(six_groups, monkeypatch):
    best = search(MemoryRows(six_groups), FitSettings(6), trace=True)
    real = module.AutoSearch.run

    def elsewhere(self):
        found = real(self)
        return module.Found(poor_optimum(six_groups).mixture, found.end, found.search)

    monkeypatch.setattr(module.AutoSearch, "run", elsewhere)
    again = search(MemoryRows(six_groups), FitSettings(6), trace=True)
    assert again.objective == pytest.approx(best.objective, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_partitions(six_groups, method):
    points = np.unique((six_groups - six_groups.mean(0)) / six_groups.std(0), axis=0)
    weights = np.ones(len(points))
    for n_components in (2, 6, 40):
        labels = METHODS[method](points, weights, n_components, np.random.default_rng(0))
        assert sorted(set(labels.tolist())) == list(range(n_components))
        again = METHODS[method](points, weights, n_components, np.random.default_rng(0))
        assert np.array_equal(labels, again)
    few = METHODS[method](points[:4], weights[:4], 4, np.random.default_rng(0))
    assert sorted(few.tolist()) == [0, 1, 2, 3]


def test_agglomeration_finds_groups_of_unlike_shapes():
    generator = np.random.default_rng(4)
    long = generator.normal(size=(200, 2)) * [3.0, 0.1]
    other = generator.normal(size=(200, 2)) * [0.1, 3.0] + [0.0, 8.0]
    rows = np.r_[long, other]
    for n_rows in (400, 800):
        points = np.r_[rows, rows + generator.normal(0.0, 0.01, rows.shape)][:n_rows]
        labels = METHODS["agglomerative"](points, np.ones(len(points)), 2, generator)
        truth = (np.arange(len(points)) % 400) >= 200
        assert max(np.mean(labels == truth), np.mean(labels != truth)) > 0.98


def test_no_move_from_components_on_too_few_rows():
    rows = MemoryRows(np.array([[0.0], [0.1], [5.0], [5.1]]), np.ones(4))
    settings = FitSettings(2, prior="none")
    step = prepare(rows, settings)
    start = Mixture([0.5, 0.5], [[0.05], [5.05]], np.full((2, 1, 1), 0.01), FULL)
    result = fit_em(rows, start, step, Limits(1e-6, 50))
    for move in moves(rows, result.mixture, step, np.eye(1), np.random.default_rng(0)):
        assert np.isfinite(move.promise)


@pytest.mark.parametrize("seed", range(5, 9))
def test_the_unit_of_weights_does_not_change_what_is_sound(seed):
    """Twelve rows far off are as many as make a component doubtful: rounding must not choose."""
    generator = np.random.default_rng(seed)
    far = generator.normal(size=(12, 3)) * 0.3 + [6.0, -4.0, 0.0]
    rows = np.r_[generator.normal(size=(80, 3)), generator.normal(size=(60, 3)) + 3.0, far]
    plain = GaussianMixture(5).fit(rows)
    with pytest.warns(UserWarning, match="adds up to 1"):
        shares = GaussianMixture(5).fit(rows, sample_weight=np.full(len(rows), 1.0 / len(rows)))
    assert shares.search_.best.trouble == plain.search_.best.trouble
    assert shares.search_.best.objective * len(rows) == pytest.approx(plain.search_.best.objective, rel=1e-9)
    assert shares.search_.best.price * len(rows) == pytest.approx(plain.search_.best.price)
    plain, shares = (
        GaussianMixture(3).fit(rows),
        GaussianMixture(3).fit(rows, sample_weight=np.full(len(rows), 0.75)),
    )
    np.testing.assert_allclose(shares.means_, plain.means_, rtol=1e-4, atol=1e-5)


def test_a_component_that_holds_nothing_is_not_sound():
    # Its share of every row is alike, so that all rows seem to speak for it.
    counts = np.array([20.0, 1e-74, 14.0])
    assert effective_rows(counts, np.array([19.0, 1e-149, 13.0]))[1] == pytest.approx(3e-74)
    generator = np.random.default_rng(60)
    n_rows, n_components, n_features = (int(generator.integers(*r)) for r in ((25, 80), (4, 9), (1, 4)))
    rows = generator.standard_t(3, size=(n_rows, n_features))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GaussianMixture(n_components).fit(rows)
    assert all(doubt.trouble != "emptied" for doubt in model.outcome_.doubts)


def test_rows_beyond_the_sample_are_climbed_over_once(monkeypatch, six_groups):
    for place in (starts, field):
        monkeypatch.setattr(place, "SAMPLE_ROWS", 200)
    begun = []
    real = search_module.fit_em
    monkeypatch.setattr(search_module, "fit_em", lambda *given: begun.append(1) or real(*given))
    search(MemoryRows(six_groups), FitSettings(6))
    assert len(begun) == 1


def test_weights_of_any_range():
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(200, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = GaussianMixture(3).fit(rows, sample_weight=10.0 ** generator.uniform(-300, 300, 200))
    assert np.isfinite(model.means_).all()


def test_a_generator_is_no_random_state():
    with pytest.raises(SettingsError, match="random_state must be"):
        GaussianMixture(2, random_state=np.random.default_rng(0)).fit(np.arange(8.0)[:, None])


@pytest.mark.parametrize("n_init", ["auto", 1])
@pytest.mark.parametrize(
    ("column", "weights", "said"),
    [
        ([0.0, 5e-324], None, "column 'x1' runs from 0 to 4.94066e-324: .* Multiply the column"),
        ([0.1, 1.1, 2.3, 30.0], [1e100, 1.0, 1.0, 1.0], "component 1 has no spread left"),
    ],
)
@pytest.mark.filterwarnings("ignore:Columns .* are collinear")
def test_a_column_without_spread_beside_rounding_is_refused_in_words(column, weights, said, n_init):
    with pytest.raises(GaussmixError, match=said):
        search(MemoryRows(np.array(column)[:, None], weights), FitSettings(2, n_init=n_init))
