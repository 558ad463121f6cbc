"""Which columns of several files are the features, found by name in each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow.types as pt

from gaussmix.data.files.columns import (
    HALF_NOTE,
    counts_rows,
    only_counts,
    position_of,
    refuse_names,
    shortened,
    unique_names,
    why_not_numbers,
    without_index,
)
from gaussmix.data.files.filebytes import naming
from gaussmix.data.files.sources import FileSource
from gaussmix.errors import DataError

MISSING_NOTE, LEFT_OUT = "is missing in every row", ", and was left out"


@dataclass(frozen=True)
class Choice:
    """The features, and the row weights, of every file."""

    names: tuple[str, ...]
    """D features."""
    weights: str | None
    positions: tuple[tuple[int, ...], ...]
    """Of the features, then of the weights, in each file."""
    asked: bool
    """Whether the features were named."""
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Features, then the weights."""
        return self.names if self.weights is None else (*self.names, self.weights)

    def without(self, path: str, missing: Sequence[bool]) -> "Choice":
        """The same without the columns in which every value is missing.

        Raises
        ------
        DataError
            If such a column was named, or no other is left.
        """
        gone = [name for name, lacks in zip(self.columns, missing, strict=True) if lacks]
        if not gone:
            return self
        if self.asked or self.weights in gone:
            raise DataError(f"{path}: column {shortened(gone[0])!r} {MISSING_NOTE}")
        left_out = [_left_out(name, MISSING_NOTE) for name in gone]
        if len(gone) == len(self.names):
            before = [note for note in self.notes if note.endswith(LEFT_OUT)]
            raise DataError(f"{path}: {_no_numbers([*left_out, *before])}")
        kept = [j for j, lacks in enumerate(missing) if not lacks]
        return replace(
            self,
            names=tuple(name for name in self.names if name not in gone),
            positions=tuple(tuple(positions[j] for j in kept) for positions in self.positions),
            notes=(*self.notes, *left_out),
        )

    def single(self, sources: Sequence[FileSource]) -> bool:
        """Whether every feature is in single precision in every file."""
        return all(
            pt.is_float32(source.schema.field(position).type)
            for source, positions in zip(sources, self.positions, strict=True)
            for position in positions[: len(self.names)]
        )

    def whole(self, sources: Sequence[FileSource]) -> tuple[int, ...]:
        """Features that are integers of 64 bits in some file."""
        return tuple(
            j
            for j in range(len(self.names))
            if any(
                pt.is_integer(kind := source.schema.field(positions[j]).type) and kind.bit_width == 64
                for source, positions in zip(sources, self.positions, strict=True)
            )
        )


def choose(sources: Sequence[FileSource], columns: Sequence[str] | None, weights: str | None) -> Choice:
    """Find the features in each file.

    Parameters
    ----------
    sources : sequence of FileSource
        At least one.
    columns : sequence of str, optional
        The features, in this order; by default all that are numbers.
    weights : str, optional
        The column of row weights.

    Raises
    ------
    DataError
        If a column is missing in a file, or is no number there.
    """
    tables = [_Named(source) for source in sources]
    first = tables[0]
    notes = [*dict.fromkeys(note for source in sources for note in source.notes), *first.renamed]
    if weights is not None:
        first.place(weights)
    if columns is None:
        chosen, left_out = _numbers(tables, weights)
        notes += left_out
    else:
        chosen = _asked(first, columns, weights)
    wanted = [*chosen, *([] if weights is None else [weights])]
    positions = tuple(tuple(table.place_of_numbers(name, len(tables)) for name in wanted) for table in tables)
    if _half(sources, positions):
        notes.append(HALF_NOTE)
    choice = Choice(tuple(chosen), weights, positions, columns is not None, tuple(notes))
    if columns is not None:
        return choice
    return replace(choice, notes=(*choice.notes, *_counting(first.source, choice)))


class _Named:
    """A file and where its columns are, by the names that they are called."""

    def __init__(self, source: FileSource) -> None:
        self.source, self.path = source, source.path
        with naming(source.path, source.content):
            self.names, self.renamed = unique_names(source.schema.names)
        self._places = {name: position for position, name in enumerate(self.names)}

    def place(self, name: str) -> int:
        """Where a column is."""
        found = self._places.get(name)
        return position_of(self.path, name, self.names) if found is None else found

    def is_empty(self, name: str) -> bool:
        """Whether a column has no value, as far as its type tells."""
        return bool(pt.is_null(self.source.schema.field(self.place(name)).type))

    def reason_against(self, name: str) -> str | None:
        """Why a column is not numbers; None if it is."""
        with naming(self.path, self.source.content):
            return why_not_numbers(self.path, self.source, self.place(name), name)

    def place_of_numbers(self, name: str, n_files: int) -> int:
        """Where a column is, which must hold numbers."""
        # One shard may well have no value of a column; all of them not.
        if not (self.is_empty(name) and (self.source.undecided or n_files > 1)):
            reason = self.reason_against(name)
            if reason is not None:
                raise DataError(f"{self.path}: column {shortened(name)!r} {reason}")
        return self.place(name)


def _asked(first: _Named, columns: Sequence[str], weights: str | None) -> list[str]:
    refuse_names(columns)
    if weights in columns:
        raise DataError(
            f"column {shortened(str(weights))!r} holds the row weights and cannot be a feature too"
        )
    return [first.names[first.place(name)] for name in columns]


def _numbers(tables: Sequence[_Named], weights: str | None) -> tuple[list[str], list[str]]:
    """Names of all columns of numbers, and notes on the others."""
    first = tables[0]
    _refuse_other_names(tables)
    judged = [(name, _why_not(tables, name)) for name in first.names if name != weights]
    left_out = [_left_out(name, reason) for name, reason in judged if reason is not None]
    numbers = [first.place(name) for name, reason in judged if reason is None]
    if not numbers:
        raise DataError(f"{first.path}: {_no_numbers(left_out)}")
    kept, of_index = without_index(first.source.schema, first.names, numbers)
    return [first.names[position] for position in kept], left_out + of_index


def _refuse_other_names(tables: Sequence[_Named]) -> None:
    first, names = tables[0], set(tables[0].names)
    for table in tables[1:]:
        for name in sorted(names.symmetric_difference(table.names)):
            has, lacks = (first, table) if name in names else (table, first)
            raise DataError(
                f"{lacks.path}: has no column {shortened(name)!r}, which {has.path} has; shards must "
                "have the same columns, or name those to use with --columns"
            )


def _why_not(tables: Sequence[_Named], name: str) -> str | None:
    """Why a column is no feature by default: asked of the first file that has values of it."""
    for table in tables:
        if not table.is_empty(name):
            return table.reason_against(name)
    # A text may have values further down.
    return None if any(table.source.undecided for table in tables) else MISSING_NOTE


def _counting(first: FileSource, choice: Choice) -> list[str]:
    """Notes on features that seem to be row numbers, as far as the first rows tell."""
    if len(choice.names) < 2:
        return []
    with naming(first.path, first.content):
        found = first.first_chunk(choice.positions[0])
    return [
        only_counts(name) for name, column in zip(choice.names, found, strict=False) if counts_rows(column)
    ]


def _no_numbers(left_out: Sequence[str]) -> str:
    return "no column holds numbers" + (f" ({'; '.join(left_out[:3])})" if left_out else "")


def _half(sources: Sequence[FileSource], positions: Sequence[Sequence[int]]) -> bool:
    """Whether a column is in half precision somewhere."""
    return any(
        pt.is_float16(source.schema.field(position).type)
        for source, own in zip(sources, positions, strict=True)
        for position in own
    )


def _left_out(name: str, reason: str) -> str:
    return f"column {shortened(name)!r} {reason}{LEFT_OUT}"
