"""What an estimator's parameters ask for, as settings for the floors below."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from gaussmix.errors import DataError, DataKindError, GaussmixError, SettingsError, StartError
from gaussmix.learning.settings import DEFAULT_SEED, FitSettings, GivenStart, responsibilities_of
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture

OF_COLUMNS = ("n_features_in_", "feature_names_in_")


def settings_of(parameters: dict[str, Any], start: Any) -> FitSettings:
    """Settings from an estimator's parameters, and where to begin if that is not one of them.

    Parameters
    ----------
    parameters : dict
        As ``get_params`` gives them.
    start : Mixture, or labels (N,), or responsibilities (N, K), or None

    Raises
    ------
    SettingsError, StartError
        If a parameter or the start has no meaning.
    """
    same = ("n_components", "covariance_type", "tol", "max_iter", "n_init", "init_params", "reg_covar")
    return FitSettings(
        **{name: parameters[name] for name in same},
        prior="none" if parameters["prior"] is None else parameters["prior"],
        acceleration="none" if parameters["acceleration"] is None else parameters["acceleration"],
        **{name: parameters[name] for name in ("noise", "equal_weights", "hold", "share")},
        seed=_seed(parameters["random_state"]),
        given=_given(parameters, start),
    )


@contextmanager
def unchanged_if_refused(estimator: Any) -> Iterator[None]:
    """What an estimator knows of the columns stays that of its last fit when another fit is refused."""
    known = {name: getattr(estimator, name) for name in OF_COLUMNS if hasattr(estimator, name)}
    try:
        yield
    except GaussmixError:
        for name in OF_COLUMNS:
            vars(estimator).pop(name, None)
        vars(estimator).update(known)
        raise


def know_columns(estimator: Any, X: Any, reset: bool) -> None:
    """Note the number and the names of columns (``reset``), or compare them with those that were fitted.

    Raises
    ------
    DataError, DataKindError
        If two columns have one name, or some names are text and others are not.
    ValueError
        If the columns are not those that were fitted.
    """
    names = list(getattr(X, "columns", ()))
    if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise DataError(
            f"two columns are called {twice!r}: rename one of them, or use X.to_numpy() for columns without "
            "names"
        )
    try:
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    except TypeError as error:
        raise DataKindError(str(error)) from error


def _seed(random_state: Any) -> int:
    if random_state is None:
        return DEFAULT_SEED
    if isinstance(random_state, bool):
        raise SettingsError("random_state must be a whole number, a RandomState or None; got a bool")
    if isinstance(random_state, int | np.integer):
        if not 0 <= random_state < 2**32:
            raise SettingsError(f"random_state must be from 0 to 2**32 - 1; got {random_state}")
        return int(random_state)
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError as unknown:
        raise SettingsError(
            f"random_state must be a whole number, a RandomState or None; got {random_state!r}"
        ) from unknown


def _given(parameters: dict[str, Any], start: Any) -> GivenStart:
    n_components = parameters["n_components"]
    if isinstance(start, Mixture):
        if start.n_components != n_components:
            raise StartError(
                f"the start (warm_start: the last solution) has {start.n_components} components, but "
                f"n_components is {n_components}"
            )
        family = covariance_family(parameters["covariance_type"])
        covariances = family.from_matrices(start.matrices)
        total = start.weights.sum()
        weights = start.weights / total if total > 0.0 else np.full(n_components, 1.0 / n_components)
        noise = start.noise if parameters["noise"] else None
        return GivenStart(weights=weights, means=start.means, covariances=covariances, noise=noise)
    if start is not None:
        return GivenStart(responsibilities=_shares(start, n_components))
    return GivenStart(
        weights=parameters["weights_init"],
        means=parameters["means_init"],
        covariances=parameters["covariances_init"],
        precisions=parameters["precisions_init"],
    )


def _shares(start: Any, n_components: Any) -> Any:
    """Responsibilities from labels (N,) or a table (N, K)."""
    table = np.asarray(start)
    if table.ndim == 1:
        return responsibilities_of(table, FitSettings(n_components).n_components)
    if table.ndim != 2 or table.dtype.kind not in "fiub":
        raise StartError("start must be a Mixture, labels (N,) or responsibilities (N, K)")
    return table
