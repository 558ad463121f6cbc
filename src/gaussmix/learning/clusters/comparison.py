"""Two fits side by side: which component stands for which, by how much they differ, and who goes where."""

from collections.abc import Iterable, Sequence

import numpy as np

from gaussmix.data.rows import Rows
from gaussmix.errors import SettingsError
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning import scoring
from gaussmix.learning.clusters.compared import Agreement, Compared, ComponentPair, OnRows, Side
from gaussmix.learning.clusters.comparison_words import in_words
from gaussmix.model.alignment import aligned, hellinger_distances
from gaussmix.model.covariances.full import Full
from gaussmix.model.mixture import Mixture, Noise

# Rows drawn of each mixture where none are given.
DRAWN = 5_000
LISTED = 12


class Comparison(Compared):
    """Two fits side by side, and what that comes to."""

    @property
    def sentence(self) -> str:
        """What came of it."""
        return in_words(self)

    def __str__(self) -> str:
        return self.sentence


def compare_mixtures(one: Side, other: Side, rows: Rows | None = None, seed: int = 0) -> Comparison:
    """Compare two fits over the same features.

    Parameters
    ----------
    one, other : Side
        A and B. Features are matched by their names; by their places if one side has none.
    rows : Rows, optional
        With A's features in A's order. Without rows 10,000 are drawn, half from each mixture.
    seed : int
        Of the rows that are drawn.

    Returns
    -------
    Comparison
        Components are matched as ``model.alignment.aligned`` says.

    Raises
    ------
    SettingsError
        If the features are not the same.
    """
    places, notes = matched_features(one.feature_names, other.feature_names, one.mixture, other.mixture)
    a, b = one.mixture, with_features(other.mixture, places)
    order = aligned(b, a)
    pairs = _pairs(a, b, order)
    if rows is None:
        generator = np.random.default_rng(seed)
        drawn = np.concatenate([side.sample(DRAWN, generator)[0] for side in (a, b)])
        table, on_rows = _table(a, b, [(drawn, None)]), None
    else:
        table = _table(a, b, rows.tiles())
        on_rows = (_on_rows(a, one.mixture, rows), _on_rows(b, other.mixture, rows))
    given = one.feature_names or other.feature_names
    return Comparison(
        a,
        b,
        given or tuple(f"x{j + 1}" for j in range(a.n_features)),
        pairs,
        tuple(np.flatnonzero(order < 0).tolist()),
        tuple(np.setdiff1d(np.arange(b.n_components), order).tolist()),
        Agreement(table, adjusted_rand(table), 0 if rows is not None else 2 * DRAWN, seed),
        on_rows,
        (one.facts, other.facts),
        notes,
    )


def matched_features(
    names: Sequence[str] | None, others: Sequence[str] | None, one: Mixture, other: Mixture
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Where each feature of one mixture stands in the other, (D,), and what there is to say of it.

    Raises
    ------
    SettingsError
        Naming the features that only one of both has.
    """
    if one.n_features != other.n_features:
        raise SettingsError(
            f"A has {one.n_features} features and B has {other.n_features}: only fits over the same features "
            "can be compared"
        )
    if names is None or others is None:
        who = "A" if names is None else "B"
        said = f"{who} has no names of columns: columns are matched by their places"
        return np.arange(one.n_features), () if names is others else (said,)
    missing = [sorted(set(names) - set(others)), sorted(set(others) - set(names))]
    if missing[0] or missing[1]:
        raise SettingsError(
            f"A and B have different features: only A has {_listed(missing[0])}; "
            f"only B has {_listed(missing[1])}"
        )
    return np.array([list(others).index(name) for name in names]), ()


def with_features(mixture: Mixture, places: np.ndarray) -> Mixture:
    """A mixture with its features taken in another order; its covariances are then written out."""
    if np.array_equal(places, np.arange(mixture.n_features)):
        return mixture
    noise = mixture.noise
    return Mixture(
        mixture.weights,
        mixture.means[:, places],
        mixture.matrices[:, places][:, :, places],
        Full(),
        None if noise is None else Noise(noise.weight, noise.corner[places], noise.edges[:, places]),
        mixture.n_given,
    )


def adjusted_rand(table: FloatArray) -> float:
    """Adjusted Rand index of a contingency table of counts (Hubert and Arabie, J. Classif. 2 (1985) 193).

    scikit-learn's ``adjusted_rand_score``, which takes labels, of rows that may be weighted; 1 where both
    sides are one group.
    """
    total = table.sum()
    both, one, other = (
        float((counts * (counts - 1.0)).sum()) for counts in (table, table.sum(axis=1), table.sum(axis=0))
    )
    expected = one * (other / (total * (total - 1.0))) if total > 1.0 else 0.0
    most = 0.5 * (one + other)
    return 1.0 if both == one == other or most == expected else (both - expected) / (most - expected)


def _pairs(a: Mixture, b: Mixture, order: np.ndarray) -> tuple[ComponentPair, ...]:
    hellinger = hellinger_distances(a, b)
    spreads = [_spread(side) for side in (a, b)]
    return tuple(
        ComponentPair(
            i,
            j,
            (float(a.weights[i]), float(b.weights[j])),
            np.stack([a.means[i], b.means[j]]),
            np.stack([spreads[0][0][i], spreads[1][0][j]]),
            np.stack([spreads[0][1][i], spreads[1][1][j]]),
            float(hellinger[i, j]),
        )
        for i, j in enumerate(order.tolist())
        if j >= 0
    )


def _spread(mixture: Mixture) -> tuple[FloatArray, FloatArray]:
    """Standard deviations (K, D) and correlations (K, D, D)."""
    matrices = mixture.matrices
    deviations = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    return deviations, matrices / deviations[:, :, None] / deviations[:, None, :]


def _table(a: Mixture, b: Mixture, tiles: Iterable[tuple[FloatArray, FloatArray | None]]) -> FloatArray:
    noisy = a.noise is not None or b.noise is not None
    shape = (a.n_components + noisy, b.n_components + noisy)
    table = np.zeros(shape)
    for tile, weights in tiles:
        # Noise, -1, is the last of its side.
        cells = (a.labels(tile) % shape[0]) * shape[1] + b.labels(tile) % shape[1]
        table += np.bincount(cells, weights, shape[0] * shape[1]).reshape(shape)
    return table


def _on_rows(mixture: Mixture, fitted: Mixture, rows: Rows) -> OnRows:
    scores = scoring.score_rows(mixture, rows)
    # In another order of features a mixture is written out, and has not become freer.
    n_parameters = fitted.n_parameters
    bic = scoring.bic(scores.log_likelihood, n_parameters, scores.row_weight)
    return OnRows(scores.log_likelihood, n_parameters, bic)


def _listed(names: list[str]) -> str:
    if not names:
        return "none more"
    more = "" if len(names) <= LISTED else f" and {len(names) - LISTED} more"
    return ", ".join(repr(name) for name in names[:LISTED]) + more
