"""What has to be known of the rows before EM: are there enough, do they vary, what does the prior need."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from gaussmix.data.files.room import SHARE, memory_to_use
from gaussmix.data.rows import Rows, RowsSummary
from gaussmix.errors import DataError, DataWarning, SettingsError
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.settings import FitSettings
from gaussmix.model.conjugate import ConjugatePrior
from gaussmix.model.covariances import ONE_DIMENSION, CovarianceFamily
from gaussmix.model.maximise import MStep
from gaussmix.model.prior import Floor, NoPrior, Prior, WeakPrior, spread_floor

# A column takes part in a direction without spread if it has this share of the direction's length.
TAKES_PART = 1e-3
# Weights that are less than this on average cannot be counts of rows.
FEW_COUNTS = 0.5
# Of the largest variance: columns with less than this cannot be turned into one another and keep digits, ...
LEAST_TURNED = 1e-14
# ... and beside one variance for all, squares of their quotients leave the floats' range.
LEAST_SHARED = 1e-100
# Bytes that no process lacks that has come so far.
SURELY_THERE = 1 << 20


_UNWARNED: ContextVar[bool] = ContextVar("unwarned", default=False)


@contextmanager
def unwarned() -> Iterator[None]:
    """Say nothing of the rows for a while, where it has been said: on this thread, and on no other."""
    token = _UNWARNED.set(True)
    try:
        yield
    finally:
        _UNWARNED.reset(token)


def _warn(sentence: str) -> None:
    if not _UNWARNED.get():
        warnings.warn(sentence, DataWarning, stacklevel=3)


def refuse_small_weights(rows: Rows) -> None:
    """Refuse weights that cannot be counts of rows, where models are compared by how many rows there are.

    Raises
    ------
    DataError
    """
    summary = rows.summary
    if summary.row_weight < FEW_COUNTS * summary.n_rows:
        raise DataError(
            f"sample_weight adds up to {summary.row_weight:g} for {summary.n_rows} rows: weights are counts "
            "of rows, by which models are compared; scale them to mean 1"
        )


def prepare(rows: Rows, settings: FitSettings) -> MStep:
    """Refuse rows that no mixture fits, warn of columns that say nothing, and set the M-step up.

    Raises
    ------
    DataError
        Fewer rows than components; a single point; or directions without spread and no prior.
    """
    summary = rows.summary
    if summary.n_rows < settings.n_components:
        raise DataError(
            f"n_samples={summary.n_rows} rows cannot make n_components={settings.n_components} components: "
            "use fewer components"
        )
    if np.array_equal(summary.low, summary.high):
        raise DataError(
            f"all rows (n_samples={summary.n_rows}) are equal, a single point: there is no spread to "
            "describe, and any Gaussian narrow enough is as good as any other"
        )
    if summary.row_weight < FEW_COUNTS * summary.n_rows:
        _warn(
            f"sample_weight adds up to {summary.row_weight:g} for {summary.n_rows} rows. Weights are counts "
            "of rows, so log-likelihood, BIC and AIC are in that unit; scale the weights to mean 1 to "
            "compare models."
        )
    family = settings.family
    if settings.covariance_type in ONE_DIMENSION and len(rows.feature_names) > 1:
        raise SettingsError(
            f"covariance_type {settings.covariance_type!r} is for one feature; there are "
            f"{len(rows.feature_names)}"
        )
    _refuse_too_wide(len(rows.feature_names))
    covariance = covariance_seen(rows, family)
    floor = _floor(rows, family, covariance, settings)
    _refuse_unlike_units(rows, settings)
    prior: Prior = NoPrior()
    if settings.prior == "weak":
        prior = WeakPrior(prior_strength(summary), covariance, floor)
    elif settings.prior == "conjugate":
        unbiased = covariance * summary.row_weight / max(summary.row_weight - 1.0, 0.5 * summary.row_weight)
        prior = ConjugatePrior(summary.mean, unbiased)
    resolution = np.finfo(np.float64).eps * summary.magnitudes
    return MStep(prior, float(settings.reg_covar), resolution, settings.ties, rows.summary.lightest)


def _refuse_too_wide(n_features: int) -> None:
    """Refuse more features than there is memory for one covariance of, before that is asked for.

    Raises
    ------
    DataError
    """
    needed = 8 * n_features**2
    # Asking takes longer than a step of EM on a small table.
    if needed > SURELY_THERE and needed > (memory := memory_to_use() / SHARE):
        raise DataError(
            f"one covariance of {n_features} features takes {needed / 1e9:.3g} GB, and this process can have "
            f"{memory / 1e9:.3g} GB: choose fewer columns, or reduce them first (PCA, TruncatedSVD)"
        )


def _refuse_unlike_units(rows: Rows, settings: FitSettings) -> None:
    """Refuse columns whose spreads differ by more than arithmetic that mixes them can bear.

    Raises
    ------
    DataError
    """
    family, variances = settings.family, rows.summary.variances
    small, large = int(np.argmin(variances)), int(np.argmax(variances))
    if family.rigid:
        least, why = LEAST_TURNED, "turns axes"
    elif settings.prior == "conjugate" and not family.sees_correlation:
        least, why = LEAST_SHARED, "has one variance for all columns under prior='conjugate'"
    else:
        return
    if 0.0 < variances[small] < least * variances[large]:
        spreads = np.sqrt(variances[[small, large]])
        raise DataError(
            f"columns {rows.feature_names[small]!r} and {rows.feature_names[large]!r} have standard "
            f"deviations of {spreads[0]:.2g} and {spreads[1]:.2g}, too different for covariance_type "
            f"{family.name}, which {why}: rounding in the one outweighs the other. Bring the columns into "
            "like units (divide each by its standard deviation), or use VVV (full) with prior='weak', which "
            "does not depend on units"
        )


def prior_strength(summary: RowsSummary) -> float:
    """A of the weak prior: 1 / n, with n the row weight.

    Weights of 1 and more are counts, and then n is their sum. Weights that add up to less than the
    number of rows cannot be counts: the prior treats them as if they had been scaled to mean 1.
    """
    return min(1.0 / summary.row_weight, summary.row_weight / summary.n_rows**2)


def covariance_seen(rows: Rows, family: CovarianceFamily) -> FloatArray:
    """The covariance of all rows (D, D), without correlations where the family knows none."""
    return rows.covariance() if family.sees_correlation else np.diag(rows.summary.variances)


def _floor(
    rows: Rows, family: CovarianceFamily, covariance: FloatArray, settings: FitSettings
) -> Floor | None:
    """Covariance along directions without spread, after a word about them."""
    flat = family.spreadless_directions(covariance)
    if flat.shape[1] == 0:
        return None
    sentence = _flat_sentence(rows, flat)
    if not family.free or settings.prior == "conjugate":
        why = "prior='conjugate'" if family.free else f"covariance_type {family.name}"
        raise DataError(
            f"{sentence} {why} has no answer there: drop such columns, or use prior='weak' with VVV (full), "
            "EEE (tied) or VVI (diag)."
        )
    if settings.prior == "none" and settings.reg_covar == 0.0:
        raise DataError(
            f"{sentence} Without a prior the likelihood is unbounded: drop such columns, use prior='weak'"
            + (", or covariance 'diag'." if family.sees_correlation else ".")
        )
    if settings.prior == "none":
        return None
    _warn(
        f"{sentence} The prior holds the variance along such directions fixed, alike in all components: "
        "they tell no groups apart."
    )
    return spread_floor(flat, covariance, rows.summary.magnitudes)


def _flat_sentence(rows: Rows, flat: FloatArray) -> str:
    summary, names = rows.summary, rows.feature_names
    n_features = len(names)
    constant = np.flatnonzero(summary.low == summary.high)
    sentences = [f"Column {names[j]!r} is constant ({summary.low[j]:g})." for j in constant[:5]]
    if len(constant) > 5:
        sentences.append(f"{len(constant) - 5} more columns are constant.")
    n_collinear = flat.shape[1] - len(constant)
    if n_collinear > 0 and summary.n_rows <= n_features:
        sentences.append(
            f"{n_features} features are more than {summary.n_rows} rows can tell apart: covariance 'diag' "
            "or fewer columns would be sounder."
        )
    elif n_collinear > 0:
        taking_part = [
            names[j]
            for j in np.flatnonzero(np.linalg.norm(flat, axis=1) > TAKES_PART)
            if j not in set(constant)
        ]
        more = " ..." if len(taking_part) > 10 else ""
        listed = ", ".join(repr(name) for name in taking_part[:10]) + more
        sentences.append(f"Columns {listed} are collinear: some are a sum of multiples of the others.")
    return " ".join(sentences)
