"""Tables that a fit has every reason to fail on, and settings to fit them with: all from one seed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix.learning.settings import INIT_METHODS, FitSettings, GivenStart, responsibilities_of
from gaussmix.model.covariances import FAMILIES
from gaussmix.model.covariances.registry import ONE_DIMENSION

LARGEST_N, LARGEST_D, LARGEST_K = 200, 6, 6
# Of every so many seeds one searches; the others make one start, which takes milliseconds.
SEARCHED = 10


@dataclass(frozen=True, eq=False)
class Case:
    """What one seed asks of a fit."""

    seed: int
    rows: NDArray[Any]
    """(N, D), float64 or float32."""
    weights: NDArray[np.float64] | None
    """(N,)."""
    settings: FitSettings
    words: str
    """How the rows were made."""


def case_of(seed: int) -> Case:
    """Rows, weights and settings that follow from a seed."""
    rng = np.random.default_rng([9, seed])
    # Small tables are where components run out of rows.
    n_rows = int(np.exp(rng.uniform(0.0, np.log(LARGEST_N + 1))))
    n_features, n_components = int(rng.integers(1, LARGEST_D + 1)), int(rng.integers(1, LARGEST_K + 1))
    # Of refusals a few will do.
    least = rng.choice(
        [1, n_components, 2 * n_components, n_features + n_components + 2], p=[0.02, 0.08, 0.3, 0.6]
    )
    n_rows = max(n_rows, int(least))
    words = []
    maker = MAKERS[rng.integers(len(MAKERS))]
    rows = maker(rng, n_rows, n_features)
    words.append(maker.__name__)
    for change in CHANGES:
        if rng.random() < 0.12:
            rows = change(rng, rows)
            words.append(change.__name__)
    scale = SCALES[rng.integers(len(SCALES))]
    rows = scale(rng, rows)
    words.append(scale.__name__)
    if rng.random() < 0.15:
        rows = np.clip(rows, -1e37, 1e37).astype(np.float32)
        words.append("float32")
    weights = _weights(rng, len(rows)) if rng.random() < 0.3 else None
    return Case(seed, rows, weights, _settings(rng, seed, rows, n_components), " ".join(words))


def groups(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    """Gaussian groups, some near, some far."""
    k = int(rng.integers(1, 5))
    centres = rng.normal(size=(k, d)) * 10.0 ** rng.uniform(-1, 3)
    return centres[rng.integers(0, k, n)] + rng.normal(size=(n, d))


def groups_of_all_sizes(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    """Groups whose spreads differ by orders of magnitude."""
    k = int(rng.integers(2, 5))
    spreads = 10.0 ** rng.uniform(-12, 3, (k, 1))
    mine = rng.integers(0, k, n)
    return rng.normal(size=(k, d))[mine] + spreads[mine] * rng.normal(size=(n, d))


def heavy_tails(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    """Student's t of 0.3 to 3 degrees of freedom."""
    return np.clip(rng.standard_t(10.0 ** rng.uniform(-0.5, 0.5), (n, d)), -1e60, 1e60)


def log_normal(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    """All scales in one column."""
    return np.exp(rng.normal(size=(n, d)) * rng.uniform(0.5, 20.0))


def atoms(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    """A few points, each many times."""
    return _some(rng, rng.normal(size=(int(rng.integers(2, 9)), d)), n)


def lattice(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    """Small whole numbers."""
    return rng.integers(0, int(rng.integers(2, 10)), (n, d)).astype(np.float64)


def binary(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    """Dummy columns that add up to 1, or almost."""
    table = np.eye(d)[rng.integers(0, d, n)]
    return table if rng.random() < 0.5 else np.where(rng.random((n, d)) < 0.02, 0.5, table)


def curve(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    """A line, a circle or a spiral, thin or of no thickness."""
    t = rng.uniform(0.0, 6.0, (n, 1))
    bent = np.sin(t * rng.uniform(0.0, 2.0, (1, d)) + rng.uniform(0.0, 6.0, (1, d)))
    return bent * t ** rng.integers(0, 2) + rng.choice([0.0, 1e-14, 1e-8, 1e-2]) * rng.normal(size=(n, d))


def spike_in_a_cloud(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    """A broad group with a point in it, as often as the group has rows."""
    cloud, point = rng.normal(size=(n, d)), rng.normal(size=d)
    return np.where(rng.random((n, 1)) < 0.5, point, cloud)


def even(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    """Rows at equal distances, perfectly symmetric."""
    steps = np.linspace(-1.0, 1.0, n)[:, None] * np.ones(d)
    return steps * np.where(np.arange(d) % 2, -1.0, 1.0) if rng.random() < 0.5 else steps**3


MAKERS = (
    groups, groups, groups_of_all_sizes, heavy_tails, log_normal, atoms, lattice, binary, curve,
    spike_in_a_cloud, even,
)  # fmt: skip


def _some(rng: np.random.Generator, points: NDArray[Any], n: int) -> NDArray[Any]:
    return points[rng.integers(0, len(points), n)]


def collinear(rng: np.random.Generator, rows: NDArray[Any]) -> NDArray[Any]:
    """A column that is a sum of multiples of the others, to the last bit or almost."""
    if rows.shape[1] < 2:
        return rows
    rows = rows.copy()
    made = rows[:, 1:] @ rng.integers(-2, 3, rows.shape[1] - 1).astype(np.float64)
    width = rng.choice([0.0, 0.0, 1e-16, 1e-15, 1e-13, 1e-10, 1e-7, 1e-4])
    rows[:, 0] = made * (1.0 + width * rng.normal(size=len(rows)))
    return rows


def constant_column(rng: np.random.Generator, rows: NDArray[Any]) -> NDArray[Any]:
    """A column of one value, or of two that are neighbours."""
    rows = rows.copy()
    value = rng.choice([0.0, 1.0, 3.7])
    j = rng.integers(rows.shape[1])
    if rows.shape[1] == 1:
        return rows
    rows[:, j] = value
    if rng.random() < 0.4:
        rows[rng.integers(len(rows)), j] = np.nextafter(value, np.inf) if value else 1e-9
    return rows


def repeated_rows(rng: np.random.Generator, rows: NDArray[Any]) -> NDArray[Any]:
    """Fewer distinct rows than rows."""
    return _some(rng, rows[: max(3, int(len(rows) * rng.random()))], len(rows))


def rounded(rng: np.random.Generator, rows: NDArray[Any]) -> NDArray[Any]:
    """Rounded to so many digits that ties arise."""
    return np.round(rows, int(rng.integers(0, 4)))


def jittered(rng: np.random.Generator, rows: NDArray[Any]) -> NDArray[Any]:
    """Equal rows set apart by some roundings."""
    return rows * (1.0 + rng.choice([1e-16, 3e-16, 1e-15, 1e-12]) * rng.normal(size=rows.shape))


def outlier(rng: np.random.Generator, rows: NDArray[Any]) -> NDArray[Any]:
    """One row far away."""
    rows = rows.copy()
    rows[rng.integers(len(rows))] += 10.0 ** rng.uniform(1, 15) * rng.normal(size=rows.shape[1])
    return rows


CHANGES = (collinear, constant_column, repeated_rows, rounded, jittered, outlier)


def as_it_is(rng: np.random.Generator, rows: NDArray[Any]) -> NDArray[Any]:
    """Units of about 1."""
    return rows


def one_unit(rng: np.random.Generator, rows: NDArray[Any]) -> NDArray[Any]:
    """All columns in one odd unit."""
    return _within(rows * 10.0 ** rng.uniform(-135, 135))


def odd_units(rng: np.random.Generator, rows: NDArray[Any]) -> NDArray[Any]:
    """Each column in a unit of its own."""
    widest = rng.choice([6.0, 30.0, 120.0, 150.0])
    return _within(rows * 10.0 ** rng.uniform(-widest, widest, rows.shape[1]))


def far_out(rng: np.random.Generator, rows: NDArray[Any]) -> NDArray[Any]:
    """Far from the origin."""
    return rows + 10.0 ** rng.uniform(0, 16, rows.shape[1])


def far_out_in_odd_units(rng: np.random.Generator, rows: NDArray[Any]) -> NDArray[Any]:
    """Both."""
    return odd_units(rng, far_out(rng, rows))


SCALES = (as_it_is, as_it_is, one_unit, odd_units, far_out, far_out_in_odd_units)


def _within(rows: NDArray[Any]) -> NDArray[Any]:
    """No infinities: those are refused before anything interesting happens."""
    return np.clip(rows, -1e300, 1e300)


def _weights(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    kind = rng.integers(6)
    if kind == 0:
        return np.maximum(rng.integers(0, 4, n), np.arange(n) < 3).astype(np.float64)
    if kind == 1:
        return rng.random(n)
    if kind == 2:
        return 10.0 ** rng.uniform(-12, 12, n)
    if kind == 3:
        return np.where(rng.random(n) < 0.3, 0.0, 1.0)
    if kind == 4:
        return np.full(n, 10.0 ** rng.uniform(-300, 300))
    return 1.0 + 1e6 * (rng.random(n) < 0.05)


def _settings(rng: np.random.Generator, seed: int, rows: NDArray[Any], n_components: int) -> FitSettings:
    n_rows, n_features = rows.shape
    names = [family.name for family in FAMILIES] + (list(ONE_DIMENSION) if n_features == 1 else [])
    asked: dict[str, Any] = {
        "n_components": n_components,
        "covariance_type": names[rng.integers(len(names))],
        "prior": str(rng.choice(["weak", "weak", "conjugate", "none"])),
        "tol": float(rng.choice([0.0, 1e-9, 1e-9, 1e-3])),
        "max_iter": int(rng.choice([0, 1, 5, 60, 60, 60, 300])),
        "n_init": "auto" if seed % SEARCHED == 0 else int(rng.choice([1, 1, 1, 3])),
        "init_params": str(rng.choice(INIT_METHODS)),
        "reg_covar": float(rng.choice([0.0] * 9 + [1e-6])),
        "seed": seed,
        "acceleration": str(rng.choice(["auto", "none"])),
        "noise": bool(rng.random() < 0.15),
        "equal_weights": bool(rng.random() < 0.15),
    }
    if rng.random() < 0.25 and n_components <= n_rows:
        asked["given"] = _start(rng, rows, n_components)
        if rng.random() < 0.3 and asked["prior"] != "conjugate" and n_components > 1:
            part = str(rng.choice(["weights", "means", "covariances"]))
            if part == "covariances":
                asked["covariance_type"] = str(rng.choice(["full", "diag", "spherical", "VVV"]))
            if part != "weights" or not asked["equal_weights"]:
                whole = rng.random() < 0.5
                asked["hold" if whole else "share"] = {part: [0] if whole else [[0, 1]]}
    return FitSettings(**asked)


def _start(rng: np.random.Generator, rows: NDArray[Any], n_components: int) -> GivenStart:
    kind = rng.integers(5)
    if kind == 0:
        labels = rng.integers(0, n_components, len(rows))
        return GivenStart(responsibilities=responsibilities_of(labels, n_components))
    centres = np.asarray(_some(rng, rows, n_components), dtype=np.float64)
    if kind == 1:
        return GivenStart(means=centres)
    if kind == 2:
        return GivenStart(means=np.repeat(centres[:1], n_components, axis=0))
    variances = _variances(rng, rows, n_components)
    if kind == 3:
        return GivenStart(means=centres, covariances=variances)
    weights = rng.dirichlet(np.full(n_components, 0.3))
    return GivenStart(weights=weights, means=centres * rng.choice([1.0, 1e3]), covariances=variances)


def _variances(rng: np.random.Generator, rows: NDArray[Any], n_components: int) -> NDArray[np.float64]:
    """One for each component (K,) in units of its own, or for each feature (K, D) in the data's."""
    if rng.random() < 0.15:
        return 10.0 ** rng.uniform(-30, 30, n_components)
    own = np.clip(np.ptp(rows.astype(np.float64), axis=0), 1e-140, 1e140) ** 2
    return own * 10.0 ** rng.uniform(-10, 4, (n_components, rows.shape[1]))
