"""``gaussmix check``: how far to believe a fitted model, of rows, pairs of components, and as a whole."""

from dataclasses import replace

import click

from gaussmix.cli.fit import refuse_overwriting
from gaussmix.cli.options import print_json, rows_for, say, settings_of_saved
from gaussmix.errors import SettingsError
from gaussmix.learning.belief.goodness import DEFAULT_REPLICATES
from gaussmix.learning.belief.rowfacts import DEFAULT_LEVEL
from gaussmix.learning.settings import DEFAULT_SEED
from gaussmix.modelfile import load_model
from gaussmix.report.check_terminal import check_report, check_up
from gaussmix.report.rowfacts_file import write_row_facts
from gaussmix.report.words import result_console


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option(
    "--rows", "output", type=click.Path(dir_okay=False), help="Write facts about each row here (CSV)."
)
@click.option(
    "--level",
    type=float,
    default=DEFAULT_LEVEL,
    show_default=True,
    help="A row is none of these if less than this share of the mixture is less dense.",
)
@click.option(
    "--replicates",
    type=int,
    default=DEFAULT_REPLICATES,
    show_default=True,
    help="Tables to draw from the model for the test, at most.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=DEFAULT_SEED, show_default=True, help="Of the test."
)
@click.option("--no-test", is_flag=True, help="Do not test whether the rows are Gaussian groups.")
@click.option("--drop-missing", is_flag=True, help="Leave rows with missing values out.")
def check(
    model: str,
    data: str,
    as_json: bool,
    output: str | None,
    level: float,
    replicates: int,
    seed: int,
    no_test: bool,
    drop_missing: bool,
) -> None:
    """Say how far to believe MODEL of the rows of DATA, best those it was fitted to.

    How sure rows are, which components overlap, whether the rows are Gaussian groups at all, and which rows
    are none of these. Columns of DATA are matched to the model's by name.
    """
    saved = load_model(model)
    refuse_overwriting(data, output)
    refuse_overwriting(model, output)
    rows, table = rows_for(saved, data, drop_missing)
    settings = replace(settings_of_saved(saved), seed=seed)
    n_replicates = 0 if no_test else replicates
    if not no_test and replicates < 1:
        raise SettingsError(f"n_replicates must be a whole number, at least 1; got {replicates}")
    found = check_up(rows, saved.mixture, settings, level, n_replicates, table.row_numbers)
    if output is not None:
        write_row_facts(found.rows, output, table.row_numbers)
        say(f"Rows: {output}")
    if as_json:
        print_json(found.as_json())
    else:
        result_console().print(check_report(found))
