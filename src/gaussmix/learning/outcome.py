"""How a fit ended, in one word for programs and one sentence for people."""

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from gaussmix.errors import DegenerateComponentError


class OutcomeKind(Enum):
    """The ways in which EM can end."""

    CONVERGED = "converged"
    ITERATION_LIMIT = "iteration_limit"
    DEGENERATE_COMPONENT = "degenerate_component"
    OBJECTIVE_FELL = "objective_fell"


@dataclass(frozen=True)
class Doubt:
    """A component that should not be taken at its word."""

    component: int
    """Counted from 0."""
    trouble: str
    """``collapsed``, ``emptied``, ``few_rows`` or ``coincide``."""
    sentence: str


@dataclass(frozen=True)
class Outcome:
    """How a fit ended.

    Parameters
    ----------
    kind : OutcomeKind
        For programs; ``kind.value`` is what files and ``--json`` say.
    sentence : str
        For people: what happened and, if it was not good, what to do.
    doubts : tuple of Doubt
        Components that have collapsed, are empty, or rest on too few distinct rows.
    """

    kind: OutcomeKind
    sentence: str
    doubts: tuple[Doubt, ...] = ()
    collapse: DegenerateComponentError | None = None
    """What ended the fit, where a component's collapse did."""

    @property
    def converged(self) -> bool:
        """Whether EM stopped because nothing worth having was left to gain."""
        return self.kind is OutcomeKind.CONVERGED

    @property
    def sound(self) -> bool:
        """Whether it converged and no component is in doubt."""
        return self.converged and not self.doubts

    def with_doubts(self, doubts: tuple[Doubt, ...]) -> "Outcome":
        """The same outcome, naming these components besides those already named."""
        known = {doubt.component for doubt in self.doubts}
        return replace(self, doubts=self.doubts + tuple(d for d in doubts if d.component not in known))

    def permuted(self, order: NDArray[np.intp]) -> "Outcome":
        """The same outcome with components numbered in another order."""
        new_index = {int(old): new for new, old in enumerate(order)}
        if self.collapse is None or self.collapse.component is None:
            return self
        renamed = DegenerateComponentError(new_index[self.collapse.component], self.collapse.reason)
        return replace(
            collapsed(renamed, ""), sentence=self.sentence.replace(str(self.collapse), str(renamed))
        )

    def __str__(self) -> str:
        return " ".join([self.sentence, *(doubt.sentence for doubt in self.doubts)])


def collapsed(collapse: DegenerateComponentError, steps: str) -> Outcome:
    """The outcome of a fit that a component's collapse has ended."""
    sentence = (
        f"Stopped after {steps}: {collapse} in the next step, so the likelihood grows without bound and has "
        "no maximum here. The mixture is the one before that step. Use prior='weak', fewer components, or a "
        "simpler covariance."
    )
    doubts: tuple[Doubt, ...] = ()
    if collapse.component is not None:
        named = f"Component {collapse.component + 1} has collapsed."
        doubts = (Doubt(collapse.component, "collapsed", named),)
    return Outcome(OutcomeKind.DEGENERATE_COMPONENT, sentence, doubts, collapse)
