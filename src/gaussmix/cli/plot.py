"""``gaussmix plot``: pictures of a fitted model and rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gaussmix.cli.fit import refuse_overwriting
from gaussmix.cli.options import rows_for
from gaussmix.errors import SettingsError
from gaussmix.modelfile import load_model
from gaussmix.report.cards import cards_of
from gaussmix.report.plots import curves, membership, planes
from gaussmix.report.plots.style import save_figure
from gaussmix.report.portrait import Portrait, portrait_of
from gaussmix.report.summary import of_saved

KINDS: dict[str, Callable[..., Any]] = {
    "density": curves.draw_density,
    "ellipses": planes.draw_ellipses,
    "projection": planes.draw_projection,
    "pairs": planes.draw_pairs,
    "responsibilities": membership.draw_responsibilities,
    "uncertainty": membership.draw_uncertainty,
    "cards": membership.draw_cards,
}
ENDINGS = (".png", ".svg", ".pdf")
# How many features each kind can be told; pairs take any number.
TOLD = {"density": 1, "ellipses": 2}


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), required=True, help="A .png, .svg or .pdf file."
)
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    help="Default: density for one feature, ellipses for two, projection for more.",
)
@click.option("--features", help="Columns to show, separated by commas: one for density, two for ellipses.")
@click.option("--drop-missing", is_flag=True, help="Leave rows with missing values out.")
def plot(
    model: str, data: str, output: str, kind: str | None, features: str | None, drop_missing: bool
) -> None:
    """Draw the mixture in MODEL and the rows of DATA.

    Of more than 5,000 rows a random sample is drawn, the same each time, and the picture says so.
    """
    if Path(output).suffix.lower() not in ENDINGS:
        raise SettingsError(f"{output}: the name must end in {', '.join(ENDINGS)}")
    saved = load_model(model)
    refuse_overwriting(data, output)
    refuse_overwriting(model, output)
    rows, _ = rows_for(saved, data, drop_missing)
    names = [name.strip() for name in features.split(",")] if features else []
    chosen = kind or _default_kind(len(saved.feature_names), names)
    portrait = portrait_of(saved.mixture, rows)
    told = _told(chosen, names, portrait)
    drawn = KINDS[chosen](cards_of(of_saved(saved)) if chosen == "cards" else portrait, *told)
    save_figure((drawn[0, 0] if chosen == "pairs" else drawn).figure, output)


def _default_kind(n_features: int, names: list[str]) -> str:
    if names:
        return {1: "density", 2: "ellipses"}.get(len(names), "pairs")
    return {1: "density", 2: "ellipses"}.get(n_features, "projection")


def _told(kind: str, names: list[str], portrait: Portrait) -> tuple[Any, ...]:
    if kind in ("ellipses", "projection", "pairs") and len(portrait.feature_names) < 2:
        raise SettingsError(f"--kind {kind} needs two features and the model has one; density shows it")
    for name in names:
        if name not in portrait.feature_names:
            listed = ", ".join(portrait.feature_names)
            raise SettingsError(f"--features: the model has no {name!r}; it has {listed}")
    if not names:
        return ()
    if kind == "pairs":
        return (names,)
    if kind not in TOLD:
        raise SettingsError(f"--features does not go with --kind {kind}")
    if len(names) != TOLD[kind]:
        raise SettingsError(f"--kind {kind} shows {TOLD[kind]} at a time; --features names {len(names)}")
    return (names[0],) if kind == "density" else ((names[0], names[1]),)
