"""What must hold for every covariance model, prior and tie: no falls, order, equivariance, named ends."""

import warnings

import numpy as np
import pytest
from scipy.stats import special_ortho_group

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataError, SettingsError, StartError
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings, GivenStart
from gaussmix.model.covariances import FAMILIES, covariance_family

MODELS = [family.name for family in FAMILIES if family.name.isupper()]
# Models that no change of the features' units alters, with correlation and without, and the rest,
# which keep under rotations and one scale for all.
AFFINE = ["EEE", "VEE", "EVV", "VVV"]
BY_COLUMN = ["EEI", "VEI", "EVI", "VVI"]
ROTATED = ["EII", "VII", "EVE", "VVE", "EEV", "VEV", *AFFINE]


def groups(n_features, n_components, seed=0, n_rows=240):
    rng = np.random.default_rng(seed)
    centres = 3.0 * rng.normal(size=(n_components, n_features))
    roots = rng.normal(size=(n_components, n_features, n_features)) / np.sqrt(n_features) + np.eye(n_features)
    labels = rng.integers(0, n_components, n_rows)
    return centres[labels] + np.einsum("nij,nj->ni", roots[labels], rng.normal(size=(n_rows, n_features)))


def fitted(rows, model, n_components, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return search(MemoryRows(rows), FitSettings(n_components, model, **kwargs))


CHAINS = [
    ("EII", "VII", "VEI", "VVI", "VVE", "VVV"),
    ("EII", "EEI", "VEI", "VEE", "VEV", "VVV"),
    ("EEI", "EVI", "VVI", "VVV"),
    ("EEI", "EEE", "EVE", "VVE", "VVV"),
    ("EVI", "EVE", "EVV", "VVV"),
    ("EEE", "VEE", "VVE", "VVV"),
    ("EEE", "EEV", "EVV", "VVV"),
    ("EEV", "VEV", "VVV"),
]


@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
def test_a_freer_model_fits_no_worse(iris, chain):
    """Each is begun where the one before ended, which it contains."""
    rows, given_start, last = iris[:, :3], GivenStart(), -np.inf
    for model in chain:
        result = fitted(rows, model, 2, prior="none", tol=1e-10, given=given_start)
        assert result.log_likelihood >= last - 1e-7 * abs(last)
        mixture, last = result.mixture, result.log_likelihood
        given_start = GivenStart(
            weights=mixture.weights, means=mixture.means, covariances=np.array(mixture.matrices)
        )


@pytest.mark.parametrize("model", MODELS)
def test_one_component_has_a_closed_form(iris, model):
    result = fitted(iris, model, 1, prior="none")
    covariance = np.cov(iris.T, bias=True)
    expected = {
        "II": np.trace(covariance) / 4.0 * np.eye(4),
        "I": np.diag(np.diag(covariance)),
    }.get("II" if model.endswith("II") else model[2], covariance)
    np.testing.assert_allclose(result.mixture.matrices[0], expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(result.mixture.means[0], iris.mean(axis=0), rtol=1e-12)
    assert result.outcome.converged


def moved(rows, model, turn, scale):
    """Log-likelihoods of fits to rows and to rows scale * turn from the same start, and the Jacobian's."""
    start = fitted(rows, model, 3, prior="none", max_iter=5).mixture
    jacobian = turn * scale
    here = GivenStart(weights=start.weights, means=start.means, covariances=np.array(start.matrices))
    there = GivenStart(
        weights=start.weights,
        means=start.means @ jacobian,
        covariances=jacobian.T @ start.matrices @ jacobian,
    )
    one = fitted(rows, model, 3, prior="none", tol=1e-11, given=here)
    other = fitted(rows @ jacobian, model, 3, prior="none", tol=1e-11, given=there)
    return one.log_likelihood, other.log_likelihood + len(rows) * np.linalg.slogdet(jacobian)[1]


@pytest.mark.parametrize("model", ROTATED)
def test_turning_the_rows_turns_the_fit(model):
    rows = groups(3, 3, seed=4)
    one, other = moved(rows, model, special_ortho_group.rvs(3, random_state=1), 7.0)
    assert other == pytest.approx(one, abs=1e-6 * len(rows))


@pytest.mark.parametrize("model", [*AFFINE, *BY_COLUMN])
def test_units_of_columns_do_not_matter(model):
    rows = groups(3, 3, seed=4)
    one, other = moved(rows, model, np.diag([1e-3, 1.0, 50.0]), 1.0)
    assert other == pytest.approx(one, abs=1e-6 * len(rows))


@pytest.mark.parametrize("model", AFFINE)
def test_any_affine_map_does_not_matter(model):
    rows = groups(3, 3, seed=4)
    shear = np.array([[2.0, 0.5, 0.0], [0.0, 0.3, -1.0], [0.7, 0.0, 5.0]])
    one, other = moved(rows, model, shear, 1.0)
    assert other == pytest.approx(one, abs=1e-6 * len(rows))


@pytest.mark.parametrize("model", MODELS)
def test_a_component_on_a_single_point_ends_in_a_named_outcome(model):
    rng = np.random.default_rng(3)
    rows = np.r_[rng.normal(size=(60, 2)), np.full((30, 2), 9.0)]
    labels = np.repeat([0, 1], [60, 30])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = GaussianMixture(2, covariance_type=model, prior=None).fit(rows, start=labels)
    assert np.isfinite(found.covariances_).all()
    family = covariance_family(model)
    own = family.mclust_name[0] == "V"
    # With a volume of its own the component collapses, and is named; with a shared one it cannot.
    named = [doubt.component for doubt in found.outcome_.doubts]
    assert found.converged_ or found.outcome_.collapse is not None
    if own:
        assert named == [1]
        assert "omponent 2" in str(found.outcome_)


@pytest.mark.parametrize("model", ["VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV"])
def test_columns_that_sum_up_are_refused_where_a_shape_is_shared(model):
    rows = groups(2, 2)
    collinear = np.c_[rows, np.ones(len(rows))] if model[2] == "I" else np.c_[rows, rows.sum(axis=1)]
    with pytest.raises(DataError, match="drop such columns"):
        fitted(collinear, model, 2)


def test_one_dimension_has_two_models(heights):
    equal = GaussianMixture(2, covariance_type="E", prior=None).fit(heights)
    varying = GaussianMixture(2, covariance_type="V").fit(heights)
    assert np.ptp(equal.covariances_) == 0.0
    assert np.ptp(varying.covariances_) > 0.0
    assert equal.bic_mclust(heights) == pytest.approx(-13.615, abs=1e-3)
    with pytest.raises(SettingsError, match="one feature"):
        GaussianMixture(2, covariance_type="E").fit(groups(2, 2))


@pytest.mark.parametrize("model", MODELS)
def test_volume_shape_and_orientation_make_the_covariance(model, iris):
    found = GaussianMixture(3, covariance_type=model).fit(iris)
    again = found.orientations_ * (found.volumes_[:, None] * found.shapes_)[:, None, :]
    again = again @ found.orientations_.transpose(0, 2, 1)
    np.testing.assert_allclose(again, found.covariances_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.shapes_.prod(axis=1), 1.0, rtol=1e-9)
    same_volume, same_shape, _ = (letter == "E" for letter in model)
    assert (np.ptp(found.volumes_) < 1e-12) == same_volume
    if same_shape or model[1] == "I":
        np.testing.assert_allclose(found.shapes_, found.shapes_[:1].repeat(3, 0), rtol=1e-7)


def start_of(rows, n_components, model="VVV"):
    mixture = fitted(rows, model, n_components, max_iter=3).mixture
    return {
        "weights_init": mixture.weights,
        "means_init": mixture.means,
        "covariances_init": np.array(mixture.matrices),
    }


def test_what_is_held_stays_and_the_rest_is_at_its_best():
    rows = groups(2, 3, seed=1)
    start = start_of(rows, 3)
    hold = {"weights": [0], "means": [1], "covariances": [0, 2]}
    model = GaussianMixture(3, prior=None, hold=hold, tol=1e-12, **start).fit(rows)
    assert model.weights_[0] == pytest.approx(start["weights_init"][0], rel=1e-14)
    assert np.array_equal(model.means_[1], start["means_init"][1])
    np.testing.assert_allclose(model.covariances_[[0, 2]], start["covariances_init"][[0, 2]], rtol=1e-14)
    assert np.all(np.diff(model.lower_bounds_) > -1e-12)
    n_parameters = (model.aic(rows) / 2.0) + model.score(rows) * len(rows)
    assert n_parameters == pytest.approx(17 - 1 - 2 - 6)
    # No small change of what is free gains anything.
    shares = model.predict_proba(rows)
    counts = shares.sum(axis=0)
    np.testing.assert_allclose(model.means_[0], shares[:, 0] @ rows / counts[0], atol=1e-5)
    np.testing.assert_allclose(
        model.weights_[1:], (1.0 - model.weights_[0]) * counts[1:] / counts[1:].sum(), atol=1e-6
    )
    away = rows - model.means_[1]
    np.testing.assert_allclose(
        model.covariances_[1], (shares[:, 1, None] * away).T @ away / counts[1], atol=1e-4
    )


def test_weights_that_are_held_do_not_give_way_to_noise():
    rows = np.r_[groups(2, 2, seed=1), 30.0 * np.random.default_rng(0).random((30, 2)) - 15.0]
    start = {"weights_init": [0.3, 0.7], "means_init": [rows[0], rows[1]]}
    model = GaussianMixture(2, noise=True, hold={"weights": [0]}, **start).fit(rows)
    assert model.weights_[0] == 0.3
    assert model.weights_.sum() + model.noise_.weight == pytest.approx(1.0, rel=1e-12)
    # K - 1 = 1 weight and noise's are left of three that add up to 1, one of them held.
    assert model.aic(rows) / 2.0 + model.score(rows) * len(rows) == pytest.approx(11.0 + 2.0 - 1.0)
    with pytest.raises(StartError, match="leave noise no share"):
        GaussianMixture(2, noise=True, hold={"weights": [0, 1]}, **start).fit(rows)


def test_sharing_all_covariances_is_the_tied_model():
    rows = groups(2, 3, seed=2)
    start = start_of(rows, 3, "EEE")
    shared = GaussianMixture(3, prior=None, tol=1e-12, share={"covariances": [[0, 1, 2]]}, **start).fit(rows)
    tied = GaussianMixture(3, covariance_type="EEE", prior=None, tol=1e-12, **start).fit(rows)
    np.testing.assert_allclose(shared.covariances_, tied.covariances_, rtol=1e-5)
    assert shared.score(rows) == pytest.approx(tied.score(rows), rel=1e-9)
    assert shared.bic(rows) == pytest.approx(tied.bic(rows), rel=1e-9)


def test_means_that_are_shared_go_where_precisions_put_them():
    rng = np.random.default_rng(0)
    rows = np.r_[rng.normal(size=(200, 2)), rng.normal(size=(100, 2)) * [5.0, 0.3]]
    start = {
        "weights_init": [0.6, 0.4],
        "means_init": [[0.2, 0.1], [0.2, 0.1]],
        "covariances_init": [np.eye(2), np.diag([25.0, 0.1])],
    }
    model = GaussianMixture(2, prior=None, tol=1e-12, share={"means": [[0, 1]]}, **start).fit(rows)
    assert np.array_equal(model.means_[0], model.means_[1])
    assert np.all(np.diff(model.lower_bounds_) > -1e-12)
    shares = model.predict_proba(rows)
    pulls = [model.precisions_[k] @ (shares[:, k] @ (rows - model.means_[k])) for k in (0, 1)]
    np.testing.assert_allclose(sum(pulls), 0.0, atol=1e-3)


def test_weights_that_are_shared_or_equal():
    rows = groups(2, 3, seed=1)
    start = start_of(rows, 3)
    shared = GaussianMixture(3, share={"weights": [[0, 2]]}, **start).fit(rows)
    assert shared.weights_[0] == shared.weights_[2]
    assert shared.weights_.sum() == pytest.approx(1.0, rel=1e-14)
    equal = GaussianMixture(3, equal_weights=True).fit(rows)
    assert equal.weights_.tolist() == [1.0 / 3.0] * 3
    free = GaussianMixture(3).fit(rows)
    parameters = [m.aic(rows) / 2.0 + m.score(rows) * len(rows) for m in (equal, free)]
    assert parameters == pytest.approx([15.0, 17.0])


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"hold": {"means": [0]}}, "give means_init"),
        ({"hold": {"mean": [0]}, "means_init": [[0.0, 0.0]] * 2}, "hold knows weights, means, covariances"),
        ({"hold": {"means": [2]}, "means_init": [[0.0, 0.0]] * 2}, "from 0 to 1"),
        ({"share": {"means": [[0, 0]]}, "means_init": [[0.0, 0.0]] * 2}, "different components"),
        (
            {"hold": {"covariances": [0]}, "covariance_type": "VEV", "means_init": [[0.0, 0.0]] * 2},
            "ties all covariances together",
        ),
        ({"equal_weights": True, "hold": {"weights": [0]}, "means_init": [[0.0, 0.0]] * 2}, "no weights"),
        ({"noise": "yes"}, "noise must be True or False"),
    ],
)
def test_ties_without_a_meaning_are_refused(settings_, message):
    with pytest.raises(SettingsError, match=message):
        GaussianMixture(2, **settings_).fit(groups(2, 2))


def test_the_conjugate_prior_of_one_component_in_closed_form(faithful):
    """(Lambda + n S) / (nu + n + D + 2), nu = D + 2: the mean of one component is that of all rows."""
    model = GaussianMixture(1, prior="conjugate").fit(faithful)
    n_rows, unbiased = len(faithful), np.cov(faithful.T)
    expected = (unbiased + (n_rows - 1) * unbiased) / (4 + n_rows + 2 + 2)
    np.testing.assert_allclose(model.covariances_[0], expected, rtol=1e-9)
    np.testing.assert_allclose(model.means_[0], faithful.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_the_conjugate_prior_keeps_a_spike_from_collapsing(model):
    rows = np.r_[np.random.default_rng(3).normal(size=(60, 2)), np.full((30, 2), 9.0)]
    labels = np.repeat([0, 1], [60, 30])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = GaussianMixture(2, covariance_type=model, prior="conjugate").fit(rows, start=labels)
    assert found.converged_
    assert np.linalg.eigvalsh(found.covariances_).min() > 1e-3
