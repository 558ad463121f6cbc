"""The E-step in NumPy: the readable specification that every other kernel is compared with.

Rows are taken a tile at a time. A tile and its (rows of a tile, K) responsibilities stay in
cache; nothing of size N x K is ever made. Arithmetic and sums are float64 whatever the rows are.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix.kernels.contract import (
    Components,
    FactorForm,
    FloatArray,
    Looks,
    Nearest,
    ScatterKind,
    Scores,
    Sums,
)
from gaussmix.kernels.reference_exact import exact_moment_sums, few_rows

LOG_2PI = float(np.log(2.0 * np.pi))

# Squared distances stop here, so that a row farther off than floats can say still has finite
# log densities, and responsibilities instead of NaN.
FARTHEST = 1e300

# A tile and its working arrays together: about what a core's second-level cache holds.
TILE_BYTES = 1 << 20


def tile_rows(n_features: int, n_components: int) -> int:
    """Rows in a tile: a function of the shapes only, so that sums do not depend on the machine."""
    bytes_per_row = 8 * (3 * n_features + 3 * n_components)
    return int(np.clip(TILE_BYTES // bytes_per_row, 64, 8192))


def tiles(
    rows: NDArray[Any], row_weights: FloatArray | None, tile_size: int
) -> Iterator[tuple[FloatArray, FloatArray | None]]:
    """Cut rows (N, D) of any dtype and stride into float64 tiles; a row of weight 0 is left out."""
    for first in range(0, rows.shape[0], tile_size):
        tile = np.ascontiguousarray(rows[first : first + tile_size], dtype=np.float64)
        if row_weights is None:
            yield tile, None
            continue
        weights = row_weights[first : first + tile_size]
        present = weights > 0.0
        if present.all():
            yield tile, weights
        elif present.any():
            yield tile[present], weights[present]


def squared_distances(tile: FloatArray, components: Components) -> FloatArray:
    """Squared Mahalanobis distances |P_k^T (x - mu_k)|^2 of rows (n, D) from components: (n, K)."""
    n_rows, n_components = tile.shape[0], components.means.shape[0]
    distances = np.empty((n_rows, n_components))
    for k in range(n_components):
        # Subtracting first is what keeps digits when the data lie far from the origin.
        centred = tile - components.means[k]
        with np.errstate(over="ignore", invalid="ignore"):
            whitened = _WHITEN[components.form](centred, components.factors, k)
            distances[:, k] = np.einsum("nd,nd->n", whitened, whitened)
    # fmin also replaces the NaN of an infinity taken from an infinity.
    return np.fmin(distances, FARTHEST)


def weighted_log_densities(tile: FloatArray, components: Components) -> FloatArray:
    """log(w_k N(x; mu_k, Sigma_k)) of rows (n, D): (n, K); minus infinity for an emptied component.

    Of the components only: a background is no part of them.
    """
    n_features = tile.shape[1]
    terms = squared_distances(tile, components)
    terms *= -0.5
    terms += components.log_weights + components.log_determinants - 0.5 * n_features * LOG_2PI
    return terms


def log_sum_exp(log_densities: FloatArray) -> FloatArray:
    """Log sum_k exp(a_nk) of (n, K) without overflow: (n,)."""
    largest = log_densities.max(axis=1)
    shifted = np.exp(log_densities - largest[:, None])
    result: FloatArray = largest + np.log(shifted.sum(axis=1))
    return result


def responsibilities(tile: FloatArray, components: Components) -> tuple[FloatArray, FloatArray]:
    """Responsibilities (n, K) and log densities (n,) of rows (n, D), the background in both."""
    held = weighted_log_densities(tile, components)
    largest = np.maximum(held.max(axis=1), components.log_background)
    held -= largest[:, None]
    np.exp(held, out=held)
    totals = held.sum(axis=1) + np.exp(components.log_background - largest)
    held /= totals[:, None]
    return held, largest + np.log(totals)


def expected_sums(
    rows: NDArray[Any],
    row_weights: FloatArray | None,
    components: Components,
    scatter: ScatterKind,
    tile_size: int | None = None,
) -> Sums:
    """The E-step: responsibilities of all rows, reduced to the sums that the M-step needs.

    Parameters
    ----------
    rows : (N, D) array of floats
        Any stride and byte order.
    row_weights : (N,) float64 or None
        Non-negative; None means 1 for each row.
    components : Components
        The current mixture.
    scatter : ScatterKind
        Which second moments to add up.
    tile_size : int, optional
        Rows in a tile; by default chosen from the shapes.

    Returns
    -------
    Sums
        Centred on the current means.

    Notes
    -----
    McLachlan and Peel, Finite Mixture Models (2000), eq. 2.26 for the responsibilities. Centring
    on the current mean is docs/adr/0001.
    """
    n_components, n_features = components.means.shape
    total = zero_sums(n_components, n_features, scatter)
    few = tile_size is None and few_rows(len(rows), n_components, n_features)
    size = len(rows) if few else tile_size or tile_rows(n_features, n_components)
    for tile, weights in tiles(rows, row_weights, size):
        held, log_density = responsibilities(tile, components)
        if few:
            return exact_moment_sums(tile, weights, log_density, held, components.means, scatter)
        log_likelihood = float(log_density.sum() if weights is None else weights @ log_density)
        partial = moment_sums(tile, weights, held, components.means, scatter)
        total = add(total, partial._replace(log_likelihood=log_likelihood))
    return total


def labels(rows: NDArray[Any], components: Components) -> NDArray[np.int32]:
    """The likeliest component, the first of equals, of each row of (N, D): (N,), counted from 0.

    It is -1 where the background is likelier than each of them.
    """
    found = np.empty(len(rows), dtype=np.int32)
    for part, tile in _numbered_tiles(rows, components):
        found[part] = _likeliest(weighted_log_densities(tile, components), components.log_background)
    return found


def shares(rows: NDArray[Any], components: Components) -> FloatArray:
    """Responsibilities of each row of (N, D): (N, K)."""
    found = np.empty((len(rows), len(components.log_weights)))
    for part, tile in _numbered_tiles(rows, components):
        found[part] = responsibilities(tile, components)[0]
    return found


def log_densities(rows: NDArray[Any], components: Components) -> FloatArray:
    """Log density of each row of (N, D): (N,)."""
    found = np.empty(len(rows))
    for part, tile in _numbered_tiles(rows, components):
        found[part] = responsibilities(tile, components)[1]
    return found


def scores(rows: NDArray[Any], components: Components) -> Scores:
    """All that a mixture says of each row of (n, D), for blocks of rows."""
    terms = weighted_log_densities(np.asarray(rows, dtype=np.float64), components)
    held, log_density = responsibilities(np.asarray(rows, dtype=np.float64), components)
    distances = squared_distances(np.asarray(rows, dtype=np.float64), components)
    return Scores(_likeliest(terms, components.log_background), held, log_density, distances)


def looks(rows: NDArray[Any], components: Components) -> Looks:
    """How well a mixture places each row of (n, D)."""
    parts = [Looks(np.empty(0, dtype=np.int32), *np.empty((3, 0)))]
    for tile, _ in tiles(rows, None, tile_rows(rows.shape[1], len(components.log_weights))):
        found = scores(tile, components)
        largest = np.maximum(found.shares.max(axis=1), 1.0 - found.shares.sum(axis=1))
        # Clipped so that one row 1e70 sigma away cannot overflow the sum.
        fourths = (found.shares * np.minimum(found.distances, 1e100) ** 2).sum(axis=1)
        parts.append(Looks(found.labels, largest, found.distances.min(axis=1), fourths))
    return Looks(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def nearest_centres(points: FloatArray, weights: FloatArray, centres: FloatArray) -> Nearest:
    """Assign points (n, D) to the nearest of centres (K, D), and add up where they lie about it."""
    n_centres, n_features = centres.shape
    found = np.zeros(len(points), dtype=np.int32)
    distances = np.full(len(points), np.inf)
    for k, centre in enumerate(centres):
        offsets = points - centre
        squared = np.einsum("nd,nd->n", offsets, offsets)
        nearer = squared < distances
        found[nearer], distances[nearer] = k, squared[nearer]
    counts, offsets = np.zeros(n_centres), np.zeros((n_centres, n_features))
    np.add.at(counts, found, weights)
    np.add.at(offsets, found, (points - centres[found]) * weights[:, None])
    return Nearest(found, distances, counts, offsets)


def place_rows(rows: FloatArray, mean: FloatArray, root: FloatArray) -> None:
    """Standard normal rows (n, D), in place, to ones of a mean (D,) and a covariance root^T root (D, D)."""
    rows[...] = mean + rows @ root


def given_sums(
    rows: NDArray[Any],
    row_weights: FloatArray | None,
    held: FloatArray | None,
    centres: FloatArray,
    scatter: ScatterKind,
) -> Sums:
    """Sums over rows (N, D) with given responsibilities (N, K), None for all 1, about centres (K, D)."""
    n_components, n_features = centres.shape
    total = zero_sums(n_components, n_features, scatter)
    few = few_rows(len(rows), n_components, n_features)
    size = len(rows) if few else tile_rows(n_features, n_components)
    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        tile = np.asarray(rows[part], dtype=np.float64)
        weights = None if row_weights is None else row_weights[part]
        shares = np.ones((len(tile), n_components)) if held is None else held[part]
        if few:
            if weights is not None and not (present := weights > 0.0).all():
                # A row of weight 0 may lie anywhere, even where its square is infinite.
                tile, weights, shares = tile[present], weights[present], shares[present]
            nothing = np.zeros(len(tile))
            return exact_moment_sums(tile, weights, nothing, shares, centres, scatter) if len(tile) else total
        total = add(total, moment_sums(tile, weights, shares, centres, scatter))
    return total


def _likeliest(terms: FloatArray, log_background: float) -> NDArray[np.int32]:
    """Label of each row of (n, K) log densities: (n,); one as likely as the background keeps its own."""
    found: NDArray[np.int32] = terms.argmax(axis=1).astype(np.int32)
    found[terms.max(axis=1) < log_background] = -1
    return found


def _numbered_tiles(rows: NDArray[Any], components: Components) -> Iterator[tuple[slice, FloatArray]]:
    n_components, n_features = components.means.shape
    size = tile_rows(n_features, n_components)
    for number, (tile, _) in enumerate(tiles(rows, None, size)):
        yield slice(number * size, number * size + len(tile)), tile


def moment_sums(
    tile: FloatArray,
    weights: FloatArray | None,
    held: FloatArray,
    centres: FloatArray,
    scatter: ScatterKind,
) -> Sums:
    """Sums of one tile (n, D) with given responsibilities (n, K), about given centres (K, D)."""
    n_rows, n_features = tile.shape
    n_components = centres.shape[0]
    weighted = held if weights is None else held * weights[:, None]
    offsets = np.empty((n_components, n_features))
    moments = np.zeros(scatter.shape(n_components, n_features))
    for k in range(n_components):
        centred = tile - centres[k]
        weighted_centred = weighted[:, k, None] * centred
        offsets[k] = weighted_centred.sum(axis=0)
        _ADD_SCATTER[scatter](moments, k, weighted_centred, centred)
    return Sums(
        log_likelihood=0.0,
        row_weight=float(n_rows if weights is None else weights.sum()),
        counts=weighted.sum(axis=0),
        squared_counts=np.einsum("nk,nk->k", weighted, held),
        offsets=offsets,
        scatter=moments,
    )


def zero_sums(n_components: int, n_features: int, scatter: ScatterKind) -> Sums:
    """The sums over no rows."""
    return Sums(
        log_likelihood=0.0,
        row_weight=0.0,
        counts=np.zeros(n_components),
        squared_counts=np.zeros(n_components),
        offsets=np.zeros((n_components, n_features)),
        scatter=np.zeros(scatter.shape(n_components, n_features)),
    )


def add(left: Sums, right: Sums) -> Sums:
    """Sums over the rows of both."""
    return Sums(
        left.log_likelihood + right.log_likelihood,
        left.row_weight + right.row_weight,
        left.counts + right.counts,
        left.squared_counts + right.squared_counts,
        left.offsets + right.offsets,
        left.scatter + right.scatter,
    )


def _whiten_full(centred: FloatArray, factors: FloatArray, k: int) -> FloatArray:
    return _product(centred, factors[k])


def _whiten_shared(centred: FloatArray, factors: FloatArray, k: int) -> FloatArray:  # noqa: ARG001
    return _product(centred, factors)


def _product(centred: FloatArray, factor: FloatArray) -> FloatArray:
    """Rows (n, D) times a factor (D, D): (n, D)."""
    if few_rows(len(centred), 1, len(factor)):
        # Each row by itself: in a product of matrices its last bit may depend on where it stands.
        separate: FloatArray = (centred[:, :, None] * factor).sum(axis=1)
        return separate
    product: FloatArray = centred @ factor
    return product


def _whiten_scaled(centred: FloatArray, factors: FloatArray, k: int) -> FloatArray:
    scaled: FloatArray = centred * factors[k]
    return scaled


_WHITEN: dict[FactorForm, Callable[[FloatArray, FloatArray, int], FloatArray]] = {
    FactorForm.FULL: _whiten_full,
    FactorForm.SHARED: _whiten_shared,
    FactorForm.DIAGONAL: _whiten_scaled,
    FactorForm.ISOTROPIC: _whiten_scaled,
}


def _add_full(moments: FloatArray, k: int, weighted_centred: FloatArray, centred: FloatArray) -> None:
    moments[k] += weighted_centred.T @ centred


def _add_pooled(moments: FloatArray, k: int, weighted_centred: FloatArray, centred: FloatArray) -> None:  # noqa: ARG001
    moments += weighted_centred.T @ centred


def _add_diagonal(moments: FloatArray, k: int, weighted_centred: FloatArray, centred: FloatArray) -> None:
    moments[k] += np.einsum("nd,nd->d", weighted_centred, centred)


def _add_trace(moments: FloatArray, k: int, weighted_centred: FloatArray, centred: FloatArray) -> None:
    moments[k] += np.einsum("nd,nd->", weighted_centred, centred)


_ADD_SCATTER: dict[ScatterKind, Callable[[FloatArray, int, FloatArray, FloatArray], None]] = {
    ScatterKind.FULL: _add_full,
    ScatterKind.POOLED: _add_pooled,
    ScatterKind.DIAGONAL: _add_diagonal,
    ScatterKind.TRACE: _add_trace,
}
