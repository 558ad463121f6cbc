"""Sums over few rows in twice the digits of a double, in NumPy (docs/adr/0008).

Rounding them gives the same bits in whatever order the rows come, and a row of weight 2 is to the last
bit a row given twice.
"""

import numpy as np

from gaussmix.kernels.contract import FloatArray, ScatterKind, Sums

# Work, rows x components x (features + 2)^2, up to which sums are taken in twice the digits.
EXACT_WORK = 1 << 18
# Splits a double into halves of 26 bits, whose products are exact.
SPLIT = 2.0**27 + 1.0


def few_rows(n_rows: int, n_components: int, n_features: int) -> bool:
    """Whether sums over so many rows are taken in twice the digits."""
    return n_rows > 0 and n_rows * n_components * (n_features + 2) ** 2 <= EXACT_WORK


def exact_sum(values: FloatArray, weights: FloatArray) -> FloatArray:
    """sum_n w_n v_n of values (n, M) and weights (n,): (M,), rounded once."""
    weights = weights[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        high = weights * values
        low = _product_error(weights, values, high)
        while len(high) > 1:
            if len(high) % 2:
                high, low = (np.concatenate([part, np.zeros_like(part[:1])]) for part in (high, low))
            left, right = high[::2], high[1::2]
            sums = left + right
            added = sums - left
            low = low[::2] + low[1::2] + ((left - (sums - added)) + (right - added))
            high = sums
        total: FloatArray = high[0] + np.where(np.isfinite(low[0]), low[0], 0.0)
    return total


def _product_error(a: FloatArray, b: FloatArray, product: FloatArray) -> FloatArray:
    """By how much a rounded product is too small (Dekker, Numerische Mathematik 1971)."""
    a_high = SPLIT * a - (SPLIT * a - a)
    b_high = SPLIT * b - (SPLIT * b - b)
    a_low, b_low = a - a_high, b - b_high
    error: FloatArray = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return error


def exact_moment_sums(
    rows: FloatArray,
    weights: FloatArray | None,
    log_densities: FloatArray,
    held: FloatArray,
    centres: FloatArray,
    scatter: ScatterKind,
) -> Sums:
    """Sums of few rows (n, D), of log densities (n,) and responsibilities (n, K), about centres (K, D)."""
    n_rows = len(rows)
    n_components, n_features = centres.shape
    centred = rows[:, None, :] - centres
    shared = held[:, :, None] * centred
    terms = [
        log_densities[:, None],
        np.ones((n_rows, 1)),
        held,
        held**2,
        shared.reshape(n_rows, -1),
        _products(shared, centred, scatter).reshape(n_rows, -1),
    ]
    # All in one go: for few rows it is the number of calls to NumPy that takes the time.
    total = exact_sum(np.concatenate(terms, axis=1), np.ones(n_rows) if weights is None else weights)
    ends = np.cumsum([part.shape[1] for part in terms])[:-1]
    log_likelihood, row_weight, counts, squared_counts, offsets, moments = np.split(total, ends)
    if scatter is ScatterKind.POOLED:
        moments = moments.reshape(n_components, -1).sum(axis=0)
    return Sums(
        log_likelihood=float(log_likelihood[0]),
        row_weight=float(row_weight[0]),
        counts=counts,
        squared_counts=squared_counts,
        offsets=offsets.reshape(n_components, n_features),
        scatter=moments.reshape(scatter.shape(n_components, n_features)),
    )


def _products(shared: FloatArray, centred: FloatArray, scatter: ScatterKind) -> FloatArray:
    """Each row's part in second moments, for each component."""
    if scatter in (ScatterKind.FULL, ScatterKind.POOLED):
        return shared[:, :, :, None] * centred[:, :, None, :]
    products = shared * centred
    return products if scatter is ScatterKind.DIAGONAL else products.sum(axis=2)
