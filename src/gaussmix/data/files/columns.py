"""Which columns of a table are numbers, and what to say of the others."""

import difflib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from gaussmix.errors import DataError

# Text in a column is a mistake in a measurement, not a label, when this share of it are numbers.
MOSTLY_NUMBERS = 0.5
NUMBER = r"^\s*[-+]?(\d{1,3}([,.' ]\d{3})+([.,]\d+)?|\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*$"
LISTED = 12
# Letters of a cell that are looked at.
LONGEST = 1000


CATEGORIES = (
    "holds categories (cast it to numbers if it measures something; of true categories, fit each by itself)"
)
DATES = "holds dates or times (subtract a reference date and divide by a unit first)"
HALF_NOTE = "float16 columns carry 3 digits; computing with more adds none"


def unique_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names without blanks around them, none empty, none twice; and a note for each that changed."""
    taken: set[str] = set()
    result, notes = [], []
    for position, raw in enumerate(names):
        name = raw.strip().lstrip("\ufeff") or f"x{position + 1}"
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        if unique != raw.strip():
            notes.append(f"column {position + 1}, named {shortened(raw)!r}, is called {shortened(unique)!r}")
        taken.add(unique)
        result.append(unique)
    return result, notes


def shortened(text: str, length: int = 60) -> str:
    """Text that fits into a message."""
    return text if len(text) <= length else text[: length - 3] + "..."


def without_index(
    schema: pa.Schema, names: Sequence[str], chosen: Sequence[int]
) -> tuple[list[int], list[str]]:
    """Chosen positions without the columns that pandas wrote only to keep a frame's index; and notes."""
    index = _pandas_index(schema)
    found = [names[p] for p in chosen if names[p] in index]
    if not 0 < len(found) < len(chosen):
        return list(chosen), []
    notes = [f"column {name!r} is the index of a pandas frame, and was left out" for name in index]
    return [p for p in chosen if names[p] not in index], notes


def counts_rows(column: NDArray[Any]) -> bool:
    """Whether a column (n,) rises by 1 from row to row."""
    if len(column) < 3 or float(column[1]) != float(column[0]) + 1.0:
        return False
    # A difference of infinities is none.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool((np.diff(column.astype(np.float64)) == 1.0).all())


def only_counts(name: str) -> str:
    """What to say of a column that rises by 1 from row to row."""
    return f"column {name!r} only counts the rows; choose others with --columns if it is a row number"


def rounded_integers(name: str) -> str:
    """What to say of a column of integers that no 64-bit float can hold."""
    return f"column {name!r} holds integers beyond 2^53, which were rounded; leave identifiers out"


def rows_left_out(n_rows: int, of: int) -> str:
    """What to say of rows with missing values."""
    return f"{n_rows} of {of} rows have missing values and were left out"


def pandas_categories(schema: pa.Schema) -> set[str]:
    """Columns that pandas calls categories, whatever they are made of."""
    try:
        described = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("columns", [])
        return {str(one["field_name"]) for one in described if one["pandas_type"] == "categorical"}
    except (ValueError, AttributeError, TypeError, KeyError):
        return set()


def _pandas_index(schema: pa.Schema) -> set[str]:
    try:
        described = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        return {name for name in described.get("index_columns", []) if isinstance(name, str)}
    except (ValueError, AttributeError, TypeError):
        return set()


def refuse_names(columns: Sequence[str]) -> None:
    """Refuse a choice of no columns, of one twice, or of what are no names."""
    if not columns:
        raise DataError("no column is named")
    if isinstance(columns, str) or not all(isinstance(name, str) for name in columns):
        raise DataError(f"columns must be a list of names; got {shortened(repr(columns))}")
    for name, times in Counter(columns).items():
        if times > 1:
            raise DataError(f"column {shortened(name)!r} is named twice")


def position_of(path: str, name: str, names: Sequence[str]) -> int:
    """Where a column stands; if there is none, which one may be meant is said in the error."""
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "the columns are " + ", ".join(names[:LISTED])
    raise DataError(f"{path}: no column {shortened(name)!r}; {hint}")


def why_not_numbers(path: str, source: Any, position: int, name: str) -> str | None:
    """Why a column is not numbers, as the rest of a sentence; None if it is."""
    field = source.schema.field(position)
    if field.name in pandas_categories(source.schema):
        return CATEGORIES
    kind = field.type
    if pt.is_dictionary(kind):
        kind = kind.value_type
    if pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind) or pt.is_boolean(kind):
        return None
    if pt.is_null(kind):
        return "is missing in every row"
    if pt.is_temporal(kind):
        return DATES
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return _why_text(path, source, position, name)
    return f"holds values of type {kind}"


def _why_text(path: str, source: Any, position: int, name: str) -> str:
    total = numbers = seen = 0
    first_wrong: tuple[int, str] | None = None
    for batch in source.batches([position]):
        column = _cells(batch.column(0))
        matches = pc.match_substring_regex(column, NUMBER)
        total += len(column) - column.null_count
        numbers += pc.sum(matches).as_py() or 0
        if first_wrong is None:
            wrong = pc.index(matches, False).as_py()
            if wrong >= 0:
                first_wrong = (seen + wrong, column[wrong].as_py())
        seen += len(column)
    if total and numbers > MOSTLY_NUMBERS * total:
        row, text = first_wrong or (0, source_example(source, position))
        raise DataError(
            f"{path}: column {shortened(name)!r} is numbers but for some cells: row {row + 1} holds "
            f"{shortened(text)!r}. Mend those cells (thousands separators out, one decimal mark, missing "
            "values empty), or choose other columns with --columns"
        )
    return "is text"


def _cells(column: pa.Array) -> pa.Array:
    """A column of text, each cut to what a number may have at most: one text may stand in very many rows."""
    if not pa.types.is_dictionary(column.type):
        return column.cast(pa.string())
    texts = pc.utf8_slice_codeunits(column.dictionary.cast(pa.large_string()), 0, LONGEST)
    return pa.DictionaryArray.from_arrays(column.indices, texts.cast(pa.string())).cast(pa.string())


def source_example(source: Any, position: int) -> str:
    """The first value of a text column."""
    for batch in source.batches([position]):
        if len(batch):
            return str(batch.column(0)[0].as_py())
    return ""
