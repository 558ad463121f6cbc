"""Lines of model/ that could be changed without any test noticing: see tests/mutation/README.md."""

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix.errors import DegenerateComponentError, SettingsError
from gaussmix.model.coordinates import coordinates, mixture_at
from gaussmix.model.covariances import FAMILIES, covariance_family
from gaussmix.model.mixture import Mixture
from gaussmix.model.quadratic import taken_for_other
from gaussmix.model.quantities import quantities_of


@pytest.mark.parametrize("offset", [20.0, 50.0, 80.0, 120.0])
def test_a_narrow_gaussian_far_out_is_taken_for_as_often_on_either_side(offset):
    """Probabilities of a far interval keep their digits above the mean as they do below."""
    below, above = (taken_for_other(np.array([10.0]), np.array([sign * offset]), 0.0) for sign in (1.0, -1.0))
    assert 0.0 < below < 0.5
    assert above == pytest.approx(below, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("name", ["VEV", "EVE", "VVV"])
def test_coordinates_beyond_all_numbers_are_no_covariances_and_no_error(name):
    family = covariance_family(name)
    current = np.stack([np.eye(2)] * 2)
    coordinates = np.full_like(family.coordinates(current), 1e4)
    with np.errstate(all="ignore"):
        found = family.from_coordinates(coordinates, current, 2)
    assert not np.isfinite(found).all()


def test_weights_that_vanish_are_a_collapse_whatever_numpy_is_set_to():
    like = Mixture([0.5, 0.5], [[0.0], [1.0]], [1.0, 1.0], covariance_family("spherical"))
    place = coordinates(like)
    place[0] = -1e4
    with np.errstate(all="raise"), pytest.raises(DegenerateComponentError, match="left the range of numbers"):
        mixture_at(place, like)


def test_a_feature_is_correlated_with_itself():
    matrices = np.array([[[4.0, 1.0], [1.0, 9.0]], [[1.0, 0.0], [0.0, 0.25]]])
    found = quantities_of(Mixture([0.5, 0.5], np.zeros((2, 2)), matrices, covariance_family("full")))
    np.testing.assert_allclose(found.correlations, [[[1.0, 1 / 6], [1 / 6, 1.0]], np.eye(2)])


def test_models_know_what_their_components_share():
    alike = {family.name for family in FAMILIES if family.one_orientation}
    assert alike == {"tied", "EEE", "VEE", "EVE", "VVE"}
    own = {family.name for family in FAMILIES if family.words_in_one_dimension.startswith("each component")}
    assert own == {family.name for family in FAMILIES if family.mclust_name[0] == "V"}


@pytest.mark.parametrize("covariance", ["full", "EVE", "diag"])
def test_variances_are_a_start_for_any_model(covariance):
    rows, variances = np.random.default_rng(0).normal(size=(50, 2)), np.array([[1.0, 2.0], [2.0, 1.0]])
    model = GaussianMixture(2, covariance_type=covariance, covariances_init=variances, max_iter=0)
    found = model.fit(rows)._mixture().matrices
    np.testing.assert_allclose(found, [np.diag(row) for row in variances], rtol=1e-12, atol=1e-15)


def test_the_conjugate_prior_ties_means_already():
    start = {"means_init": [[0.0, 0.0], [1.0, 1.0]], "hold": {"means": [0]}}
    with pytest.raises(SettingsError, match="hold and share go with prior='weak' or None"):
        GaussianMixture(2, prior="conjugate", **start).fit(np.random.default_rng(0).normal(size=(50, 2)))
