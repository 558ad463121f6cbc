"""The EM loop: everything else in this project serves, feeds or explains this page.

1. E-step. Each row is shared out between the components in proportion to how likely each
   makes it. Only sums over rows come back: N_k = sum r, s_k = sum r (x - mu_k) and
   S_k = sum r (x - mu_k)(x - mu_k)^T, with the log-likelihood.
2. Stop? The log-likelihood just found belongs to the mixture in hand, so if it is good
   enough, that mixture is the one to return.
3. M-step. The mixture that makes those sums likeliest becomes the mixture in hand.

Dempster, Laird and Rubin, Journal of the Royal Statistical Society B 39 (1977) 1.
"""

from collections.abc import Callable

from gaussmix.data.rows import Rows
from gaussmix.errors import DegenerateComponentError
from gaussmix.learning.history import History
from gaussmix.learning.outcome import collapsed
from gaussmix.learning.result import FitResult
from gaussmix.learning.stopping import Limits, stopping_outcome
from gaussmix.model.maximise import MStep, maximise
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

Watch = Callable[[Mixture, SufficientStatistics, History], None]


def silent(mixture: Mixture, statistics: SufficientStatistics, history: History) -> None:
    """Watch an iteration and say nothing."""


def fit_em(rows: Rows, start: Mixture, step: MStep, limits: Limits, watch: Watch = silent) -> FitResult:
    """Climb from one start to where nothing worth having is left to gain.

    Parameters
    ----------
    rows : Rows
        Wherever they live; only ``rows.expected_statistics`` is called.
    start : Mixture
        The first mixture.
    step : MStep
        Prior and regularisation of the M-step.
    limits : Limits
        When to stop.
    watch : callable, optional
        Told of each E-step before the decision to stop: (mixture, statistics, history).

    Returns
    -------
    FitResult
        The mixture whose log-likelihood is the last in the history, and how EM ended.

    Raises
    ------
    DegenerateComponentError
        If the start itself has no density.
    """
    mixture, history = start, History()
    while True:
        # 1) E-step: what the rows say about each component of `mixture`
        statistics = rows.expected_statistics(mixture, history.next_precision(mixture, limits))
        history.record(mixture, statistics, step)
        watch(mixture, statistics, history)

        # 2) Stop? The last log-likelihood belongs to `mixture`, not to its successor
        if outcome := stopping_outcome(history, limits):
            return FitResult(mixture, history, outcome)

        # 3) M-step: the mixture that makes those statistics likeliest
        try:
            mixture = maximise(statistics, mixture, step)
        except DegenerateComponentError as collapse:
            return FitResult(mixture, history, collapsed(collapse, history.steps))
