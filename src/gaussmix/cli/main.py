"""The ``gaussmix`` command: finds the subcommand, and turns errors into messages and exit codes."""

import io
import sys
from importlib import import_module
from typing import Any

import click

from gaussmix import __version__
from gaussmix.errors import CheckpointError, DataError, GaussmixError, ModelFileError, SettingsError

USAGE, DATA, FIT, MODEL_FILE, INTERRUPTED = 2, 3, 4, 5, 130

COMMANDS = {
    "demo": "The worked example: ten heights, every step of EM, and what to make of them.",
    "fit": "Fit a mixture to a table and say how far to trust it.",
    "select": "Find the number of groups and the model, and say how clearly.",
    "test": "Test whether there is one more group, by simulation.",
    "explain": "Write EM out as one would by hand, with the numbers substituted.",
    "predict": "Assign rows to the components of a fitted model.",
    "check": "Say how far to believe a model: rows, pairs of components, and as a whole.",
    "merge": "Merge components that are one group into clusters.",
    "compare": "Set two fitted models side by side.",
    "plot": "Draw a fitted model and rows (PNG, SVG, PDF).",
    "report": "Write one HTML file that plays a fit back.",
    "show": "Describe a fitted model, or how far a checkpoint has come.",
}


class LazyGroup(click.Group):
    """A group that imports a command only when it is called, so that --help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"gaussmix.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    """Print the version and the kernel in use."""
    if not value or ctx.resilient_parsing:
        return
    from gaussmix.kernels import KERNEL_NAME

    click.echo(f"gaussmix {__version__}, {KERNEL_NAME} kernel")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='Shell completion: eval "$(_GAUSSMIX_COMPLETE=bash_source gaussmix)" (or zsh_source, '
    "fish_source). Exit codes: 0 done, 2 usage, 3 data or checkpoint, 4 fit failed, 5 bad model file, "
    "130 interrupted.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_version,
    help="Show the version.",
)
def cli() -> None:
    """Find groups in a table by a Gaussian mixture, and explain every step."""


def exit_code(error: GaussmixError) -> int:
    """The exit code that says which kind of thing went wrong."""
    for kind, code in (
        (ModelFileError, MODEL_FILE),
        (DataError, DATA),
        (CheckpointError, DATA),
        (SettingsError, USAGE),
    ):
        if isinstance(error, kind):
            return code
    return FIT


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show ± or a name's letters shows ? instead of nothing at all.
        sys.stdout.reconfigure(errors="replace")
    try:
        # Commands that say how they were called find it in the context.
        given = sys.argv[1:] if arguments is None else arguments
        code: Any = cli.main(given, prog_name="gaussmix", standalone_mode=False, obj=given)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.exceptions.NoArgsIsHelpError as help_page:
        click.echo(help_page.format_message(), err=True)
        code = USAGE
    except click.ClickException as error:
        error.show()
        code = USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        code = INTERRUPTED
    except GaussmixError as error:
        from gaussmix.report.words import as_options, sentence_safe

        click.echo(f"gaussmix: {sentence_safe(as_options(str(error)))}", err=True)
        code = exit_code(error)
    except MemoryError:
        click.echo("gaussmix: out of memory; use fewer columns or a machine with more", err=True)
        code = FIT
    except OSError as error:
        click.echo(f"gaussmix: {error.filename or 'file'}: {error.strerror or error}", err=True)
        code = DATA
    sys.exit(code if isinstance(code, int) else 0)
