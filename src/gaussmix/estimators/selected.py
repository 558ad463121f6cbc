"""An estimator that chooses its number of components and its covariance model by itself."""

from collections.abc import Iterable
from typing import Any, Self

from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted

from gaussmix.data.checks import as_table
from gaussmix.estimators.asked import know_columns
from gaussmix.estimators.mixture import GaussianMixture
from gaussmix.estimators.selecting import ModelSelection, select
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.selection.cells import DEFAULT_COUNTS, NOT_DECISIVE
from gaussmix.learning.settings import DEFAULT_MAX_ITER, DEFAULT_TOL


class SelectedGaussianMixture(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """A Gaussian mixture with the number of components and the covariance model that the rows choose.

    Parameters
    ----------
    n_components : int or sequence of int, default 1 to 9
        Numbers of components to try.
    covariance_types : str or iterable of str, default "default"
        Models to try, as in `gaussmix.select`.
    criterion : {"bic", "aic", "aicc", "icl"}, default "bic"
        By which the best is chosen.
    n_folds : int, default 0
        Folds that rows are held out in, to judge the choice; 0 for none, as an estimator that is
        cross-validated itself needs none.
    parsimony : float, default 2
        Fewer components are chosen if their criterion is higher by no more than this.
    prior : {"weak", "conjugate", None}, default "weak"
    noise : bool, default False
    tol : float, default 1e-9
    max_iter : int, default 10000
    random_state : int, RandomState or None, default None
    n_threads : int or None, default None
        These six are as in `GaussianMixture`.

    Attributes
    ----------
    best_ : GaussianMixture
        The model that was chosen; what it has besides prediction is there.
    selection_ : ModelSelection
        All fits, and the verdict.
    n_components_ : int
    covariance_type_ : str
    n_features_in_, feature_names_in_ :
        As in every scikit-learn estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from gaussmix import SelectedGaussianMixture
    >>> X = np.array([[1.0], [1.2], [0.9], [1.1], [1.05], [4.0], [4.3], [3.9], [4.1], [4.2]])
    >>> SelectedGaussianMixture(n_components=(1, 2)).fit(X).n_components_
    2
    """

    def __init__(
        self,
        n_components: int | Iterable[int] = DEFAULT_COUNTS,
        *,
        covariance_types: str | Iterable[str] = "default",
        criterion: str = "bic",
        n_folds: int = 0,
        parsimony: float = NOT_DECISIVE,
        prior: str | None = "weak",
        noise: bool = False,
        tol: float = DEFAULT_TOL,
        max_iter: int = DEFAULT_MAX_ITER,
        random_state: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_types = covariance_types
        self.criterion = criterion
        self.n_folds = n_folds
        self.parsimony = parsimony
        self.prior = prior
        self.noise = noise
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Fit all models to rows (N, D), and keep the best.

        Raises
        ------
        DataError, SettingsError, FitError
            As in `gaussmix.select`.
        """
        as_table(X)
        know_columns(self, X, reset=True)
        self.selection_: ModelSelection = select(
            X, sample_weight=sample_weight, **self.get_params(deep=False)
        )
        if self.selection_.interrupted:
            # A part is for those who look; a loop around this fit is to end.
            raise KeyboardInterrupt
        self.best_ = self.selection_.best
        self.n_components_, self.covariance_type_ = self.best_.n_components, self.best_.covariance_type
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fit, and return the likeliest component of each row: (N,) of int."""
        return self.fit(X, y, sample_weight).best_.labels_

    def predict(self, X: Any) -> Any:
        """Return each row's likeliest component, counted from 0, or -1 for noise: (N,) of int."""
        return self._seen(X).predict(X)

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the responsibilities for each row: (N, K), with noise (N, K + 1), noise last."""
        return self._seen(X).predict_proba(X)

    def score_samples(self, X: Any) -> FloatArray:
        """Return the log density of each row, in nats: (N,)."""
        return self._seen(X).score_samples(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:  # noqa: ARG002
        """Return the mean log-likelihood of rows, in nats per unit of row weight."""
        return self._seen(X).score(X, None, sample_weight)

    def sample(self, n_samples: int = 1) -> tuple[FloatArray, Any]:
        """Draw new rows (n_samples, D) and the components (n_samples,) they come from."""
        check_is_fitted(self, "best_")
        return self.best_.sample(n_samples)

    def _seen(self, X: Any) -> GaussianMixture:
        check_is_fitted(self, "best_")
        as_table(X)
        know_columns(self, X, reset=False)
        return self.best_
