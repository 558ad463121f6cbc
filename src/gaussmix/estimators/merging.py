"""Components that are merged into clusters, by a fitted estimator."""

from dataclasses import dataclass, fields
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.memory import MemoryRows
from gaussmix.estimators.threads import on_threads
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.clusters.merging import Mergers, merge_components
from gaussmix.model.mixture import Mixture


class _Fitted(Protocol):
    """What is asked of an estimator."""

    n_threads: int | None

    def _mixture(self) -> Mixture: ...
    def _rows(self, X: Any, sample_weight: Any, reset: bool) -> MemoryRows: ...
    def _checked(self, X: Any) -> Any: ...


@dataclass(frozen=True, eq=False)
class ModelMergers(Mergers):
    """How a fitted model's components merge; rows to assign may be anything that the model takes."""

    model: Any = None

    def labels_for(self, X: Any, n_clusters: int | None = None) -> NDArray[np.intp]:
        """Return each row's likeliest cluster, counted from 0, or -1 for noise: (N,)."""
        return self.labels(self.model._checked(X), n_clusters)

    def predict_proba(self, X: Any, n_clusters: int | None = None) -> FloatArray:
        """Return the clusters' probabilities for rows (N, D): (N, n), with noise (N, n + 1), noise last."""
        return self.shares(self.model._checked(X), n_clusters)

    def __repr__(self) -> str:
        return f"<{self.sentence} labels_for(X) assigns rows>"


class Merging:
    """What a ``GaussianMixture`` says of clusters that are more than one component."""

    def merge(self, X: Any, sample_weight: Any = None, n_clusters: int | None = None) -> ModelMergers:
        """Merge components into clusters, those first between which most rows are torn.

        Baudry, Raftery, Celeux, Lo and Gottardo, J. Comput. Graph. Statist. 19 (2010) 332. The density stays
        that of all components; a cluster's probability is the sum of theirs.

        Parameters
        ----------
        X : array-like of shape (N, D)
            The rows that decide, those that were fitted.
        sample_weight : array-like of shape (N,), optional
            Their weights, if they were fitted with weights.
        n_clusters : int, optional
            From 1 to K; by default the elbow of the entropy over the cumulated number of merged rows.

        Returns
        -------
        Mergers
            ``sentence`` says what came of it; ``clusters()`` are groups of components, ``labels_for(X)`` and
            ``predict_proba(X)`` assign rows, ``steps`` and ``entropies`` say how it went, and ``tree`` is
            SciPy's linkage matrix. All of them take another ``n_clusters``.

        Raises
        ------
        SettingsError
            If there cannot be so many clusters.
        DataError, DataKindError
            If the rows cannot be used.
        """
        return _merged(cast("_Fitted", self), X, sample_weight, n_clusters)


@on_threads
def _merged(model: _Fitted, X: Any, sample_weight: Any, n_clusters: int | None) -> ModelMergers:
    rows = model._rows(X, sample_weight, reset=False)
    found = merge_components(model._mixture(), rows, n_clusters)
    return ModelMergers(**{each.name: getattr(found, each.name) for each in fields(found)}, model=model)
