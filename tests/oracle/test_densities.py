"""Densities against SciPy, and against 50-digit arithmetic where doubles are hard pressed."""

import mpmath
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from gaussmix.model.covariances import FAMILIES
from gaussmix.model.mixture import Mixture


def random_mixture(family, n_components, n_features, seed=0):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(n_components, n_features, n_features))
    matrices = roots @ roots.transpose(0, 2, 1) + 0.5 * np.eye(n_features)
    weights = rng.dirichlet(np.full(n_components, 3.0))
    means = rng.normal(scale=3.0, size=(n_components, n_features))
    return Mixture(weights, means, family.from_matrices(matrices), family)


@pytest.mark.parametrize("n_features", [1, 2, 5])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_log_densities_equal_scipys(family, n_features):
    mixture = random_mixture(family, 3, n_features)
    rows = np.random.default_rng(1).normal(scale=4.0, size=(50, n_features))
    expected = np.stack(
        [
            np.log(w) + np.atleast_1d(multivariate_normal(m, c).logpdf(rows))
            for w, m, c in zip(mixture.weights, mixture.means, mixture.matrices, strict=True)
        ],
        axis=1,
    )
    np.testing.assert_allclose(mixture.weighted_log_densities(rows), expected, rtol=1e-11)
    _, shares, log_density, _ = mixture.scores(rows)
    np.testing.assert_allclose(log_density, np.logaddexp.reduce(expected, axis=1), rtol=1e-11)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-14)


@pytest.mark.parametrize("offset", [0.0, 1e2, 1e4, 1e8])
@pytest.mark.parametrize("condition", [1e0, 1e4, 1e8, 1e12])
def test_full_density_far_out_and_ill_conditioned(offset, condition):
    """The log determinant loses rounding times the condition, the distance only times its square root."""
    rng = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    covariance = rotation @ np.diag([1.0, condition**-0.5, 1.0 / condition]) @ rotation.T
    covariance = 0.5 * (covariance + covariance.T)
    mean = offset + rng.normal(size=3)
    deviations = rng.normal(size=(20, 3)) @ np.linalg.cholesky(covariance).T
    rows = mean + deviations
    family = FAMILIES[0]
    mixture = Mixture([1.0], mean[None, :], covariance[None], family)
    found = mixture.weighted_log_densities(rows)[:, 0]
    with mpmath.workdps(60):
        inverse = mpmath.matrix(covariance.tolist()) ** -1
        log_determinant = mpmath.log(mpmath.det(mpmath.matrix(covariance.tolist())))
        constant = -(3 * mpmath.log(2 * mpmath.pi) + log_determinant) / 2
        for i, row in enumerate(rows):
            d = mpmath.matrix([mpmath.mpf(x) - mpmath.mpf(m) for x, m in zip(row, mean, strict=True)])
            distance = (d.T * inverse * d)[0]
            exact = float(constant - distance / 2)
            rounding = 2.3e-16 * (condition + 20.0 * condition**0.5 * (1.0 + float(distance)) + 20.0)
            assert found[i] == pytest.approx(exact, abs=rounding)


def test_shared_and_written_out_covariances_agree():
    for family in FAMILIES:
        mixture = random_mixture(family, 2, 3)
        full = Mixture(mixture.weights, mixture.means, mixture.matrices, FAMILIES[0])
        rows = np.random.default_rng(5).normal(size=(10, 3))
        np.testing.assert_allclose(
            mixture.weighted_log_densities(rows), full.weighted_log_densities(rows), rtol=1e-12
        )


def test_sample_has_the_mixtures_moments():
    for family in FAMILIES:
        mixture = random_mixture(family, 2, 3)
        rows, labels = mixture.sample(200_000, np.random.default_rng(0))
        for k in range(2):
            mine = rows[labels == k]
            scale = np.sqrt(np.diagonal(mixture.matrices[k]))
            error = (mine.mean(axis=0) - mixture.means[k]) / scale
            assert np.abs(error).max() < 0.02
            covariance = np.cov(mine.T) / np.outer(scale, scale)
            assert np.abs(covariance - mixture.matrices[k] / np.outer(scale, scale)).max() < 0.03
        assert np.bincount(labels) / len(labels) == pytest.approx(mixture.weights, abs=0.01)
