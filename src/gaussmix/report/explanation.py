"""EM as a person would do it by hand: every quantity of every iteration, as plain data."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.rows import Rows
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.outcome import OutcomeKind
from gaussmix.learning.result import FitResult, TraceStep
from gaussmix.learning.settings import FitSettings
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import Prior
from gaussmix.model.statistics import SufficientStatistics

JSON_SCHEMA, JSON_VERSION = "gaussmix-explanation", 1
# Tables up to this length are shown whole; of longer ones this many of the most undecided rows.
WHOLE_TABLE, FIRST_ROWS, UNDECIDED_ROWS = 20, 4, 8


@dataclass(frozen=True)
class ExplainedRow:
    """One row of the E-step table."""

    number: int
    """Counted from 1."""
    x: list[float]
    """(D,)."""
    weight: float
    densities: list[float]
    """(K,), N(x; mu_k, Sigma_k)."""
    responsibilities: list[float]
    """(K,)."""


@dataclass(frozen=True, eq=False)
class ExplainedStep:
    """One iteration: E-step, then M-step."""

    iteration: int
    """Counted from 1."""
    mixture: Mixture
    """Before the iteration."""
    rows: tuple[ExplainedRow, ...]
    """All rows, or those that matter."""
    n_rows: int
    statistics: SufficientStatistics
    """Of all rows."""
    log_likelihood: float
    """Of ``mixture``."""
    next: Mixture | None
    """After the iteration; None where EM could not go on."""
    next_log_likelihood: float | None


@dataclass(frozen=True, eq=False)
class Explanation:
    """Some iterations of EM, with all their numbers."""

    feature_names: tuple[str, ...]
    steps: tuple[ExplainedStep, ...]
    row_weight: float
    prior: str
    pseudo_rows: float
    """2 a of the weak prior; 0 without a prior."""
    held: FloatArray
    """(D, D), what the prior holds fixed along directions in which the rows have no spread; else 0."""
    reg_covar: float
    outcome_sentence: str
    start_sentence: str = ""
    """Where the first mixture comes from, if it was not given."""

    def as_json(self) -> dict[str, Any]:
        """The stable form that ``explain --json`` prints."""
        return {
            "schema": JSON_SCHEMA,
            "schema_version": JSON_VERSION,
            "feature_names": list(self.feature_names),
            "prior": None if self.prior == "none" else self.prior,
            "outcome_sentence": self.outcome_sentence,
            "steps": [_step_json(step) for step in self.steps],
        }


def explain(
    rows: Rows,
    result: FitResult,
    settings: FitSettings,
    prior: Prior,
    all_rows: bool = False,
    row_numbers: NDArray[Any] | None = None,
) -> Explanation:
    """Write out a traced fit.

    Parameters
    ----------
    rows : Rows
        What was fitted.
    result : FitResult
        With its trace.
    settings : FitSettings
        What was asked for.
    prior : Prior
        What was added to each N_k and S_k.
    all_rows : bool
        Whether to keep every row of every table.
    row_numbers : (N,) array, optional
        Numbers of the rows in their file, where some were left out.
    """
    trace, floor, n_features = result.trace, prior.floor(), len(rows.feature_names)
    # The last E-step has no M-step after it, but where EM stopped at once it is all there is.
    shown = trace[:-1] if len(trace) > 1 and result.outcome.collapse is None else trace
    steps = tuple(_step(rows, trace, i, all_rows, row_numbers) for i in range(len(shown)))
    return Explanation(
        rows.feature_names,
        steps,
        rows.summary.row_weight,
        settings.prior,
        prior.pseudo_rows(settings.family, settings.n_components, n_features),
        np.zeros((n_features, n_features)) if floor is None else floor.matrix,
        settings.reg_covar,
        _ending(result),
        "" if settings.given.says_something else _START.format(method=settings.init_params),
    )


_START = (
    "The start is our own ({method}); its covariances are smoothed with a few pseudo-rows of all rows' "
    "covariance, so that no component begins as a spike. --means, --variances and --weights give another."
)


def _ending(result: FitResult) -> str:
    if result.outcome.kind is OutcomeKind.ITERATION_LIMIT:
        return "EM goes on from here; gaussmix fit takes it to the end."
    return str(result.outcome)


def _step(
    rows: Rows, trace: tuple[TraceStep, ...], i: int, all_rows: bool, row_numbers: NDArray[Any] | None
) -> ExplainedStep:
    mixture = trace[i].mixture
    following = trace[i + 1] if i + 1 < len(trace) else None
    return ExplainedStep(
        iteration=trace[i].iteration + 1,
        mixture=mixture,
        rows=_numbered(_table(rows, mixture, all_rows), row_numbers),
        n_rows=rows.summary.n_rows,
        statistics=rows.expected_statistics(mixture),
        log_likelihood=trace[i].log_likelihood,
        next=None if following is None else following.mixture,
        next_log_likelihood=None if following is None else following.log_likelihood,
    )


def _numbered(rows: tuple[ExplainedRow, ...], row_numbers: NDArray[Any] | None) -> tuple[ExplainedRow, ...]:
    if row_numbers is None:
        return rows
    return tuple(replace(row, number=int(row_numbers[row.number - 1])) for row in rows)


def _table(rows: Rows, mixture: Mixture, all_rows: bool) -> tuple[ExplainedRow, ...]:
    """All rows, or the first few and those whose largest responsibility is smallest."""
    if all_rows or rows.summary.n_rows <= WHOLE_TABLE:
        return tuple(row for row, _ in _explained(rows, mixture, None))
    kept: list[tuple[float, ExplainedRow]] = []
    first: list[ExplainedRow] = []
    for row, certainty in _explained(rows, mixture, UNDECIDED_ROWS):
        if row.number <= FIRST_ROWS:
            first.append(row)
        else:
            kept.append((certainty, row))
    undecided = sorted(kept, key=lambda pair: (pair[0], pair[1].number))[:UNDECIDED_ROWS]
    return tuple(first + sorted((row for _, row in undecided), key=lambda row: row.number))


def _explained(rows: Rows, mixture: Mixture, most: int | None) -> list[tuple[ExplainedRow, float]]:
    """Rows with their certainty; of each tile only the first few and the ``most`` undecided."""
    explained = []
    seen = 0
    for tile, given in rows.tiles():
        weights = np.ones(len(tile)) if given is None else given
        shares = mixture.shares(tile)
        certainty = shares.max(axis=1)
        chosen = np.arange(len(tile))
        if most is not None:
            undecided = np.argsort(certainty, kind="stable")[: most + FIRST_ROWS]
            early = chosen[: max(0, FIRST_ROWS - seen)]
            chosen = np.union1d(early, undecided)
        with np.errstate(over="ignore"):
            densities = np.exp(mixture.log_densities(tile[chosen]))
        for place, i in enumerate(chosen):
            row = _row(seen + int(i) + 1, tile[i], float(weights[i]), densities[place], shares[i])
            explained.append((row, float(certainty[i])))
        seen += len(tile)
    return explained


def _row(
    number: int, x: FloatArray, weight: float, densities: FloatArray, shares: FloatArray
) -> ExplainedRow:
    return ExplainedRow(number, x.tolist(), weight, densities.tolist(), shares.tolist())


def _step_json(step: ExplainedStep) -> dict[str, Any]:
    return {
        "iteration": step.iteration,
        "mixture": _mixture_json(step.mixture),
        "n_rows": step.n_rows,
        "rows": [
            {
                "row": row.number,
                "x": row.x,
                # A density beyond the floats' range has no JSON number.
                "densities": [value if math.isfinite(value) else None for value in row.densities],
                "responsibilities": row.responsibilities,
            }
            for row in step.rows
        ],
        "component_totals": step.statistics.counts.tolist(),
        "log_likelihood": step.log_likelihood,
        "next": None if step.next is None else _mixture_json(step.next),
        "next_log_likelihood": step.next_log_likelihood,
    }


def _mixture_json(mixture: Mixture) -> dict[str, Any]:
    return {
        "weights": mixture.weights.tolist(),
        "means": mixture.means.tolist(),
        "covariances": mixture.covariances.tolist(),
    }
