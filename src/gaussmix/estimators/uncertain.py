"""How sure a fitted estimator is of its parameters."""

import warnings
import weakref
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np

from gaussmix.data.blocked import BlockedRows
from gaussmix.errors import DataWarning, SettingsError
from gaussmix.estimators.asked import settings_of
from gaussmix.estimators.threads import on_threads
from gaussmix.learning.belief.uncertainty import (
    DEFAULT_LEVEL,
    DEFAULT_METHOD,
    DEFAULT_REPLICATES,
    Uncertainty,
    uncertainty_of,
)
from gaussmix.learning.scoring import score_rows
from gaussmix.model.mixture import Mixture

# The log-likelihood of the same rows is the same to so many digits.
SAME_ROWS = 1e-9


@dataclass(frozen=True)
class _Remembered:
    """Where the rows of a fit are, without keeping them alive."""

    rows: weakref.ref[Any]
    weights: weakref.ref[Any] | None


class _Fitted(Protocol):
    """What is asked of an estimator."""

    lower_bound_: float
    _fitted_rows: _Remembered | None

    def _mixture(self) -> Mixture: ...
    def _any_rows(self, X: Any, sample_weight: Any) -> BlockedRows: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...


class Uncertain:
    """What a ``GaussianMixture`` says of its own uncertainty."""

    _fitted_rows: _Remembered | None = None

    @on_threads
    def uncertainty(
        self,
        X: Any = None,
        *,
        sample_weight: Any = None,
        method: str = DEFAULT_METHOD,
        level: float = DEFAULT_LEVEL,
        n_replicates: int = DEFAULT_REPLICATES,
        random_state: Any = None,
    ) -> Uncertainty:
        """Standard errors and intervals for weights, means, covariances and what follows from them.

        Parameters
        ----------
        X : array-like of shape (N, D), or what `gaussmix.rows` returns, optional
            The rows that were fitted. After ``fit`` they need not be given as long as the array or frame that
            ``fit`` was given still exists; the model itself does not keep it.
        sample_weight : array-like of shape (N,), optional
            Their weights, if ``X`` is given and they were fitted with weights.
        method : str, default "hessian"
            From the information matrix in closed form (Boldea and Magnus 2009): "hessian", "outer_product",
            or "sandwich", which also holds where components are not quite Gaussian. Or from refits, each from
            where the fit ended: "bootstrap" (rows drawn with replacement), "weighted_likelihood" (random
            weights), "parametric" (rows drawn from the mixture).
        level : float, default 0.95
            Of the intervals, each for one number by itself.
        n_replicates : int, default 999
            Refits of a bootstrap.
        random_state : int, RandomState or None, default None
            Seed of a bootstrap; None means the model's own.

        Returns
        -------
        Uncertainty
            ``weights``, ``means``, ``covariances``, ``standard_deviations``, ``correlations``, ``volumes``,
            each with ``value``, ``standard_error``, ``low`` and ``high``; ``table`` for pandas; ``sentence``.

        Raises
        ------
        SettingsError
            If the rows are gone or have changed, or what is asked for has no meaning.
        FitError
            If the information matrix is not positive definite, or too many refits fail.
        """
        return _uncertainty_of(
            cast("_Fitted", self), X, sample_weight, method, level, n_replicates, random_state
        )

    def _remember(self, X: Any, sample_weight: Any) -> None:
        """Know the rows of a fit again as long as somebody else keeps them."""
        try:
            weights = None if sample_weight is None else weakref.ref(sample_weight)
            self._fitted_rows = _Remembered(weakref.ref(X), weights)
        except TypeError:
            # A list, say.
            self._fitted_rows = None

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in dict(state).items() if name != "_fitted_rows"}  # type: ignore[call-overload]


def _uncertainty_of(
    model: _Fitted,
    X: Any,
    sample_weight: Any,
    method: str,
    level: float,
    n_replicates: int,
    random_state: Any,
) -> Uncertainty:
    mixture, parameters = model._mixture(), model.get_params(deep=False)
    # Of the fit, whatever set_params may have been told since.
    parameters |= {"n_components": mixture.n_components, "covariance_type": mixture.family.name}
    if random_state is not None:
        parameters["random_state"] = random_state
    settings = settings_of(parameters, mixture)
    given = X is not None
    if not given:
        X, sample_weight = _recalled(model, sample_weight)
    with warnings.catch_warnings():
        # What there is to say of the rows was said when they were fitted.
        warnings.simplefilter("ignore", DataWarning)
        rows = model._any_rows(X, sample_weight)
    if not given:
        scores = score_rows(mixture, rows)
        if not np.isclose(scores.log_likelihood / scores.row_weight, model.lower_bound_, rtol=SAME_ROWS):
            raise SettingsError(
                "the rows have changed since they were fitted: give them as they were, model.uncertainty(X), "
                "or fit again"
            )
    return uncertainty_of(rows, mixture, settings, method, level, n_replicates)


def _recalled(model: _Fitted, sample_weight: Any) -> tuple[Any, Any]:
    """The rows and weights of the last fit."""
    if sample_weight is not None:
        raise SettingsError("sample_weight goes with rows: model.uncertainty(X, sample_weight=...)")
    known = model._fitted_rows
    X = None if known is None else known.rows()
    weights = None if known is None or known.weights is None else known.weights()
    if known is None or X is None or (known.weights is not None and weights is None):
        raise SettingsError(
            "the rows of the fit are no longer there: give the rows, model.uncertainty(X), and their "
            "sample_weight if they had one"
        )
    return X, weights
