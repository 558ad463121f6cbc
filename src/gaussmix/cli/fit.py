"""``gaussmix fit``: a mixture for a table."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from gaussmix.cli.options import (
    data_options,
    fit_options,
    model_options,
    notes_of_warnings,
    print_json,
    rows_from,
    say,
    settings_from,
    stop_options,
)
from gaussmix.cli.progress import fit_progress, search_progress
from gaussmix.errors import DataError, SettingsError
from gaussmix.learning.auto_search import unannounced
from gaussmix.learning.belief.uncertainty import DEFAULT_METHOD, METHODS, uncertainty_of
from gaussmix.learning.clusters.merging import merge_components
from gaussmix.learning.search import search
from gaussmix.modelfile import save_model
from gaussmix.report.assignments import write_assignments
from gaussmix.report.check_terminal import check_report, check_up
from gaussmix.report.merging_terminal import mergers_report
from gaussmix.report.summary import summarise, to_saved
from gaussmix.report.terminal import fit_report
from gaussmix.report.uncertainty_terminal import uncertainty_report
from gaussmix.report.words import result_console

NOT_CONVERGED = 4


@click.command()
@data_options
@fit_options(prior="weak")
@model_options
@stop_options
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Save the model (JSON) here.")
@click.option("--assign", type=click.Path(dir_okay=False), help="Write each row's component here (CSV).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--progress", is_flag=True, help="Show what the search has tried, as it goes.")
@click.option(
    "--standard-errors",
    type=click.Choice(METHODS, case_sensitive=False),
    is_flag=False,
    flag_value=DEFAULT_METHOD,
    help=f"Say how sure shares, means and spreads are; without a word after it by the {DEFAULT_METHOD}.",
)
@click.option("--check", is_flag=True, help="Say whether it describes the rows, and what overlaps.")
@click.option("--strict", is_flag=True, help="Exit with 4 if the fit did not converge.")
def fit(
    output: str | None,
    assign: str | None,
    as_json: bool,
    progress: bool,
    standard_errors: str | None,
    check: bool,
    strict: bool,
    **options: Any,
) -> None:
    """Fit a mixture of -k components to DATA and say how far to trust it.

    DATA is a CSV, Parquet, Arrow or .npy file, or - for standard input. Components are numbered from 1,
    by rising mean of the first column, unless --means, --variances or --weights give the start.
    """
    settings = settings_from(options)
    refuse_overwriting(options["data"], output, assign)
    if output is not None and assign is not None and Path(output).resolve() == Path(assign).resolve():
        raise SettingsError("-o and --assign name the same file; choose another name for one of them")
    with notes_of_warnings() as warned:
        rows, table = rows_from(options)
        with fit_progress() as watch:
            result = search(rows, settings, watch, announce=search_progress if progress else unannounced)
    summary = summarise(result, rows, settings, (*table.notes, *warned), row_numbers=table.row_numbers)
    if output is not None:
        save_model(to_saved(summary, result.mixture), output)
    if assign is not None:
        write_assignments(result.mixture, rows.matrix, assign, table.row_numbers)
    if not as_json:
        result_console().print(fit_report(summary, said=(*table.notes, *warned)))
    document = summary.as_json()
    if standard_errors is not None:
        uncertainty = uncertainty_of(rows, result.mixture, settings, standard_errors)
        document["uncertainty"] = uncertainty.as_json()
        if not as_json:
            result_console().print(uncertainty_report(uncertainty))
    if check:
        found = check_up(rows, result.mixture, settings, row_numbers=table.row_numbers)
        document["check"] = found.as_json()
        if not as_json:
            result_console().print(check_report(found))
            if result.mixture.n_components > 2:
                result_console().print(mergers_report(merge_components(result.mixture, rows)))
    if as_json:
        print_json(document)
    if not result.outcome.sound and (as_json or not sys.stdout.isatty()):
        say(f"warning: {result.outcome}")
    if strict and not result.outcome.converged:
        sys.exit(NOT_CONVERGED)


def refuse_overwriting(data: str, *outputs: str | None) -> None:
    """Refuse to write over the data, or where nothing can be written, before any work is done.

    Raises
    ------
    DataError
        If an output is the input, or its folder cannot be written to.
    """
    for path in outputs:
        if path == "-":
            raise SettingsError("an output needs a file name; - is standard input")
        if path is not None and data != "-" and Path(path).exists() and Path(path).samefile(data):
            raise DataError(f"{path}: is the input; choose another name for the output")
        if path is not None and not os.access(Path(path).resolve().parent, os.W_OK):
            raise DataError(f"{path}: cannot be written: the folder does not exist or does not allow it")
