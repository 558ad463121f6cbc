"""What Spark's Python workers do: read a partition's rows, pack them, run a task on them, add sums up.

Rows come as Arrow batches, either as Spark has them (a list of numbers a row) or packed: bytes of some
thousand numbers a cell, which lie one behind the other in Arrow's buffer and are a matrix as they lie.
"""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gaussmix.data.blocks import Block, Task, Tree
from gaussmix.data.checks import first_not_finite
from gaussmix.data.cluster.sameness import ALL_BITS, bits_of
from gaussmix.errors import DataError, GaussmixError
from gaussmix.kernels.contract import FloatArray
from gaussmix.kernels.threads import compute_threads, single_threaded_blas

# Bytes of a packed cell: Spark puts up to 10,000 cells into one Arrow batch, which is held whole.
CELL_BYTES = 1 << 14
PACKED = "number int, cells binary, weights binary, refusal binary"
SUMMED = "bunch int, number int, content binary"

Piece = tuple[NDArray[Any], FloatArray | None]


@dataclass(frozen=True)
class Layout:
    """How a partition's rows lie in batches, and what to call their columns."""

    feature_names: tuple[str, ...]
    single: bool
    """Whether they are 32-bit floats."""
    weighted: bool
    packed: bool

    def pieces(self, batches: Iterator[pa.RecordBatch], number: int) -> Iterator[Piece]:
        """Rows (n, D) and their weights (n,), some at a time, in order.

        Raises
        ------
        DataError
            Naming partition ``number``, row and column of a value that is no finite number.
        """
        return self._unpacked(batches) if self.packed else self._checked(batches, number)

    def _unpacked(self, batches: Iterator[pa.RecordBatch]) -> Iterator[Piece]:
        for batch in batches:
            refusals = batch.column(3).drop_null()
            if len(refusals):
                raise pickle.loads(refusals[0].as_py())  # noqa: S301 - what our own tasks have pickled
            if len(batch):
                weights = _joined(batch.column(2)).view(np.float64) if self.weighted else None
                yield self.matrix(_joined(batch.column(1))), weights

    def matrix(self, cells: NDArray[np.uint8]) -> NDArray[Any]:
        """Bytes as rows (n, D)."""
        return cells.view(self.dtype).reshape(-1, len(self.feature_names))

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """Of the numbers."""
        return np.float32 if self.single else np.float64

    def _checked(self, batches: Iterator[pa.RecordBatch], number: int) -> Iterator[Piece]:
        first = 0
        for batch in batches:
            rows = batch.column(0)
            self._refuse_lengths(rows, number, first)
            values = rows.flatten().to_numpy(zero_copy_only=False)
            matrix = np.asarray(values, dtype=self.dtype).reshape(-1, len(self.feature_names))
            if (found := first_not_finite(matrix)) is not None:
                row, column = found
                raise _refused(number, first + row, self.feature_names[column], matrix[row, column])
            weights = _weights(batch.column(1), number, first) if self.weighted else None
            yield matrix, weights
            first += len(matrix)

    def _refuse_lengths(self, rows: pa.Array, number: int, first: int) -> None:
        lengths = pc.fill_null(pc.list_value_length(rows), -1).to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(lengths != len(self.feature_names))
        if len(wrong):
            length = lengths[wrong[0]]
            told = "is missing (null)" if length < 0 else f"has {length} values"
            raise DataError(
                f"{_where(number, first + wrong[0])}: the vector {told}; every row must have the "
                f"{len(self.feature_names)} values that the first row has. Drop such rows, or mend them"
            )


@dataclass(frozen=True)
class Pack:
    """Packs a partition's rows, so that they are checked once and each pass reads them as they lie."""

    layout: Layout

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Cells of rows, of their weights, and, after the last that are sound, a refusal."""
        number = _partition()
        width = len(self.layout.feature_names) * np.dtype(self.layout.dtype).itemsize
        n_rows = max(CELL_BYTES // width, 1)
        try:
            for matrix, weights in self.layout.pieces(batches, number):
                starts = range(0, len(matrix), n_rows)
                cells: list[bytes | None] = [matrix[i : i + n_rows].tobytes() for i in starts]
                beside: list[bytes | None] = [None] * len(cells)
                if weights is not None:
                    beside = [weights[i : i + n_rows].tobytes() for i in starts]
                yield _packed(number, cells, beside, [None] * len(cells))
        except DataError as error:
            yield _packed(number, [None], [None], [pickle.dumps(error)])
            _read_to_the_end(batches)


@dataclass(frozen=True)
class Count:
    """What a pass saw of a partition."""

    number: int
    n_rows: int
    row_weight: float
    bits: int
    """Of its numbers and weights, as `bits_of` has them."""
    digest: bytes
    """Of the same, on the first pass."""


@dataclass(frozen=True, eq=False)
class Partial:
    """What a pass made of some partitions that follow one another."""

    counts: list[Count]
    value: Any
    error: GaussmixError | None = None


@dataclass(frozen=True)
class Place:
    """Where a partition's rows stand among all."""

    rank: int
    """How many partitions with rows come before it."""
    first: int
    passed: float


NOWHERE = Place(0, 0, 0.0)


@dataclass(frozen=True, eq=False)
class Pass:
    """A task's pass over the rows of a partition."""

    layout: Layout
    block_rows: int
    task: bytes
    """Pickled."""
    places: dict[int, Place] | None
    """By partition; None on the first pass, whose task asks for none."""
    n_joined: int
    """How many partitions' sums are then added up together."""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One record; none of an empty partition."""
        number = _partition()
        place = NOWHERE if self.places is None else self.places.get(number, NOWHERE)
        try:
            with task_threads():
                found = self._done(batches, number, place)
        except GaussmixError as error:
            found = Partial([], None, error)
            _read_to_the_end(batches)
        if found is not None:
            rank = number if self.places is None else place.rank
            yield _summed(rank // self.n_joined, rank, found)

    def _done(self, batches: Iterator[pa.RecordBatch], number: int, place: Place) -> Partial | None:
        task: Task[Any] = pickle.loads(self.task)  # noqa: S301 - what our own tasks have pickled
        tree: Tree[Any] = Tree()
        digests = None if self.places is not None else (blake2b(digest_size=16), blake2b(digest_size=16))
        n_rows, row_weight, bits = 0, 0.0, 0
        for block in blocks_of(self.layout.pieces(batches, number), self.block_rows, place):
            tree.push(task(block))
            n_rows, row_weight = n_rows + len(block.matrix), row_weight + block.row_weight
            bits = (bits + bits_of(block)) % ALL_BITS
            if digests is not None:
                digests[0].update(np.ascontiguousarray(block.matrix).data)
                digests[1].update(b"" if block.weights is None else np.ascontiguousarray(block.weights).data)
        if n_rows == 0:
            return None
        digest = b"" if digests is None else b"".join(part.digest() for part in digests)
        return Partial([Count(number, n_rows, row_weight, bits, digest)], tree.total())


@dataclass(frozen=True)
class Join:
    """Adds up sums of partitions that follow one another, so many together, as the whole tree would."""

    n_joined: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One record a bunch, in place of those in it."""
        bunches: dict[int, list[tuple[int, bytes]]] = {}
        for batch in batches:
            for bunch, number, content in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                bunches.setdefault(bunch, []).append((number, content))
        for bunch, contents in sorted(bunches.items()):
            joined = joined_up(content for _, content in sorted(contents))
            yield _summed(bunch // self.n_joined, bunch, joined)


def joined_up(contents: Iterator[bytes]) -> Partial:
    """What pickled partials, in order, make together; the first error, if there is one."""
    tree: Tree[Any] = Tree()
    counts: list[Count] = []
    for content in contents:
        partial: Partial = pickle.loads(content)  # noqa: S301 - what our own tasks have pickled
        if partial.error is not None:
            return partial
        counts += partial.counts
        tree.push(partial.value)
    return Partial(counts, tree.total() if counts else None)


def blocks_of(pieces: Iterator[Piece], size: int, place: Place) -> Iterator[Block]:
    """Rows that come in pieces of any length, cut into blocks of ``size``."""
    first, passed = place.first, place.passed
    held: list[Piece] = []
    n_held = 0
    for matrix, weights in pieces:
        start = 0
        while len(matrix) - start >= size - n_held:
            end = start + size - n_held
            held.append((matrix[start:end], None if weights is None else weights[start:end]))
            block = _block(held, first, passed)
            yield block
            first, passed = first + size, passed + block.row_weight
            start, held, n_held = end, [], 0
        if start < len(matrix):
            held.append((matrix[start:], None if weights is None else weights[start:]))
            n_held += len(matrix) - start
    if held:
        yield _block(held, first, passed)


def _block(held: list[Piece], first: int, passed: float) -> Block:
    if len(held) == 1:
        return Block(*held[0], first, passed)
    weights = [part for _, part in held if part is not None]
    return Block(
        np.concatenate([part for part, _ in held]),
        np.concatenate(weights) if weights else None,
        first,
        passed,
    )


def _weights(column: pa.Array, number: int, first: int) -> FloatArray:
    weights = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0.0)))
    if len(wrong):
        raise DataError(
            f"{_where(number, first + wrong[0])} has the weight {weights[wrong[0]]}: weights must be finite "
            "and not negative. Use 0 for a row that should not count"
        )
    return weights


def _refused(number: int, row: int, name: str, value: float) -> DataError:
    where = f"{_where(number, row)}, column {name!r}"
    if np.isnan(value):
        return DataError(
            f"{where} is missing (null or NaN). Drop such rows (df.dropna()), or fill them in first "
            "(pyspark.ml.feature.Imputer)"
        )
    return DataError(
        f"{where} is {value}. Mend or drop the row; a ratio with a zero denominator or the logarithm of 0 is "
        "the usual cause"
    )


def _where(number: int, row: int) -> str:
    return f"row {row} of partition {number} (both counted from 0)"


def _joined(column: pa.Array) -> NDArray[np.uint8]:
    """The bytes of all cells, one behind the other, as they lie."""
    wide = pa.types.is_large_binary(column.type)
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int64 if wide else np.int32)[column.offset :][: len(column) + 1]
    return np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]


def _packed(number: int, *cells: list[bytes | None]) -> pa.RecordBatch:
    numbers = pa.array([number] * len(cells[0]), pa.int32())
    columns = [numbers, *(pa.array(part, pa.binary()) for part in cells)]
    return pa.RecordBatch.from_arrays(columns, ["number", "cells", "weights", "refusal"])


def _summed(bunch: int, number: int, content: Partial) -> pa.RecordBatch:
    kept = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
    columns = [pa.array([bunch], pa.int32()), pa.array([number], pa.int32()), pa.array([kept], pa.binary())]
    return pa.RecordBatch.from_arrays(columns, ["bunch", "number", "content"])


def _read_to_the_end(batches: Iterator[pa.RecordBatch]) -> None:
    """Spark ends a worker that leaves something unread, and starting another takes seconds."""
    for _ in batches:
        pass


def _partition() -> int:
    from pyspark import TaskContext

    context = TaskContext.get()
    assert context is not None, "only Spark's workers do this"
    return context.partitionId()


@contextmanager
def task_threads() -> Iterator[None]:
    """Compute on the processors that Spark gives a task, for it runs others on the rest."""
    from pyspark import TaskContext

    context = TaskContext.get()
    with compute_threads(1 if context is None else max(context.cpus(), 1)), single_threaded_blas():
        yield
