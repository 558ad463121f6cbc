"""Components that sit on a handful of close rows: optima of the likelihood that mean nothing.

A likelihood with free covariances has such optima besides those one is looking for, and they may well
be higher (McLachlan and Peel 2000, section 3.10; Garcia-Escudero et al., Advances in Data Analysis and
Classification 12 (2018) 203).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.mixture import Mixture

# A component on fewer effective rows than its covariance needs is a spike. One on fewer than so many times
# as many is doubtful; one on fewer than the second many times as many is if it is narrow, too: if, in some
# direction, its standard deviation is below these shares of that of all rows, or of the median component's.
VERY_FEW, FEW = 3.0, 8.0
NARROW, NARROW_BESIDE_OTHERS = 0.01, 0.5
# A group by itself has a whole number of effective rows but for rounding, which shall not decide.
HAIR = 1.0 - 1e-6


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


SOUND = Soundness(0, 0, 0.0)


def soundness(mixture: Mixture, effective: FloatArray, whitener: FloatArray, row_weight: float) -> Soundness:
    """Whether components sit on a handful of close rows; see ``soundness_of_each``."""
    return soundness_of_each([mixture], effective[None], whitener, row_weight)[0]


def soundness_of_each(
    mixtures: Sequence[Mixture], effective: FloatArray, whitener: FloatArray, row_weight: float
) -> list[Soundness]:
    """Whether components of each of some mixtures sit on a handful of close rows.

    Parameters
    ----------
    mixtures : sequence of M Mixture
        Of one family, with K components and D features each.
    effective : (M, K) array
        Effective rows of each component, (sum r)^2 / sum r^2.
    whitener : (D, L) array
        W that makes the covariance of all rows, seen by the family, the identity: W^T S W = I.
    row_weight : float
        N, all of it, in rows.

    Notes
    -----
    A group of rows that lie close by chance gains little, one that is there gains much. The price of a
    doubtful component is what BIC asks for its parameters: half of them times log N (Schwarz, Annals of
    Statistics 6 (1978) 461).
    """
    found = [SOUND] * len(mixtures)
    if not mixtures or mixtures[0].family.shared or mixtures[0].n_components == 1:
        return found
    least = HAIR * mixtures[0].family.least_rows(mixtures[0].n_features)
    few = effective < FEW * least
    places = np.flatnonzero(few.any(axis=1))
    if not len(places):
        return found
    widths = narrowest(np.stack([mixtures[m].matrices for m in places.tolist()]), whitener)
    beside_others = NARROW_BESIDE_OTHERS * _medians(widths)[:, None]
    narrow = widths < np.maximum(NARROW, beside_others)
    spikes = (effective[places] < least).sum(axis=1)
    doubtful = ((effective[places] < VERY_FEW * least) | (few[places] & narrow)).sum(axis=1)
    n_own = mixtures[0].n_parameters / mixtures[0].n_components
    price = 0.5 * n_own * np.log(max(row_weight, 1.0))
    for m, n_spikes, n_doubtful in zip(places.tolist(), spikes, doubtful, strict=True):
        found[m] = Soundness(int(n_spikes), int(n_doubtful), float(price * n_doubtful))
    return found


def narrowest(matrices: FloatArray, whitener: FloatArray) -> FloatArray:
    """Least standard deviations in any direction, in units of all rows' there, of (M, K, D, D): (M, K)."""
    seen = whitener.T @ matrices @ whitener
    widths: FloatArray = np.sqrt(np.maximum(np.linalg.eigvalsh(seen)[..., 0], 0.0))
    return widths


def _medians(values: FloatArray) -> FloatArray:
    """Of each row of (M, K): (M,). For a handful of numbers numpy.median takes ten times as long."""
    middle, odd = divmod(values.shape[1], 2)
    ranked = np.sort(values, axis=1)
    medians: FloatArray = ranked[:, middle] if odd else 0.5 * (ranked[:, middle - 1] + ranked[:, middle])
    return medians
