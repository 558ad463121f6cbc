"""Many mixtures that take a few EM steps side by side: how a search tells which starts deserve more.

Where components are free of one another the kernel takes the steps of all mixtures at once. Where they
are not, each mixture takes its steps by itself, on the page.
"""

from dataclasses import dataclass, replace

import numpy as np

from gaussmix import kernels
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FloatArray, MStepRule
from gaussmix.learning.em import fit_em
from gaussmix.learning.history import History
from gaussmix.learning.stopping import Limits
from gaussmix.model.covariances import CovarianceFamily
from gaussmix.model.covariances.contract import FLAT
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import NoPrior, WeakPrior
from gaussmix.model.statistics import SufficientStatistics

# Effective rows for each row's worth that a component holds, at most.
MOST_OF_COUNT = 3.0
# Numbers in covariances that are in memory at a time.
STACKED_NUMBERS = 1 << 23
# What a step may gain, in nats a row, and still be a mixture's last.
ENOUGH = 1e-11


@dataclass(frozen=True, eq=False)
class Climber:
    """A mixture on its way."""

    mixture: Mixture
    objective: float
    """Minus infinity for one that has collapsed."""
    effective: FloatArray
    """(K,), effective rows of each component."""
    gain: float = np.inf
    """What its latest steps gained."""
    hope: float = np.inf
    """What it may still gain: twice what gains that go on shrinking alike add up to."""


def climb_further(rows: MemoryRows, climbers: list[Climber], step: MStep, n_steps: int) -> list[Climber]:
    """The same for mixtures that have climbed before, with what they gain and may still gain.

    For ``hope`` steps must be as many as those that ``gain`` was got in.
    """
    found = []
    for before, after in zip(
        climbers, climb(rows, [climber.mixture for climber in climbers], step, n_steps), strict=True
    ):
        # Less than nothing is rounding.
        gain = max(after.objective - before.objective, 0.0) if np.isfinite(after.objective) else 0.0
        rate = gain / before.gain if before.gain > 0.0 else 0.0
        hope = 2.0 * gain * rate / (1.0 - rate) if rate < 1.0 else np.inf
        found.append(replace(after, gain=gain, hope=hope))
    return found


def climb(rows: MemoryRows, starts: list[Mixture], step: MStep, n_steps: int) -> list[Climber]:
    """Take EM steps from each of some mixtures.

    Parameters
    ----------
    rows : MemoryRows
        In float64.
    starts : list of Mixture
        With as many components, and of one family.
    step : MStep
    n_steps : int
        M-steps, at least 0.

    Returns
    -------
    list of Climber
        In the order of the starts.
    """
    if not starts:
        return []
    if not stackable(starts[0].family, step) or starts[0].noise is not None:
        return [_alone(rows, start, step, n_steps) for start in starts]
    most = max(STACKED_NUMBERS // starts[0].matrices.size, 1)
    parts = [starts[first : first + most] for first in range(0, len(starts), most)]
    return [climber for part in parts for climber in _side_by_side(rows, part, step, n_steps)]


def _side_by_side(rows: MemoryRows, starts: list[Mixture], step: MStep, n_steps: int) -> list[Climber]:
    family, compact = starts[0].family, starts[0].family.compact
    n_components, n_features = starts[0].means.shape
    written = compact is not family
    climbed = kernels.climb(
        rows.matrix,
        rows.weights,
        np.stack([start.weights for start in starts]),
        np.stack([start.means for start in starts]),
        np.stack([compact.compacted(s.covariances) if written else s.covariances for s in starts]),
        rule_for(compact, n_features, step, _row_weight(rows)),
        n_steps,
    )

    effective = effective_rows(climbed.counts, climbed.squared_counts)

    def covariances(m: int) -> FloatArray:
        found: FloatArray = climbed.covariances[m]
        return compact.matrices(found, n_components, n_features) if written else found

    return [
        Climber(
            Mixture(climbed.weights[m], climbed.means[m], covariances(m), family),
            float(climbed.objectives[m]),
            effective[m],
        )
        for m in range(len(starts))
    ]


def stackable(family: CovarianceFamily, step: MStep) -> bool:
    """Whether the kernel knows each component's M-step."""
    free = family.simple and not step.ties.any and not step.ties.equal_weights
    return free and isinstance(step.prior, NoPrior | WeakPrior)


def _alone(rows: MemoryRows, start: Mixture, step: MStep, n_steps: int) -> Climber:
    effective = np.zeros(start.n_components)

    def note(mixture: Mixture, statistics: SufficientStatistics, history: History) -> None:  # noqa: ARG001
        effective[:] = effective_rows(statistics.sums.counts, statistics.sums.squared_counts)

    try:
        result = fit_em(rows, start, step, Limits(0.0, n_steps, step.monotone), note)
    except DegenerateComponentError:
        return Climber(start, -np.inf, effective)
    objective = -np.inf if result.outcome.collapse is not None else result.objective
    return Climber(result.mixture, objective, effective)


def effective_rows(counts: FloatArray, squared_counts: FloatArray) -> FloatArray:
    """(sum r)^2 / sum r^2 of each component, in the unit of the rows' weights: (K,), or (m, K) of many.

    No more than three times what the component holds, so that one that holds next to nothing of many
    rows does not seem to rest on them.
    """
    # Divided first: the squares of small weights would vanish.
    effective = counts * (counts / np.where(squared_counts > 0.0, squared_counts, 1.0))
    return np.minimum(effective, MOST_OF_COUNT * counts)


def _row_weight(rows: MemoryRows) -> float:
    # A summary of the rows would look at more of them.
    return float(len(rows.matrix) if rows.weights is None else rows.weights.sum())


def rule_for(family: CovarianceFamily, n_features: int, step: MStep, row_weight: float) -> MStepRule:
    """The M-step of one component, in numbers."""
    prior = step.prior
    blank = family.reduce_scatter(np.zeros((n_features, n_features)), 1)
    added = np.zeros(family.shape(1, n_features))
    if (floor := prior.floor()) is not None:
        added = family.add_matrix(added, floor.matrix)
    if step.reg_covar > 0.0:
        added = family.add_matrix(added, step.reg_covar * np.eye(n_features))
    return MStepRule(
        form=family.factor_form,
        pseudo_rows=prior.pseudo_rows(family, 1, n_features),
        pseudo_scatter=np.asarray(blank + prior.pseudo_scatter(family, 1))[0],
        added=added[0],
        strength=prior.strength if isinstance(prior, WeakPrior) else 0.0,
        anchor=prior.covariance if isinstance(prior, WeakPrior) else np.zeros((n_features, n_features)),
        resolution=step.resolution,
        flat=FLAT * n_features,
        # An objective that may fall has not come to its end where a step lowers it.
        enough=ENOUGH * row_weight if step.monotone else -np.inf,
    )
