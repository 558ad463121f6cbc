"""Rows as they are streamed."""

import numpy as np

from gaussmix.data.files.opening import open_rows


def stream(path, **options):
    """All rows and the notes, read in blocks."""
    rows = open_rows(path, memory=0, **options)
    matrix = np.concatenate([block.matrix for block in rows.blocks()])
    return matrix, rows
