"""Which columns of a table are numbers, and what to say of the others."""

import difflib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from gaussmix.errors import DataError

# Text in a column is a mistake in a measurement, not a label, when this share of it are numbers.
MOSTLY_NUMBERS = 0.5
NUMBER = r"^\s*[-+]?(\d{1,3}([,.' ]\d{3})+([.,]\d+)?|\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*$"
LISTED = 12


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


def checked_columns(
    path: str, source: Any, names: Sequence[str], columns: Sequence[str] | None
) -> tuple[list[int], list[str]]:
    """Positions of the columns to use, and notes on those left out.

    Parameters
    ----------
    path : str
        For messages.
    source
        With ``schema`` and ``batches(positions)``.
    names : sequence of str
        The columns' names, made unique.
    columns : sequence of str or None
        The user's choice; None takes every column of numbers.

    Raises
    ------
    DataError
        If a chosen column does not exist or is not numbers, if a column is numbers but for a few
        cells, or if no column is numbers.
    """
    if columns is not None:
        positions = [_position(path, name, names) for name in columns]
        for position in positions:
            reason = _not_numbers(path, source, position, names[position])
            if reason is not None:
                raise DataError(f"{path}: column {shortened(names[position])!r} {reason}")
        return positions, []
    positions, notes = [], []
    for position, name in enumerate(names):
        reason = _not_numbers(path, source, position, name)
        if reason is None:
            positions.append(position)
        else:
            notes.append(f"column {shortened(name)!r} {reason}, and was left out")
    if not positions:
        raise DataError(f"{path}: no column holds numbers" + (f" ({'; '.join(notes[:3])})" if notes else ""))
    return positions, notes


def _position(path: str, name: str, names: Sequence[str]) -> int:
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "the columns are " + ", ".join(names[:LISTED])
    raise DataError(f"{path}: no column {shortened(name)!r}; {hint}")


def _not_numbers(path: str, source: Any, position: int, name: str) -> str | None:
    """Why a column is not numbers, as the rest of a sentence; None if it is."""
    kind = source.schema.field(position).type
    if pt.is_dictionary(kind):
        kind = kind.value_type
    if pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind) or pt.is_boolean(kind):
        return None
    if pt.is_null(kind):
        return "is missing in every row"
    if pt.is_temporal(kind):
        return "holds dates or times (subtract a reference date and divide by a unit first)"
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return _not_numbers_but_text(path, source, position, name)
    return f"holds values of type {kind}"


def _not_numbers_but_text(path: str, source: Any, position: int, name: str) -> str:
    total = numbers = seen = 0
    first_wrong: tuple[int, str] | None = None
    for batch in source.batches([position]):
        column = batch.column(0).cast(pa.string())
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


def source_example(source: Any, position: int) -> str:
    """The first value of a text column."""
    for batch in source.batches([position]):
        if len(batch):
            return str(batch.column(0)[0].as_py())
    return ""
