"""``gaussmix report``: one HTML file that plays a fit back."""

import shlex
from pathlib import Path
from typing import Any

import click

from gaussmix.cli.fit import refuse_overwriting
from gaussmix.cli.options import (
    fit_options,
    model_options,
    notes_of_warnings,
    rows_for,
    rows_from,
    say,
    settings_from,
    stop_options,
    table_options,
)
from gaussmix.cli.progress import fit_progress
from gaussmix.errors import SettingsError
from gaussmix.learning.prepare import prepare
from gaussmix.learning.result import TraceStep
from gaussmix.learning.scoring import score_rows
from gaussmix.learning.search import search
from gaussmix.model.maximise import MStep
from gaussmix.modelfile import load_model, replaced_file
from gaussmix.report.html.page import Story, origin_of, report_page
from gaussmix.report.html.playback import Playback, playback_of
from gaussmix.report.summary import FitSummary, of_saved, seen_on, summarise


@click.command()
@table_options
@fit_options(prior="weak", required=False)
@model_options
@stop_options
@click.argument("inputs", nargs=-1, required=True, metavar="[MODEL] DATA")
@click.option("-o", "--output", type=click.Path(dir_okay=False), required=True, help="The .html file.")
def report(inputs: tuple[str, ...], output: str, **options: Any) -> None:
    """Write ONE HTML file that says what a fit found and plays EM back, iteration by iteration.

    With DATA alone -k components are fitted, as by gaussmix fit. With a MODEL that gaussmix fit -o saved, the
    report is of that model on these rows, and shows where the fit ended. The file fetches nothing.
    """
    if len(inputs) > 2:
        raise SettingsError(f"report takes DATA, or MODEL and DATA; got {len(inputs)} names")
    for name in inputs:
        refuse_overwriting(name, output)
    summary, playback = _of_model(*inputs, options) if len(inputs) == 2 else _of_data(inputs[0], options)
    write_report(output, _title(inputs[-1]), summary, playback)


def write_report(
    output: str, title: str, summary: FitSummary, playback: Playback, others: tuple[Story, ...] = ()
) -> None:
    """Write a page, whole or not at all, and say where it is."""
    origin = origin_of(title, shlex.join(["gaussmix", *_arguments()]))
    page = report_page(summary, playback, origin, others)
    with replaced_file(output) as file:
        file.write(page.encode())
    say(f"Report: {output} ({len(page) / 1000:,.0f} kB); open it in a browser")


def _of_data(data: str, options: dict[str, Any]) -> tuple[FitSummary, Playback]:
    if options["n_components"] is None:
        raise SettingsError("report needs -k with DATA, or a MODEL before it")
    settings = settings_from(options)
    with notes_of_warnings() as warned:
        rows, table = rows_from({**options, "data": data})
        step = prepare(rows, settings)
        with fit_progress() as watch:
            result = search(rows, settings, watch, trace=True)
    notes = (*table.notes, *dict.fromkeys(warned))
    summary = summarise(result, rows, settings, notes, row_numbers=table.row_numbers)
    return summary, playback_of(
        rows, result.trace, step, table.row_numbers, result.outcome.collapse is not None
    )


def _of_model(model: str, data: str, options: dict[str, Any]) -> tuple[FitSummary, Playback]:
    saved = load_model(model)
    for given in ("n_components", "columns", "means", "variances", "weights"):
        if options[given] is not None:
            raise SettingsError("with a MODEL there is nothing to fit: leave out -k, --columns and starts")
    rows, table = rows_for(saved, data, options["drop_missing"])
    summary = seen_on(of_saved(saved), saved.mixture, rows, table.row_numbers)
    log_likelihood = score_rows(saved.mixture, rows).log_likelihood
    n_iterations = summary.facts.get("n_iterations", 0)
    end = TraceStep(n_iterations, saved.mixture, log_likelihood, log_likelihood)
    return summary, playback_of(rows, (end,), MStep.plain(saved.mixture.n_features), table.row_numbers)


def _title(data: str) -> str:
    return "standard input" if data == "-" else Path(data).name


def _arguments() -> list[str]:
    """What the command was called with, without the folders of whoever called it."""
    return [Path(word).name if Path(word).is_absolute() else word for word in click.get_current_context().obj]
