"""One line a row: its component, how surely, how dense, its tail probability, and whether none of these."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from gaussmix.learning.belief.rowfacts import RowFacts
from gaussmix.report.rowtable import numbers_of, row_table

# Rows written at a time.
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


def write_row_facts(facts: RowFacts, path: str | Path, row_numbers: NDArray[Any] | None = None) -> None:
    """Write facts about rows to a file, which is replaced whole or not at all.

    Rows and labels are counted from 1, and noise has label 0.

    Parameters
    ----------
    facts : RowFacts
    path : str or Path
        A Parquet file if it ends in ``.parquet``, else CSV.
    row_numbers : (N,) array, optional
        Numbers of the rows in their file, where some were left out.

    Raises
    ------
    OSError
        If the file cannot be written; an old one is then as it was.
    """
    columns = (
        facts.labels + 1,
        1.0 - facts.uncertainty,
        facts.uncertainty,
        facts.log_density,
        facts.tail_probability,
        facts.none_of_these,
    )
    with row_table(path, _SCHEMA) as put:
        for first in range(0, len(facts.labels), BATCH):
            parts = [column[first : first + BATCH] for column in columns]
            put([numbers_of(first, len(parts[0]), row_numbers), *parts])
