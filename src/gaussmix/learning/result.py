"""What a fit hands over."""

from dataclasses import dataclass

from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.history import History
from gaussmix.learning.outcome import Outcome
from gaussmix.learning.review import Review
from gaussmix.learning.search_table import Search
from gaussmix.model.mixture import Mixture


@dataclass(frozen=True, eq=False)
class TraceStep:
    """One E-step as it happened."""

    iteration: int
    """M-steps done before it."""
    mixture: Mixture
    log_likelihood: float
    """Of ``mixture``, total, in nats."""
    objective: float
    """Log-likelihood plus the log density of the prior."""


@dataclass(frozen=True, eq=False)
class FitResult:
    """A mixture, how EM came to it, and how it ended.

    Parameters
    ----------
    mixture : Mixture
        The last one whose log-likelihood is known.
    history : History
        Log-likelihood and objective after each M-step; the last ones belong to ``mixture``.
    outcome : Outcome
        How EM ended.
    review : Review or None
        A last look at the rows under ``mixture``.
    n_starts : int
        Starts tried.
    failures : tuple of str
        What went wrong with those that were dropped.
    trace : tuple of TraceStep
        Every E-step of the start that won, if that was asked for.
    prior_share : (K, D) array or None
        How much of each variance comes from the prior and not from rows.
    search : Search or None
        What was tried before, where there was a search.
    """

    mixture: Mixture
    history: History
    outcome: Outcome
    review: Review | None = None
    n_starts: int = 1
    failures: tuple[str, ...] = ()
    trace: tuple[TraceStep, ...] = ()
    prior_share: FloatArray | None = None
    search: Search | None = None

    @property
    def log_likelihood(self) -> float:
        """Total log-likelihood of ``mixture``, in nats."""
        return self.history.log_likelihoods[-1]

    @property
    def objective(self) -> float:
        """Log-likelihood plus the log density of the prior."""
        return self.history.objectives[-1]

    @property
    def n_iterations(self) -> int:
        """M-steps done."""
        return self.history.n_iterations
