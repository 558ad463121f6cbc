"""``gaussmix predict``: which component each row belongs to."""

import click

from gaussmix.cli.fit import refuse_overwriting
from gaussmix.cli.options import rows_for
from gaussmix.modelfile import load_model
from gaussmix.report.assignments import print_assignments, write_assignments


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="Write here instead of standard output."
)
@click.option("--drop-missing", is_flag=True, help="Leave rows with missing values out.")
def predict(model: str, data: str, output: str | None, drop_missing: bool) -> None:
    """Assign each row of DATA to a component of MODEL.

    Writes CSV: row and label (both counted from 1), one probability a component, log density, and whether no
    component explains the row. Columns of DATA are matched to the model's by name.
    """
    saved = load_model(model)
    refuse_overwriting(data, output)
    refuse_overwriting(model, output)
    rows, table = rows_for(saved, data, drop_missing)
    if output is None:
        print_assignments(saved.mixture, rows.matrix, table.row_numbers)
    else:
        write_assignments(saved.mixture, rows.matrix, output, table.row_numbers)
