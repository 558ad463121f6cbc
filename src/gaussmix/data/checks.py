"""What rows must be before any arithmetic sees them, and what to tell the user when they are not."""

import datetime as dt
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gaussmix.data.rows import RowsSummary
from gaussmix.errors import DataError, DataKindError, DataWarning
from gaussmix.kernels.contract import FloatArray

# Squares of differences must stay inside the floats' range, with room for sums over rows.
WIDEST, NARROWEST = 1e140, 1e-140
# ... and those sums, times weights, too.
LARGEST_SUM, SMALLEST_SQUARE = 1e300, 1e-280
# Row weights outside this range are brought to about 1 by a power of two, which is exact.
HEAVIEST, LIGHTEST = 1e100, 1e-100
# The largest whole number up to which 64-bit floats hold each one.
EXACT_INTEGERS = 2**53
CHECKED_ROWS = 65536


def checked_matrix(matrix: Any, feature_names: Sequence[str] | None = None) -> NDArray[Any]:
    """Bring rows to a two-dimensional float array, copying only where the dtype demands it.

    Parameters
    ----------
    matrix : array-like of shape (N, D)
        Arrays and frames of numbers; bool, Decimal and other objects that convert to float.
    feature_names : sequence of str, optional
        Used in messages.

    Returns
    -------
    (N, D) array
        float32 or float64 in native or foreign byte order, any stride, all finite.

    Raises
    ------
    DataError
        If there are no rows or columns, or a value is missing or infinite (first one named).
    DataKindError
        If the values are not real numbers.
    """
    array = _as_floats(as_table(matrix), feature_names)
    _refuse_not_finite(array, feature_names)
    return array


def as_table(matrix: Any) -> NDArray[Any]:
    """Any table as an array (N, D) of whatever dtype it has, with N and D at least 1.

    Raises
    ------
    DataError, DataKindError
        If it is sparse, empty, or not two-dimensional.
    """
    if sparse.issparse(matrix):
        raise DataKindError(
            "Sparse data was passed, but dense rows are needed: a mixture centres every column, which "
            "fills a sparse matrix. Use X.toarray(), or reduce the columns first (TruncatedSVD)."
        )
    if np.ma.isMaskedArray(matrix):
        matrix = np.ma.filled(matrix.astype(np.float64), np.nan)
    array = _as_array(matrix)
    if array.ndim != 2:
        raise DataError(
            f"Expected 2D array, got {array.ndim}D array instead: rows must have shape (N, D). "
            "Reshape your data using array.reshape(-1, 1) if it is one feature, or "
            "array.reshape(1, -1) if it is one row."
        )
    if array.shape[0] == 0:
        raise DataError(
            f"Found array with 0 sample(s) (shape={array.shape}) while a minimum of 1 is required."
        )
    if array.shape[1] == 0:
        raise DataError(
            f"Found array with 0 feature(s) (shape={array.shape}) while a minimum of 1 is required."
        )
    return array


def _as_array(matrix: Any) -> NDArray[Any]:
    """What NumPy makes of it, if that is not one thing of an unknown kind."""
    try:
        array = np.asarray(matrix)
    except (TypeError, ValueError) as error:
        if uneven := _uneven_row(matrix):
            raise DataError(uneven) from error
        raise DataKindError(f"no array can be made of the rows: {error}") from error
    if array.dtype.names is not None:
        raise DataKindError(
            "the rows are a structured array, of which no matrix can be computed with: use "
            "numpy.lib.recfunctions.structured_to_unstructured(X), or pandas.DataFrame(X)"
        )
    if array.ndim == 0 and array.dtype.kind in "OUS":
        raise DataKindError(
            f"Expected 2D array, got one {type(matrix).__name__} instead: rows must be an array or a frame "
            "of shape (N, D); for rows of a file there are fit_rows, score_rows and assign_rows, and "
            "gaussmix.select(gaussmix.rows(path))"
        )
    return array


def _uneven_row(matrix: Any) -> str | None:
    """Says which of several lists is not as long as the first; None if that is not what is wrong."""
    if not isinstance(matrix, list | tuple) or not all(hasattr(row, "__len__") for row in matrix):
        return None
    lengths = [len(row) for row in matrix]
    odd = next((i for i, length in enumerate(lengths) if length != lengths[0]), None)
    if odd is None:
        return None
    return f"row {odd} has {lengths[odd]} values and row 0 has {lengths[0]}: all rows need as many"


def checked_weights(weights: Any, n_rows: int) -> FloatArray:
    """Row weights as float64 (N,), finite, non-negative and not all zero.

    Raises
    ------
    DataError
        Otherwise; the first wrong row is named.
    """
    array = np.asarray(weights)
    if array.dtype.kind not in "fiub":
        raise DataKindError(f"sample_weight must be numbers; got dtype {array.dtype}")
    if array.ndim == 0:
        array = np.full(n_rows, array)
    if array.ndim != 1:
        raise DataError(f"Sample weights must be 1D array or scalar; got shape {array.shape}")
    if array.shape[0] != n_rows:
        raise DataError(f"sample_weight.shape == {array.shape}, expected {(n_rows,)}: one weight a row")
    array = array.astype(np.float64)
    wrong = ~(np.isfinite(array) & (array >= 0.0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"sample_weight must be finite and not negative; row {row} has {array[row]}. "
            "Use 0 for a row that should not count."
        )
    largest = array.max()
    if largest == 0.0:
        raise DataError("sample_weight is zero for every row: nothing to fit")
    if largest > HEAVIEST or largest < LIGHTEST:
        unit = float(np.exp2(np.floor(np.log2(largest))))
        warnings.warn(
            f"sample_weight reaches {largest:g}; the weights were divided by {unit:g}, and the "
            "log-likelihood and BIC are in that unit",
            DataWarning,
            stacklevel=2,
        )
        array = array / unit
    return array


def first_not_finite(array: NDArray[Any]) -> tuple[int, int] | None:
    """Row and column, counted from 0, of the first NaN or infinity in (N, D); None if there is none."""
    for first in range(0, array.shape[0], CHECKED_ROWS):
        finite = np.isfinite(array[first : first + CHECKED_ROWS])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            return first + int(row), int(column)
    return None


def refuse_unusable_columns(summary: RowsSummary, feature_names: Sequence[str]) -> None:
    """Refuse columns whose squares leave the floats' range.

    Raises
    ------
    DataError
        Naming the column and what to multiply it by.
    """
    # Half of the least number there is would be 0.
    half = np.maximum(0.5 * summary.high - 0.5 * summary.low, np.nextafter(0.0, 1.0))
    spread = np.where(summary.high > summary.low, half, 0.0)
    for j in map(
        int, np.flatnonzero((summary.magnitudes > WIDEST) | ((spread > 0.0) & (spread < NARROWEST)))
    ):
        wide = summary.magnitudes[j] > WIDEST
        raise DataError(
            f"column {feature_names[j]!r} runs from {summary.low[j]:g} to {summary.high[j]:g}: squares of "
            f"such values are out of range of 64-bit floats (more than {WIDEST:g} in size, or less than "
            f"{NARROWEST:g} apart). {'Divide' if wide else 'Multiply'} the column by a constant."
        )
    for j in map(int, np.flatnonzero(spread > np.sqrt(LARGEST_SUM / max(summary.row_weight, 1.0)))):
        raise DataError(
            f"column {feature_names[j]!r} runs from {summary.low[j]:g} to {summary.high[j]:g}, and the "
            f"weights add up to {summary.row_weight:g}: squares times weights are out of range of 64-bit "
            f"floats (more than {LARGEST_SUM:g}). Divide the column, or the weights, by a constant."
        )
    # Weights that are lighter than any may be are told of by themselves.
    heaviest = min(max(summary.heaviest, LIGHTEST), 1.0)
    narrow = (spread > 0.0) & (spread < np.sqrt(SMALLEST_SQUARE / heaviest))
    for j in map(int, np.flatnonzero(narrow)):
        raise DataError(
            f"column {feature_names[j]!r} runs from {summary.low[j]:g} to {summary.high[j]:g}, and no "
            f"weight is above {summary.heaviest:g}: squares times weights are out of range of 64-bit "
            f"floats (less than {SMALLEST_SQUARE:g}). Multiply the column, or the weights, by a constant."
        )


def _as_floats(array: NDArray[Any], feature_names: Sequence[str] | None) -> NDArray[Any]:
    kind = array.dtype.kind
    if kind == "f":
        if array.dtype.itemsize == 2:
            warnings.warn(
                "float16 rows carry 3 digits; they are computed with as float32, which adds none",
                DataWarning,
                stacklevel=4,
            )
            return array.astype(np.float32)
        return array if array.dtype.itemsize in (4, 8) else array.astype(np.float64)
    if kind in "iu":
        # Object-free: min and max are exact, and tell whether float64 can hold every value.
        if array.dtype.itemsize == 8 and max(-int(array.min()), int(array.max())) > EXACT_INTEGERS:
            warnings.warn(
                "integers beyond 2^53 were rounded to the nearest 64-bit float; if they are "
                "identifiers, leave the column out",
                DataWarning,
                stacklevel=4,
            )
        return array.astype(np.float64)
    if kind == "b":
        return array.astype(np.float64)
    if kind == "c":
        raise DataKindError("Complex data not supported: fit real and imaginary parts as two columns.")
    if kind in "mM":
        raise DataKindError(
            "dates and durations are not measurements yet: subtract a reference date and divide by a "
            "unit, as in (t - t.min()) / np.timedelta64(1, 'D')"
        )
    if kind in "US":
        raise DataKindError("the rows are text (str); convert the columns to numbers, or leave them out")
    return _objects_as_floats(array, feature_names)


def _objects_as_floats(array: NDArray[Any], feature_names: Sequence[str] | None) -> NDArray[Any]:
    floats = np.empty(array.shape)
    for row, values in enumerate(array):
        for j, value in enumerate(values):
            column = j if feature_names is None else repr(feature_names[j])
            if isinstance(value, str | bytes):
                raise DataKindError(
                    f"row {row}, column {column} is the text {value!r}: argument must be a real "
                    "number, not a string or a number in quotes; convert the column first"
                )
            if isinstance(value, dt.date | dt.timedelta | np.datetime64):
                raise DataKindError(
                    f"row {row}, column {column} is a date: subtract a reference date and divide by a "
                    "unit first"
                )
            if isinstance(value, complex | np.complexfloating):
                raise DataKindError(f"Complex data not supported: row {row}, column {column} is {value!r}")
            try:
                # pandas marks missing values with None or with a scalar that refuses to be a float.
                missing = value is None or type(value).__name__ == "NAType"
                floats[row, j] = np.nan if missing else float(value)
            except (TypeError, ValueError, OverflowError) as error:
                raise DataKindError(f"row {row}, column {column} is not a number: {error}") from error
    return floats


def _refuse_not_finite(array: NDArray[Any], feature_names: Sequence[str] | None) -> None:
    if (found := first_not_finite(array)) is None:
        return
    row, column = found
    value = array[row, column]
    name = f"column {column}" if feature_names is None else f"column {feature_names[column]!r}"
    where = f"row {row}, {name}"
    if np.isnan(value):
        raise DataError(
            f"Input X contains NaN: {where} is missing. Drop such rows (pandas: df.dropna()), or fill "
            "them in first (scikit-learn: IterativeImputer)."
        )
    raise DataError(
        f"Input X contains infinity: {where} is {value}. Mend or drop the row; a ratio with a zero "
        "denominator or the logarithm of 0 is the usual cause."
    )


def rounds(column: Any) -> bool:
    """Whether a column (n,) of integers holds some that no float is equal to."""
    # pandas' own integers may be missing.
    if getattr(column.dtype, "kind", "") not in "iu" or column.dtype.itemsize != 8 or not len(column):
        return False
    low, high = column.min(), column.max()
    return isinstance(low, int | np.integer) and max(-int(low), int(high)) > EXACT_INTEGERS
