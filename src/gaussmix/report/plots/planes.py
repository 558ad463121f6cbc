"""Pictures of two features: points, and ellipses that say how much they hold."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussmix.errors import SettingsError
from gaussmix.kernels.contract import FloatArray
from gaussmix.report.plots.curves import draw_density
from gaussmix.report.plots.style import (
    axes_or_new,
    blended,
    colour,
    component_name,
    line,
    marker,
    note,
    plain,
)
from gaussmix.report.plots.style import legend as show_legend
from gaussmix.report.portrait import Portrait, ellipse_radius

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COVERAGE = (0.5, 0.95)
# Features in a figure of pairs, if none are named.
MOST_PAIRED = 5
# Characters in a line of a projection's axis label.
LABEL_WIDTH = 44
# Characters in a line of a label among pairs.
PAIR_WIDTH = 22


def draw_ellipses(
    portrait: Portrait,
    features: tuple[str | int, str | int] = (0, 1),
    coverage: Sequence[float] = COVERAGE,
    ax: "Axes | None" = None,
    legend: bool = True,
) -> "Axes":
    """Rows coloured by their responsibilities, and ellipses that hold stated shares of each component."""
    if any(not 0.0 < share < 1.0 for share in coverage):
        raise SettingsError(f"coverage must lie between 0 and 1; got {tuple(coverage)}")
    ax = axes_or_new(ax)
    i, j = (portrait.feature(f) for f in features)
    colours = blended(portrait.shares)
    size = float(np.clip(3000.0 / max(len(portrait.rows), 1), 4.0, 28.0))
    for k in range(-1, portrait.n_components):
        own = portrait.labels == k
        if own.any():
            ax.scatter(
                portrait.rows[own, i], portrait.rows[own, j], c=colours[own], s=size, marker=marker(k),
                linewidths=0.8 if k < 0 else 0.0, alpha=0.75, label=component_name(k),
            )  # fmt: skip
    if portrait.unexplained.any():
        rows = portrait.rows[portrait.unexplained]
        ax.scatter(
            rows[:, i], rows[:, j], s=90, facecolors="none", edgecolors="0.1", linewidths=1.0,
            label="explained by no component",
        )  # fmt: skip
    for k in range(portrait.n_components):
        block = portrait.matrices[k][np.ix_([i, j], [i, j])]
        for share in coverage:
            x, y = outline(portrait.means[k, [i, j]], block, ellipse_radius(share))
            ax.plot(x, y, color=colour(k), linestyle=line(k), linewidth=1.4, label="_ellipse")
        ax.plot(*portrait.means[k, [i, j]], marker="+", color=colour(k), ms=9, mew=2, label="_mean")
    ax.set_xlabel(plain(portrait.feature_names[i]))
    ax.set_ylabel(plain(portrait.feature_names[j]))
    if legend:
        show_legend(ax, portrait.n_components)
        held = " and ".join(f"{100.0 * share:g} %" for share in coverage)
        said = f"ellipses hold {held} of a component" if coverage else ""
        note(ax, "; ".join(part for part in (said, portrait.sampling) if part))
    return ax


def wrapped(name: str) -> str:
    """A name for an axis of a small picture: on two lines at most."""
    lines = textwrap.wrap(name, PAIR_WIDTH)
    return plain("\n".join(lines[:2]) + ("…" if len(lines) > 2 else ""))


def outline(mean: FloatArray, matrix: FloatArray, radius: float) -> tuple[FloatArray, FloatArray]:
    """The ellipse |x - mu| = radius in a covariance's own standard deviations: x and y, each (P,)."""
    lengths, axes = np.linalg.eigh(matrix)
    angles = np.linspace(0.0, 2.0 * np.pi, 181)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    points = mean[:, None] + radius * (axes * np.sqrt(np.maximum(lengths, 0.0))) @ circle
    return points[0], points[1]


def draw_projection(
    portrait: Portrait, coverage: Sequence[float] = COVERAGE, ax: "Axes | None" = None
) -> "Axes":
    """Along the two directions that tell components apart best."""
    if len(portrait.feature_names) < 2:
        raise SettingsError("a projection needs at least two features; density draws one")
    ax = draw_ellipses(portrait.discriminating(), (0, 1), coverage, ax)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_label_text(textwrap.fill(axis.get_label_text(), LABEL_WIDTH), fontsize="small")
    return ax


def draw_pairs(portrait: Portrait, features: Sequence[str | int] | None = None, axes: Any = None) -> Any:
    """Each pair of features, densities on the diagonal: an array (M, M) of Axes."""
    places = (
        list(range(min(MOST_PAIRED, len(portrait.feature_names))))
        if features is None
        else [portrait.feature(f) for f in features]
    )
    m = len(places)
    if axes is None:
        from matplotlib.figure import Figure

        axes = Figure(figsize=(2.4 * m, 2.4 * m), layout="constrained").subplots(m, m, squeeze=False)
    axes = np.asarray(axes, dtype=object).reshape(m, m)
    for row, j in enumerate(places):
        for column, i in enumerate(places):
            ax = axes[row, column]
            if i == j:
                draw_density(portrait, i, ax)
                ax.get_legend().remove()
            else:
                draw_ellipses(portrait, (i, j), ax=ax, legend=False)
            ax.set_title("", loc="right")
            ax.set_xlabel(wrapped(portrait.feature_names[i]) if row == m - 1 else "")
            ax.set_ylabel(wrapped(portrait.feature_names[j]) if column == 0 else "")
            ax.label_outer()
    left = len(portrait.feature_names) - m
    said = f"{m} of {len(portrait.feature_names)} features" if features is None and left else ""
    note(axes[-1, -1], "; ".join(part for part in (said, portrait.sampling) if part))
    return axes
