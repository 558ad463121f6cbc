"""A selection as plain facts, for every renderer."""

import math
from dataclasses import dataclass
from typing import Any

from gaussmix.learning.selection.cells import CRITERIA, Cell
from gaussmix.learning.selection.choice import Choice, choice
from gaussmix.learning.selection.grid import Selection

JSON_SCHEMA, JSON_VERSION = "gaussmix-selection", 1


@dataclass(frozen=True, eq=False)
class SelectionSummary:
    """Which models were fitted, how they compare, and what that comes to."""

    table: list[dict[str, Any]]
    """A dict for each fit, model by model."""
    best: dict[str, Any]
    """The one of them that was chosen."""
    choice: Choice
    criterion: str
    interrupted: bool
    n_folds: int
    """Folds that rows were held out in; 0 if none were."""

    def as_json(self) -> dict[str, Any]:
        """The stable form that ``--json`` prints."""
        return {
            "schema": JSON_SCHEMA,
            "schema_version": JSON_VERSION,
            "criterion": self.criterion,
            "table": self.table,
            "best": self.best,
            "verdict": str(self.choice),
            "margin": self.choice.margin,
            "strength": self.choice.strength or None,
            "bic_share": None if math.isnan(self.choice.share) else self.choice.share,
            "agree": self.choice.agree,
            "interrupted": self.interrupted,
            "n_folds": self.n_folds,
        }


def summarise_selection(selection: Selection) -> SelectionSummary:
    """Collect the facts of a selection."""
    rows = {cell.key: _told(selection, cell) for cell in selection.cells}
    held_out = selection.held_out
    return SelectionSummary(
        list(rows.values()),
        rows[selection.best.key],
        choice(selection),
        selection.asked.criterion,
        selection.interrupted,
        0 if held_out is None else held_out.n_folds,
    )


def _told(selection: Selection, cell: Cell) -> dict[str, Any]:
    own: dict[str, Any] = {"n_components": cell.n_components, "covariance": cell.covariance}
    result = cell.result
    if result is None:
        empty = ("log_likelihood", "n_parameters", *CRITERIA, "bic_mclust", "icl_mclust")
        rest = ("held_out", "held_out_ahead", "held_out_error", "spread", "n_climbs", "n_reached")
        return {
            **own,
            **dict.fromkeys((*empty, *rest)),
            "outcome": "failed",
            "sound": False,
            "sentence": cell.failure,
        }
    outcome = result.outcome
    held_out = None if selection.held_out is None else selection.held_out.cells.get(cell.key)
    return {
        **own,
        "log_likelihood": result.log_likelihood,
        "n_parameters": result.mixture.n_parameters,
        **{name: value if math.isfinite(value := cell.criterion(name)) else None for name in CRITERIA},
        "bic_mclust": -cell.criterion("bic"),
        "icl_mclust": -cell.criterion("icl"),
        "held_out": None if held_out is None else held_out.mean,
        "held_out_ahead": None if held_out is None else held_out.ahead,
        "held_out_error": None if held_out is None else held_out.standard_error,
        "spread": cell.spread(selection.row_weight),
        "n_climbs": len(cell.ends),
        "n_reached": cell.n_reached(selection.row_weight),
        "outcome": outcome.kind.value,
        "sound": outcome.sound,
        "sentence": str(outcome),
    }
