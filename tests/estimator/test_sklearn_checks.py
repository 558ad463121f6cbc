"""Every check that scikit-learn has for estimators, as density estimator and as clusterer."""

import pytest
from sklearn.base import ClusterMixin
from sklearn.utils.estimator_checks import parametrize_with_checks

from gaussmix import GaussianMixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::gaussmix.errors.ComponentWarning"),
    pytest.mark.filterwarnings("ignore::gaussmix.errors.DataWarning"),
]


class AsClusterer(ClusterMixin, GaussianMixture):
    """The same estimator, announced to scikit-learn as a clusterer."""


ESTIMATORS = [
    *(GaussianMixture(covariance_type=c) for c in ("full", "tied", "diag", "spherical")),
    GaussianMixture(n_components=2),
    AsClusterer(n_components=2),
]


@parametrize_with_checks(ESTIMATORS)
def test_passes_scikit_learns_check(estimator, check):
    check(estimator)
