"""``gaussmix.select``: which model and how many groups, and how sure that is."""

from collections.abc import Iterable
from typing import Any

from gaussmix.data.blocked import BlockedRows
from gaussmix.errors import SettingsError
from gaussmix.estimators.asked import settings_of
from gaussmix.estimators.mixture import GaussianMixture
from gaussmix.estimators.outofcore import names_given
from gaussmix.kernels.threads import compute_threads
from gaussmix.learning.selection.cells import (
    DEFAULT_COUNTS,
    NOT_DECISIVE,
    Key,
    SelectionSettings,
    counts_of,
    models_for,
)
from gaussmix.learning.selection.choice import Choice
from gaussmix.learning.selection.grid import Announce, Selection, unannounced
from gaussmix.learning.selection.grid import select as select_models
from gaussmix.learning.selection.likelihood_ratio import (
    DEFAULT_REPLICATES,
    DEFAULT_TEST_LEVEL,
    RatioTests,
    ratio_tests,
)
from gaussmix.report.html.selection import selection_snippet
from gaussmix.report.selection_summary import SelectionSummary, summarise_selection

DEFAULT_TESTED = tuple(range(1, 9))


class ModelSelection:
    """Every fit of a selection, what they come to, and how sure that is.

    Attributes
    ----------
    best : GaussianMixture
        The model that was chosen, fitted.
    verdict : str
        What the selection comes to, in plain words.
    choice : Choice
        The same in parts: ``n_components``, ``covariance``, ``margin``, ``strength``, ``share``, ``agree``.
    table : list of dict
        A dict for each fit: ``pandas.DataFrame(selection.table)``.
    interrupted : bool
        Whether Ctrl-C ended it; then only a part is there.
    """

    def __init__(
        self, selection: Selection, rows: BlockedRows, parameters: dict[str, Any], names: Any
    ) -> None:
        self._selection, self._rows = selection, rows
        self._parameters, self._names = parameters, names
        self.summary: SelectionSummary = summarise_selection(selection)
        self.table, self.interrupted = self.summary.table, selection.interrupted
        self.choice: Choice = self.summary.choice
        self.verdict = str(self.choice)
        best = selection.best
        self.best = self.model(best.n_components, best.covariance)

    def model(self, n_components: int, covariance_type: str | None = None) -> GaussianMixture:
        """One of the fits, as an estimator.

        Parameters
        ----------
        n_components : int
        covariance_type : str, optional
            By default the best with so many components.

        Raises
        ------
        SettingsError
            If there is no such fit; the message says why.
        """
        selection = self._selection
        if covariance_type is None:
            ranked = [cell for cell in selection.ranked if cell.n_components == n_components]
            if not ranked:
                raise SettingsError(f"no model with {n_components} components was fitted")
            covariance_type = ranked[0].covariance
        key = Key(int(n_components), covariance_type)
        cell = next((cell for cell in selection.cells if cell.key == key), None)
        if cell is None or cell.result is None:
            why = "was not asked for" if cell is None else f"could not be fitted: {cell.failure}"
            raise SettingsError(f"{covariance_type} with {n_components} components {why}")
        parameters = {**self._parameters, "n_components": n_components, "covariance_type": covariance_type}
        model = GaussianMixture(**parameters)
        model._keep(cell.result, self._rows, selection.asked.settings(key), self._names is not None)
        if self._names is not None:
            model.feature_names_in_ = self._names
        return model

    def as_json(self) -> dict[str, Any]:
        """What ``gaussmix select --json`` prints."""
        return self.summary.as_json()

    def __str__(self) -> str:
        return self.verdict

    def __repr__(self) -> str:
        return f"<ModelSelection of {len(self.table)} fits: {self.choice.sentences[0]}>"

    def _repr_html_(self) -> str:
        return selection_snippet(self.summary)


def select(
    X: Any,
    n_components: int | Iterable[int] = DEFAULT_COUNTS,
    covariance_types: str | Iterable[str] = "default",
    *,
    criterion: str = "bic",
    n_folds: int = 5,
    n_repeats: int = 1,
    parsimony: float = NOT_DECISIVE,
    sample_weight: Any = None,
    progress: Announce = unannounced,
    **parameters: Any,
) -> ModelSelection:
    """Choose the number of components and the covariance model.

    Parameters
    ----------
    X : array-like of shape (N, D), or rows
        Finite real numbers, or what `gaussmix.rows` returns.
    n_components : int or iterable of int, default 1 to 9
        Numbers of components to try.
    covariance_types : str or iterable of str, default "default"
        Names of models; "default", or "all" for the fourteen (with one feature, E and V).
    criterion : {"bic", "aic", "aicc", "icl"}
        By which the best is chosen, among fits that are sound.
    n_folds, n_repeats : int
        The likeliest models are also judged by rows that were held out, in so many folds, so many times;
        0 folds: not.
    parsimony : float, default 2
        Fewer components are chosen if their criterion is higher by no more than this, which is "not worth
        more than a bare mention" (Kass and Raftery 1995); 0 takes the lowest.
    sample_weight : array-like of shape (N,), optional
        Row weights; 2 counts a row twice.
    progress : callable, optional
        Told how many fits are done and of how many: ``progress(done, of)``.
    **parameters
        All else is for the fits, as `GaussianMixture` has it: ``prior``, ``noise``, ``random_state``, ...

    Returns
    -------
    ModelSelection
        With the best model fitted, the others on request, and a verdict. The same for any number of
        threads. Ctrl-C ends it early, with what was done.

    Raises
    ------
    DataError, SettingsError, FitError
        As in `GaussianMixture.fit`.

    Notes
    -----
    BIC: Schwarz, Annals of Statistics 6 (1978) 461; ICL: Biernacki, Celeux and Govaert, IEEE PAMI 22 (2000)
    719; held-out likelihood: Smyth, Statistics and Computing 10 (2000) 63. docs/selection.md.
    """
    template = GaussianMixture(**_checked(parameters))
    rows, names = _rows_of(template, X, sample_weight)
    asked = SelectionSettings(
        n_components,  # type: ignore[arg-type]
        models_for(covariance_types, len(rows.feature_names)),
        settings_of(template.get_params(deep=False), None),
        criterion,
        n_folds,
        n_repeats,
        parsimony,
    )
    with compute_threads(template.n_threads):
        found = select_models(rows, asked, progress)
    return ModelSelection(found, rows, parameters, names)


def _rows_of(template: GaussianMixture, X: Any, sample_weight: Any) -> tuple[BlockedRows, Any]:
    """Rows to choose for, and the names (D,) of their columns or None."""
    if not isinstance(X, BlockedRows):
        rows = template._rows(X, sample_weight, reset=True)
        return rows, getattr(template, "feature_names_in_", None)
    if sample_weight is not None:
        raise SettingsError("these rows have their weights already: gaussmix.rows(..., weights=...)")
    return X, names_given(X)


def _checked(parameters: dict[str, Any]) -> dict[str, Any]:
    named = {"n_components", "covariance_type"}
    of_each = {"weights_init", "means_init", "precisions_init", "covariances_init", "hold", "share", "trace"}
    for name in parameters:
        if name in named | of_each or name not in GaussianMixture().get_params():
            raise SettingsError(f"select does not take {name!r}")
    return parameters


def bootstrap_test(
    X: Any,
    n_components: int | Iterable[int] = DEFAULT_TESTED,
    covariance_type: str = "full",
    *,
    n_replicates: int = DEFAULT_REPLICATES,
    level: float = DEFAULT_TEST_LEVEL,
    sample_weight: Any = None,
    progress: Announce = unannounced,
    **parameters: Any,
) -> RatioTests:
    """Test K components against K + 1 for rising K, until one more is not better than chance.

    Parameters
    ----------
    X : array-like of shape (N, D)
        Finite real numbers.
    n_components : int or iterable of int, default 1 to 8
        The numbers K to test, rising by one.
    covariance_type : str
        The covariance model of all fits.
    n_replicates : int, default 999
        Tables drawn from the K components of each test.
    level : float, default 0.05
        Of each test.
    sample_weight : array-like of shape (N,), optional
        Row weights, counts of rows.
    progress : callable, optional
        Told how many tables are done: ``progress(done, of)``.
    **parameters
        All else is for the fits, as `GaussianMixture` has it.

    Returns
    -------
    RatioTests
        ``tests`` with statistic, p-value and its Monte-Carlo error each, and ``sentence``.

    Raises
    ------
    DataError, SettingsError, FitError
        As in `GaussianMixture.fit`; and if a tenth of the tables could not be fitted.

    Notes
    -----
    McLachlan, Applied Statistics 36 (1987) 318. Replicates and rows are fitted alike, from the K components
    and from the K components with each one split.
    """
    template = GaussianMixture(covariance_type=covariance_type, **_checked(parameters))
    rows = template._rows(X, sample_weight, reset=True)
    settings = settings_of(template.get_params(deep=False), None)
    with compute_threads(template.n_threads):
        return ratio_tests(rows, counts_of(n_components), settings, n_replicates, level, progress)
