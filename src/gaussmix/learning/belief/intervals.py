"""Intervals about estimates, each on a scale on which its estimate is nearly normal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit, ndtri

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.quantities import Quantities

LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, eq=False)
class Estimated:
    """Numbers of one kind, and how sure they are; arrays of one shape."""

    value: FloatArray
    standard_error: FloatArray
    low: FloatArray
    high: FloatArray

    def as_json(self) -> dict[str, Any]:
        """The same as lists."""
        names = ("value", "standard_error", "low", "high")
        return {name: getattr(self, name).tolist() for name in names}


def normal_intervals(found: Quantities, errors: Quantities, level: float) -> dict[str, Estimated]:
    """Each quantity with its standard error and a symmetric interval on its own scale.

    Weights by their logit; standard deviations, variances and volumes by their logarithm; correlations by
    Fisher's z, their inverse hyperbolic tangent; means and covariances as they are. What has no error, as
    the weight of a single component, has no interval either.

    Parameters
    ----------
    found, errors : Quantities
        Values and standard errors.
    level : float
        Between 0 and 1.
    """
    away = float(ndtri(0.5 + 0.5 * level))
    intervals = {
        name: Estimated(value, error, *_SCALES.get(name, _plain)(value, error, away))
        for name, value, error in zip(Quantities._fields, found, errors, strict=True)
    }
    spread = intervals["covariances"]
    on_diagonal = np.eye(spread.value.shape[-1], dtype=bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = _logarithmic(np.where(on_diagonal, spread.value, 1.0), spread.standard_error, away)
    low, high = (np.where(on_diagonal, *pair) for pair in zip(logs, (spread.low, spread.high), strict=True))
    return {**intervals, "covariances": Estimated(spread.value, spread.standard_error, low, high)}


def percentile_intervals(found: Quantities, drawn: list[Quantities], level: float) -> dict[str, Estimated]:
    """Each quantity with the standard deviation and percentiles of what replicates make of it.

    Parameters
    ----------
    found : Quantities
        Of the fit itself.
    drawn : list of Quantities
        Of replicates, at least two.
    level : float
        Between 0 and 1.
    """
    tails = [0.5 - 0.5 * level, 0.5 + 0.5 * level]
    intervals = {}
    for place, name in enumerate(Quantities._fields):
        values = np.stack([quantities[place] for quantities in drawn])
        # About the estimate and in its size first: the squares of odd units would vanish.
        size = np.abs(values - found[place]).max(axis=0)
        scale = np.where(size > 0.0, size, 1.0)
        error = scale * ((values - found[place]) / scale).std(axis=0, ddof=1)
        intervals[name] = Estimated(found[place], error, *np.quantile(values, tails, axis=0))
    return intervals


def _plain(value: FloatArray, error: FloatArray, away: float) -> tuple[FloatArray, FloatArray]:
    return value - away * error, value + away * error


def _logarithmic(value: FloatArray, error: FloatArray, away: float) -> tuple[FloatArray, FloatArray]:
    with np.errstate(over="ignore"):
        factor = np.exp(away * (error / value))
        return value / factor, np.minimum(value * factor, LARGEST)


def _logit(value: FloatArray, error: FloatArray, away: float) -> tuple[FloatArray, FloatArray]:
    return _moved(logit, expit, value, error, value * (1.0 - value), away)


def _fisher_z(value: FloatArray, error: FloatArray, away: float) -> tuple[FloatArray, FloatArray]:
    return _moved(np.arctanh, np.tanh, value, error, (1.0 - value) * (1.0 + value), away)


def _moved(
    to: Callable[[FloatArray], FloatArray],
    back: Callable[[FloatArray], FloatArray],
    value: FloatArray,
    error: FloatArray,
    slope: FloatArray,
    away: float,
) -> tuple[FloatArray, FloatArray]:
    """An interval on another scale of derivative 1 / ``slope``; without error, the value itself."""
    sure = (error == 0.0) | (slope <= 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle, step = to(value), away * error / slope
        low, high = back(middle - step), back(middle + step)
    return np.where(sure, value, low), np.where(sure, value, high)


_Scale = Callable[[FloatArray, FloatArray, float], tuple[FloatArray, FloatArray]]
_SCALES: dict[str, _Scale] = {
    "weights": _logit,
    "noise": _logit,
    "standard_deviations": _logarithmic,
    "volumes": _logarithmic,
    "correlations": _fisher_z,
}
