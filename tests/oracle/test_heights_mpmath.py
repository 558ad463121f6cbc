"""Every number of the ten heights, three iterations long, against 50-digit arithmetic."""

import mpmath
import numpy as np
import pytest

from gaussmix.data.memory import MemoryRows
from gaussmix.model.covariances import covariance_family
from gaussmix.model.maximise import MStep, maximise
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import WeakPrior

HEIGHTS = ["5.2", "5.5", "5.8", "6.1", "5.7", "5.6", "6.3", "5.9", "5.6", "6.0"]
RTOL = 1e-12


def exact_iterations(rows, n_iterations, pseudo_rows=0):
    """EM by the textbook in 50 digits: densities, responsibilities, N, means, variances, weights, log L."""
    with mpmath.workdps(50):
        # The doubles that the program sees, not the decimals they were written as.
        rows = [mpmath.mpf(x) for x in rows]
        n = len(rows)
        centre = sum(rows) / n
        pooled = sum((x - centre) ** 2 for x in rows) / n
        means = [mpmath.mpf(5.5), mpmath.mpf(6.0)]
        variances = [mpmath.mpf(0.1)] * 2
        weights = [mpmath.mpf(0.5)] * 2
        for _ in range(n_iterations):
            densities = [
                [
                    mpmath.exp(-((x - m) ** 2) / (2 * v)) / mpmath.sqrt(2 * mpmath.pi * v)
                    for m, v in zip(means, variances, strict=True)
                ]
                for x in rows
            ]
            mixed = [sum(w * d for w, d in zip(weights, row, strict=True)) for row in densities]
            shares = [
                [w * d / total for w, d in zip(weights, row, strict=True)]
                for row, total in zip(densities, mixed, strict=True)
            ]
            counts = [sum(row[k] for row in shares) for k in range(2)]
            step = {
                "densities": densities,
                "responsibilities": shares,
                "counts": counts,
                "log_likelihood": sum(mpmath.log(total) for total in mixed),
            }
            means = [
                sum(row[k] * x for row, x in zip(shares, rows, strict=True)) / counts[k] for k in range(2)
            ]
            scatter = [
                sum(row[k] * (x - means[k]) ** 2 for row, x in zip(shares, rows, strict=True))
                for k in range(2)
            ]
            variances = [(scatter[k] + pseudo_rows * pooled) / (counts[k] + pseudo_rows) for k in range(2)]
            weights = [counts[k] / n for k in range(2)]
            yield {**step, "means": means, "variances": variances, "weights": weights}


def as_floats(values):
    return np.array([[float(v) for v in row] if isinstance(row, list) else float(row) for row in values])


@pytest.mark.parametrize("pseudo_rows", [0.0, 0.2])
@pytest.mark.parametrize("family", ["full", "diag", "spherical"])
def test_three_iterations_by_hand(heights, family, pseudo_rows):
    rows = MemoryRows(heights)
    family = covariance_family(family)
    step = MStep.plain(1)
    if pseudo_rows:
        step = MStep(WeakPrior(pseudo_rows / 2, rows.covariance(), None), 0.0, np.zeros(1))
    mixture = Mixture(np.full(2, 0.5), [[5.5], [6.0]], np.full(family.shape(2, 1), 0.1), family)
    for exact in exact_iterations(heights[:, 0].tolist(), 3, pseudo_rows):
        shares = mixture.shares(heights)
        densities = np.exp(mixture.weighted_log_densities(heights) - np.log(mixture.weights))
        statistics = rows.expected_statistics(mixture)
        np.testing.assert_allclose(densities, as_floats(exact["densities"]), rtol=RTOL)
        np.testing.assert_allclose(shares, as_floats(exact["responsibilities"]), rtol=RTOL)
        np.testing.assert_allclose(statistics.counts, as_floats(exact["counts"]), rtol=RTOL)
        np.testing.assert_allclose(statistics.log_likelihood, float(exact["log_likelihood"]), rtol=RTOL)
        mixture = maximise(statistics, mixture, step)
        np.testing.assert_allclose(mixture.means[:, 0], as_floats(exact["means"]), rtol=RTOL)
        np.testing.assert_allclose(mixture.covariances.ravel(), as_floats(exact["variances"]), rtol=RTOL)
        np.testing.assert_allclose(mixture.weights, as_floats(exact["weights"]), rtol=RTOL)


def test_the_published_figures(heights):
    """docs/worked-example.md and the issue tracker quote these to the digits given here."""
    exact = list(exact_iterations([float(h) for h in HEIGHTS], 2))
    assert float(exact[0]["log_likelihood"]) == pytest.approx(-3.007422, abs=5e-7)
    assert float(exact[1]["log_likelihood"]) == pytest.approx(-2.226303, abs=5e-7)
    assert as_floats(exact[0]["means"]) == pytest.approx([5.5982, 5.9303], abs=5e-5)
    assert as_floats(exact[0]["variances"]) == pytest.approx([0.06468, 0.06446], abs=5e-6)
    assert as_floats(exact[0]["weights"]) == pytest.approx([0.4827, 0.5173], abs=5e-5)
