"""What workers do: load a partition, check it once, do a task on its blocks, and add up what came of it.

All of it is a pure function of the partition, so that a cluster may do it anywhere, and again.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

import gaussmix
from gaussmix import kernels
from gaussmix.data.blocks import Block, Task, Tree, added_up, block_rows
from gaussmix.data.checks import checked_matrix
from gaussmix.data.cluster.dask_load import Load, Pieces, RowsInBlocks
from gaussmix.data.cluster.sameness import ALL_BITS, bits_of, changed
from gaussmix.errors import DataError, GaussmixError
from gaussmix.kernels.contract import FloatArray
from gaussmix.kernels.threads import compute_threads, single_threaded_blas

ADVICE = (
    "; fit again when nobody writes to them. What makes a partition must make the same each time (random "
    "numbers need a seed): where it cannot, write them to files first"
)


@dataclass(frozen=True)
class PartFacts:
    """What the first pass learns of a partition."""

    n_rows: int
    """All of them, also those of no weight."""
    seen: int
    """The same with those that were left out."""
    row_weight: float
    heaviest: float
    """0 where there is no row."""
    digest: bytes
    """Of its numbers and weights."""
    bits: int
    """Of the same, as `bits_of` has them."""
    rounded: tuple[int, ...]
    """Features whose integers no float is equal to."""
    made_by: str
    """The version of this package and the kernel, where it was read."""


@dataclass(frozen=True, eq=False)
class Partial:
    """What came of one or more partitions that follow one another."""

    value: Any
    """A sum; None where there are no rows."""
    problem: GaussmixError | None = None
    """Why there is none. Of several problems, that of the first partition counts."""
    facts: tuple[PartFacts, ...] = ()
    """In the first pass."""

    def __add__(self, other: Self) -> Self:
        """Of both."""
        if self.problem is not None or other.problem is not None:
            return self if self.problem is not None else other
        values = [value for value in (self.value, other.value) if value is not None]
        value = values[0] + values[1] if len(values) == 2 else (values or [None])[0]
        return replace(self, value=value, facts=self.facts + other.facts)


def together(partials: list[Partial]) -> Partial:
    """The sum of partials in their order, as a fixed tree."""
    return added_up(partials)


@dataclass(frozen=True, eq=False)
class Work:
    """A task on one partition."""

    place: str
    """For messages."""
    names: tuple[str, ...]
    """D."""
    unit: float
    """Of the row weights: a power of two."""
    load: Load | None = None
    """None where there is nothing to be done before ``blocks()``."""
    source: RowsInBlocks | None = None
    """Where the partition is not handed over."""
    first: int = 0
    """Rows in the partitions before."""
    passed: float = 0.0
    """Their weight."""
    seen: int = 0
    """The same with rows that were left out."""
    n_rows: int | None = None
    """How many there must be; None before the first pass."""
    bits: int = 0
    """What bits they must have."""

    def as_a(self, kind: "type[Work]") -> "Work":
        """The same work of another kind."""
        return self if type(self) is kind else kind(**{f.name: getattr(self, f.name) for f in fields(self)})

    def __call__(self, task: Task[Any], data: Any = None, weights: Any = None) -> Partial:
        """What a task makes of the partition's rows; problems are handed over and not raised.

        A cluster would try again, though the same rows have the same problem, and what was raised
        first would be told, not what stands first.
        """
        if isinstance(data, Partial):
            return data
        with as_a_worker():
            try:
                return self._done(task, data, weights)
            except GaussmixError as problem:
                return Partial(None, problem)

    def blocks(self, data: Any, weights: Any) -> Iterator[Block]:
        """The partition's rows in blocks, with what comes before them in all partitions."""
        first, passed, bits = self.first, self.passed, 0
        size = block_rows(len(self.names))
        for whole in self.opened(data, weights).blocks():
            for block in _cut(whole, size):
                scaled = block.weights if self.unit == 1.0 else _divided(block.weights, self.unit)
                numbers = None if block.numbers is None else self.seen + block.numbers
                here = Block(block.matrix, scaled, first, passed, numbers)
                yield here
                first, passed = first + len(block.matrix), passed + here.row_weight
                bits = bits if self.n_rows is None else (bits + bits_of(here)) % ALL_BITS
        if self.n_rows is not None and (first - self.first, bits) != (self.n_rows, self.bits):
            raise changed(self.place, self.n_rows, first - self.first, ADVICE)

    def opened(self, data: Any, weights: Any) -> RowsInBlocks:
        """The partition, loaded where it has to be."""
        source: Any = data if self.source is None else self.source
        path = getattr(self.source, "path", None)
        if path is not None and not Path(path).exists():
            raise DataError(
                f"{self.place}: a worker that works in {Path.cwd()} finds no such file. Files must be at "
                "the same path on every worker (a shared disk), and paths not begin at a folder of this "
                "process: give them whole, from the root"
            )
        return source if self.load is None else self.load(source, weights)

    def _done(self, task: Task[Any], data: Any, weights: Any) -> Partial:
        tree: Tree[Any] = Tree()
        seen = False
        for block in self.blocks(data, weights):
            if len(block.matrix):
                tree.push(task(block))
                seen = True
        return Partial(tree.total() if seen else None)


@dataclass(frozen=True, eq=False)
class FirstLook(Work):
    """The first task on a partition, with all that has to be known of its rows before others."""

    def _done(self, task: Task[Any], data: Any, weights: Any) -> Partial:
        tree: Tree[Any] = Tree()
        hasher = hashlib.blake2b(digest_size=16)
        n_rows, row_weight, heaviest, bits = 0, 0.0, 0.0, 0
        part = _Checked(self.place, self.names, _reading(self.opened(data, weights)))
        with np.errstate(over="ignore", invalid="ignore"):
            for block in replace(self, load=None, source=part).blocks(None, None):
                if not len(block.matrix):
                    continue
                hasher.update(f"{block.matrix.dtype.str} {block.matrix.shape}".encode())
                hasher.update(np.ascontiguousarray(block.matrix).data)
                if block.weights is not None:
                    hasher.update(np.ascontiguousarray(block.weights).data)
                heaviest = max(heaviest, 1.0 if block.weights is None else float(block.weights.max()))
                n_rows, row_weight = n_rows + len(block.matrix), row_weight + block.row_weight
                bits = (bits + bits_of(block)) % ALL_BITS
                tree.push(task(block))
        facts = PartFacts(
            n_rows,
            max(n_rows, part.seen),
            row_weight,
            heaviest,
            hasher.digest(),
            bits,
            part.rounded,
            _made_by(),
        )
        return Partial(tree.total() if n_rows else None, facts=(facts,))


@dataclass(frozen=True, eq=False)
class _Checked:
    """A partition whose rows are looked at as they come."""

    place: str
    names: tuple[str, ...]
    part: RowsInBlocks

    @property
    def rounded(self) -> tuple[int, ...]:
        """Features whose integers no float is equal to."""
        return tuple(getattr(self.part, "rounded", ()))

    @property
    def seen(self) -> int:
        """Rows with those that were left out; 0 where none can be."""
        return int(getattr(self.part, "seen", 0))

    def blocks(self) -> Iterator[Block]:
        """Its rows.

        Raises
        ------
        DataError
            If a value is missing or infinite, or a weight is negative.
        """
        for block in self.part.blocks():
            _refuse(self.place, self.names, block)
            yield block


def _refuse(place: str, names: tuple[str, ...], block: Block) -> None:
    if not len(block.matrix):
        return
    try:
        checked_matrix(block.matrix, names)
    except DataError as error:
        begins = f", counted from its row {block.first}" if block.first else ""
        raise type(error)(f"{place}{begins}: {error}") from error
    if block.weights is None:
        return
    wrong = ~(np.isfinite(block.weights) & (block.weights >= 0.0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{place}: weights must be finite and not negative; row {block.first + row} has "
            f"{block.weights[row]}. Use 0 for a row that should not count."
        )


@dataclass(frozen=True, eq=False)
class Fetched:
    """Rows of a partition, brought to where they are asked for."""

    blocks: tuple[Block, ...]

    def __add__(self, other: Self) -> Self:
        """Of both."""
        return replace(self, blocks=self.blocks + other.blocks)


def fetch(block: Block) -> Fetched:
    """Take a block as it is."""
    return Fetched((block,))


@dataclass(frozen=True, eq=False)
class Keep:
    """Loads a partition so that it need not be loaded again."""

    work: Work

    def __call__(self, data: Any = None, weights: Any = None) -> Any:
        """What has its ``blocks()`` in memory, or the problem that it has."""
        try:
            opened = self.work.opened(data, weights)
            if isinstance(opened, Pieces):
                return opened
            part: Any = _reading(opened)
            # Who reads files may use the same memory for each block.
            held = tuple(replace(block, matrix=np.array(block.matrix)) for block in part.blocks())
            return Kept(held, getattr(part, "seen", 0), getattr(part, "rounded", ()))
        except GaussmixError as problem:
            return Partial(None, problem)


@dataclass(frozen=True, eq=False)
class Kept:
    """A part of files in memory."""

    held: tuple[Block, ...]
    seen: int
    """Rows with those that were left out."""
    rounded: tuple[int, ...]
    """Features whose integers no float is equal to."""

    def blocks(self) -> Iterator[Block]:
        """As they were read."""
        yield from self.held


@contextmanager
def as_a_worker() -> Iterator[None]:
    """Compute on one thread: as many tasks run beside one another as a worker has threads.

    GAUSSMIX_NUM_THREADS in the environment of a worker with one thread says otherwise. No result depends
    on it.
    """
    told = "GAUSSMIX_NUM_THREADS" in os.environ and _one_at_a_time()
    with single_threaded_blas(), compute_threads(None if told else 1):
        yield


def _one_at_a_time() -> bool:
    """Whether this is in a worker that does one task after the other."""
    import distributed

    try:
        return bool(distributed.get_worker().state.nthreads == 1)
    except ValueError:
        return False


def _reading(part: Any) -> RowsInBlocks:
    """One pass over a partition: where it can be, one that says what it finds."""
    found: RowsInBlocks = part.read() if hasattr(part, "read") else part
    return found


def _cut(block: Block, size: int) -> Iterator[Block]:
    if len(block.matrix) <= size:
        yield block
        return
    for start in range(0, len(block.matrix), size):
        here = slice(start, start + size)
        weights = None if block.weights is None else block.weights[here]
        numbers = None if block.numbers is None else block.numbers[here]
        yield Block(block.matrix[here], weights, block.first + start, 0.0, numbers)


def _divided(weights: FloatArray | None, unit: float) -> FloatArray | None:
    return None if weights is None else weights / unit


def _made_by() -> str:
    return f"{gaussmix.__version__}, {kernels.KERNEL_NAME}"
