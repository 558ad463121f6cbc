"""Compute. The kernel in use is chosen here and nowhere else."""

from gaussmix.kernels import reference

KERNEL_NAME = "reference (NumPy)"

expected_sums = reference.expected_sums
moment_sums = reference.moment_sums
responsibilities = reference.responsibilities
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
    "expected_sums",
    "log_sum_exp",
    "moment_sums",
    "responsibilities",
    "squared_distances",
    "tile_rows",
    "tiles",
    "weighted_log_densities",
    "zero_sums",
]
