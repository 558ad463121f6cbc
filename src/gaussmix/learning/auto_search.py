"""The search behind ``n_init="auto"``: many cheap starts, few fits, and moves from the best of them.

It works on a field of bounded size, so that it costs the same for any number of rows; the climb over
all rows begins where it ends.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from gaussmix.data.rows import Rows
from gaussmix.learning.climbers import Climber, climb, climb_further
from gaussmix.learning.clutter import noise_over
from gaussmix.learning.effort import Effort, of_intervals
from gaussmix.learning.field import Field, Fit
from gaussmix.learning.repair import Move, moves, to_neighbours
from gaussmix.learning.search_table import REACHED, Search, SearchEntry
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.starts import draw_sample
from gaussmix.learning.tournament import Contender, Judges, contenders, different, judges_of
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture

# A better optimum is higher by at least this, in nats a row.
SAME_OPTIMUM = 1e-5

Announce = Callable[[SearchEntry], None]


def unannounced(entry: SearchEntry) -> None:
    """Hear of a start or a move, and say nothing."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Fits to the same rows that a search may begin from."""

    mixtures: tuple[Mixture, ...] = ()
    """With as many components, one more or one less, of any family."""
    besides: str = "some"
    """What else it tries: ``all`` that it would without them, ``some`` of it, or ``nothing``."""


@dataclass(frozen=True, eq=False)
class Found:
    """Where a fit to all rows begins, and how that was found."""

    start: Mixture
    """As the search began from it, or, where that saw a sample only, as it ended."""
    end: Mixture
    """As the search ended."""
    search: Search


class AutoSearch:
    """One search.

    Parameters
    ----------
    rows : Rows
        The data.
    settings : FitSettings
    step : MStep
        For the objective.
    effort : Effort
    announce : callable, optional
        Told of each start or move that was fitted.
    neighbours : sequence of Mixture, optional
        To begin from besides: `Neighbours.mixtures`.
    """

    def __init__(
        self,
        rows: Rows,
        settings: FitSettings,
        step: MStep,
        effort: Effort,
        announce: Announce = unannounced,
        neighbours: Sequence[Mixture] = (),
    ) -> None:
        self.settings, self.step, self.announce = settings, step, announce
        self.generator = np.random.default_rng(np.random.SeedSequence(settings.seed).spawn(1)[0])
        sample = draw_sample(rows, settings, self.generator)
        self.judges: Judges = judges_of(sample, rows, settings, self.generator)
        n_rows = self.judges.row_weight / self.judges.one_row
        self.effort = of_intervals(effort, settings, n_rows, len(rows.feature_names))
        self.field = Field(rows, sample, self.judges, settings, step, self.effort.plain_steps)
        self.noise = noise_over(rows, self.judges.noise_share) if settings.noise else None
        self.entries: list[SearchEntry] = []
        self.n_starts = self.n_moves = 0
        self.neighbours = neighbours

    def run(self) -> Found | None:
        """Search; None if nothing that was tried has a density."""
        lines: list[Fit] = []
        for _ in range(self.effort.draws):
            if self._draw(lines):
                break
        if not lines:
            return None
        best = self._best_of(lines)
        start = best.start if self.field.whole else best.mixture
        return Found(start, best.mixture, self._told(best))

    def _draw(self, lines: list[Fit]) -> bool:
        """Add a line for each start that a draw leaves; whether enough lines have come to the same."""
        left, n_starts = contenders(
            self.judges,
            self.settings,
            self.step,
            self.noise,
            self.effort,
            self.generator,
            self._from_neighbours(),
        )
        self.n_starts += n_starts
        different_ones = self._settled(left)
        for contender in different_ones:
            fit = self._climbed(contender.origin, contender.start, contender.climber)
            if fit is None:
                continue
            known = not self.effort.again and any(self._same(fit, line) for line in lines)
            lines.append(fit if known else self._repaired(fit))
            best = self._best_of(lines)
            if sum(self._same(line, best) for line in lines) == self.effort.agreeing:
                return True
        # If one is left, all the others came to the same.
        return len(different_ones) == 1

    def _from_neighbours(self) -> list[tuple[str, Mixture]]:
        """Starts that fits with other numbers of components, or of other models, lead to."""
        found, wanted = [], self.settings.n_components
        family, judges = self.settings.family, self.judges
        for neighbour in self.neighbours:
            own = replace(
                neighbour,
                weights=neighbour.weights / neighbour.weights.sum(),
                covariances=family.from_matrices(neighbour.matrices),
                family=family,
                noise=None,
            )
            if own.n_components == wanted:
                found.append((f"as {neighbour.family.name} ended", own))
                continue
            moves = to_neighbours(judges.rows, own, self.step, judges.whitener, self.generator, wanted)
            found += [(move.words, move.mixture) for move in moves[: self.effort.neighbours]]
        self.neighbours = ()
        return found

    def _best_of(self, lines: list[Fit]) -> Fit:
        """The first of those that are best but for rounding."""
        best = lines[0]
        for line in lines[1:]:
            sound, worth = best.rank
            if line.rank > (sound, worth + SAME_OPTIMUM * self.judges.row_weight):
                best = line
        return best

    def _settled(self, left: list[Contender]) -> list[Contender]:
        """Those that are still different when they have come nearer to their ends."""
        climbers = self.field.settled([contender.climber for contender in left])
        nearer = [replace(before, climber=climber) for before, climber in zip(left, climbers, strict=True)]
        return different(self.judges, nearer, len(left))

    def _same(self, one: Fit, other: Fit) -> bool:
        near = abs(one.entry.objective - other.entry.objective) <= REACHED * self.judges.row_weight
        return near and one.soundness.sound == other.soundness.sound

    def _repaired(self, best: Fit) -> Fit:
        """Where moves lead from a fit, until they have found nothing better for a while."""
        if self.effort.patience == 0:
            return best
        fruitless = 0
        possible = iter(self._moves(best))
        most = max(self.effort.tried, self.settings.n_components if self.effort.thorough else 0)
        while fruitless < self.effort.patience and (tried := list(islice(possible, most))):
            self.n_moves += len(tried)
            better = self._better(best, tried)
            if better is None:
                fruitless += 1
            else:
                best, fruitless = better, 0
                possible = iter(self._moves(best))
        return best

    def _hopeful(self, climber: Climber, best: Fit) -> bool:
        """Whether a mixture on the judges may end higher than the best so far, and soundly so."""
        sound, worth = self.judges.rank(climber)
        best_sound, best_worth = best.judged
        least = best_worth + REACHED * self.judges.row_weight
        return bool(np.isfinite(climber.objective)) and (sound, worth + climber.hope) > (best_sound, least)

    def _moves(self, best: Fit) -> list[Move]:
        judges, thorough = self.judges, self.effort.thorough
        return moves(judges.rows, best.mixture, self.step, judges.whitener, self.generator, thorough)

    def _better(self, best: Fit, tried: list[Move]) -> Fit | None:
        """What a move leads to, if that is better."""
        rows = self.judges.rows
        promising = climb(rows, [move.mixture for move in tried], self.step, self.effort.tried_steps)
        order = self._first(promising, self.effort.promising)
        further = [promising[i] for i in order]
        for _ in range(2):
            further = climb_further(rows, further, self.step, self.effort.promising_steps)
        again = [i for i in self._first(further, self.effort.climbing) if self._hopeful(further[i], best)]
        settled = self.field.settled([further[i] for i in again])
        for i, climber in zip(again, settled, strict=True):
            if not self._hopeful(climber, best):
                continue
            move = tried[order[i]]
            fit = self._climbed(move.words, move.mixture, climber)
            sound, worth = best.rank
            if fit is not None and fit.rank > (sound, worth + SAME_OPTIMUM * self.judges.row_weight):
                return fit
        return None

    def _first(self, climbers: list[Climber], most: int) -> list[int]:
        """The places of the highest, sound ones before others."""
        ranks = self.judges.ranks(climbers)
        return sorted(range(len(climbers)), key=lambda i: ranks[i], reverse=True)[:most]

    def _climbed(self, origin: str, start: Mixture, climber: Climber) -> Fit | None:
        """A fit to the field; None where it has no density, or collapses."""
        fit = self.field.climbed(origin, start, climber)
        self._note(fit if isinstance(fit, SearchEntry) else fit.entry)
        return None if isinstance(fit, SearchEntry) else fit

    def _note(self, entry: SearchEntry) -> None:
        self.entries.append(entry)
        self.announce(entry)

    def _told(self, best: Fit) -> Search:
        return Search(tuple(self.entries), self.n_starts, self.n_moves, best.entry, self.judges.row_weight)
