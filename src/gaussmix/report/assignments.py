"""One line a row: its component, its probabilities, its log density, and whether anything explains it."""

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from gaussmix import kernels
from gaussmix.learning.scoring import score_tile
from gaussmix.model.mixture import Mixture
from gaussmix.report.rowtable import InBlocks, Put, blocks_of, csv_table, numbers_of, row_table


def print_assignments(
    mixture: Mixture, rows: NDArray[Any] | InBlocks, row_numbers: NDArray[Any] | None = None
) -> None:
    """Write assignments of rows, a matrix (N, D) or blocks of it, as CSV to standard output."""
    sys.stdout.flush()
    with csv_table(sys.stdout.buffer, _schema(mixture)) as put:
        _assign(mixture, rows, row_numbers, put)
    sys.stdout.buffer.flush()


def write_assignments(
    mixture: Mixture, rows: NDArray[Any] | InBlocks, path: str | Path, row_numbers: NDArray[Any] | None = None
) -> None:
    """Write assignments of rows to a file, which is replaced whole or not at all.

    Parameters
    ----------
    mixture : Mixture
    rows : (N, D) array or BlockedRows
        Rows wherever they live, which are looked at once, in order, with memory for one block. Those of
        weight 0 have their line, too.
    path : str or Path
        A Parquet file if it ends in ``.parquet``, else CSV.
    row_numbers : (N,) array, optional
        Numbers of the rows in their file, where some were left out; by default those that blocks of files
        have, or else they are counted from 1 through all blocks.

    Raises
    ------
    OSError
        If the file cannot be written; an old one is then as it was.
    """
    with row_table(path, _schema(mixture)) as put:
        _assign(mixture, rows, row_numbers, put)


def _schema(mixture: Mixture) -> pa.Schema:
    probabilities = [f"probability_{k + 1}" for k in range(mixture.n_components)]
    if mixture.noise is not None:
        probabilities.append("probability_noise")
    return pa.schema(
        [
            ("row", pa.int64()),
            ("label", pa.int32()),
            *((name, pa.float64()) for name in probabilities),
            ("log_density", pa.float64()),
            ("unexplained", pa.bool_()),
        ]
    )


def _assign(
    mixture: Mixture, rows: NDArray[Any] | InBlocks, row_numbers: NDArray[Any] | None, put: Put
) -> None:
    size = kernels.tile_rows(mixture.n_features, mixture.n_components)
    for block in blocks_of(rows):
        done, in_files = block.first, block.numbers
        # Without their weights: a row that counts nothing is still asked about.
        for tile, _ in kernels.tiles(block.matrix, None, size):
            scores = score_tile(mixture, tile)
            if in_files is None:
                numbers = numbers_of(done, len(tile), row_numbers)
            else:
                numbers, in_files = in_files[: len(tile)], in_files[len(tile) :]
            shares = list(scores.responsibilities.T)
            put([numbers, scores.labels + 1, *shares, scores.log_densities, scores.unexplained])
            done += len(tile)
