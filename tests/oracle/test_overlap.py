"""Overlap of pairs against integrals in 30 digits, noncentral chi-squared tails, and counted draws."""

import mpmath
import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import chi2, ncx2

from gaussmix import GaussianMixture
from gaussmix.model.covariances import FAMILIES, covariance_family
from gaussmix.model.mixture import Mixture, Noise
from gaussmix.model.overlap import overlap_of
from gaussmix.model.quadratic import taken_for_other

FULL = covariance_family("full")


def random_mixture(family=FULL, n_components=3, n_features=2, seed=0, spread=1.5):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(n_components, n_features, n_features))
    matrices = roots @ roots.transpose(0, 2, 1) + 0.3 * np.eye(n_features)
    weights = rng.dirichlet(np.full(n_components, 3.0))
    means = rng.normal(scale=spread, size=(n_components, n_features))
    return Mixture(weights, means, family.from_matrices(matrices), family)


def integrated(stretches, offsets, log_odds):
    """P(L > 0) for two features: the second in closed form, the first by quadrature between its kinks."""
    with mpmath.workdps(30):
        (s1, s2), (b1, b2) = map(mpmath.mpf, stretches), map(mpmath.mpf, offsets)
        total = 2 * (mpmath.mpf(log_odds) + mpmath.log(s1) + mpmath.log(s2))
        square, half = 1 - s2**2, -s2 * b2

        def second(z):
            rest = -(b2**2) + z**2 - (s1 * z + b1) ** 2 + total
            if square == 0:
                return mpmath.ncdf(rest / (2 * abs(half))) if half else mpmath.mpf(rest > 0)
            inside = half**2 - square * rest
            if inside <= 0:
                return mpmath.mpf(square > 0)
            low, high = sorted(
                [(-half - mpmath.sqrt(inside)) / square, (-half + mpmath.sqrt(inside)) / square]
            )
            between = mpmath.ncdf(high) - mpmath.ncdf(low)
            return 1 - between if square > 0 else between

        cuts = [mpmath.mpf(c) for c in (-12, -6, -3, 0, 3, 6, 12)]
        coefficients = [
            -square * (1 - s1**2),
            2 * square * s1 * b1,
            half**2 + square * (b1**2 + b2**2 - total),
        ]
        roots = np.roots(np.array(coefficients, dtype=float))
        cuts += [mpmath.mpf(root.real) for root in roots if root.imag == 0.0]
        cuts = sorted(c for c in cuts if -12 <= c <= 12)
        return float(mpmath.quad(lambda z: mpmath.npdf(z) * second(z), cuts))


@pytest.mark.parametrize("seed", range(12))
def test_two_features_equal_an_integral_in_thirty_digits(seed):
    rng = np.random.default_rng(seed)
    stretches = np.exp(rng.normal(size=2) * [0.01, 0.3, 1.0, 3.0][seed % 4])
    offsets = rng.normal(size=2) * [0.01, 1.0, 5.0][seed % 3]
    if seed % 5 == 0:
        stretches[0] = 1.0
    log_odds = float(rng.normal() * [0.0, 3.0][seed % 2])
    expected = integrated(stretches, offsets, log_odds)
    assert taken_for_other(stretches, offsets, log_odds) == pytest.approx(expected, rel=1e-8, abs=1e-15)


@pytest.mark.parametrize("n_features", [2, 10, 50])
@pytest.mark.parametrize("stretch", [1e-3, 0.5, 0.99, 1.01, 2.0, 1e3])
def test_covariances_of_one_shape_equal_a_noncentral_chi_squared_tail(n_features, stretch):
    for length in (0.1, 2.0, 8.0):
        for log_odds in (-5.0, 0.0, 5.0):
            offsets = np.zeros(n_features)
            offsets[-1] = length
            # (1 - S^2) |z + h / (1 - S^2)|^2 > threshold
            square, half = 1.0 - stretch**2, -stretch * length
            total = 2.0 * (log_odds + n_features * np.log(stretch))
            threshold = (length**2 - total + half**2 / square) / square
            tail = ncx2.sf if square > 0.0 else ncx2.cdf
            expected = tail(threshold, n_features, (half / square) ** 2)
            found = taken_for_other(np.full(n_features, stretch), offsets, log_odds)
            assert found == pytest.approx(expected, rel=1e-6, abs=1e-13)


def test_one_middle_and_two_spreads_equal_a_chi_squared_tail():
    # Six features, concentric: |z|^2 beyond where the two densities are equal.
    found = taken_for_other(np.full(6, 0.5), np.zeros(6), 0.0)
    assert found == pytest.approx(chi2.sf(12.0 * np.log(2.0) / 0.75, 6), rel=1e-10)


@pytest.mark.parametrize("n_features", [1, 2, 7])
def test_equal_covariances_equal_the_normal_distribution(n_features):
    weights = np.array([0.3, 0.7])
    means = np.zeros((2, n_features))
    means[1, 0] = 2.0
    tied = covariance_family("tied")
    overlap = overlap_of(Mixture(weights, means, np.eye(n_features), tied))
    odds = np.log(7.0 / 3.0)
    expected = [ndtr(odds / 2.0 - 1.0), ndtr(-odds / 2.0 - 1.0)]
    np.testing.assert_allclose(
        [overlap.misclassification[0, 1], overlap.misclassification[1, 0]], expected, rtol=1e-12
    )
    assert overlap.symmetric_kl[0, 1] == pytest.approx(4.0, rel=1e-12)
    assert overlap.bhattacharyya_distance[0, 1] == pytest.approx(0.5, rel=1e-12)
    np.testing.assert_allclose(overlap.total, overlap.total.T)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
@pytest.mark.parametrize("n_features", [1, 3])
def test_misclassification_equals_what_draws_count(family, n_features):
    mixture = random_mixture(family, 3, n_features, seed=4)
    overlap, n_draws = overlap_of(mixture), 100_000
    rng = np.random.default_rng(0)
    for j in range(3):
        order = np.roll(np.arange(3), -j)
        first = mixture.permuted(order)
        alone = Mixture([1.0, 0.0, 0.0], first.means, first.covariances, family)
        rows, _ = alone.sample(n_draws, rng)
        densities = mixture.weighted_log_densities(rows)
        counted = (densities > densities[:, [j]]).mean(axis=0)
        slack = 5.0 * np.sqrt(counted * (1.0 - counted) / n_draws) + 1e-4
        assert (np.abs(counted - overlap.misclassification[j]) < slack).all()


@pytest.mark.parametrize("n_features", [1, 2, 4])
def test_distances_equal_their_definitions(n_features):
    mixture = random_mixture(n_components=2, n_features=n_features, seed=7)
    (a, b), d = mixture.matrices, mixture.means[1] - mixture.means[0]
    middle = 0.5 * (a + b)
    bhattacharyya = 0.125 * d @ np.linalg.solve(middle, d) + 0.5 * np.log(
        np.linalg.det(middle) / np.sqrt(np.linalg.det(a) * np.linalg.det(b))
    )
    inverses = np.linalg.inv(a) + np.linalg.inv(b)
    jeffreys = 0.5 * (np.trace(inverses @ (a + b)) - 4.0 * n_features + d @ inverses @ d)
    overlap = overlap_of(mixture)
    assert overlap.bhattacharyya_distance[0, 1] == pytest.approx(bhattacharyya, rel=1e-10)
    assert overlap.bhattacharyya_coefficient[1, 0] == pytest.approx(np.exp(-bhattacharyya), rel=1e-10)
    assert overlap.symmetric_kl[0, 1] == pytest.approx(jeffreys, rel=1e-10)


def test_units_and_the_origin_have_no_say():
    mixture = random_mixture(n_components=4, n_features=3)
    scales, origin = np.array([1e-12, 1e12, 1.0]), np.array([0.0, 0.0, 1e8])
    moved = Mixture(
        mixture.weights,
        mixture.means * scales + origin,
        mixture.covariances * scales * scales[:, None],
        FULL,
    )
    one, other = overlap_of(mixture), overlap_of(moved)
    for name in ("misclassification", "bhattacharyya_distance", "symmetric_kl"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-6, atol=1e-12)


def test_odd_pairs_are_answered():
    equal = overlap_of(Mixture([0.5, 0.5], np.zeros((2, 2)), np.array([np.eye(2)] * 2), FULL))
    assert equal.misclassification[0, 1] == equal.misclassification[1, 0] == 0.5
    assert equal.symmetric_kl[0, 1] == equal.bhattacharyya_distance[0, 1] == 0.0
    rarer = overlap_of(Mixture([0.4, 0.6], np.zeros((2, 2)), np.array([np.eye(2)] * 2), FULL))
    assert (rarer.misclassification[0, 1], rarer.misclassification[1, 0]) == (1.0, 0.0)
    emptied = overlap_of(Mixture([1.0, 0.0], [[0.0], [1.0]], np.ones((2, 1, 1)), FULL))
    assert (emptied.misclassification[0, 1], emptied.misclassification[1, 0]) == (0.0, 1.0)
    far = overlap_of(Mixture([0.5, 0.5], [[0.0], [1e9]], np.ones((2, 1, 1)), FULL))
    assert (far.misclassification == 0.0).all()
    assert far.sentence == "No two components overlap; 1 and 2 are nearest."
    narrow = overlap_of(Mixture([0.5, 0.5], np.zeros((2, 2)), np.array([np.eye(2), 1e-40 * np.eye(2)]), FULL))
    assert narrow.misclassification[0, 1] == 0.0
    assert np.isfinite(narrow.symmetric_kl).all()


def test_one_component_overlaps_with_nothing(heights):
    overlap = GaussianMixture(1).fit(heights).overlap()
    assert overlap.table == []
    assert overlap.misclassification.tolist() == [[0.0]]
    assert "nothing for it to overlap with" in overlap.sentence


def test_noise_is_left_out_and_the_worst_pair_is_named():
    noise = Noise(0.1, np.full(2, -9.0), 18.0 * np.eye(2))
    means = np.array([[0.0, 0.0], [8.0, 0.0], [9.5, 0.0]])
    mixture = Mixture([0.3, 0.3, 0.3], means, np.array([np.eye(2)] * 3), FULL, noise)
    overlap = overlap_of(mixture)
    assert overlap.misclassification.shape == (3, 3)
    assert overlap.table[0]["components"] == (1, 2)
    assert overlap.table[0]["overlap"] == pytest.approx(2.0 * ndtr(-0.75), rel=1e-12)
    assert overlap.sentence.startswith("Components 2 and 3 overlap most: 22.7% of the rows of 2")
