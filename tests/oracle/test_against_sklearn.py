"""One EM step, and scores, against scikit-learn from the same start."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Theirs

from gaussmix import GaussianMixture
from gaussmix.model.covariances import covariance_family

TYPES = ["full", "tied", "diag", "spherical"]


def both(rows, covariance_type, n_iterations, reg_covar=0.0):
    family = covariance_family(covariance_type)
    n_features = rows.shape[1]
    means = rows[[10, 90]] * 1.01
    precisions = family.precisions(
        family.precision_factors(family.from_matrices(np.stack([np.cov(rows.T)] * 2))), 2, n_features
    )
    start = {
        "weights_init": [0.4, 0.6],
        "means_init": means,
        "precisions_init": precisions,
        "reg_covar": reg_covar,
    }
    assert precisions.shape == family.shape(2, n_features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = Theirs(2, covariance_type=covariance_type, max_iter=n_iterations, tol=0.0, **start).fit(rows)
        ours = GaussianMixture(
            2,
            covariance_type=covariance_type,
            max_iter=n_iterations,
            tol=0.0,
            prior=None,
            acceleration=None,
            **start,
        ).fit(rows)
    return ours, theirs


@pytest.mark.parametrize("reg_covar", [0.0, 1e-2])
@pytest.mark.parametrize("n_iterations", [1, 5])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_the_same_steps(iris, covariance_type, n_iterations, reg_covar):
    ours, theirs = both(iris, covariance_type, n_iterations, reg_covar)
    # Ours stops where a step gains nothing but rounding; theirs goes on to the limit.
    assert ours.n_iter_ <= n_iterations
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_the_same_scores(iris, covariance_type):
    ours, theirs = both(iris, covariance_type, 5)
    np.testing.assert_allclose(ours.score_samples(iris), theirs.score_samples(iris), rtol=1e-8)
    np.testing.assert_allclose(ours.predict_proba(iris), theirs.predict_proba(iris), atol=1e-9)
    assert np.array_equal(ours.predict(iris), theirs.predict(iris))
    assert ours.bic(iris) == pytest.approx(theirs.bic(iris), rel=1e-10)
    assert ours.aic(iris) == pytest.approx(theirs.aic(iris), rel=1e-10)
    assert ours.score(iris) == pytest.approx(theirs.score(iris), rel=1e-10)
