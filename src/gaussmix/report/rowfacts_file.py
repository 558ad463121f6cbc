"""One line a row: its component, how surely, how dense, its tail probability, and whether none of these."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from gaussmix.learning.belief.rowfacts import RowFacts
from gaussmix.modelfile import replaced_file

# Rows written at a time.
BATCH = 1 << 16


def write_row_facts(facts: RowFacts, path: str, row_numbers: NDArray[Any] | None = None) -> None:
    """Write facts about rows to a CSV file, which is replaced whole or not at all.

    Rows and labels are counted from 1, and noise has label 0.
    """
    numbers = np.arange(1, len(facts.labels) + 1) if row_numbers is None else row_numbers
    columns = {
        "row": (numbers, pa.int64()),
        "label": (facts.labels + 1, pa.int32()),
        "probability": (1.0 - facts.uncertainty, pa.float64()),
        "uncertainty": (facts.uncertainty, pa.float64()),
        "log_density": (facts.log_density, pa.float64()),
        "tail_probability": (facts.tail_probability, pa.float64()),
        "none_of_these": (facts.none_of_these, pa.bool_()),
    }
    schema = pa.schema([(name, kind) for name, (_, kind) in columns.items()])
    with replaced_file(path) as file, pyarrow.csv.CSVWriter(file, schema) as writer:
        for first in range(0, len(numbers), BATCH):
            part = slice(first, first + BATCH)
            arrays = [pa.array(values[part], type=kind) for values, kind in columns.values()]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
