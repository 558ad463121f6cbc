"""Whether a partition still holds the numbers that it held in the first pass."""

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.blocks import Block
from gaussmix.errors import DataError

# Sums of bits are taken modulo this.
ALL_BITS = 2**64


def bits_of(block: Block) -> int:
    """The bits of all numbers and weights of a block, added up as whole numbers.

    Much quicker than a digest, and made in every pass. Another order of the rows has the same sum, and the
    same fit; other numbers have the same sum once in 2^64.
    """
    # Twice, so that a weight and a value do not make up for one another.
    return (_bits(block.matrix) + (0 if block.weights is None else 2 * _bits(block.weights))) % ALL_BITS


def changed(place: str, n_rows: int, n_rows_now: int, advice: str) -> DataError:
    """What to say of a partition that is not what it was."""
    how = (
        f"had {n_rows} rows and now has {n_rows_now}"
        if n_rows != n_rows_now
        else "holds other numbers than in the first pass"
    )
    return DataError(f"the rows changed during the fit: {place} {how}{advice}")


def _bits(array: NDArray[np.floating]) -> int:
    whole = array.view(f"u{array.dtype.itemsize}")
    return int(whole.sum(dtype=np.uint64))
