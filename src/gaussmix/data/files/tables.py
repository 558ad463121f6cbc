"""A file as one table of numbers in memory, with named columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from gaussmix.data.files.loaded import read_whole
from gaussmix.data.files.opening import whole_rows


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


def read_table(path: str, columns: Sequence[str] | None = None, drop_missing: bool = False) -> Table:
    """Read numeric columns of a file, as they are read in blocks.

    Parameters
    ----------
    path : str
        As in `opening.open_rows`: CSV, Parquet, Arrow IPC or .npy, compressed or not; ``-`` is standard
        input; a folder or a pattern is all files in it, one after the other.
    columns : sequence of str, optional
        Which columns, in this order; by default all that are numbers.
    drop_missing : bool
        Whether to leave rows with missing values out, with a note, instead of refusing them.

    Raises
    ------
    DataError
        Naming file, row and column, and what to do.
    """
    rows = whole_rows(path, columns=columns, drop_missing=drop_missing)
    matrix, _, numbers = read_whole(rows)
    return Table(matrix, rows.feature_names, rows.notes, numbers)
