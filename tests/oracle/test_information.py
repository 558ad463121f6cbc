"""Standard errors beside finite differences in mpmath, closed forms, EM's own speed, and mclust's."""

import csv
import warnings
from dataclasses import replace
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from scipy.linalg import expm

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataWarning
from gaussmix.estimators.asked import settings_of
from gaussmix.learning.belief.information import information_of, inverse_information
from gaussmix.learning.prepare import prepare
from gaussmix.learning.scoring import score_rows
from gaussmix.model.covariances.full import Full
from gaussmix.model.covariances.spherical import Spherical
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import NoPrior
from gaussmix.model.tangent import matrices_of, tangent_of

DATA = Path(__file__).parent.parent / "data"
STEP = mp.mpf("1e-10")


@pytest.fixture(scope="module", autouse=True)
def digits():
    with mp.workdps(50):
        yield


def groups(n_rows, n_features, seed=3):
    """Two groups that overlap, and counts of their rows."""
    generator = np.random.default_rng(seed)
    half = n_rows // 2
    first = (
        generator.standard_normal((half, n_features))
        @ np.array([[1.0, 0.4], [0.0, 0.8]])[:n_features, :n_features]
    )
    second = generator.standard_normal((n_rows - half, n_features)) * [1.6, 0.7][:n_features] + 2.5
    return np.r_[first, second].round(3), generator.integers(1, 4, n_rows).astype(float)


class Independent:
    """Two components in plain words: a share, means, and of covariances log sizes, log ratios and angles.

    Each of the last three is one number, or one for each component, as mclust's letters say.
    """

    def __init__(self, letters, rows, counts, noise_volume=None):
        self.letters, self.counts = letters, counts
        self.n_features = rows.shape[1]
        self.rows = [[mp.mpf(float(value)) for value in row] for row in rows]
        self.noise_volume = noise_volume

    def place(self, mixture):
        """Where a fitted mixture is."""
        place = [*mixture.weights[: 1 if mixture.noise is None else 2], *mixture.means.ravel()]
        matrices = mixture.matrices
        sizes = np.log(np.linalg.det(matrices)) / self.n_features
        place += list(self.kept(sizes, 0))
        if self.n_features == 2 and self.letters[1] != "I":
            angles = np.zeros(2)
            if self.letters[2] != "I":
                angles = 0.5 * np.arctan2(2.0 * matrices[:, 0, 1], matrices[:, 0, 0] - matrices[:, 1, 1])
            if self.letters[2] == "E":
                # One axis for both, along which a component may be the shorter.
                angles[1] = angles[0]
            axes = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
            along = np.einsum("kij,kil,klj->kj", axes, matrices, axes)
            place += list(self.kept(0.5 * np.log(along[:, 0] / along[:, 1]), 1))
            place += list(self.kept(angles, 2))
        return [mp.mpf(float(value)) for value in place]

    def kept(self, values, letter):
        return {"V": values, "E": values[:1], "I": values[:0]}[self.letters[letter]]

    def quantities(self, place):
        """Weights, means and the covariances' entries at a place."""
        left, n_features = list(place), self.n_features
        take = lambda count: [left.pop(0) for _ in range(count)]  # noqa: E731
        weights = take(1 if self.noise_volume is None else 2)
        if self.noise_volume is None:
            weights.append(1 - weights[0])
        means = [take(n_features), take(n_features)]

        def numbers(letter, otherwise):
            kind = self.letters[letter]
            if kind == "I" or (n_features == 1 and letter > 0) or (letter == 2 and self.letters[1] == "I"):
                return [otherwise, otherwise]
            found = take(1 if kind == "E" else 2)
            return found * 2 if kind == "E" else found

        sizes, ratios, angles = numbers(0, mp.mpf(0)), numbers(1, mp.mpf(0)), numbers(2, mp.mpf(0))
        matrices = []
        for size, ratio, angle in zip(sizes, ratios, angles, strict=True):
            if n_features == 1:
                matrices.append([[mp.exp(size)]])
                continue
            one, other = mp.exp(size + ratio), mp.exp(size - ratio)
            c, s = mp.cos(angle), mp.sin(angle)
            across = c * s * (one - other)
            matrices.append([[c * c * one + s * s * other, across], [across, s * s * one + c * c * other]])
        return weights, means, matrices

    def log_densities(self, place):
        """Of each row: (N,) object array."""
        weights, means, matrices = self.quantities(place)
        parts = []
        for weight, mean, matrix in zip(weights, means, matrices, strict=True):
            if self.n_features == 1:
                determinant, inverse = matrix[0][0], (1 / matrix[0][0],)
            else:
                (a, b), (_, d) = matrix
                determinant = a * d - b * b
                inverse = (d / determinant, -2 * b / determinant, a / determinant)
            parts.append((weight / mp.sqrt((2 * mp.pi) ** self.n_features * determinant), mean, inverse))
        background = mp.mpf(0) if self.noise_volume is None else (1 - sum(weights)) / self.noise_volume
        found = []
        for row in self.rows:
            density = background
            for factor, mean, inverse in parts:
                x = row[0] - mean[0]
                distance = inverse[0] * x * x
                if self.n_features == 2:
                    y = row[1] - mean[1]
                    distance += inverse[1] * x * y + inverse[2] * y * y
                density += factor * mp.exp(-distance / 2)
            found.append(mp.log(density))
        return np.array(found, dtype=object)

    def information(self, place):
        """Scores (N, P) and minus the Hessian (P, P), by central differences."""
        n_parameters = len(place)

        def at(*moves):
            moved = list(place)
            for which, sign in moves:
                moved[which] += sign * STEP
            return self.log_densities(moved)

        scores = np.array([(at((i, 1)) - at((i, -1))) / (2 * STEP) for i in range(n_parameters)]).T
        hessian = np.zeros((n_parameters, n_parameters))
        for i in range(n_parameters):
            for j in range(i + 1):
                corners = (
                    at((i, 1), (j, 1)) - at((i, 1), (j, -1)) - at((i, -1), (j, 1)) + at((i, -1), (j, -1))
                )
                hessian[i, j] = hessian[j, i] = -float((corners / (4 * STEP**2)) @ self.counts)
        return scores.astype(float), hessian

    def numbers(self, place):
        weights, means, matrices = self.quantities(place)
        return np.array([*weights, *np.ravel(means), *np.ravel(matrices)], dtype=object)

    def standard_errors(self, place):
        """By method: of weights, means and covariances in one row."""
        scores, hessian = self.information(place)
        outer = (scores * self.counts[:, None]).T @ scores
        inverse = np.linalg.inv(hessian)
        changes = []
        for i in range(len(place)):
            up, down = list(place), list(place)
            up[i], down[i] = up[i] + STEP, down[i] - STEP
            changes.append((self.numbers(up) - self.numbers(down)) / (2 * STEP))
        jacobian = np.array(changes).astype(float).T
        covariances = {
            "hessian": inverse,
            "outer_product": np.linalg.inv(outer),
            "sandwich": inverse @ outer @ inverse,
        }
        return {
            name: np.sqrt(np.einsum("ij,jk,ik->i", jacobian, matrix, jacobian))
            for name, matrix in covariances.items()
        }


def own_errors(model, rows, counts, method):
    found = model.uncertainty(rows, sample_weight=counts, method=method)
    kinds = (found.weights, found.means, found.covariances)
    return np.concatenate([kind.standard_error.ravel() for kind in kinds])


@pytest.mark.parametrize(
    ("family", "n_features"),
    [("VVV", 1), ("EEE", 1)]
    + [(name, 2) for name in ("VVV", "EEE", "VVI", "EII", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV")],
)
def test_standard_errors_are_those_of_finite_differences(family, n_features):
    rows, counts = groups(22, n_features)
    model = GaussianMixture(2, covariance_type=family, prior=None, tol=1e-15, n_init=5)
    model.fit(rows, sample_weight=counts)
    letters = family[0] + "II" if n_features == 1 else family
    independent = Independent(letters, rows, counts)
    for method, expected in independent.standard_errors(independent.place(model._mixture())).items():
        np.testing.assert_allclose(own_errors(model, rows, counts, method), expected, rtol=2e-6)


def test_noise_beside_finite_differences():
    rows, counts = groups(24, 2)
    rows = np.r_[rows, [[-6.0, 5.0], [8.0, -5.0], [9.0, 9.0], [-7.0, -6.0]]]
    counts = np.r_[counts, np.ones(4)]
    model = GaussianMixture(2, covariance_type="VVV", prior=None, tol=1e-15, noise=True)
    model.fit(rows, sample_weight=counts)
    volume = mp.mpf(float(np.exp(model.noise_.log_volume)))
    independent = Independent("VVV", rows, counts, volume)
    for method, expected in independent.standard_errors(independent.place(model._mixture())).items():
        np.testing.assert_allclose(own_errors(model, rows, counts, method), expected, rtol=2e-6)


@pytest.mark.parametrize(
    ("family", "prior", "noise"),
    [
        ("full", "weak", False),
        ("tied", "weak", False),
        ("diag", "conjugate", False),
        ("spherical", "conjugate", True),
        ("EEE", "conjugate", False),
        ("VEV", "conjugate", True),
        ("VVE", "weak", False),
    ],
)
def test_the_prior_is_in_the_hessian(family, prior, noise):
    """In three features, beside differences of the objective itself along the tangent's parameters."""
    generator = np.random.default_rng(5)
    table = generator.standard_normal((50, 3)) @ [[1.0, 0.5, 0.2], [0.0, 1.0, 0.3], [0.0, 0.0, 0.7]]
    table = np.r_[table, generator.standard_normal((40, 3)) * [0.5, 1.0, 2.0] + 3.0]
    model = GaussianMixture(2, covariance_type=family, prior=prior, noise=noise, tol=1e-14).fit(table)
    mixture, rows = model._mixture(), MemoryRows(table)
    step = prepare(rows, settings_of(model.get_params(), None))
    tangent = tangent_of(mixture)
    first, last = tangent.n_free_weights, tangent.n_free_weights + mixture.means.size

    def objective(place):
        weights = np.append(mixture.weights, mixture.noise.weight if noise else [])
        weights = weights + tangent.weight_basis @ place[:first]
        means = mixture.means + np.einsum("kij,kj->ki", tangent.roots, place[first:last].reshape(2, 3))
        matrices = []
        for k, root in enumerate(tangent.roots):
            own = place[last:][tangent.columns[k]]
            n_plain = tangent.basis.shape[1]
            within = expm(matrices_of((tangent.basis @ own[:n_plain])[None], 3)[0])
            if tangent.turns is not None:
                turned = expm(np.einsum("a,aij->ij", own[n_plain:], tangent.turns[k]))
                within = turned @ within @ turned.T
            matrices.append(root @ within @ root.T)
        written = np.array(matrices)
        within_family = mixture.family.compacted(written)
        density = step.prior.log_density(Mixture(weights[:2], means, within_family, mixture.family))
        background = replace(mixture.noise, weight=weights[2]) if noise else None
        moved = Mixture(weights[:2], means, written, Full(), background)
        return score_rows(moved, rows).log_likelihood + density

    found = information_of(rows, tangent, step.prior)
    size = 1e-4
    moves = size * np.eye(tangent.n_parameters)
    slopes = [(objective(move) - objective(-move)) / (2.0 * size) for move in moves]
    np.testing.assert_allclose(found.gradient, slopes, atol=2e-4)
    for i, one in enumerate(moves):
        for j, other in enumerate(moves[: i + 1]):
            corners = objective(one + other) - objective(one - other)
            corners += objective(-one - other) - objective(other - one)
            expected = -corners / (4.0 * size**2)
            scale = np.sqrt(found.hessian[i, i] * found.hessian[j, j])
            assert abs(found.hessian[i, j] - expected) < 1e-5 * scale
    without = information_of(rows, tangent, NoPrior())
    of_prior = found.hessian - without.hessian
    for one, other in ((found.outer_product, without.outer_product), (found.complete, without.complete)):
        np.testing.assert_allclose(one - other, of_prior, atol=1e-9 * np.abs(one).max())
    np.testing.assert_array_equal(found.scores, without.outer_product)
    for matrix in (found.hessian, found.outer_product, found.complete):
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-9 * np.abs(matrix).max())


def test_rows_that_are_none_of_a_components_may_be_as_far_as_numbers_go():
    """200 orders of magnitude in standard deviations, whose square is none."""
    near = np.array([-2.0, -1.0, 0.5, 1.0, 1.5])[:, None]
    rows = MemoryRows(np.r_[1e-100 * near, 1e100 + 1e90 * near])
    variances = np.array([1e-200, 1e180]) * 2.0
    mixture = Mixture(np.full(2, 0.5), np.array([[0.0], [1e100]]), variances, Spherical())
    found = information_of(rows, tangent_of(mixture), NoPrior())
    scale = np.sqrt(np.outer(found.complete.diagonal(), found.complete.diagonal()))
    np.testing.assert_allclose(found.hessian / scale, found.complete / scale, atol=1e-12)


@pytest.mark.parametrize("method", ["hessian", "outer_product", "sandwich"])
def test_one_component_has_the_textbooks_standard_errors(method):
    """Of the mean Sigma / n, of a normal variance 2 sigma^4 / n, and what higher moments make of both."""
    generator = np.random.default_rng(0)
    rows = generator.gamma(4.0, size=(400, 1))
    model = GaussianMixture(1, prior=None).fit(rows)
    found = model.uncertainty(method=method)
    n, variance = len(rows), rows.var()
    away = rows[:, 0] - rows.mean()
    scores = np.array([away / variance, (away**2 / variance - 1.0) / (2.0 * variance)])
    information = np.diag([n / variance, n / (2.0 * variance**2)])
    inverse = np.linalg.inv(information)
    expected = {
        "hessian": inverse,
        "outer_product": np.linalg.inv(scores @ scores.T),
        "sandwich": inverse @ scores @ scores.T @ inverse,
    }[method]
    if method == "hessian":
        np.testing.assert_allclose(np.diag(expected), [variance / n, 2.0 * variance**2 / n])
    np.testing.assert_allclose(found.means.standard_error, np.sqrt(expected[0, 0]), rtol=1e-10)
    np.testing.assert_allclose(found.covariances.standard_error, np.sqrt(expected[1, 1]), rtol=1e-10)
    assert found.weights.standard_error == found.weights.low - 1.0 == found.weights.high - 1.0 == 0.0


def test_one_component_in_three_features():
    """S_ij has variance (Sigma_ii Sigma_jj + Sigma_ij^2) / n, a correlation (1 - rho^2)^2 / n."""
    generator = np.random.default_rng(1)
    rows = generator.standard_normal((300, 3)) @ [[1.0, 0.5, 2.0], [0.0, 1.0, 0.3], [0.0, 0.0, 30.0]]
    found = GaussianMixture(1, prior=None).fit(rows).uncertainty()
    matrix, n = np.cov(rows.T, bias=True), len(rows)
    spreads = np.sqrt(np.diag(matrix))
    rho = matrix / spreads[:, None] / spreads
    np.testing.assert_allclose(found.means.standard_error[0], spreads / np.sqrt(n), rtol=1e-9)
    np.testing.assert_allclose(
        found.covariances.standard_error[0],
        np.sqrt((np.outer(spreads, spreads) ** 2 + matrix**2) / n),
        rtol=1e-9,
    )
    np.testing.assert_allclose(
        found.standard_deviations.standard_error[0], spreads / np.sqrt(2.0 * n), rtol=1e-9
    )
    np.testing.assert_allclose(found.correlations.standard_error[0], (1.0 - rho**2) / np.sqrt(n), atol=1e-12)
    # |S| is a product of chi-squared variables: its logarithm has variance 2 D / n.
    volume = np.linalg.det(matrix) ** (1.0 / 3.0)
    np.testing.assert_allclose(found.volumes.standard_error, volume * np.sqrt(2.0 / 3.0 / n), rtol=1e-9)


def test_the_share_of_information_is_one_less_the_rate_of_em():
    """EM's last steps shrink by 1 less the smallest share (Dempster, Laird and Rubin 1977, theorem 4)."""
    rows, counts = groups(60, 2)
    model = GaussianMixture(
        2, prior=None, tol=0.0, acceleration=None, trace=True, n_init=1, init_params="kmeans"
    )
    model.fit(rows, sample_weight=counts)
    table = MemoryRows(rows, counts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        step = prepare(table, settings_of(model.get_params(), None))
    found = information_of(table, tangent_of(model._mixture()), step.prior)
    _, share = inverse_information(found, "hessian")
    places = [step.mixture.means[0] for step in model.trace_]
    away = np.linalg.norm(np.diff(places, axis=0), axis=1)
    settled = np.flatnonzero((away < 1e-5) & (away > 1e-7))
    assert len(settled) > 5
    assert away[settled[-1]] / away[settled[-2]] == pytest.approx(1.0 - share, rel=1e-3)


def mclust_figures():
    """MclustBootstrap(Mclust(faithful, 2, "VVV"), nboot = 999); the component of long waits is the first."""
    with (DATA / "uncertainty.mclust.tsv").open() as file:
        lines = (line for line in file if not line.startswith("#"))
        for line in csv.DictReader(lines, delimiter="\t"):
            yield (line["type"], line["quantity"]), np.array(line["values"].split(","), dtype=float)


@pytest.mark.parametrize(
    ("method", "kind"), [("bootstrap", "bs"), ("weighted_likelihood", "wlbs"), ("parametric", "pb")]
)
def test_bootstraps_as_mclust_does_them(faithful, method, kind):
    """Of B replicates a standard error is uncertain by 1 / sqrt(2 B), an end by 2.67 / sqrt(B) of one."""
    figures = dict(mclust_figures())
    model = GaussianMixture(2, prior=None).fit(faithful)
    found = model.uncertainty(method=method, n_replicates=299)
    chance = np.sqrt(1.0 / 299.0 + 1.0 / 999.0)
    pairs = [
        (found.weights.standard_error, figures[kind, "pro_se"].reshape(2)),
        (found.means.standard_error, figures[kind, "mean_se"].reshape(2, 2)),
        (found.covariances.standard_error, figures[kind, "variance_se"].reshape(2, 2, 2)),
    ]
    for own, theirs in pairs:
        np.testing.assert_allclose(own[::-1], theirs, rtol=4.0 * chance / np.sqrt(2.0))
    ends = figures[kind, "mean_ci"].reshape(2, 2, 2)
    tolerance = 4.0 * 2.67 * chance
    for end, own in ((0, found.means.low), (1, found.means.high)):
        assert (np.abs(own[::-1] - ends[:, :, end]) < tolerance * found.means.standard_error[::-1]).all()
