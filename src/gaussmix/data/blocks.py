"""How rows are cut, wherever they live: into blocks by the shape alone, whose sums add up as one fixed tree.

The same rows cut alike give the same bits from an array, a file or a cluster.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gaussmix.kernels.contract import FloatArray

# Numbers in a block: few enough to hold some of them at a time, enough to keep many threads busy.
BLOCK_VALUES = 1 << 21


def block_rows(n_features: int) -> int:
    """Rows of a block, a power of two: a function of the shape only."""
    return 1 << max((BLOCK_VALUES // n_features).bit_length() - 1, 0)


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that follow one another."""

    matrix: NDArray[Any]
    """(n, D) of floats, any stride."""
    weights: FloatArray | None
    """(n,), or None where each counts 1."""
    first: int
    """How many rows come before it."""
    passed: float
    """Their weight."""
    numbers: NDArray[np.int64] | None = None
    """(n,), numbers of the rows in their files, from 1 on over all files, where rows may be left out."""

    @property
    def row_weight(self) -> float:
        """The weight of its rows."""
        return float(len(self.matrix) if self.weights is None else self.weights.sum())

    def pieces(self, n_rows: int) -> Iterator["Block"]:
        """The same in blocks of so many rows, at least one, for work that needs memory for each row."""
        passed = self.passed
        for start in range(0, max(len(self.matrix), 1), n_rows):
            part = slice(start, start + n_rows)
            weights = None if self.weights is None else self.weights[part]
            numbers = None if self.numbers is None else self.numbers[part]
            piece = Block(self.matrix[part], weights, self.first + start, passed, numbers)
            yield piece
            passed += piece.row_weight


class Summed(Protocol):
    """What tasks make of blocks: of neighbouring blocks, left and right, it adds up in that order."""

    def __add__(self, other: Self, /) -> Self:
        """The same of both together."""


T_co = TypeVar("T_co", bound=Summed, covariant=True)
T = TypeVar("T", bound=Summed)


class Task(Protocol[T_co]):
    """Work on one block. It can be pickled, so that it may be done on another machine."""

    def __call__(self, block: Block) -> T_co:
        """What the block's rows add to the whole."""


@runtime_checkable
class AtOnce(Protocol[T_co]):
    """A task that may be quicker on many blocks at once."""

    def at_once(self, rows: Block, part_rows: int) -> T_co | None:
        """What blocks of so many rows add up to as a `Tree`, to the last bit; None where it is no quicker."""


class Tree(Generic[T]):
    """Adds up as a tree whose shape depends on nothing but how many there are.

    Each level holds at most one sum, of twice as many as the level below: no more than the logarithm of
    their number is kept.
    """

    def __init__(self) -> None:
        self._levels: list[tuple[int, T]] = []

    def push(self, value: T) -> None:
        """Add the next one."""
        level = 0
        while self._levels and self._levels[-1][0] == level:
            value = self._levels.pop()[1] + value
            level += 1
        self._levels.append((level, value))

    def total(self) -> T:
        """The sum of all, of which there is at least one."""
        levels = list(self._levels)
        _, value = levels.pop()
        while levels:
            value = levels.pop()[1] + value
        return value


def added_up(values: Iterable[T]) -> T:
    """The sum of one or more, as a tree."""
    tree: Tree[T] = Tree()
    for value in values:
        tree.push(value)
    return tree.total()
