"""How a fitted estimator shows itself in a notebook, and the report it can make."""

import warnings
from html import escape
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataWarning
from gaussmix.estimators.asked import settings_of
from gaussmix.learning.outcome import OutcomeKind
from gaussmix.learning.prepare import prepare
from gaussmix.learning.result import TraceStep
from gaussmix.learning.scoring import score_rows
from gaussmix.learning.settings import FitSettings
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture
from gaussmix.modelfile import replaced_file
from gaussmix.report.examination import examined
from gaussmix.report.html.page import origin_of, report_page
from gaussmix.report.html.playback import playback_of
from gaussmix.report.html.snippet import snippet
from gaussmix.report.summary import FitSummary, seen_on

FRAME_HEIGHT = 900


class Report:
    """A page that a notebook shows, ``save`` writes, and ``html`` holds."""

    def __init__(self, html: str) -> None:
        self.html = html

    def save(self, path: str | Path) -> None:
        """Write the page to a file, which is replaced whole or not at all."""
        with replaced_file(path) as file:
            file.write(self.html.encode())

    def _repr_html_(self) -> str:
        page = escape(self.html, quote=True)
        return f'<iframe srcdoc="{page}" style="width: 100%; height: {FRAME_HEIGHT}px; border: 0"></iframe>'

    def __repr__(self) -> str:
        return f"<Report, {len(self.html) / 1000:,.0f} kB of HTML: save(path) writes it>"


class _Fitted(Protocol):
    """What is asked of an estimator."""

    summary_: FitSummary

    def _mixture(self) -> Mixture: ...
    def _rows(self, X: Any, sample_weight: Any, reset: bool) -> MemoryRows: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...


class NotebookPages:
    """What a ``GaussianMixture`` shows of itself."""

    def report(
        self, X: Any, sample_weight: Any = None, title: str = "Gaussian mixture", test: bool = True
    ) -> Report:
        """Make a page of the fit and the rows: verdict, components, every row's computation.

        Parameters
        ----------
        X : array-like of shape (N, D)
            The rows to show, those that were fitted.
        sample_weight : array-like of shape (N,), optional
            Their weights, if they were fitted with weights.
        title : str
            Above the page.
        test : bool
            Whether to test that the rows are Gaussian groups, which takes some hundred fits.

        Returns
        -------
        Report
            A notebook shows it as the last value of a cell; ``save(path)`` writes one HTML file that needs
            no network. With ``trace=True`` it plays the fit back, else it shows where the fit ended.
        """
        return _report_of(cast("_Fitted", self), X, sample_weight, title, test)

    def _html_repr(self) -> str:
        # scikit-learn's own for one that has not been fitted: a diagram of its parameters.
        summary = getattr(self, "summary_", None)
        return str(super()._html_repr()) if summary is None else snippet(summary)  # type: ignore[misc]


def _report_of(model: _Fitted, X: Any, sample_weight: Any, title: str, test: bool) -> Report:
    mixture = model._mixture()
    rows = model._rows(X, sample_weight, reset=False)
    with warnings.catch_warnings():
        # What there is to say of the rows was said when they were fitted.
        warnings.simplefilter("ignore", DataWarning)
        trace = getattr(model, "trace_", None)
        step = MStep.plain(mixture.n_features)
        likelihood = score_rows(mixture, rows).log_likelihood
        # A trace is of the rows that were fitted.
        if trace and np.isclose(trace[-1].log_likelihood, likelihood):
            step = prepare(rows, settings_of(model.get_params(deep=False), None))
        else:
            trace = (TraceStep(getattr(model, "n_iter_", 0), mixture, likelihood, likelihood),)
        collapsed = model.summary_.facts.get("outcome") == OutcomeKind.DEGENERATE_COMPONENT.value
        playback = playback_of(rows, trace, step, collapsed=collapsed)
        found = None if collapsed else examined(rows, mixture, _settings(model, mixture), tested=test)
    origin = origin_of(title, f"{model!r}.report(X)")
    summary = seen_on(model.summary_, mixture, rows)
    return Report(report_page(summary, playback, origin, examination=found))


def _settings(model: _Fitted, mixture: Mixture) -> FitSettings:
    """What was fitted, not what set_params may have been told since."""
    fitted = {
        "n_components": mixture.n_components,
        "covariance_type": mixture.family.name,
        "noise": mixture.noise is not None,
    }
    return settings_of({**model.get_params(deep=False), **fitted}, None)
