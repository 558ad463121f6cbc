"""``gaussmix demo``: the worked example."""

import click

from gaussmix.report.words import result_console
from gaussmix.report.worked_example import tell_worked_example
from gaussmix.report.worked_example_terminal import worked_example_report


@click.command()
@click.option(
    "--steps", type=click.IntRange(min=1), default=2, show_default=True, help="Iterations to write out."
)
def demo(steps: int) -> None:
    """Work through ten heights by EM, as on paper, and say what a statistician would make of them."""
    console = result_console()
    for part in worked_example_report(tell_worked_example(steps)):
        console.print(part)
