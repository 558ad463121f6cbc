"""Longer steps: the same answers as EM's own, sooner, and never a fall."""

import warnings

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.learning import acceleration
from gaussmix.learning.acceleration import Leaps
from gaussmix.learning.em import fit_em, one_step
from gaussmix.learning.prepare import prepare
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.starts import make_start
from gaussmix.learning.stopping import Limits


def overlapping(n_features, n_components, seed, n_rows=500):
    rng = np.random.default_rng(seed)
    centres = 1.4 * rng.normal(size=(n_components, n_features))
    return centres[rng.integers(0, n_components, n_rows)] + rng.normal(size=(n_rows, n_features))


def both(rows, tol=1e-9, **settings_):
    settings = FitSettings(**settings_)
    table = MemoryRows(rows)
    step = prepare(table, settings)
    start = make_start(table, settings, step, np.random.default_rng(0))
    limits = Limits(tol, 50_000)
    return (
        fit_em(table, start, step, limits, stride=one_step),
        fit_em(table, start, step, limits, stride=Leaps(step, tol)),
    )


PROBLEMS = [(1, 2, 1), (1, 2, 6), (2, 3, 2), (3, 3, 3), (5, 3, 4), (8, 4, 5)]


@pytest.mark.parametrize("family", ["full", "tied", "diag", "spherical", "EII", "EEI", "VEI", "EVE", "VEV"])
@pytest.mark.parametrize(("n_features", "n_components", "seed"), PROBLEMS)
def test_the_same_optimum_or_a_better_one_in_fewer_passes(family, n_features, n_components, seed):
    rows = overlapping(n_features, n_components, seed)
    plain, leaping = both(rows, n_components=n_components, covariance_type=family)
    assert leaping.outcome.converged
    assert leaping.objective >= plain.objective - 2e-9 * len(rows)
    # EM that is nearly there already may be a step or three ahead of leaps that begin.
    assert leaping.history.n_passes <= 1.1 * plain.history.n_passes + 3
    assert plain.history.n_passes == plain.n_iterations + 1
    assert np.diff(leaping.history.objectives).min() > -1e-11 * abs(leaping.objective)


def test_it_pays_where_em_is_slow():
    ratios = []
    for n_features, n_components, seed in PROBLEMS:
        plain, leaping = both(overlapping(n_features, n_components, seed), n_components=n_components)
        ratios.append(plain.history.n_passes / leaping.history.n_passes)
    assert np.median(ratios) > 3.0


@pytest.mark.parametrize(("n_features", "n_components", "seed"), PROBLEMS)
def test_what_is_left_is_what_tol_allows(n_features, n_components, seed):
    rows = overlapping(n_features, n_components, seed)
    for tol in (1e-6, 1e-9):
        _, found = both(rows, tol, n_components=n_components)
        _, tight = both(rows, 1e-13, n_components=n_components)
        assert (tight.objective - found.objective) / len(rows) < 3.0 * tol


def test_a_long_plateau_is_not_taken_for_the_top(heights):
    """Without a prior the way of the heights is nearly level for a thousand of EM's steps."""
    plain, leaping = both(heights, n_components=2, prior="none")
    assert plain.outcome.collapse is not None
    assert leaping.outcome.collapse is not None
    assert leaping.history.n_passes < 0.1 * plain.history.n_passes


def test_a_leap_that_the_rows_do_not_like_is_refused_at_the_cost_of_a_pass(monkeypatch):
    rows = overlapping(2, 3, 2)
    monkeypatch.setattr(acceleration, "mixture_at", _far_off)
    plain, refused = both(rows, n_components=3)
    assert refused.history.n_leaps == 0
    assert refused.history.n_refused > 10
    assert refused.history.n_passes == refused.n_iterations + 1 + refused.history.n_refused
    assert refused.history.objectives[: plain.n_iterations] == plain.history.objectives[:-1]


def _far_off(place, like):
    worse = like.permuted(np.arange(like.n_components))
    return type(like)(worse.weights, worse.means + 5.0, worse.covariances, worse.family)


def test_none_means_em_step_by_step():
    rows = overlapping(2, 3, 2)
    plain = GaussianMixture(3, acceleration=None, trace=True).fit(rows)
    by_hand, _ = both(rows, n_components=3)
    assert plain.n_iter_ > 50
    assert plain.n_iter_ == len(plain.trace_) - 1
    leaping = GaussianMixture(3, trace=True).fit(rows)
    assert leaping.n_iter_ < plain.n_iter_ / 2
    assert [s.log_likelihood / len(rows) for s in leaping.trace_] == leaping.lower_bounds_
    assert by_hand.history.n_leaps == 0


def test_rows_without_spread_in_a_direction_are_left_to_em():
    """There the prior holds the covariance, and a longer step would shrink it for a higher objective."""
    rows = overlapping(1, 1, 1, n_rows=200) + 4.0 * np.repeat([[0.0], [1.0]], 100, axis=0)
    collinear = np.c_[rows, 2.0 * rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = search(MemoryRows(collinear), FitSettings(2))
    assert result.history.n_leaps == 0
    assert result.outcome.converged


def test_with_reg_covar_the_objective_may_fall_and_em_goes_alone():
    result = search(MemoryRows(overlapping(2, 3, 2)), FitSettings(3, reg_covar=1e-3))
    assert result.history.n_leaps == 0


def test_an_emptied_component_stays_empty():
    """Its log weight is minus infinity, from where no step leads."""
    rows = MemoryRows(overlapping(1, 2, 1))
    settings = FitSettings(3, prior="none")
    step = prepare(rows, settings)
    start = make_start(rows, settings, step, np.random.default_rng(0))
    means = start.means.copy()
    means[2] = 1e6
    far = type(start)(start.weights, means, np.full_like(start.covariances, 0.01), start.family)
    result = fit_em(rows, far, step, Limits(1e-6, 50), stride=Leaps(step, 1e-6))
    assert result.mixture.weights[2] == 0.0
    assert np.isfinite(result.history.objectives).all()


@pytest.mark.parametrize("seed", range(12))
def test_leaps_cost_no_more_than_a_tenth_where_em_is_quick(seed):
    generator = np.random.default_rng(seed)
    rows = (generator.normal(size=500) + 4.5 * (generator.random(500) < 0.4))[:, None]
    passes = [
        GaussianMixture(2, n_init=1, tol=1e-8, acceleration=acceleration).fit(rows).summary_.facts["n_passes"]
        for acceleration in ("auto", None)
    ]
    assert passes[0] <= 1.1 * passes[1]
