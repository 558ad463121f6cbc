"""What can be said of a mixture and rows, on the terminal and as JSON."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gaussmix.data.memory import MemoryRows
from gaussmix.learning.belief.goodness import DEFAULT_REPLICATES, goodness_of_fit
from gaussmix.learning.belief.goodness_words import GoodnessOfFit
from gaussmix.learning.belief.rowfacts import (
    DEFAULT_LEVEL,
    Entropy,
    RowFacts,
    classification_entropy,
    row_facts,
)
from gaussmix.learning.settings import FitSettings
from gaussmix.model.mixture import Mixture
from gaussmix.model.overlap import Overlap, overlap_of
from gaussmix.report.words import number, percent, sentence_safe

# Pairs of components that overlap by less are not listed, nor more pairs than this.
LISTED_OVERLAP, MOST_PAIRS = 0.01, 10
ROWS_NAMED = 5
# From such an overlap on, two components may be one group that is not Gaussian.
MUCH_OVERLAP = 0.1
JSON_SCHEMA, JSON_VERSION = "gaussmix-check", 1


@dataclass(frozen=True, eq=False)
class CheckUp:
    """Everything that a check found."""

    entropy: Entropy
    overlap: Overlap
    rows: RowFacts
    goodness: GoodnessOfFit | None
    """None if that was not asked for."""
    row_numbers: NDArray[Any] | None = None
    """(N,), numbers of the rows in their file, where some were left out."""

    @property
    def first(self) -> list[dict[str, Any]]:
        """The least dense of the rows that are none of these; rows and labels are counted from 1."""
        rows, numbers = self.rows, self.row_numbers
        return [
            {
                "row": int(i) + 1 if numbers is None else int(numbers[i]),
                "label": int(rows.labels[i]) + 1,
                "log_density": float(rows.log_density[i]),
                "tail_probability": float(rows.tail_probability[i]),
            }
            for i in rows.least_dense[:ROWS_NAMED].tolist()
            if rows.none_of_these[i]
        ]

    def as_json(self) -> dict[str, Any]:
        """The form that ``--json`` prints; components and rows are counted from 1."""
        pairs = [{**pair, "components": [k + 1 for k in pair["components"]]} for pair in self.overlap.table]
        return {
            "schema": JSON_SCHEMA,
            "schema_version": JSON_VERSION,
            "entropy": self.entropy.total,
            "normalised_entropy": self.entropy.normalised,
            "pairs": pairs,
            "goodness_of_fit": None if self.goodness is None else self.goodness.as_json(),
            "rows": {
                "n": len(self.rows.labels),
                "none_of_these": int(self.rows.none_of_these.sum()),
                "expected": self.rows.expected_flagged,
                "level": self.rows.level,
                "first": self.first,
            },
        }


def check_up(
    rows: MemoryRows,
    mixture: Mixture,
    settings: FitSettings,
    level: float = DEFAULT_LEVEL,
    n_replicates: int = DEFAULT_REPLICATES,
    row_numbers: NDArray[Any] | None = None,
) -> CheckUp:
    """Check a mixture against rows; without the test where there are 0 replicates."""
    goodness = goodness_of_fit(mixture, rows, settings, n_replicates, settings.seed) if n_replicates else None
    facts = row_facts(mixture, rows.matrix, rows.weights, level)
    entropy, overlap = classification_entropy(mixture, rows), overlap_of(mixture)
    return CheckUp(entropy, overlap, facts, goodness, row_numbers)


def check_report(found: CheckUp) -> RenderableType:
    """Entropy, pairs, the verdict, and the rows that are none of these."""
    parts: list[RenderableType] = [Text(found.entropy.sentence)]
    parts.append(_pairs(found.overlap))
    if any(pair["overlap"] > MUCH_OVERLAP for pair in found.overlap.table):
        parts.append(
            Text("Components that overlap so much may be one group that takes several: see gaussmix merge.")
        )
    if found.goodness is not None:
        colour = {True: "green", False: "red", None: "yellow"}[found.goodness.gaussian]
        parts.append(Text(sentence_safe(found.goodness.sentence), style=colour))
    parts.append(Text(found.rows.sentence))
    if found.first:
        parts.append(_first(found))
    return Group(*parts)


def _pairs(overlap: Overlap) -> RenderableType:
    if overlap.n_components == 1:
        return Text(overlap.sentence)
    pairs = [pair for pair in overlap.table if pair["overlap"] > LISTED_OVERLAP]
    if not pairs:
        return Text("No two components overlap by more than 1%.")
    table = _table("components", "likelier under the other", "the other way", "Bhattacharyya", "symmetric KL")
    for pair in pairs[:MOST_PAIRS]:
        j, k = pair["components"]
        table.add_row(
            f"{j + 1} and {k + 1}",
            percent(pair["first_as_second"]),
            percent(pair["second_as_first"]),
            number(pair["bhattacharyya_coefficient"], 3),
            number(pair["symmetric_kl"], 3),
        )
    left = len(pairs) - MOST_PAIRS
    if left > 0:
        return Group(table, Text(f"and {left} more pairs that overlap by more than 1%", style="dim"))
    return table


def _first(found: CheckUp) -> Table:
    table = _table("row", "nearest to", "tail probability", "log density")
    for row in found.first:
        table.add_row(
            f"{row['row']:,}",
            f"component {row['label']}" if row["label"] else "noise",
            f"{row['tail_probability']:.2g}",
            number(row["log_density"], 5),
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
