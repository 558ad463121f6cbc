"""What came of a comparison, in a sentence."""

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.clusters.compared import Compared

# Differences up to this, as between fits that stop a little earlier or later, are nearly none.
CLOSE = 1e-3
# Groups are the same where this share of rows is in components that stand for each other,
SAME_GROUPS = 0.9
# and a component is part of another where this share of its rows is in it.
WITHIN = 0.8


def in_words(comparison: Compared) -> str:
    """The same to rounding, the same groups, one a refinement of the other, or neither."""
    if comparison.same:
        return "A and B are the same to rounding."
    largest = comparison.largest_difference
    if largest <= CLOSE:
        return (
            "A and B are nearly the same: no share, correlation, mean or standard deviation differs by more "
            f"than {largest:.1g} (of 1, or of a standard deviation)."
        )
    if not comparison.only_a and not comparison.only_b:
        if comparison.shared >= SAME_GROUPS:
            return f"A and B have the same groups: {_shared(comparison)}; {_apart(comparison)}."
    elif said := _splits(comparison):
        return said
    elif comparison.shared >= SAME_GROUPS:
        return f"A and B have the same groups but for {_left_over(comparison)}: {_shared(comparison)}."
    left = _left_over(comparison)
    return (
        f"A and B group rows differently: {_shared(comparison)} (adjusted Rand index "
        f"{comparison.agreement.rand:.2f})" + (f"; no counterpart for {left}." if left else ".")
    )


def _shared(comparison: Compared) -> str:
    return f"{_percent(comparison.shared)} of rows are in components that stand for each other"


def _apart(comparison: Compared) -> str:
    """Where weights and means differ most."""
    pairs = comparison.pairs
    heavier = max(pairs, key=lambda pair: abs(pair.weights[1] - pair.weights[0]))
    farther = max(pairs, key=lambda pair: float(np.abs(pair.mean_steps).max()))
    feature = int(np.abs(farther.mean_steps).argmax())
    points = 100.0 * abs(heavier.weights[1] - heavier.weights[0])
    step = float(np.abs(farther.mean_steps[feature]))
    return (
        f"shares differ by up to {points:.2g} percentage points (component {heavier.a + 1} of A), means by "
        f"up to {step:.2g} standard deviations ({comparison.feature_names[feature]} of component "
        f"{farther.a + 1} of A)"
    )


def _left_over(comparison: Compared) -> str:
    """Components without a counterpart: ``component 3 of A (4.0%)``."""
    left = [("A", comparison.a.weights[k], k) for k in comparison.only_a]
    left += [("B", comparison.b.weights[k], k) for k in comparison.only_b]
    return _joined([f"component {k + 1} of {side} ({_percent(float(weight))})" for side, weight, k in left])


def _splits(comparison: Compared) -> str:
    """``A splits component 2 of B into its components 2 and 3.``, if that is what happened."""
    if comparison.a.n_components > comparison.b.n_components:
        return _split_of(comparison.agreement.table, "A", "B", comparison)
    return _split_of(comparison.agreement.table.T, "B", "A", comparison)


def _split_of(table: FloatArray, finer: str, coarser: str, comparison: Compared) -> str:
    mixtures = {"A": comparison.a, "B": comparison.b}
    cells = table[: mixtures[finer].n_components, : mixtures[coarser].n_components]
    parents, filled = cells.argmax(axis=1), table[: len(cells)].sum(axis=1) > 0.0
    own = cells.max(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        within = own / table[: len(cells)].sum(axis=1) >= WITHIN
    if not within[filled].all():
        return ""
    children = {p: np.flatnonzero((parents == p) & filled) for p in range(cells.shape[1])}
    # A component of the coarser that is nobody's parent is no group of the finer.
    if any(len(of) == 0 and cells[:, p].sum() > 0.0 for p, of in children.items()):
        return ""
    split = [
        f"component {p + 1} of {coarser} into its components {_joined([str(k + 1) for k in of.tolist()])}"
        for p, of in children.items()
        if len(of) > 1
    ]
    return f"{finer} splits {_joined(split)}." if split else ""


def _percent(share: float) -> str:
    return f"{100.0 * share:.1f}%"


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
