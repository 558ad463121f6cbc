"""The ten heights: where EM goes, and that the default answer does not depend on the tolerance."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from gaussmix import GaussianMixture
from gaussmix.learning.outcome import OutcomeKind

START = {"means_init": [[5.5], [6.0]], "covariances_init": 0.1, "weights_init": [0.5, 0.5]}


def test_default_and_tight_tolerance_agree(heights):
    default = GaussianMixture(2, **START).fit(heights)
    tight = GaussianMixture(2, tol=0.0, **START).fit(heights)
    np.testing.assert_allclose(default.means_, tight.means_, atol=1e-4)
    assert default.converged_
    assert tight.converged_


def test_the_starts_of_our_own_find_the_same(heights):
    given = GaussianMixture(2, **START).fit(heights)
    found = GaussianMixture(2).fit(heights)
    np.testing.assert_allclose(found.means_, given.means_, atol=1e-4)


def test_without_a_prior_the_second_component_collapses_on_the_last_row(heights):
    model = GaussianMixture(2, prior=None, trace=True, acceleration=None, **START)
    with pytest.warns(ConvergenceWarning, match="component 2 has no spread left"):
        model.fit(heights)
    assert model.outcome_.kind is OutcomeKind.DEGENERATE_COMPONENT
    assert not model.converged_
    assert [doubt.component for doubt in model.outcome_.doubts] == [1]
    assert model.means_[1, 0] == pytest.approx(6.3, abs=2e-3)
    # It takes more than a thousand steps on the plateau to get there.
    assert 1000 < model.n_iter_ < 3000
    assert model.trace_[1000].log_likelihood == pytest.approx(-2.10008, abs=1e-5)
    assert np.isfinite(model.lower_bounds_).all()


def test_longer_steps_come_to_the_same_collapse_sooner(heights):
    model = GaussianMixture(2, prior=None, **START)
    with pytest.warns(ConvergenceWarning, match="component 2 has no spread left"):
        model.fit(heights)
    assert [doubt.component for doubt in model.outcome_.doubts] == [1]
    assert model.means_[1, 0] == pytest.approx(6.3, abs=2e-3)
    assert model.n_iter_ < 100
    assert np.all(np.diff(model.lower_bounds_) >= 0.0)


def test_the_trace_holds_every_mixture(heights):
    model = GaussianMixture(2, prior=None, trace=True, max_iter=2, **START)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(heights)
    assert [step.iteration for step in model.trace_] == [0, 1, 2]
    assert model.trace_[0].mixture.means.ravel().tolist() == [5.5, 6.0]
    assert model.trace_[1].mixture.means.ravel() == pytest.approx([5.5982, 5.9303], abs=5e-5)
    assert np.array_equal(model.trace_[2].mixture.means, model.means_)
    assert [step.log_likelihood / 10 for step in model.trace_] == model.lower_bounds_


@pytest.mark.parametrize(
    ("covariance_type", "n_components", "bic_mclust"), [("full", 1, -9.135), ("tied", 2, -13.615)]
)
def test_bic_as_mclust_gives_it(heights, covariance_type, n_components, bic_mclust):
    model = GaussianMixture(n_components, covariance_type=covariance_type, prior=None, n_init=10).fit(heights)
    assert -model.bic(heights) == pytest.approx(bic_mclust, abs=1e-3)
