"""Two fitted estimators side by side."""

from pathlib import Path
from typing import Any

from gaussmix.errors import SettingsError
from gaussmix.estimators.loading import load
from gaussmix.estimators.mixture import GaussianMixture
from gaussmix.estimators.threads import on_threads
from gaussmix.learning.clusters.compared import Side
from gaussmix.learning.clusters.comparison import Comparison, compare_mixtures


def compare(
    a: GaussianMixture | str | Path, b: GaussianMixture | str | Path, X: Any = None, sample_weight: Any = None
) -> Comparison:
    """Compare two fits: which component stands for which, by how much they differ, who goes where.

    Parameters
    ----------
    a, b : GaussianMixture, or paths of model files
        Fitted over the same features, which are matched by name (by place, if one has no names).
    X : array-like of shape (N, D), optional
        Rows with ``a``'s columns, to say which go where and how likely they are under both. Without them
        10,000 rows are drawn, half from each mixture, the same each time.
    sample_weight : array-like of shape (N,), optional
        Their weights.

    Returns
    -------
    Comparison
        ``sentence`` says what came of it; ``pairs`` has the differences of components that stand for each
        other, ``only_a`` and ``only_b`` are those left over, ``agreement`` has the table of rows and the
        adjusted Rand index, ``on_rows`` log-likelihood and BIC of both.

    Raises
    ------
    SettingsError
        If the features are not the same.
    DataError, DataKindError
        If the rows cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from gaussmix import GaussianMixture, compare
    >>> X = np.random.default_rng(0).normal(size=(200, 2)) + np.repeat([[0.0], [6.0]], 100, axis=0)
    >>> print(compare(GaussianMixture(2).fit(X), GaussianMixture(2).fit(X[::-1])))
    A and B are the same to rounding.
    """
    return _compared(_fitted(a), _fitted(b), X, sample_weight)


def _fitted(given: GaussianMixture | str | Path) -> GaussianMixture:
    if isinstance(given, str | Path):
        return load(given)
    if not isinstance(given, GaussianMixture):
        kind = type(given).__name__
        raise SettingsError(f"compare takes fitted GaussianMixtures or model files; got {kind}")
    return given


@on_threads
def _compared(a: GaussianMixture, b: GaussianMixture, X: Any, sample_weight: Any) -> Comparison:
    sides = _side(a), _side(b)
    rows = None if X is None else a._rows(X, sample_weight, reset=False)
    return compare_mixtures(*sides, rows)


def _side(model: GaussianMixture) -> Side:
    mixture, names = model._mixture(), getattr(model, "feature_names_in_", None)
    facts = model.summary_.facts if hasattr(model, "summary_") else {}
    return Side(mixture, None if names is None else tuple(str(name) for name in names), facts)
