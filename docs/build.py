"""Make the generated parts of the documentation: the worked example, the pictures, tables and quoted source.

``python docs/build.py`` writes them; ``python docs/build.py --check`` only compares, for the tests.
"""

import io
import os
import re
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

from gaussmix.data.files.tables import read_table
from gaussmix.data.memory import MemoryRows
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings
from gaussmix.model.covariances import FAMILIES, ONE_DIMENSION, covariance_family
from gaussmix.model.mixture import Mixture
from gaussmix.model.parts import parts_of
from gaussmix.report.summary import summarise
from gaussmix.report.terminal import fit_report
from gaussmix.report.worked_example import HEIGHTS, tell_worked_example
from gaussmix.report.worked_example_terminal import verdict

ROOT = Path(__file__).parent.parent
# The E-step table as the worked example prints it: densities under both groups, responsibilities.
PRINTED_ROWS = (
    (0.3798, 0.0230, 0.9439, 0.0561),
    (0.3989, 0.0892, 0.8170, 0.1830),
    (0.3977, 0.1984, 0.6794, 0.3206),
    (0.2973, 0.2921, 0.5055, 0.4945),
    (0.3660, 0.1552, 0.7028, 0.2972),
    (0.3797, 0.1634, 0.6982, 0.3018),
    (0.1443, 0.2682, 0.3500, 0.6500),
    (0.3183, 0.2340, 0.5761, 0.4239),
    (0.3797, 0.1634, 0.6982, 0.3018),
    (0.2987, 0.2525, 0.5421, 0.4579),
)
# "After a few iterations, the final results might look like": mean, variance, weight of each group.
PRINTED_RESULT = ((5.56, 0.09, 0.49), (6.02, 0.11, 0.51))
WIDTH = 126
# The fourteen models as the table lists them: Sigma_k, and how many parameters that is.
MODELS = {
    "EII": ("lambda I", "1"),
    "VII": ("lambda_k I", "K"),
    "EEI": ("lambda A", "D"),
    "VEI": ("lambda_k A", "K + D - 1"),
    "EVI": ("lambda A_k", "1 + K*(D - 1)"),
    "VVI": ("lambda_k A_k", "K*D"),
    "EEE": ("lambda D A D^T", "D*(D + 1)/2"),
    "VEE": ("lambda_k D A D^T", "K - 1 + D*(D + 1)/2"),
    "EVE": ("lambda D A_k D^T", "1 + K*(D - 1) + D*(D - 1)/2"),
    "VVE": ("lambda_k D A_k D^T", "K*D + D*(D - 1)/2"),
    "EEV": ("lambda D_k A D_k^T", "D + K*D*(D - 1)/2"),
    "VEV": ("lambda_k D_k A D_k^T", "K + D - 1 + K*D*(D - 1)/2"),
    "EVV": ("lambda D_k A_k D_k^T", "1 - K + K*D*(D + 1)/2"),
    "VVV": ("lambda_k D_k A_k D_k^T", "K*D*(D + 1)/2"),
}
# Whose M-step is a formula to be iterated; tests/docs/test_models_page.py looks whether it is so.
ITERATED = ("VEI", "VEE", "EVE", "VVE", "VEV")
# Standard deviations along two axes, and the first axis in degrees, of what the picture's families are
# asked to come near; where its ellipses stand in a panel; and their colours (Okabe and Ito).
DRAWN = ((1.6, 0.4, 27.0), (1.15, 0.4, 5.0), (0.55, 0.36, 106.0))
PLACES = ((54, 84), (131, 101), (133, 44))
COLOURS = ("#0072b2", "#d55e00", "#009e73")
UNIT, PANEL, GAP, LEFT, TOP = 28.0, (178, 136), 8, 124, 44


def comparison(printed, exact, digits):
    """A printed figure, the exact one, and whether the printed one is off by more than its last digit."""
    off = abs(printed - exact) > 0.5000001 * 10.0**-digits
    return f"{printed:.{digits}f} | {exact:.{digits}f}{' **off**' if off else ''}"


def worked_example_page():
    """docs/worked-example.md."""
    told = tell_worked_example(1)
    step = told.explanation.steps[0]
    lines = [
        "# The worked example, exactly",
        "",
        "<!-- made by docs/build.py; change that -->",
        "",
        "This project began with a worked example of EM: ten heights "
        f"({', '.join(f'{h:g}' for h in HEIGHTS)}), two groups, start at means 5.5 and 6.0, variances 0.1 and",
        "weights 0.5. Its printed figures are rough (it says so itself). Here each stands beside the exact one; "
        "`gaussmix explain` and `gaussmix demo` print the exact ones with the formulas.",
        "",
        "## The E-step, figure by figure",
        "",
        "| x | N(x; mu_1) printed | exact | N(x; mu_2) printed | exact | r_1 printed | exact | r_2 printed | exact |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    n_off = 0
    for row, printed in zip(step.rows, PRINTED_ROWS, strict=True):
        cells = [
            comparison(p, e, 4) for p, e in zip(printed, (*row.densities, *row.responsibilities), strict=True)
        ]
        n_off += sum("off" in cell for cell in cells)
        lines.append(f"| {row.x[0]:g} | " + " | ".join(cells) + " |")
    peak = 1.0 / np.sqrt(2.0 * np.pi)
    third_row = PRINTED_ROWS[2]
    lines += [
        "",
        f"{n_off} of 40 figures are off. {peak:.4f} at 5.5 is the peak of a Gaussian with variance 1; with variance 0.1 "
        f"it is {peak / np.sqrt(0.1):.4f}, so there the variance was left out of the normalising constant.",
        "But group 2 has the same peak at 6.0 and is printed with 0.2525: no single slip gives all of them. Nor are the "
        f"printed responsibilities the printed densities over their sum: at 5.8 that is {third_row[0] / sum(third_row[:2]):.4f}, "
        f"and {third_row[2]:.4f} is printed.",
        "",
        "## The M-step",
        "",
        "| quantity | group 1 | group 2 |",
        "|---|---|---|",
    ]
    following = step.next
    variances = following.covariances[:, 0, 0]
    for name, values, digits in (
        ("N_k = sum of responsibilities", step.statistics.counts, 4),
        ("mean", following.means[:, 0], 5),
        ("variance", variances, 5),
        ("weight", following.weights, 4),
    ):
        lines.append(f"| {name} | {values[0]:.{digits}f} | {values[1]:.{digits}f} |")
    lines += [
        "",
        f"The log-likelihood goes from {step.log_likelihood:.6f} to {step.next_log_likelihood:.6f}.",
        "",
        '## "After a few iterations"',
        "",
        'The example ends with figures that results "might look like". No iteration of EM can look like that: after '
        f"every M-step the mixture's own variance is that of the ten rows, {np.var(HEIGHTS):.4f}; the printed mixture's "
        f"is {_printed_variance():.4f}.",
        "",
        "| | printed | after 3 iterations | where EM goes without a prior | with the default prior |",
        "|---|---|---|---|---|",
    ]
    third = next(t for t in told.collapse.trace if t.iteration == 3).mixture
    plateau = next(t for t in told.path if t.iteration == 500).mixture
    answer = told.answer
    for k in range(2):
        for i, name in enumerate(("mean", "variance", "weight")):

            def of(mixture, k=k, i=i):
                return (mixture.means[k, 0], mixture.covariances[k, 0, 0], mixture.weights[k])[i]

            final = (answer.means[k][0], answer.covariances[k][0][0], answer.weights[k])[i]
            lines.append(
                f"| group {k + 1} {name} | {PRINTED_RESULT[k][i]:.2f} | {of(third):.4f} | "
                f"{of(plateau):.4f} at iteration 500, then collapse | {final:.4f} |"
            )
    lines += ["", "## What to make of these rows", ""]
    lines += [f"{i}. {line}" for i, line in enumerate(verdict(told), start=1)]
    lines += [
        "",
        f"Without a prior: {told.collapse.outcome} The plateau before it is so flat that a test on the size of one "
        "step calls it converged, at a place that depends on the tolerance; [ADR 2](adr/0002-stopping.md) has the figures.",
        "",
    ]
    return "\n".join(lines)


def _printed_variance():
    weights = np.array([w for _, _, w in PRINTED_RESULT])
    means = np.array([m for m, _, _ in PRINTED_RESULT])
    middle = weights @ means
    return float(weights @ ([v for _, v, _ in PRINTED_RESULT] + (means - middle) ** 2))


def terminal_picture():
    """docs/images/fit.svg: the terminal after ``gaussmix fit``."""
    table = read_table(str(ROOT / "tests/data/faithful.csv"))
    rows = MemoryRows(table.matrix, None, table.feature_names)
    settings = FitSettings(2)
    summary = summarise(search(rows, settings), rows, settings)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ gaussmix fit faithful.csv -k 2", style="bold"))
    console.print(fit_report(summary))
    svg = console.export_svg(title="gaussmix", unique_id="gaussmix")
    # Without the web fonts: a picture must not fetch anything.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def covariances_of(name, matrices):
    """The covariances of one family that are likeliest for given matrices (K, D, D), as a mixture's."""
    family = covariance_family(name)
    n_components, n_features, _ = matrices.shape
    weights, means = np.full(n_components, 1.0 / n_components), np.zeros((n_components, n_features))
    return Mixture(weights, means, family.from_matrices(matrices), family)


def models_picture():
    """docs/images/models.svg: three components under each of the fourteen models."""
    wide, high = PANEL
    columns = [(f"{a} volume,", f"{b} shape") for b in ("one", "own") for a in ("one", "own")]
    rows = (("spheres",), ("axes along", "the features"), ("one", "orientation"), ("own", "orientations"))
    places = {name: (i % 4, 1 + i // 4) for i, name in enumerate(list(MODELS)[2:])}
    places |= {"EII": (0, 0), "VII": (1, 0)}
    width, height = LEFT + 4 * (wide + GAP) + 4, TOP + 4 * (high + GAP) + 4
    about = "Ellipses of three components under each of the fourteen covariance models"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{about}">',
        f"<title>{about}</title>",
        "<!-- made by docs/build.py; change that -->",
        "<style>text { font-family: Helvetica, Arial, sans-serif; font-size: 13px; fill: #444444 }"
        " .name { font-size: 15px; font-weight: bold; fill: #222222 }</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#f3f3ef"/>',
    ]
    for i, words in enumerate(columns):
        x = LEFT + i * (wide + GAP) + wide // 2
        lines.append(f'<text x="{x}" y="27" text-anchor="middle">{" ".join(words)}</text>')
    for j, words in enumerate(rows):
        y = TOP + j * (high + GAP) + high // 2 + 5 - 8 * (len(words) - 1)
        lines += [f'<text x="12" y="{y + 17 * i}">{word}</text>' for i, word in enumerate(words)]
    legend = (
        "Ellipses at one standard deviation,",
        "with their axes. Each model comes as near",
        "as it can to the three under VVV.",
    )
    x, y = LEFT + 2 * (wide + GAP) + 12, TOP + high // 2 - 12
    lines += [f'<text x="{x}" y="{y + 19 * i}">{words}</text>' for i, words in enumerate(legend)]
    for name, (column, row) in places.items():
        lines += _panel(name, LEFT + column * (wide + GAP), TOP + row * (high + GAP))
    return "\n".join([*lines, "</svg>", ""])


def _panel(name, x, y):
    parts = parts_of(covariances_of(name, np.stack([_matrix(*drawn) for drawn in DRAWN])))
    deviations = UNIT * np.sqrt(parts.volumes[:, None] * parts.shapes)
    first = parts.orientations[:, :, 0]
    angles = np.degrees(np.arctan2(first[:, 1], first[:, 0]))
    yield f'<g transform="translate({x} {y})">'
    yield f'<rect width="{PANEL[0]}" height="{PANEL[1]}" rx="4" fill="#ffffff" stroke="#cfcfc8"/>'
    yield f'<text class="name" x="9" y="21">{name}</text>'
    for (a, b), angle, (cx, cy), colour in zip(deviations, angles, PLACES, COLOURS, strict=True):
        # The y axis of a picture points down. Adding 0.0 makes -0.0 a 0.
        yield f'<g transform="translate({cx} {cy}) rotate({round(-angle, 2) + 0.0:.2f})" stroke="{colour}">'
        yield f'<ellipse rx="{a:.2f}" ry="{b:.2f}" fill="{colour}" fill-opacity="0.16" stroke-width="2"/>'
        if not name.endswith("II"):
            yield f'<path d="M{-a:.2f} 0H{a:.2f}M0 {-b:.2f}V{b:.2f}" stroke-opacity="0.6"/>'
        yield "</g>"
    yield "</g>"


def _matrix(along, across, degrees):
    """A covariance (2, 2) from standard deviations and the direction of the first."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    axes = np.array([[cosine, -sine], [sine, cosine]])
    return axes * [along**2, across**2] @ axes.T


def models_table():
    """The table of docs/models.md."""
    if {family.mclust_name for family in FAMILIES} != set(MODELS):
        raise ValueError("MODELS must have the models of the registry")
    others = {f.mclust_name: f"`{f.name}`" for f in FAMILIES if f.name.islower()}
    for letter, full in ONE_DIMENSION.items():
        others[full] = ", ".join([*([others[full]] if full in others else []), f"`{letter}` if D = 1"])
    lines = [
        "| name | Sigma_k | in words | covariance parameters | K = 3, D = 4 | M-step | does not depend on | also called |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, (sigma, count) in MODELS.items():
        family = covariance_family(name)
        for k, d in ((1, 1), (3, 4), (2, 7), (5, 2)):
            if family.n_covariance_parameters(k, d) != eval(count, {"K": k, "D": d}):
                raise ValueError(f"{name}: {count} is not the number of its parameters")
        step = "iterated" if name in ITERATED else "closed"
        lines.append(
            f"| **{name}** | `{sigma}` | {family.words} | {count.replace('*', '·')} | "
            f"{family.n_covariance_parameters(3, 4)} | {step} | {unchanged_by(name)} | {others.get(name, '')} |"
        )
    return lines


def unchanged_by(name):
    """Which maps of the rows lead from covariances of a family to others of the same family."""
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(3, 3, 3))
    members = covariances_of(name, roots @ roots.transpose(0, 2, 1) + np.diag([0.2, 1.0, 4.0])).matrices
    maps = {
        "any affine map": rng.normal(size=(3, 3)),
        "units of columns": np.diag([0.1, 1.0, 20.0]),
        "rotation": np.linalg.qr(rng.normal(size=(3, 3)))[0],
    }
    for words, b in maps.items():
        mapped = b @ members @ b.T
        if np.abs(covariances_of(name, mapped).matrices - mapped).max() < 1e-4 * np.abs(mapped).max():
            return words
    raise ValueError(f"{name} is not unchanged by rotation, nor by units")


def filled(name, parts):
    """A page of which some parts are generated, with these parts (lines) in their places."""
    page = (ROOT / name).read_text(encoding="utf-8")
    for part, lines in parts.items():
        begin, end = f"<!-- {part}: put here by docs/build.py -->\n", f"<!-- end of {part} -->\n"
        before, marked, after = page.partition(begin)
        _, ended, after = after.partition(end)
        if not (marked and ended):
            raise ValueError(f"{name} has no place for {part}")
        page = "".join([before, begin, *(f"{line}\n" for line in lines), end, after])
    return page


def models_page():
    """docs/models.md."""
    return filled("docs/models.md", {"table": models_table()})


def contributing_page():
    """CONTRIBUTING.md, with the source of one covariance model and the line that registers it."""
    home = ROOT / "src/gaussmix/model/covariances"
    source = (home / "evi.py").read_text(encoding="utf-8").splitlines()
    registry = (home / "registry.py").read_text(encoding="utf-8").splitlines()
    named = [line for line in registry if "EVI()" in line]
    return filled(
        "CONTRIBUTING.md",
        {"evi.py": ["```python", *source, "```"], "registry.py": ["```text", *named, "```"]},
    )


PAGES = {
    "docs/worked-example.md": worked_example_page,
    "docs/images/fit.svg": terminal_picture,
    "docs/images/models.svg": models_picture,
    "docs/models.md": models_page,
    "CONTRIBUTING.md": contributing_page,
}


def draw_gallery():
    """docs/images/gallery-*.png, by the code of docs/gallery.md itself; tests run that code, too."""
    namespace = {}
    for code in re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/gallery.md").read_text(), re.M | re.S):
        exec(compile(code, "docs/gallery.md", "exec"), namespace)


def main():
    """Write or compare."""
    stale = []
    if "--check" not in sys.argv:
        os.chdir(ROOT)
        draw_gallery()
    for name, make in PAGES.items():
        path, content = ROOT / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            stale.append(name)
            if "--check" not in sys.argv:
                path.parent.mkdir(exist_ok=True)
                path.write_text(content, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(f"out of date: {', '.join(stale)}; run make docs")


if __name__ == "__main__":
    main()
