"""A mixture that learns from batches: ``partial_fit``."""

import warnings
from typing import Any, Protocol, Self, cast

from sklearn.exceptions import NotFittedError

from gaussmix.data.memory import MemoryRows
from gaussmix.data.rows import Rows
from gaussmix.errors import ComponentWarning, SettingsError
from gaussmix.estimators.asked import settings_of
from gaussmix.estimators.threads import on_threads
from gaussmix.learning.result import FitResult
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.stepwise import DEFAULT_ALPHA, Pace
from gaussmix.learning.stream import Stream, stream_after, taken
from gaussmix.model.mixture import Mixture
from gaussmix.modelfile import SavedModel
from gaussmix.report.summary import FitSummary, of_saved

# What a fit says of rows that a stream has left behind.
OF_A_FIT = (
    "labels_",
    "converged_",
    "outcome_",
    "search_",
    "lower_bound_",
    "lower_bounds_",
    "trace_",
)


class _Estimator(Protocol):
    """What is asked of an estimator."""

    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def _rows(self, X: Any, sample_weight: Any, reset: bool) -> MemoryRows: ...
    def _set_mixture(self, mixture: Mixture) -> None: ...


class Stepwise:
    """What a ``GaussianMixture`` does with rows that come in batches and do not end."""

    stream_: Stream
    summary_: FitSummary
    n_features_in_: int
    n_iter_: int
    n_samples_seen_: int
    _fitted_rows: Any

    @on_threads
    def partial_fit(
        self,
        X: Any,
        y: Any = None,  # noqa: ARG002
        sample_weight: Any = None,
        *,
        alpha: float = DEFAULT_ALPHA,
        half_life: float | None = None,
    ) -> Self:
        """Learn from a batch of rows, and go on from all batches before: stepwise EM.

        The first rows are kept and searched, as ``fit`` searches; from some 16,000 rows on (more for large
        mixtures) batches are learnt and forgotten, in memory that does not grow. Until then components may
        change places from call to call. After ``fit`` the stream goes on from there; ``fit`` begins anew.

        Parameters
        ----------
        X : array-like of shape (n, D)
            Any number of rows, in any order but the order of their groups: a stream that is sorted by what
            is to be found looks like one that drifts.
        y : ignored
        sample_weight : array-like of shape (n,), optional
            Row weights; 2 counts a row twice, 0 leaves it out.
        alpha : float, default 0.6
            Steps shrink as the number of rows to the power of -alpha: above 1/2, at most 1.
        half_life : float, optional
            For streams that drift: row weight after which the past counts half. None is for those that do
            not, which are learnt ever more exactly.

        Returns
        -------
        self
            With the mixture's attributes and ``stream_``, as soon as there are rows enough for a first
            mixture, ten for each coordinate of the means; ``str(stream_)`` says what has gone by. Without the
            attributes that ``fit`` has on its rows (``labels_``, ``outcome_``, ``lower_bound_`` ...).
            ``n_samples_seen_`` are the rows so far and ``n_iter_`` the steps.

        Raises
        ------
        DataError, DataKindError
            If the rows cannot be used. The stream is then as it was before the batch.
        SettingsError, StartError
            If a parameter has no meaning, or the stream began with another number of components, covariance
            model or noise.
        FitError
            If no first mixture can be made of thousands of rows.

        Warns
        -----
        ComponentWarning
            If too few of the latest rows hold a component up, once for each component.

        Notes
        -----
        Cappé and Moulines, Journal of the Royal Statistical Society B 71 (2009) 593, with averaging over the
        way (their section 5) unless there is a half-life. The noise keeps the box of the first rows.

        Examples
        --------
        >>> import numpy as np
        >>> from gaussmix import GaussianMixture
        >>> rng, model = np.random.default_rng(1), GaussianMixture(2)
        >>> batches = (rng.normal(size=(500, 1)) + 6.0 * rng.integers(0, 2, (500, 1)) for _ in range(60))
        >>> for batch in batches:
        ...     model = model.partial_fit(batch)
        >>> model.means_.round().astype(int).ravel().tolist()
        [0, 6]
        >>> model.n_samples_seen_
        30000
        """
        before = self._stream()
        pace = Pace(alpha, half_life)
        estimator = cast("_Estimator", self)
        settings = settings_of(estimator.get_params(deep=False), None)
        rows = estimator._rows(X, sample_weight, reset=before is None)
        stream = taken(before, rows, settings, pace)
        self._follow(stream, settings)
        _warn(stream, before)
        return self

    def _stream(self) -> Stream | None:
        """The stream so far, if it is of the mixture in hand."""
        stream = getattr(self, "stream_", None)
        if stream is None and hasattr(self, "means_"):
            raise SettingsError(
                "a model that was read from a file or put together by hand does not know the rows it came "
                "from, and partial_fit cannot go on from it: fit it first, or begin with a new model"
            )
        return stream

    def _follow(self, stream: Stream, settings: FitSettings) -> None:
        self.stream_ = stream
        self.n_samples_seen_ = stream.extent.n_rows
        if stream.mixture is None:
            return
        cast("_Estimator", self)._set_mixture(stream.mixture)
        named = hasattr(self, "feature_names_in_")
        prior = None if settings.prior == "none" else settings.prior
        facts = {"prior": prior, "seed": settings.seed, "columns_named": named}
        self.summary_ = of_saved(SavedModel(stream.mixture, stream.feature_names, facts))
        self.n_iter_ = stream.n_steps
        self._fitted_rows = None
        for name in OF_A_FIT:
            self.__dict__.pop(name, None)

    def _keep(self, result: FitResult, rows: Rows, settings: FitSettings, columns_named: bool) -> None:
        super()._keep(result, rows, settings, columns_named)  # type: ignore[misc]
        self.stream_ = stream_after(result, rows, settings)
        self.__dict__.pop("n_samples_seen_", None)

    def _mixture(self) -> Mixture:
        stream = getattr(self, "stream_", None)
        if stream is not None and stream.mixture is None:
            raise NotFittedError(f"partial_fit has not seen enough yet: {stream}")
        mixture: Mixture = super()._mixture()  # type: ignore[misc]
        return mixture


def _warn(stream: Stream, before: Stream | None) -> None:
    """Of components that are in doubt since this batch."""
    known = set() if before is None else {(doubt.component, doubt.trouble) for doubt in before.doubts}
    found = [doubt.sentence for doubt in stream.doubts if (doubt.component, doubt.trouble) not in known]
    if found:
        warnings.warn(" ".join(found), ComponentWarning, stacklevel=4)
