"""What a search tells of itself."""

from dataclasses import asdict, dataclass
from typing import Any

# Objectives nearer than this, in nats a row, are one optimum.
REACHED = 1e-4


@dataclass(frozen=True)
class SearchEntry:
    """A start, or a move, that was fitted on its way to the answer."""

    origin: str
    """How it was made: a method of ``init_params``, or what a move did."""
    objective: float
    """Where its climb ended, in nats, of as many rows as there are; minus infinity if it has no density."""
    n_passes: int
    """E-steps on the page; 0 where steps side by side were enough."""
    trouble: str
    """What speaks against it; empty for a sound one."""
    price: float = 0.0
    """What its objective has to be higher by than a sound one's, in nats."""


@dataclass(frozen=True)
class Search:
    """What a search tried before the fit, and what came of it."""

    entries: tuple[SearchEntry, ...]
    """Those that were fitted, in their order."""
    n_starts: int
    """Cheap starts, most of which were dropped after a few steps."""
    n_moves: int
    """Moves, most of which were dropped after a few steps."""
    best: SearchEntry
    """The one that won."""
    row_weight: float
    """Of all rows."""

    @property
    def table(self) -> list[dict[str, Any]]:
        """The entries as a table: ``pandas.DataFrame(search.table)``."""
        return [asdict(entry) for entry in self.entries]

    @property
    def n_reached(self) -> int:
        """How many of the climbs ended at the best objective, to 1e-4 nats a row."""
        near = REACHED * self.row_weight
        return sum(abs(entry.objective - self.best.objective) <= near for entry in self.entries)

    @property
    def spread(self) -> float:
        """How far below the best the poorest of the climbs ended, in nats a row."""
        ended = [entry.objective for entry in self.entries if entry.objective > -float("inf")]
        return max(self.best.objective - min(ended), 0.0) / self.row_weight

    @property
    def n_set_aside(self) -> int:
        """Climbs that ended without a density, or higher than the best but with doubtful components."""
        return sum(
            entry.objective > self.best.objective + REACHED * self.row_weight
            or entry.objective == -float("inf")
            for entry in self.entries
        )

    @property
    def sentence(self) -> str:
        """For people."""
        climbs = len(self.entries)
        said = (
            f"Searched {self.n_starts} starts and {self.n_moves} moves; {climbs} of them climbed to the end, "
            f"and {self.n_reached} of these reached the best."
        )
        if self.n_moves:
            said += " The last moves found nothing better."
        if self.n_set_aside:
            said += (
                f" {self.n_set_aside} ended on a handful of close rows (spurious optima) and were set aside."
            )
        return said

    def facts(self) -> dict[str, Any]:
        """For files and ``--json``."""
        return {
            "n_starts": self.n_starts,
            "n_moves": self.n_moves,
            "n_climbs": len(self.entries),
            "n_reached": self.n_reached,
            "n_set_aside": self.n_set_aside,
            "spread": self.spread,
            "sentence": self.sentence,
        }
