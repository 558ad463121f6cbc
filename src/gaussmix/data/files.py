"""Tables in files: CSV, Parquet, Arrow and .npy, brought to a matrix of numbers with named columns."""

import io
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gaussmix.data.checks import first_not_finite
from gaussmix.data.columns import checked_columns, unique_names
from gaussmix.data.csvfile import read_csv
from gaussmix.errors import DataError

BATCH_ROWS = 1 << 16
MAGIC_BYTES = 8


@dataclass(frozen=True, eq=False)
class Table:
    """The numbers of a file.

    Parameters
    ----------
    matrix : (N, D) array
        float32 where every column is, else float64.
    feature_names : tuple of str
    notes : tuple of str
        What was left out, renamed or guessed.
    row_numbers : (N,) array or None
        Numbers of the rows in the file, counted from 1, where some were left out.
    """

    matrix: NDArray[Any]
    feature_names: tuple[str, ...]
    notes: tuple[str, ...]
    row_numbers: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class _Source:
    """An opened file: its schema, its length, and its columns in batches."""

    schema: pa.Schema
    n_rows: int
    batches: Any
    """Callable from a list of column positions to an iterable of record batches."""
    notes: tuple[str, ...] = ()


def read_table(path: str, columns: Sequence[str] | None = None, drop_missing: bool = False) -> Table:
    """Read numeric columns of a file.

    Parameters
    ----------
    path : str
        CSV (delimiter, header, decimal mark and encoding are found out; gzip too), Parquet, Arrow IPC
        or .npy, told apart by content; ``-`` is standard input.
    columns : sequence of str, optional
        Which columns, in this order; by default all that are numbers.
    drop_missing : bool
        Whether to leave rows with missing values out, with a note, instead of refusing them.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        Naming file, row and column, and what to do.
    """
    try:
        opened = _open(path)
        if isinstance(opened, np.ndarray):
            table = _from_array(path, opened, columns)
        else:
            table = _from_source(path, opened, columns)
    except (pa.ArrowException, EOFError, UnicodeError) as error:
        raise DataError(f"{path}: cannot be read: {str(error).strip()}") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a directory; name one file") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    if table.matrix.shape[0] == 0:
        raise DataError(f"{path}: there are no rows of data")
    return _without_missing(path, table, drop_missing)


def _open(path: str) -> "_Source | NDArray[Any]":
    if path == "-":
        content = sys.stdin.buffer.read()
        return _open_kind(path, content[:MAGIC_BYTES], pa.BufferReader(content), io.BytesIO(content))
    if Path(path).is_dir():
        raise IsADirectoryError
    with Path(path).open("rb") as file:
        magic = file.read(MAGIC_BYTES)
    if not Path(path).is_file():
        raise DataError(f"{path}: not a regular file; pipe it in with - instead")
    if magic[:6] == b"\x93NUMPY":
        return _load_npy(path, path)
    return _open_kind(path, magic, pa.memory_map(path), None)


def _open_kind(
    path: str, magic: bytes, file: pa.NativeFile, raw: io.BytesIO | None
) -> "_Source | NDArray[Any]":
    if not magic:
        raise DataError(f"{path}: the file is empty")
    if magic[:4] == b"PAR1":
        return _open_parquet(file)
    if magic[:6] == b"ARROW1":
        return _of_table(pa.ipc.open_file(file).read_all())
    if magic[:4] == b"\xff\xff\xff\xff":
        return _of_table(pa.ipc.open_stream(file).read_all())
    if raw is not None and magic[:6] == b"\x93NUMPY":
        return _load_npy(path, raw)
    text = read_csv(path, file)
    return _of_table(text.table, text.notes)


def _load_npy(path: str, file: Any) -> NDArray[Any]:
    try:
        mapped = None if isinstance(file, io.BytesIO) else "r"
        array = np.load(file, mmap_mode=mapped, allow_pickle=False)  # type: ignore[arg-type]
    except ValueError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    return np.asarray(array)


def _open_parquet(file: pa.NativeFile) -> _Source:
    import pyarrow.parquet as pq

    parquet = pq.ParquetFile(file)
    schema = parquet.schema_arrow

    def batches(positions: list[int]) -> Iterable[pa.RecordBatch]:
        names = [schema.names[p] for p in positions]
        for batch in parquet.iter_batches(BATCH_ROWS, columns=names):
            yield batch.select(names)

    if len(set(schema.names)) < len(schema.names):
        return _of_table(parquet.read())
    return _Source(schema, parquet.metadata.num_rows, batches)


def _of_table(table: pa.Table, notes: tuple[str, ...] = ()) -> _Source:
    def batches(positions: list[int]) -> Iterable[pa.RecordBatch]:
        parts: Iterable[pa.RecordBatch] = table.select(positions).to_batches(BATCH_ROWS)
        return parts

    return _Source(table.schema, table.num_rows, batches, notes)


def _from_source(path: str, source: _Source, columns: Sequence[str] | None) -> Table:
    names, renamed = unique_names(source.schema.names)
    chosen, left_out = checked_columns(path, source, names, columns)
    index = _pandas_index(source.schema)
    if columns is None and len(chosen) > len(index.intersection(names[p] for p in chosen)) > 0:
        left_out += [f"column {name!r} is the index of a pandas frame, and was left out" for name in index]
        chosen = [p for p in chosen if names[p] not in index]
    matrix, rounded = _filled(source, chosen)
    imprecise = tuple(
        f"column {names[p]!r} holds integers beyond 2^53, which were rounded; leave identifiers out"
        for p in rounded
    )
    counting = tuple(
        f"column {names[p]!r} only counts the rows; choose others with --columns if it is a row number"
        for j, p in enumerate(chosen)
        if columns is None and len(matrix) > 2 and len(chosen) > 1 and _counts_rows(matrix[:, j])
    )
    notes = (*source.notes, *renamed, *left_out, *imprecise, *counting)
    return Table(matrix, tuple(names[position] for position in chosen), notes)


def _filled(source: _Source, positions: list[int]) -> tuple[NDArray[Any], list[int]]:
    """One matrix, filled a batch at a time so that only one copy of the data is ever held.

    Also the positions of columns whose integers are too large for a 64-bit float.
    """
    rounded: set[int] = set()
    single = all(source.schema.field(p).type == pa.float32() for p in positions)
    dtype = np.float32 if single else np.float64
    matrix = np.empty((source.n_rows, len(positions)), dtype=dtype)
    first = 0
    for batch in source.batches(positions):
        for j, column in enumerate(batch.columns):
            if pa.types.is_integer(column.type) and column.type.bit_width == 64 and _beyond_floats(column):
                rounded.add(positions[j])
            values = column.cast(pa.float32() if single else pa.float64(), safe=False)
            matrix[first : first + len(batch), j] = values.to_numpy(zero_copy_only=False)
        first += len(batch)
    return matrix[:first], sorted(rounded)


def _pandas_index(schema: pa.Schema) -> set[str]:
    """Columns that pandas wrote only to keep a frame's index."""
    try:
        described = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        return {name for name in described.get("index_columns", []) if isinstance(name, str)}
    except (ValueError, AttributeError, TypeError):
        return set()


def _counts_rows(column: NDArray[Any]) -> bool:
    return bool(column[1] - column[0] == 1.0 and (np.diff(column) == 1.0).all())


def _beyond_floats(column: pa.Array) -> bool:
    extremes = pc.min_max(column).as_py()
    return any(value is not None and abs(value) > 2**53 for value in extremes.values())


def _from_array(path: str, array: NDArray[Any], columns: Sequence[str] | None) -> Table:
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise DataError(
            f"{path}: an .npy file must hold a table (N, D) of real numbers; this one has shape "
            f"{array.shape} and dtype {array.dtype}"
        )
    names = [f"x{j + 1}" for j in range(array.shape[1])]
    if columns is None:
        return Table(array, tuple(names), ())
    missing = [name for name in columns if name not in names]
    if missing:
        raise DataError(f"{path}: no column {missing[0]!r}; an .npy file's columns are x1 to x{len(names)}")
    return Table(array[:, [names.index(name) for name in columns]], tuple(columns), ())


def _without_missing(path: str, table: Table, drop_missing: bool) -> Table:
    matrix, names = table.matrix, table.feature_names
    if matrix.dtype.kind != "f" or (found := first_not_finite(matrix)) is None:
        return table
    row, column = found
    value = matrix[row, column]
    where = f"{path}: row {row + 1}, column {names[column]!r}"
    if np.isinf(value):
        raise DataError(f"{where} is {value}, beyond what a 64-bit float can hold or written as infinity")
    if not drop_missing:
        raise DataError(
            f"{where} is missing. Use --drop-missing to leave such rows out, or fill them in first"
        )
    kept = np.concatenate(
        [~np.isnan(matrix[i : i + BATCH_ROWS]).any(axis=1) for i in range(0, len(matrix), BATCH_ROWS)]
    )
    note = f"{int((~kept).sum())} of {len(matrix)} rows have missing values and were left out"
    table = Table(matrix[kept], names, (*table.notes, note), np.flatnonzero(kept) + 1)
    if not kept.any():
        raise DataError(f"{path}: every row has a missing value")
    if (found := first_not_finite(table.matrix)) is not None:
        raise DataError(f"{path}: column {names[found[1]]!r} holds {table.matrix[found]}")
    return table
