"""``gaussmix show``: a model in words, or how far a checkpoint has come."""

from pathlib import Path

import click

from gaussmix.cli.options import print_json
from gaussmix.modelfile import load_model


@click.command()
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def show(file: str, as_json: bool) -> None:
    """Describe FILE: a mixture, in words and in the data's units, or a checkpoint, also of a running fit."""
    from gaussmix.data.checkpoints.journal import is_journal

    if is_journal(file):
        _show_checkpoint(file, as_json)
        return
    from gaussmix.report.summary import of_saved
    from gaussmix.report.terminal import fit_report
    from gaussmix.report.words import result_console

    summary = of_saved(load_model(file))
    if as_json:
        print_json(summary.as_json())
    else:
        result_console().print(fit_report(summary))


def _show_checkpoint(file: str, as_json: bool) -> None:
    from gaussmix.data.checkpoints.checkpoint import describe
    from gaussmix.report.words import sentence_safe

    found = describe(file)
    if as_json:
        print_json(found.as_json())
        return
    plural = "" if found.n_passes == 1 else "es"
    lines = [
        f"{Path(file).name}: a checkpoint of {found.n_passes} pass{plural}, which took {found.seconds:.3g} s "
        f"({found.n_bytes:,} bytes)",
        f"written by gaussmix {found.version}; {found.arithmetic}",
    ]
    if found.log_likelihoods:
        lines.append(
            f"log-likelihood of the last of {len(found.log_likelihoods)} E-steps, of all starts: "
            f"{found.log_likelihoods[-1]:.6f}; highest {max(found.log_likelihoods):.6f}"
        )
    # A digest of what was given to start from tells people nothing.
    asked = {name: value for name, value in found.settings.items() if name != "given"}
    lines.append("settings: " + ", ".join(f"{name} {value}" for name, value in asked.items()))
    if found.damage:
        lines.append(f"after that: {found.damage}")
    lines.append("The command that wrote it, with --resume, goes on from here; without, it begins again.")
    # A file may say anything of itself, and a terminal would obey some of it.
    click.echo("\n".join(map(sentence_safe, lines)))
