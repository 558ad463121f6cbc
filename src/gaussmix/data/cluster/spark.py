"""Rows in a Spark DataFrame: each pass is work that Spark's executors do where the rows are."""

import hashlib
import pickle
import warnings
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from typing import Any, Self

import numpy as np

from gaussmix.computed import cached_property
from gaussmix.data.blocked import BlockedRows
from gaussmix.data.blocks import Block, T, Task, block_rows
from gaussmix.data.checks import HEAVIEST, LIGHTEST, refuse_unusable_columns
from gaussmix.data.cluster.sameness import changed
from gaussmix.data.cluster.spark_work import (
    NOWHERE,
    PACKED,
    SUMMED,
    Count,
    Join,
    Layout,
    Pack,
    Pass,
    Piece,
    Place,
    blocks_of,
    joined_up,
)
from gaussmix.data.files.columns import shortened
from gaussmix.data.rows import RowsSummary
from gaussmix.data.tasks import Extent, Given, Measure
from gaussmix.errors import DataError, DataWarning, FitError, StartError

try:
    from py4j.protocol import Py4JError  # type: ignore[import-untyped]
    from pyspark import StorageLevel, cloudpickle
    from pyspark.errors import PySparkException
    from pyspark.sql import DataFrame, Row
    from pyspark.sql import functions as sf

    from gaussmix.data.cluster.spark_columns import (
        checked_fields,
        column_named,
        is_nested,
        is_single,
        names_inside,
        row_values,
    )
except ImportError as missing:
    raise DataError(
        f'rows in Spark need the package {missing.name}: pip install "gaussmix[spark]"'
    ) from missing

# Sums of so many bytes are added up on the executors before the driver gets any.
LARGE_REDUCTION = 1 << 26
# How many sums are added up together there; a power of two, so that the tree is the same tree.
JOINED = 16
# Numbers in a partition, which are worked on sooner than Spark hands out a task.
SMALL_PARTITION = 1 << 15
# What a pass saw of a partition that it did not see.
NOTHING = Count(0, 0, 0.0, 0, b"")
ADVICE = (
    ". What makes the DataFrame must make the same rows each time: write it to a file or checkpoint it first"
)


class SparkRows(BlockedRows):
    """Rows in a Spark DataFrame.

    Each pass is one Spark job (``mapInArrow``), of which the driver gets sums alone, and adds them up in
    the order of the partitions. The rows are kept by Spark, packed, for as long as this object is open,
    so that they are read and checked once; where an executor is lost, Spark makes its partitions again.

    The partitions, and the rows in each, must come out alike whenever Spark makes them. Where they do
    not (``rand()`` without a seed, ``limit`` or ``sample`` of an unsorted table), write the DataFrame to a
    file or checkpoint it first. A pass that sees other numbers of rows, or another weight, is refused.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
    columns : str or sequence of str, optional
        Columns of numbers, or one column of vectors (``pyspark.ml.linalg``) or arrays of numbers; by
        default all that are numbers, or else the only column of vectors.
    weights : str, optional
        A column of row weights: 2 counts a row twice, 0 leaves it out.
    persist : bool, optional
        Whether Spark keeps the rows packed (``MEMORY_AND_DISK``) between passes; by default unless the
        DataFrame is persisted itself.

    Raises
    ------
    DataError
        If there are no such columns.
    DataKindError
        If they are not numbers.
    """

    def __init__(
        self,
        frame: DataFrame,
        *,
        columns: str | Sequence[str] | None = None,
        weights: str | None = None,
        persist: bool | None = None,
    ) -> None:
        chosen, self._notes = checked_fields(frame, columns, weights)
        self._columns, self._weights = tuple(field.name for field in chosen), weights
        self._field = chosen[0]
        self._nested = is_nested(chosen[0].dataType)
        self._single = all(is_single(field.dataType) for field in chosen)
        parts = [row_values(chosen, self._single).alias("values")]
        if weights is not None:
            parts.append(column_named(weights).cast("double").alias("weight"))
        self._read = frame.select(*parts)
        self._types = [field.simpleString() for field in chosen]
        self._persist = not _is_kept(frame) if persist is None else persist
        self._places: dict[int, Place] | None = None
        self._counts: dict[int, Count] = {}
        self._closing: weakref.finalize[..., Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let Spark forget what it keeps of the rows; a later pass has it read them again."""
        if self._closing is not None:
            self._closing()
        self.__dict__.pop("_source", None)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """D names: of the columns, or those that a ``VectorAssembler`` left in the vectors' metadata.

        Raises
        ------
        DataError
            If there are no rows.
        """
        return self._feature_names

    @cached_property
    def _feature_names(self) -> tuple[str, ...]:
        if not self._nested:
            return self._columns
        with _told():
            found = self._read.select(sf.size("values")).where(sf.col("values").isNotNull()).head()
        if found is None:
            raise DataError("the DataFrame has no rows: there is nothing to fit")
        if found[0] == 0:
            raise DataError(f"column {self._columns[0]!r} holds vectors without values")
        return names_inside(self._field, found[0])

    @cached_property
    def fingerprint(self) -> str:
        """Of all numbers, in order, and their columns; another if partitions are cut otherwise."""
        _ = self.summary
        digest = hashlib.sha256(repr((self._types, self.feature_names, self._weights)).encode())
        for _number, count in sorted(self._counts.items()):
            digest.update(f"{count.n_rows} ".encode() + count.digest)
        return f"spark:{digest.hexdigest()}"

    @cached_property
    def _source(self) -> tuple[DataFrame, Layout]:
        """What passes read."""
        layout = Layout(self.feature_names, self._single, self._weights is not None, packed=False)
        if not self._persist:
            return self._read, layout
        packed = self._packed().persist(StorageLevel.MEMORY_AND_DISK)
        self._closing = weakref.finalize(self, _forget, packed)
        # At the interpreter's end there is no Spark to tell.
        self._closing.atexit = False
        return packed, Layout(layout.feature_names, layout.single, layout.weighted, packed=True)

    def _packed(self) -> DataFrame:
        layout = Layout(self.feature_names, self._single, self._weights is not None, packed=False)
        return self._read.mapInArrow(Pack(layout), PACKED)

    @cached_property
    def _extent(self) -> Extent:
        extent: Extent = super()._extent
        if extent.n_rows == 0:
            raise DataError(f"weights {self._weights!r} are zero in every row: nothing to fit")
        if extent.heaviest > HEAVIEST or extent.heaviest < LIGHTEST:
            raise DataError(
                f"weights {self._weights!r} reach {extent.heaviest:g}; divide them by a constant, for they "
                "are counts of rows"
            )
        magnitudes = np.maximum(np.abs(extent.low), np.abs(extent.high))
        for name, kind, magnitude in zip(self._columns, self._types, magnitudes, strict=False):
            if kind.endswith(":bigint") and magnitude > 2.0**53:
                warnings.warn(
                    f"column {name!r} holds integers beyond 2^53, which were rounded to the nearest 64-bit "
                    "float; if they are identifiers, leave the column out",
                    DataWarning,
                    stacklevel=2,
                )
        return extent

    @cached_property
    def _summary(self) -> RowsSummary:
        summary = super()._summary
        refuse_unusable_columns(summary, self.feature_names)
        return summary

    def added_up(self, task: Task[T]) -> T:
        """What a task makes of all rows: done on the executors and added up as a fixed tree.

        Raises
        ------
        DataError
            If a value is no finite number, if there are no rows, or if they are not those of the first pass.
        FitError
            If Spark cannot do it.
        StartError
            If the task needs responsibilities of single rows.
        """
        if isinstance(task, Given):
            raise StartError(
                "start responsibilities or labels need rows in memory; rows in Spark can start from "
                "weights, means and covariances"
            )
        if self._places is None and not isinstance(task, Measure):
            _ = self._extent
        source, layout = self._source
        pickled: bytes = cloudpickle.dumps(task)  # type: ignore[no-untyped-call]
        size = block_rows(len(layout.feature_names))
        work = Pass(layout, size, pickled, self._places, JOINED)
        with _told():
            sums = source.mapInArrow(work, SUMMED)
            # A partial is about as large as the task (a mixture), or as a scatter.
            large = len(pickled) + 8 * len(layout.feature_names) ** 2
            n_sums = len(self._places or ())
            while n_sums > JOINED and n_sums * large > LARGE_REDUCTION:
                n_sums = -(-n_sums // JOINED)
                sums = sums.repartition(n_sums, "bunch").mapInArrow(Join(JOINED), SUMMED)
            records = sums.collect()
        ordered = sorted(records, key=lambda record: record.number)
        total = joined_up(bytes(record.content) for record in ordered)
        if total.error is not None:
            raise total.error
        self._compare(total.counts)
        value: T = total.value
        return value

    def blocks(self) -> Iterator[Block]:
        """All rows in order, brought here one partition at a time, each cut as `block_rows` says."""
        source, layout = self._source
        packed = source if layout.packed else self._packed()
        size, place = block_rows(len(layout.feature_names)), NOWHERE
        with _told():
            for _number, records in groupby(packed.toLocalIterator(), lambda record: record.number):
                first, passed = place.first, place.passed
                for block in blocks_of(_pieces(records, layout), size, place):
                    yield block
                    first, passed = first + len(block.matrix), passed + block.row_weight
                place = Place(0, first, passed)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, a sentence each."""
        return self._notes

    def _compare(self, counts: list[Count]) -> None:
        """Remember what each partition holds, or refuse another number of rows than was remembered."""
        if self._places is None:
            if not counts:
                raise DataError("the DataFrame has no rows: there is nothing to fit")
            self._counts = {count.number: count for count in counts}
            mean_values = sum(count.n_rows for count in counts) * len(self._feature_names) / len(counts)
            if len(counts) > JOINED and mean_values < SMALL_PARTITION:
                self._notes += (
                    f"{len(counts)} partitions have {mean_values / len(self._feature_names):.0f} rows on "
                    "average: passes take less time over fewer and larger ones (coalesce)",
                )
            self._places, first, passed = {}, 0, 0.0
            for rank, count in enumerate(counts):
                self._places[count.number] = Place(rank, first, passed)
                first, passed = first + count.n_rows, passed + count.row_weight
            return
        seen = {count.number: count for count in counts}
        for number in sorted(seen.keys() | self._counts.keys()):
            known, now = (found.get(number, NOTHING) for found in (self._counts, seen))
            if (now.n_rows, now.bits) != (known.n_rows, known.bits):
                raise changed(f"partition {number}", known.n_rows, now.n_rows, ADVICE)


def _is_kept(frame: DataFrame) -> bool:
    level = frame.storageLevel
    return bool(level.useMemory or level.useDisk)


def _pieces(records: Iterator[Row], layout: Layout) -> Iterator[Piece]:
    for record in records:
        if record.refusal is not None:
            raise pickle.loads(record.refusal)  # noqa: S301 - what our own tasks have pickled
        weights = None if record.weights is None else np.frombuffer(record.weights, np.float64)
        yield layout.matrix(np.frombuffer(record.cells, np.uint8)), weights


def _forget(packed: DataFrame) -> None:
    # Where Spark is gone, so is what it kept.
    with suppress(PySparkException, Py4JError, OSError, AttributeError):
        packed.unpersist()


@contextmanager
def _told() -> Iterator[None]:
    """Say in a sentence why Spark could not do something."""
    try:
        yield
    except (PySparkException, Py4JError, ConnectionError) as error:
        text = str(error)
        if "No module named 'gaussmix'" in text:
            raise FitError(
                "Spark's executors do not find gaussmix: install it on every machine, for the Python that "
                "PYSPARK_PYTHON or spark.pyspark.python names"
            ) from error
        lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
        raise FitError(f"Spark could not pass over the rows: {shortened(lines[0], 300)}") from error
