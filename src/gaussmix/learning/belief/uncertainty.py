"""How sure a fit is of its parameters: standard errors from the information matrix, or by bootstrap."""

import math
import numbers
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaussmix.data.rows import Rows
from gaussmix.errors import DataWarning, FitError, SettingsError
from gaussmix.kernels.threads import single_threaded_blas
from gaussmix.learning.belief.bootstrap import bootstrap, resampled, reweighted, simulated
from gaussmix.learning.belief.information import information_of, inverse_information
from gaussmix.learning.belief.intervals import Estimated, normal_intervals, percentile_intervals
from gaussmix.learning.prepare import FEW_COUNTS, prepare
from gaussmix.learning.review import review_rows
from gaussmix.learning.settings import FitSettings
from gaussmix.model.mixture import Mixture
from gaussmix.model.quantities import quantities_of, standard_errors
from gaussmix.model.tangent import tangent_of

INFORMATION = ("hessian", "outer_product", "sandwich")
BOOTSTRAPS = ("bootstrap", "weighted_likelihood", "parametric")
METHODS = (*INFORMATION, *BOOTSTRAPS)
DEFAULT_METHOD = "hessian"
DEFAULT_LEVEL = 0.95
DEFAULT_REPLICATES = 999
LEAST_REPLICATES = 10
# An information matrix of more parameters takes minutes to invert.
MOST_PARAMETERS = 5000
# Numbers that replicates of one quantity may hold in memory.
MOST_NUMBERS = 1 << 27
# A mixture this many standard errors from the maximum is worth a word, and is no estimate from these rows.
SHORT, TOO_SHORT = 0.1, 1.0
# Where rows hold less than this share of what known components would tell, intervals are rough.
HALF_SEEN = 0.05
# With fewer rows to a parameter, 95 % intervals hold less than 94 % of the time (benchmarks/coverage.py).
FEW_ROWS = 20.0


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Estimates with standard errors and intervals.

    Parameters
    ----------
    method : str
        "hessian", "outer_product", "sandwich", "bootstrap", "weighted_likelihood" or "parametric".
    level : float
        Of the intervals, which are for one number at a time.
    weights, volumes : Estimated
        Arrays (K,).
    means, standard_deviations : Estimated
        Arrays (K, D), in units of the data.
    covariances, correlations : Estimated
        Arrays (K, D, D).
    noise : Estimated or None
        Arrays (1,): the weight of the noise.
    feature_names : tuple of str
        D names.
    n_replicates, n_failed : int or None
        Refits of a bootstrap, and those among them that came to nothing and are left out.
    sentence : str
        What this is, and how far to trust it.
    """

    method: str
    level: float
    weights: Estimated
    means: Estimated
    covariances: Estimated
    standard_deviations: Estimated
    correlations: Estimated
    volumes: Estimated
    noise: Estimated | None
    feature_names: tuple[str, ...]
    n_replicates: int | None
    n_failed: int | None
    sentence: str

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict for each number, components counted from 1: ``pandas.DataFrame(uncertainty.table)``."""
        found = []
        for kind, estimated in self._kinds.items():
            for place in np.ndindex(estimated.value.shape):
                if len(place) == 3 and place[2] > place[1] - (kind == "correlation"):
                    continue
                names = [self.feature_names[j] for j in place[1:]]
                found.append(
                    {
                        "component": None if kind == "noise" else place[0] + 1,
                        "parameter": "weight" if kind == "noise" else kind,
                        "feature": " ~ ".join(dict.fromkeys(names)),
                        **{name: float(numbers[place]) for name, numbers in vars(estimated).items()},
                    }
                )
        return found

    @property
    def _kinds(self) -> dict[str, Estimated]:
        kinds = {
            "weight": self.weights,
            "mean": self.means,
            "standard_deviation": self.standard_deviations,
            "covariance": self.covariances,
            "correlation": self.correlations,
            "volume": self.volumes,
        }
        return kinds if self.noise is None else {**kinds, "noise": self.noise}

    def as_json(self) -> dict[str, Any]:
        """The same as plain data, arrays as lists."""
        plain = ("method", "level", "n_replicates", "n_failed", "sentence")
        names = ("weights", "means", "covariances", "standard_deviations", "correlations", "volumes")
        return {
            **{name: getattr(self, name) for name in plain},
            **{name: getattr(self, name).as_json() for name in names},
            "noise": None if self.noise is None else self.noise.as_json(),
        }


@single_threaded_blas()
def uncertainty_of(
    rows: Rows,
    mixture: Mixture,
    settings: FitSettings,
    method: str = DEFAULT_METHOD,
    level: float = DEFAULT_LEVEL,
    n_replicates: int = DEFAULT_REPLICATES,
) -> Uncertainty:
    """Standard errors and intervals of a fitted mixture's parameters.

    Parameters
    ----------
    rows : Rows
        Those it was fitted to.
    mixture : Mixture
        Where the fit ended. The box of its noise is taken as known.
    settings : FitSettings
        Of the fit; ``seed`` is the bootstrap's.
    method : str
        One of ``METHODS``.
    level : float
        Of the intervals, between 0 and 1.
    n_replicates : int
        Refits of a bootstrap, at least 10.

    Returns
    -------
    Uncertainty
        From the information matrix: intervals symmetric on scales such as `normal_intervals` takes. By
        bootstrap: percentiles.

    Raises
    ------
    SettingsError
        If something that is asked for has no meaning, or cannot be had for such a mixture.
    FitError
        If the information matrix is not positive definite, or too many refits fail.
    """
    if method not in METHODS:
        raise SettingsError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    if not isinstance(level, numbers.Real) or isinstance(level, bool) or not 0.0 < float(level) < 1.0:
        raise SettingsError(f"level must be a number between 0 and 1, such as 0.95; got {level!r}")
    with warnings.catch_warnings():
        # What there is to say of the rows was said when they were fitted.
        warnings.simplefilter("ignore", DataWarning)
        if method in INFORMATION:
            return _from_information(rows, mixture, settings, method, float(level))
    return _by_bootstrap(rows, mixture, settings, method, float(level), n_replicates)


def _from_information(
    rows: Rows, mixture: Mixture, settings: FitSettings, method: str, level: float
) -> Uncertainty:
    _refuse_unsuited(mixture, settings)
    doubts = review_rows(rows, mixture).doubts(mixture)
    if doubts:
        raise FitError(f"There are no standard errors from the information matrix. {doubts[0].sentence}")
    step = prepare(rows, settings)
    if step.prior.floor() is not None:
        raise FitError(
            "There are no standard errors from the information matrix where columns have no spread of their "
            "own (constant, or collinear): drop such columns."
        )
    tangent = tangent_of(mixture, settings.equal_weights)
    information = information_of(rows, tangent, step.prior)
    which = "outer_product" if method == "outer_product" else "hessian"
    covariance, share = inverse_information(information, which)
    short = float(np.sqrt(information.gradient @ covariance @ information.gradient))
    if short > TOO_SHORT:
        raise FitError(
            f"The mixture is {short:.2g} standard errors away from the likeliest one for these rows: give "
            "the rows that it was fitted to (with their weights), or raise max_iter."
        )
    if method == "sandwich":
        covariance = covariance @ information.scores @ covariance
    errors = standard_errors(tangent, covariance)
    summary = rows.summary
    sentence = _information_sentence(method, level, summary.row_weight)
    if summary.row_weight < FEW_COUNTS * summary.n_rows:
        sentence += f" Their sample_weight adds up to no more, though there are {summary.n_rows:,} rows."
    if summary.row_weight < FEW_ROWS * tangent.n_parameters:
        sentence += (
            f" For {tangent.n_parameters} parameters these are not many, and intervals tend to be too short."
        )
    if short > SHORT:
        sentence += f" EM stopped {short:.2g} standard errors short of the maximum: raise max_iter."
    if which == "hessian" and share < HALF_SEEN:
        sentence += (
            f" Components overlap: in one direction the rows tell only {100.0 * share:.2g} % of what they "
            "would if their components were known. Take the intervals as rough, and see method='bootstrap'."
        )
    return _result(
        rows, method, level, normal_intervals(quantities_of(mixture), errors, level), None, None, sentence
    )


def _refuse_unsuited(mixture: Mixture, settings: FitSettings) -> None:
    """Refuse mixtures that the information matrix here is not made for."""
    given = mixture.n_components - 1 if settings.equal_weights else 0
    if settings.ties.any or mixture.n_given != given:
        raise SettingsError(
            "standard errors from the information matrix are for parameters that are all free: with hold or "
            "share use method='bootstrap'"
        )
    if mixture.n_parameters > MOST_PARAMETERS:
        raise SettingsError(
            f"an information matrix of {mixture.n_parameters:,} parameters is too large (at most "
            f"{MOST_PARAMETERS:,}): use method='bootstrap', fewer columns, or a simpler covariance_type"
        )
    if mixture.noise is not None and mixture.noise.weight <= 0.0:
        raise FitError("Noise holds no rows, so that its weight has no standard error: fit without noise.")


def _information_sentence(method: str, level: float, row_weight: float) -> str:
    source = {
        "hessian": "the Hessian of the log-likelihood",
        "outer_product": "the outer product of the rows' scores",
        "sandwich": "the sandwich of Hessian and outer product",
    }[method]
    condition = (
        "right for many rows, even if components are not quite Gaussian"
        if method == "sandwich"
        else "right for many rows, if the rows do come from such a mixture"
    )
    return (
        f"Standard errors and {100.0 * level:g} % intervals from {source} of {row_weight:,.6g} rows "
        f"(Boldea and Magnus 2009): {condition}."
    )


def _by_bootstrap(
    rows: Rows, mixture: Mixture, settings: FitSettings, method: str, level: float, n_replicates: int
) -> Uncertainty:
    whole = isinstance(n_replicates, numbers.Integral) and not isinstance(n_replicates, bool)
    if not whole or n_replicates < LEAST_REPLICATES:
        raise SettingsError(
            f"n_replicates must be a whole number, at least {LEAST_REPLICATES}; got {n_replicates!r}"
        )
    if n_replicates * mixture.n_components * mixture.n_features**2 > MOST_NUMBERS:
        raise SettingsError(
            f"{n_replicates} replicates of {mixture.n_components} covariances in {mixture.n_features} "
            "features are more than fit in memory: take fewer (n_replicates)"
        )
    summary = rows.summary
    if summary.row_weight < FEW_COUNTS * summary.n_rows:
        raise SettingsError(
            f"sample_weight adds up to {summary.row_weight:g} for {summary.n_rows} rows, and so many rows "
            "are drawn: weights are counts of rows; scale them to the number of rows that they stand for"
        )
    draw = {
        "bootstrap": lambda: resampled(rows),
        "weighted_likelihood": lambda: reweighted(rows),
        "parametric": lambda: simulated(rows, mixture),
    }[method]()
    replicates = bootstrap(mixture, settings, draw, int(n_replicates), settings.seed)
    n_found = len(replicates.mixtures)
    if n_found < max(2, n_replicates // 2):
        raise FitError(
            f"{replicates.n_failed} of {n_replicates} refits collapsed, lost a component, or came to no end: "
            "what is left would tell nothing. Use fewer components, a simpler covariance_type, or "
            "prior='weak'."
        )
    drawn = [quantities_of(replicate) for replicate in replicates.mixtures]
    how = {
        "bootstrap": "rows drawn anew with replacement",
        "weighted_likelihood": "the same rows with random weights",
        "parametric": "rows drawn from the mixture",
    }[method]
    chance = 100.0 / math.sqrt(2.0 * (n_found - 1))
    sentence = (
        f"Standard errors and {100.0 * level:g} % intervals (percentiles) from {n_found} refits to {how}; "
        f"chance leaves the standard errors uncertain by about {chance:.2g} %."
    )
    if replicates.n_failed:
        sentence += (
            f" {replicates.n_failed} more refits collapsed, lost a component, or came to no end, and are "
            "left out."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        doubts = review_rows(rows, mixture).doubts(mixture)
    sentence = " ".join([sentence, *(doubt.sentence for doubt in doubts)])
    intervals = percentile_intervals(quantities_of(mixture), drawn, level)
    return _result(rows, method, level, intervals, int(n_replicates), replicates.n_failed, sentence)


def _result(
    rows: Rows,
    method: str,
    level: float,
    intervals: dict[str, Estimated],
    n_replicates: int | None,
    n_failed: int | None,
    sentence: str,
) -> Uncertainty:
    noise = intervals.pop("noise")
    return Uncertainty(
        method=method,
        level=level,
        **intervals,
        noise=noise if noise.value.size else None,
        feature_names=rows.feature_names,
        n_replicates=n_replicates,
        n_failed=n_failed,
        sentence=sentence,
    )
