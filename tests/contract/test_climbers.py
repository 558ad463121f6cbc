"""EM steps of many mixtures side by side are the page's steps, in both kernels."""

from dataclasses import replace

import numpy as np
import pytest

from gaussmix import kernels
from gaussmix.data.memory import MemoryRows
from gaussmix.kernels import reference_climb
from gaussmix.kernels.contract import FactorForm
from gaussmix.kernels.threads import compute_threads
from gaussmix.learning.climbers import _alone, climb, climb_further, rule_for, stackable
from gaussmix.learning.prepare import prepare
from gaussmix.learning.settings import FitSettings
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture

SIMPLE = ("full", "diag", "spherical", "VVV", "VVI", "VII")


def problem(family="full", weighted=False, n_features=3, n_starts=5, **settings):
    generator = np.random.default_rng(1)
    values = np.r_[generator.normal(0.0, 1.0, (70, n_features)), generator.normal(4.0, 2.0, (50, n_features))]
    weights = generator.integers(1, 4, len(values)).astype(float) if weighted else None
    rows = MemoryRows(values, weights)
    step = prepare(rows, FitSettings(3, family, **settings))
    chosen = covariance_family(family)
    starts = [
        Mixture(
            [0.5, 0.3, 0.2],
            values[generator.choice(len(values), 3, replace=False)],
            chosen.from_matrices(np.stack([np.atleast_2d(np.cov(values.T))] * 3)),
            chosen,
        )
        for _ in range(n_starts)
    ]
    return rows, step, starts


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("settings", [{}, {"prior": "none"}, {"reg_covar": 0.01}])
@pytest.mark.parametrize("family", SIMPLE)
def test_steps_side_by_side_are_those_of_the_page(family, settings, weighted):
    rows, step, starts = problem(family, weighted, **settings)
    assert stackable(covariance_family(family), step)
    for n_steps in (0, 1, 7):
        for together, start in zip(climb(rows, starts, step, n_steps), starts, strict=True):
            alone = _alone(rows, start, step, n_steps)
            assert together.objective == pytest.approx(alone.objective, rel=1e-10)
            np.testing.assert_allclose(together.mixture.means, alone.mixture.means, rtol=1e-8, atol=1e-10)
            np.testing.assert_allclose(
                together.mixture.covariances, alone.mixture.covariances, rtol=1e-8, atol=1e-10
            )
            np.testing.assert_allclose(together.effective, alone.effective, rtol=1e-8)


def test_a_column_without_spread_keeps_its_floor():
    rows, step, starts = problem()
    flat = MemoryRows(np.c_[rows.matrix[:, :2], np.full(len(rows.matrix), 5.0)])
    with pytest.warns(UserWarning, match="constant"):
        step = prepare(flat, FitSettings(3))
    matrix = np.diag([1.0, 1.0, 0.0]) + step.prior.floor().matrix
    begun = [
        Mixture(start.weights, np.c_[start.means[:, :2], [5.0] * 3], np.stack([matrix] * 3), start.family)
        for start in starts
    ]
    for together, start in zip(climb(flat, begun, step, 4), begun, strict=True):
        assert together.objective == pytest.approx(_alone(flat, start, step, 4).objective, rel=1e-10)


@pytest.mark.parametrize("family", ["full", "diag", "spherical"])
@pytest.mark.parametrize("n_features", [1, 3, 14])
def test_both_kernels_climb_alike(family, n_features):
    rows, step, starts = problem(family, True, n_features)
    given = (
        rows.matrix,
        rows.weights,
        np.stack([start.weights for start in starts]),
        np.stack([start.means for start in starts]),
        np.stack([start.covariances for start in starts]),
        rule_for(starts[0].family, n_features, step, 0.0),
        5,
    )
    for found, expected in zip(kernels.climb(*given), reference_climb.climb(*given), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kernel", [kernels, reference_climb])
def test_a_mixture_that_gains_enough_no_more_stays_where_it_is(kernel):
    rows, step, starts = problem()
    stacked = (
        np.stack([start.weights for start in starts]),
        np.stack([start.means for start in starts]),
        np.stack([start.covariances for start in starts]),
    )
    rule = rule_for(starts[0].family, 3, step, 0.0)
    steps = [kernel.climb(rows.matrix, rows.weights, *stacked, rule, n) for n in range(8)]
    gains = np.diff([climbed.objectives for climbed in steps], axis=0)
    enough = float(np.median(gains[2:]))
    stopped = kernel.climb(rows.matrix, rows.weights, *stacked, rule._replace(enough=enough), 7)
    for m, gain in enumerate(gains.T):
        small = np.flatnonzero(gain <= enough)
        last = small[0] + 1 if len(small) else 7
        assert stopped.objectives[m] == steps[last].objectives[m]
        assert np.array_equal(stopped.means[m], steps[last].means[m])


def test_a_mixture_that_collapses_does_not_hold_the_others_up():
    rows, step, starts = problem(prior="none")
    spike = Mixture(starts[0].weights, starts[0].means, 1e-40 * starts[0].covariances, starts[0].family)
    flat = np.array(starts[0].covariances)
    flat[1, 0, :] = flat[1, :, 0] = 0.0
    lost = [spike, Mixture(starts[0].weights, starts[0].means, flat, starts[0].family)]
    found = climb(rows, [lost[0], *starts, lost[1]], step, 6)
    assert [np.isfinite(c.objective) for c in found] == [False, *[True] * len(starts), False]
    expected = climb(rows, starts, step, 6)
    assert [c.objective for c in found[1:-1]] == [c.objective for c in expected]


def test_the_bits_do_not_depend_on_threads():
    rows, step, starts = problem(n_starts=9)
    objectives = []
    for n_threads in (1, 2, 4, 7):
        with compute_threads(n_threads):
            objectives.append([c.objective for c in climb(rows, starts, step, 20)])
    assert all(found == objectives[0] for found in objectives)


def test_what_is_hoped_for_is_more_than_what_is_left():
    rows, step, starts = problem()
    climbers = climb(rows, starts, step, 0)
    for _ in range(6):
        climbers = climb_further(rows, climbers, step, 20)
    ends = climb(rows, [climber.mixture for climber in climbers], step, 3000)
    assert any(climber.hope > 1e-9 for climber in climbers)
    for climber, end in zip(climbers, ends, strict=True):
        assert climber.objective + climber.hope >= end.objective - 1e-6


def test_a_climb_ends_by_itself_only_where_next_to_nothing_is_left():
    rows, step, starts = problem()
    rule = rule_for(starts[0].family, 3, step, float(len(rows.matrix)))
    assert rule.enough > 0.0
    stacked = (
        np.stack([start.weights for start in starts]),
        np.stack([start.means for start in starts]),
        np.stack([start.covariances for start in starts]),
    )
    given = (rows.matrix, rows.weights, *stacked)
    stopped = kernels.climb(*given, rule, 20_000).objectives
    ends = kernels.climb(*given, rule._replace(enough=-np.inf), 20_000).objectives
    assert (ends - stopped <= 1e-7 * len(rows.matrix)).all()


def test_an_objective_that_may_fall_does_not_end_a_climb():
    _, step, starts = problem()
    rule = rule_for(starts[0].family, 3, replace(step, reg_covar=0.1), 100.0)
    assert rule.enough == -np.inf


@pytest.mark.parametrize("n_features", [1, 2, 5, 20])
def test_precision_factors_of_both_kernels(n_features):
    generator = np.random.default_rng(3)
    roots = generator.normal(size=(6, n_features, n_features)) * np.logspace(-6, 6, n_features)
    matrices = roots.transpose(0, 2, 1) @ roots
    matrices[2, 0, 0] = np.nan
    matrices[4] = -matrices[4]
    factors, sound = kernels.triangular_factors(matrices, 1e-15)
    expected, expected_sound = reference_climb.triangular_factors(matrices, 1e-15)
    assert sound.tolist() == expected_sound.tolist() == [True, True, False, True, False, True]
    scale = np.sqrt(np.einsum("nii->ni", matrices[sound]))[:, :, None]
    np.testing.assert_allclose(scale * factors[sound], scale * expected[sound], rtol=1e-6, atol=1e-8)
    assert (np.tril(factors[sound], -1) == 0.0).all()


def test_a_shared_form_has_no_steps_side_by_side():
    rows, step, _ = problem()
    rule = rule_for(covariance_family("full"), 3, step, 0.0)._replace(form=FactorForm.SHARED)
    with pytest.raises((ValueError, KeyError)):
        kernels.climb(rows.matrix, None, np.ones((1, 1)), np.zeros((1, 1, 3)), np.eye(3)[None, None], rule, 1)
