"""Standard errors and intervals as cells of a table, for the terminal and for pages."""

import math

from gaussmix.learning.belief.intervals import Estimated
from gaussmix.learning.belief.uncertainty import Uncertainty
from gaussmix.report.words import clean, number

# A standard error is shown to so many significant digits, and its estimate to as many decimals.
DIGITS = 2
# Numbers outside this range are written with an exponent.
SMALLEST, LARGEST = 1e-4, 1e9


def uncertainty_cells(uncertainty: Uncertainty) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings, and a row for each component and feature; noise comes last."""
    level = f"{100.0 * uncertainty.level:g} % interval"
    heads = ("component", "share ± se", "feature", "mean ± se", level, "sd ± se")
    means, spreads = uncertainty.means, uncertainty.standard_deviations
    n_components, n_features = means.value.shape
    rows: list[tuple[str, ...]] = [
        (
            *((str(k + 1), _share(uncertainty.weights, k)) if j == 0 else ("", "")),
            clean(uncertainty.feature_names[j]),
            _measured(float(means.value[k, j]), float(means.standard_error[k, j])),
            _interval(means, k, j),
            _measured(float(spreads.value[k, j]), float(spreads.standard_error[k, j])),
        )
        for k in range(n_components)
        for j in range(n_features)
    ]
    if uncertainty.noise is not None:
        rows.append(("noise", _share(uncertainty.noise, 0), "", "", "", ""))
    return heads, rows


def _share(shares: Estimated, k: int) -> str:
    value, error = 100.0 * float(shares.value[k]), 100.0 * float(shares.standard_error[k])
    decimals = _decimals(value, error)
    if decimals is None:
        return f"{value:.1f}%"
    return f"{value:.{decimals}f}% ± {error:.{decimals}f}%"


def _measured(value: float, error: float) -> str:
    """Value and error with as many decimals as the error has a right to."""
    decimals = _decimals(value, error)
    if decimals is None:
        return f"{number(value)} ± {number(error, DIGITS)}"
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def _interval(estimated: Estimated, k: int, j: int) -> str:
    value, error = float(estimated.value[k, j]), float(estimated.standard_error[k, j])
    ends = [float(estimated.low[k, j]), float(estimated.high[k, j])]
    decimals = _decimals(value, error)
    low, high = (number(end) if decimals is None else f"{end:.{decimals}f}" for end in ends)
    return f"{low} to {high}"


def _decimals(value: float, error: float) -> int | None:
    """Decimals that show the error to its digits; None where numbers need an exponent, or have no error."""
    if error < SMALLEST or max(abs(value), error) >= LARGEST:
        return None
    return max(DIGITS - 1 - math.floor(math.log10(error)), 0)
