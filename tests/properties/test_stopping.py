"""The stopping rule on sequences whose limit is known."""

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix.errors import ComponentWarning
from gaussmix.learning.history import History
from gaussmix.learning.outcome import OutcomeKind
from gaussmix.learning.stopping import Limits, remaining_gain, stopping_outcome


class Exact(History):
    """Objectives that are what they say, to the last digit but one."""

    rounding = conditioned_rounding = 1e-15


def history_of(objectives, row_weight=1.0):
    return Exact(
        log_likelihoods=list(objectives), objectives=list(objectives), row_weight=row_weight, n_components=2
    )


@pytest.mark.parametrize("rate", [0.1, 0.9, 0.99, 0.9999])
def test_the_remaining_gain_of_a_geometric_sequence_is_exact(rate):
    objectives = -5.0 - rate ** np.arange(12)
    assert remaining_gain(history_of(objectives)) == pytest.approx(rate**11, rel=1e-6)


def test_slow_is_not_done():
    """Steps of 1e-9 at a rate of 0.9999 have 1e-5 to go: a test on the step alone would stop."""
    objectives = np.cumsum(1e-9 * 0.9999 ** np.arange(12))
    assert np.diff(objectives).max() < 1e-8
    assert stopping_outcome(history_of(objectives), Limits(1e-8, 100)) is None


def test_growing_gains_are_not_convergence():
    objectives = np.cumsum(1e-12 * 1.01 ** np.arange(12))
    assert remaining_gain(history_of(objectives)) is None
    assert stopping_outcome(history_of(objectives), Limits(1e-3, 100)) is None


def test_one_lucky_step_is_not_believed():
    gains = [1.0, 0.9, 0.81, 1e-8]
    objectives = np.cumsum([0.0, *gains])
    assert remaining_gain(history_of(objectives)) > 1e-8
    assert stopping_outcome(history_of(objectives), Limits(1e-8, 100)) is None


def test_converges_when_little_is_left():
    outcome = stopping_outcome(history_of(-(0.5 ** np.arange(40))), Limits(1e-6, 100))
    assert outcome.kind is OutcomeKind.CONVERGED
    assert outcome.converged


def test_tolerance_is_per_unit_of_row_weight():
    objectives = -1e-3 * 0.5 ** np.arange(5)
    assert stopping_outcome(history_of(objectives, row_weight=1.0), Limits(1e-6, 100)) is None
    assert stopping_outcome(history_of(objectives, row_weight=1e3), Limits(1e-6, 100)).converged


def test_a_falling_objective_is_reported_and_not_taken_for_convergence():
    outcome = stopping_outcome(history_of([0.0, 1.0, 0.5]), Limits(1e-3, 100))
    assert outcome.kind is OutcomeKind.OBJECTIVE_FELL
    assert not outcome.converged
    assert "fell by 0.5" in outcome.sentence


def test_rounding_ends_a_fit_with_tolerance_zero():
    assert stopping_outcome(history_of([0.0, 1.0, 1.0 + 1e-16]), Limits(0.0, 100)).converged


def test_the_limit_is_not_convergence():
    outcome = stopping_outcome(history_of([0.0, 1.0, 1.9]), Limits(1e-9, 2))
    assert outcome.kind is OutcomeKind.ITERATION_LIMIT
    assert not outcome.converged
    assert "max_iter" in outcome.sentence


def test_no_iterations_is_the_start_scored():
    outcome = stopping_outcome(history_of([0.0]), Limits(1e-9, 0))
    assert outcome.kind is OutcomeKind.ITERATION_LIMIT
    assert "start itself" in outcome.sentence


def test_with_reg_covar_the_remaining_change_counts_in_either_direction():
    """The objective may fall towards its limit then; what is left is as far below as it would be above."""
    falling = history_of(1.0 + 0.5 ** np.arange(12))
    assert remaining_gain(falling) == pytest.approx(0.5**11, rel=1e-6)
    assert stopping_outcome(falling, Limits(1e-2, 100, monotone=False)).converged
    assert stopping_outcome(falling, Limits(1e-5, 100, monotone=False)) is None


@pytest.mark.parametrize("ratio", [1e-2, 3e-5, 1e-6])
@pytest.mark.parametrize("width", [1.0, 1e13, 1e16, 1e20])
def test_a_step_that_leaves_covariances_for_the_next_ends_no_fit(ratio, width):
    """Features that are nearly equal, and a start that is far too wide: the means have to move first."""
    rng = np.random.default_rng(1)
    column = rng.normal(size=(400, 1))
    rows = np.c_[column, column + ratio * rng.normal(size=(400, 1))]
    wide = [np.eye(2) * width]
    model = GaussianMixture(1, prior=None, means_init=[[2.0, 2.0]], covariances_init=wide).fit(rows)
    np.testing.assert_allclose(model.covariances_[0], np.cov(rows.T, bias=True), rtol=1e-6)
    assert model.n_iter_ < 20


def test_a_remote_component_that_no_row_belongs_to_is_emptied_and_ends_no_fit():
    rng = np.random.default_rng(2)
    rows = np.r_[rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) + 1.2]
    start = {"means_init": [[0.0, 0.0], [1.2, 1.2], [10.0, 10.0]], "covariances_init": [np.eye(2)] * 3}
    model = GaussianMixture(3, prior=None, weights_init=[0.4, 0.4, 0.2], **start)
    with pytest.warns(ComponentWarning, match="emptied"):
        model.fit(rows)
    assert model.converged_
    assert model.weights_[2] == 0.0
