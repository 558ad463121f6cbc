# ruff: noqa: T201
"""Random adversarial fits, each judged: `python -m tests.fuzz.fits --first 0 --count 1000`.

A fit has to end in an answer that keeps every promise, or in an error of gaussmix that says why not.
Whatever else happens is a failure, and is printed with its seed; `--first SEED --count 1` repeats it.
"""

import argparse
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# As a script and in pytest alike.
sys.path.insert(0, str(Path(__file__).parent))

from adversary import Case, case_of

from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataWarning, GaussmixError
from gaussmix.learning.history import History
from gaussmix.learning.outcome import OutcomeKind
from gaussmix.learning.prepare import prepare
from gaussmix.learning.result import FitResult
from gaussmix.learning.search import search
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import Prior
from gaussmix.model.statistics import SufficientStatistics

EPSILON = float(np.finfo(np.float64).eps)
# A sum over rows may be wrong by so many roundings of what it is made of.
ROUNDINGS = 16.0
# A row supports a component that holds this share of it; one that holds less than half a row is empty.
SUPPORTS, EMPTY = 0.01, 0.5
# A column of so many roundings' spread is one that rounding has made.
NARROW = 4.0


@dataclass
class Verdict:
    """What came of a seed."""

    seed: int
    outcome: str
    """An `OutcomeKind`, with ", doubtful" where components were named, or the name of an error."""
    faults: list[str] = field(default_factory=list)


class Climbs:
    """Mixtures of every climb, by the history that they belong to."""

    def __init__(self) -> None:
        self._mixtures: dict[int, tuple[History, list[Mixture]]] = {}

    def __call__(self, mixture: Mixture, _: SufficientStatistics, history: History) -> None:
        self._mixtures.setdefault(id(history), (history, []))[1].append(mixture)

    def of(self, history: History) -> list[Mixture]:
        """One mixture for each objective."""
        return self._mixtures[id(history)][1]


def judged(case: Case) -> Verdict:
    """Fit, and hold the answer to what is promised."""
    climbs = Climbs()
    with warnings.catch_warnings():
        # NumPy's warnings are the first sign of a NaN.
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DataWarning)
        try:
            rows = MemoryRows(case.rows, case.weights)
            result = search(rows, case.settings, climbs)
            prior = prepare(rows, case.settings).prior
        except GaussmixError as refusal:
            return Verdict(case.seed, type(refusal).__name__, _of_sentence(str(refusal)))
        except Exception as crash:
            return Verdict(case.seed, "crash", [f"{type(crash).__name__}: {crash}"])
        try:
            faults = [
                *_of_numbers(result),
                *_of_climb(case, prior, rows, result, climbs.of(result.history)),
                *_of_rows(prior, rows, result),
                *_of_components(rows, result),
                *_of_sentence(str(result.outcome)),
            ]
        except Exception as crash:
            faults = [f"the answer cannot be used: {type(crash).__name__}: {crash}"]
    kind = result.outcome.kind.value
    return Verdict(case.seed, f"{kind}, doubtful" if result.outcome.doubts else kind, faults)


def _of_numbers(result: FitResult) -> list[str]:
    mixture, history = result.mixture, result.history
    parts = {
        "weights": mixture.weights,
        "means": mixture.means,
        "covariances": mixture.covariances,
        "factors": mixture.precision_factors,
        "log-likelihoods": history.log_likelihoods,
        "objectives": history.objectives,
        "prior's shares": 0.0 if result.prior_share is None else result.prior_share,
    }
    faults = [f"{name} are not finite" for name, values in parts.items() if not np.isfinite(values).all()]
    total = mixture.weights.sum() + (0.0 if mixture.noise is None else mixture.noise.weight)
    if not abs(total - 1.0) <= 1e-12 or not (mixture.weights >= 0.0).all():
        faults.append(f"weights add up to {total!r}")
    return faults


def _of_climb(
    case: Case, prior: Prior, rows: MemoryRows, result: FitResult, mixtures: list[Mixture]
) -> list[str]:
    """Whether the objective fell, by more than rounding can explain."""
    history, faults = result.history, []
    if result.outcome.kind is OutcomeKind.OBJECTIVE_FELL:
        faults.append("stopped because the objective fell")
    if case.settings.reg_covar == 0.0:
        for i, gain in enumerate(np.diff(history.objectives)):
            slack = max(
                _slack(prior, rows, mixtures[i], history.objectives[i]),
                _slack(prior, rows, mixtures[i + 1], history.objectives[i + 1]),
            )
            if not gain >= -slack:
                faults.append(f"the objective fell by {-gain:.3g} in step {i + 1}, rounding is {slack:.3g}")
                break
    return faults


def _slack(prior: Prior, rows: MemoryRows, mixture: Mixture, objective: float) -> float:
    """What rounding can do to an objective: of its terms, of covariances' factors, and of the means."""
    n_components, n_features = mixture.means.shape
    # A prior counts like rows of its own.
    pseudo_rows = prior.pseudo_rows(mixture.family, n_components, n_features)
    weight = rows.summary.row_weight + pseudo_rows * n_components
    terms = abs(objective) + weight * (1.0 + mixture.log_magnitude)
    scales = np.sqrt(np.einsum("kii->ki", mixture.matrices))
    inflated = np.einsum("kii->ki", np.linalg.inv(mixture.matrices / scales[:, None] / scales[:, :, None]))
    # A factor is that of a covariance in which each entry is off by D + 1 roundings (Higham 2002, 10.3).
    factors = weight * n_features * (n_features + 1) * inflated.max()
    # A rounded mean is wrong by so many standard deviations given all other features, which may add up.
    sigmas = EPSILON * np.abs(mixture.means) / scales * np.sqrt(np.abs(inflated))
    misplaced = float(sigmas.sum(axis=1).max()) ** 2
    return EPSILON * (ROUNDINGS * terms + 4.0 * factors) + 4.0 * weight * misplaced


def _of_rows(prior: Prior, rows: MemoryRows, result: FitResult) -> list[str]:
    """What the mixture says of the rows it was fitted to."""
    mixture, faults = result.mixture, []
    labels, shares = mixture.labels(rows.matrix), mixture.shares(rows.matrix)
    densities = mixture.log_density(rows.matrix)
    if not (np.isfinite(shares).all() and np.abs(shares.sum(axis=1) - 1.0).max() <= 1e-9):
        faults.append("responsibilities do not add up to 1")
    least = 0 if mixture.noise is None else -1
    if labels.min() < least or labels.max() >= mixture.n_components:
        faults.append("labels are not components")
    weights = np.ones(len(densities)) if rows.weights is None else rows.weights
    if not np.isfinite(densities[weights > 0.0]).all():
        faults.append("a row that was fitted has no density")
        return faults
    total = float(weights[weights > 0.0] @ densities[weights > 0.0])
    slack = 16.0 * _slack(prior, rows, mixture, result.log_likelihood)
    if not abs(total - result.log_likelihood) <= slack:
        faults.append(f"log-likelihood is {result.log_likelihood!r}, its rows add up to {total!r}")
    return faults


def _of_components(rows: MemoryRows, result: FitResult) -> list[str]:
    """Whether a component without spread, or on too few rows, is not named."""
    mixture, outcome = result.mixture, result.outcome
    named = {doubt.component for doubt in outcome.doubts}
    counted = rows.matrix if rows.weights is None else rows.matrix[rows.weights > 0.0]
    shares, faults = mixture.shares(counted), []
    least = mixture.family.least_rows(mixture.n_features)
    held = mixture.weights * max(rows.summary.row_weight, len(counted))
    resolution = EPSILON * rows.summary.magnitudes
    # Columns that are a few roundings wide themselves have no component that is wider.
    wide = _spread_of_all(rows, mixture) > NARROW * resolution
    for k in sorted(set(range(mixture.n_components)) - named):
        distinct = len(np.unique(counted[shares[:, k] >= SUPPORTS], axis=0))
        if held[k] < EMPTY:
            faults.append(f"component {k + 1} holds {held[k]:.3g} rows and is not named")
        elif 0 < distinct < least:
            faults.append(f"component {k + 1} rests on {distinct} of {least} rows and is not named")
        if outcome.collapse is not None:
            # What is returned is the last mixture before one without density, and the outcome says so.
            continue
        if not _has_spread(mixture.matrices[k], np.where(wide, resolution, 0.0)):
            faults.append(f"component {k + 1} is singular to working precision and is not named")
    return faults


def _spread_of_all(rows: MemoryRows, mixture: Mixture) -> np.ndarray[Any, Any]:
    """Standard deviations (D,) of one component for all rows, in this family."""
    variances = rows.summary.variances
    return np.sqrt(variances if mixture.family.sees_shape else np.full_like(variances, variances.mean()))


def _has_spread(matrix: np.ndarray[Any, Any], resolution: np.ndarray[Any, Any]) -> bool:
    """Whether a covariance (D, D) is positive definite beyond rounding, in units in which it has ones."""
    scale = np.sqrt(np.diagonal(matrix))
    if not (scale > resolution).all():
        return False
    smallest = np.linalg.eigvalsh(matrix / scale[:, None] / scale)[0]
    return bool(smallest > 0.25 * EPSILON * len(matrix))


def _of_sentence(said: str) -> list[str]:
    """Whether it says something, and nothing of NaN."""
    words = said.split()
    return [] if len(words) > 2 and "nan" not in said.lower().split() else [f"it only says {said!r}"]


def main() -> int:
    """Print counts by outcome, and every seed that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    asked = parser.parse_args()
    outcomes: Counter[str] = Counter()
    n_failed = 0
    for seed in range(asked.first, asked.first + asked.count):
        verdict = judged(case_of(seed))
        outcomes[verdict.outcome] += 1
        if verdict.faults:
            n_failed += 1
            print(f"seed {seed} ({verdict.outcome}): {'; '.join(verdict.faults)}", flush=True)
        if (seed - asked.first + 1) % 10_000 == 0:
            print(f"{seed - asked.first + 1} fits, {n_failed} failed", flush=True)
    for outcome, count in outcomes.most_common():
        print(f"{count:8}  {outcome}")
    answered = sum(count for outcome, count in outcomes.items() if not outcome.endswith("Error"))
    last = asked.first + asked.count - 1
    print(
        f"{asked.count:8}  fits, seeds {asked.first} to {last}, {answered} with a mixture: {n_failed} failed"
    )
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
