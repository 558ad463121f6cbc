"""Rows and requests that broke covariance models, noise, ties and longer steps once."""

import warnings

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix.errors import DataError, SettingsError

GROUPS = np.random.default_rng(0).normal(size=(300, 2)) + 5.0 * np.repeat([[0.0], [1.0]], 150, axis=0)
QUIET = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("model", ["full", "tied", "diag", "spherical", "EII", "EVI"])
@pytest.mark.parametrize("sum_of", [[0, 1], [0]])
def test_noise_has_no_volume_over_collinear_columns(model, sum_of):
    collinear = np.c_[GROUPS, GROUPS[:, sum_of].sum(axis=1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match="vary in every direction"):
            GaussianMixture(2, covariance_type=model, noise=True).fit(collinear)


@pytest.mark.parametrize("tie", [{"hold": {"means": [0, 1]}}, {"share": {"means": [[0, 1]]}}])
@pytest.mark.parametrize("model", ["full", "tied", "spherical"])
@QUIET
def test_means_that_are_tied_are_not_nudged_off_a_saddle(model, tie):
    centre = GROUPS.mean(axis=0)
    start = {"means_init": [centre, centre]}
    found = GaussianMixture(2, covariance_type=model, **tie, **start).fit(GROUPS)
    assert np.array_equal(found.means_[0], found.means_[1])


@QUIET
def test_a_leap_does_not_empty_what_em_keeps():
    rng = np.random.default_rng(335)
    n_features, n_rows = int(rng.integers(1, 3)), int(rng.choice([40, 100]))
    rows = np.concatenate(
        [
            rng.normal(size=(n_rows, n_features)) @ rng.normal(size=(n_features, n_features))
            + rng.normal(size=n_features)
            for _ in range(2)
        ]
    )
    fits = [
        GaussianMixture(3, covariance_type="VII", noise=True, acceleration=a).fit(rows)
        for a in ("auto", None)
    ]
    leaping, plain = (fit.score(rows) * len(rows) for fit in fits)
    assert leaping > plain - 0.5


@pytest.mark.parametrize("fit_again", ["warm_start", "start"])
@QUIET
def test_noise_fits_its_box_to_the_rows_at_hand(fit_again):
    model = GaussianMixture(2, noise=True, warm_start=True).fit(GROUPS)
    moved = GROUPS * 1000.0 + 50.0
    again = model.fit(moved) if fit_again == "warm_start" else model.fit(moved, start=model._mixture())
    fresh = GaussianMixture(2, noise=True).fit(moved)
    assert again.noise_.log_volume == pytest.approx(fresh.noise_.log_volume)


@pytest.mark.parametrize("model", ["EII", "EEI", "EVI", "EVE", "VEV", "full", "tied"])
@QUIET
def test_noise_may_take_all_rows(model):
    rows = np.random.default_rng(1).normal(size=(5, 2))
    found = GaussianMixture(1, covariance_type=model, prior=None, noise=True).fit(rows)
    assert np.isfinite(found.covariances_).all()
    assert found.weights_.sum() + found.noise_.weight == pytest.approx(1.0)
    assert np.isfinite(GaussianMixture(1, noise=True).fit(rows, start=found._mixture()).score(rows))


@QUIET
def test_one_component_on_a_line_among_noise():
    rng = np.random.default_rng(0)
    rows = np.r_[np.c_[np.linspace(0.0, 1.0, 300), np.zeros(300)], rng.random((40, 2)) * 10.0 - 5.0]
    found = GaussianMixture(1, noise=True).fit(rows)
    assert found.noise_.weight == pytest.approx(40 / 340, abs=0.03)


def test_the_json_of_noise_over_a_huge_volume_is_finite():
    rows = np.random.default_rng(0).normal(size=(200, 4)) * 1e120
    model = GaussianMixture(2, noise=True).fit(rows)
    assert model.summary_.as_json()["noise"]["log_volume"] > 1000.0


@QUIET
def test_weights_add_up_where_no_row_speaks_for_the_free_ones():
    start = {"weights_init": [0.5, 0.5], "means_init": [[2.0, 2.0], [1e9, 1e9]], "covariances_init": 1.0}
    model = GaussianMixture(2, prior=None, hold={"weights": [0]}, **start).fit(GROUPS)
    assert model.weights_.sum() == pytest.approx(1.0)


@QUIET
def test_shared_means_of_emptied_components():
    far = [[2.0, 2.0], [1e9, 1e9], [1e9, 1e9]]
    model = GaussianMixture(
        3, prior=None, means_init=far, covariances_init=1.0, share={"means": [[1, 2]]}
    ).fit(GROUPS)
    assert np.isfinite(model.means_).all()


@pytest.mark.parametrize("model", ["VEE", "EVE", "VVE"])
@QUIET
def test_an_emptied_component_does_not_turn_the_others_axes(model):
    start = {"means_init": [[0.0, 0.0], [5.0, 5.0], [1e9, 1e9]], "covariances_init": 1.0}
    found = GaussianMixture(3, covariance_type=model, prior=None, **start).fit(GROUPS)
    live = found.weights_ > 0.0
    assert live.sum() == 2
    again = found.orientations_ * (found.volumes_[:, None] * found.shapes_)[:, None, :]
    again = again @ found.orientations_.transpose(0, 2, 1)
    np.testing.assert_allclose(again[live], found.covariances_[live], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    "tie",
    [
        {"hold": {"means": 0}},
        {"hold": {"means": None}},
        {"hold": "means"},
        {"hold": ["means"]},
        {"share": {"covariances": [0, 1]}},
        {"share": {"means": 0}},
        {"share": {"means": [[]]}},
        {"share": {"means": [[0]]}},
    ],
)
def test_ties_of_the_wrong_form_say_what_form_is_right(tie):
    with pytest.raises(SettingsError, match=r"must be a dict such as|needs groups of 2"):
        GaussianMixture(2, means_init=[[0.0, 0.0], [5.0, 5.0]], **tie).fit(GROUPS)


def test_shared_precisions_are_averaged_as_covariances_are():
    model = GaussianMixture(
        2,
        covariance_type="EEE",
        means_init=[[0.0, 0.0], [5.0, 5.0]],
        precisions_init=[np.eye(2), np.eye(2) / 3.0],
        max_iter=0,
    ).fit(GROUPS)
    np.testing.assert_allclose(model.covariances_, np.stack([2.0 * np.eye(2)] * 2))
