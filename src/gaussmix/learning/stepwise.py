"""Stepwise EM: a mixture that follows rows which come in batches and are not kept.

1. E-step. What a batch says of each component of the mixture in hand, per unit of row weight.
2. Average. It is mixed into what batches before have said: averages <- (1 - gamma) averages + gamma batch.
3. M-step. The mixture that makes the averages likeliest; they are then centred on its means.

The step gamma shrinks as rows come in, so that noise averages out, but more slowly than 1 / n, so that what
was said under mixtures long given up is forgotten. The iterates then hover about where EM on all rows would
end; the average over their way is as close to it as EM itself would come (Polyak and Ruppert).

Cappé and Moulines, Journal of the Royal Statistical Society B 71 (2009) 593, eq. 10 and section 5.
"""

import math
import numbers
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import boxcox

from gaussmix.data.blocked import BlockedRows
from gaussmix.data.blocks import Block, T, Task
from gaussmix.data.tasks import Extent, Measure
from gaussmix.errors import SettingsError
from gaussmix.kernels.contract import FloatArray, Sums
from gaussmix.model.maximise import MStep, maximise
from gaussmix.model.mixture import Mixture
from gaussmix.model.statistics import SufficientStatistics

DEFAULT_ALPHA = 0.6
# The average over the way gives a moment of the stream a weight that grows as this power of its time: the
# start fades, and little is lost of what came since.
RECENCY = 1.0
# A component with this share of what is remembered, or less, is forgotten.
FORGOTTEN = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Pace:
    """How fast a stream's past is forgotten.

    Parameters
    ----------
    alpha : float
        Steps shrink as the number of rows to the power of -alpha: above 1/2, at most 1.
    half_life : float or None
        Row weight after which the past counts half, for streams that drift; None where they do not.
    averaging : bool
        Whether the average over the way is taken; never with a half-life.

    Raises
    ------
    SettingsError
        Naming what has no meaning.
    """

    alpha: float = DEFAULT_ALPHA
    half_life: float | None = None
    averaging: bool = True

    def __post_init__(self) -> None:
        if not _is_number(self.alpha) or not 0.5 < self.alpha <= 1.0:
            raise SettingsError(f"alpha must be a number above 0.5, at most 1; got {self.alpha!r}")
        given = self.half_life is not None
        if given and not (_is_number(self.half_life) and 0.0 < float(self.half_life or 0.0) < math.inf):
            raise SettingsError(
                f"half_life must be a positive row weight, or None for a stream that does not drift; got "
                f"{self.half_life!r}"
            )

    @property
    def averages(self) -> bool:
        """Whether the average over the way is what a stream stands for."""
        return self.averaging and self.half_life is None

    def share(self, seen: float, weight: float, unit: float) -> float:
        """Gamma: the share that a batch has in the averages.

        Parameters
        ----------
        seen : float
            Row weight before the batch.
        weight : float
            Of the batch.
        unit : float
            Row weight up to which all rows count alike.

        Notes
        -----
        With t the row weight in units, the past fades at the rate t^-alpha, or 1 / t (all rows alike) where
        that is more. For batches of one unit this is gamma_n = (n + n_0)^-alpha to first order, the start
        being n_0 batches; and however a stream is cut, its rows count the same.
        """
        log_kept = self._age(seen / unit) - self._age((seen + weight) / unit)
        if self.half_life is not None:
            log_kept = min(log_kept, -weight * math.log(2.0) / self.half_life)
        return -math.expm1(log_kept)

    def _age(self, time: float) -> float:
        """The integral of max(1 / t, t^-alpha) from 1 to ``time``."""
        return math.log(time) if time <= 1.0 else float(boxcox(time, 1.0 - self.alpha))


@dataclass(frozen=True, eq=False)
class Averages:
    """Where a stream has come to.

    Parameters
    ----------
    mixture : Mixture
        The latest; batches are looked at with it.
    latest : SufficientStatistics
        What rows say, per unit of row weight, the more recent the more; centred on its means.
    along : SufficientStatistics
        The average of those over the way, centred on the same means.
    concentration : float
        Sum of w c^2 over rows, c the weight of a row in ``latest``: 1 over the effective row weight.
    """

    mixture: Mixture
    latest: SufficientStatistics
    along: SufficientStatistics
    concentration: float

    @classmethod
    def begin(cls, mixture: Mixture, statistics: SufficientStatistics) -> "Averages":
        """From statistics taken with a mixture, all rows alike."""
        first = _scaled(statistics, 1.0 / statistics.row_weight)
        return cls(mixture, first, first, 1.0 / statistics.row_weight)

    @classmethod
    def of_mixture(cls, mixture: Mixture, row_weight: float) -> "Averages":
        """From a fitted mixture whose rows have gone: the statistics that it makes likeliest of all."""
        kind, weights = mixture.family.scatter, mixture.weights
        scatter = kind.reduced(weights[:, None, None] * mixture.matrices)
        # As if each row were one component's.
        sums = Sums(0.0, 1.0, weights, weights / row_weight, np.zeros(mixture.means.shape), scatter)
        statistics = SufficientStatistics(sums, mixture.means, kind)
        return cls(mixture, statistics, statistics, 1.0 / row_weight)

    @property
    def effective_weight(self) -> float:
        """Row weight that, counted alike, would average as well as ``latest`` does."""
        return 1.0 / self.concentration

    @property
    def effective_rows(self) -> FloatArray:
        """What each component of ``latest`` rests on, in row weight: (K,).

        (sum r)^2 / sum r^2, but no more than it holds: one that has got nothing for long rests on rows that
        hardly count any more.
        """
        sums = self.latest.sums
        squares = np.where(sums.squared_counts > 0.0, sums.squared_counts, 1.0)
        return np.minimum(sums.counts * (sums.counts / squares), sums.counts * self.effective_weight)

    def mixed(self, statistics: SufficientStatistics, share: float, way: float) -> "Averages":
        """With a batch in them; the M-step is still to do.

        Parameters
        ----------
        statistics : SufficientStatistics
            Of the batch, taken with ``mixture``.
        share : float
            Gamma, the batch's share in ``latest``.
        way : float
            The share of the new ``latest`` in ``along``.
        """
        latest = _scaled(self.latest, 1.0 - share) + _scaled(statistics, share / statistics.row_weight)
        along = _scaled(self.along, 1.0 - way) + _scaled(latest, way)
        concentration = (1.0 - share) ** 2 * self.concentration + share**2 / statistics.row_weight
        return replace(self, latest=latest, along=along, concentration=concentration)

    def climbed(self, step: MStep) -> "Averages":
        """With the mixture that makes ``latest`` likeliest, and centred on its means.

        Raises
        ------
        DegenerateComponentError
            If a component has lost its spread.
        """
        mixture = maximise(_remembered(_scaled(self.latest, self.effective_weight)), self.mixture, step)
        latest, along = (_centred_on(statistics, mixture.means) for statistics in (self.latest, self.along))
        return replace(self, mixture=mixture, latest=latest, along=along)

    def mixture_along(self, step: MStep) -> Mixture:
        """The mixture that makes ``along`` likeliest.

        Raises
        ------
        DegenerateComponentError
            If a component has lost its spread.
        """
        return maximise(_remembered(_scaled(self.along, self.effective_weight)), self.mixture, step)


class Bygone(BlockedRows):
    """Rows that have gone by: what is left of them is how far they reached, and how they spread.

    Parameters
    ----------
    extent : Extent
        Of all of them.
    row_weight : float
        As how many they count now.
    least : int
        Rows that they count as at least.
    feature_names : tuple of str
        D names.
    """

    def __init__(self, extent: Extent, row_weight: float, least: int, feature_names: tuple[str, ...]) -> None:
        scale = row_weight / extent.row_weight
        self._known = replace(
            extent,
            n_rows=max(int(extent.n_rows * scale), least),
            row_weight=row_weight,
            offsets=extent.offsets * scale,
            squares=extent.squares * scale,
            products=None if extent.products is None else extent.products * scale,
        )
        self._names = feature_names

    @property
    def feature_names(self) -> tuple[str, ...]:
        """D names."""
        return self._names

    def blocks(self) -> Iterator[Block]:
        """None: they were not kept."""
        return iter(())

    def added_up(self, task: Task[T]) -> T:
        """How far they reach, if that is the question.

        Raises
        ------
        LookupError
            If it is any other.
        """
        if not isinstance(task, Measure):
            raise LookupError("rows that have gone by cannot be looked at again")
        return self._known


def _scaled(statistics: SufficientStatistics, factor: float) -> SufficientStatistics:
    """The same with every row's weight times a factor."""
    sums = statistics.sums
    scaled = sums._replace(
        log_likelihood=sums.log_likelihood * factor,
        row_weight=sums.row_weight * factor,
        counts=sums.counts * factor,
        squared_counts=sums.squared_counts * factor**2,
        offsets=sums.offsets * factor,
        scatter=sums.scatter * factor,
    )
    return replace(statistics, sums=scaled)


def _remembered(statistics: SufficientStatistics) -> SufficientStatistics:
    """Without the components that next to nothing is left of.

    Rows of long ago would keep them as they are for ever; a component that nobody feeds any more is empty.
    """
    counts = statistics.counts
    known = np.where(counts > FORGOTTEN * statistics.row_weight, counts, 0.0)
    return replace(statistics, sums=statistics.sums._replace(counts=known))


def _centred_on(statistics: SufficientStatistics, means: FloatArray) -> SufficientStatistics:
    """The same about other means (K, D), without another look at the rows."""
    moves = means - statistics.centres
    sums = statistics.sums._replace(
        offsets=statistics.sums.offsets - statistics.counts[:, None] * moves,
        scatter=statistics.scatter_about(moves),
    )
    return replace(statistics, sums=sums, centres=means)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
