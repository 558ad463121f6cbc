"""``gaussmix show``: a model in words."""

import click

from gaussmix.cli.options import print_json
from gaussmix.modelfile import load_model
from gaussmix.report.summary import of_saved
from gaussmix.report.terminal import fit_report
from gaussmix.report.words import result_console


@click.command()
@click.argument("model", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def show(model: str, as_json: bool) -> None:
    """Describe the mixture in the file MODEL, in words and in the data's units."""
    summary = of_saved(load_model(model))
    if as_json:
        print_json(summary.as_json())
    else:
        result_console().print(fit_report(summary))
