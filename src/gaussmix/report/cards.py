"""What there is to say of each component: its size, its values in units, and what sets it apart."""

from dataclasses import dataclass

import numpy as np

from gaussmix.report.summary import FitSummary
from gaussmix.report.words import number, significant

# Features are named that set a component's mean apart by so many standard deviations; so many of them.
APART, MOST_NAMED = 1.0, 3


@dataclass(frozen=True)
class Card:
    """One component, in words and numbers."""

    number: int
    """Counted from 1."""
    share: float
    """Its weight."""
    rows: float | None
    """Row weight for which it is the likeliest; None where no rows were counted."""
    values: tuple[tuple[str, str], ...]
    """Feature and mean ± standard deviation, in the feature's units."""
    apart: str
    """What separates it from the others."""
    doubt: str
    """What speaks against it; empty for a sound one."""


def cards_of(summary: FitSummary) -> tuple[Card, ...]:
    """A card for each component."""
    assigned, cells = summary.facts.get("rows_assigned"), mean_cells(summary)
    doubts: dict[int, list[str]] = {}
    for doubt in summary.facts.get("doubts", []):
        doubts.setdefault(doubt["component"], []).append(doubt["sentence"])
    return tuple(
        Card(
            number=k + 1,
            share=summary.weights[k],
            rows=None if assigned is None else assigned[k],
            values=tuple(zip(summary.feature_names, cells[k], strict=True)),
            apart=_apart(summary, k),
            doubt=" ".join(doubts.get(k + 1, [])),
        )
        for k in range(summary.n_components)
    )


def mean_cells(summary: FitSummary) -> list[list[str]]:
    """Means ± standard deviations by component and feature, with as many decimals down a column: (K, D)."""
    by_feature = []
    for j in range(summary.n_features):
        means = significant([row[j] for row in summary.means])
        deviations = [number(row[j], 3) for row in summary.standard_deviations]
        by_feature.append([f"{m} ± {s}" for m, s in zip(means, deviations, strict=True)])
    return [[cells[k] for cells in by_feature] for k in range(summary.n_components)]


def _apart(summary: FitSummary, k: int) -> str:
    """Features along which the component's mean lies farthest from that of the others together.

    In standard deviations of a row of its own and one of the others: |mu_k - mu_rest| / sqrt((var_k +
    var_rest) / 2), with the others' variance about their own means.
    """
    if summary.n_components == 1:
        return "the only component"
    weights, means = np.array(summary.weights), np.array(summary.means)
    variances = np.array(summary.standard_deviations) ** 2
    others = np.arange(len(weights)) != k
    total = weights[others].sum()
    if total <= 0.0:
        return "no other component holds rows"
    shares = weights[others] / total
    rest, spread = shares @ means[others], shares @ variances[others]
    scale = np.sqrt(0.5 * (variances[k] + spread))
    gaps = (means[k] - rest) / np.where(scale > 0.0, scale, 1.0)
    ranked = np.argsort(-np.abs(gaps), kind="stable")
    named = [j for j in ranked if abs(gaps[j]) >= APART][:MOST_NAMED]
    if not named:
        other = "spread" if summary.n_features == 1 else "spread or correlation"
        return f"no mean sets it apart by a standard deviation: {other} does"
    return "; ".join(
        f"{summary.feature_names[j]} {'higher' if gaps[j] > 0 else 'lower'} by {abs(gaps[j]):.1f} sd"
        for j in named
    )
