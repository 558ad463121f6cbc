"""The E-step and the M-step against 60-digit arithmetic: far from the origin, ill-conditioned, weighted.

docs/numerics.md states the bounds; `python tests/oracle/test_truth_grid.py` prints what they rest on.
"""

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.model.covariances import covariance_family
from gaussmix.model.maximise import MStep, maximise
from gaussmix.model.mixture import Mixture

EPSILON = float(np.finfo(np.float64).eps)
OFFSETS = (1e0, 1e4, 1e8, 1e10, 1e12)
CONDITIONS = (1e0, 1e4, 1e8, 1e12, 1e14)
# Components, and whether rows are weighted.
KINDS = ((1, False), (3, False), (3, True))
N_ROWS = 24
# What docs/numerics.md promises: errors in units of EPSILON times what `units` says.
PROMISED = {"log density": 1.0, "responsibility": 4.0, "mean": 1.0, "covariance": 1.0}


def problem(offset, condition, n_components, weighted):
    """Rows (24, 2) at an offset, of spread 1 along one axis and condition^-1/2 along the other."""
    rng = np.random.default_rng([3, n_components, weighted])
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    root = turn * np.array([1.0, condition**-0.5])
    covariance = root @ turn.T @ (root @ turn.T).T
    covariance = 0.5 * (covariance + covariance.T)
    # Within reach of one another, or no row would be shared.
    means = offset + rng.normal(size=(n_components, 2)) @ root.T
    rows = means[rng.integers(0, n_components, N_ROWS)] + rng.normal(size=(N_ROWS, 2)) @ root.T
    weights = rng.integers(1, 4, N_ROWS).astype(float) if weighted else None
    shares = rng.dirichlet(np.full(n_components, 5.0))
    family = covariance_family("full")
    sizes = np.array([1.0, 1.7, 0.6])[:n_components, None, None]
    mixture = Mixture(shares, means, sizes * covariance, family)
    return rows, weights, mixture


def truth(rows, weights, mixture):
    """Log densities (N,), responsibilities (N, K), means (K, D), covariances (K, D, D), distances (N,)."""
    k, d = mixture.means.shape
    exact_rows = [[mpmath.mpf(x) for x in row] for row in rows.tolist()]
    means = [[mpmath.mpf(x) for x in mean] for mean in mixture.means.tolist()]
    inverses, constants = [], []
    for j in range(k):
        matrix = mpmath.matrix(mixture.covariances[j].tolist())
        inverses.append(matrix**-1)
        constants.append(-(d * mpmath.log(2 * mpmath.pi) + mpmath.log(mpmath.det(matrix))) / 2)
    logs, shares, far = [], [], []
    for row in exact_rows:
        joint, distances = [], []
        for j in range(k):
            away = mpmath.matrix([x - m for x, m in zip(row, means[j], strict=True)])
            distances.append((away.T * inverses[j] * away)[0])
            joint.append(mpmath.log(mpmath.mpf(mixture.weights[j])) + constants[j] - distances[-1] / 2)
        total = mpmath.log(mpmath.fsum(mpmath.exp(v) for v in joint))
        logs.append(total)
        shares.append([mpmath.exp(v - total) for v in joint])
        far.append(max(distances))
    counted = [mpmath.mpf(1)] * len(rows) if weights is None else [mpmath.mpf(w) for w in weights]
    new_means, new_covariances = [], []
    for j in range(k):
        held = [w * share[j] for w, share in zip(counted, shares, strict=True)]
        count = mpmath.fsum(held)
        mean = [
            mpmath.fsum(h * r[i] for h, r in zip(held, exact_rows, strict=True)) / count for i in range(d)
        ]
        new_means.append(mean)
        new_covariances.append(
            [
                [
                    mpmath.fsum(
                        h * (r[a] - mean[a]) * (r[b] - mean[b]) for h, r in zip(held, exact_rows, strict=True)
                    )
                    / count
                    for b in range(d)
                ]
                for a in range(d)
            ]
        )
    return logs, shares, new_means, new_covariances, far


def errors(offset, condition, n_components, weighted):
    """The largest error of each kind, in units of EPSILON times what it may grow with."""
    rows, weights, mixture = problem(offset, condition, n_components, weighted)
    with mpmath.workdps(60):
        logs, shares, means, covariances, far = truth(rows, weights, mixture)
        # A factor is wrong by the condition, relative to itself along its short axis; so are distances there.
        factor = condition + condition**0.5 * (1.0 + float(max(far)))
        _, found_shares, found_logs, _ = mixture.scores(rows)
        of_logs = max(
            float(abs(mpmath.mpf(f) - e)) / (condition * (1.0 + float(d)) + abs(float(e)))
            for f, e, d in zip(found_logs.tolist(), logs, far, strict=True)
        )
        of_shares = max(
            float(abs(mpmath.mpf(f) - e)) / factor
            for found, exact in zip(found_shares.tolist(), shares, strict=True)
            for f, e in zip(found, exact, strict=True)
        )
        data = MemoryRows(rows, weights)
        successor = maximise(data.expected_statistics(mixture), mixture, MStep.plain(2))
        of_means = of_covariances = 0.0
        for j, i in itertools.product(range(n_components), range(2)):
            sigma = float(mpmath.sqrt(covariances[j][i][i]))
            wrong = float(abs(mpmath.mpf(float(successor.means[j, i])) - means[j][i])) / sigma
            of_means = max(of_means, wrong / (factor + offset / sigma))
            if np.array_equal(successor.covariances, mixture.covariances):
                # Means that moved by thousands of the short axis go first, and covariances in the next step.
                continue
            for other in range(2):
                scale = float(mpmath.sqrt(covariances[j][i][i] * covariances[j][other][other]))
                found = mpmath.mpf(float(successor.covariances[j, i, other]))
                of_covariances = max(
                    of_covariances, float(abs(found - covariances[j][i][other])) / scale / factor
                )
    largest = (of_logs, of_shares, of_means, of_covariances)
    return dict(zip(PROMISED, (value / EPSILON for value in largest), strict=True))


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize(("n_components", "weighted"), KINDS)
def test_errors_are_below_what_is_promised(offset, condition, n_components, weighted):
    for name, error in errors(offset, condition, n_components, weighted).items():
        assert error <= PROMISED[name], name


def alternating(middle, step, n):
    """NIST StRD's NumAcc2 to NumAcc4: the middle, and then middle - step and middle + step in turn."""
    low, high = f"{middle - step:.1f}", f"{middle + step:.1f}"
    return np.array([float(f"{middle:.1f}")] + [float(low), float(high)] * (n // 2))


NIST = {
    # Certified by NIST: mean and standard deviation (n - 1), both exact.
    "NumAcc1": (np.array([10000001.0, 10000003.0, 10000002.0]), 10000002.0, 1.0),
    "NumAcc2": (alternating(1.2, 0.1, 1001), 1.2, 0.1),
    "NumAcc3": (alternating(1000000.2, 0.1, 1001), 1000000.2, 0.1),
    "NumAcc4": (alternating(10000000.2, 0.1, 1001), 10000000.2, 0.1),
}


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VVV", "EVE"])
@pytest.mark.parametrize("name", NIST)
def test_nists_certified_means_and_standard_deviations(name, covariance_type):
    column, mean, deviation = NIST[name]
    n = len(column)
    model = GaussianMixture(covariance_type=covariance_type, prior=None).fit(column[:, None])
    # Of the doubles that decimals have become: to the last digits.
    exact_mean = sum(map(Fraction, column.tolist())) / n
    exact = sum((Fraction(x) - exact_mean) ** 2 for x in column.tolist()) / n
    variance = float(np.ravel(model.covariances_)[0])
    assert model.means_[0, 0] == pytest.approx(float(exact_mean), rel=EPSILON)
    assert variance == pytest.approx(float(exact), rel=8.0 * EPSILON)
    # Of the decimals: as far as doubles hold them.
    assert model.means_[0, 0] == pytest.approx(mean, rel=EPSILON)
    lost = 4.0 * EPSILON * mean / deviation
    assert variance == pytest.approx(deviation**2 * (n - 1) / n, rel=max(lost, 8.0 * EPSILON))


def test_the_example_of_nist_by_its_own_figures():
    column = NIST["NumAcc4"][0]
    assert len(column) == 1001
    model = GaussianMixture().fit(column[:, None])
    assert model.covariances_[0, 0, 0] == pytest.approx(0.01 * 1000 / 1001, rel=1e-7)


if __name__ == "__main__":
    for kind in KINDS:
        for condition in CONDITIONS:
            found = [errors(offset, condition, *kind) for offset in OFFSETS]
            worst = {name: max(cell[name] for cell in found) for name in PROMISED}
            line = "  ".join(f"{name} {value:8.3g}" for name, value in worst.items())
            print(f"K = {kind[0]}, weighted {kind[1]!s:5}, condition {condition:.0e}: {line}")  # noqa: T201
