"""``gaussmix report``: one HTML file that plays a fit back."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gaussmix.cli.fit import refuse_overwriting
from gaussmix.cli.options import (
    fit_options,
    model_options,
    notes_of_warnings,
    rows_for,
    rows_from,
    say,
    settings_from,
    settings_of_saved,
    stop_options,
    table_options,
)
from gaussmix.cli.progress import fit_progress, progress_bar
from gaussmix.cli.select import models_of
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import SettingsError
from gaussmix.learning.auto_search import Neighbours
from gaussmix.learning.prepare import prepare
from gaussmix.learning.result import FitResult, TraceStep
from gaussmix.learning.scoring import score_rows
from gaussmix.learning.search import search
from gaussmix.learning.search_table import REACHED
from gaussmix.learning.selection.cells import DEFAULT_COUNTS, SelectionSettings, models_for
from gaussmix.learning.selection.grid import select as select_models
from gaussmix.model.maximise import MStep
from gaussmix.modelfile import load_model, replaced_file
from gaussmix.report.examination import Examination, examined
from gaussmix.report.html.page import Story, origin_of, report_page
from gaussmix.report.html.playback import Playback, playback_of
from gaussmix.report.selection_summary import SelectionSummary, summarise_selection
from gaussmix.report.summary import FitSummary, of_saved, seen_on, summarise


@click.command()
@table_options
@fit_options(prior="weak", required=False)
@model_options
@stop_options
@click.option("--models", default="default", show_default=True, help="Without -k: models to choose from.")
@click.option("--no-test", is_flag=True, help="Leave out the test whether the rows are Gaussian groups.")
@click.argument("inputs", nargs=-1, required=True, metavar="[MODEL] DATA")
@click.option("-o", "--output", type=click.Path(dir_okay=False), required=True, help="The .html file.")
def report(inputs: tuple[str, ...], output: str, **options: Any) -> None:
    """Write ONE HTML file that says what a fit found and plays EM back, iteration by iteration.

    With DATA alone -k components are fitted, as by gaussmix fit; without -k what gaussmix select chooses
    from 1 to 9. With a MODEL that gaussmix fit -o saved, the report is of that model on these rows, and shows
    where the fit ended. The file fetches nothing.
    """
    if len(inputs) > 2:
        raise SettingsError(f"report takes DATA, or MODEL and DATA; got {len(inputs)} names")
    for name in inputs:
        refuse_overwriting(name, output)
    told = _of_model(*inputs, options) if len(inputs) == 2 else _of_data(inputs[0], options)
    write_report(output, _title(inputs[-1]), told)


@dataclass(frozen=True, eq=False)
class Told:
    """What a page tells."""

    summary: FitSummary
    playback: Playback
    examination: Examination | None = None


def write_report(output: str, title: str, told: Told, others: tuple[Story, ...] = ()) -> None:
    """Write a page, whole or not at all, and say where it is."""
    origin = origin_of(title, shlex.join(["gaussmix", *_arguments()]))
    page = report_page(told.summary, told.playback, origin, others, told.examination)
    with replaced_file(output) as file:
        file.write(page.encode())
    say(f"Report: {output} ({len(page) / 1000:,.0f} kB); open it in a browser")


def _of_data(data: str, options: dict[str, Any]) -> Told:
    with notes_of_warnings() as warned:
        rows, table = rows_from({**options, "data": data})
        chosen, selection, near = _chosen(rows, options)
        settings = settings_from(chosen)
        step = prepare(rows, settings)
        with fit_progress() as watch:
            result = search(rows, settings, watch, trace=True)
            if near and result.objective < near.objective - REACHED * rows.summary.row_weight:
                # A way that ends lower than where the selection has been is not the fit's.
                beside = Neighbours((near.mixture,), "all")
                result = search(rows, settings, watch, trace=True, neighbours=beside)
    notes = (*table.notes, *dict.fromkeys(warned))
    summary = summarise(result, rows, settings, notes, row_numbers=table.row_numbers)
    collapsed = result.outcome.collapse is not None
    playback = playback_of(rows, result.trace, step, table.row_numbers, collapsed)
    found = None if collapsed else examined(rows, result.mixture, settings, selection, not options["no_test"])
    return Told(summary, playback, found)


def _chosen(
    rows: MemoryRows, options: dict[str, Any]
) -> tuple[dict[str, Any], SelectionSummary | None, FitResult | None]:
    """The options with K and a model; how these were selected, and what was fitted then."""
    if options["n_components"] is not None:
        return options, None, None
    for given in ("means", "variances", "weights"):
        if options[given] is not None:
            raise SettingsError(f"--{given} needs -k: it is for a number of components that is known")
    models = models_for(models_of(options["models"]), len(rows.feature_names))
    if click.get_current_context().get_parameter_source("covariance") != ParameterSource.DEFAULT:
        models = (options["covariance"],)
    base = settings_from({**options, "n_components": 1})
    with progress_bar() as announce:
        selection = select_models(rows, SelectionSettings(DEFAULT_COUNTS, models, base), announce)
    if selection.interrupted:
        raise click.Abort
    best = selection.best
    assert best.result is not None
    chosen = {**options, "n_components": best.n_components, "covariance": best.covariance}
    return chosen, summarise_selection(selection), best.result


def _of_model(model: str, data: str, options: dict[str, Any]) -> Told:
    saved = load_model(model)
    for given in ("n_components", "columns", "means", "variances", "weights"):
        if options[given] is not None:
            raise SettingsError("with a MODEL there is nothing to fit: leave out -k, --columns and starts")
    rows, table = rows_for(saved, data, options["drop_missing"])
    summary = seen_on(of_saved(saved), saved.mixture, rows, table.row_numbers)
    log_likelihood = score_rows(saved.mixture, rows).log_likelihood
    n_iterations = summary.facts.get("n_iterations", 0)
    end = TraceStep(n_iterations, saved.mixture, log_likelihood, log_likelihood)
    playback = playback_of(rows, (end,), MStep.plain(saved.mixture.n_features), table.row_numbers)
    found = examined(rows, saved.mixture, settings_of_saved(saved), None, not options["no_test"])
    return Told(summary, playback, found)


def _title(data: str) -> str:
    return "standard input" if data == "-" else Path(data).name


def _arguments() -> list[str]:
    """What the command was called with, without the folders of whoever called it."""
    return [Path(word).name if Path(word).is_absolute() else word for word in click.get_current_context().obj]
