"""Standard errors on the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gaussmix.learning.belief.uncertainty import Uncertainty
from gaussmix.report.uncertainty_cells import uncertainty_cells
from gaussmix.report.words import as_options, sentence_safe

# Rows of the table; of more, --json has all.
MOST_ROWS = 60


def uncertainty_report(uncertainty: Uncertainty) -> RenderableType:
    """Share, means and standard deviations of each component with standard errors, and what those are."""
    heads, rows = uncertainty_cells(uncertainty)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, justify="left" if head == "feature" else "right", overflow="fold")
    for row in rows[:MOST_ROWS]:
        table.add_row(*map(Text, row))
    parts: list[RenderableType] = [Text("Standard errors (se)", style="bold"), table]
    if len(rows) > MOST_ROWS:
        parts.append(Text(f"and {len(rows) - MOST_ROWS:,} more means (--json has them all)", style="dim"))
    parts.append(Text(sentence_safe(as_options(uncertainty.sentence)), style="dim"))
    return Group(*parts)
