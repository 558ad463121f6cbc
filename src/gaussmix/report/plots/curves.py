"""Pictures with one feature or none: densities, the climb, and criteria against K."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.report.plots.style import axes_or_new, colour, legend, line, marker, note, plain, whole_numbers
from gaussmix.report.portrait import Portrait

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Points of a curve, and standard deviations about each mean that it is drawn through as finely.
POINTS, NEAR = 400, 4.0
# A rug of more rows is a carpet.
MOST_RUG = 500


def draw_density(portrait: Portrait, feature: str | int = 0, ax: "Axes | None" = None) -> "Axes":
    """Weighted component curves and their sum over a histogram of the drawn rows, and a rug."""
    ax, j = axes_or_new(ax), portrait.feature(feature)
    values, weights = portrait.rows[:, j], portrait.row_weights
    means, deviations = portrait.means[:, j], np.sqrt(portrait.matrices[:, j, j])
    edges = np.histogram_bin_edges(values, bins="auto" if np.ptp(values) > 0.0 else 1)
    if len(edges) > POINTS:
        edges = np.linspace(edges[0], edges[-1], POINTS)
    ax.hist(
        values,
        bins=edges.tolist(),
        weights=weights,
        density=True,
        color="0.88",
        edgecolor="0.75",
        linewidth=0.5,
    )
    grid = curve_grid(values, means, deviations)
    curves = portrait.weights[:, None] * normal_density(grid, means[:, None], deviations[:, None])
    for k, curve in enumerate(curves):
        ax.plot(grid, curve, color=colour(k), linestyle=line(k), label=f"component {k + 1}")
    if portrait.n_components > 1:
        ax.plot(grid, curves.sum(axis=0), color="0.25", linewidth=1.0, label="all components")
    if len(values) <= MOST_RUG:
        ax.plot(
            values, np.zeros_like(values), "|", color="0.2", markersize=9, clip_on=False, label="_rows"
        )  # fmt: skip
    ax.set_xlabel(plain(portrait.feature_names[j]))
    ax.set_ylabel("density")
    ax.set_ylim(bottom=0.0)
    legend(ax, portrait.n_components)
    remark = f"noise, {portrait.noise_weight:.1%} of rows, is not drawn" if portrait.noise_weight else ""
    note(ax, "; ".join(part for part in (portrait.sampling, remark) if part))
    return ax


def curve_grid(values: FloatArray, means: FloatArray, deviations: FloatArray) -> FloatArray:
    """Where curves are drawn: over the data, and finely about each mean however narrow: (P,), rising."""
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (high - low) if high > low else float(3.0 * deviations.max())
    grids = [np.linspace(low - margin, high + margin, POINTS)]
    grids += [m + s * np.linspace(-NEAR, NEAR, 81) for m, s in zip(means, deviations, strict=True)]
    grid = np.unique(np.concatenate(grids))
    return grid[(grid >= low - margin) & (grid <= high + margin)]


def normal_density(x: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """N(x; mean, deviation^2), by broadcasting."""
    found: FloatArray = np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (np.sqrt(2.0 * np.pi) * deviation)
    return found


def draw_history(log_likelihoods: Sequence[float], ax: "Axes | None" = None) -> "Axes":
    """The mean log-likelihood after each iteration, in nats a row."""
    ax = axes_or_new(ax)
    iterations = np.arange(len(log_likelihoods))
    ax.plot(iterations, log_likelihoods, color=colour(0), marker="o" if len(iterations) <= 40 else None, ms=3)
    ax.set_xlabel("iteration")
    ax.set_ylabel("log-likelihood, nats a row")
    if len(iterations) > 1:
        ax.axhline(log_likelihoods[-1], color="0.7", linewidth=0.8, zorder=0)
    whole_numbers(ax)
    return ax


def draw_criterion(
    table: Iterable[Mapping[str, Any]], criterion: str = "bic", ax: "Axes | None" = None
) -> "Axes":
    """A criterion against the number of components, a line for each covariance model; the best is ringed."""
    ax, entries = axes_or_new(ax), list(table)
    models: dict[str, list[tuple[int, float]]] = {}
    for entry in entries:
        if entry.get(criterion) is not None and np.isfinite(entry[criterion]):
            models.setdefault(str(entry["covariance"]), []).append(
                (int(entry["n_components"]), float(entry[criterion]))
            )
    if not models:
        raise ValueError(f"no fit in the table has a finite {criterion!r}")
    for i, (name, points) in enumerate(models.items()):
        counts, values = zip(*sorted(points), strict=True)
        ax.plot(
            counts, values, color=colour(i), marker=marker(i), linestyle=line(i), ms=5, label=plain(name)
        )  # fmt: skip
    higher = criterion.endswith("_mclust") or "likelihood" in criterion
    best = (max if higher else min)((p for points in models.values() for p in points), key=lambda p: p[1])
    ax.plot(*best, "o", ms=14, mfc="none", mec="0.2", label="best")
    ax.set_xlabel("number of components")
    short, _, owner = criterion.partition("_")
    name = f"{short.upper() if len(short) == 3 else short} {owner}".strip()
    ax.set_ylabel(f"{name} ({'higher' if higher else 'lower'} is better)")
    whole_numbers(ax)
    ax.legend(frameon=False)
    return ax
