"""Components that sit on a handful of close rows: optima of the likelihood that mean nothing.

A likelihood with free covariances has such optima besides those one is looking for, and they may well
be higher (McLachlan and Peel 2000, section 3.10; Garcia-Escudero et al., Advances in Data Analysis and
Classification 12 (2018) 203).
"""

from dataclasses import dataclass

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.mixture import Mixture

# A component on fewer effective rows than its covariance needs is a spike. One on fewer than so many times
# as many is doubtful; one on fewer than the second many times as many is if it is narrow, too: if, in some
# direction, its standard deviation is below these shares of that of all rows, or of the median component's.
VERY_FEW, FEW = 3.0, 8.0
NARROW, NARROW_BESIDE_OTHERS = 0.01, 0.5


@dataclass(frozen=True)
class Soundness:
    """What to think of a mixture, whatever its objective."""

    n_spikes: int
    """Components that rest on too few rows to mean anything."""
    n_doubtful: int
    """Components that rest on few rows: real and rare, or there by chance."""
    price: float
    """What the objective has to be higher by to make up for doubtful ones, in nats."""

    @property
    def sound(self) -> bool:
        """Whether no component is a spike."""
        return self.n_spikes == 0

    @property
    def trouble(self) -> str:
        """In words; empty if there is none."""
        if self.n_spikes:
            return f"{self.n_spikes} on too few rows"
        return f"{self.n_doubtful} on few rows" if self.n_doubtful else ""

    def rank(self, objective: float) -> tuple[bool, float]:
        """Mixtures without spikes come first, then the higher objective less the price."""
        return self.sound, objective - self.price


def soundness(mixture: Mixture, effective: FloatArray, whitener: FloatArray, row_weight: float) -> Soundness:
    """Whether components sit on a handful of close rows.

    Parameters
    ----------
    mixture : Mixture
        K components, D features.
    effective : (K,) array
        Effective rows of each, (sum r)^2 / sum r^2.
    whitener : (D, M) array
        W that makes the covariance of all rows, seen by the family, the identity: W^T S W = I.
    row_weight : float
        N, all of it, in rows.

    Notes
    -----
    A group of rows that lie close by chance gains little, one that is there gains much. The price of a
    doubtful component is what BIC asks for its parameters: half of them times log N (Schwarz, Annals of
    Statistics 6 (1978) 461).
    """
    if mixture.family.shared or mixture.n_components == 1:
        return Soundness(0, 0, 0.0)
    least = mixture.family.least_rows(mixture.n_features)
    few = effective < FEW * least
    if not few.any():
        return Soundness(0, 0, 0.0)
    widths = narrowest(mixture, whitener)
    narrow = widths < max(NARROW, NARROW_BESIDE_OTHERS * _median(widths))
    spikes = effective < least
    doubtful = (effective < VERY_FEW * least) | (few & narrow)
    n_own = mixture.n_parameters / mixture.n_components
    n_doubtful = int(doubtful.sum())
    price = 0.5 * n_own * n_doubtful * np.log(max(row_weight, 1.0))
    return Soundness(int(spikes.sum()), n_doubtful, float(price))


def narrowest(mixture: Mixture, whitener: FloatArray) -> FloatArray:
    """Each component's least standard deviation in any direction, in units of all rows' there: (K,)."""
    seen = whitener.T @ mixture.matrices @ whitener
    widths: FloatArray = np.sqrt(np.maximum(np.linalg.eigvalsh(seen)[:, 0], 0.0))
    return widths


def _median(values: FloatArray) -> float:
    # For a handful of numbers numpy.median takes ten times as long.
    middle, odd = divmod(len(values), 2)
    ranked = np.sort(values)
    return float(ranked[middle] if odd else 0.5 * (ranked[middle - 1] + ranked[middle]))
