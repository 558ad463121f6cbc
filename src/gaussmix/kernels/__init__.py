"""Compute. The kernel in use is chosen here and nowhere else.

The compiled one is used where it could be built; GAUSSMIX_KERNEL=reference asks for the readable one.
"""

import os
from collections.abc import Callable
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from gaussmix.kernels import reference, reference_climb
from gaussmix.kernels.contract import Climbed, FloatArray, Looks, Nearest, Scores, Sums

_kernel: ModuleType = reference
KERNEL_NAME = "reference (NumPy)"

if os.environ.get("GAUSSMIX_KERNEL", "native") != "reference":
    try:
        from gaussmix.kernels import native
    except ImportError:
        # No compiler at install time: slower, and otherwise the same.
        pass
    else:
        _kernel = native
        KERNEL_NAME = f"native ({native.instruction_set()})"

expected_sums: Callable[..., Sums] = _kernel.expected_sums
place_rows: Callable[..., None] = _kernel.place_rows
quick_sums: Callable[..., Sums | None] = getattr(_kernel, "quick_sums", lambda *_: None)
sums_in_parts: Callable[..., tuple[Sums, bool] | None] = getattr(_kernel, "sums_in_parts", lambda *_: None)
given_sums: Callable[..., Sums] = _kernel.given_sums
nearest_centres: Callable[..., Nearest] = _kernel.nearest_centres
labels: Callable[..., NDArray[np.int32]] = _kernel.labels
scores: Callable[..., Scores] = _kernel.scores
looks: Callable[..., Looks] = _kernel.looks
climb: Callable[..., Climbed] = getattr(_kernel, "climb", reference_climb.climb)
triangular_factors: Callable[..., tuple[FloatArray, NDArray[np.bool_]]] = getattr(
    _kernel, "triangular_factors", reference_climb.triangular_factors
)
shares: Callable[..., FloatArray] = _kernel.shares
log_densities: Callable[..., FloatArray] = _kernel.log_densities

squared_distances = reference.squared_distances
weighted_log_densities = reference.weighted_log_densities
log_sum_exp = reference.log_sum_exp
tile_rows = reference.tile_rows
tiles = reference.tiles
add = reference.add
zero_sums = reference.zero_sums

__all__ = [
    "KERNEL_NAME",
    "add",
    "climb",
    "expected_sums",
    "given_sums",
    "labels",
    "log_densities",
    "log_sum_exp",
    "looks",
    "nearest_centres",
    "place_rows",
    "quick_sums",
    "scores",
    "shares",
    "squared_distances",
    "sums_in_parts",
    "tile_rows",
    "tiles",
    "triangular_factors",
    "weighted_log_densities",
    "zero_sums",
]
