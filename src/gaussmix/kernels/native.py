"""The compiled E-step: the same sums as ``reference.expected_sums``, fused and on several threads."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix.kernels import _native, reference
from gaussmix.kernels.contract import (
    Climbed,
    Components,
    FloatArray,
    Looks,
    MStepRule,
    Nearest,
    ScatterKind,
    Scores,
    Sums,
)
from gaussmix.kernels.threads import thread_count

# Rows of a dtype or byte order that the compiled code does not read are brought over in such blocks.
CONVERTED_ROWS = 1 << 16
# Numbers in a table from which it is worth while to compute in single precision at first.
QUICK_SIZE = 1 << 18


def expected_sums(
    rows: NDArray[Any],
    row_weights: FloatArray | None,
    components: Components,
    scatter: ScatterKind,
) -> Sums:
    """The E-step over rows (N, D) of any dtype and stride; see ``reference.expected_sums``.

    The bits do not depend on the number of threads; between instruction sets the last ones may
    differ, because sums are then taken in another order.
    """
    if _readable(rows):
        return _sums(rows, row_weights, components, scatter)
    n_components, n_features = components.means.shape
    total = reference.zero_sums(n_components, n_features, scatter)
    for first in range(0, len(rows), CONVERTED_ROWS):
        part = slice(first, first + CONVERTED_ROWS)
        block = _converted(rows[part])
        weights = None if row_weights is None else row_weights[part]
        total = reference.add(total, _sums(block, weights, components, scatter))
    return total


def climb(
    rows: FloatArray,
    row_weights: FloatArray | None,
    weights: FloatArray,
    means: FloatArray,
    covariances: FloatArray,
    rule: MStepRule,
    n_steps: int,
    n_tables: int = 1,
) -> Climbed:
    """EM steps of several mixtures; see ``reference_climb.climb``."""
    n_mixtures = len(weights)
    climbed = Climbed(
        np.array(weights),
        np.array(means),
        np.array(covariances),
        np.empty(n_mixtures),
        np.zeros(weights.shape),
        np.zeros(weights.shape),
    )
    _native.climb(
        rows,
        row_weights,
        climbed.weights,
        climbed.means,
        climbed.covariances,
        rule.form.value,
        rule.pseudo_rows,
        np.ascontiguousarray(rule.pseudo_scatter),
        np.ascontiguousarray(rule.added),
        rule.strength,
        np.ascontiguousarray(rule.anchor),
        np.ascontiguousarray(rule.resolution),
        rule.flat,
        rule.enough,
        n_steps,
        climbed.objectives,
        climbed.counts,
        climbed.squared_counts,
        n_tables,
        thread_count(),
    )
    return climbed


def triangular_factors(covariances: FloatArray, flat: float) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Precision factors of covariances (n, D, D); see ``reference.triangular_factors``."""
    factors, sound = np.empty(covariances.shape), np.empty(len(covariances), dtype=bool)
    _native.triangular_factors(np.ascontiguousarray(covariances), flat, factors, sound)
    return factors, sound


def quick_sums(
    rows: NDArray[np.float32],
    row_weights: FloatArray | None,
    components: Components,
    scatter: ScatterKind,
) -> Sums | None:
    """The E-step with float32 arithmetic inside a tile; None where that cannot be or does not pay."""
    if rows.dtype != np.float32 or rows.size < QUICK_SIZE or not _readable(rows):
        return None
    return _sums(rows, row_weights, components, scatter, singles_from=QUICK_SIZE)


def sums_in_parts(
    rows: NDArray[Any],
    row_weights: FloatArray | None,
    components: Components,
    scatter: ScatterKind,
    part_rows: int,
    quick: bool,
) -> tuple[Sums, bool] | None:
    """The E-step over rows that are taken in parts: threads begin and end once for many of them.

    To the last bit the sums of ``expected_sums`` over each ``part_rows`` rows, or with ``quick`` those of
    ``quick_sums`` where there are any, added up as a tree: neighbours that are sums of equally many parts
    are joined, and at the end those that are left, from the last to the first. With them, whether any are
    quick ones; None where the rows must be converted first.
    """
    if not _readable(rows):
        return None
    singles_from = QUICK_SIZE if quick and rows.dtype == np.float32 else None
    largest = min(part_rows, len(rows)) * rows.shape[1]
    any_quick = singles_from is not None and largest >= singles_from
    return _sums(rows, row_weights, components, scatter, singles_from, part_rows), any_quick


def labels(rows: NDArray[Any], components: Components) -> NDArray[np.int32]:
    """The likeliest component, the first of equals, of each row of (N, D): (N,), counted from 0.

    It is -1 where the background is likelier than each of them.
    """
    found = np.empty(len(rows), dtype=np.int32)
    _score(rows, components, labels=found)
    return found


def shares(rows: NDArray[Any], components: Components) -> FloatArray:
    """Responsibilities of each row of (N, D): (N, K)."""
    found = np.empty((len(rows), len(components.log_weights)))
    _score(rows, components, shares=found)
    return found


def log_densities(rows: NDArray[Any], components: Components) -> FloatArray:
    """Log density of each row of (N, D): (N,)."""
    found = np.empty(len(rows))
    _score(rows, components, log_densities=found)
    return found


def scores(rows: NDArray[Any], components: Components) -> Scores:
    """All that a mixture says of each row of (n, D), for blocks of rows."""
    n_rows, n_components = len(rows), len(components.log_weights)
    found = Scores(
        np.empty(n_rows, dtype=np.int32),
        np.empty((n_rows, n_components)),
        np.empty(n_rows),
        np.empty((n_rows, n_components)),
    )
    _score(rows, components, *found)
    return found


def looks(rows: NDArray[Any], components: Components) -> Looks:
    """How well a mixture places each row of (n, D)."""
    found = Looks(np.empty(len(rows), dtype=np.int32), *(np.empty(len(rows)) for _ in range(3)))
    _score(rows, components, found.labels, None, None, None, *found[1:])
    return found


def nearest_centres(points: FloatArray, weights: FloatArray, centres: FloatArray) -> Nearest:
    """Assign points (n, D) to the nearest of centres (K, D), and add up where they lie about it."""
    n_centres, n_features = centres.shape
    found = Nearest(
        np.empty(len(points), dtype=np.int32),
        np.empty(len(points)),
        np.empty(n_centres),
        np.empty((n_centres, n_features)),
    )
    _native.nearest_centres(points, weights, np.ascontiguousarray(centres), *found, thread_count())
    return found


def given_sums(
    rows: NDArray[Any],
    row_weights: FloatArray | None,
    held: FloatArray | None,
    centres: FloatArray,
    scatter: ScatterKind,
) -> Sums:
    """Sums over rows (N, D) with given responsibilities (N, K), None for all 1, about centres (K, D)."""
    if not _readable(rows):
        return reference.given_sums(rows, row_weights, held, centres, scatter)
    n_components, n_features = centres.shape
    sums = reference.zero_sums(n_components, n_features, scatter)
    call = _native.given_sums_float if rows.dtype == np.float32 else _native.given_sums_double
    row_weight = call(
        rows,
        row_weights,
        None if held is None else np.ascontiguousarray(held),
        np.ascontiguousarray(centres),
        scatter.value,
        sums.counts,
        sums.squared_counts,
        sums.offsets,
        sums.scatter,
        thread_count(),
    )
    return sums._replace(row_weight=row_weight)


def place_rows(rows: FloatArray, mean: FloatArray, root: FloatArray) -> None:
    """Standard normal rows (n, D), in place, to ones of a mean (D,) and a covariance root^T root (D, D)."""
    _native.place_rows(rows, mean, np.ascontiguousarray(root), thread_count())


def instruction_set() -> str:
    """The instruction set in use: avx512, avx2 or baseline."""
    return _native.instruction_set()


def _readable(rows: NDArray[Any]) -> bool:
    """Whether the compiled code can read the array where it is."""
    kind = rows.dtype in (np.float64, np.float32) and rows.dtype.isnative
    return bool(kind and rows.flags.aligned) and all(s % rows.itemsize == 0 for s in rows.strides)


def _converted(rows: NDArray[Any]) -> FloatArray:
    """A copy that the compiled code can read: what begins at any byte may well be in one piece."""
    return np.require(rows, np.float64, ["C", "A"])


def _score(
    rows: NDArray[Any],
    components: Components,
    labels: NDArray[np.int32] | None = None,
    shares: FloatArray | None = None,
    log_densities: FloatArray | None = None,
    distances: FloatArray | None = None,
    largest: FloatArray | None = None,
    nearest: FloatArray | None = None,
    fourths: FloatArray | None = None,
) -> None:
    """Fill the arrays that are given."""
    if not _readable(rows):
        for first in range(0, len(rows), CONVERTED_ROWS):
            part = slice(first, first + CONVERTED_ROWS)
            block = _converted(rows[part])
            of_part = [
                None if array is None else array[part]
                for array in (shares, log_densities, distances, largest, nearest, fourths)
            ]
            _score(block, components, None if labels is None else labels[part], *of_part)
        return
    call = _native.score_rows_float if rows.dtype == np.float32 else _native.score_rows_double
    call(
        rows,
        components.log_weights,
        np.ascontiguousarray(components.means),
        np.ascontiguousarray(components.factors),
        np.ascontiguousarray(components.log_determinants),
        components.form.value,
        components.log_background,
        labels,
        shares,
        log_densities,
        distances,
        largest,
        nearest,
        fourths,
        thread_count(),
    )


def _sums(
    rows: NDArray[Any],
    row_weights: FloatArray | None,
    components: Components,
    scatter: ScatterKind,
    singles_from: int | None = None,
    part_rows: int | None = None,
) -> Sums:
    n_components, n_features = components.means.shape
    sums = reference.zero_sums(n_components, n_features, scatter)
    call = _native.expected_sums_float if rows.dtype == np.float32 else _native.expected_sums_double
    log_likelihood, row_weight = call(
        rows,
        row_weights,
        components.log_weights,
        np.ascontiguousarray(components.means),
        np.ascontiguousarray(components.factors),
        np.ascontiguousarray(components.log_determinants),
        components.form.value,
        components.log_background,
        scatter.value,
        sums.counts,
        sums.squared_counts,
        sums.offsets,
        sums.scatter,
        max(len(rows), 1) if part_rows is None else part_rows,
        singles_from,
        thread_count(),
    )
    return sums._replace(log_likelihood=log_likelihood, row_weight=row_weight)
