"""An examination as sections of a page: how many components, how sure, what overlaps, what merges."""

from collections.abc import Iterable
from html import escape

from gaussmix.learning.clusters.merging import Mergers
from gaussmix.model.overlap import Overlap
from gaussmix.report.examination import Examination
from gaussmix.report.html.criterion_picture import criterion_picture
from gaussmix.report.html.selection import criterion_table, verdict_items
from gaussmix.report.uncertainty_cells import uncertainty_cells
from gaussmix.report.words import as_options, number, percent, sentence_safe

# Pairs that overlap by less than the first are not listed, nor more of them than the second.
LISTED_OVERLAP, MOST_PAIRS, MOST_ROWS = 0.001, 12, 60
HELD_OUT = "held out, nats a row"


def section(identity: str, heading: str, *parts: str) -> str:
    """A part of a page with a heading, whose name it has."""
    body = "\n".join(part for part in parts if part)
    opened = f'<section id="{identity}" aria-labelledby="{identity}-heading">'
    return f'{opened}\n<h2 id="{identity}-heading">{heading}</h2>\n{body}\n</section>'


def paragraph(text: str, kind: str = "") -> str:
    """Text, safe whatever it holds."""
    if not text:
        return ""
    named = f' class="{kind}"' if kind else ""
    return f'<p{named} dir="auto">{escape(sentence_safe(as_options(text)))}</p>'


def table(name: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table that scrolls by itself where it is wide; the first cell of a row is its heading."""
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{escape(cell)}</th>' if i == 0 else f'<td dir="auto">{escape(cell)}</td>'
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return _wide(f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>", name)


def _wide(markup: str, name: str) -> str:
    # What scrolls has to be reached by keys, and to have a name then.
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{escape(name, quote=True)}">{markup}</div>'
    )


def selection_section(found: Examination) -> str:
    """How many components, and which model; empty where nothing was selected."""
    summary = found.selection
    if summary is None:
        return ""
    fitted = [row for row in summary.table if row["held_out"] is not None]
    fitted.sort(key=lambda row: (row[summary.criterion] is None, row[summary.criterion] or 0.0))
    held_out = [
        (
            f"{row['n_components']} {row['covariance']}",
            f"{row['held_out']:.4f}",
            ""
            if row["held_out_error"] == 0.0
            else f"{row['held_out_ahead']:+.4f} ± {row['held_out_error']:.4f}",
            f"{row['icl']:.1f}",
        )
        for row in fitted
    ]
    heads = ("components, model", HELD_OUT, "beside the chosen", "ICL")
    return section(
        "selection",
        "How many components, and which model",
        f"<ul>{verdict_items(summary)}</ul>",
        criterion_picture(summary),
        _wide(criterion_table(summary), "Every model and number of components"),
        table("Rows that were held out", heads, held_out) if held_out else "",
    )


def certainty_section(found: Examination) -> str:
    """Standard errors of shares, means and standard deviations."""
    uncertainty = found.uncertainty
    if uncertainty is None:
        return section("certainty", "How sure the numbers are", paragraph(found.no_uncertainty, "doubt"))
    heads, rows = uncertainty_cells(uncertainty)
    left = len(rows) - MOST_ROWS
    return section(
        "certainty",
        "How sure the numbers are",
        table("Standard errors", heads, rows[:MOST_ROWS]),
        paragraph(f"and {left:,} more means" if left > 0 else "", "hint"),
        paragraph(uncertainty.sentence, "caption"),
    )


def description_section(found: Examination) -> str:
    """Whether the mixture describes the rows, which are none of its components, and which pairs overlap."""
    verdict = found.no_goodness if found.goodness is None else found.goodness.sentence
    doubtful = bool(found.no_goodness) or (found.goodness is not None and found.goodness.gaussian is False)
    return section(
        "description",
        "Whether it describes the rows",
        paragraph(verdict, "doubt" if doubtful else ""),
        paragraph(found.rows.sentence),
        paragraph(found.entropy.sentence),
        "" if found.overlap is None else _pairs(found.overlap),
    )


def _pairs(overlap: Overlap) -> str:
    if overlap.n_components == 1:
        return ""
    pairs = [pair for pair in overlap.table if pair["overlap"] > LISTED_OVERLAP]
    if not pairs:
        return paragraph("No two components overlap by more than 0.1%.")
    heads = ("components", "likelier under the other", "the other way", "Bhattacharyya", "symmetric KL")
    rows = [
        (
            f"{pair['components'][0] + 1} and {pair['components'][1] + 1}",
            percent(pair["first_as_second"]),
            percent(pair["second_as_first"]),
            number(pair["bhattacharyya_coefficient"], 3),
            number(pair["symmetric_kl"], 3),
        )
        for pair in pairs[:MOST_PAIRS]
    ]
    left = len(pairs) - MOST_PAIRS
    return table("Pairs that overlap", heads, rows) + paragraph(
        f"and {left:,} more pairs" if left > 0 else "", "hint"
    )


def merging_section(found: Examination) -> str:
    """Which components may be one group; empty where there are too few of them."""
    mergers = found.mergers
    if mergers is None:
        return ""
    heads = ("clusters", "entropy, nats", "made by merging", "rows in both")
    return section(
        "merging",
        "Which components may be one group",
        paragraph(mergers.sentence),
        table("Mergers, one by one", heads, _steps(mergers)),
    )


def _steps(mergers: Mergers) -> list[tuple[str, str, str, str]]:
    n_components = mergers.n_components
    rows = [(str(n_components), number(float(mergers.entropies[-1]), 4), "", "")]
    for i, step in enumerate(mergers.steps):
        merged = f"{_named(step.first)} with {_named(step.second)}"
        held = f"{step.rows:,.6g}"
        rows.append((str(n_components - 1 - i), number(step.entropy_after, 4), merged, held))
    return rows


def _named(group: tuple[int, ...]) -> str:
    return " + ".join(str(k + 1) for k in sorted(group))
