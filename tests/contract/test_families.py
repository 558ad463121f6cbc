"""What each covariance family promises: maximality, nesting, the prior's M-step, and its penalty."""

import numpy as np
import pytest
from scipy.linalg import expm

from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DegenerateComponentError, SettingsError
from gaussmix.model.covariances import FAMILIES, covariance_family
from gaussmix.model.maximise import MStep, maximise
from gaussmix.model.mixture import Mixture
from gaussmix.model.prior import WeakPrior


@pytest.fixture
def fitted_step(iris):
    def make(family, prior):
        rows = MemoryRows(iris)
        matrices = np.stack([rows.covariance()] * 3)
        start = Mixture(np.full(3, 1 / 3), iris[[0, 70, 140]], family.from_matrices(matrices), family)
        chosen = WeakPrior(0.7, rows.covariance(), None) if prior else MStep.plain(4).prior
        step = MStep(chosen, 0.0, np.zeros(4))
        statistics = rows.expected_statistics(start)
        return rows, start, step, statistics, maximise(statistics, start, step)

    return make


def expected_objective(rows, start, step, mixture):
    """Q: the expected complete log-likelihood under the start's responsibilities, plus the penalty."""
    shares = start.shares(rows.matrix)
    log_densities = mixture.weighted_log_densities(rows.matrix)
    return float((shares * log_densities).sum()) + step.prior.log_density(mixture)


def parts_of(mixture):
    """Volumes (K,), shapes (K, D) and orientations (K, D, D), by nothing but linear algebra."""
    matrices = mixture.matrices
    volumes = np.linalg.det(matrices) ** (1.0 / mixture.n_features)
    letter = mixture.family.mclust_name[2]
    if letter == "I":
        axes = np.stack([np.eye(mixture.n_features)] * mixture.n_components)
    elif letter == "E":
        mixed = (matrices / volumes[:, None, None] * np.array([1.0, 0.6, 0.3])[:, None, None]).sum(axis=0)
        axes = np.stack([np.linalg.eigh(mixed)[1]] * mixture.n_components)
    else:
        axes = np.linalg.eigh(matrices)[1]
    shapes = np.einsum("kji,kjl,kli->ki", axes, matrices, axes) / volumes[:, None]
    return volumes, shapes, axes


def wiggled(mixture, size, rng):
    """A mixture near by that obeys the letters of the family: E parts move together, I parts do not move."""
    family, (n_components, n_features) = mixture.family, mixture.means.shape
    volumes, shapes, axes = parts_of(mixture)

    def noise(letter, *shape):
        drawn = size * rng.normal(size=(n_components, *shape))
        return {"V": drawn, "E": np.broadcast_to(drawn[:1], drawn.shape), "I": np.zeros_like(drawn)}[letter]

    volume, shape, orientation = family.mclust_name
    stretch = noise(shape, n_features)
    turn = noise(orientation, n_features, n_features)
    axes = axes @ expm(turn - turn.transpose(0, 2, 1))
    variances = (volumes * np.exp(noise(volume)))[:, None] * shapes
    variances = variances * np.exp(stretch - stretch.mean(axis=1, keepdims=True))
    matrices = (axes * variances[:, None, :]) @ axes.transpose(0, 2, 1)
    weights = mixture.weights * np.exp(size * rng.normal(size=n_components))
    means = mixture.means + size * rng.normal(size=mixture.means.shape)
    return Mixture(weights / weights.sum(), means, family.compacted(matrices), family)


def test_the_wiggle_keeps_what_the_letters_hold_together(fitted_step):
    """A check of the check: without a wiggle all comes back, and families differ in what moves."""
    for family in FAMILIES:
        best = fitted_step(family, False)[-1]
        same = wiggled(best, 0.0, np.random.default_rng(0))
        np.testing.assert_allclose(same.matrices, best.matrices, rtol=1e-9, atol=1e-12)
        moved = wiggled(best, 1e-2, np.random.default_rng(0))
        volumes, shapes, _ = parts_of(moved)
        assert (np.ptp(volumes) < 1e-12) == (family.mclust_name[0] == "E")
        if family.mclust_name[1] == "E":
            np.testing.assert_allclose(np.sort(shapes, axis=1), np.sort(shapes[:1], axis=1).repeat(3, 0))


@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_the_m_step_is_a_maximum(family, prior, fitted_step):
    rows, start, step, _, best = fitted_step(family, prior)
    top = expected_objective(rows, start, step, best)
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1):
        for _ in range(20):
            assert expected_objective(rows, start, step, wiggled(best, size, rng)) < top


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_weak_prior_adds_pseudo_rows(family, fitted_step):
    """Sigma_k = (N_k S_k + 2 a S) / (N_k + 2 a), each family seeing what it can of S_k and S."""
    rows, _, step, statistics, found = fitted_step(family, True)
    shares = fitted_step(family, True)[1].shares(rows.matrix)
    scatters = []
    for k in range(3):
        centred = rows.matrix - found.means[k]
        scatters.append((shares[:, k, None] * centred).T @ centred)
    scatters = np.stack(scatters) + 1.4 * rows.covariance()
    counts = statistics.counts + 1.4
    closed = {
        "VVV": scatters / counts[:, None, None],
        "EEE": np.stack([scatters.sum(axis=0) / counts.sum()] * 3),
        "VVI": np.einsum("kii->ki", scatters / counts[:, None, None])[:, :, None] * np.eye(4),
        "EEI": np.stack([np.diag(np.diag(scatters.sum(axis=0))) / counts.sum()] * 3),
        "VII": (np.trace(scatters, axis1=1, axis2=2) / (4 * counts))[:, None, None] * np.eye(4),
        "EII": np.stack([np.trace(scatters.sum(axis=0)) / (4 * counts.sum()) * np.eye(4)] * 3),
    }
    if family.mclust_name in closed:
        np.testing.assert_allclose(found.matrices, closed[family.mclust_name], rtol=1e-10, atol=1e-14)
    assert step.prior.pseudo_rows(family, 3, 4) == 1.4


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_forms_of_one_covariance_agree(family, iris):
    matrices = np.stack([np.cov(iris[:50].T), np.cov(iris[50:].T)])
    covariances = family.from_matrices(matrices)
    written = family.matrices(covariances, 2, 4)
    factors = family.precision_factors(covariances)
    precisions = family.precisions(factors, 2, 4)
    assert covariances.shape == family.shape(2, 4)
    np.testing.assert_allclose(family.from_precisions(precisions), covariances, rtol=1e-10)
    np.testing.assert_allclose(
        family.log_determinants(factors, 2, 4), -0.5 * np.linalg.slogdet(written)[1], rtol=1e-12
    )
    probe = np.cov(iris.T)
    np.testing.assert_allclose(
        family.traces(factors, probe, 2), [np.trace(np.linalg.solve(m, probe)) for m in written], rtol=1e-10
    )
    np.testing.assert_allclose(
        family.variances(covariances, 2, 4), np.diagonal(written, axis1=1, axis2=2), rtol=1e-14
    )
    np.testing.assert_allclose(
        family.matrices(family.add_matrix(covariances, 2.0 * np.eye(4)), 2, 4), written + 2.0 * np.eye(4)
    )
    if not family.shared:
        assert np.array_equal(family.permuted(covariances, np.array([1, 0]))[0], covariances[1])
    whitened = family.whitened(iris - iris.mean(axis=0), np.cov(iris.T, bias=True))
    spread = np.cov(whitened.T, bias=True)
    if family.mclust_name.endswith("II"):
        assert np.trace(spread) == pytest.approx(1.0)
    elif family.sees_correlation:
        np.testing.assert_allclose(spread, np.eye(4), atol=1e-10)
    else:
        np.testing.assert_allclose(np.diagonal(spread), np.ones(4), atol=1e-10)


def test_the_first_four_show_kernels_all_there_is():
    pairs = {(family.factor_form, family.scatter) for family in FAMILIES}
    assert {(family.factor_form, family.scatter) for family in FAMILIES[:4]} == pairs


def test_parameter_counts():
    counts = {f.name: f.n_covariance_parameters(3, 4) for f in FAMILIES}
    assert counts == {
        "full": 30, "tied": 10, "diag": 12, "spherical": 3,
        "EII": 1, "VII": 3, "EEI": 4, "VEI": 6, "EVI": 10, "VVI": 12, "EEE": 10,
        "VEE": 12, "EVE": 16, "VVE": 18, "EEV": 22, "VEV": 24, "EVV": 28, "VVV": 30,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("alias", "name"), [("VVV", "full"), ("EEE", "tied"), ("VVI", "diag"), ("VII", "spherical")]
)
def test_mclusts_names_mean_the_same_written_out(alias, name, fitted_step):
    written, compact = (fitted_step(covariance_family(n), True)[-1] for n in (alias, name))
    assert written.covariances.shape == (3, 4, 4)
    assert np.array_equal(written.covariances, compact.matrices)


@pytest.mark.parametrize(("name", "same"), [("E", "EII"), ("V", "VII")])
def test_one_dimension_has_names_of_its_own(name, same):
    assert covariance_family(name) is covariance_family(same)


def test_an_unknown_family_is_an_error_that_lists_those_there_are():
    with pytest.raises(SettingsError, match="diag, spherical, EII"):
        covariance_family("round")


def test_a_singular_covariance_is_named():
    flat = np.stack([np.eye(2), np.ones((2, 2))])
    with pytest.raises(DegenerateComponentError, match="component 2"):
        covariance_family("full").precision_factors(flat)
    with pytest.raises(DegenerateComponentError, match="shared covariance"):
        covariance_family("tied").precision_factors(np.ones((2, 2)))
    with pytest.raises(DegenerateComponentError, match="component 2"):
        covariance_family("diag").precision_factors(np.array([[1.0, 1.0], [1.0, 0.0]]))
    with pytest.raises(DegenerateComponentError, match="component 1"):
        covariance_family("spherical").precision_factors(np.array([0.0, 1.0]))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_a_long_way_from_the_rows_does_not_look_like_a_collapse(family):
    """From means 1e8 away S / N - d d^T has no digits left; the means move first."""
    rows = np.random.default_rng(0).normal(size=(200, 2)) + 1e8
    rows[:100] += 20.0
    start = Mixture(
        [0.5, 0.5], [[0.0, 0.0], [1.0, 1.0]], family.from_matrices(np.stack([np.eye(2)] * 2)), family
    )
    moved = maximise(MemoryRows(rows).expected_statistics(start), start, MStep.plain(2))
    assert np.abs(moved.means - 1e8).max() < 100.0 or moved.weights.min() == 0.0
    assert np.isfinite(moved.precision_factors).all()


def test_a_covariance_that_cancellation_has_ruined_waits_for_the_next_iteration():
    """The mean moves by 1e6 of the new standard deviations: what is left of the scatter is rounding."""
    family = covariance_family("full")
    rows = MemoryRows(np.random.default_rng(0).normal(scale=1e-3, size=(50, 1)) + 1e3)
    start = Mixture([1.0], [[0.0]], [[[1.0]]], family)
    moved = maximise(rows.expected_statistics(start), start, MStep.plain(1))
    assert moved.means[0, 0] == pytest.approx(1e3, rel=1e-6)
    assert moved.covariances[0, 0, 0] == 1.0
    settled = maximise(rows.expected_statistics(moved), moved, MStep.plain(1))
    assert settled.covariances[0, 0, 0] == pytest.approx(rows.covariance()[0, 0], rel=1e-6)


def test_a_component_narrower_than_the_data_can_resolve_has_collapsed():
    family = covariance_family("spherical")
    rows = MemoryRows(np.random.default_rng(0).normal(scale=1e-4, size=(50, 1)))
    start = Mixture([1.0], [[0.0]], [1.0], family)
    step = MStep(MStep.plain(1).prior, 0.0, np.array([1e-3]))
    with pytest.raises(DegenerateComponentError, match="component 1 has no spread left beyond rounding"):
        maximise(rows.expected_statistics(start), start, step)


def test_a_shared_covariance_that_collapses_is_not_blamed_on_a_component():
    family = covariance_family("tied")
    rows = MemoryRows(np.repeat([[0.0], [1.0]], 50, axis=0))
    start = Mixture([0.5, 0.5], [[0.0], [1.0]], [[1e-4]], family)
    with pytest.raises(DegenerateComponentError, match="the shared covariance has no spread left"):
        maximise(rows.expected_statistics(start), start, MStep(MStep.plain(1).prior, 0.0, np.array([1e-9])))


@pytest.mark.parametrize("prior", [False, True])
def test_an_emptied_component_keeps_its_mean_and_has_no_weight(prior):
    family = covariance_family("spherical")
    rows = MemoryRows(np.random.default_rng(0).normal(size=(100, 1)))
    start = Mixture([1.0, 1e-18], [[0.0], [3.0]], [1.0, 2.0], family)
    chosen = WeakPrior(0.5, rows.covariance(), None) if prior else MStep.plain(1).prior
    statistics = rows.expected_statistics(start)
    assert statistics.counts[1] > 0.0
    moved = maximise(statistics, start, MStep(chosen, 0.0, np.zeros(1)))
    assert moved.weights.tolist() == [1.0, 0.0]
    assert moved.means[1, 0] == 3.0
    assert moved.covariances[1] == pytest.approx(rows.covariance()[0, 0] if prior else 2.0)


def test_a_constant_column_is_given_a_millionth_of_its_square():
    from gaussmix import GaussianMixture
    from gaussmix.errors import DataWarning

    rows = np.c_[np.random.default_rng(0).normal(size=100), np.full(100, 3.0)]
    with pytest.warns(DataWarning):
        model = GaussianMixture(1).fit(rows)
    assert model.covariances_[0, 1, 1] == pytest.approx(9e-6)
