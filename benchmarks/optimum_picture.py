"""The picture of ``benchmarks.optimum``: seconds against shortfall, one point a run, SVG.

Drawn by hand as the others of docs/build.py are, so that it needs no library and is the same bytes for the
same figures.
"""

import math
import statistics

from benchmarks.optimum_tables import NEAR, shortfall

# Okabe and Ito's colours, told apart by shape too.
LOOKS = {
    "ours": ("#0072b2", "circle"),
    "ours-1": ("#56b4e9", "diamond"),
    "sklearn": ("#d55e00", "square"),
    "sklearn-tight": ("#cc79a7", "triangle"),
    "mclust": ("#009e73", "star"),
}
WORDS = {
    "ours": "gaussmix",
    "ours-1": "gaussmix, one start",
    "sklearn": "scikit-learn",
    "sklearn-tight": "scikit-learn, ten starts, tight",
    "mclust": "mclust",
}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 500, 92, 20, 62, 62
FLOOR = 1e-6
ABOUT = "Seconds a fit takes, and how far it ends below the best optimum known"


CORNERS = {
    "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "triangle": ((0, -1.2), (1.2, 1), (-1.2, 1)),
    "star": ((0, -1.5), (0.4, -0.4), (1.5, 0), (0.4, 0.4), (0, 1.5), (-0.4, 0.4), (-1.5, 0), (-0.4, -0.4)),
}


def marker(look, x, y, size, opacity):
    """One point."""
    colour, shape = look
    fill = f'fill="{colour}" fill-opacity="{opacity}"'
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" {fill}/>'
    points = " ".join(f"{x + a * size:.1f},{y + b * size:.1f}" for a, b in CORNERS[shape])
    return f'<polygon points="{points}" {fill}/>'


class Axes:
    """Logarithmic axes around the points."""

    def __init__(self, points):
        seconds, shorts = zip(*points, strict=True)
        self.x = (math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)) + 1e-9))
        self.y = (math.log10(FLOOR), max(0.0, math.ceil(math.log10(max(shorts)))))

    def place(self, seconds, short):
        """Where a point stands."""
        across = (math.log10(seconds) - self.x[0]) / (self.x[1] - self.x[0])
        up = (math.log10(short) - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def lines(self):
        """Grid, figures and words."""
        for power in range(self.x[0], self.x[1] + 1):
            x, bottom = self.place(10.0**power, FLOOR)
            yield f'<path class="grid" d="M{x:.1f} {bottom:.1f}V{TOP}"/>'
            yield f'<text x="{x:.1f}" y="{bottom + 20:.1f}" text-anchor="middle">{10.0**power:g}</text>'
        for power in range(int(self.y[0]), int(self.y[1]) + 1):
            left, y = self.place(10.0 ** self.x[0], 10.0**power)
            yield f'<path class="grid" d="M{left:.1f} {y:.1f}H{WIDTH - RIGHT}"/>'
            figure = f"{10.0**power:g}" if power > self.y[0] else f"≤ {FLOOR:g}"
            yield f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{figure}</text>'
        left, y = self.place(10.0 ** self.x[0], NEAR)
        yield f'<path d="M{left:.1f} {y:.1f}H{WIDTH - RIGHT}" stroke="#444444" stroke-dasharray="5 4"/>'
        yield f'<text x="{WIDTH - RIGHT - 4}" y="{y + 15:.1f}" text-anchor="end">below: landed</text>'
        middle = (LEFT + WIDTH - RIGHT) / 2
        yield f'<text x="{middle:.1f}" y="{HEIGHT - 16}" text-anchor="middle">seconds a fit</text>'
        turned = f"translate(20 {(TOP + HEIGHT - BOTTOM) / 2:.1f}) rotate(-90)"
        yield f'<text transform="{turned}" text-anchor="middle">nats a row below the best known</text>'


def picture(runs, best, competitors):
    """The SVG: faint points are runs, outlined ones medians of a competitor's sound runs."""
    points = {
        name: [(r.seconds, max(shortfall(r, best), FLOOR)) for r in runs if r.competitor == name and r.sound]
        for name in competitors
    }
    points = {name: found for name, found in points.items() if found}
    axes = Axes([point for found in points.values() for point in found])
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"',
        f' aria-label="{ABOUT}">',
        f"<title>{ABOUT}</title>",
        "<!-- made by benchmarks/optimum.py -->",
        "<style>text { font-family: Helvetica, Arial, sans-serif; font-size: 13px; fill: #444444 }"
        " .grid { stroke: #e4e4de } .median { stroke: #222222; stroke-width: 1.5 }</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>',
        *axes.lines(),
    ]
    for name, found in points.items():
        lines += [marker(LOOKS[name], *axes.place(*point), 3.2, 0.4) for point in found]
    for i, (name, found) in enumerate(points.items()):
        middle = [statistics.median(figures) for figures in zip(*found, strict=True)]
        lines.append(f'<g class="median">{marker(LOOKS[name], *axes.place(*middle), 7.5, 1)}</g>')
        x, y = LEFT + 12 + i % 3 * 240, 24 + i // 3 * 20
        lines += [marker(LOOKS[name], x, y - 4, 5, 1), f'<text x="{x + 13}" y="{y}">{WORDS[name]}</text>']
    return "\n".join([*lines, "</svg>", ""])
