"""Where the fits of a search climb: rows of bounded number, which stand for all."""

from dataclasses import dataclass

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.data.rows import Rows
from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.acceleration import stride_for
from gaussmix.learning.climbers import Climber, climb, climb_further, effective_rows
from gaussmix.learning.em import fit_em
from gaussmix.learning.history import History
from gaussmix.learning.search_table import SearchEntry
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.spurious import Soundness
from gaussmix.learning.starts import SAMPLE_ROWS, StartSample
from gaussmix.learning.stopping import Limits
from gaussmix.learning.tournament import Judges
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

# What fits may leave to gain, in nats a row, while they are compared, and their most iterations.
ROUGH_TOL, ROUGH_ITERATIONS = 1e-6, 500
# Plain steps side by side cost less than the page's longer ones where rows x components x features^2 x
# steps are no more than the first of these, and if there are at least so many steps.
CHEAP_WORK, FEWEST_CHEAP = 1 << 22, 40


@dataclass(frozen=True, eq=False)
class Fit:
    """A climb that came to its end."""

    start: Mixture
    mixture: Mixture
    entry: SearchEntry
    soundness: Soundness
    judged: tuple[bool, float]
    """Its rank on the judges."""

    @property
    def rank(self) -> tuple[bool, float]:
        """As ``Soundness.rank``."""
        return self.soundness.rank(self.entry.objective)


class Field:
    """The rows that fits of a search climb on: all there are, or a sample that counts as if it were.

    Parameters
    ----------
    rows : Rows
        The data.
    sample : StartSample
        Of them.
    judges : Judges
        Some or all of the sample.
    settings : FitSettings
    step : MStep
        For the objective.
    plain_steps : int
        As many at most bring mixtures nearer to their ends where they are cheap.
    """

    def __init__(
        self,
        rows: Rows,
        sample: StartSample,
        judges: Judges,
        settings: FitSettings,
        step: MStep,
        plain_steps: int,
    ) -> None:
        self.judges, self.step, self._acceleration = judges, step, settings.acceleration
        self.whole = rows.summary.n_rows <= SAMPLE_ROWS
        self._judges_are_all = self.whole and len(judges.points) == len(sample.points)
        self._rows = rows if self.whole else _counted_as(sample, rows)
        self._limits = Limits(
            max(settings.tol, ROUGH_TOL), min(settings.max_iter, ROUGH_ITERATIONS), step.monotone
        )
        n_rows, n_features = judges.rows.matrix.shape
        work = n_rows * settings.n_components * (n_features + 2) ** 2
        self._settles = plain_steps > 0
        self._cheap_steps = min(CHEAP_WORK // work, plain_steps)

    def settled(self, climbers: list[Climber]) -> list[Climber]:
        """The same, nearer to their ends, if that costs little."""
        if self._cheap_steps < FEWEST_CHEAP:
            return climbers
        for _ in range(2):
            climbers = climb_further(self.judges.rows, climbers, self.step, self._cheap_steps // 2)
        return climbers

    def climbed(self, origin: str, start: Mixture, climber: Climber) -> Fit | SearchEntry:
        """The end of a climb from where a mixture is; or what to note where there is none."""
        enough = self._limits.tol * self.judges.row_weight
        near_its_end = self._judges_are_all and self._settles
        if near_its_end and np.isfinite(climber.objective) and climber.hope <= enough:
            found = self.judges.soundness(climber.mixture, climber.effective)
            entry = SearchEntry(origin, climber.objective, 0, found.trouble, found.price)
            return Fit(start, climber.mixture, entry, found, found.rank(climber.objective))
        return self._on_the_page(origin, start, climber.mixture)

    def _on_the_page(self, origin: str, start: Mixture, mixture: Mixture) -> Fit | SearchEntry:
        stride = stride_for(self._acceleration, self.step, self._limits.tol)
        last: list[FloatArray] = []

        def note(mixture: Mixture, statistics: SufficientStatistics, history: History) -> None:  # noqa: ARG001
            last[:] = [effective_rows(statistics.sums.counts, statistics.sums.squared_counts)]

        try:
            result = fit_em(self._rows, mixture, self.step, self._limits, note, stride)
        except DegenerateComponentError as collapse:
            return SearchEntry(origin, -np.inf, 1, str(collapse))
        n_passes = result.history.n_passes
        if result.outcome.collapse is not None:
            return SearchEntry(origin, -np.inf, n_passes, str(result.outcome.collapse))
        found = self.judges.soundness(result.mixture, last[0])
        judged = self.judges.rank(climb(self.judges.rows, [result.mixture], self.step, 0)[0])
        entry = SearchEntry(origin, result.objective, n_passes, found.trouble, found.price)
        return Fit(start, result.mixture, entry, found, judged)


def _counted_as(sample: StartSample, rows: Rows) -> MemoryRows:
    """A sample of the rows, counted as if it were all of them."""
    weights = sample.weights * (rows.summary.row_weight / sample.weights.sum())
    return MemoryRows.trusted(sample.rows.matrix, weights, rows.feature_names)
