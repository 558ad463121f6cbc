"""One line a row: its component, its probabilities, its log density, and whether anything explains it."""

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from gaussmix import kernels
from gaussmix.learning.scoring import score_tile
from gaussmix.model.mixture import Mixture
from gaussmix.modelfile import replaced_file


def print_assignments(
    mixture: Mixture, matrix: NDArray[Any], row_numbers: NDArray[Any] | None = None
) -> None:
    """Write assignments of rows (N, D) as CSV to standard output."""
    sys.stdout.flush()
    _write(mixture, matrix, sys.stdout.buffer, row_numbers)
    sys.stdout.buffer.flush()


def write_assignments(
    mixture: Mixture, matrix: NDArray[Any], path: str, row_numbers: NDArray[Any] | None = None
) -> None:
    """Write assignments of rows (N, D) to a CSV file, which is replaced whole or not at all."""
    with replaced_file(path) as file:
        _write(mixture, matrix, file, row_numbers)


def _write(mixture: Mixture, matrix: NDArray[Any], file: Any, row_numbers: NDArray[Any] | None) -> None:
    names = [
        "row",
        "label",
        *(f"probability_{k + 1}" for k in range(mixture.n_components)),
        *(["probability_noise"] if mixture.noise is not None else []),
        "log_density",
        "unexplained",
    ]
    types = [pa.int64(), pa.int32(), *([pa.float64()] * (len(names) - 3)), pa.bool_()]
    schema = pa.schema(list(zip(names, types, strict=True)))
    size = kernels.tile_rows(mixture.n_features, mixture.n_components)
    numbers = np.arange(1, len(matrix) + 1) if row_numbers is None else row_numbers
    done = 0
    with pyarrow.csv.CSVWriter(file, schema) as writer:
        for tile, _ in kernels.tiles(matrix, None, size):
            scores = score_tile(mixture, tile)
            columns = [
                numbers[done : done + len(tile)],
                scores.labels + 1,
                *scores.responsibilities.T,
                scores.log_densities,
                scores.unexplained,
            ]
            arrays = [pa.array(c, type=t) for c, t in zip(columns, types, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            done += len(tile)
