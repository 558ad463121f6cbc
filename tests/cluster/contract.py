"""What rows on a cluster are held to: every family, and all else that is asked of a fit, as in memory."""

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture
from gaussmix.model.covariances import FAMILIES

MODELS = [family.name for family in FAMILIES]
MEANS = [[0.0, 0.0, 0.0], [8.0, 1.0, -4.0], [-3.0, 8.0, 5.0]]
ASKED = {
    "maximum likelihood": {"prior": None, "n_init": 1},
    "conjugate prior": {"prior": "conjugate", "n_init": 1, "covariance_type": "VEV"},
    "noise": {"noise": True, "n_init": 1, "covariance_type": "diag"},
    "one component": {"n_components": 1},
    "equal weights": {"equal_weights": True, "n_init": 1},
    "held means": {"means_init": MEANS, "hold": {"means": [1]}},
    "shared covariances": {"means_init": MEANS, "share": {"covariances": [[0, 1]]}},
}
# A search has to find its way, and does so by differences that rounding does not make.
SEARCHES = {
    "search": {"n_init": "auto"},
    "search with noise": {"n_init": "auto", "noise": True, "covariance_type": "diag"},
}
SELECTION = {"n_components": (2, 3), "covariance_types": ["EEI"], "n_folds": 2}


def asked(options):
    return GaussianMixture(**{"n_components": 3, **options})


def of_family(name):
    """A fit that begins near its end, so that it takes few passes."""
    return GaussianMixture(3, covariance_type=name, means_init=MEANS)


def assert_alike(found, expected, said="", relative=1e-10):
    assert found.lower_bound_ == pytest.approx(expected.lower_bound_, rel=relative), said
    for name in ("weights_", "means_", "covariances_"):
        a, b = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(a, b, rtol=0.0, atol=relative * np.abs(b).max(), err_msg=f"{said} {name}")
    assert (found.n_iter_, found.converged_) == (expected.n_iter_, expected.converged_), said
    if expected.noise_ is not None:
        assert found.noise_.weight == pytest.approx(expected.noise_.weight, rel=relative), said


def assert_all_families_are_alike(rows, matrix, weights, **less):
    for name in MODELS:
        expected = of_family(name).set_params(**less).fit(matrix, sample_weight=weights)
        assert expected.converged_ or "max_iter" in less
        assert_alike(of_family(name).set_params(**less).fit_rows(rows), expected, name)


def assert_answers_are_alike(rows, matrix, weights, cases, **less):
    for said, options in cases.items():
        expected = asked(options | less).fit(matrix, sample_weight=weights)
        assert_alike(asked(options | less).fit_rows(rows), expected, said)


def assert_selections_are_alike(rows, matrix, weights, **options):
    expected = gaussmix.select(matrix, sample_weight=weights, **{**SELECTION, **options})
    found = gaussmix.select(rows, **{**SELECTION, **options})
    assert found.verdict == expected.verdict
    assert [(row["n_components"], row["covariance"]) for row in found.table] == [
        (row["n_components"], row["covariance"]) for row in expected.table
    ]
    for one, other in zip(found.table, expected.table, strict=True):
        assert one["bic"] == pytest.approx(other["bic"], rel=1e-9)
    assert found.choice.n_components == 3
    assert_alike(found.best, expected.best)


def assert_scores_are_alike(rows, matrix, weights, path):
    import pyarrow.parquet as pq

    model = asked({"noise": True, "n_init": 1}).fit(matrix, sample_weight=weights)
    assert model.score_rows(rows) == pytest.approx(model.score(matrix, sample_weight=weights), rel=1e-12)
    model.assign_rows(rows, path)
    found = pq.read_table(path)
    assert found["row"].to_pylist() == list(range(1, len(matrix) + 1))
    assert np.array_equal(found["label"].to_numpy() - 1, model.predict(matrix))
    np.testing.assert_allclose(found["log_density"], model.score_samples(matrix), rtol=1e-12)
