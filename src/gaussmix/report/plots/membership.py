"""Pictures of who belongs where: responsibilities, uncertainty, and a card for each component."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gaussmix.report.cards import Card
from gaussmix.report.plots.style import NOISE_COLOUR, axes_or_new, colour, note, plain
from gaussmix.report.portrait import Portrait
from gaussmix.report.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Rows this uncertain or less belong to one component for all that matters.
DOUBTFUL = 0.05
VALUES_ON_A_CARD = 6
CARD_WIDTH, CARDS_IN_A_ROW = 34, 3


def draw_responsibilities(portrait: Portrait, ax: "Axes | None" = None) -> "Axes":
    """A bar for each row, shared out between components; rows by component, the surest first."""
    ax = axes_or_new(ax)
    own = np.maximum(portrait.labels, -1)
    largest = portrait.shares.max(axis=1)
    order = np.lexsort((-largest, own))
    bottom = np.zeros(len(order))
    places = np.arange(len(order) + 1)
    for k in range(portrait.n_components):
        top = bottom + portrait.shares[order, k]
        ax.stairs(top, places, baseline=bottom, fill=True, color=colour(k), label=f"component {k + 1}")
        bottom = top
    if portrait.noise_weight:
        ax.stairs(np.ones(len(order)), places, baseline=bottom, fill=True, color=NOISE_COLOUR, label="noise")
    ax.set_xlim(0, len(order))
    ax.set_ylim(0.0, 1.0)
    ax.set_xlabel("rows, by component")
    ax.set_ylabel("responsibility")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.04), ncols=6, frameon=False, fontsize="small")
    note(ax, portrait.sampling)
    return ax


def draw_uncertainty(portrait: Portrait, ax: "Axes | None" = None) -> "Axes":
    """1 less the largest responsibility of each row, the surest first."""
    ax = axes_or_new(ax)
    noise = 1.0 - portrait.shares.sum(axis=1)
    uncertain = np.clip(1.0 - np.maximum(portrait.shares.max(axis=1), noise), 0.0, 1.0)
    order = np.argsort(uncertain, kind="stable")
    colours = [colour(int(k)) for k in portrait.labels[order]]
    ax.vlines(np.arange(len(order)), 0.0, uncertain[order], colors=colours, linewidth=0.8)
    ax.scatter(np.arange(len(order)), uncertain[order], c=colours, s=8)
    doubtful = float((uncertain > DOUBTFUL).mean())
    ax.axhline(DOUBTFUL, color="0.5", linewidth=0.8, linestyle="--")
    ax.set_ylim(0.0, max(0.1, 1.05 * float(uncertain.max())))
    ax.set_xlabel("rows, the surest first")
    ax.set_ylabel("1 − largest responsibility")
    ax.set_title(f"{percent(doubtful)} of rows are less than 95 % sure", fontsize="medium", loc="left")
    note(ax, portrait.sampling)
    return ax


def draw_cards(cards: Sequence[Card], ax: "Axes | None" = None) -> "Axes":
    """Each component's size, means ± standard deviations, and what sets it apart."""
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

    columns = min(CARDS_IN_A_ROW, len(cards))
    lines = [_lines(card) for card in cards]
    # In characters along x, and in lines along y.
    width, height = CARD_WIDTH + 3.0, max(len(text) for text in lines) + 2.0
    n_rows = -(-len(cards) // columns)
    if ax is None:
        size = (0.072 * width * columns, 0.16 * height * n_rows)
        ax = Figure(figsize=size).add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_axis_off()
    ax.set_xlim(0.0, columns * width)
    ax.set_ylim(-n_rows * height, 0.0)
    for place, (card, text) in enumerate(zip(cards, lines, strict=True)):
        row, column = divmod(place, columns)
        left, top = column * width, -row * height
        box = FancyBboxPatch(
            (left + 0.8, top - height + 0.8),
            width - 1.6,
            height - 1.4,
            boxstyle="round,pad=0,rounding_size=0.6",
            facecolor="none",
            edgecolor=colour(card.number - 1),
            linewidth=2.0,
        )
        ax.add_patch(box)
        points = _font_points(ax, columns * width, n_rows * height)
        for i, part in enumerate(text):
            ax.text(left + 1.6, top - 1.0 - i, part, va="top", family="monospace", fontsize=points)
    return ax


def _font_points(ax: "Axes", n_characters: float, n_lines: float) -> float:
    """The size at which they fit: a character is up to 0.66 of it wide, as hinted, and a line 1.3 high."""
    box, figure = ax.get_position(), ax.get_figure(root=True)
    assert figure is not None
    inches = figure.get_size_inches()
    across, down = 72.0 * box.width * inches[0], 72.0 * box.height * inches[1]
    return float(min(across / n_characters / 0.66, down / n_lines / 1.3))


def _lines(card: Card) -> list[str]:
    held = "" if card.rows is None else f", {card.rows:,.6g} rows"
    text = [f"component {card.number}: {percent(card.share)}{held}"]
    for name, value in card.values[:VALUES_ON_A_CARD]:
        text += textwrap.wrap(f"{name}: {value}", CARD_WIDTH, subsequent_indent="  ")
    if len(card.values) > VALUES_ON_A_CARD:
        text.append(f"and {len(card.values) - VALUES_ON_A_CARD} more features")
    text += textwrap.wrap(card.apart, CARD_WIDTH)
    text += textwrap.wrap(card.doubt, CARD_WIDTH)
    return [plain(part) for part in text]
