"""What a selection is asked for, and its table: a cell for each model and number of components."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from gaussmix.errors import SettingsError
from gaussmix.learning import scoring
from gaussmix.learning.outcome import OutcomeKind
from gaussmix.learning.result import FitResult
from gaussmix.learning.search_table import REACHED
from gaussmix.learning.settings import FitSettings
from gaussmix.model.covariances import FAMILIES, ONE_DIMENSION, covariance_family

CRITERIA = ("bic", "aic", "aicc", "icl")
# A difference of BIC that is not worth more than a bare mention (Kass and Raftery, JASA 90 (1995) 773).
NOT_DECISIVE = 2.0
DEFAULT_COUNTS = tuple(range(1, 10))
MOST = 10_000


class Key(NamedTuple):
    """Which cell."""

    n_components: int
    covariance: str


@dataclass(frozen=True, eq=False)
class SelectionSettings:
    """Everything that decides a selection besides the rows.

    Parameters
    ----------
    n_components : tuple of int
        Numbers of components to try.
    models : tuple of str
        Covariance models to try.
    fit : FitSettings
        All else that fits are asked for.
    criterion : str
        By which the best is chosen: bic, aic, aicc or icl; the lowest wins.
    n_folds, n_repeats : int
        Parts that rows are held out in, and how often they are drawn anew; 0 folds hold none out.
    parsimony : float
        Fewer components are chosen if the criterion is higher by no more than this.

    Raises
    ------
    SettingsError
        Naming the setting, what it must be, and what it was.
    """

    n_components: tuple[int, ...]
    models: tuple[str, ...]
    fit: FitSettings
    criterion: str = "bic"
    n_folds: int = 5
    n_repeats: int = 1
    parsimony: float = NOT_DECISIVE

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_components", counts_of(self.n_components))
        if isinstance(self.models, str) or not self.models:
            raise SettingsError(f"covariance_types must be a list of models; got {self.models!r}")
        for model in self.models:
            try:
                covariance_family(model)
            except SettingsError as unknown:
                known = ", ".join((*ALL_MODELS, *ONE_DIMENSION))
                raise SettingsError(f"covariance_types must be of {known}; got {model!r}") from unknown
        object.__setattr__(self, "models", tuple(dict.fromkeys(self.models)))
        if self.criterion not in CRITERIA:
            raise SettingsError(f"criterion must be one of {', '.join(CRITERIA)}; got {self.criterion!r}")
        if isinstance(self.n_folds, bool) or self.n_folds != 0:
            _whole("n_folds", self.n_folds, 2, "; 0 holds none out")
        _whole("n_repeats", self.n_repeats, 1, "")
        object.__setattr__(self, "n_folds", int(self.n_folds))
        given = self.parsimony
        if (
            isinstance(given, bool)
            or not isinstance(given, int | float | np.number)
            or not 0 <= given < math.inf
        ):
            raise SettingsError(f"parsimony must be a finite number, at least 0; got {given!r}")

    @property
    def keys(self) -> list[Key]:
        """All cells, model by model."""
        return [Key(n_components, model) for model in self.models for n_components in self.n_components]

    def settings(self, key: Key) -> FitSettings:
        """What the fit of a cell is asked for."""
        return replace(self.fit, n_components=key.n_components, covariance_type=key.covariance)


def _whole(name: str, value: Any, least: int, also: str) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and least <= value <= MOST):
        raise SettingsError(f"{name} must be a whole number, at least {least}{also}; got {value!r}")


def counts_of(given: Any) -> tuple[int, ...]:
    """Numbers of components, each once, rising, from a number or several.

    Raises
    ------
    SettingsError
        If they are not whole numbers from 1.
    """
    counts = [given] if isinstance(given, int | np.integer) else given
    refused = SettingsError(
        f"n_components must be whole numbers from 1 to {MOST}, such as range(1, 10); got {repr(given)[:60]}"
    )
    if isinstance(counts, str) or not isinstance(counts, Iterable):
        raise refused
    found = list(counts)
    if not found or not all(isinstance(k, int | np.integer) and not isinstance(k, bool) for k in found):
        raise refused
    if not all(1 <= k <= MOST for k in found):
        raise refused
    return tuple(sorted({int(k) for k in found}))


def models_for(asked: "str | Iterable[str] | None", n_features: int) -> tuple[str, ...]:
    """The covariance models that ``"default"``, ``"all"``, a name or names stand for, in D features.

    Raises
    ------
    SettingsError
        If a name is not that of a model.
    """
    if asked is None or isinstance(asked, str):
        named = asked if asked not in (None, "default", "all") else None
        if named is not None:
            return (named,)
        return tuple(ONE_DIMENSION) if n_features == 1 else DEFAULT_MODELS if asked != "all" else ALL_MODELS
    if not isinstance(asked, Iterable):
        raise SettingsError(f"covariance_types must be a name or names of models; got {asked!r}")
    return tuple(str(model) for model in asked)


ALL_MODELS = tuple(family.name for family in FAMILIES if family.name == family.mclust_name)
DEFAULT_MODELS = ALL_MODELS


def criteria_of(result: FitResult, row_weight: float) -> dict[str, float]:
    """BIC, AIC, AICc and ICL of a fit; lower is better. AICc is infinite where rows are too few for it."""
    assert result.review is not None
    likelihood, n_parameters = result.log_likelihood, result.mixture.n_parameters
    return {
        "bic": scoring.bic(likelihood, n_parameters, row_weight),
        "aic": scoring.aic(likelihood, n_parameters),
        "aicc": scoring.aicc(likelihood, n_parameters, row_weight),
        "icl": scoring.icl(likelihood, n_parameters, row_weight, result.review.log_certainty),
    }


@dataclass(frozen=True, eq=False)
class Cell:
    """A model with a number of components, fitted."""

    n_components: int
    covariance: str
    result: FitResult | None
    """None where there is no such fit, ..."""
    failure: str = ""
    """... and why not."""
    criteria: dict[str, float] | None = None
    """By name; lower is better."""
    ends: tuple[float, ...] = ()
    """Where climbs have ended, in nats, in all searches for this cell."""
    thorough: bool = False
    """Whether it had the search that a single fit has."""

    @property
    def key(self) -> Key:
        """Where it stands."""
        return Key(self.n_components, self.covariance)

    @property
    def sound(self) -> bool:
        """Whether EM converged, and no component is in doubt."""
        return self.result is not None and self.result.outcome.sound

    @property
    def ended(self) -> bool:
        """Whether EM came to an end by itself."""
        return self.result is not None and self.result.outcome.kind is not OutcomeKind.ITERATION_LIMIT

    def spread(self, row_weight: float) -> float:
        """How far apart climbs have ended, in nats a row; 0 where there was one."""
        return (max(self.ends) - min(self.ends)) / row_weight if self.ends else 0.0

    def n_reached(self, row_weight: float) -> int:
        """How many climbs have come to the best end, to 1e-4 nats a row."""
        return sum(end >= max(self.ends) - REACHED * row_weight for end in self.ends)

    def criterion(self, name: str) -> float:
        """One of its criteria; infinite where there is no fit."""
        return math.inf if self.criteria is None else self.criteria[name]


def ranked(cells: Iterable[Cell], criterion: str) -> list[Cell]:
    """Fitted cells, sound ones first, then by a criterion; of equals that with fewer components first."""
    fitted = [cell for cell in cells if cell.result is not None]
    return sorted(
        fitted, key=lambda cell: (not cell.sound, _rounded(cell.criterion(criterion)), _simplicity(cell))
    )


def chosen(front: list[Cell], criterion: str, parsimony: float) -> Cell:
    """Of ranked cells the best with the fewest components that come close to the best of all."""
    best = front[0]
    close = [
        cell
        for cell in front
        if cell.sound == best.sound
        and cell.criterion(criterion) <= best.criterion(criterion) + parsimony
        and cell.n_components <= best.n_components
    ]
    return min(close, key=lambda cell: cell.n_components)


def _rounded(value: float) -> float:
    # One component is the same whatever components could have in common: rounding must not choose.
    return float(f"{value:.10g}")


def _simplicity(cell: Cell) -> tuple[int, int]:
    return (cell.n_components, ALL_MODELS.index(cell.covariance) if cell.covariance in ALL_MODELS else -1)
