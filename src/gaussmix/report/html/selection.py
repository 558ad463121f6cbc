"""A selection as HTML: for a notebook's cell, and for a page."""

from html import escape

from gaussmix.report.selection_summary import SelectionSummary
from gaussmix.report.words import as_options, sentence_safe


def selection_snippet(summary: SelectionSummary) -> str:
    """The verdict and the table, without script or style sheet."""
    return f'<div><ul style="margin: 0">{verdict_items(summary)}</ul>{criterion_table(summary)}</div>'


def verdict_items(summary: SelectionSummary) -> str:
    """The verdict, a sentence to an item of a list."""
    sentences = (escape(sentence_safe(as_options(s))) for s in summary.choice.sentences)
    return "".join(f'<li dir="auto">{sentence}</li>' for sentence in sentences)


def criterion_table(summary: SelectionSummary) -> str:
    """The criterion by model and number of components; the chosen one bold, doubtful ones in brackets."""
    name = summary.criterion
    counts = sorted({row["n_components"] for row in summary.table})
    cells = {(row["covariance"], row["n_components"]): row for row in summary.table}
    heads = "".join(f'<th scope="col">{count}</th>' for count in counts)
    body = "".join(
        f'<tr><th scope="row">{escape(model)}</th>'
        + "".join(f"<td>{_value(cells.get((model, count)), summary)}</td>" for count in counts)
        + "</tr>"
        for model in dict.fromkeys(row["covariance"] for row in summary.table)
    )
    caption = f"{name.upper()} by number of components; lower is better. Bold: chosen. In brackets: doubtful."
    return (
        f"<table><caption>{caption}</caption>"
        f'<thead><tr><th scope="col">model</th>{heads}</tr></thead><tbody>{body}</tbody></table>'
    )


def _value(row: "dict[str, object] | None", summary: SelectionSummary) -> str:
    value = None if row is None else row[summary.criterion]
    if row is None or not isinstance(value, float):
        return "" if row is None else "–"
    if row is summary.best:
        return f"<strong>{value:.1f}</strong>"
    return f"{value:.1f}" if row["sound"] else f"({value:.1f})"
