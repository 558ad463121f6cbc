"""Columns whose values were recorded in steps: whole years, tenths of a degree."""

from dataclasses import dataclass

import numpy as np

from gaussmix.kernels.contract import FloatArray

# A column is recorded in steps if less than this share of its values are distinct, and all lie on one grid
# but for this share of a step.
DISTINCT, OFF_GRID = 0.9, 0.02


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps in which columns were recorded."""

    origins: FloatArray
    """(D,), a value of each column."""
    sizes: FloatArray
    """(D,), its step in the units of the data, or 0."""

    def rounded(self, rows: FloatArray) -> FloatArray:
        """Rows (n, D) as they would have been recorded."""
        found = rows.copy()
        for j in np.flatnonzero(self.sizes):
            found[:, j] = self.origins[j] + self.sizes[j] * np.rint(
                (rows[:, j] - self.origins[j]) / self.sizes[j]
            )
        return found

    def named(self, feature_names: tuple[str, ...]) -> dict[str, float]:
        """The steps of those columns that have any."""
        return {feature_names[j]: float(self.sizes[j]) for j in np.flatnonzero(self.sizes)}


def steps_of(rows: FloatArray, weights: FloatArray) -> Steps:
    """Find out in what steps the columns of rows (n, D), which count weights (n,), were recorded."""
    return Steps(rows[0].copy(), np.array([_step(column, weights.sum()) for column in rows.T]))


def _step(column: FloatArray, count: float) -> float:
    """The step of one column, or 0."""
    values = np.unique(column)
    # Values that decimal fractions have rounded apart are one.
    gaps = np.diff(values)
    gaps = gaps[gaps > 8.0 * np.finfo(np.float64).eps * np.abs(values).max()]
    if len(gaps) == 0 or len(gaps) + 1 > DISTINCT * count:
        return 0.0
    ratios = gaps / gaps.min()
    whole = np.rint(ratios)
    if np.abs(ratios - whole).max() > OFF_GRID:
        return 0.0
    # The whole range over its number of steps is more exact than one step.
    return float(gaps.sum() / whole.sum())
