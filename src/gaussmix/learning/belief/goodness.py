"""Are these rows Gaussian groups? A parametric bootstrap, whose replicates are fitted as the rows were.

1. The mixture is fitted again to the rows, from where it stands, and its misfit to them is taken.
2. As many rows are drawn from it, rounded as the rows are, and treated just so; again and again.
3. p is how often a replicate's misfit was no smaller than the rows'.

Since each replicate is fitted too, p allows for parameters that were estimated from the same rows (Stute,
Gonzalez Manteiga and Presedo Quindimil, Metrika 40 (1993) 243). Both tests together are as surprising as the
more surprising of the two is among replicates (Westfall and Young, Resampling-Based Multiple Testing,
1993). Where replicates have been no smaller often enough, more would not change the answer (Besag and
Clifford, Biometrika 78 (1991) 301).
"""

import warnings
from typing import Any

import numpy as np
from scipy.special import chdtri

from gaussmix.data.memory import MemoryRows
from gaussmix.data.rows import Rows
from gaussmix.errors import DataError, DataWarning, DegenerateComponentError, SettingsError
from gaussmix.kernels.contract import FloatArray
from gaussmix.kernels.threads import single_threaded_blas
from gaussmix.learning.acceleration import stride_for
from gaussmix.learning.belief.goodness_words import GoodnessOfFit, Leaning, MisfitTest
from gaussmix.learning.belief.misfit import Misfit, lopsidedness, misfit
from gaussmix.learning.belief.recorded import Steps, steps_of
from gaussmix.learning.em import fit_em, silent
from gaussmix.learning.prepare import FEW_COUNTS, covariance_seen, prepare
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.stopping import Limits
from gaussmix.model.mixture import Mixture

DEFAULT_REPLICATES = 199
# In either of two tests one replicate may be farther off, and so there have to be so many for p to be 5%.
LEAST_REPLICATES = 39
# A random choice of at most so many rows is tested, and of more where the mixture has many parameters.
MOST_ROWS, ROWS_A_PARAMETER, MOST_ROWS_EVER = 2000, 3, 8192
# With so many replicates no smaller than the rows in either test the answer is settled.
SETTLED = 20
# What a refit may leave to gain, in nats a row, and its most iterations.
REFIT_TOL, REFIT_ITERATIONS = 1e-5, 300
# Fewer numbers in the table for each parameter than this cannot show a misfit; nor can fewer rows.
NUMBERS_A_PARAMETER, LEAST_ROWS = 2, 8
# A gain of a refit is chance below what this share of as many rows would make of it.
OUTDATED_TAIL = 1e-3
# Groups whose standard deviation is less than so many steps have no shape.
COARSE = 0.3
# Lopsidedness is mentioned from here on, if it is beyond so many standard errors, too.
LOPSIDED, LOPSIDED_SIGMAS = 0.2, 3.5


@single_threaded_blas()
def goodness_of_fit(
    mixture: Mixture,
    rows: Rows,
    settings: FitSettings,
    n_replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
) -> GoodnessOfFit:
    """Test whether rows are groups as the mixture says, each Gaussian.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
        Those it was fitted to; others test the mixture fitted again to them. Weights are counts of rows.
    settings : FitSettings
        Prior, ties and all else that a fit needs, as the mixture was fitted.
    n_replicates : int
        At most, and at least 39; fewer are drawn where the answer is settled before.
    seed : int
        Of the choice of rows and of the replicates.

    Raises
    ------
    SettingsError
        If ``n_replicates`` is no number, or too few for a test.
    """
    if isinstance(n_replicates, bool) or not isinstance(n_replicates, int | np.integer):
        raise SettingsError(f"n_replicates must be a whole number; got {n_replicates!r}")
    if n_replicates < LEAST_REPLICATES:
        raise SettingsError(
            f"n_replicates must be at least {LEAST_REPLICATES}: fewer tell nothing at 5%; got {n_replicates}"
        )
    generator = np.random.default_rng(seed)
    matrix, weights = _chosen(rows, mixture, generator)
    steps = steps_of(matrix, weights)
    facts: dict[str, Any] = {
        "n_rows": rows.summary.n_rows,
        "n_tested": len(matrix),
        "steps": steps.named(rows.feature_names),
        "copies": 1.0 - len(np.unique(matrix, axis=0)) / len(matrix),
    }
    matrix, weights = _counted(matrix, weights, bool(facts["steps"]), generator)
    tested = MemoryRows.trusted(matrix, weights, rows.feature_names)
    fitted = None
    why_not = _too_little(tested, mixture)
    if not why_not and (coarse := _too_coarse(steps, mixture)).any():
        names = ", ".join(name for name, wide in zip(rows.feature_names, coarse, strict=True) if wide)
        why_not = f"the steps in which {names} was recorded are wider than a group"
    if not why_not and (fitted := _refitted(tested, mixture, settings)) is None:
        why_not = "a component collapses on them"
    if fitted is None:
        return _untold(mixture, why_not, facts)
    own = misfit(fitted, matrix, weights)
    drawn, n_failed = _Replicates(own), 0
    while drawn.n_drawn + n_failed < n_replicates and not drawn.settled:
        replicate = steps.rounded(generator.permutation(fitted.sample(len(matrix), generator)[0]))
        counted = MemoryRows.trusted(replicate, weights, rows.feature_names)
        again = _refitted(counted, fitted, settings)
        if again is None:
            n_failed += 1
        else:
            drawn.add(misfit(again, replicate, weights))
    if drawn.n_drawn < LEAST_REPLICATES and not drawn.settled:
        return _untold(mixture, "too few of the tables drawn from the mixture could be fitted", facts)
    gain = _log_likelihood(fitted, tested) - _log_likelihood(mixture, tested)
    # Twice the gain on rows that a mixture was not fitted to is chi-squared, and as much again if the
    # mixture was fitted to no more rows.
    chance = float(chdtri(mixture.n_parameters, OUTDATED_TAIL))
    together = drawn.together
    return GoodnessOfFit(
        tests=drawn.tests,
        p_value=float(together[0]),
        component_p_values=together[1:],
        outside=own.outside,
        far_out=own.far_out,
        leaning=_leaning(fitted, matrix, weights, rows.feature_names),
        n_replicates=drawn.n_drawn,
        n_failed=n_failed,
        refit_gain=max(gain, 0.0),
        outdated=gain > chance,
        **facts,
    )


class _Replicates:
    """How often replicates were no closer to their mixtures than the rows to theirs."""

    def __init__(self, own: Misfit) -> None:
        self._found = [_statistics(own)]

    def add(self, found: Misfit) -> None:
        self._found.append(_statistics(found))

    @property
    def n_drawn(self) -> int:
        return len(self._found) - 1

    @property
    def settled(self) -> bool:
        all_rows = np.stack(self._found)[:, :, 0]
        return bool((all_rows[1:] >= all_rows[0]).sum(axis=0).min() >= SETTLED)

    @property
    def tests(self) -> tuple[MisfitTest, ...]:
        values = _p_values(np.stack(self._found))[0, :, 0]
        errors = np.sqrt(values * (1.0 - values) / len(self._found))
        return tuple(
            MisfitTest(name, float(statistic), float(value), float(error))
            for name, statistic, value, error in zip(
                ("radial", "shape"), self._found[0][:, 0], values, errors, strict=True
            )
        )

    @property
    def together(self) -> FloatArray:
        """(1 + K,), p of both tests together, of all rows and of each component's."""
        values = _p_values(np.stack(self._found))
        # Many have one smaller value, for there are two tests: the larger decides between them.
        ranked = values.min(axis=1) + 0.5 / len(values) * values.max(axis=1)
        found: FloatArray = (ranked <= ranked[0]).mean(axis=0)
        return found


def _statistics(found: Misfit) -> FloatArray:
    """(2, 1 + K), of all rows and of each component's."""
    return np.array([[found.radial, *found.radial_of_each], [found.shape, *found.shape_of_each]])


def _p_values(statistics: FloatArray) -> FloatArray:
    """Share of all (B, ...) that are no smaller than each: (B, ...)."""
    ranked = np.sort(statistics, axis=0)
    found = np.empty(statistics.shape)
    for place in np.ndindex(*statistics.shape[1:]):
        column = (slice(None), *place)
        smaller = np.searchsorted(ranked[column], statistics[column], side="left")
        found[column] = 1.0 - smaller / len(statistics)
    return found


def _chosen(rows: Rows, mixture: Mixture, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """All rows, or some without replacement, and their weights: (n, D), (n,)."""
    n_rows = rows.summary.n_rows
    most = int(np.clip(ROWS_A_PARAMETER * mixture.n_parameters, MOST_ROWS, MOST_ROWS_EVER))
    wanted = np.sort(generator.choice(n_rows, min(most, n_rows), replace=False))
    blocks, counts, passed = [], [], 0
    for tile, given in rows.tiles():
        until = passed + len(tile)
        inside = wanted[(wanted >= passed) & (wanted < until)] - passed
        blocks.append(tile[inside].astype(np.float64))
        counts.append(np.ones(len(inside)) if given is None else given[inside])
        passed = until
    weights = np.concatenate(counts)
    if weights.sum() < FEW_COUNTS * len(weights):
        # They cannot be counts of rows.
        weights = weights / weights.mean()
    return np.concatenate(blocks), weights


def _counted(
    matrix: FloatArray, weights: FloatArray, in_steps: bool, generator: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Rows and weights as the test counts them, in no particular order: (n, D), (n,).

    Rows that were recorded in steps are equal by chance, as replicates will be, and each stands for itself;
    weights then are counts of such rows. Other rows that are equal are one row that counts more, and
    replicates are given such weights.
    """
    if not in_steps:
        matrix, place = np.unique(matrix, axis=0, return_inverse=True)
        weights = np.bincount(place.ravel(), weights).astype(np.float64)
    elif (weights == np.rint(weights)).all() and weights.max() > 1.0:
        if weights.sum() > MOST_ROWS_EVER:
            weights = generator.multinomial(MOST_ROWS_EVER, weights / weights.sum()).astype(np.float64)
        matrix = np.repeat(matrix, weights.astype(np.int64), axis=0)
        weights = np.ones(len(matrix))
    order = generator.permutation(len(matrix))
    return matrix[order], weights[order]


def _too_little(tested: MemoryRows, mixture: Mixture) -> str:
    """Why these rows cannot be tested; empty if they can."""
    n_rows, n_features = tested.matrix.shape
    if n_rows < LEAST_ROWS or n_rows * n_features < NUMBERS_A_PARAMETER * mixture.n_parameters:
        return f"{n_rows} rows are too few for {mixture.n_parameters} parameters"
    flat = mixture.family.spreadless_directions(covariance_seen(tested, mixture.family))
    return "in some direction they do not vary at all; drop such columns" if flat.shape[1] else ""


def _too_coarse(steps: Steps, mixture: Mixture) -> np.ndarray:
    """In which features a component is narrower than the steps, so that any shape would do: (D,)."""
    used = mixture.weights > 0.0
    variances = mixture.family.variances(mixture.covariances, *mixture.means.shape)[used]
    return np.asarray((np.sqrt(variances) < COARSE * steps.sizes).any(axis=0))


def _refitted(rows: MemoryRows, start: Mixture, settings: FitSettings) -> Mixture | None:
    """The mixture fitted to these rows from where it stands; None if it collapses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            step = prepare(rows, settings)
        limits = Limits(REFIT_TOL, REFIT_ITERATIONS, step.monotone)
        result = fit_em(rows, start, step, limits, silent, stride_for(settings.acceleration, step, REFIT_TOL))
    except (DegenerateComponentError, DataError):
        return None
    return None if result.outcome.collapse is not None else result.mixture


def _log_likelihood(mixture: Mixture, rows: MemoryRows) -> float:
    return rows.expected_statistics(mixture).log_likelihood


def _leaning(
    mixture: Mixture, matrix: FloatArray, weights: FloatArray, names: tuple[str, ...]
) -> tuple[Leaning, ...]:
    """Each component's most lopsided feature, where that is beyond chance."""
    lopsided, counts = lopsidedness(mixture, matrix, weights)
    found = []
    for k, (values, count) in enumerate(zip(lopsided, counts, strict=True)):
        j = int(np.abs(values).argmax())
        if abs(values[j]) > max(LOPSIDED, LOPSIDED_SIGMAS / np.sqrt(max(count, 1.0))):
            found.append(Leaning(k, names[j], float(values[j])))
    return tuple(sorted(found, key=lambda each: -abs(each.lopsidedness)))


def _untold(mixture: Mixture, why_not: str, facts: dict[str, Any]) -> GoodnessOfFit:
    return GoodnessOfFit(
        tests=(),
        p_value=None,
        component_p_values=np.ones(mixture.n_components),
        outside=0.0,
        far_out=0.0,
        leaning=(),
        n_replicates=0,
        n_failed=0,
        refit_gain=0.0,
        outdated=False,
        why_not=why_not,
        **facts,
    )
