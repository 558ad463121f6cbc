"""What a fitted estimator says of rows, of pairs of components, and of itself."""

from typing import Any, Protocol, cast

from gaussmix.data.checks import checked_weights
from gaussmix.data.memory import MemoryRows
from gaussmix.estimators.asked import settings_of
from gaussmix.estimators.threads import on_threads
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.belief.goodness import DEFAULT_REPLICATES, goodness_of_fit
from gaussmix.learning.belief.goodness_words import GoodnessOfFit
from gaussmix.learning.belief.rowfacts import (
    DEFAULT_LEVEL,
    Entropy,
    RowFacts,
    classification_entropy,
    row_facts,
)
from gaussmix.model.mixture import Mixture
from gaussmix.model.overlap import Overlap, overlap_of


class _Fitted(Protocol):
    """What is asked of an estimator."""

    n_threads: int | None

    def _mixture(self) -> Mixture: ...
    def _rows(self, X: Any, sample_weight: Any, reset: bool) -> MemoryRows: ...
    def _checked(self, X: Any) -> Any: ...
    def get_params(self, deep: bool) -> dict[str, Any]: ...


class Assessing:
    """Facts about rows, pairs of components, and how well the mixture describes them."""

    @on_threads
    def assess(self, X: Any, level: float = DEFAULT_LEVEL, sample_weight: Any = None) -> RowFacts:
        """Look at each row: which component, how surely, how dense, and whether none of them.

        Parameters
        ----------
        X : array-like of shape (N, D)
        level : float, default 0.001
            A row is none of these if less than this share of the mixture's mass is less dense.
        sample_weight : array-like of shape (N,), optional
            How often each row counts among those that are none of these.

        Returns
        -------
        RowFacts
            With ``responsibilities``, ``labels``, ``uncertainty``, ``log_density``, ``tail_probability``
            and ``none_of_these`` for each row, how many rows are none of these, how many the mixture itself
            would make so, and all that in a ``sentence`` and a ``table``.

        Raises
        ------
        SettingsError
            If ``level`` is not between 0 and 1.

        Notes
        -----
        Rows of the mixture itself are none of these in a share ``level`` of cases. Tail probabilities are
        exact for one component, and elsewhere estimated with the same draws each time; their standard
        error is ``tail_error``.
        """
        model = cast("_Fitted", self)
        mixture, matrix = model._mixture(), model._checked(X)
        weights: FloatArray | None = (
            None if sample_weight is None else checked_weights(sample_weight, len(matrix))
        )
        return row_facts(mixture, matrix, weights, level)

    @on_threads
    def overlap(self) -> Overlap:
        """Compare each pair of components: how often a row of one is likelier under the other.

        Returns
        -------
        Overlap
            With ``misclassification``, ``bhattacharyya_distance``, ``bhattacharyya_coefficient`` and
            ``symmetric_kl``, each (K, K), a ``sentence`` and a ``table``.
        """
        return overlap_of(cast("_Fitted", self)._mixture())

    @on_threads
    def entropy(self, X: Any, sample_weight: Any = None) -> Entropy:
        """How undecided rows (N, D) are between components.

        Returns
        -------
        Entropy
            ``total`` in nats, 0 if each row is sure, and ``normalised``, then 1 (Celeux and Soromenho 1996).
        """
        model = cast("_Fitted", self)
        return classification_entropy(model._mixture(), model._rows(X, sample_weight, reset=False))

    @on_threads
    def check(
        self,
        X: Any,
        sample_weight: Any = None,
        n_replicates: int = DEFAULT_REPLICATES,
        random_state: Any = None,
    ) -> GoodnessOfFit:
        """Test whether these rows are Gaussian groups.

        Parameters
        ----------
        X : array-like of shape (N, D)
            The rows that were fitted; others test the mixture fitted again to them.
        sample_weight : array-like of shape (N,), optional
            Their weights, which are counts of rows.
        n_replicates : int, default 199
            Tables that are drawn from the mixture and fitted again, at most.
        random_state : int, RandomState or None, default None
            Seed of these tables. None means seed 0.

        Returns
        -------
        GoodnessOfFit
            ``sentence`` is the verdict; ``p_value``, ``tests``, ``gaussian`` and so on stand behind it.

        Raises
        ------
        SettingsError
            If there are fewer than 39 replicates, or the seed has no meaning.

        Notes
        -----
        A parametric bootstrap of two statistics, whose replicates are fitted as the rows were. Of large
        tables a random choice of rows is tested.
        """
        model = cast("_Fitted", self)
        mixture, rows = model._mixture(), model._rows(X, sample_weight, reset=False)
        # What was fitted, not what set_params may have been told since.
        fitted = {
            "n_components": mixture.n_components,
            "covariance_type": mixture.family.name,
            "noise": mixture.noise is not None,
            "random_state": random_state,
        }
        settings = settings_of({**model.get_params(deep=False), **fitted}, mixture)
        return goodness_of_fit(mixture, rows, settings, n_replicates, settings.seed)
