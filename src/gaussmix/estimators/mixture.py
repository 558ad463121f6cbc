"""The estimator that scikit-learn's users know, with honest outcomes."""

import sys
import warnings
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from gaussmix.data.checks import as_table, checked_matrix
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import ComponentWarning, SettingsError
from gaussmix.estimators.asked import know_columns, settings_of, unchanged_if_refused
from gaussmix.estimators.assessing import Assessing
from gaussmix.estimators.fitted import Fitted
from gaussmix.estimators.merging import Merging
from gaussmix.estimators.notebook import NotebookPages
from gaussmix.estimators.outofcore import OnRows
from gaussmix.estimators.stepwise import Stepwise
from gaussmix.estimators.threads import on_threads
from gaussmix.estimators.uncertain import Uncertain
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning import scoring
from gaussmix.learning.em import Watch, silent
from gaussmix.learning.history import History
from gaussmix.learning.result import FitResult
from gaussmix.learning.search import search
from gaussmix.learning.settings import (
    DEFAULT_ACCELERATION,
    DEFAULT_INIT,
    DEFAULT_MAX_ITER,
    DEFAULT_N_INIT,
    DEFAULT_TOL,
)
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics
from gaussmix.modelfile import save_model
from gaussmix.report.summary import to_saved


class GaussianMixture(
    Stepwise,
    Fitted,
    OnRows,
    NotebookPages,
    Uncertain,
    Assessing,
    Merging,
    DensityMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Gaussian mixture fitted by EM, with the parameters and attributes of scikit-learn's.

    Parameters
    ----------
    n_components : int, default 1
        Number of components K.
    covariance_type : str, default "full"
        The covariance model: scikit-learn's "full", "tied", "diag" or "spherical", or one of mclust's
        fourteen (EII VII EEI VEI EVI VVI EEE VEE EVE VVE EEV VEV EVV VVV; E or V for one feature).
    tol : float, default 1e-9
        EM stops when the estimated remaining gain (Aitken) of the objective is below ``tol`` nats
        per unit of row weight. Not the size of one step: see docs/adr/0002.
    reg_covar : float, default 0
        Added to the diagonal of every covariance, in squared units of the data.
    max_iter : int, default 10000
        Largest number of M-steps of each climb, of which a search makes many; 0 scores the start.
    n_init : int or "auto", default "auto"
        "auto" searches: many cheap starts, of which few go on, and moves from where the best of them
        ends (docs/search.md). A number tries so many starts and keeps the best result. Where any part
        of a start is given, there is that one.
    init_params : str, default "auto"
        How starts are made: "kmeans" (the best of ten k-means partitions of whitened rows),
        "k-means++", "random_from_data", "random", "agglomerative", "adaptive"; "auto" is all but
        "random" in a search, else "kmeans".
    weights_init : array of shape (K,), optional
        First weights.
    means_init : array of shape (K, D), optional
        First means.
    precisions_init : array, optional
        First inverse covariances, shaped as ``precisions_``.
    random_state : int, RandomState or None, default None
        Seed of the starts. None means seed 0: the same data give the same answer.
    warm_start : bool, default False
        Whether ``fit`` starts from the last solution.
    verbose : int, default 0
        Positive prints progress.
    verbose_interval : int, default 10
        Iterations between two printed lines.
    prior : {"weak", "conjugate", None}, default "weak"
        "weak" is a covariance penalty (Chen and Tan 2009) that does not depend on units, vanishes as
        rows come in, and keeps the likelihood bounded; "conjugate" is that of Fraley and Raftery (2007),
        with the defaults of mclust's ``priorControl()``; None is pure maximum likelihood.
    covariances_init : array, optional
        First covariances: shaped as ``covariances_``, or one variance, or (K,) variances, or (K, D)
        variances by feature, or (K, D, D) matrices.
    trace : bool, default False
        Whether to keep every iteration in ``trace_``.
    acceleration : {"auto", None}, default "auto"
        "auto" takes longer steps than EM's where EM's own show where they lead and the objective rises
        (docs/adr/0009); None takes EM's own, one by one.
    noise : bool, default False
        Whether some rows may belong to no component: a part of one density over the rows' hypervolume
        (Banfield and Raftery 1993), whose share is estimated. ``predict`` gives such rows -1, and
        ``predict_proba`` has a last column for them.
    equal_weights : bool, default False
        Whether all components have one weight.
    hold : dict, optional
        Components (counted from 0) whose "weights", "means" or "covariances" stay as the start gives
        them: ``{"means": [0]}``.
    share : dict, optional
        Groups of components with one of these in common: ``{"covariances": [[0, 1]]}``.
    n_threads : int or None, default None
        Threads to compute on; None means ``GAUSSMIX_NUM_THREADS`` or all processors. No result
        depends on it.

    Attributes
    ----------
    weights_ : array of shape (K,)
        Mixing proportions.
    means_ : array of shape (K, D)
        In units of the data. Components stand in order of rising mean along the first feature (ties:
        the next feature), unless part of the start was given; then in the order of the start.
    covariances_ : array
        (K, D, D) full, (D, D) tied, (K, D) diag, (K,) spherical; (K, D, D) under mclust's names.
    volumes_, shapes_, orientations_ : arrays of shape (K,), (K, D), (K, D, D)
        Each covariance as lambda D A D^T: geometric mean of the variances along its axes, those
        variances divided by it, and the axes as columns.
    noise_ : Noise or None
        Weight and box of the noise.
    precisions_, precisions_cholesky_ : array
        Inverse covariances and their factors, of the same shape.
    converged_ : bool
        Whether EM converged.
    outcome_ : Outcome
        How the fit ended: ``str(outcome_)`` is a sentence, ``outcome_.doubts`` names the components
        that collapsed, are empty, or rest on too few distinct rows.
    n_iter_ : int
        M-steps done from the best start, on the way to what is returned.
    lower_bound_ : float
        Mean log-likelihood of the returned parameters, in nats per unit of row weight.
    lower_bounds_ : list of float
        The same after each M-step, the start's first; the first ones of large float32 tables are
        right to seven digits.
    summary_ : FitSummary
        What the command line would print of this fit, as plain data.
    labels_ : array of shape (N,)
        The likeliest component of each training row, counted from 0, or -1 for noise.
    search_ : Search or None
        After ``fit`` with a search, what it tried: ``search_.sentence``, ``search_.table``, and
        ``n_starts``, ``n_moves``, ``n_reached``, ``spread``; None where there was none.
    trace_ : tuple of TraceStep
        With ``trace=True``, every iteration's mixture and log-likelihood.
    stream_ : Stream
        What `partial_fit` has learnt from, and goes on from: ``str(stream_)`` is a sentence.
    n_samples_seen_ : int
        Rows that `partial_fit` has seen.
    n_features_in_, feature_names_in_ :
        As in every scikit-learn estimator.

    Notes
    -----
    EM: Dempster, Laird and Rubin (1977); McLachlan and Peel, Finite Mixture Models (2000), ch. 3.

    Examples
    --------
    >>> import numpy as np
    >>> from gaussmix import GaussianMixture
    >>> X = np.array([[1.0], [1.2], [0.9], [1.1], [4.0], [4.3], [3.9], [4.1]])
    >>> model = GaussianMixture(n_components=2).fit(X)
    >>> model.means_.round(2).ravel().tolist()
    [1.05, 4.07]
    >>> model.predict([[1.05], [4.2]]).tolist()
    [0, 1]
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = DEFAULT_TOL,
        reg_covar: float = 0.0,
        max_iter: int = DEFAULT_MAX_ITER,
        n_init: int | str = DEFAULT_N_INIT,
        init_params: str = DEFAULT_INIT,
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        prior: str | None = "weak",
        covariances_init: Any = None,
        trace: bool = False,
        acceleration: str | None = DEFAULT_ACCELERATION,
        noise: bool = False,
        equal_weights: bool = False,
        hold: dict[str, Any] | None = None,
        share: dict[str, Any] | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.prior = prior
        self.covariances_init = covariances_init
        self.trace = trace
        self.acceleration = acceleration
        self.noise = noise
        self.equal_weights = equal_weights
        self.hold = hold
        self.share = share
        self.n_threads = n_threads

    @on_threads
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, start: Any = None) -> Self:  # noqa: ARG002
        """Fit the mixture to rows.

        Parameters
        ----------
        X : array-like of shape (N, D)
            Finite real numbers.
        y : ignored
        sample_weight : array-like of shape (N,), optional
            Row weights; 2 counts a row twice, 0 leaves it out.
        start : Mixture, or labels (N,), or responsibilities (N, K), optional
            Where to begin, instead of the ``*_init`` parameters; with noise, -1 labels it.

        Returns
        -------
        self

        Raises
        ------
        DataError, DataKindError
            If the rows cannot be used; the message names row and column.
        SettingsError, StartError
            If a parameter has no meaning.
        FitError
            If no start could be fitted.

        Warns
        -----
        ConvergenceWarning
            If EM did not converge.
        ComponentWarning
            If it did, but a component is empty or rests on too few distinct rows.
        """
        previous = self._mixture() if self.warm_start and hasattr(self, "means_") else None
        settings = settings_of(self.get_params(deep=False), start if start is not None else previous)
        with unchanged_if_refused(self):
            rows = self._rows(X, sample_weight, reset=True)
            result = search(rows, settings, self._watch(), self.trace)
        self._keep(result, rows, settings, hasattr(self, "feature_names_in_"))
        self._remember(X, sample_weight)
        self._warn(result)
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None, start: Any = None) -> Any:
        """Fit, and return the likeliest component of each row: (N,) of int."""
        return self.fit(X, y, sample_weight, start).labels_

    @on_threads
    def predict(self, X: Any) -> Any:
        """Return each row's likeliest component, counted from 0, or -1 for noise: (N,) of int."""
        return self._mixture().labels(self._checked(X))

    @on_threads
    def predict_proba(self, X: Any) -> FloatArray:
        """Return the responsibilities for each row of (N, D): (N, K), with noise (N, K + 1), noise last."""
        return self._mixture().shares(self._checked(X))

    @on_threads
    def score_samples(self, X: Any) -> FloatArray:
        """Return the log density of each row of (N, D), in nats: (N,)."""
        return self._mixture().log_density(self._checked(X))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:  # noqa: ARG002
        """Return the mean log-likelihood of rows (N, D), in nats per unit of row weight."""
        scores = self._scores(X, sample_weight)
        return scores.log_likelihood / scores.row_weight

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Bayesian information criterion of rows (N, D): -2 log L + p log n, lower is better."""
        mixture, scores = self._mixture(), self._scores(X, sample_weight)
        return scoring.bic(scores.log_likelihood, mixture.n_parameters, scores.row_weight)

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Akaike's information criterion of rows (N, D): -2 log L + 2 p, lower is better."""
        return scoring.aic(self._scores(X, sample_weight).log_likelihood, self._mixture().n_parameters)

    def bic_mclust(self, X: Any, sample_weight: Any = None) -> float:
        """BIC with mclust's sign, 2 log L - p log n of rows (N, D): higher is better."""
        return -self.bic(X, sample_weight)

    def icl_mclust(self, X: Any, sample_weight: Any = None) -> float:
        """ICL with mclust's sign, of rows (N, D): higher is better."""
        return -self.icl(X, sample_weight)

    def icl(self, X: Any, sample_weight: Any = None) -> float:
        """Integrated completed likelihood of rows (N, D), lower is better: BIC that also wants rows sure."""
        mixture, scores = self._mixture(), self._scores(X, sample_weight)
        return scoring.icl(
            scores.log_likelihood, mixture.n_parameters, scores.row_weight, scores.log_certainty
        )

    def sample(self, n_samples: int = 1) -> tuple[FloatArray, Any]:
        """Draw new rows.

        Parameters
        ----------
        n_samples : int
            At least 1.

        Returns
        -------
        rows : array of shape (n_samples, D)
        components : array of shape (n_samples,)
            Which component each row comes from; rows stand in that order.
        """
        mixture = self._mixture()
        if not isinstance(n_samples, int | np.integer) or n_samples < 1:
            raise SettingsError(f"n_samples must be a whole number, at least 1; got {n_samples!r}")
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        return mixture.sample(n_samples, np.random.default_rng(seed))

    def save(self, path: str | Path) -> None:
        """Write the mixture to a model file (JSON with a checksum) that ``gaussmix.load`` reads back."""
        save_model(to_saved(self.summary_, self._mixture()), path)

    def _rows(self, X: Any, sample_weight: Any, reset: bool) -> MemoryRows:
        table = as_table(X)
        know_columns(self, X, reset)
        names = getattr(self, "feature_names_in_", None)
        return MemoryRows(table, sample_weight, None if names is None else [str(name) for name in names])

    def _checked(self, X: Any) -> Any:
        table = as_table(X)
        know_columns(self, X, reset=False)
        return checked_matrix(table, getattr(self, "feature_names_in_", None))

    @on_threads
    def _scores(self, X: Any, sample_weight: Any) -> scoring.Scores:
        mixture = self._mixture()
        return scoring.score_rows(mixture, self._any_rows(X, sample_weight))

    def _watch(self) -> Watch:
        if not self.verbose:
            return silent
        if not isinstance(self.verbose_interval, int) or self.verbose_interval < 1:
            raise SettingsError(f"verbose_interval must be at least 1; got {self.verbose_interval!r}")

        def report(mixture: Mixture, statistics: SufficientStatistics, history: History) -> None:  # noqa: ARG001
            if history.n_iterations % self.verbose_interval == 0:
                mean = statistics.log_likelihood / statistics.row_weight
                sys.stdout.write(f"iteration {history.n_iterations}: mean log-likelihood {mean:.9g}\n")

        return report

    def _warn(self, result: FitResult) -> None:
        outcome = result.outcome
        if not outcome.converged and self.max_iter > 0:
            warnings.warn(str(outcome), ConvergenceWarning, stacklevel=3)
        elif outcome.doubts:
            warnings.warn(str(outcome), ComponentWarning, stacklevel=3)
