"""``gaussmix merge``: components that are one group, put together."""

from pathlib import Path

import click

from gaussmix.cli.fit import refuse_overwriting
from gaussmix.cli.options import print_json, rows_for
from gaussmix.errors import SettingsError
from gaussmix.learning.clusters.merging import checked_count, merge_components
from gaussmix.modelfile import load_model
from gaussmix.report.merging_terminal import mergers_json, mergers_report, write_clusters
from gaussmix.report.plots.style import save_figure
from gaussmix.report.plots.tree import draw_mergers
from gaussmix.report.words import result_console

ENDINGS = (".png", ".svg", ".pdf")


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data")
@click.option("--clusters", type=int, help="How many there are to be; default: the elbow of the entropy.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="Draw the tree here (.png, .svg or .pdf)."
)
@click.option("--assign", type=click.Path(dir_okay=False), help="Write each row's cluster here (CSV).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--drop-missing", is_flag=True, help="Leave rows with missing values out.")
def merge(
    model: str,
    data: str,
    clusters: int | None,
    output: str | None,
    assign: str | None,
    as_json: bool,
    drop_missing: bool,
) -> None:
    """Merge components of MODEL into clusters, those first between which most rows of DATA are torn.

    A group that is no Gaussian takes several components. Each step merges the two clusters whose merger
    lowers the rows' classification entropy most (Baudry and others 2010), until one is left; the tree shows
    all steps.
    """
    if output is not None and Path(output).suffix.lower() not in ENDINGS:
        raise SettingsError(f"{output}: the name must end in {', '.join(ENDINGS)}")
    saved = load_model(model)
    if clusters is not None:
        checked_count(clusters, saved.mixture.n_components)
    if output is not None and assign is not None and Path(output).resolve() == Path(assign).resolve():
        raise SettingsError("-o and --assign name the same file; choose another name for one of them")
    for source in (data, model):
        refuse_overwriting(source, output, assign)
    rows, table = rows_for(saved, data, drop_missing)
    mergers = merge_components(saved.mixture, rows, clusters)
    if output is not None:
        save_figure(draw_mergers(mergers)[0].figure, output)
    if assign is not None:
        write_clusters(mergers, rows.matrix, assign, table.row_numbers)
    if as_json:
        print_json(mergers_json(mergers))
    else:
        result_console().print(mergers_report(mergers))
