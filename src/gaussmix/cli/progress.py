"""A progress bar for fits that take long, on a terminal only."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gaussmix.learning.em import Watch, silent
from gaussmix.learning.history import History
from gaussmix.learning.search_table import SearchEntry
from gaussmix.learning.stopping import remaining_gain
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

QUIET_SECONDS = 0.5
INTERRUPTED = 130


def search_progress(entry: SearchEntry) -> None:
    """Say what a start or a move of a search came to."""
    trouble = f"  ({entry.trouble})" if entry.trouble else ""
    click.echo(f"{entry.objective:16.4f}  {entry.origin}{trouble}", err=True)


@contextmanager
def fit_progress() -> Iterator[Watch]:
    """Watch a fit: after half a second, show its iteration and what is estimated to be left to gain."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield silent
        return
    # How long EM will take is not known, so the bar moves without an end.
    columns = (BarColumn(bar_width=20), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("fitting", total=None, visible=False)
        began = time.monotonic()

        def show(mixture: Mixture, statistics: SufficientStatistics, history: History) -> None:  # noqa: ARG001
            if time.monotonic() - began < QUIET_SECONDS:
                return
            remaining = remaining_gain(history)
            left = (
                "" if remaining is None else f", about {remaining / history.row_weight:.1g} nats a row left"
            )
            words = f"iteration {history.n_iterations}{left}"
            progress.update(task, description=words, visible=True)

        yield show


@contextmanager
def progress_bar(of_what: str = "fits") -> Iterator[Callable[[int, int], None]]:
    """Show how much is done, on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, of: None  # noqa: ARG005
        return
    columns = (BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn(of_what), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(done: int, of: int) -> None:
            progress.update(task, completed=done, total=of)

        yield show


def exit_if(interrupted: bool) -> None:
    """Say that only a part was done, and exit as an interrupted command does."""
    if interrupted:
        click.echo("Interrupted: this is what was done by then.", err=True)
        sys.exit(INTERRUPTED)
