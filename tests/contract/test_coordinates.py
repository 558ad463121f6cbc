"""A mixture as a vector: the way there and back, and the length of a small change."""

import numpy as np
import pytest

from gaussmix.errors import DegenerateComponentError
from gaussmix.model.coordinates import coordinates, informed, mixture_at
from gaussmix.model.covariances import FAMILIES, covariance_family
from gaussmix.model.mixture import Mixture

# Families in which small changes of coordinates lead out, and are led back to the nearest member.
CURVED = ("VEE", "EVE", "VVE", "EEV", "VEV", "EVV")
STRAIGHT = [family for family in FAMILIES if family.name not in CURVED]


def mixture_of(family, n_features, scales=1.0, n_components=3):
    rng = np.random.default_rng(n_features)
    roots = rng.normal(size=(n_components, n_features, n_features)) + 2.0 * np.eye(n_features)
    matrices = roots @ roots.transpose(0, 2, 1) * np.outer(scales, scales)
    weights = rng.dirichlet(np.full(n_components, 3.0))
    means = rng.normal(size=(n_components, n_features)) * scales
    return Mixture(weights, means, family.from_matrices(matrices), family)


def divergence(one, other):
    """Kullback and Leibler's, of labelled rows under one from those under other, exactly."""
    total = 0.0
    parts = zip(one.weights, other.weights, one.means, other.means, one.matrices, other.matrices, strict=True)
    for w, v, mu, nu, sigma, tau in parts:
        offset, ratio = nu - mu, np.linalg.solve(tau, sigma)
        gauss = np.trace(ratio) - len(mu) - np.linalg.slogdet(ratio)[1]
        gauss += offset @ np.linalg.solve(tau, offset)
        total += w * (np.log(w / v) + 0.5 * gauss)
    return total


@pytest.mark.parametrize("n_features", [1, 2, 5])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_there_and_back(family, n_features):
    # Where a part is shared and no axis stands for a column, columns cannot differ by 24 digits.
    own_units = family in STRAIGHT and family.mclust_name[1] != "I"
    scales = 10.0 ** np.linspace(-12.0, 12.0, n_features) if own_units else 1.0
    mixture = mixture_of(family, n_features, scales)
    again = mixture_at(coordinates(mixture), mixture)
    np.testing.assert_allclose(again.weights, mixture.weights, rtol=1e-14)
    assert np.array_equal(again.means, mixture.means)
    np.testing.assert_allclose(again.covariances, mixture.covariances, rtol=1e-11, atol=0.0)


@pytest.mark.parametrize("n_features", [1, 2, 5])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_any_place_is_a_mixture(family, n_features):
    mixture = mixture_of(family, n_features)
    place = coordinates(mixture)
    moved = mixture_at(place + np.random.default_rng(0).normal(size=place.shape), mixture)
    assert moved.weights.sum() == pytest.approx(1.0)
    assert (moved.weights > 0.0).all()
    assert np.isfinite(moved.precision_factors).all()


@pytest.mark.parametrize("n_features", [1, 2, 5])
@pytest.mark.parametrize("family", STRAIGHT, ids=lambda f: f.name)
def test_the_length_of_a_small_change_is_its_information(family, n_features):
    """n x divergence = 1/2 d^T I d + O(d^3), with I the information of n labelled rows."""
    mixture, n_rows = mixture_of(family, n_features), 7.0
    place = coordinates(mixture)
    for seed in range(3):
        change = 1e-4 * np.random.default_rng(seed).normal(size=place.shape)
        scaled = informed(mixture, n_rows * mixture.weights, change[None])[0]
        expected = 2.0 * n_rows * divergence(mixture, mixture_at(place + change, mixture))
        assert scaled @ scaled == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize("name", CURVED)
def test_what_leads_out_of_a_family_is_led_back(name):
    family = covariance_family(name)
    mixture = mixture_of(family, 3)
    place = coordinates(mixture)
    moved = mixture_at(place + 0.1 * np.random.default_rng(0).normal(size=place.shape), mixture)
    again = family.estimate(np.ones(3), moved.matrices, 3, moved.covariances)
    np.testing.assert_allclose(again, moved.covariances, rtol=1e-6)


def test_units_do_not_change_the_length():
    for family in FAMILIES[:3]:
        lengths = []
        for scales in (np.ones(3), np.array([1e-6, 1.0, 1e6])):
            mixture = mixture_of(family, 3, scales)
            ahead = mixture_of(family, 3, 1.1 * scales)
            change = coordinates(ahead) - coordinates(mixture)
            lengths.append(np.linalg.norm(informed(mixture, 5.0 * mixture.weights, change[None])))
        assert lengths[1] == pytest.approx(lengths[0], rel=1e-9)


@pytest.mark.parametrize("entry", [0, 4, -1])
def test_a_place_out_of_range_is_refused(entry):
    mixture = mixture_of(FAMILIES[0], 2)
    place = coordinates(mixture)
    place[entry] = 1e4 if entry == 0 else np.inf
    with pytest.raises(DegenerateComponentError, match="range"):
        mixture_at(place, mixture)
