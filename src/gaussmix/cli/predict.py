"""``gaussmix predict``: which component each row belongs to."""

import click

from gaussmix.cli.fit import refuse_overwriting
from gaussmix.cli.sources import UNTRUSTED_HELP, opened
from gaussmix.data.files.filebytes import is_stream
from gaussmix.data.files.opening import has_names
from gaussmix.data.files.shards import shards_of
from gaussmix.errors import DataError
from gaussmix.modelfile import load_model
from gaussmix.report.assignments import print_assignments, write_assignments


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="Write here instead of standard output."
)
@click.option("--drop-missing", is_flag=True, help="Leave rows with missing values out.")
@click.option("--memory", metavar="SIZE", help="Read DATA in blocks if it takes more than this, as in fit.")
@click.option("--untrusted", is_flag=True, help=UNTRUSTED_HELP)
def predict(
    model: str, data: str, output: str | None, drop_missing: bool, memory: str | None, untrusted: bool
) -> None:
    """Assign each row of DATA to a component of MODEL.

    Writes CSV, or Parquet where the output's name ends in .parquet: row and label (both counted from 1), one
    probability a component, log density, and whether no component explains the row. Columns of DATA are
    matched to the model's by name, those of .npy files, which have none, by place.
    """
    saved = load_model(model)
    refuse_overwriting(data, output)
    refuse_overwriting(model, output)
    options = {"data": data, "drop_missing": drop_missing, "memory": memory, "untrusted": untrusted}
    names = list(saved.feature_names) if has_names(data) else None
    # Rows are read once; only of a stream there has to be a copy.
    spool = any(map(is_stream, shards_of(data)))
    plain = {"row_weights": None, "dask": None, "no_spool": not spool}
    with opened({**options, **plain}, names) as source:
        if len(source.rows.feature_names) != len(saved.feature_names):
            raise DataError(
                f"{data}: has {len(source.rows.feature_names)} columns, which are not named, and the model "
                f"{len(saved.feature_names)}"
            )
        if output is None:
            print_assignments(saved.mixture, source.rows, source.row_numbers)
        else:
            write_assignments(saved.mixture, source.rows, output, source.row_numbers)
