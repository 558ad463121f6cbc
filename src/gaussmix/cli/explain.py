"""``gaussmix explain``: EM by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gaussmix.cli.fit import refuse_overwriting
from gaussmix.cli.options import (
    data_options,
    fit_options,
    notes_of_warnings,
    print_json,
    rows_from,
    say,
    settings_from,
)
from gaussmix.errors import SettingsError
from gaussmix.learning.prepare import prepare
from gaussmix.learning.search import search
from gaussmix.modelfile import replaced_file
from gaussmix.report.explanation import explain as write_out
from gaussmix.report.explanation_terminal import explanation_report
from gaussmix.report.html.worksheet import worksheet_page
from gaussmix.report.words import result_console

BY_HAND = ("full", "tied", "diag", "spherical")


@click.command()
@data_options
@fit_options(prior="none")
@click.option(
    "--steps", type=click.IntRange(min=1), default=3, show_default=True, help="Iterations to write out."
)
@click.option("--all-rows", is_flag=True, help="Show every row of long tables.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option(
    "--worksheet",
    type=click.Path(dir_okay=False),
    help="Write an exercise with blanks and its solutions (HTML, to be printed) instead.",
)
def explain(steps: int, all_rows: bool, as_json: bool, worksheet: str | None, **options: Any) -> None:
    """Write the first iterations of EM on DATA out in full, with the numbers substituted.

    This is textbook EM: unlike fit, it uses no prior unless --prior weak asks for one.
    """
    data = options["data"]
    refuse_overwriting(data, worksheet)
    if as_json and worksheet is not None:
        raise SettingsError("--json and --worksheet are two ways to write it out: ask for one of them")
    settings = settings_from({**options, "covariance": _by_hand(options["covariance"])})
    init = "kmeans" if settings.init_params == "auto" else settings.init_params
    settings = replace(settings, max_iter=steps, tol=0.0, n_init=1, init_params=init)
    with notes_of_warnings():
        rows, table = rows_from(options)
        result = search(rows, settings, trace=True)
        prior = prepare(rows, settings).prior
    explanation = write_out(rows, result, settings, prior, all_rows, table.row_numbers)
    if worksheet is not None:
        page = worksheet_page(explanation, "standard input" if data == "-" else Path(data).name)
        with replaced_file(worksheet) as file:
            file.write(page.encode())
        say(f"Worksheet: {worksheet}; print it from a browser")
    elif as_json:
        print_json(explanation.as_json())
    else:
        result_console().print(explanation_report(explanation))


def _by_hand(covariance: str) -> str:
    """The model by scikit-learn's name; the others have M-steps that no one does by hand."""
    name = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}.get(
        covariance.upper(), covariance
    )
    if name.lower() not in BY_HAND:
        raise SettingsError(
            f"explain writes out {', '.join(BY_HAND)} covariance (VVV, EEE, VVI, VII); {covariance} can be "
            "fitted, but its M-step is more than sums and a division"
        )
    return name.lower()
