"""Tables with one line a row, written piece by piece: CSV, or Parquet where the file's name says so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pyarrow.types as pt
from numpy.typing import NDArray

from gaussmix.data.blocks import Block
from gaussmix.errors import SettingsError
from gaussmix.modelfile import replaced_file

# Numbers in a row group of a Parquet file, at most, which are in memory at a time.
GROUP_VALUES = 1 << 21
# Packs as well as any and reads back at the speed of a disk.
COMPRESSION = "zstd"
OTHER_FORMATS = frozenset(
    [".gz", ".bz2", ".zst", ".xz", ".lz4", ".zip", ".npy", ".npz", ".arrow", ".feather", ".xlsx", ".json"]
)


class InBlocks(Protocol):
    """Rows that can be looked at a block at a time, in order: `BlockedRows` are."""

    def blocks(self) -> Iterator[Block]:
        """All rows, those of weight 0 included."""


Put = Callable[[list[NDArray[Any]]], None]


def blocks_of(rows: NDArray[Any] | InBlocks) -> Iterator[Block]:
    """The blocks of rows, wherever they live; a matrix (N, D) is one."""
    return iter([Block(rows, None, 0, 0.0)]) if isinstance(rows, np.ndarray) else rows.blocks()


def numbers_of(first: int, count: int, row_numbers: NDArray[Any] | None) -> NDArray[Any]:
    """What rows are called in a file: counted from 1, or as they were numbered before some were left out."""
    if row_numbers is None:
        return np.arange(first + 1, first + count + 1)
    return row_numbers[first : first + count]


@contextmanager
def row_table(path: str | Path, schema: pa.Schema) -> Iterator[Put]:
    """Open a file for columns that arrive in pieces; it is replaced whole or not at all.

    Parameters
    ----------
    path : str or Path
        A Parquet file if it ends in ``.parquet``, else CSV.
    schema : pyarrow.Schema
        Names and types of the columns.

    Yields
    ------
    callable
        Takes the columns (n,) of the next rows, in the schema's order.

    Raises
    ------
    OSError
        If the file cannot be written; an old one is then as it was.
    SettingsError
        If the name promises another format.
    """
    refuse_other_formats(path)
    with replaced_file(path) as file:
        table = parquet_table if Path(path).suffix.lower() == ".parquet" else csv_table
        with table(file, schema) as put:
            yield put


def refuse_other_formats(path: str | Path) -> None:
    """Refuse a name that promises neither CSV nor Parquet.

    Raises
    ------
    SettingsError
    """
    if Path(path).suffix.lower() in OTHER_FORMATS:
        raise SettingsError(
            f"{path}: rows are written as CSV, or as Parquet where the name ends in .parquet: choose another"
        )


@contextmanager
def csv_table(file: Any, schema: pa.Schema) -> Iterator[Put]:
    """Write CSV to an open file, a piece at a time."""
    with pyarrow.csv.CSVWriter(file, schema) as writer:
        yield lambda columns: writer.write_batch(_batch(columns, schema))


@contextmanager
def parquet_table(file: Any, schema: pa.Schema) -> Iterator[Put]:
    """Write Parquet to an open file; pieces are gathered into row groups, cut by their size alone."""
    size = max(GROUP_VALUES // len(schema), 1)
    waiting: list[pa.RecordBatch] = []
    with pyarrow.parquet.ParquetWriter(file, schema, compression=COMPRESSION) as writer:

        def flush() -> None:
            if waiting:
                writer.write_table(pa.Table.from_batches(waiting, schema), size)
                waiting.clear()

        def put(columns: list[NDArray[Any]]) -> None:
            batch = _batch(columns, schema)
            while n_waiting := sum(map(len, waiting)) + len(batch):
                if n_waiting < size:
                    waiting.append(batch)
                    return
                room = size - (n_waiting - len(batch))
                waiting.append(batch.slice(0, room))
                flush()
                batch = batch.slice(room)

        yield put
        flush()


def _batch(columns: list[NDArray[Any]], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [arrow_column(values, kind) for values, kind in zip(columns, schema.types, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def arrow_column(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Numbers or truths (n,) as a column of Arrow.

    Arrow's own way imports pandas where it is installed, and loses a Ctrl-C that comes meanwhile.
    """
    if pt.is_boolean(kind):
        plain = np.packbits(np.asarray(values, dtype=bool), bitorder="little")
    elif pt.is_integer(kind) or pt.is_floating(kind):
        letter = "f" if pt.is_floating(kind) else "i" if pt.is_signed_integer(kind) else "u"
        plain = np.ascontiguousarray(values, dtype=f"{letter}{kind.bit_width // 8}")
    else:
        return pa.array(values, type=kind)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(plain)])
