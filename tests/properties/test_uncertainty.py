"""What standard errors must do whatever the data, and when there are none."""

import copy
import gc
import json
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import FitError, SettingsError
from gaussmix.learning.belief.bootstrap import bootstrap, resampled
from gaussmix.learning.belief.intervals import percentile_intervals
from gaussmix.learning.belief.uncertainty import METHODS, uncertainty_of
from gaussmix.learning.settings import FitSettings, GivenStart
from gaussmix.model.covariances import FAMILIES, covariance_family
from gaussmix.model.mixture import Mixture, Noise
from gaussmix.model.quantities import quantities_of
from gaussmix.model.tangent import tangent_of

INFORMATION, BOOTSTRAPS = METHODS[:3], METHODS[3:]
KINDS = ("weights", "means", "covariances", "standard_deviations", "correlations", "volumes")
TRUTH = Mixture(
    np.array([0.4, 0.6]),
    np.array([[0.0, 0.0], [4.0, 2.0]]),
    np.array([[[1.0, 0.5], [0.5, 1.5]], [[2.0, -0.4], [-0.4, 0.8]]]),
    covariance_family("full"),
)


@pytest.fixture(scope="module")
def rows():
    return TRUTH.sample(400, np.random.default_rng(7))[0]


@pytest.fixture(scope="module")
def model(rows):
    return GaussianMixture(2, prior=None).fit(rows)


def fitted(rows, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = settings.pop("sample_weight", None)
        return GaussianMixture(**settings).fit(rows, sample_weight=weights)


def measured(rows, method="hessian", n_replicates=20, **settings):
    return fitted(rows, **settings).uncertainty(rows, method=method, n_replicates=n_replicates)


def same(one, other, rtol=1e-7, kinds=KINDS):
    for kind in kinds:
        for name, expected in vars(getattr(other, kind)).items():
            np.testing.assert_allclose(getattr(getattr(one, kind), name), expected, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize(("n_components", "n_features"), [(1, 1), (3, 1), (1, 3), (2, 2), (3, 4)])
def test_there_are_as_many_parameters_as_bic_counts(family, n_components, n_features):
    generator = np.random.default_rng(0)
    spreads = generator.standard_normal((n_components, n_features, n_features))
    matrices = spreads @ spreads.transpose(0, 2, 1) + np.eye(n_features)
    means = generator.standard_normal((n_components, n_features))
    weights = np.full(n_components, 0.8 / n_components)
    covariances = family.from_matrices(matrices)
    for noise in (None, Noise(0.2, np.zeros(n_features), np.eye(n_features))):
        for equal in (False, True):
            given = n_components - 1 if equal else 0
            mixture = Mixture(weights, means, covariances, family, noise, given)
            # The volume of the noise's box is taken as known.
            expected = mixture.n_parameters - (noise is not None)
            tangent = tangent_of(mixture, equal)
            assert tangent.n_parameters == expected
            # Weights go on adding up to 1, and to be equal.
            np.testing.assert_allclose(tangent.weight_basis.sum(axis=0), 0.0, atol=1e-15)
            if equal:
                assert np.ptp(tangent.weight_basis[:n_components], axis=0).sum() == 0.0


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
@pytest.mark.parametrize("method", ["hessian", "sandwich"])
def test_every_family_has_standard_errors(rows, family, method):
    model = fitted(rows, n_components=2, covariance_type=family)
    found = model.uncertainty(method=method)
    for kind in KINDS:
        estimated = getattr(found, kind)
        assert np.isfinite(list(vars(estimated).values())).all()
        assert (estimated.low <= estimated.value).all()
        assert (estimated.value <= estimated.high).all()
    assert (found.means.standard_error > 0.0).all()
    assert (found.standard_deviations.standard_error > 0.0).all()
    np.testing.assert_array_equal(found.means.value, model.means_)


@pytest.mark.parametrize(("methods", "n_rows"), [(INFORMATION, 40_000), (BOOTSTRAPS, 2_000)])
def test_all_methods_agree_on_many_rows(methods, n_rows):
    rows = TRUTH.sample(n_rows, np.random.default_rng(1))[0]
    model = GaussianMixture(2).fit(rows, start=TRUTH)
    expected = model.uncertainty(method="hessian")
    for method in methods:
        found = model.uncertainty(method=method, n_replicates=99)
        # 99 replicates leave 7 % of chance to each of the 20 numbers.
        tolerance = 0.06 if method in INFORMATION else 0.3
        for kind in ("weights", "means", "covariances", "standard_deviations", "volumes"):
            np.testing.assert_allclose(
                getattr(found, kind).standard_error, getattr(expected, kind).standard_error, rtol=tolerance
            )


@pytest.mark.parametrize("family", ["full", "tied", "diag", "spherical", "VEE", "VVE", "EEV", "VEV", "EVV"])
@pytest.mark.parametrize("method", INFORMATION)
def test_a_weight_is_a_count_of_rows(rows, family, method):
    counts = np.random.default_rng(2).integers(0, 4, len(rows))
    settings = {"n_components": 2, "covariance_type": family, "tol": 1e-13, "n_init": 1}
    weighted = fitted(rows, sample_weight=counts, **settings)
    repeated = np.repeat(rows, counts, axis=0)
    alike = fitted(repeated, **settings)
    same(
        weighted.uncertainty(rows, sample_weight=counts, method=method),
        alike.uncertainty(method=method),
        1e-5,
    )


@pytest.mark.parametrize("method", INFORMATION)
def test_neither_an_offset_nor_units_cost_digits(rows, method):
    # Multiples of 2^-20, which an offset of 1e8 leaves as they are.
    rows = np.round(rows * 2.0**20) / 2.0**20
    before = measured(rows, method, n_components=2, tol=1e-13, prior=None)
    moved = measured(rows + 1e8, method, n_components=2, tol=1e-13, prior=None)
    for kind in KINDS:
        expected = getattr(before, kind).standard_error
        np.testing.assert_allclose(getattr(moved, kind).standard_error, expected, rtol=1e-5)
    units = np.array([1e-12, 1e12])
    scaled = measured(rows * units, method, n_components=2, tol=1e-13, prior=None)
    factors = {"means": units, "standard_deviations": units, "covariances": np.outer(units, units)}
    for kind in KINDS:
        expected = getattr(before, kind).standard_error * factors.get(kind, 1.0)
        np.testing.assert_allclose(getattr(scaled, kind).standard_error, expected, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-30, 1e30])
@pytest.mark.parametrize("method", ["hessian", "bootstrap"])
def test_units_far_from_one(rows, unit, method):
    before = measured(rows, method, n_components=2, tol=1e-13)
    after = measured(rows * unit, method, n_components=2, tol=1e-13)
    for kind, power in (("means", 1), ("covariances", 2), ("volumes", 2), ("correlations", 0)):
        errors = getattr(before, kind).standard_error
        for name in ("standard_error", "low", "high"):
            found = getattr(getattr(after, kind), name) / unit**power
            np.testing.assert_allclose(found, getattr(getattr(before, kind), name), atol=1e-5 * errors.max())


def test_the_order_of_rows_does_not_matter(rows, model):
    shuffled = np.random.default_rng(0).permutation(rows)
    same(model.uncertainty(shuffled), model.uncertainty(rows), 1e-9)


def test_components_in_another_order_have_the_same_errors(rows, model):
    mixture = model._mixture()
    table, settings = MemoryRows(rows), FitSettings(2, prior="none")
    first = uncertainty_of(table, mixture, settings)
    second = uncertainty_of(table, mixture.permuted(np.array([1, 0])), settings)
    for kind in KINDS:
        np.testing.assert_allclose(
            getattr(second, kind).standard_error[::-1], getattr(first, kind).standard_error, rtol=1e-9
        )


@pytest.mark.parametrize("method", BOOTSTRAPS)
def test_a_bootstrap_repeats_itself_bit_for_bit_and_grows(rows, model, method):
    found = [model.uncertainty(method=method, n_replicates=30, random_state=seed) for seed in (3, 3, 4)]
    for kind in KINDS:
        assert np.array_equal(getattr(found[0], kind).standard_error, getattr(found[1], kind).standard_error)
    assert not np.array_equal(found[0].means.standard_error, found[2].means.standard_error)
    assert (found[0].n_replicates, found[0].n_failed) == (30, 0)


@pytest.mark.parametrize("family", ["full", "VVV", "EEV", "diag"])
def test_replicates_end_where_em_ends(family):
    """From the same rows a refit comes to the fit itself, which is hundreds of EM steps away."""
    truth = Mixture(TRUTH.weights, 0.45 * TRUTH.means, TRUTH.covariances, TRUTH.family)
    rows = truth.sample(500, np.random.default_rng(3))[0]
    model = fitted(rows, n_components=2, covariance_type=family, prior=None, tol=1e-13)
    target, errors = model._mixture(), model.uncertainty(rows).means.standard_error
    everything = MemoryRows.trusted(rows, np.ones(len(rows)), ("x1", "x2"))
    start = Mixture(np.full(2, 0.5), 1.3 * target.means, target.covariances, target.family)
    settings = FitSettings(2, family, "none")
    (ended,) = bootstrap(start, settings, lambda _: everything, 1, 0).mixtures
    assert (np.abs(ended.means - target.means) < 0.02 * errors).all()


def test_switched_labels_are_put_back(rows, model, monkeypatch):
    mixture = model._mixture()
    switched = mixture.permuted(np.array([1, 0]))
    monkeypatch.setattr("gaussmix.learning.belief.bootstrap._refitted", lambda *_: switched)
    found = bootstrap(mixture, FitSettings(2, prior="none"), resampled(MemoryRows(rows)), 3, 0)
    for replicate in found.mixtures:
        np.testing.assert_array_equal(replicate.means, mixture.means)
        np.testing.assert_array_equal(replicate.covariances, mixture.covariances)
    # A component with a part that is held is known by its place.
    start = GivenStart(means=mixture.means)
    held = FitSettings(2, prior="none", given=start, hold={"weights": [0]})
    found = bootstrap(mixture, held, resampled(MemoryRows(rows)), 3, 0)
    for replicate in found.mixtures:
        np.testing.assert_array_equal(replicate.means, switched.means)


def test_intervals_are_symmetric_each_on_its_own_scale(model):
    found = model.uncertainty(level=0.9)
    scales = {
        "weights": (logit, lambda value: value * (1.0 - value)),
        "means": (np.asarray, np.ones_like),
        "standard_deviations": (np.log, np.asarray),
        "volumes": (np.log, np.asarray),
        "correlations": (np.arctanh, lambda value: 1.0 - value**2),
    }
    for kind, (scale, slope) in scales.items():
        value, error, low, high = vars(getattr(found, kind)).values()
        if kind == "correlations":
            value, error, low, high = (numbers[:, 1, 0] for numbers in (value, error, low, high))
        half = 1.6448536269514722 * error / slope(value)
        np.testing.assert_allclose(scale(high) - scale(value), half, rtol=1e-9)
        np.testing.assert_allclose(scale(value) - scale(low), half, rtol=1e-9)
    off = found.covariances
    half = 1.6448536269514722 * off.standard_error[:, 1, 0]
    np.testing.assert_allclose(off.high[:, 1, 0] - off.value[:, 1, 0], half, rtol=1e-9)


def test_percentiles_and_standard_deviations_of_replicates():
    generator = np.random.default_rng(0)
    family = covariance_family("spherical")
    drawn = [
        Mixture(np.array([w, 1.0 - w]), np.array([[m], [m + 5.0]]), np.array([v, 2.0 * v]), family)
        for w, m, v in generator.uniform(0.2, 0.4, (41, 3))
    ]
    found = percentile_intervals(quantities_of(drawn[0]), [quantities_of(one) for one in drawn], 0.8)
    means = np.array([one.means for one in drawn])
    np.testing.assert_allclose(found["means"].standard_error, means.std(axis=0, ddof=1), rtol=1e-12)
    # Of 41 replicates the 5th and the 37th in order.
    np.testing.assert_allclose(found["means"].low, np.sort(means, axis=0)[4], rtol=1e-12)
    np.testing.assert_allclose(found["means"].high, np.sort(means, axis=0)[36], rtol=1e-12)
    np.testing.assert_array_equal(found["means"].value, drawn[0].means)


def test_components_that_change_places_do_not_make_errors_large():
    """Means that cross along the first feature keep their names by weight and by the second feature."""
    truth = Mixture(
        np.array([0.3, 0.7]),
        np.array([[0.0, 0.0], [0.05, 5.0]]),
        np.array([1.0, 1.0]),
        covariance_family("VII").compact,
    )
    rows = truth.sample(200, np.random.default_rng(0))[0]
    found = fitted(rows, n_components=2, covariance_type="spherical").uncertainty(
        method="bootstrap", n_replicates=100
    )
    assert found.means.standard_error.max() < 0.2
    assert found.weights.standard_error.max() < 0.05


def test_equal_weights_and_a_single_component_have_no_error(rows):
    found = fitted(rows, n_components=2, equal_weights=True).uncertainty()
    for name in ("low", "high", "value"):
        assert getattr(found.weights, name).tolist() == [0.5, 0.5]
    assert found.weights.standard_error.tolist() == [0.0, 0.0]
    alone = fitted(rows, n_components=1).uncertainty(method="parametric", n_replicates=20)
    assert (alone.weights.standard_error, alone.weights.low, alone.weights.high) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize("method", ["hessian", "bootstrap"])
def test_noise_has_a_standard_error(rows, method):
    clutter = np.random.default_rng(0).uniform([-6.0, -5.0], [10.0, 8.0], (60, 2))
    model = fitted(np.r_[rows, clutter], n_components=2, noise=True)
    found = model.uncertainty(np.r_[rows, clutter], method=method, n_replicates=50)
    share = model.noise_.weight
    assert found.noise.value == share
    # Binomial, if each row's origin were known; the overlap makes it larger.
    binomial = np.sqrt(share * (1.0 - share) / 460)
    assert binomial < found.noise.standard_error[0] < 2.0 * binomial
    assert found.as_json()["noise"]["value"] == [share]


def test_ties_are_for_bootstraps(rows):
    start = {"means_init": [[0.0, 0.0], [4.0, 2.0]], "hold": {"means": [0]}}
    model = fitted(rows, n_components=2, **start)
    with pytest.raises(SettingsError, match="hold or share use method='bootstrap'"):
        model.uncertainty()
    found = model.uncertainty(method="bootstrap", n_replicates=20)
    assert found.means.standard_error[0].tolist() == [0.0, 0.0]
    assert (found.means.standard_error[1] > 0.0).all()
    with pytest.raises(SettingsError, match="all free"):
        uncertainty_of(MemoryRows(rows), model._mixture(), FitSettings(2))


def test_no_standard_errors_at_a_saddle(rows):
    """Two components on one another's place: pulling them apart raises the likelihood."""
    whole = fitted(rows, n_components=1, prior=None)
    nearly = whole.means_ + np.array([[-0.4, -0.2], [0.4, 0.2]])
    halves, matrices = np.full(2, 0.5), np.repeat(whole.covariances_, 2, axis=0)
    saddle = Mixture(halves, nearly, matrices, covariance_family("full"))
    with pytest.raises(FitError, match=r"component [12]'s parameters .*saddle"):
        uncertainty_of(MemoryRows(rows), saddle, FitSettings(2, prior="none"))
    together = Mixture(halves, np.repeat(whole.means_, 2, axis=0), matrices, saddle.family)
    with pytest.raises(FitError, match="coincide"):
        uncertainty_of(MemoryRows(rows), together, FitSettings(2, prior="none"))


def test_no_standard_errors_on_few_rows():
    generator = np.random.default_rng(0)
    rows = np.r_[generator.standard_normal((60, 2)), [[50.0, 50.0], [50.1, 50.0]]]
    model = fitted(rows, n_components=2)
    with pytest.raises(FitError, match="Component 2 rests on 2 distinct rows"):
        model.uncertainty()
    assert (
        "Component 2 rests on 2" in model.uncertainty(method="weighted_likelihood", n_replicates=20).sentence
    )


def test_round_components_have_no_orientation():
    corners = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    rows = np.r_[corners, corners + 40.0, 0.3 * corners, 40.0 + 0.3 * corners]
    model = fitted(rows, n_components=2, covariance_type="EEV", prior=None)
    with pytest.raises(FitError, match=r"component [12]'s parameters the rows say nothing"):
        model.uncertainty()


def test_no_standard_errors_along_a_constant_column(rows):
    model = fitted(np.c_[rows, np.full(len(rows), 3.0)], n_components=2)
    with pytest.raises(FitError, match="no spread"):
        model.uncertainty(np.c_[rows, np.full(len(rows), 3.0)])


def test_too_many_parameters_are_refused():
    rows = np.random.default_rng(0).standard_normal((300, 110))
    with pytest.raises(SettingsError, match="6,215 parameters is too large"):
        fitted(rows, n_components=1).uncertainty()


def test_the_sentence_says_how_far_to_trust_intervals(rows):
    assert "not many" not in fitted(rows, n_components=2).uncertainty(rows).sentence
    assert "not many" in fitted(rows[::5], n_components=2).uncertainty(rows[::5]).sentence
    mixed = np.random.default_rng(0).standard_normal((2000, 1)) + np.repeat([[0.0], [1.2]], 1000, axis=0)
    assert "Components overlap" in fitted(mixed, n_components=2).uncertainty(mixed).sentence
    few = np.random.default_rng(0).standard_normal((30, 5))
    assert "overlap" not in fitted(few, n_components=1).uncertainty(few, method="outer_product").sentence
    model = fitted(rows, n_components=2)
    mixture, errors = model._mixture(), model.uncertainty(rows).means.standard_error
    moved = replace(mixture, means=mixture.means + np.array([[0.3], [0.0]]) * errors * [1.0, 0.0])
    short = uncertainty_of(MemoryRows(rows), moved, FitSettings(2)).sentence
    assert "standard errors short of the maximum: raise max_iter" in short


def test_weights_that_are_no_counts(rows):
    light, heavy = np.full(len(rows), 1e-3), np.full(len(rows), 1e300)
    model = fitted(rows, n_components=1, sample_weight=light)
    assert (
        "adds up to no more, though there are 400 rows"
        in model.uncertainty(rows, sample_weight=light).sentence
    )
    with pytest.raises(SettingsError, match=r"adds up to 0\.4 for 400 rows"):
        model.uncertainty(rows, sample_weight=light, method="parametric")
    found = fitted(rows, n_components=1, sample_weight=heavy).uncertainty(rows, sample_weight=heavy)
    np.testing.assert_array_less(0.0, found.means.standard_error)


def test_other_rows_are_noticed(rows, model):
    with pytest.raises(FitError, match="standard errors away"):
        model.uncertainty(rows + np.array([0.5, 0.0]))


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"method": "magic"}, "method must be one of hessian, outer_product"),
        ({"level": 95}, "level must be a number between 0 and 1"),
        ({"level": "high"}, "level must be"),
        ({"method": "bootstrap", "n_replicates": 3}, "at least 10"),
        ({"method": "bootstrap", "n_replicates": 20.5}, "whole number"),
        ({"method": "bootstrap", "n_replicates": 10**9}, "fit in memory"),
        ({"sample_weight": np.ones(400)}, "sample_weight goes with rows"),
    ],
)
def test_settings_without_meaning(model, asked, match):
    with pytest.raises(SettingsError, match=match):
        model.uncertainty(**asked)


def test_wider_intervals_at_a_higher_level(model):
    narrow, wide = model.uncertainty(level=0.5), model.uncertainty(level=0.999)
    for kind in ("weights", "means", "standard_deviations", "volumes"):
        assert (getattr(wide, kind).low < getattr(narrow, kind).low).all()
        assert (getattr(wide, kind).high > getattr(narrow, kind).high).all()
    assert (wide.weights.low > 0.0).all()
    assert (wide.standard_deviations.low > 0.0).all()
    np.testing.assert_allclose(
        np.einsum("kii->ki", wide.covariances.high), wide.standard_deviations.high**2, rtol=1e-12
    )


def test_rows_are_remembered_but_not_kept(rows):
    mine = rows.copy()
    weights = np.ones(len(mine))
    model = GaussianMixture(2).fit(mine, sample_weight=weights)
    expected = model.uncertainty(mine, sample_weight=weights)
    same(model.uncertainty(), expected, 1e-12)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        with pytest.raises(SettingsError, match=r"give the rows, model\.uncertainty\(X\)"):
            other.uncertainty()
        same(other.uncertainty(mine, sample_weight=weights), expected, 1e-12)
    mine[0, 0] += 1.0
    with pytest.raises(SettingsError, match="changed"):
        model.uncertainty()
    del mine
    gc.collect()
    with pytest.raises(SettingsError, match="no longer there"):
        model.uncertainty()


def test_lists_are_not_remembered_and_frames_are(rows):
    model = fitted(rows.tolist(), n_components=2)
    with pytest.raises(SettingsError, match="no longer there"):
        model.uncertainty()
    frame = pd.DataFrame(rows, columns=["length", "width"])
    found = GaussianMixture(2).fit(frame).uncertainty()
    assert found.feature_names == ("length", "width")


def test_the_table_and_json_hold_the_same_numbers(rows):
    frame = pd.DataFrame(rows, columns=["length", "width"])
    found = GaussianMixture(2).fit(frame).uncertainty(method="sandwich", level=0.9)
    table = pd.DataFrame(found.table).set_index(["parameter", "component", "feature"])
    assert table.loc[("mean", 2, "width"), "standard_error"] == found.means.standard_error[1, 1]
    assert table.loc[("covariance", 1, "width ~ length"), "low"] == found.covariances.low[0, 1, 0]
    assert table.loc[("correlation", 2, "width ~ length"), "high"] == found.correlations.high[1, 1, 0]
    assert len(table) == 2 * (1 + 2 + 2 + 3 + 1 + 1)
    document = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert (document["method"], document["level"], document["n_replicates"]) == ("sandwich", 0.9, None)
    for kind in KINDS:
        for name, values in vars(getattr(found, kind)).items():
            assert np.array_equal(document[kind][name], values)


def test_threads_change_no_bit(rows):
    found = [
        GaussianMixture(2, n_threads=n).fit(rows).uncertainty(rows, method="bootstrap", n_replicates=20)
        for n in (1, 3)
    ]
    for kind in KINDS:
        assert np.array_equal(getattr(found[0], kind).standard_error, getattr(found[1], kind).standard_error)
