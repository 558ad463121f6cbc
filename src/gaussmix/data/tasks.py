"""What is asked of blocks of rows: how far they reach, their moments, the E-step, a sample."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gaussmix import kernels
from gaussmix.data.blocks import Block
from gaussmix.kernels.contract import FloatArray, Precision, ScatterKind
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

# Rows that are laid side by side to find smallest and largest values.
SIDE_BY_SIDE = 64


@dataclass(frozen=True, eq=False)
class Extent:
    """How many rows there are, how far they reach, and how they spread about their mean."""

    n_rows: int
    """Of positive weight."""
    row_weight: float
    low: FloatArray
    """(D,)."""
    high: FloatArray
    """(D,)."""
    lightest: float
    """The smallest positive weight."""
    heaviest: float
    centre: FloatArray
    """(D,), near the mean."""
    offsets: FloatArray
    """(D,), sum w (x - centre): what rounding the centre has left."""
    squares: FloatArray
    """(D,), sum w (x - centre)^2."""
    products: FloatArray | None
    """(D, D), sum w (x - centre)(x - centre)^T, where it was asked for."""

    @property
    def mean(self) -> FloatArray:
        """(D,)."""
        return self.centre + self.offsets / self.row_weight

    @property
    def variances(self) -> FloatArray:
        """About the mean itself, divided by the row weight: (D,)."""
        left = self.offsets / self.row_weight
        # Columns whose squares are no floats are refused once they are known.
        with np.errstate(over="ignore", invalid="ignore"):
            return self.squares / self.row_weight - left * left

    @property
    def covariance(self) -> FloatArray | None:
        """The same of products: (D, D)."""
        left = self.offsets / self.row_weight
        return None if self.products is None else self.products / self.row_weight - left[:, None] * left

    def about(self, centre: FloatArray) -> Self:
        """The same sums about another centre (D,)."""
        by, weight = centre - self.centre, self.row_weight
        products = self.products
        if products is not None:
            crossed = by[:, None] * self.offsets
            products = products - crossed - crossed.T + weight * by[:, None] * by
        squares = self.squares - 2.0 * by * self.offsets + weight * by * by
        return replace(
            self, centre=centre, offsets=self.offsets - weight * by, squares=squares, products=products
        )

    def __add__(self, other: Self) -> Self:
        """Of both, about the mean of both as near as a double gets to it.

        The pairwise update of Chan, Golub and LeVeque, The American Statistician 37 (1983) 242, with what
        rounding a mean leaves carried along: far from the origin that is where the digits would go.
        """
        if not (self.n_rows and other.n_rows):
            return self if self.n_rows else other
        centre = self.centre + (other.centre - self.centre) * (
            other.row_weight / (self.row_weight + other.row_weight)
        )
        one, two = self.about(centre), other.about(centre)
        both = replace(
            self,
            n_rows=self.n_rows + other.n_rows,
            row_weight=self.row_weight + other.row_weight,
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
            lightest=min(self.lightest, other.lightest),
            heaviest=max(self.heaviest, other.heaviest),
            centre=centre,
            offsets=one.offsets + two.offsets,
            squares=one.squares + two.squares,
        )
        if one.products is None or two.products is None:
            return replace(both, products=None)
        return replace(both, products=one.products + two.products)


@dataclass(frozen=True)
class Measure:
    """Finds the extent of a block, in two looks so that nothing cancels."""

    products: bool
    """Whether how columns vary together is wanted, too."""

    def __call__(self, block: Block) -> Extent:
        """Of one block; n_rows is 0 where no row has weight."""
        n_features = block.matrix.shape[1]
        low, high = np.full(n_features, np.inf), np.full(n_features, -np.inf)
        present = None if block.weights is None else block.weights[block.weights > 0.0]
        n_rows = len(block.matrix) if present is None else len(present)
        row_weight = block.row_weight
        if n_rows == len(block.matrix):
            low, high = _extremes(block.matrix)
        else:
            for tile, _ in tiles_of(block):
                low, high = np.minimum(low, tile.min(axis=0)), np.maximum(high, tile.max(axis=0))
        if n_rows == 0:
            nothing = np.zeros(n_features)
            products = np.zeros((n_features, n_features)) if self.products else None
            return Extent(0, 0.0, low, high, np.inf, 0.0, nothing, nothing, nothing, products)
        middle = 0.5 * low + 0.5 * high
        mean = middle + _about(block, middle, ScatterKind.DIAGONAL).mean_offsets[0]
        mean = np.where(low == high, low, mean)
        sums = _about(block, mean, ScatterKind.DIAGONAL).sums
        products = _about(block, mean, ScatterKind.FULL).sums.scatter[0] if self.products else None
        lightest, heaviest = (1.0, 1.0) if present is None else (present.min(), present.max())
        return Extent(
            n_rows=n_rows,
            row_weight=row_weight,
            low=low,
            high=high,
            lightest=float(lightest),
            heaviest=float(heaviest),
            centre=mean,
            offsets=sums.offsets[0],
            squares=sums.scatter[0],
            products=products,
        )


@dataclass(frozen=True, eq=False)
class Expect:
    """The E-step on a block."""

    mixture: Mixture
    precision: Precision
    """``SINGLE`` only where all rows are in the range of floats."""

    def __call__(self, block: Block) -> SufficientStatistics:
        """Its sums, weighted by responsibilities."""
        kind, means = self.mixture.family.scatter, self.mixture.means
        given = (block.matrix, block.weights, self.mixture.components, kind)
        quick = kernels.quick_sums(*given) if self.precision is Precision.SINGLE else None
        if quick is not None:
            return SufficientStatistics(quick, means, kind, Precision.SINGLE)
        return SufficientStatistics(kernels.expected_sums(*given), means, kind)

    def at_once(self, rows: Block, part_rows: int) -> SufficientStatistics | None:
        """The same over many blocks, if the kernel can: its threads need not begin and end with each."""
        kind, means = self.mixture.family.scatter, self.mixture.means
        given = (rows.matrix, rows.weights, self.mixture.components, kind, part_rows)
        found = kernels.sums_in_parts(*given, self.precision is Precision.SINGLE)
        if found is None:
            return None
        sums, quick = found
        return SufficientStatistics(sums, means, kind, Precision.SINGLE if quick else Precision.DOUBLE)


@dataclass(frozen=True, eq=False)
class Given:
    """Sums of a block about centres (K, D) with the responsibilities (N, K) of all rows."""

    responsibilities: FloatArray
    centres: FloatArray
    kind: ScatterKind

    def __call__(self, block: Block) -> SufficientStatistics:
        """Its sums."""
        held = self.responsibilities[block.first : block.first + len(block.matrix)]
        sums = kernels.given_sums(block.matrix, block.weights, held, self.centres, self.kind)
        return SufficientStatistics(sums, self.centres, self.kind)


@dataclass(frozen=True, eq=False)
class Totals:
    """Numbers and arrays that are sums over rows."""

    values: tuple[Any, ...]

    def __add__(self, other: Self) -> Self:
        """One by one."""
        return replace(self, values=tuple(a + b for a, b in zip(self.values, other.values, strict=True)))


@dataclass(frozen=True, eq=False)
class Drawn:
    """Some rows with their weights, in order."""

    matrix: FloatArray
    """(n, D)."""
    weights: FloatArray
    """(n,)."""

    def __add__(self, other: Self) -> Self:
        """Those of both."""
        return replace(
            self,
            matrix=np.concatenate([self.matrix, other.matrix]),
            weights=np.concatenate([self.weights, other.weights]),
        )


@dataclass(frozen=True)
class TakeAll:
    """Takes each row of positive weight."""

    def __call__(self, block: Block) -> Drawn:
        """Those of one block."""
        return Drawn(*_present(block))


@dataclass(frozen=True, eq=False)
class TakeSome:
    """Takes the row in which each threshold on the cumulated weight lies."""

    thresholds: FloatArray
    """(n,), rising, between 0 and the weight of all rows."""

    def __call__(self, block: Block) -> Drawn:
        """Those of one block."""
        end = block.passed + block.row_weight
        first, last = np.searchsorted(self.thresholds, [block.passed, end], side="right")
        # The very first may be 0, and belongs to the first row.
        own = self.thresholds[0 if block.passed == 0.0 else first : last] - block.passed
        if not len(own):
            return Drawn(np.empty((0, block.matrix.shape[1])), np.empty(0))
        weights = np.ones(len(block.matrix)) if block.weights is None else block.weights
        reached = np.cumsum(weights)
        present = np.flatnonzero(weights)
        inside = np.clip(np.searchsorted(reached, own, side="left"), present[0], present[-1])
        return Drawn(np.asarray(block.matrix[inside], dtype=np.float64), np.ones(len(own)))


@dataclass(frozen=True, eq=False)
class Distinct:
    """Different rows, in lexicographic order."""

    matrix: FloatArray
    """(n, D)."""
    most: int
    """More are not looked for."""

    def __add__(self, other: Self) -> Self:
        """Those of both."""
        found = np.unique(np.r_[self.matrix, other.matrix], axis=0)
        return replace(self, matrix=found[: self.most])


@dataclass(frozen=True)
class TakeDistinct:
    """Takes different rows, no more than so many."""

    most: int

    def __call__(self, block: Block) -> Distinct:
        """Those of one block."""
        found = np.empty((0, block.matrix.shape[1]))
        for tile, _ in tiles_of(block):
            found = np.unique(np.r_[found, tile], axis=0)
            if len(found) >= self.most:
                break
        return Distinct(found[: self.most], self.most)


def tiles_of(block: Block) -> Iterator[tuple[FloatArray, FloatArray | None]]:
    """Its rows of positive weight as float64, a tile at a time, with their weights."""
    return kernels.tiles(block.matrix, block.weights, kernels.tile_rows(block.matrix.shape[1], 8))


def _present(block: Block) -> tuple[FloatArray, FloatArray]:
    matrix = np.array(block.matrix, dtype=np.float64)
    if block.weights is None:
        return matrix, np.ones(len(matrix))
    present = block.weights > 0.0
    return matrix[present], block.weights[present]


def _extremes(matrix: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest values of the columns of (n, D), n at least 1: (D,) each."""
    n_rows, n_features = matrix.shape
    low, high = matrix[:1], matrix[:1]
    if matrix.flags.c_contiguous and n_rows >= SIDE_BY_SIDE:
        # NumPy is slow along a first axis where the last one is short: some rows are laid side by side.
        whole = n_rows // SIDE_BY_SIDE * SIDE_BY_SIDE
        wide = matrix[:whole].reshape(-1, SIDE_BY_SIDE * n_features)
        low, high = (
            found.reshape(SIDE_BY_SIDE, n_features) for found in (wide.min(axis=0), wide.max(axis=0))
        )
        matrix = matrix[whole:]
    if len(matrix):
        low, high = np.r_[low, [matrix.min(axis=0)]], np.r_[high, [matrix.max(axis=0)]]
    return low.min(axis=0).astype(np.float64), high.max(axis=0).astype(np.float64)


def _about(block: Block, centre: FloatArray, kind: ScatterKind) -> SufficientStatistics:
    """Weighted sums of x - centre, and of its squares or products, over a block."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        sums = kernels.given_sums(block.matrix, block.weights, None, centre[None], kind)
    return SufficientStatistics(sums, centre[None], kind)
