"""The attributes of a fitted estimator, and the mixture that they are."""

from typing import Any

from sklearn.utils.validation import check_is_fitted

from gaussmix.data.blocked import BlockedRows
from gaussmix.data.memory import MemoryRows
from gaussmix.learning.result import FitResult
from gaussmix.learning.settings import FitSettings
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture
from gaussmix.model.parts import parts_of
from gaussmix.report.summary import summarise


class Fitted:
    """What a ``GaussianMixture`` keeps of a fit."""

    covariance_type: str
    trace: bool
    weights_: Any
    means_: Any
    covariances_: Any

    def _mixture(self) -> Mixture:
        check_is_fitted(self, "means_")
        # What was fitted, not what set_params may have been told since.
        family = covariance_family(getattr(self, "_fitted_covariance_type", self.covariance_type))
        noise, n_given = getattr(self, "noise_", None), getattr(self, "_n_given", 0)
        return Mixture(self.weights_, self.means_, self.covariances_, family, noise, n_given)

    def _keep(self, result: FitResult, rows: BlockedRows, settings: FitSettings, columns_named: bool) -> None:
        self._set_mixture(result.mixture)
        self.summary_ = summarise(result, rows, settings, rows.notes, columns_named=columns_named)
        if isinstance(rows, MemoryRows):
            self.labels_ = result.mixture.labels(rows.matrix)
        elif hasattr(self, "labels_"):
            del self.labels_
        self.n_features_in_ = result.mixture.n_features
        history = result.history
        self.converged_ = result.outcome.converged
        self.outcome_ = result.outcome
        self.search_ = result.search
        self.n_iter_ = result.n_iterations
        self.lower_bounds_ = [value / history.row_weight for value in history.log_likelihoods]
        self.lower_bound_ = self.lower_bounds_[-1]
        if self.trace:
            self.trace_ = result.trace
        elif hasattr(self, "trace_"):
            del self.trace_

    def _set_mixture(self, mixture: Mixture) -> None:
        self._fitted_covariance_type = mixture.family.name
        self.noise_, self._n_given = mixture.noise, mixture.n_given
        self.weights_ = mixture.weights.copy()
        self.means_ = mixture.means.copy()
        self.covariances_ = mixture.covariances.copy()
        self.precisions_cholesky_ = mixture.precision_factors.copy()
        self.precisions_ = mixture.precisions
        self.volumes_, self.shapes_, self.orientations_ = parts_of(mixture)
