"""Noise beside R mclust's: faithful and forty scattered rows (tests/data/noise.mclust.tsv)."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from gaussmix import GaussianMixture

DATA = Path(__file__).parent.parent / "data"
N_CLUTTER = 40


@pytest.fixture
def cluttered(faithful):
    """The rows, and labels to start from: two groups by the length of eruptions, -1 for the clutter."""
    low, spread = faithful.min(axis=0), np.ptp(faithful, axis=0)
    steps = np.arange(1, N_CLUTTER + 1)[:, None] * np.array([0.6180339887498949, 0.7548776662466927])
    clutter = low - 0.1 * spread + 1.2 * spread * (steps % 1.0)
    rows = np.r_[faithful, clutter]
    labels = np.where(rows[:, 0] < 3.0, 0, 1)
    labels[len(faithful) :] = -1
    return rows, labels


def reference():
    with (DATA / "noise.mclust.tsv").open() as file:
        return [
            pytest.param(row, id=f"{row['model']}-{'equal' if row['equal_pro'] == '1' else 'free'}")
            for row in csv.DictReader(file, delimiter="\t")
        ]


@pytest.mark.parametrize("row", reference())
def test_noise_as_mclust_finds_it(cluttered, row):
    rows, labels = cluttered
    equal = row["equal_pro"] == "1"
    # EM's own path, for there are other optima under EII.
    model = GaussianMixture(
        2,
        covariance_type=row["model"],
        prior=None,
        noise=True,
        equal_weights=equal,
        tol=1e-13,
        acceleration=None,
    )
    model.fit(rows, start=labels)
    assert model.score(rows) * len(rows) == pytest.approx(float(row["loglik"]), rel=1e-10)
    assert np.exp(model.noise_.log_volume) == pytest.approx(float(row["hypvol"]), rel=1e-12)
    assert model.noise_.weight == pytest.approx(float(row["noise_share"]), abs=1e-5)
    assert model.bic(rows) == pytest.approx(-float(row["bic"]), rel=1e-9)
    assert model.bic_mclust(rows) == pytest.approx(float(row["bic"]), rel=1e-9)
    np.testing.assert_allclose(model.weights_, json.loads(row["pro"])[:2], atol=1e-5)
    np.testing.assert_allclose(model.means_.ravel(), json.loads(row["mean"]), rtol=1e-4)
    n_parameters = (model.aic(rows) + 2.0 * model.score(rows) * len(rows)) / 2.0
    assert n_parameters == pytest.approx(float(row["df"]))


def test_no_start_is_needed(cluttered):
    """The default start looks for scattered rows itself, and comes to mclust's optimum."""
    rows, labels = cluttered
    model = GaussianMixture(2, prior=None, noise=True).fit(rows)
    assert model.score(rows) * len(rows) == pytest.approx(-1405.613675424, rel=1e-7)
    found = model.predict(rows)
    # Those that fell among the groups belong to them.
    assert (found[-N_CLUTTER:] == -1).mean() > 0.5
    assert (found[:-N_CLUTTER] == -1).mean() < 0.05
    assert np.mean(found[labels >= 0] == labels[labels >= 0]) > 0.95


def test_probabilities_have_a_column_for_noise(cluttered):
    rows, _ = cluttered
    model = GaussianMixture(2, noise=True).fit(rows)
    shares = model.predict_proba(rows)
    assert shares.shape == (len(rows), 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    assert np.array_equal(model.predict(rows) == -1, shares.argmax(axis=1) == 2)
    assert model.weights_.sum() + model.noise_.weight == pytest.approx(1.0, rel=1e-12)


def test_a_row_far_from_everything_is_noise(cluttered):
    rows, _ = cluttered
    model = GaussianMixture(2, noise=True).fit(rows)
    far = np.array([[1e6, -1e6]])
    assert model.predict(far).tolist() == [-1]
    assert model.predict_proba(far).tolist() == [[0.0, 0.0, 1.0]]
    assert model.score_samples(far)[0] == pytest.approx(model.noise_.log_density)


def test_sampled_noise_fills_its_box(cluttered):
    rows, _ = cluttered
    model = GaussianMixture(2, noise=True, random_state=1).fit(rows)
    drawn, components = model.sample(20_000)
    noise = drawn[components == -1]
    assert len(noise) / len(drawn) == pytest.approx(model.noise_.weight, abs=0.01)
    inside = (noise - model.noise_.corner) @ np.linalg.inv(model.noise_.edges)
    assert inside.min() >= 0.0
    assert inside.max() <= 1.0
    np.testing.assert_allclose(inside.mean(axis=0), 0.5, atol=0.02)
