"""Parts of components that an M-step leaves as they are, makes equal, or shares; and the weights."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix.errors import SettingsError, StartError
from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances import CovarianceFamily
from gaussmix.model.mixture import Mixture, Noise
from gaussmix.model.statistics import SufficientStatistics

PARTS = ("weights", "means", "covariances")
EXAMPLES = {"hold": '{"means": [0]}', "share": '{"covariances": [[0, 1]]}'}
EPSILON = float(np.finfo(np.float64).eps)
# A component with this share of the row weight, or less, has been emptied ...
EMPTY_SHARE = EPSILON
# ... unless it is as much of the lightest row, which may be out of reach of all others.
EMPTY_OF_A_ROW = 1e-8
# Weights that add up to 1 may miss it by so much.
ROUNDED = 1e-9

Components = tuple[int, ...]


@dataclass(frozen=True)
class Ties:
    """Which parts of which components are not free.

    Parameters
    ----------
    hold : mapping of str to tuple of int
        Components, counted from 0, whose ``weights``, ``means`` or ``covariances`` stay as they start.
    share : mapping of str to tuple of tuples of int
        Groups of components that have one of those in common.
    equal_weights : bool
        Whether all components have one weight.
    """

    hold: Mapping[str, Components] = field(default_factory=dict)
    share: Mapping[str, tuple[Components, ...]] = field(default_factory=dict)
    equal_weights: bool = False

    @property
    def any(self) -> bool:
        """Whether a part of a single component is held or shared."""
        return any(self.hold.values()) or any(self.share.values())

    @property
    def hold_back(self) -> bool:
        """Whether some mean does not move to where its own rows are."""
        return bool(self.hold.get("means") or self.share.get("means"))

    def bound_offsets(self, offsets: FloatArray, counts: FloatArray, current: Mixture) -> FloatArray:
        """Offsets (K, D) of means under these ties, given free ones and row counts (K,).

        Means that are shared go where N_k Sigma_k^-1, summed over the group, puts them, with the
        covariances as they are.
        """
        bound = offsets.copy()
        matrices = current.matrices
        for group in self.share.get("means", ()):
            members = list(group)
            if not counts[members].any():
                continue
            information = counts[members, None, None] * np.linalg.inv(matrices[members])
            pulled = np.einsum("kij,kj->i", information, offsets[members])
            bound[members] = np.linalg.solve(information.sum(axis=0), pulled)
        bound[list(self.hold.get("means", ()))] = 0.0
        return bound

    def pooled(self, counts: FloatArray, scatter: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Counts (K,) and scatter of which groups with one covariance have the same."""
        for group in self.share.get("covariances", ()):
            members = list(group)
            counts, scatter = counts.copy(), scatter.copy()
            counts[members], scatter[members] = counts[members].sum(), scatter[members].sum(axis=0)
        return counts, scatter

    def bound_covariances(self, covariances: FloatArray, current: Mixture) -> FloatArray:
        """Covariances of which those held are the current ones."""
        if held := list(self.hold.get("covariances", ())):
            covariances = covariances.copy()
            covariances[held] = current.covariances[held]
        return covariances

    def applied(self, start: Mixture, noise: Noise | None = None) -> Mixture:
        """A first mixture that keeps these ties, beside noise, and knows how many parameters they take.

        Raises
        ------
        StartError
            If weights that are held leave nothing for noise.
        """
        weights, means, covariances = start.weights.copy(), start.means.copy(), start.covariances.copy()
        if self.equal_weights:
            weights[:] = weights.mean()
        for part, values in (("weights", weights), ("means", means), ("covariances", covariances)):
            for group in self.share.get(part, ()):
                values[list(group)] = values[list(group)].mean(axis=0)
        given = self._n_given(start.family, start.n_components, start.n_features, noise is not None)
        if noise is not None:
            weights = self._beside(weights, noise)
        return Mixture(weights, means, covariances, start.family, noise, given)

    def _beside(self, weights: FloatArray, noise: Noise) -> FloatArray:
        """Weights (K,) that leave noise its own; those held do not give any of theirs."""
        held = np.zeros(len(weights), dtype=bool)
        held[list(self.hold.get("weights", ()))] = True
        left, free = 1.0 - weights[held].sum() - noise.weight, weights[~held].sum()
        if left < 0.0 or (free == 0.0 and left > ROUNDED):
            total = weights[held].sum()
            raise StartError(f"weights that are held add up to {total:g}, and leave noise no share")
        return np.where(held, weights, weights * (left / free if free > 0.0 else 0.0))

    def _n_given(self, family: CovarianceFamily, n_components: int, n_features: int, with_noise: bool) -> int:
        each = {
            "weights": 1,
            "means": n_features,
            "covariances": family.n_covariance_parameters(1, n_features),
        }
        held = sum(each[part] * len(members) for part, members in self.hold.items())
        shared = sum(each[part] * (len(g) - 1) for part, groups in self.share.items() for g in groups)
        n_given = held + shared + (n_components - 1 if self.equal_weights else 0)
        # If all weights are held, the last of them was not free in the first place.
        all_held = not with_noise and len(self.hold.get("weights", ())) == n_components
        return n_given - all_held


NO_TIES = Ties()


def new_weights(
    statistics: SufficientStatistics, current: Mixture, ties: Ties, lightest: float
) -> tuple[FloatArray, Noise | None]:
    """The likeliest weights (K,), and the noise with its own.

    Rows that responsibilities leave over are noise's.
    """
    counts = np.where(is_emptied(statistics, lightest), 0.0, statistics.counts)
    left = 0.0
    if current.noise is not None and current.noise.weight > 0.0:
        # A difference of sums tells no smaller share from none.
        left = max(statistics.row_weight - float(counts.sum()), EPSILON * statistics.row_weight)
    held = np.zeros(len(counts), dtype=bool)
    held[list(ties.hold.get("weights", ()))] = True
    free = float(counts[~held].sum()) + left
    if free == 0.0:
        # No row says anything of the weights that are free.
        return current.weights, current.noise
    scale = (1.0 - float(current.weights[held].sum())) / free
    weights = np.where(held, current.weights, counts * scale)
    if ties.equal_weights:
        weights = np.full(len(counts), float(weights.mean()))
    for group in ties.share.get("weights", ()):
        weights[list(group)] = weights[list(group)].mean()
    noise = None if current.noise is None else replace(current.noise, weight=left * scale)
    return weights, noise


def is_emptied(statistics: SufficientStatistics, lightest: float) -> NDArray[np.bool_]:
    """Components whose share of the rows is no more than rounding, nor of the lightest row's weight: (K,)."""
    least = min(EMPTY_SHARE * statistics.row_weight, EMPTY_OF_A_ROW * lightest)
    emptied: NDArray[np.bool_] = statistics.counts <= least
    return emptied


def checked_ties(
    hold: Mapping[str, Sequence[int]] | None,
    share: Mapping[str, Sequence[Sequence[int]]] | None,
    equal_weights: bool,
    n_components: int,
    family: CovarianceFamily,
) -> Ties:
    """Ties from what a user asks for.

    Raises
    ------
    SettingsError
        If a part or a component does not exist, is named twice, or cannot be held under the family.
    """
    for name, given in (("hold", hold), ("share", share)):
        if given is not None and not isinstance(given, Mapping):
            raise SettingsError(f"{name} must be a dict such as {EXAMPLES[name]}; got {given!r}")
        for part in given or {}:
            if part not in PARTS:
                raise SettingsError(f"{name} knows {', '.join(PARTS)}; got {part!r}")
    held = {part: _components("hold", part, members, n_components) for part, members in (hold or {}).items()}
    shared = {
        part: tuple(
            _components("share", part, group, n_components, 2) for group in _sequence("share", groups)
        )
        for part, groups in (share or {}).items()
    }
    for part, groups in shared.items():
        members = [k for group in groups for k in group] + list(held.get(part, ()))
        if len(set(members)) < len(members):
            raise SettingsError(f"share: a component's {part} can be held or shared once only")
    if equal_weights and ("weights" in held or "weights" in shared):
        raise SettingsError("equal_weights leaves no weights to hold or share")
    if ("covariances" in held or "covariances" in shared) and family.ties_components:
        raise SettingsError(
            f"covariance_type {family.name} ties all covariances together; hold or share some of them with "
            "VVV (full), VVI (diag) or VII (spherical)"
        )
    return Ties(held, shared, equal_weights)


def _sequence(name: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise SettingsError(f"{name} must be a dict such as {EXAMPLES[name]}; got {given!r} in it")
    return tuple(given)


def _components(name: str, part: str, given: Any, n_components: int, least: int = 0) -> Components:
    members = _sequence(name, given)
    if len(members) < least:
        raise SettingsError(f"{name}[{part!r}] needs groups of {least} components or more; got {given!r}")
    whole = all(isinstance(k, int | np.integer) and not isinstance(k, bool) for k in members)
    if not whole or not all(0 <= k < n_components for k in members) or len(set(members)) < len(members):
        raise SettingsError(
            f"{name}[{part!r}] must name different components, from 0 to {n_components - 1}; got {given!r}"
        )
    return tuple(int(k) for k in members)
