"""A criterion against the number of components as a drawing inside a page: a line for each model."""

from html import escape

from gaussmix.report.selection_summary import SelectionSummary

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640.0, 260.0, 70.0, 96.0, 14.0, 40.0
TICKS = 4


def criterion_picture(summary: SelectionSummary) -> str:
    """Lines by model, that of the chosen one in colour; nothing where one number of components was tried."""
    name, models = summary.criterion, _lines(summary)
    counts = sorted({count for points in models.values() for count, _ in points})
    if len(counts) < 2:
        return ""
    lowest = min(value for points in models.values() for _, value in points)
    chosen = models[summary.best["covariance"]]
    # Models far above would press the others flat: the picture is as high as the chosen one's line.
    highest = max(max(value for _, value in chosen), lowest + 1.0)
    place = _Places(counts[0], counts[-1], lowest, highest)
    others = "".join(
        f'<polyline class="other" points="{place.points(points)}"/>'
        for model, points in models.items()
        if model != summary.best["covariance"]
    )
    end_x, end_y = place.at(*chosen[-1])
    best_x, best_y = place.at(summary.best["n_components"], summary.best[name])
    label = f"{name.upper()} by number of components, a line for each model"
    return (
        f'<svg class="criterion" role="img" aria-label="{escape(label, quote=True)}" '
        f'viewBox="0 0 {WIDTH:g} {HEIGHT:g}"><g class="axes">{_axes(place, counts, lowest, highest)}</g>'
        f'{others}<polyline class="curve c0" points="{place.points(chosen)}"/>'
        f'<circle class="c0" cx="{best_x:.1f}" cy="{best_y:.1f}" r="6"/>'
        f'<text x="{end_x + 8:.1f}" y="{end_y + 4:.1f}">{escape(summary.best["covariance"])}</text>'
        f'<text x="{(WIDTH - RIGHT + LEFT) / 2:.1f}" y="{HEIGHT - 6:.1f}" text-anchor="middle">'
        "number of components</text></svg>"
        '<p class="caption">Grey: the other models. Lines at the upper edge are higher still.</p>'
    )


def _lines(summary: SelectionSummary) -> dict[str, list[tuple[int, float]]]:
    models: dict[str, list[tuple[int, float]]] = {}
    for row in summary.table:
        if isinstance(row[summary.criterion], float):
            models.setdefault(row["covariance"], []).append((row["n_components"], row[summary.criterion]))
    return {model: sorted(points) for model, points in models.items()}


class _Places:
    """Where numbers of components and values lie in the drawing."""

    def __init__(self, first: int, last: int, lowest: float, highest: float) -> None:
        self.first, self.last, self.lowest, self.highest = first, last, lowest, highest

    def at(self, count: int, value: float) -> tuple[float, float]:
        """In the drawing's units; what is above the picture stands at its upper edge."""
        across = (count - self.first) / (self.last - self.first)
        up = min((value - self.lowest) / (self.highest - self.lowest), 1.0)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def points(self, line: list[tuple[int, float]]) -> str:
        """Of a polyline."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in line))


def _axes(place: _Places, counts: list[int], lowest: float, highest: float) -> str:
    parts: list[str] = []
    for count in counts:
        x, _ = place.at(count, lowest)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18:.1f}" text-anchor="middle">{count}</text>')
    for i in range(TICKS):
        value = lowest + i * (highest - lowest) / (TICKS - 1)
        _, y = place.at(counts[0], value)
        parts.append(f'<line x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">{value:.0f}</text>')
    return "".join(parts)
