"""``gaussmix select``: which model, and how many groups."""

import re
from contextlib import ExitStack
from typing import Any

import click

from gaussmix.cli.fit import refuse_overwriting
from gaussmix.cli.options import (
    COVARIANCES,
    data_options,
    model_options,
    notes_of_warnings,
    print_json,
    stop_options,
)
from gaussmix.cli.progress import exit_if, progress_bar
from gaussmix.cli.sources import opened, where_options
from gaussmix.errors import SettingsError
from gaussmix.learning.selection.cells import CRITERIA, NOT_DECISIVE, SelectionSettings, models_for
from gaussmix.learning.selection.grid import select as select_models
from gaussmix.learning.settings import DEFAULT_SEED, PRIORS, FitSettings
from gaussmix.modelfile import save_model
from gaussmix.report.selection_summary import summarise_selection
from gaussmix.report.selection_terminal import selection_report
from gaussmix.report.summary import summarise, to_saved
from gaussmix.report.words import result_console

COUNTS = "1:9"


@click.command()
@data_options
@click.option(
    "-k",
    "--components",
    "counts",
    default=COUNTS,
    show_default=True,
    help="Numbers of components to try: 1:9 (from and to), or 1,2,5.",
)
@click.option(
    "--models",
    default="default",
    show_default=True,
    help="default, all (the fourteen), or names: EEE,VVV. With one feature there are E and V.",
)
@click.option(
    "--criterion",
    type=click.Choice(CRITERIA),
    default="bic",
    show_default=True,
    help="By which the best is chosen; lower is better.",
)
@click.option("--folds", type=int, default=5, show_default=True, help="Folds rows are held out in; 0: none.")
@click.option("--repeats", type=int, default=1, show_default=True, help="How often folds are drawn.")
@click.option(
    "--parsimony",
    type=float,
    default=NOT_DECISIVE,
    show_default=True,
    help="Take fewer components if the criterion is higher by no more than this.",
)
@click.option("--prior", type=click.Choice(PRIORS), default="weak", show_default=True, help="As in fit.")
@click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True, help="Of starts and folds.")
@model_options
@stop_options
@where_options
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Save the best model (JSON) here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def select(
    counts: str,
    models: str,
    criterion: str,
    folds: int,
    repeats: int,
    parsimony: float,
    output: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the number of components and the covariance model that DATA speak for, and say how clearly.

    Each model is fitted with each number of components; the lowest BIC wins, ICL and rows that were held out
    are asked whether they agree. Ctrl-C ends it early and shows what was done.
    """
    refuse_overwriting(options["data"], output)
    tried = counts_of(counts)
    with ExitStack() as stack, notes_of_warnings() as warned:
        source = stack.enter_context(opened(options))
        rows = source.rows
        asked = SelectionSettings(
            tried,
            models_for(models_of(models), len(rows.feature_names)),
            FitSettings(
                prior=options["prior"],
                tol=options["tol"],
                max_iter=options["max_iter"],
                seed=options["seed"],
                noise=options["noise"],
                equal_weights=options["equal_weights"],
                acceleration=options["acceleration"],
            ),
            criterion,
            folds,
            repeats,
            parsimony,
        )
        with progress_bar() as announce:
            selection = select_models(rows, asked, announce)
    summary = summarise_selection(selection)
    if output is not None:
        best = selection.best
        assert best.result is not None
        part = ("It was chosen by a selection that was interrupted.",) if selection.interrupted else ()
        notes = (*source.notes, *warned, *part)
        fitted = summarise(best.result, rows, asked.settings(best.key), notes, row_numbers=source.row_numbers)
        save_model(to_saved(fitted, best.result.mixture), output)
    if as_json:
        print_json(summary.as_json())
    else:
        result_console().print(selection_report(summary))
    exit_if(selection.interrupted)


def counts_of(text: str) -> tuple[int, ...]:
    """Numbers of components from ``1:9`` or ``1,2,5``.

    Raises
    ------
    SettingsError
        If it is neither.
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,5})\s*(?::\s*(\d{1,5})\s*)?", part)
        if match is None:
            raise SettingsError(f"-k must be like 1:9 or 1,2,5; got {text!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise SettingsError(f"-k {text!r}: the smaller number comes first, as in 1:9")
        found.extend(range(first, last + 1))
    if not found:
        raise SettingsError(f"-k names no number: {text!r}; the smaller one comes first, as in 1:9")
    return tuple(found)


def models_of(text: str) -> "str | list[str]":
    """``default``, ``all``, or the models that are named, in any case."""
    if text in ("default", "all"):
        return text
    by_lower = {name.lower(): name for name in COVARIANCES}
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [by_lower.get(name.lower(), name) for name in names]
