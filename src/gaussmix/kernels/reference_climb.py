"""EM steps of many mixtures, and their precision factors, in NumPy: the readable specification."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from gaussmix.kernels.contract import (
    Climbed,
    Components,
    FactorForm,
    FloatArray,
    MStepRule,
    ScatterKind,
    Sums,
)
from gaussmix.kernels.reference import expected_sums

KINDS = {
    FactorForm.FULL: ScatterKind.FULL,
    FactorForm.DIAGONAL: ScatterKind.DIAGONAL,
    FactorForm.ISOTROPIC: ScatterKind.TRACE,
}


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
    """Take EM steps from each of M mixtures, and an E-step at the end.

    Parameters
    ----------
    rows : (N, D) array
    row_weights : (N,) array or None
    weights : (M, K) array
    means : (M, K, D) array
    covariances : array
        (M, K, D, D), (M, K, D) or (M, K), as ``rule.form`` says.
    rule : MStepRule
    n_steps : int
    n_tables : int
        The rows are so many tables of as many rows each, one after the other; then so are the mixtures, as
        many for each table.

    Returns
    -------
    Climbed
        A mixture with a component that collapses stays as it is from there.
    """
    climbed = Climbed(
        np.array(weights),
        np.array(means),
        np.array(covariances),
        np.full(len(weights), -np.inf),
        np.zeros(weights.shape),
        np.zeros(weights.shape),
    )
    n_rows, per_table = len(rows) // n_tables, len(weights) // n_tables
    for m in range(len(weights)):
        own = slice(m // per_table * n_rows, (m // per_table + 1) * n_rows)
        own_weights = None if row_weights is None else row_weights[own]
        _climb_one(rows[own], own_weights, climbed, m, rule, n_steps)
    return climbed


def _climb_one(
    rows: FloatArray, row_weights: FloatArray | None, climbed: Climbed, m: int, rule: MStepRule, n_steps: int
) -> None:
    before = -np.inf
    for step in range(n_steps + 1):
        factors, diagonals = _factors(climbed.covariances[m], climbed.means.shape[2], rule)
        if not (diagonals * rule.resolution < 1.0).all():
            climbed.objectives[m] = -np.inf
            return
        log_determinants = np.log(diagonals).sum(axis=1)
        with np.errstate(divide="ignore"):
            log_weights = np.log(climbed.weights[m])
        components = Components(log_weights, climbed.means[m], factors, log_determinants, rule.form)
        sums = expected_sums(rows, row_weights, components, KINDS[rule.form])
        climbed.counts[m], climbed.squared_counts[m] = sums.counts, sums.squared_counts
        traces = np.einsum("kij,ij->k", _written_out(factors, rule), rule.anchor)
        objective = sums.log_likelihood - rule.strength * float((traces - 2.0 * log_determinants).sum())
        climbed.objectives[m] = objective if np.isfinite(objective) else -np.inf
        if step == n_steps or objective - before <= rule.enough:
            return
        before = objective
        _maximise(climbed, m, sums, rule)


def _maximise(climbed: Climbed, m: int, sums: Sums, rule: MStepRule) -> None:
    counts = sums.counts
    offsets = sums.offsets / np.where(counts > 0.0, counts, 1.0)[:, None]
    divisors = np.where(counts + rule.pseudo_rows > 0.0, counts + rule.pseudo_rows, 1.0)
    if rule.form is FactorForm.FULL:
        squares = offsets[:, :, None] * offsets[:, None, :]
        counts, divisors = counts[:, None, None], divisors[:, None, None]
    elif rule.form is FactorForm.DIAGONAL:
        squares = offsets**2
        counts, divisors = counts[:, None], divisors[:, None]
    else:
        squares = (offsets**2).sum(axis=1)
        divisors = offsets.shape[1] * divisors
    climbed.weights[m] = sums.counts / sums.counts.sum()
    climbed.means[m] += offsets
    climbed.covariances[m] = (sums.scatter - counts * squares + rule.pseudo_scatter) / divisors + rule.added


def _factors(covariances: FloatArray, n_features: int, rule: MStepRule) -> tuple[FloatArray, FloatArray]:
    """Precision factors of K covariances, and their diagonals (K, D): NaN where there is none."""
    if rule.form is FactorForm.FULL:
        factors, sound = triangular_factors(covariances, rule.flat)
        diagonals = np.einsum("kii->ki", factors).copy()
        diagonals[~sound] = np.nan
        return factors, diagonals
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = np.where((covariances > 0.0) & np.isfinite(covariances), 1.0 / np.sqrt(covariances), np.nan)
    if rule.form is FactorForm.DIAGONAL:
        return factors, factors
    return factors, np.tile(factors[:, None], n_features)


def _written_out(factors: FloatArray, rule: MStepRule) -> FloatArray:
    """Precisions P P^T (K, D, D)."""
    n_features = len(rule.anchor)
    if rule.form is FactorForm.FULL:
        return factors @ factors.transpose(0, 2, 1)
    squares = factors**2 if rule.form is FactorForm.DIAGONAL else factors[:, None] ** 2
    return squares[:, :, None] * np.eye(n_features)


def triangular_factors(covariances: FloatArray, flat: float) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Upper-triangular P (n, D, D) with P P^T the inverses of covariances (n, D, D).

    Parameters
    ----------
    covariances : (n, D, D) array
    flat : float
        Share of a variance below which a variance given other features is rounding.

    Returns
    -------
    factors : (n, D, D) array
    sound : (n,) array of bool
        False where there is no factor, because the covariance is not positive definite.
    """
    factors = np.empty(covariances.shape)
    sound = np.isfinite(covariances).all(axis=(1, 2)) & (np.einsum("nii->ni", covariances) > 0.0).all(axis=1)
    for n in np.flatnonzero(sound):
        # Scaling to a correlation matrix first makes columns of scale 1e-12 and 1e12 equally safe.
        scale = np.sqrt(np.diagonal(covariances[n]))
        correlation = covariances[n] / scale[:, None] / scale[None, :]
        lower, info = lapack.dpotrf(correlation, lower=True, clean=True)
        if info != 0 or np.diagonal(lower).min() ** 2 < flat:
            sound[n] = False
            continue
        inverse, _ = lapack.dtrtri(lower, lower=True)
        # Given all others it may be less than given those before it.
        if not (inverse**2).sum(axis=0).max() * flat <= 1.0:
            sound[n] = False
            continue
        factors[n] = inverse.T / scale[:, None]
    return factors, sound
