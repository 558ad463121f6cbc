"""A fit on the terminal."""

from collections.abc import Collection

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gaussmix.report.cards import mean_cells
from gaussmix.report.summary import FitSummary
from gaussmix.report.words import as_options, clean, number, percent, plural, sentence_safe

WIDEST_TABLE = 3
# Axes that differ by less look the same.
ROUND = 1.05
CORRELATIONS_SHOWN = 6


def fit_report(summary: FitSummary, said: Collection[str] = ()) -> RenderableType:
    """Everything about a fit: the groups, how good it is, how it ended, what to doubt.

    Parameters
    ----------
    summary : FitSummary
    said : collection of str
        Notes that have been said already.
    """
    parts: list[RenderableType] = [Text(_headline(summary), style="bold"), component_table(summary)]
    if summary.correlations and 1 < summary.n_features <= CORRELATIONS_SHOWN:
        parts.append(_correlations(summary))
    if summary.covariance.isupper() and summary.n_features > 1:
        parts.append(_shapes(summary))
    if summary.facts:
        parts.append(_quality(summary))
        parts.append(_outcome(summary))
    parts.extend(
        Text(f"note: {sentence_safe(as_options(note))}", style="yellow")
        for note in summary.notes
        if note not in said
    )
    return Group(*parts)


def component_table(summary: FitSummary) -> Table:
    """One row a component, or one row a component and feature where there are many features."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("component", justify="right")
    table.add_column("share", justify="right")
    assigned = summary.facts.get("rows_assigned")
    if assigned:
        table.add_column("rows", justify="right")
    wide = summary.n_features <= WIDEST_TABLE
    columns = [clean(name) for name in summary.feature_names] if wide else []
    for name in columns:
        table.add_column(Text(f"{name} (mean ± sd)"), justify="right", overflow="fold")
    if not wide:
        table.add_column("feature")
        table.add_column("mean ± sd", justify="right")
    cells = mean_cells(summary)
    for k, weight in enumerate(summary.weights):
        head = [str(k + 1), percent(weight)] + ([f"{assigned[k]:,.6g}"] if assigned else [])
        if wide:
            table.add_row(*head, *cells[k])
            continue
        for j, name in enumerate(summary.feature_names):
            table.add_row(*(head if j == 0 else [""] * len(head)), Text(clean(name)), cells[k][j])
    if summary.noise is not None:
        share = percent(summary.noise["weight"])
        table.add_row("noise", share, *([""] * (len(table.columns) - 2)))
    return table


def _shapes(summary: FitSummary) -> Text:
    """Volume, shape and orientation of each component, in words."""
    lines = []
    sizes, shapes, orientations = summary.parts
    names = [clean(name) for name in summary.feature_names]
    for k in range(summary.n_components):
        axis = orientations[k][:, shapes[k].argmax()]
        j = int(abs(axis).argmax())
        ratio = float(shapes[k].max() / shapes[k].min()) ** 0.5
        round_ = (
            "round" if ratio < ROUND else f"{number(ratio, 2)} times as long as wide, mostly along {names[j]}"
        )
        lines.append(f"component {k + 1}: volume {number(float(sizes[k]), 3)}, {round_}")
    return Text("\n".join(lines), style="dim")


def _headline(summary: FitSummary) -> str:
    n_rows = summary.facts.get("n_rows")
    rows = f" for {plural(n_rows, 'row')}" if n_rows else ""
    words = "" if summary.n_components == 1 else f": {summary.covariance_words}"
    return (
        f"{plural(summary.n_components, 'component')} in {plural(summary.n_features, 'feature')}{rows}; "
        f"{summary.covariance} covariance{words}"
    )


def _correlations(summary: FitSummary) -> Text:
    shared = len(summary.correlations) < summary.n_components
    names = [clean(name) for name in summary.feature_names]
    lines = []
    for k, matrix in enumerate(summary.correlations):
        pairs = [
            f"{names[a]} ~ {names[b]} {matrix[a][b]:+.2f}"
            for a in range(summary.n_features)
            for b in range(a)
        ]
        who = "all components" if shared else f"component {k + 1}"
        lines.append(f"correlation, {who}: " + ", ".join(pairs))
    return Text("\n".join(lines), style="dim")


def _quality(summary: FitSummary) -> Text:
    facts = summary.facts
    if "log_likelihood" not in facts:
        return Text("")
    prior = "no prior" if summary.prior is None else f"{clean(summary.prior)} prior"
    return Text(
        f"log-likelihood {facts['log_likelihood']:.6f} ({prior}; {summary.n_parameters} parameters)   "
        f"BIC {facts['bic']:.3f}   AIC {facts['aic']:.3f}   ICL {facts['icl']:.3f}   (lower is better)\n"
        f"{percent(facts['sure_share'])} of rows belong to one component with 95% certainty or more"
    )


def _outcome(summary: FitSummary) -> Text:
    facts = summary.facts
    sound = facts.get("converged") and not facts.get("doubts")
    text = Text(
        sentence_safe(as_options(facts.get("outcome_sentence", ""))), style="green" if sound else "red"
    )
    starts, failed = facts.get("n_starts", 1), len(facts.get("failed_starts", []))
    if searched := facts.get("search"):
        text.append(" " + sentence_safe(searched["sentence"]), style="dim")
    elif starts > 1:
        text.append(f" Best of {starts} starts" + (f", {failed} of which failed." if failed else "."))
    return text
