"""Which model, and how many components: fits of all that are asked for, side by side.

1. Up: each model from few components to many, where splits of the last fit are starts for the next.
2. Down and across: mergers of the next fit, and the fits of all other models with as many components.
3. Thoroughly: what may win gets the search that a single fit gets, until nothing changes.
4. Held out: the likelihood of rows that were not fitted, for what may win.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gaussmix.data.rows import Rows
from gaussmix.errors import DataError, FitError, SettingsError
from gaussmix.kernels.threads import single_threaded_blas
from gaussmix.learning.auto_search import Neighbours
from gaussmix.learning.prepare import prepare, refuse_small_weights, unwarned
from gaussmix.learning.search import rank, search
from gaussmix.learning.selection.cells import Cell, Key, SelectionSettings, chosen, criteria_of, ranked
from gaussmix.learning.selection.crew import Crew
from gaussmix.learning.selection.held_out import HeldOut, hold_out
from gaussmix.model.covariances import ONE_DIMENSION
from gaussmix.model.mixture import Mixture

# Cells within this of the best criterion may win; so many of them are searched thoroughly at a time.
MAY_WIN, MOST_THOROUGH, THOROUGH_ROUNDS = 10.0, 4, 4
# What fits may leave to gain, in nats of all rows, and their most iterations, while it is open which matter.
ROUGHLY, ROUGH_ITERATIONS = 5e-3, 300
# Rows are held out from so many of the best cells, besides the best of each number of components.
MOST_HELD_OUT = 6

Announce = Callable[[int, int], None]
"""Told how many fits are done, and of how many."""


def unannounced(done: int, of: int) -> None:
    """Hear of it, and say nothing."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Every fit that was asked for, and what they say together."""

    cells: tuple[Cell, ...]
    """Model by model, numbers of components rising."""
    asked: SelectionSettings
    row_weight: float
    """Of all rows."""
    held_out: HeldOut | None
    interrupted: bool
    """Whether only a part was done."""

    @property
    def ranked(self) -> list[Cell]:
        """Fitted cells, the best first."""
        return ranked(self.cells, self.asked.criterion)

    @property
    def best(self) -> Cell:
        """What is chosen: of sound fits, if there are any."""
        return chosen(self.ranked, self.asked.criterion, self.asked.parsimony)


@single_threaded_blas()
def select(rows: Rows, asked: SelectionSettings, announce: Announce = unannounced) -> Selection:
    """Fit all models with all numbers of components.

    Parameters
    ----------
    rows : Rows
    asked : SelectionSettings
    announce : callable, optional
        Told of the progress.

    Returns
    -------
    Selection
        The same for any number of threads; after Ctrl-C, what was done by then.

    Raises
    ------
    DataError
        If the rows cannot be fitted at all.
    FitError
        If none of the fits came to an answer.
    KeyboardInterrupt
        If it comes before there is any fit.
    """
    n_features = len(rows.feature_names)
    if n_features > 1 and (narrow := [model for model in asked.models if model in ONE_DIMENSION]):
        raise SettingsError(
            f"covariance_types must not be {narrow[0]!r} for {n_features} features: it is for one"
        )
    refuse_small_weights(rows)
    first = asked.settings(asked.keys[0])
    # What there is to warn of in the rows is said once, and not for each fit.
    prepare(rows, first)
    grid, held_out, interrupted = _Grid(rows, asked, announce), None, False
    try:
        grid.up()
        grid.down_and_across()
        grid.thoroughly()
        held_out = grid.held_out()
    except KeyboardInterrupt:
        if not grid.ranked:
            raise
        interrupted = True
    if not grid.ranked:
        raise FitError(f"none of {len(grid.cells)} fits came to an answer: {grid.first_failure}")
    cells = tuple(grid.cells[key] for key in asked.keys if key in grid.cells)
    return Selection(cells, asked, rows.summary.row_weight, held_out, interrupted)


class _Grid:
    """The fits so far."""

    def __init__(self, rows: Rows, asked: SelectionSettings, announce: Announce) -> None:
        self.rows, self.asked, self.announce = rows, asked, announce
        self.cells: dict[Key, Cell] = {}
        self.crew = Crew()
        self.done, self.of = 0, 2 * len(asked.keys)

    @property
    def ranked(self) -> list[Cell]:
        """Fitted cells, the best first."""
        cells = [self.cells[key] for key in self.asked.keys if key in self.cells]
        return ranked(cells, self.asked.criterion)

    @property
    def first_failure(self) -> str:
        """Why the first of the cells has no fit."""
        return next((cell.failure for cell in self.cells.values() if cell.failure), "stopped")

    def up(self) -> None:
        """Fit each model with rising numbers of components, so that what is done early is of all models."""
        for n_components in self.asked.n_components:

            def fit(model: str, n_components: int = n_components) -> None:
                below = self.cells.get(Key(n_components - 1, model))
                key = Key(n_components, model)
                self.cells[key] = self._fitted(key, Neighbours(_mixtures([below], n_components)))
                self._tell()

            self.crew.each(fit, self.asked.models)

    def down_and_across(self) -> None:
        """Fit each again from where the next number of components, and the other models, have ended."""
        before = dict(self.cells)

        def down(model: str) -> None:
            for n_components in reversed(self.asked.n_components):
                key = Key(n_components, model)
                above = self.cells.get(Key(n_components + 1, model))
                across = [before[Key(n_components, other)] for other in self.asked.models]
                near = _mixtures([before[key], above, *across], n_components)
                if n_components > 1 and near:
                    self._improve(key, Neighbours(near, "nothing"))
                self._tell()

        self.crew.each(down, self.asked.models)

    def thoroughly(self) -> None:
        """Search for what may win as a single fit does, until nothing better is found."""

        def search_thoroughly(cell: Cell) -> None:
            near = _mixtures([cell], cell.n_components)
            self._improve(cell.key, Neighbours(near, "all"), thorough=True)
            self.cells[cell.key] = replace(self.cells[cell.key], thorough=True)
            self._tell()

        for _ in range(THOROUGH_ROUNDS):
            cells = [cell for cell in self._in_front() if not cell.thorough]
            self.of += len(cells)
            self.crew.each(search_thoroughly, cells)

    def _in_front(self) -> list[Cell]:
        """The best cell, those that come close, and those with a component less or more."""
        front = self.ranked
        if not front:
            return []
        best, name = front[0], self.asked.criterion
        # A fit that has not come to its end is not sound yet, and may be the best.
        open_ones = [cell for cell in front if not cell.thorough and not cell.ended]
        close = [
            cell
            for cell in (*front[:MOST_THOROUGH], *open_ones[:MOST_THOROUGH])
            if cell.criterion(name) <= best.criterion(name) + MAY_WIN
        ]
        beside = [self.cells.get(Key(best.n_components + more, best.covariance)) for more in (-1, 1)]
        return list({cell.key: cell for cell in (*close, *beside) if cell is not None}.values())

    def held_out(self) -> HeldOut | None:
        """The likelihood of rows that were not fitted, for the best cells and the best of each K."""
        front = self.ranked
        if not self.asked.n_folds or not front:
            return None
        keys = {cell.key for cell in front[:MOST_HELD_OUT]}
        keys |= {
            next(cell.key for cell in front if cell.n_components == n_components)
            for n_components in {cell.n_components for cell in front}
        }
        cells = [cell for cell in front if cell.key in keys]
        self.of += len(cells) * self.asked.n_folds * self.asked.n_repeats
        reference = chosen(front, self.asked.criterion, self.asked.parsimony)
        return hold_out(self.rows, cells, reference, self.asked, self.crew, self._tell)

    def _improve(self, key: Key, neighbours: Neighbours, thorough: bool = False) -> None:
        """Fit again, and keep what is better."""
        after = self._fitted(key, neighbours, thorough)
        before, ends = self.cells[key], (*self.cells[key].ends, *after.ends)
        better = before.result is None or (after.result and rank(after.result) > rank(before.result))
        self.cells[key] = replace(after if after.result is not None and better else before, ends=ends)

    def _fitted(self, key: Key, neighbours: Neighbours, thorough: bool = False) -> Cell:
        settings, row_weight = self.asked.settings(key), self.rows.summary.row_weight
        if not thorough:
            tol, most = max(settings.tol, ROUGHLY / row_weight), min(settings.max_iter, ROUGH_ITERATIONS)
            settings = replace(settings, tol=tol, max_iter=most)

        def watch(*_: object) -> None:
            self.crew.refuse_if_stopped()

        watch()
        try:
            with unwarned():
                result = search(self.rows, settings, watch, announce=watch, neighbours=neighbours)
        except (DataError, FitError, SettingsError) as failure:
            return Cell(*key, None, str(failure))
        entries = () if result.search is None else result.search.entries
        ends = tuple(entry.objective for entry in entries if entry.objective > -np.inf)
        return Cell(*key, result, criteria=criteria_of(result, row_weight), ends=ends or (result.objective,))

    def _tell(self) -> None:
        self.done += 1
        self.announce(min(self.done, self.of), self.of)


def _mixtures(cells: "list[Cell | None]", n_components: int) -> tuple[Mixture, ...]:
    """Of fitted cells with about so many components."""
    found = (cell.result.mixture for cell in cells if cell is not None and cell.result is not None)
    return tuple(mixture for mixture in found if abs(mixture.n_components - n_components) <= 1)
