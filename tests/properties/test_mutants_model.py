"""Lines of model/ that could be changed without any test noticing: see tests/mutation/README.md."""

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix.errors import DegenerateComponentError, SettingsError
from gaussmix.model.coordinates import coordinates, mixture_at
from gaussmix.model.covariances import FAMILIES, covariance_family
from gaussmix.model.maximise import _estimate_of_some
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import FLOOR_SHARE, spread_floor
from gaussmix.model.quadratic import taken_for_other
from gaussmix.model.quantities import quantities_of
from gaussmix.model.spread import spreadless_directions, whitener


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


@pytest.mark.parametrize("family", ["VVV", "EEE", "VVI", "full", "tied", "diag"])
def test_what_a_prior_holds_fixed_is_in_covariances_whatever_rounding_leaves_there(family):
    """Beside a far row, rounding in a direction without spread was more than rounding of what is held."""
    flat = np.array([[0.0], [0.0], [1.0]]) if family in ("VVI", "diag") else np.full((3, 1), 3.0**-0.5)
    floor = spread_floor(flat, np.diag([4.0, 9.0, 16.0]), np.ones(3))
    covariances = np.array([np.diag([4.0, 5.0, 6.0]), np.diag([3.0, 2.0, 1.0])])
    kind = covariance_family(family)
    compact = kind.from_matrices(covariances)
    held = kind.matrices(floor.under(compact, kind), 2, 3)
    np.testing.assert_array_equal(held, np.swapaxes(held, 1, 2))
    normal = flat[:, 0] / [2.0, 3.0, 4.0]
    np.testing.assert_allclose(normal @ held @ normal, [FLOOR_SHARE] * 2, rtol=1e-9)
    np.testing.assert_allclose(held @ normal, [floor.matrix @ normal] * 2, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("family", [kind for kind in FAMILIES if kind.free], ids=lambda family: family.name)
def test_covariances_projected_are_what_a_family_can_hold_of_them(family):
    covariances = family.from_matrices(np.array([np.diag([4.0, 5.0, 6.0]), np.diag([3.0, 2.0, 1.0])]))
    onto = np.diag([1.0, 0.5, 0.0])
    expected = onto @ family.matrices(covariances, 2, 3) @ onto
    projected, held = family.projected(covariances, onto), family.from_matrices(expected)
    np.testing.assert_allclose(projected, held, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(("n_features", "n_flat"), [(2, 0), (20, 1)])
def test_the_more_features_the_more_of_a_spread_may_be_rounding(n_features, n_flat):
    covariance = np.eye(n_features)
    covariance[0, 1] = covariance[1, 0] = 1.0 - 5e-13
    assert whitener(covariance).shape == (n_features, n_features - n_flat)
    assert spreadless_directions(covariance).shape == (n_features, n_flat)


def test_a_collapse_beside_an_emptied_component_is_of_the_one_that_collapsed():
    scatter = np.stack([np.zeros((2, 2)), np.eye(2), np.zeros((2, 2))])
    current = Mixture(
        np.full(3, 1 / 3), np.zeros((3, 2)), np.stack([np.eye(2)] * 3), covariance_family("VEV")
    )
    with pytest.raises(DegenerateComponentError) as collapse:
        _estimate_of_some(np.array([False, True, True]), np.array([0.0, 5.0, 5.0]), scatter, current)
    assert collapse.value.component == 2
