"""``gaussmix demo``: the worked example."""

import click

from gaussmix.cli.fit import refuse_overwriting
from gaussmix.cli.report import Told, write_report
from gaussmix.report.failure_lab import failure_lab
from gaussmix.report.words import result_console
from gaussmix.report.worked_example import tell_worked_example
from gaussmix.report.worked_example_terminal import worked_example_report


@click.command()
@click.option(
    "--steps", type=click.IntRange(min=1), default=2, show_default=True, help="Iterations to write out."
)
@click.option(
    "--html", type=click.Path(dir_okay=False), help="Write a page that plays it back, and a failure lab."
)
def demo(steps: int, html: str | None) -> None:
    """Work through ten heights by EM, as on paper, and say what a statistician would make of them."""
    refuse_overwriting("-", html)
    console = result_console()
    for part in worked_example_report(tell_worked_example(steps)):
        console.print(part)
    if html is not None:
        summary, playback, others = failure_lab()
        write_report(html, "The worked example: ten heights, two groups", Told(summary, playback), others)
