"""What a test of goodness of fit found, in numbers and in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.belief.misfit import FAR_OUT, OUTSIDE

# Below this p rows are said not to be Gaussian groups.
SIGNIFICANT = 0.05
# Copies are mentioned from this share on; components by name if there are no more than so many.
MANY_COPIES, MANY_COMPONENTS = 0.1, 12


@dataclass(frozen=True)
class MisfitTest:
    """One of the two tests."""

    name: str
    """``radial`` or ``shape``: see ``misfit.py``."""
    statistic: float
    p_value: float
    p_error: float
    """One Monte-Carlo standard error of it."""


@dataclass(frozen=True)
class Leaning:
    """A component whose rows trail off to one side."""

    component: int
    """Counted from 0."""
    feature: str
    lopsidedness: float
    """From -1 to 1: positive if the long side is that of high values; 0.56 is exponential."""


@dataclass(frozen=True, eq=False)
class GoodnessOfFit:
    """Whether rows are Gaussian groups."""

    tests: tuple[MisfitTest, ...]
    """None where it cannot be told; ``why_not`` says why."""
    p_value: float | None
    """Of both tests together; None without them."""
    component_p_values: FloatArray
    """(K,), the same of each component by itself: not adjusted for there being K of them."""
    outside: float
    """Share of the rows outside their components' 95% ellipsoids: 0.05 for Gaussians."""
    far_out: float
    """Share of the rows outside their components' 99.9% ellipsoids: 0.001 for Gaussians."""
    leaning: tuple[Leaning, ...]
    """Components that are lopsided beyond chance, the most so first."""
    n_rows: int
    n_tested: int
    """Rows tested: all, or a random choice of them."""
    n_replicates: int
    """Replicates that were fitted."""
    n_failed: int
    """Replicates that no mixture could be fitted to, and that were left out."""
    steps: dict[str, float]
    """Columns that were recorded in steps, and these; replicates are rounded alike."""
    copies: float
    """Share of the rows tested that are exact copies of others."""
    refit_gain: float
    """What fitting the mixture again to the rows tested gained, in nats: 0 for the rows it was fitted to."""
    outdated: bool
    """Whether that is more than it would be for other rows of the same groups."""
    why_not: str = ""

    @property
    def gaussian(self) -> bool | None:
        """False if the tests say at 5% that these are not Gaussian groups; None if that cannot be told."""
        return None if self.p_value is None else self.p_value > SIGNIFICANT

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.gaussian is None:
            return f"Whether these rows are Gaussian groups cannot be told: {self.why_not}."
        how = " and ".join(f"{test.name} p = {test.p_value:.3g}" for test in self.tests)
        if self.gaussian:
            found = f"Nothing here speaks against Gaussian groups (p = {self.p_value:.3g}; {how})."
        else:
            found = f"These rows are not Gaussian groups (p = {self.p_value:.3g}; {how}){self._reasons()}."
        return " ".join([found, *self._remarks()])

    def __str__(self) -> str:
        return self.sentence

    def as_json(self) -> dict[str, Any]:
        """As plain data; components are counted from 1."""
        return {
            "gaussian": self.gaussian,
            "p_value": self.p_value,
            "tests": [vars(test) for test in self.tests],
            "component_p_values": self.component_p_values.tolist() if self.tests else None,
            "outside_95_percent": self.outside if self.tests else None,
            "outside_99.9_percent": self.far_out if self.tests else None,
            "leaning": [{**vars(each), "component": each.component + 1} for each in self.leaning],
            "n_rows": self.n_rows,
            "n_tested": self.n_tested,
            "n_replicates": self.n_replicates,
            "n_failed": self.n_failed,
            "steps": self.steps,
            "copies": self.copies,
            "refit_gain": self.refit_gain,
            "outdated": self.outdated,
            "sentence": self.sentence,
        }

    def _reasons(self) -> str:
        """What is not Gaussian about them, as far as it has a name."""
        found = []
        wrong = np.flatnonzero(self.component_p_values <= SIGNIFICANT)
        if 0 < len(wrong) < len(self.component_p_values) <= MANY_COMPONENTS:
            listed = ", ".join(str(k + 1) for k in wrong)
            found.append(
                f"component{'' if len(wrong) == 1 else 's'} {listed} differ{'s' * (len(wrong) == 1)} most"
            )
        if self.far_out > FAR_OUT + _chance(FAR_OUT, self.n_tested):
            share = f"{100.0 * self.far_out:.1f}%"
            found.append(f"tails are heavy: {share} of rows lie outside the components' 99.9% ellipsoids")
        elif self.outside < OUTSIDE - _chance(OUTSIDE, self.n_tested, 0.0):
            share = f"{100.0 * self.outside:.1f}%"
            found.append(f"they end bluntly: {share} of rows lie outside the components' 95% ellipsoids")
        for each in self.leaning[:2]:
            side = "high" if each.lopsidedness > 0.0 else "low"
            found.append(f"component {each.component + 1} trails off to {side} values of {each.feature}")
        radial, shape = (test.p_value > SIGNIFICANT for test in self.tests)
        if radial and not shape and not self.leaning:
            found.append("rows are as far from their centres as they should be, but not on all sides alike")
        return ": " + "; ".join(found) if found else ""

    def _remarks(self) -> list[str]:
        found = []
        if self.steps:
            listed = ", ".join(
                f"{name} in steps of {step:.4g}" for name, step in list(self.steps.items())[:3]
            )
            more = " and others" if len(self.steps) > 3 else ""
            found.append(f"That these were recorded in steps is allowed for: {listed}{more}.")
        elif self.copies > MANY_COPIES:
            found.append(
                f"{100.0 * self.copies:.1f}% of the rows are exact copies of others, and count as one."
            )
        if self.n_tested < self.n_rows:
            found.append(f"Tested on {self.n_tested:,} of {self.n_rows:,} rows, chosen at random.")
        if self.outdated:
            found.append(
                f"The groups are not where the mixture says: fitted again, it gains {self.refit_gain:.4g} "
                "nats, and what is said here is of that fit."
            )
        return found


def _chance(share: float, n_rows: int, besides: float = 1.0) -> float:
    """How far a share of n rows may be from what it should be: 2.5 standard errors, and a row."""
    return float((2.5 * np.sqrt(share * (1.0 - share) * n_rows) + besides) / n_rows)
