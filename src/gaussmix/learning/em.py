"""The EM loop: everything else in this project serves, feeds or explains this page.

1. E-step. Each row is shared out between the components in proportion to how likely each
   makes it. Only sums over rows come back: N_k = sum r, s_k = sum r (x - mu_k) and
   S_k = sum r (x - mu_k)(x - mu_k)^T, with the log-likelihood.
2. Stop? The log-likelihood just found belongs to the mixture in hand, so if it is good
   enough, that mixture is the one to return.
3. M-step. The mixture that makes those sums likeliest becomes the mixture in hand.

Where EM is slow, its steps say where they lead, and the E-step may look there instead: that is
the ``stride``, and ``acceleration.py`` has one.

Dempster, Laird and Rubin, Journal of the Royal Statistical Society B 39 (1977) 1.
"""

from collections.abc import Callable

from gaussmix.data.rows import Rows
from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import Precision
from gaussmix.learning.history import History
from gaussmix.learning.outcome import collapsed
from gaussmix.learning.result import FitResult
from gaussmix.learning.stopping import Limits, stopping_outcome
from gaussmix.model.maximise import MStep, maximise
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

Watch = Callable[[Mixture, SufficientStatistics, History], None]
Stride = Callable[[Rows, Mixture, History, Precision], tuple[Mixture, SufficientStatistics]]


def silent(mixture: Mixture, statistics: SufficientStatistics, history: History) -> None:
    """Watch an iteration and say nothing."""


def one_step(
    rows: Rows,
    mixture: Mixture,
    history: History,  # noqa: ARG001
    precision: Precision,
) -> tuple[Mixture, SufficientStatistics]:
    """Take the E-step at EM's own next mixture, neither further nor less far."""
    return mixture, rows.expected_statistics(mixture, precision)


def fit_em(
    rows: Rows,
    start: Mixture,
    step: MStep,
    limits: Limits,
    watch: Watch = silent,
    stride: Stride = one_step,
) -> FitResult:
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
    stride : callable, optional
        Takes the E-step, at the mixture it is given or further along where that is no less likely.

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
        mixture, statistics = stride(rows, mixture, history, history.next_precision(mixture, limits))
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
