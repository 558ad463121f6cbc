"""Options that several commands share, and what they mean to the floors below."""

import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from gaussmix.data.files.tables import Table, read_table
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataWarning, SettingsError, StartError
from gaussmix.kernels.threads import compute_threads
from gaussmix.learning.settings import (
    ACCELERATIONS,
    DEFAULT_ACCELERATION,
    DEFAULT_INIT,
    DEFAULT_MAX_ITER,
    DEFAULT_N_INIT,
    DEFAULT_SEED,
    DEFAULT_TOL,
    INIT_METHODS,
    PRIORS,
    FitSettings,
    GivenStart,
)
from gaussmix.model.covariances import FAMILIES, ONE_DIMENSION
from gaussmix.modelfile import SavedModel
from gaussmix.report.words import as_options, sentence_safe

Command = TypeVar("Command", bound=Callable[..., Any])

COVARIANCES = [family.name for family in FAMILIES] + list(ONE_DIMENSION)


# Older versions of click have no type here to say what it converts to.
class NumberOrAuto(click.ParamType):  # type: ignore[type-arg]
    """A whole number, or the word auto."""

    name = "n|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number, or the word."""
        if value == "auto" or isinstance(value, int):
            return str(value) if value == "auto" else int(value)
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a whole number nor auto", param, ctx)


def data_options(command: Command) -> Command:
    """DATA, --columns, --drop-missing and --threads."""
    return table_options(click.argument("data")(command))


def table_options(command: Command) -> Command:
    """--columns, --drop-missing and --threads."""
    for option in (
        click.option(
            "--threads",
            type=click.IntRange(min=1),
            expose_value=False,
            callback=_use_threads,
            help="Threads to compute on; default: all processors. No result depends on it.",
        ),
        click.option("--drop-missing", is_flag=True, help="Leave rows with missing values out."),
        click.option("--columns", help="Columns to use, separated by commas; default: all that are numbers."),
    ):
        command = option(command)
    return command


def _use_threads(ctx: click.Context, param: click.Parameter, value: int | None) -> None:  # noqa: ARG001
    ctx.with_resource(compute_threads(value))


def fit_options(prior: str, required: bool = True) -> Callable[[Command], Command]:
    """Everything that decides a fit; ``prior`` is the default of --prior, ``required`` whether -k is."""
    options = (
        click.option(
            "-k", "--components", "n_components", type=int, required=required, help="Number of components."
        ),
        click.option(
            "--covariance",
            type=click.Choice(COVARIANCES, case_sensitive=False),
            default="full",
            show_default=True,
            help="Covariance model; mclust's names mean the same.",
        ),
        click.option(
            "--prior",
            type=click.Choice(["weak", "none"] if prior == "none" else PRIORS),
            default=prior,
            show_default=True,
            help="weak: a covariance penalty that keeps the likelihood bounded; none: maximum likelihood"
            + ("." if prior == "none" else "; conjugate: mclust's priorControl()."),
        ),
        click.option(
            "--means",
            help="First means: 5.5,6.0 for one feature; '2,55;4.3,80' (a ; between components) for more.",
        ),
        click.option(
            "--variances", help="First variances: one, one a component, or like --means by feature."
        ),
        click.option("--weights", help="First weights, one a component, adding up to 1."),
        click.option(
            "--init",
            type=click.Choice(INIT_METHODS),
            default=DEFAULT_INIT,
            show_default=True,
            help="How starts are made; auto: in every way in a search, else by kmeans.",
        ),
        click.option(
            "--n-init",
            type=NumberOrAuto(),
            default=DEFAULT_N_INIT,
            show_default=True,
            help="Starts to try, or auto: search until nothing better is found.",
        ),
        click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True, help="Of the starts."),
    )

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def model_options(command: Command) -> Command:
    """--noise and --equal-weights."""
    for option in (
        click.option("--equal-weights", is_flag=True, help="All components have one share of the rows."),
        click.option("--noise", is_flag=True, help="Some rows may belong to no component."),
    ):
        command = option(command)
    return command


def stop_options(command: Command) -> Command:
    """--tol, --max-iter and --acceleration."""
    for option in (
        click.option(
            "--acceleration",
            type=click.Choice(ACCELERATIONS),
            default=DEFAULT_ACCELERATION,
            show_default=True,
            help="auto: longer steps than EM's where they help; none: EM's own, one by one.",
        ),
        click.option(
            "--max-iter", type=int, default=DEFAULT_MAX_ITER, show_default=True, help="Iterations at most."
        ),
        click.option(
            "--tol",
            type=float,
            default=DEFAULT_TOL,
            show_default=True,
            help="Stop when the estimated remaining gain, in nats a row, is below this.",
        ),
    ):
        command = option(command)
    return command


def settings_from(options: dict[str, Any]) -> FitSettings:
    """Checked settings from a command's options."""
    return FitSettings(
        n_components=options["n_components"],
        covariance_type=canonical(options["covariance"]),
        prior=options["prior"],
        tol=options.get("tol", DEFAULT_TOL),
        max_iter=options.get("max_iter", DEFAULT_MAX_ITER),
        n_init=options["n_init"],
        init_params=options["init"],
        seed=options["seed"],
        noise=options.get("noise", False),
        equal_weights=options.get("equal_weights", False),
        acceleration=options.get("acceleration", "none"),
        given=GivenStart(
            weights=_numbers("--weights", options["weights"]),
            means=_by_component("--means", options["means"], options["n_components"]),
            covariances=_variances(options["variances"], options["n_components"]),
        ),
    )


def rows_from(options: dict[str, Any]) -> tuple[MemoryRows, Table]:
    """The rows that DATA and --columns name."""
    table = table_from(options["data"], options["columns"], options["drop_missing"])
    return MemoryRows(table.matrix, None, table.feature_names), table


def table_from(data: str, columns: str | None, drop_missing: bool) -> Table:
    """Read DATA; notes go to standard error."""
    names = None if columns is None else [name.strip() for name in columns.split(",")]
    table = read_table(data, names, drop_missing)
    for note in table.notes:
        say(f"note: {note}")
    return table


def rows_for(saved: SavedModel, data: str, drop_missing: bool) -> tuple[MemoryRows, Table]:
    """The rows of DATA in the columns of a saved model."""
    table = read_table(data, list(saved.feature_names), drop_missing)
    for note in table.notes:
        say(f"note: {note}")
    return MemoryRows(table.matrix, None, table.feature_names), table


def settings_of_saved(saved: SavedModel) -> FitSettings:
    """How a model was fitted, as far as its file says."""
    mixture, facts = saved.mixture, saved.facts
    return FitSettings(
        n_components=mixture.n_components,
        covariance_type=mixture.family.name,
        prior=facts.get("prior", "weak") or "none",
        reg_covar=facts.get("reg_covar", 0.0),
        equal_weights=facts.get("equal_weights", False),
        noise=mixture.noise is not None,
    )


def say(message: str) -> None:
    """Tell the person at the terminal something that is not a result."""
    click.echo(sentence_safe(as_options(message)), err=True)


@contextmanager
def notes_of_warnings() -> Iterator[list[str]]:
    """Collect what the floors below warn of, and say it on standard error instead."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        yield notes
    for warning in caught:
        if issubclass(warning.category, DataWarning):
            if str(warning.message) in notes:
                continue
            notes.append(str(warning.message))
            say(f"note: {warning.message}")
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def print_json(document: dict[str, Any]) -> None:
    """Print a document to standard output; floats read back bit for bit."""
    # Whole first, so that an error cannot leave half a document behind.
    sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")


def canonical(covariance: str) -> str:
    """A model's name as it is written, from one in any case."""
    return next(name for name in COVARIANCES if name.lower() == covariance.lower())


def _numbers(option: str, text: str | None) -> list[float] | None:
    if text is None:
        return None
    cells = [cell for cell in re.split(r"[,;\s]+", text.strip()) if cell]
    try:
        return [float(cell) for cell in cells]
    except ValueError as error:
        raise StartError(f"{option} must be numbers separated by commas; got {text!r}") from error


def _by_component(option: str, text: str | None, n_components: int) -> list[list[float]] | None:
    """Numbers by component: groups between semicolons, or one number each."""
    if text is None:
        return None
    if ";" in text:
        groups = [_numbers(option, group) or [] for group in text.strip().strip(";").split(";")]
    else:
        numbers = _numbers(option, text) or []
        groups = [[value] for value in numbers] if len(numbers) == n_components else [numbers]
    if len(groups) != n_components or len({len(group) for group in groups}) != 1:
        raise SettingsError(
            f"{option} must give {n_components} components (-k), all with as many numbers as there are "
            f"columns, with a ; between components; got {text!r}"
        )
    return groups


def _variances(text: str | None, n_components: int) -> Any:
    if text is None:
        return None
    if ";" in text:
        groups = _by_component("--variances", text, n_components)
        return [group[0] for group in groups] if groups and len(groups[0]) == 1 else groups
    numbers = _numbers("--variances", text) or []
    return numbers[0] if len(numbers) == 1 else numbers
