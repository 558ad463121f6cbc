"""Rows of floats may be computed with in single precision at first; no result is."""

import warnings

import numpy as np
import pytest

from gaussmix import GaussianMixture, kernels
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataWarning
from gaussmix.kernels.contract import Precision
from gaussmix.learning.history import History
from gaussmix.learning.stopping import Limits
from gaussmix.model.covariances import covariance_family
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture


@pytest.fixture
def quick_calls(monkeypatch):
    """Count the E-steps in single precision; stand in for them where there is no compiled kernel."""
    calls = []
    quick = kernels.quick_sums
    if "native" in kernels.KERNEL_NAME:
        monkeypatch.setattr("gaussmix.kernels.native.QUICK_SIZE", 1)

    def counted(rows, weights, components, scatter):
        found = quick(rows, weights, components, scatter)
        if found is None and "native" not in kernels.KERNEL_NAME and rows.dtype == np.float32:
            found = kernels.expected_sums(rows, weights, components, scatter)
            found = found._replace(log_likelihood=found.log_likelihood * (1.0 - 1e-8))
        calls.append(found is not None)
        return found

    monkeypatch.setattr(kernels, "quick_sums", counted)
    return calls


def overlapping(n_rows=20_000):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n_rows, 2)) + 2.0 * rng.integers(0, 3, size=(n_rows, 1))
    return rows.astype(np.float32)


def test_a_fit_of_floats_ends_as_one_of_doubles(quick_calls):
    rows = overlapping()
    start = {"means_init": [[-1.0, 0.0], [1.0, 2.0], [5.0, 5.0]], "tol": 1e-12}
    single = GaussianMixture(3, **start).fit(rows)
    assert sum(quick_calls) > 5
    double = GaussianMixture(3, **start).fit(rows.astype(np.float64))
    assert single.converged_
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, abs=2e-9)
    assert single.score(rows) == pytest.approx(single.lower_bound_, rel=1e-13)
    np.testing.assert_allclose(single.means_, double.means_, atol=1e-4)
    assert np.all(np.diff(single.lower_bounds_) > -1e-9)


def test_the_last_e_step_is_in_doubles_even_at_the_iteration_limit(quick_calls):
    rows = overlapping()
    with pytest.warns(UserWarning, match="limit"):
        model = GaussianMixture(3, max_iter=3, means_init=[[-1.0, 0.0], [1.0, 2.0], [5.0, 5.0]]).fit(rows)
    assert quick_calls == [True, True, True]
    assert model.score(rows) == pytest.approx(model.lower_bound_, rel=1e-13)


def test_a_trace_is_in_doubles_throughout(quick_calls):
    GaussianMixture(2, trace=True, random_state=1).fit(overlapping())
    assert not any(quick_calls)


def history(objectives, n_rough):
    return History(list(objectives), list(objectives), n_rough=n_rough, row_weight=100.0)


def mixture(apart=1.0, covariances=(1.0, 1.0)):
    return Mixture([0.5, 0.5], [[0.0], [apart]], list(covariances), covariance_family("spherical"))


@pytest.mark.parametrize(
    ("objectives", "n_rough", "apart", "quick", "expected"),
    [
        ([], 0, 1.0, True, Precision.SINGLE),
        ([], 0, 1.0, False, Precision.DOUBLE),
        ([], 0, 100.0, True, Precision.DOUBLE),
        ([-50.0, -40.0], 2, 1.0, True, Precision.SINGLE),
        ([-50.0, -50.0 + 1e-6], 2, 1.0, True, Precision.DOUBLE),
        ([-50.0, -51.0], 2, 1.0, True, Precision.DOUBLE),
        ([-50.0, -40.0], 1, 1.0, True, Precision.DOUBLE),
    ],
    ids=["first", "not allowed", "far apart", "large gain", "small gain", "a fall", "once precise, always"],
)
def test_when_single_precision_will_do(objectives, n_rough, apart, quick, expected):
    limits = Limits(1e-9, 100, quick=quick)
    assert history(objectives, n_rough).next_precision(mixture(apart), limits) is expected


def test_ill_conditioned_covariances_need_doubles():
    near_singular = Mixture(
        [1.0], [[0.0, 0.0]], [[[1.0, 1.0 - 1e-9], [1.0 - 1e-9, 1.0]]], covariance_family("full")
    )
    assert history([], 0).next_precision(near_singular, Limits(1e-9, 9, quick=True)) is Precision.DOUBLE


def test_rough_gains_decide_nothing():
    from gaussmix.learning.stopping import remaining_gain, stopping_outcome

    falling = 1.0 - 0.1 ** np.arange(8)
    assert remaining_gain(history(falling, 0)) is not None
    assert remaining_gain(history(falling, 6)) is None
    assert stopping_outcome(history([0.0, 0.0], 1), Limits(1e-9, 100)) is None
    assert stopping_outcome(history([0.0, 0.0], 0), Limits(1e-9, 100)).converged


def test_rough_values_above_the_first_precise_one_are_corrected():
    rows = MemoryRows([[0.0], [1.0], [2.0]])
    record = history([-1000.0, 1e9], 2)
    now = mixture()
    record.record(now, rows.expected_statistics(now), MStep.plain(1))
    assert record.objectives[1] == record.objectives[2] < 0.0
    assert record.objectives[0] == -1000.0


def spread_apart(n_rows=3000):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n_rows, 3))
    rows[: n_rows // 2] = 1.5 * rows[: n_rows // 2] + 2.0
    return rows


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("scale", [1e-30, 1e-23, 1.0, 1e18, 1e20])
def test_floats_of_any_scale_end_as_doubles_do(quick_calls, covariance_type, scale):
    rows = (spread_apart() * scale).astype(np.float32)
    single = GaussianMixture(2, covariance_type=covariance_type).fit(rows)
    double = GaussianMixture(2, covariance_type=covariance_type).fit(rows.astype(np.float64))
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, abs=1e-8)
    assert single.converged_
    assert np.diff(single.lower_bounds_).min() > -1e-8
    assert any(quick_calls) == (scale == 1.0)


@pytest.mark.parametrize("weight", [1e-50, 1e-44, 1e37, 1e100])
def test_floats_with_weights_of_any_size(quick_calls, weight):
    rows = spread_apart().astype(np.float32)
    plain = GaussianMixture(2).fit(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        weighted = GaussianMixture(2).fit(rows, sample_weight=np.full(len(rows), weight))
    assert np.isfinite(weighted.means_).all()
    # The prior's strength depends on the total weight; the likelihood hardly does.
    assert weighted.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-2)


def test_floats_with_far_outliers(quick_calls):
    rows = spread_apart().astype(np.float32)
    rows[:9] = np.linspace(0.9e19, 1.1e19, 9)[:, None]
    settings = {"covariance_type": "diag", "init_params": "random_from_data"}
    single = GaussianMixture(2, **settings).fit(rows)
    double = GaussianMixture(2, **settings).fit(rows.astype(np.float64))
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, abs=1e-8)


def test_rough_bounds_are_lowered_one_after_another():
    rows = MemoryRows([[0.0], [1.0], [2.0]])
    now = mixture()
    true = rows.expected_statistics(now).log_likelihood
    record = History([true - 1.0, true - 2.0], [true - 1.0, true - 2.0], n_rough=2, row_weight=3.0)
    record.record(now, rows.expected_statistics(now), MStep.plain(1))
    assert record.objectives == [true - 2.0, true - 2.0, true]
    assert record.log_likelihoods == record.objectives


def test_what_is_not_a_number_asks_for_doubles():
    for objectives in ([np.nan], [-np.inf], [-50.0, np.nan], [-np.inf, -np.inf]):
        record = history(objectives, len(objectives))
        assert record.next_precision(mixture(), Limits(1e-9, 100, quick=True)) is Precision.DOUBLE
