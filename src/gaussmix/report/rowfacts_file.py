"""One line a row: its component, how surely, how dense, its tail probability, and whether none of these."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from gaussmix.learning.belief.rowfacts import DEFAULT_LEVEL, RowFacts, row_facts
from gaussmix.learning.belief.tails import tails_of
from gaussmix.model.mixture import Mixture
from gaussmix.report.rowtable import InBlocks, blocks_of, numbers_of, row_table

# Rows written at a time, and rows whose facts are in memory at a time where they are streamed.
BATCH = 1 << 16
_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("label", pa.int32()),
        ("probability", pa.float64()),
        ("uncertainty", pa.float64()),
        ("log_density", pa.float64()),
        ("tail_probability", pa.float64()),
        ("none_of_these", pa.bool_()),
    ]
)


def write_row_facts(
    facts: RowFacts | Iterable[RowFacts], path: str | Path, row_numbers: NDArray[Any] | None = None
) -> None:
    """Write facts about rows to a file, which is replaced whole or not at all.

    Rows and labels are counted from 1, and noise has label 0.

    Parameters
    ----------
    facts : RowFacts or iterable of RowFacts
        Of all rows, or of one piece after the other: `facts_in_pieces`.
    path : str or Path
        A Parquet file if it ends in ``.parquet``, else CSV.
    row_numbers : (N,) array, optional
        Numbers of the rows in their file, where some were left out.

    Raises
    ------
    OSError
        If the file cannot be written; an old one is then as it was.
    """
    done = 0
    with row_table(path, _SCHEMA) as put:
        for piece in [facts] if isinstance(facts, RowFacts) else facts:
            columns = (
                piece.labels + 1,
                1.0 - piece.uncertainty,
                piece.uncertainty,
                piece.log_density,
                piece.tail_probability,
                piece.none_of_these,
            )
            for first in range(0, len(piece.labels), BATCH):
                parts = [column[first : first + BATCH] for column in columns]
                put([numbers_of(done, len(parts[0]), row_numbers), *parts])
                done += len(parts[0])


def facts_in_pieces(
    mixture: Mixture, rows: NDArray[Any] | InBlocks, level: float = DEFAULT_LEVEL
) -> Iterator[RowFacts]:
    """Facts about rows wherever they live, one piece after the other, with memory for one block.

    Parameters
    ----------
    mixture : Mixture
    rows : (N, D) array or BlockedRows
    level : float
        A row is none of these if its tail probability is below this.

    Yields
    ------
    RowFacts
        Of the next rows; ``row_weight``, ``flagged`` and ``expected_flagged`` add up over the pieces.

    Raises
    ------
    SettingsError
        If ``level`` is not between 0 and 1.
    """
    tails = tails_of(mixture)
    for block in blocks_of(rows):
        for first in range(0, len(block.matrix), BATCH):
            part = slice(first, first + BATCH)
            weights = None if block.weights is None else block.weights[part]
            yield row_facts(mixture, block.matrix[part], weights, level, tails)
