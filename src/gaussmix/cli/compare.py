"""``gaussmix compare``: two fits side by side."""

from pathlib import Path

import click

from gaussmix.cli.options import print_json, rows_for
from gaussmix.learning.clusters.compared import Side
from gaussmix.learning.clusters.comparison import compare_mixtures
from gaussmix.learning.settings import DEFAULT_SEED
from gaussmix.modelfile import SavedModel, load_model
from gaussmix.report.comparison_terminal import comparison_json, comparison_report
from gaussmix.report.words import result_console


@click.command()
@click.argument("a", type=click.Path())
@click.argument("b", type=click.Path())
@click.argument("data", required=False)
@click.option(
    "--seed", type=click.IntRange(min=0), default=DEFAULT_SEED, show_default=True, help="Of rows drawn."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--drop-missing", is_flag=True, help="Leave rows with missing values out.")
def compare(a: str, b: str, data: str | None, seed: int, as_json: bool, drop_missing: bool) -> None:
    """Compare the models A and B: which component stands for which, and by how much they differ.

    Columns are matched by name. With DATA it is its rows that both assign, and their likelihood under both is
    said; without, 10,000 rows are drawn, half from each model.
    """
    one, other = load_model(a), load_model(b)
    rows = None if data is None else rows_for(one, data, drop_missing)[0]
    comparison = compare_mixtures(_side(one), _side(other), rows, seed)
    if as_json:
        print_json(comparison_json(comparison))
    else:
        result_console().print(comparison_report(comparison, (Path(a).name, Path(b).name)))


def _side(saved: SavedModel) -> Side:
    named = saved.facts.get("columns_named", True)
    return Side(saved.mixture, saved.feature_names if named else None, saved.facts)
