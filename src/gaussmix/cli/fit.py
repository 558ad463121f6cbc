"""``gaussmix fit``: a mixture for a table."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from gaussmix.cli.options import (
    data_options,
    fit_options,
    model_options,
    notes_of_warnings,
    print_json,
    say,
    settings_from,
    stop_options,
)
from gaussmix.cli.progress import INTERRUPTED, fit_progress, search_progress
from gaussmix.cli.sources import Opened, opened, where_options
from gaussmix.data.checkpoints.checkpoint import noted
from gaussmix.data.files.shards import several, shards_of
from gaussmix.errors import DataError, SettingsError
from gaussmix.learning.auto_search import unannounced
from gaussmix.learning.belief.uncertainty import DEFAULT_METHOD, METHODS, uncertainty_of
from gaussmix.learning.clusters.merging import merge_components
from gaussmix.learning.result import FitResult
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings
from gaussmix.modelfile import save_model
from gaussmix.report.assignments import write_assignments
from gaussmix.report.check_terminal import check_report, check_up
from gaussmix.report.merging_terminal import mergers_report
from gaussmix.report.rowtable import refuse_other_formats
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
@where_options
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False),
    help="Keep what each pass over the rows came to in this file.",
)
@click.option("--resume", is_flag=True, help="Go on from the --checkpoint of a fit that was interrupted.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Save the model (JSON) here.")
@click.option(
    "--assign", type=click.Path(dir_okay=False), help="Write each row's component here (CSV, or .parquet)."
)
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
    checkpoint: str | None,
    resume: bool,
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

    DATA is a CSV, Parquet, Arrow or .npy file, a folder or a pattern ("big/*.parquet") of such, or - for
    standard input. More than memory holds is read in blocks. Components are numbered from 1, by rising mean
    of the first column, unless --means, --variances or --weights give the start.
    """
    settings = settings_from(options)
    if resume and checkpoint is None:
        raise SettingsError("--resume needs --checkpoint, the file to go on from")
    refuse_overwriting(options["data"], output, assign, checkpoint)
    if assign is not None:
        refuse_other_formats(assign)
    if output is not None and assign is not None and Path(output).resolve() == Path(assign).resolve():
        raise SettingsError("-o and --assign name the same file; choose another name for one of them")
    with ExitStack() as stack:
        with notes_of_warnings() as warned:
            source = stack.enter_context(opened(options))
            if check and source.in_memory is None:
                raise SettingsError(
                    "--check looks at each row again and again, in memory: allow more with --memory, or give "
                    "it a file with a sample of the rows"
                )
            result = _searched(source, settings, checkpoint, resume, progress)
        rows, numbers, notes = source.rows, source.row_numbers, (*source.notes, *warned)
        summary = summarise(result, rows, settings, notes, row_numbers=numbers)
        if output is not None:
            save_model(to_saved(summary, result.mixture), output)
        if assign is not None:
            write_assignments(result.mixture, rows, assign, numbers)
        if not as_json:
            result_console().print(fit_report(summary, said=notes))
        document = summary.as_json()
        if standard_errors is not None:
            uncertainty = uncertainty_of(rows, result.mixture, settings, standard_errors)
            document["uncertainty"] = uncertainty.as_json()
            if not as_json:
                result_console().print(uncertainty_report(uncertainty))
        if check and source.in_memory is not None:
            found = check_up(source.in_memory, result.mixture, settings, row_numbers=numbers)
            document["check"] = found.as_json()
            if not as_json:
                result_console().print(check_report(found))
                if result.mixture.n_components > 2:
                    result_console().print(mergers_report(merge_components(result.mixture, rows)))
        if (read := source.reading()) is not None:
            document["reading"] = read
            say(
                f"note: read in blocks: {read['passes']} passes, {read['bytes_read'] / 1e9:.3g} GB, "
                f"{read['rows_per_second'] / 1e6:.3g} million rows a second"
            )
    if as_json:
        print_json(document)
    if not result.outcome.sound and (as_json or not sys.stdout.isatty()):
        say(f"warning: {result.outcome}")
    if strict and not result.outcome.converged:
        sys.exit(NOT_CONVERGED)


def _searched(
    source: Opened, settings: FitSettings, checkpoint: str | None, resume: bool, progress: bool
) -> FitResult:
    """The fit; after Ctrl-C, how to go on with it."""
    try:
        with noted(source.rows, settings, checkpoint, resume) as rows, fit_progress() as watch:
            return search(rows, settings, watch, announce=search_progress if progress else unannounced)
    except KeyboardInterrupt:
        if checkpoint is None:
            raise
        say(
            f"Interrupted. {checkpoint} has what was done: the same command with --resume goes on from there."
        )
        sys.exit(INTERRUPTED)


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
        if path is not None and _is_among(path, data):
            raise DataError(f"{path}: is the input; choose another name for the output")
        if path is not None and not os.access(Path(path).resolve().parent, os.W_OK):
            raise DataError(f"{path}: cannot be written: the folder does not exist or does not allow it")


def _is_among(path: str, data: str) -> bool:
    """Whether a file is DATA or one of its files, or would be read as one of them the next time."""
    if data == "-":
        return False
    output, source = Path(path).resolve(), Path(data)
    if several(data):
        hidden = output.name.startswith(("_", "."))
        among = output.parent == source.resolve() if source.is_dir() else output.match(str(source.absolute()))
        if among and not hidden:
            return True
    # A file that is missing is said where the rows are read.
    files = shards_of(data) if several(data) else [data]
    return output.exists() and any(Path(one).exists() and output.samefile(one) for one in files)
