"""The likelihood of rows that a fit has not seen: K-fold cross-validation of several fits at once.

Each fit begins from the fit to all rows, so that its groups are the same groups. Smyth, Statistics and
Computing 10 (2000) 63.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.data.rows import Rows
from gaussmix.errors import DataError, DegenerateComponentError
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.acceleration import stride_for
from gaussmix.learning.em import fit_em
from gaussmix.learning.prepare import prepare, unwarned
from gaussmix.learning.selection.cells import Cell, Key, SelectionSettings
from gaussmix.learning.selection.crew import Crew
from gaussmix.learning.stopping import Limits
from gaussmix.model.mixture import Mixture

# What folds' fits may leave to gain, in nats a row: far below what rows that are left out tell.
FOLD_TOL = 1e-7
# Numbers in a table that is cut into folds as it is: beyond them chance is far below what matters.
HELD_OUT_VALUES = 1 << 22


@dataclass(frozen=True)
class HeldOutCell:
    """What rows that were held out say of a cell."""

    mean: float
    """Log-likelihood of a held-out row, in nats, averaged by row weight."""
    ahead: float
    """How far that is above the reference's, in nats a row."""
    standard_error: float
    """Of ``ahead``, from the differences row by row; 0 for the reference itself."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Cells that could be fitted in every fold."""

    cells: dict[Key, HeldOutCell]
    reference: Key
    """The cell that the others are compared with."""
    n_folds: int
    n_repeats: int
    n_rows: int | None = None
    """How many rows were drawn for it, where there were too many for all."""

    @property
    def best(self) -> Key:
        """The cell under which held-out rows are likeliest."""
        return max(self.cells, key=lambda key: self.cells[key].mean)


def hold_out(
    rows: Rows,
    cells: Sequence[Cell],
    reference: Cell,
    asked: SelectionSettings,
    crew: Crew,
    tell: Callable[[], None],
) -> HeldOut | None:
    """Cross-validate cells.

    Parameters
    ----------
    rows : Rows
        Of very many, some are drawn.
    cells : sequence of Cell
        Fitted ones.
    reference : Cell
        One of them.
    asked : SelectionSettings
        For the folds, the seed, and what fits are asked for.
    crew : Crew
    tell : callable
        Called when a cell is done with a fold.

    Returns
    -------
    HeldOut or None
        None where there are too few different rows for folds, fits may not move, or the reference fails.
    """
    generator, drawing = map(np.random.default_rng, np.random.SeedSequence(asked.fit.seed).spawn(3)[1:])
    most = HELD_OUT_VALUES // len(rows.feature_names)
    matrix, weights = rows.sample(most, drawing)
    # Equal rows stay together: a weight of 2 is a repeated row, and neither is seen by the other's fit.
    different, which = np.unique(matrix, axis=0, return_inverse=True)
    n_folds = min(asked.n_folds, len(different))
    n_kept = len(different) * (n_folds - 1) / max(n_folds, 1)
    # Fits that do not move have seen all rows; those to too few rows have no spread in some directions.
    if n_folds < 2 or asked.fit.max_iter == 0 or n_kept <= matrix.shape[1] + 1:
        return None
    sums = _Sums([cell.key for cell in cells], reference.key)
    for _ in range(asked.n_repeats):
        folds = (generator.permutation(len(different)) % n_folds)[which.reshape(-1)]
        sums.begin()
        for fold in range(n_folds):
            out = folds == fold
            kept = MemoryRows.trusted(matrix[~out], weights[~out], rows.feature_names)
            test, test_weights = matrix[out], weights[out]

            def density(cell: Cell, kept: MemoryRows = kept, test: FloatArray = test) -> FloatArray | None:
                crew.refuse_if_stopped()
                found = _fitted(kept, cell, asked)
                tell()
                return None if found is None else found.log_density(test)

            sums.add(crew.each(density, cells), test_weights)
    return sums.held_out(n_folds, asked.n_repeats, most if rows.summary.n_rows > most else None)


def _fitted(rows: MemoryRows, cell: Cell, asked: SelectionSettings) -> Mixture | None:
    """A cell fitted to some of the rows, from where it stands; None where it has no density."""
    settings = asked.settings(cell.key)
    assert cell.result is not None
    try:
        with unwarned():
            step = prepare(rows, settings)
        limits = Limits(max(settings.tol, FOLD_TOL), settings.max_iter, step.monotone)
        stride = stride_for(settings.acceleration, step, limits.tol)
        result = fit_em(rows, cell.result.mixture, step, limits, stride=stride)
    except (DataError, DegenerateComponentError):
        return None
    return None if result.outcome.collapse is not None else result.mixture


class _Sums:
    """Sums over held-out rows, cell by cell; of a cell that failed in some fold there are none."""

    def __init__(self, keys: list[Key], reference: Key) -> None:
        self.keys, self.reference = keys, reference
        self.place = keys.index(reference)
        self.failed = np.zeros(len(keys), dtype=bool)
        self.likelihood = np.zeros(len(keys))
        self.squares = np.zeros(len(keys))
        self.row_weight = 0.0
        self.variances: list[FloatArray] = []

    def begin(self) -> None:
        """All folds anew."""
        self.ahead = np.zeros(len(self.keys))
        self.squares = np.zeros(len(self.keys))
        self.weight = 0.0
        self.variances.append(np.zeros(len(self.keys)))

    def add(self, densities: Sequence[FloatArray | None], weights: FloatArray) -> None:
        """Log densities (n,) of a fold's rows under each cell, with the rows' weights (n,)."""
        under_reference = densities[self.place]
        for i, found in enumerate(densities):
            if found is None or under_reference is None or not np.isfinite(found).all():
                self.failed[i] = True
                continue
            self.likelihood[i] += float(weights @ found)
            self.ahead[i] += float(weights @ (found - under_reference))
            self.squares[i] += float(weights @ (found - under_reference) ** 2)
        self.weight += float(weights.sum())
        mean = self.ahead / self.weight
        self.variances[-1] = np.maximum(self.squares / self.weight - mean**2, 0.0) / self.weight

    def held_out(self, n_folds: int, n_repeats: int, n_rows: int | None) -> HeldOut | None:
        """What the sums come to."""
        if self.failed[self.place]:
            return None
        means = self.likelihood / (self.weight * n_repeats)
        # Repeats draw folds anew and not rows: they do not make the rows' own scatter less.
        errors = np.sqrt(np.mean(self.variances, axis=0))
        cells = {
            key: HeldOutCell(float(means[i]), float(means[i] - means[self.place]), float(errors[i]))
            for i, key in enumerate(self.keys)
            if not self.failed[i]
        }
        return HeldOut(cells, self.reference, n_folds, n_repeats, n_rows)
