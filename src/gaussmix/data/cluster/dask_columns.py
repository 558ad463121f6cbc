"""Which columns of a dask dataframe are numbers, told by their types alone: no partition is loaded."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa

from gaussmix.data.files.columns import CATEGORIES, DATES, position_of, shortened, why_not_numbers
from gaussmix.errors import DataError, DataKindError, DataWarning

FRAME = "the dask dataframe"


def chosen_columns(meta: Any, columns: Sequence[Any] | None, weights: Any) -> tuple[list[int], list[str]]:
    """Positions of the features, and notes on what was left out.

    Parameters
    ----------
    meta : pandas.DataFrame
        Without rows, of the frame's columns and types.
    columns : sequence of str, optional
        Which; by default all that are numbers.
    weights : str, optional
        The column of row weights, which is no feature.

    Raises
    ------
    DataError
        If a column does not exist, is named twice or cannot be told from another, or if none is numbers.
    DataKindError
        If a chosen column is not numbers.
    """
    names = [str(column) for column in meta.columns]
    reserved = None if weights is None else weights_column(meta, weights)
    offered = [position for position in range(len(names)) if position != reserved]
    if columns is None:
        notes = []
        chosen = []
        for position in offered:
            if (reason := _why_not(meta, position)) is None:
                chosen.append(position)
            else:
                notes.append(f"column {shortened(names[position])!r} {reason}, and was left out")
        if not chosen:
            raise DataError(
                f"{FRAME}: no column holds numbers" + (f" ({'; '.join(notes[:3])})" if notes else "")
            )
    else:
        of_offered = [names[position] for position in offered]
        chosen = [offered[position_of(FRAME, str(name), of_offered)] for name in columns]
        notes = []
        if len(set(chosen)) < len(chosen):
            raise DataError(f"a column is named twice: {', '.join(map(str, columns))}")
        for position in chosen:
            if (reason := _why_not(meta, position)) is not None:
                raise DataKindError(f"{FRAME}: column {shortened(names[position])!r} {reason}")
    for position in chosen:
        _refuse_twins(names, names[position])
    if any(meta.dtypes.iloc[position] == np.float16 for position in chosen):
        warnings.warn(
            "float16 rows carry 3 digits; they are computed with as they are, which adds none",
            DataWarning,
            stacklevel=6,
        )
    return chosen, notes


def weights_column(meta: Any, name: Any) -> int:
    """Where the column of row weights stands.

    Raises
    ------
    DataError, DataKindError
        If there is none of this name, or more than one, or if it is not numbers.
    """
    names = [str(column) for column in meta.columns]
    if str(name) not in names:
        raise DataError(f"there is no column {shortened(str(name))!r} to take weights from")
    _refuse_twins(names, str(name))
    position = names.index(str(name))
    if (reason := _why_not(meta, position)) is not None:
        raise DataKindError(f"column {shortened(str(name))!r} cannot be weights: it {reason}")
    return position


def _refuse_twins(names: Sequence[str], name: str) -> None:
    if names.count(name) > 1:
        raise DataError(f"{names.count(name)} columns of {FRAME} are named {shortened(name)!r}; rename them")


def _why_not(meta: Any, position: int) -> str | None:
    """Why a column is not numbers, as the rest of a sentence."""
    pd, dtype = import_module("pandas"), meta.dtypes.iloc[position]
    if isinstance(dtype, pd.CategoricalDtype):
        return CATEGORIES
    if isinstance(dtype, pd.ArrowDtype):
        return why_not_numbers(FRAME, _Declared(pa.schema([("it", dtype.pyarrow_dtype)])), 0, "it")
    if isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype) or dtype.kind in "mM":
        return DATES
    if isinstance(dtype, pd.StringDtype):
        return "is text"
    if isinstance(dtype, pd.SparseDtype):
        return "is sparse (use df.sparse.to_dense() in each partition: every column is centred)"
    return None if dtype.kind in "fiub" else f"holds values of type {dtype}"


@dataclass(frozen=True)
class _Declared:
    """A column of which no cell is looked at: loading a partition for a message would be dear."""

    schema: pa.Schema

    def batches(self, positions: list[int]) -> Iterator[Any]:  # noqa: ARG002
        """None."""
        yield from ()
