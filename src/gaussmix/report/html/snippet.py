"""A fitted model in a notebook: the verdict, a table, and a tiny picture, without script or style sheet."""

from html import escape

import numpy as np

from gaussmix.report.cards import cards_of
from gaussmix.report.plots.curves import normal_density
from gaussmix.report.portrait import ellipse_radius
from gaussmix.report.summary import FitSummary
from gaussmix.report.verdict import verdict
from gaussmix.report.words import clean, percent

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0568a", "#b87d00", "#2b8cbe", "#555555")
WIDTH, HEIGHT = 240.0, 150.0
MOST_COLUMNS, COVERAGE = 4, 0.95


def snippet(summary: FitSummary) -> str:
    """HTML that stands alone in a cell's output."""
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in verdict(summary))
    shown = summary.feature_names[:MOST_COLUMNS]
    heads = "".join(f"<th>{escape(clean(name))} (mean ± sd)</th>" for name in shown)
    left = summary.n_features - len(shown)
    more = f"<p>and {left} more features</p>" if left else ""
    rows = "".join(
        f'<tr><th style="color: {_colour(card.number - 1)}">{card.number}</th>'
        f"<td>{escape(percent(card.share))}</td>"
        + "".join(f"<td>{escape(value)}</td>" for _, value in card.values[:MOST_COLUMNS])
        + "</tr>"
        for card in cards_of(summary)
    )
    return (
        f'<div><ul style="margin: 0">{sentences}</ul>'
        '<div style="display: flex; flex-wrap: wrap; gap: 1.5em; align-items: center">'
        f"<table><thead><tr><th>component</th><th>share</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        f"{_picture(summary)}</div>{more}</div>"
    )


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def _picture(summary: FitSummary) -> str:
    drawn = _curves(summary) if summary.n_features == 1 else _ellipses(summary)
    names = " and ".join(clean(name) for name in summary.feature_names[:2])
    return (
        f'<svg role="img" aria-label="components along {escape(names, quote=True)}" '
        f'width="{WIDTH:g}" height="{HEIGHT:g}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}">{drawn}</svg>'
    )


def _curves(summary: FitSummary) -> str:
    means, deviations = np.array(summary.means)[:, 0], np.array(summary.standard_deviations)[:, 0]
    low, high = (means - 3.0 * deviations).min(), (means + 3.0 * deviations).max()
    grid = np.unique(
        np.concatenate(
            [
                np.linspace(low, high, 60),
                (means[:, None] + deviations[:, None] * np.linspace(-3, 3, 25)).ravel(),
            ]
        )
    )
    densities = normal_density(grid, means[:, None], deviations[:, None])
    curves = np.array(summary.weights)[:, None] * densities
    highest = curves.max()
    x = 4.0 + (WIDTH - 8.0) * (grid - low) / (high - low)
    return "".join(
        _path(x, HEIGHT - 4.0 - (HEIGHT - 12.0) * curve / highest, _colour(k))
        for k, curve in enumerate(curves)
    )


def _ellipses(summary: FitSummary) -> str:
    """Of the first two features."""
    means = np.array(summary.means)[:, :2]
    deviations = np.array(summary.standard_deviations)[:, :2]
    radius, angles = ellipse_radius(COVERAGE), np.linspace(0.0, 2.0 * np.pi, 49)
    outlines = []
    for k, (mean, deviation) in enumerate(zip(means, deviations, strict=True)):
        correlations = summary.correlations
        r = correlations[k if len(correlations) > 1 else 0][0][1] if correlations else 0.0
        u, v = radius * np.cos(angles), radius * np.sin(angles)
        outlines.append(mean + deviation * np.stack([u, r * u + np.sqrt(max(1.0 - r * r, 0.0)) * v], axis=1))
    points = np.concatenate(outlines)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = np.where(high > low, high - low, 1.0)
    place = [4.0 + (np.array([WIDTH, HEIGHT]) - 8.0) * (outline - low) / scale for outline in outlines]
    return "".join(_path(p[:, 0], HEIGHT - p[:, 1], _colour(k)) for k, p in enumerate(place))


def _path(x: np.ndarray, y: np.ndarray, colour: str) -> str:
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
