"""Pictures of components that merge: the tree, and the entropy with its elbow."""

from typing import TYPE_CHECKING, Any

import numpy as np

from gaussmix.learning.clusters.elbow import Elbow
from gaussmix.learning.clusters.merging import Mergers
from gaussmix.report.plots.style import axes_or_new, colour, note
from gaussmix.report.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More points than this are not given their numbers.
MOST_NUMBERED = 30
# More components than this stand too close for their shares.
MOST_SHARES = 10
ABOVE = "0.55"


def draw_mergers(mergers: Mergers, axes: Any = None) -> Any:
    """The tree and the entropy side by side: an array of two Axes."""
    if axes is None:
        from matplotlib.figure import Figure

        axes = Figure(figsize=(10.4, 4.4), layout="constrained").subplots(1, 2)
    draw_tree(mergers, axes[0])
    draw_entropy(mergers, axes[1])
    return axes


def draw_tree(mergers: Mergers, ax: "Axes | None" = None) -> "Axes":
    """Which clusters merge, at the entropy that is gone by then; each in its first component's colour."""
    ax = axes_or_new(ax)
    groups = mergers.clusters()
    heights: dict[tuple[int, ...], float] = {(k,): 0.0 for k in range(mergers.n_components)}
    places: dict[tuple[int, ...], float] = {(k,): float(i) for i, k in enumerate(_leaves(mergers))}
    owner = {k: group for group in groups for k in group}
    gone = 0.0
    for step in mergers.steps:
        gone += step.gain
        joint = tuple(sorted(step.first + step.second))
        left, right = places[step.first], places[step.second]
        places[joint], heights[joint] = 0.5 * (left + right), gone
        inside = len({owner[k] for k in joint}) == 1
        ax.plot(
            [left, left, right, right],
            [heights[step.first], gone, gone, heights[step.second]],
            color=colour(owner[joint[0]][0]) if inside else ABOVE,
            linewidth=2.2 if inside else 1.2,
            label="_merger",
        )
    for k in range(mergers.n_components):
        ax.plot(
            places[(k,)],
            0.0,
            "o",
            color=colour(owner[k][0]),
            ms=6,
            clip_on=False,
            label="_component",
            zorder=3,
        )
    ax.set_xticks(
        [places[(k,)] for k in range(mergers.n_components)],
        [
            f"{k + 1}\n{percent(float(w))}" if mergers.n_components <= MOST_SHARES else f"{k + 1}"
            for k, w in enumerate(mergers.mixture.weights)
        ],
        fontsize="medium" if mergers.n_components <= MOST_NUMBERED else "xx-small",
    )
    ax.set_xlim(-0.6, mergers.n_components - 0.4)
    ax.set_ylim(0.0, 1.06 * gone if gone > 0.0 else 1.0)
    ax.set_xlabel("component and its share" if mergers.n_components <= MOST_SHARES else "component")
    ax.set_ylabel("entropy taken away by mergers, nats")
    if len(groups) < mergers.n_components:
        tops = [heights[group] for group in groups]
        above = [h for joint, h in heights.items() if len({owner[k] for k in joint}) > 1]
        cut = 0.5 * (max(tops) + (min(above) if above else 1.06 * gone))
        ax.axhline(cut, color="0.4", linewidth=0.9, linestyle=":", label="_cut")
    noise = mergers.mixture.noise
    said = "1 cluster" if len(groups) == 1 else f"{len(groups)} clusters"
    note(ax, said if noise is None else f"{said}; noise, {percent(noise.weight)}, is not merged")
    return ax


def draw_entropy(mergers: Mergers, ax: "Axes | None" = None) -> "Axes":
    """The entropy over the cumulated number of merged rows, each point with its number of clusters."""
    ax = axes_or_new(ax)
    x, y = mergers.merged_rows, mergers.entropies
    ax.plot(x, y, "o", color=colour(0), ms=5, label="clusters")
    if len(x) <= MOST_NUMBERED:
        for n, place in enumerate(zip(x, y, strict=True), start=1):
            ax.annotate(f"{n}", place, xytext=(5, 5), textcoords="offset points", fontsize="small")
    if mergers.elbow is not None:
        _lines(ax, mergers.elbow, x)
    n = mergers.n_clusters
    ax.plot(x[n - 1], y[n - 1], "o", ms=14, mfc="none", mec="0.2", label="_chosen")
    ax.set_xlabel("rows in all mergers so far")
    ax.set_ylabel("classification entropy, nats")
    ax.margins(0.08)
    ax.set_ylim(bottom=min(0.0, float(y.min())) - 0.03 * float(np.ptp(y)) if np.ptp(y) > 0.0 else -0.5)
    note(ax, _entropy_note(mergers))
    return ax


def _entropy_note(mergers: Mergers) -> str:
    if mergers.elbow is None:
        return "no elbow"
    found = mergers.elbow.n_clusters
    return (
        f"elbow at {found}"
        if found == mergers.n_clusters
        else f"elbow at {found}, {mergers.n_clusters} asked"
    )


def _lines(ax: "Axes", elbow: Elbow, x: Any) -> None:
    """Both lines of an elbow over the points that they are fitted to."""
    last = elbow.n_clusters
    for i, part in enumerate((x[:last], x[last - 1 :])):
        ends = np.array([part.min(), part.max()])
        # The elbow's positions rise with the number of clusters, and these fall.
        ax.plot(
            ends, elbow.intercepts[i] - elbow.slopes[i] * ends, color=colour(1), linestyle="--", label="_line"
        )


def _leaves(mergers: Mergers) -> list[int]:
    """Components in an order in which no branches cross: that of the last merger's two parts, and so on."""
    order: dict[tuple[int, ...], list[int]] = {(k,): [k] for k in range(mergers.n_components)}
    for step in mergers.steps:
        order[tuple(sorted(step.first + step.second))] = order[step.first] + order[step.second]
    return order[tuple(range(mergers.n_components))]
