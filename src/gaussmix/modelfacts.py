"""What a model file may say of the fit it came from: known names, values of a known kind, nothing else."""

from collections.abc import Callable
from typing import Any

from gaussmix.errors import ModelFileError

OUTCOMES = ("converged", "iteration_limit", "degenerate_component", "objective_fell")
LONGEST_TEXT, LONGEST_LIST = 100_000, 100_000


def checked_facts(facts: Any, n_components: int) -> dict[str, Any]:
    """Facts as they were saved, if they are what gaussmix saves.

    Raises
    ------
    ModelFileError
        Naming the first fact that is unknown or of the wrong kind.
    """
    if not isinstance(facts, dict):
        raise ModelFileError("facts must be an object")
    for name, value in facts.items():
        if name not in _KINDS or not _KINDS[name](value):
            raise ModelFileError(f"the fact {name[:40]!r} is not one that gaussmix saves, or not of its kind")
    if len(facts.get("rows_assigned", [0.0] * n_components)) != n_components:
        raise ModelFileError("rows_assigned must have one number a component")
    if any(not 1 <= doubt["component"] <= n_components for doubt in facts.get("doubts", [])):
        raise ModelFileError("a doubt is about a component that there is not")
    missing = _WITH_A_FIT - facts.keys()
    if missing and len(missing) < len(_WITH_A_FIT):
        raise ModelFileError(f"the facts of a fit lack {', '.join(sorted(missing))}")
    return facts


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e308


def _positive(value: Any) -> bool:
    return _number(value) and value > 0


def _not_negative(value: Any) -> bool:
    return _number(value) and value >= 0


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _list_of(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) <= LONGEST_LIST and all(map(kind, value))


def _doubt(value: Any) -> bool:
    return _made_of(value, {"component": _count, "trouble": _text, "sentence": _text})


def _made_of(value: Any, kinds: dict[str, Callable[[Any], bool]]) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == kinds.keys()
        and all(kinds[n](v) for n, v in value.items())
    )


def _or_none(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or kind(value)


_OF_A_FIT: dict[str, Callable[[Any], bool]] = {
    "log_likelihood": _number,
    "objective": _number,
    "bic": _number,
    "aic": _number,
    "icl": _number,
    "bic_of_one_component": lambda value: value is None or _number(value),
    "n_iterations": _count,
    "outcome": lambda value: value in OUTCOMES,
    "outcome_sentence": _text,
    "converged": _flag,
    "doubts": _list_of(_doubt),
    "n_rows": _count,
    "row_weight": _positive,
    "rows_assigned": _list_of(_number),
    "sure_share": _number,
    "n_unexplained": _count,
    "unexplained_rows": _list_of(_count),
    "tail_weight": _number,
    "n_starts": _count,
    "failed_starts": _list_of(_text),
    "tol": _not_negative,
    "max_iter": _count,
    "n_init": lambda value: value == "auto" or _count(value),
    "init_params": _text,
    "reg_covar": _not_negative,
}
_OF_A_SEARCH: dict[str, Callable[[Any], bool]] = {
    "n_starts": _count,
    "n_moves": _count,
    "n_climbs": _count,
    "n_reached": _count,
    "n_set_aside": _count,
    "spread": _not_negative,
    "sentence": _text,
}
_WITH_A_FIT = _OF_A_FIT.keys()
_KINDS: dict[str, Callable[[Any], bool]] = {
    **_OF_A_FIT,
    "prior": _or_none(lambda value: value in ("weak", "conjugate")),
    "seed": _or_none(_count),
    "notes": _list_of(_text),
    "columns_named": _flag,
    # Older files do without.
    "bic_mclust": _number,
    "icl_mclust": _number,
    "equal_weights": _flag,
    "acceleration": _text,
    "n_passes": _count,
    "search": _or_none(lambda value: _made_of(value, _OF_A_SEARCH)),
}
