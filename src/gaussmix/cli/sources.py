"""Options that say where rows live, and the rows that they name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from numpy.typing import NDArray

from gaussmix.cli.options import say
from gaussmix.data.blocked import BlockedRows
from gaussmix.data.files.opening import open_rows, parts
from gaussmix.data.files.room import memory_to_use, size_of
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import SettingsError

Command = TypeVar("Command", bound=Callable[..., Any])

UNTRUSTED_HELP = "DATA may be made to do harm: a process with limits on memory, time and disk reads it."


@dataclass(frozen=True, eq=False)
class Opened:
    """Rows, and what there is to say of where they come from."""

    rows: BlockedRows
    notes: tuple[str, ...]
    row_numbers: NDArray[Any] | None = None
    """(N,), numbers of rows in the file where some were left out; None for rows that are read in blocks."""

    @property
    def in_memory(self) -> MemoryRows | None:
        """The rows, if they are held in memory."""
        return self.rows if isinstance(self.rows, MemoryRows) else None

    def reading(self) -> dict[str, float] | None:
        """What reading in blocks has cost so far, for ``--json``; None for rows in memory."""
        read = getattr(self.rows, "reading", None)
        if read is None or self.in_memory is not None:
            return None
        return {
            "passes": read.passes,
            "bytes_read": read.bytes_read,
            "rows_per_second": read.rows_per_second,
        }


def where_options(command: Command) -> Command:
    """--row-weights, --memory, --no-spool, --untrusted and --dask."""
    for option in (
        click.option(
            "--dask", metavar="ADDRESS", help="Have the workers of this dask cluster read DATA (tcp://...)."
        ),
        click.option(
            "--untrusted",
            is_flag=True,
            help=UNTRUSTED_HELP,
        ),
        click.option(
            "--no-spool", is_flag=True, help="Parse text again on each pass, not into a temporary file."
        ),
        click.option(
            "--memory",
            metavar="SIZE",
            help="Read DATA in blocks, again on every pass, if it takes more than this (2GB, 500MB); "
            "by default a quarter of what there is.",
        ),
        click.option("--row-weights", metavar="COLUMN", help="A column that says how often each row counts."),
    ):
        command = option(command)
    return command


@contextmanager
def opened(options: dict[str, Any], columns: list[str] | None = None) -> Iterator[Opened]:
    """The rows that DATA and the options name; notes go to standard error.

    Raises
    ------
    DataError
        If they cannot be read.
    SettingsError
        If an option has no meaning.
    """
    data, weights, drop = options["data"], options["row_weights"], options["drop_missing"]
    if columns is None and options.get("columns") is not None:
        columns = [name.strip() for name in options["columns"].split(",")]
    if options["dask"] is not None:
        if options["untrusted"]:
            raise SettingsError("--untrusted is for files that are read here, not by the workers of --dask")
        from gaussmix.data.cluster.dask import DaskRows

        found = parts(data, columns=columns, weights=weights, drop_missing=drop)
        with DaskRows.of(found, feature_names=found[0].feature_names, client=options["dask"]) as cluster:
            for note in cluster.notes:
                say(f"note: {note}")
            yield Opened(cluster, cluster.notes)
        return
    limit = memory_to_use() if options["memory"] is None else size_of(options["memory"], "--memory")
    rows = open_rows(
        data,
        columns=columns,
        weights=weights,
        drop_missing=drop,
        memory=limit,
        spool=not options["no_spool"],
        tell=lambda sentence: say(f"note: {sentence}"),
        untrusted=options["untrusted"],
    )
    # The first pass tells what was left out.
    _ = rows.summary
    for note in rows.notes:
        say(f"note: {note}")
    yield Opened(rows, rows.notes, getattr(rows, "row_numbers", None))
