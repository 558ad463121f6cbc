"""A selection on a terminal: the verdict, and a table of models by numbers of components."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gaussmix.report.selection_summary import SelectionSummary
from gaussmix.report.words import as_options, sentence_safe

# The best fits that have all their figures shown.
SHOWN = 6


def selection_report(summary: SelectionSummary) -> RenderableType:
    """The verdict, the criterion of every fit, and the best few with all that is known of them."""
    first, *rest = summary.choice.sentences
    verdict = Text(sentence_safe(as_options(first)), style="bold")
    for sentence in rest:
        verdict.append(f"\n{sentence_safe(as_options(sentence))}", style="not bold")
    key = f"{summary.criterion.upper()}, lower is better (* chosen, ? doubtful, - no fit):"
    return Group(verdict, Text(""), Text(key), criterion_table(summary), Text(""), best_table(summary))


def criterion_table(summary: SelectionSummary) -> Table:
    """The criterion by number of components and model; the chosen one marked."""
    models = list(dict.fromkeys(row["covariance"] for row in summary.table))
    counts = sorted({row["n_components"] for row in summary.table})
    cells = {(row["covariance"], row["n_components"]): row for row in summary.table}
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("components")
    for count in counts:
        table.add_column(str(count), justify="right")
    for model in models:
        table.add_row(model, *(_cell(cells.get((model, count)), summary) for count in counts))
    return table


def _cell(row: "dict[str, object] | None", summary: SelectionSummary) -> Text:
    if row is None:
        return Text("")
    value = row[summary.criterion]
    if not isinstance(value, float):
        return Text("-", style="dim")
    if row is summary.best:
        return Text(f"*{value:.1f}", style="bold green")
    return Text(f"{value:.1f}") if row["sound"] else Text(f"?{value:.1f}", style="dim")


def best_table(summary: SelectionSummary) -> Table:
    """The best few fits, with all that is known of them."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("components", "model"):
        table.add_column(heading)
    for heading in ("log-likelihood", "parameters", "BIC", "AIC", "AICc", "ICL"):
        table.add_column(heading, justify="right")
    if summary.n_folds:
        table.add_column(f"held out, nats a row ({summary.n_folds} folds)", justify="right")
    table.add_column("climbs at best", justify="right")
    fitted = [row for row in summary.table if row["log_likelihood"] is not None]
    fitted.sort(
        key=lambda row: (row is not summary.best, not row["sound"], _or_infinite(row[summary.criterion]))
    )
    for row in _shown(fitted, summary):
        figures = [
            f"{row[name]:.1f}" if row[name] is not None else "-" for name in ("bic", "aic", "aicc", "icl")
        ]
        cells = [str(row["n_components"]), row["covariance"], f"{row['log_likelihood']:.2f}"]
        cells += [str(row["n_parameters"]), *figures]
        if summary.n_folds:
            cells.append(_held_out(row))
        table.add_row(*cells, f"{row['n_reached']} of {row['n_climbs']}")
    return table


def _or_infinite(value: float | None) -> float:
    return float("inf") if value is None else value


def _shown(fitted: list[dict[str, Any]], summary: SelectionSummary) -> list[dict[str, Any]]:
    """The best few that differ, and those that the verdict speaks of."""
    first: list[dict[str, Any]] = []
    seen = set()
    for row in fitted:
        # One component is the same fit under several models.
        fit = (row["n_components"], row["n_parameters"], f"{row['log_likelihood']:.9g}")
        if fit not in seen:
            seen.add(fit)
            first.append(row)
    shown = first[:SHOWN]
    spoken_of = [row for row in first if (row["n_components"], row["covariance"]) == summary.choice.runner_up]
    held_out = [row for row in first if row["held_out"] is not None]
    if held_out:
        spoken_of.append(max(held_out, key=lambda row: row["held_out"]))
    return shown + [row for row in spoken_of if row not in shown]


def _held_out(row: "dict[str, float]") -> str:
    if row["held_out"] is None:
        return ""
    if row["held_out_error"] == 0.0:
        return f"{row['held_out']:.4f}"
    return f"{row['held_out']:.4f} ({row['held_out_ahead']:+.4f} ± {row['held_out_error']:.4f})"
