"""All that EM asks of rows, made of work on blocks. Where rows live decides only who does that work."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from gaussmix import kernels
from gaussmix.computed import cached_property
from gaussmix.data.blocks import Block, T, Task, added_up
from gaussmix.data.rows import RowsSummary
from gaussmix.data.tasks import Expect, Extent, Given, Measure, TakeAll, TakeSome
from gaussmix.errors import DataError, StartError
from gaussmix.kernels.contract import FloatArray, Precision, ScatterKind
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

# Single precision is for columns whose ranges stay below this (and standard deviations above its
# reciprocal), whose rows all lie within so many standard deviations of every component, and whose
# weights are between this and its reciprocal: squares and sums are then far from overflow.
LARGE_FLOAT, FAR_IN_FLOATS, ALIKE = 1e12, 1e3, 1e3
# Products of columns are found together with all else for no more columns than these.
FEW_FEATURES = 256
# Row weights of two passes that differ by more than rounding are of different rows.
SAME_WEIGHT = 1e-9


class BlockedRows(ABC):
    """Rows (N, D) that can be looked at a block at a time, in the same order each time."""

    may_change = True
    """Whether a pass may see other rows than the one before, or not all of them."""

    @property
    @abstractmethod
    def feature_names(self) -> tuple[str, ...]:
        """D names."""

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """All rows in order, cut as `block_rows` says or, where they are in parts, part by part."""

    def added_up(self, task: Task[T]) -> T:
        """What a task makes of all rows: done on each block and added up as a fixed tree."""
        return added_up(map(task, self.blocks()))

    @property
    def summary(self) -> RowsSummary:
        """Counts, means, ranges and variances."""
        return self._summary

    @cached_property
    def _extent(self) -> Extent:
        # Where a pass is dear all is found in one, unless that would be dear itself.
        return self.added_up(Measure(products=self.may_change and len(self.feature_names) <= FEW_FEATURES))

    @cached_property
    def _summary(self) -> RowsSummary:
        extent = self._extent
        # A column of one value has no variance at all, whatever rounding made of its mean.
        constant = extent.low == extent.high
        return RowsSummary(
            extent.n_rows,
            extent.row_weight,
            np.where(constant, extent.low, extent.mean),
            extent.low,
            extent.high,
            np.where(constant, 0.0, extent.variances),
            extent.lightest,
            extent.heaviest,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, renamed or guessed when the rows were found."""
        return ()

    @property
    def n_rows(self) -> int | None:
        """N, rows of weight zero too; None where nobody has counted them."""
        return None

    def covariance(self) -> FloatArray:
        """The covariance of all rows: (D, D), divided by the row weight."""
        return self._covariance

    @cached_property
    def _covariance(self) -> FloatArray:
        covariance = self._extent.covariance
        if covariance is None:
            covariance = self.added_up(Measure(products=True)).covariance
        assert covariance is not None
        constant = self.summary.variances == 0.0
        covariance[constant, :] = 0.0
        covariance[:, constant] = 0.0
        return covariance

    def expected_statistics(
        self, mixture: Mixture, precision: Precision = Precision.DOUBLE
    ) -> SufficientStatistics:
        """The E-step over all rows.

        Raises
        ------
        DataError
            If these are not the rows of the first pass any more.
        """
        quick = precision is Precision.SINGLE and self._in_range_of_floats(mixture)
        task = Expect(mixture, Precision.SINGLE if quick else Precision.DOUBLE)
        statistics = self.added_up(task)
        known = self.summary.row_weight if self.may_change else statistics.row_weight
        if self.may_change and not np.isfinite(statistics.log_likelihood):
            # Rows are asked once only whether they are finite.
            known = np.nan
        if not abs(statistics.row_weight - known) <= SAME_WEIGHT * known:
            raise DataError(
                f"the rows changed during the fit: they weighed {known:.12g} altogether and now weigh "
                f"{statistics.row_weight:.12g}; fit again when nobody writes to them"
            )
        return statistics

    def _in_range_of_floats(self, mixture: Mixture) -> bool:
        """Whether squares of what separates rows from means, and weights, are well inside float32's range."""
        summary = self.summary
        ranges = summary.high - summary.low
        family, shape = mixture.family, mixture.means.shape
        variances = family.variances(mixture.covariances, *shape)
        with np.errstate(over="ignore", under="ignore"):
            farthest = (ranges**2 / variances).sum(axis=1).max()
        usual = ranges.max() < LARGE_FLOAT and variances.min() > LARGE_FLOAT**-2.0
        alike = summary.lightest >= 1.0 / ALIKE and summary.heaviest <= ALIKE
        return bool(usual and farthest < FAR_IN_FLOATS**2 and alike)

    def given_statistics(
        self, responsibilities: FloatArray, centres: FloatArray, kind: ScatterKind
    ) -> SufficientStatistics:
        """The same sums about given centres (K, D) with given responsibilities (N, K).

        Raises
        ------
        StartError
            If these are not for as many rows as there are.
        """
        n_rows, shape = self.n_rows, responsibilities.shape
        if n_rows is not None and shape != (n_rows, len(centres)):
            raise StartError(f"start responsibilities must have shape {(n_rows, len(centres))}; got {shape}")
        return self.added_up(Given(responsibilities, centres, kind))

    def tiles(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """All rows of positive weight in order, in tiles (n, D) with their weights (n,)."""
        size = kernels.tile_rows(len(self.feature_names), 8)
        for block in self.blocks():
            yield from kernels.tiles(block.matrix, block.weights, size)

    def sample(self, size: int, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """All rows with their weights if there are at most ``size``, else that many drawn by weight."""
        if self.summary.n_rows <= size:
            drawn = self.added_up(TakeAll())
            return drawn.matrix, drawn.weights
        # Sorted thresholds on the cumulated weight: one pass in order, each row drawn by its weight.
        drawn = self.added_up(TakeSome(np.sort(generator.random(size)) * self.summary.row_weight))
        # Rounding may leave the last thresholds beyond the last row.
        matrix, missing = drawn.matrix, size - len(drawn.matrix)
        if missing:
            matrix = np.r_[matrix, np.repeat(matrix[-1:], missing, axis=0)]
        return matrix, np.ones(size)
