"""Inputs that break other tools, numbered 1 to 40 by kind: each has its right outcome."""

import decimal
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gaussmix import GaussianMixture
from gaussmix.errors import (
    ComponentWarning,
    DataError,
    DataKindError,
    DataWarning,
    SettingsError,
    StartError,
)


def normal(n_rows=100, n_features=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_features))


def two_groups(n_rows=200, n_features=2, seed=0):
    rows = normal(n_rows, n_features, seed)
    rows[n_rows // 2 :] += 6.0
    return rows


def same_grouping(one, other):
    agreement = (np.asarray(one) == np.asarray(other)).mean()
    return max(agreement, 1.0 - agreement) == 1.0


def finite(model):
    return all(np.isfinite(getattr(model, n)).all() for n in ("weights_", "means_", "covariances_"))


def test_01_no_rows():
    with pytest.raises(DataError, match="0 sample"):
        GaussianMixture().fit(np.empty((0, 2)))


def test_02_one_row():
    with pytest.raises(DataError, match="single point"):
        GaussianMixture().fit([[1.0, 2.0]])


def test_03_fewer_rows_than_components():
    with pytest.raises(DataError, match=r"n_samples=3 .*n_components=5"):
        GaussianMixture(5).fit(normal(3))


def test_04_fewer_distinct_rows_than_components():
    with pytest.raises(DataError, match="3 distinct rows cannot make 4 components"):
        GaussianMixture(4).fit(np.repeat(normal(3), 10, axis=0))


def test_05_all_rows_equal():
    with pytest.raises(DataError, match="a single point"):
        GaussianMixture(2).fit(np.full((50, 3), 7.0))


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_06_constant_column(covariance_type):
    rows = np.c_[two_groups(), np.full(200, 3.0)]
    frame = pd.DataFrame(rows, columns=["a", "b", "flat"])
    plain = GaussianMixture(2, covariance_type=covariance_type).fit(rows[:, :2])
    with pytest.warns(DataWarning, match=r"Column 'flat' is constant \(3\)"):
        model = GaussianMixture(2, covariance_type=covariance_type).fit(frame)
    assert finite(model)
    assert same_grouping(model.labels_, plain.labels_)
    np.testing.assert_allclose(model.means_[:, :2], plain.means_, atol=1e-4)
    with pytest.raises(DataError, match="'flat' is constant"):
        GaussianMixture(2, covariance_type=covariance_type, prior=None).fit(frame)


def test_06_constant_column_means_nothing_to_spheres():
    rows = np.c_[two_groups(), np.full(200, 3.0)]
    assert finite(GaussianMixture(2, covariance_type="spherical", prior=None).fit(rows))


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_07_duplicated_column(covariance_type):
    rows = two_groups()
    frame = pd.DataFrame({"a": rows[:, 0], "b": rows[:, 1], "again": rows[:, 0]})
    plain = GaussianMixture(2, covariance_type=covariance_type).fit(rows)
    with pytest.warns(DataWarning, match="Columns 'a', 'again' are collinear"):
        model = GaussianMixture(2, covariance_type=covariance_type).fit(frame)
    np.testing.assert_allclose(model.means_[:, :2], plain.means_, atol=1e-4)
    assert same_grouping(model.labels_, plain.labels_)
    with pytest.raises(DataError, match="'a', 'again' are collinear"):
        GaussianMixture(2, covariance_type=covariance_type, prior=None).fit(frame)


def test_08_dummy_trap():
    rng = np.random.default_rng(0)
    dummies = np.eye(3)[rng.integers(0, 3, 300)]
    with pytest.warns(DataWarning, match="collinear"):
        model = GaussianMixture(2).fit(np.c_[normal(300, 1), dummies])
    assert finite(model)
    assert model.converged_


def test_09_more_features_than_rows():
    with (
        pytest.warns(DataWarning, match="covariance 'diag'"),
        pytest.warns(ComponentWarning, match="fewer than the 51 that its covariance needs"),
    ):
        model = GaussianMixture(2).fit(normal(20, 50))
    assert finite(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert finite(GaussianMixture(2, covariance_type="diag").fit(normal(20, 50)))


def test_10_two_atoms():
    rows = np.repeat([[0.0], [1.0]], 500, axis=0)
    with pytest.warns(ComponentWarning, match="rests on 1 distinct row"):
        model = GaussianMixture(2).fit(rows)
    assert len(model.outcome_.doubts) == 2
    assert model.means_.ravel() == pytest.approx([0.0, 1.0], abs=1e-6)


def test_11_collapse_in_mid_fit_names_the_component():
    rows = np.r_[normal(100), [[9.0, 9.0]]]
    with pytest.warns(UserWarning, match=r"component 2 has (no spread|a covariance that is not positive)"):
        model = GaussianMixture(
            2,
            prior=None,
            means_init=[[0.0, 0.0], [9.0, 9.0]],
            covariances_init=[1.0, 1.0],
            weights_init=[0.9, 0.1],
        ).fit(rows)
    assert finite(model)
    assert not model.converged_
    assert model.outcome_.doubts[0].component == 1


def test_12_emptied_component_is_named_and_never_nan():
    with pytest.warns(ComponentWarning, match="Component 2 was emptied"):
        model = GaussianMixture(
            2, means_init=[[0.0, 0.0], [1e5, 0.0]], covariances_init=1.0, weights_init=[0.5, 0.5], prior=None
        ).fit(normal())
    assert finite(model)
    assert np.isfinite(model.predict_proba(normal())).all()


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_13_offset_1e8_beside_unit_spread(covariance_type):
    rows = two_groups()
    plain = GaussianMixture(2, covariance_type=covariance_type).fit(rows)
    shifted = GaussianMixture(2, covariance_type=covariance_type).fit(rows + 1e8)
    assert same_grouping(shifted.labels_, plain.labels_)
    np.testing.assert_allclose(shifted.means_ - 1e8, plain.means_, atol=1e-5)
    np.testing.assert_allclose(shifted.covariances_, plain.covariances_, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_14_column_scales_1e_12_and_1e12(covariance_type):
    rows = two_groups()
    plain = GaussianMixture(2, covariance_type=covariance_type).fit(rows)
    scaled = GaussianMixture(2, covariance_type=covariance_type).fit(rows * [1e-12, 1e12])
    assert same_grouping(scaled.labels_, plain.labels_)
    np.testing.assert_allclose(scaled.means_ / [1e-12, 1e12], plain.means_, rtol=1e-5)


def test_15_subnormal_values():
    with pytest.raises(DataError, match=r"'x1'.*Multiply the column"):
        GaussianMixture().fit(normal(50, 1) * 1e-310)
    mixed = normal(50, 1)
    mixed[3] = 5e-324
    assert finite(GaussianMixture().fit(mixed))


def test_16_values_near_1e308():
    with pytest.raises(DataError, match="out of range"):
        GaussianMixture().fit([[1.0], [1e308], [-1e308]])


def test_17_infinity_names_row_and_column():
    frame = pd.DataFrame(normal(), columns=["a", "b"])
    frame.iloc[7, 1] = np.inf
    with pytest.raises(DataError, match="infinity: row 7, column 'b'"):
        GaussianMixture().fit(frame)


def test_18_nan_names_row_and_column_and_what_to_do():
    frame = pd.DataFrame(normal(), columns=["a", "b"])
    frame.iloc[70, 0] = np.nan
    with pytest.raises(DataError, match=r"NaN: row 70, column 'a' is missing\. Drop such rows"):
        GaussianMixture().fit(frame)


def test_19_20_a_row_or_a_column_all_nan():
    rows = normal()
    rows[5] = np.nan
    with pytest.raises(DataError, match="row 5, column 0"):
        GaussianMixture().fit(rows)
    rows = normal()
    rows[:, 1] = np.nan
    with pytest.raises(DataError, match="row 0, column 1"):
        GaussianMixture().fit(rows)


def test_21_float32_in_float32_accurate_out():
    rows = two_groups(20_000).astype(np.float32)
    single = GaussianMixture(2).fit(rows)
    double = GaussianMixture(2).fit(rows.astype(np.float64))
    np.testing.assert_allclose(single.means_, double.means_, rtol=1e-7)
    assert single.means_.dtype == np.float64


def test_22_float16_and_integers_beyond_2_to_the_53_warn():
    with pytest.warns(DataWarning, match="float16"):
        GaussianMixture().fit(normal().astype(np.float16))
    big = 1000 * np.arange(20).reshape(-1, 1) + 2**60
    with pytest.warns(DataWarning, match="2\\^53"):
        assert GaussianMixture().fit(big).converged_


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 1e12), (1e-7, 1e8)])
def test_columns_a_few_roundings_wide_converge(covariance_type, scale, offset):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ComponentWarning)
        model = GaussianMixture(2, covariance_type=covariance_type).fit(two_groups() * scale + offset)
    assert model.converged_
    assert finite(model)


def test_23_bool_and_decimal_convert():
    booleans = np.random.default_rng(0).random((60, 2)) > 0.5
    assert finite(GaussianMixture().fit(booleans))
    decimals = np.array([[decimal.Decimal(i) / 7] for i in range(30)], dtype=object)
    assert GaussianMixture().fit(decimals).means_[0, 0] == pytest.approx(14.5 / 7)


@pytest.mark.parametrize(
    "rows",
    [
        np.array([["a"], ["b"]]),
        np.array([["1.5"], ["2"]], dtype=object),
        np.array([[1 + 2j], [0j]]),
        np.array([[object()], [1.0]], dtype=object),
    ],
    ids=["text", "numbers in quotes", "complex", "objects"],
)
def test_24_kinds_that_are_not_numbers(rows):
    with pytest.raises(TypeError):
        GaussianMixture().fit(rows)


def test_25_dates_are_refused_with_a_hint():
    dates = np.array(["2020-01-01", "2020-02-01"], dtype="datetime64[D]")[:, None]
    with pytest.raises(DataKindError, match="subtract a reference date"):
        GaussianMixture().fit(dates)
    frame = pd.DataFrame({"x": [1.0, 2.0], "when": pd.to_datetime(["2020-01-01", "2020-02-01"])})
    with pytest.raises(DataKindError, match="column 'when' is a date"):
        GaussianMixture().fit(frame)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -1.0, 1.0], "row 1 has -1"),
        ([1.0, 1.0, np.nan], "row 2 has nan"),
        ([1.0, np.inf, 1.0], "row 1 has inf"),
        ([0.0, 0.0, 0.0], "zero for every row"),
        ([1.0, 1.0], "one weight a row"),
    ],
)
def test_26_weights_that_are_none(weights, message):
    with pytest.raises(DataError, match=message):
        GaussianMixture().fit([[1.0], [2.0], [4.0]], sample_weight=weights)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_27_zero_weight_is_an_absent_row(covariance_type):
    rows = two_groups()
    absent = np.arange(200) % 3 == 0
    rows[absent] *= 1000.0
    weighted = GaussianMixture(2, covariance_type=covariance_type).fit(rows, sample_weight=~absent)
    without = GaussianMixture(2, covariance_type=covariance_type).fit(rows[~absent])
    np.testing.assert_allclose(weighted.means_, without.means_, rtol=1e-9)
    assert weighted.score(rows, sample_weight=~absent) == pytest.approx(without.lower_bound_, rel=1e-12)


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_28_weights_of_any_size_do_not_overflow(size):
    rows = two_groups()
    with pytest.warns(DataWarning, match="weights were divided"):
        huge = GaussianMixture(2, prior=None).fit(rows, sample_weight=np.full(200, size))
    np.testing.assert_allclose(huge.means_, GaussianMixture(2, prior=None).fit(rows).means_, rtol=1e-6)


def test_29_ties_are_no_collapse():
    rows = np.round(two_groups(1000) * 2.0)
    model = GaussianMixture(2, prior=None).fit(rows)
    assert model.outcome_.sound


def test_30_one_outlier_at_1e6_sigma_is_flagged():
    rows = np.r_[normal(200), [[1e6, 0.0]]]
    with pytest.warns(ComponentWarning, match=r"rests on 1 distinct row \(1e\+06, 0\)"):
        GaussianMixture(2).fit(rows)


def test_31_heavy_tails_make_a_misfit_note():
    from gaussmix.data.memory import MemoryRows
    from gaussmix.learning.search import search
    from gaussmix.learning.settings import FitSettings

    heavy = np.random.default_rng(0).standard_t(3, size=(2000, 2))
    assert search(MemoryRows(heavy), FitSettings(1)).review.tails_heavy
    light = normal(2000)
    assert not search(MemoryRows(light), FitSettings(1)).review.tails_heavy


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_32_one_component_in_one_step(covariance_type):
    rows = normal(50, 3)
    model = GaussianMixture(1, covariance_type=covariance_type, prior=None).fit(rows)
    assert model.n_iter_ == 1
    assert model.converged_
    np.testing.assert_allclose(model.means_[0], rows.mean(axis=0), atol=1e-14)
    if covariance_type == "full":
        np.testing.assert_allclose(model.covariances_[0], np.cov(rows.T, bias=True), rtol=1e-12)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_33_a_perfectly_symmetric_start_leaves_the_saddle(covariance_type):
    rows = two_groups()
    rows -= rows.mean(axis=0)
    start = {"means_init": np.zeros((2, 2)), "covariances_init": 10.0, "weights_init": [0.5, 0.5]}
    with pytest.warns(DataWarning, match="same mean"):
        model = GaussianMixture(2, covariance_type=covariance_type, **start).fit(rows)
    assert same_grouping(model.labels_, np.repeat([0, 1], 100))


def test_34_equal_start_means_warn_but_different_covariances_are_respected():
    rows = np.r_[normal(300), normal(300, seed=1) * 10.0]
    with pytest.warns(DataWarning, match="components 1 and 2 start with the same mean"):
        model = GaussianMixture(
            2, means_init=np.zeros((2, 2)), covariances_init=[1.0, 100.0], weights_init=[0.5, 0.5], trace=True
        ).fit(rows)
    assert np.array_equal(model.trace_[0].mixture.means, np.zeros((2, 2)))
    assert model.covariances_[1, 0, 0] > 20.0 * model.covariances_[0, 0, 0]


def test_35_no_iterations_scores_the_start():
    rows = two_groups()
    start = {"means_init": [[0.0, 0.0], [5.0, 5.0]], "covariances_init": 2.0, "weights_init": [0.3, 0.7]}
    model = GaussianMixture(2, max_iter=0, **start).fit(rows)
    assert model.n_iter_ == 0
    assert model.means_.tolist() == start["means_init"]
    assert model.score(rows) == pytest.approx(model.lower_bound_, rel=1e-12)


def test_36_tolerance_zero_stops_at_rounding():
    model = GaussianMixture(2, tol=0).fit(two_groups())
    assert model.converged_
    assert model.n_iter_ < 1000


@pytest.mark.parametrize("covariances", [-1.0, 0.0, [[[1.0, 2.0], [2.0, 1.0]]] * 2])
def test_37_a_start_covariance_that_is_not_positive_definite(covariances):
    with pytest.raises(StartError, match="not positive definite"):
        GaussianMixture(2, covariances_init=covariances).fit(two_groups())


def test_37_start_precisions_too():
    with pytest.raises(StartError, match="not positive definite"):
        GaussianMixture(2, precisions_init=np.array([[[1.0, 2.0], [2.0, 1.0]]] * 2)).fit(two_groups())


def test_38_non_contiguous_read_only_big_endian():
    rows = two_groups()
    expected = GaussianMixture(2).fit(rows)
    frozen = rows.copy()
    frozen.setflags(write=False)
    spread = np.repeat(np.repeat(rows, 2, axis=0), 2, axis=1)[::2, ::2]
    for variant in (np.asfortranarray(rows), frozen, rows.astype(">f8"), spread):
        assert np.array_equal(GaussianMixture(2).fit(variant).means_, expected.means_)
    assert same_grouping(GaussianMixture(2).fit(rows[::-1]).labels_[::-1], expected.labels_)


def test_39_sparse_matrix():
    with pytest.raises(TypeError, match="dense rows are needed"):
        GaussianMixture().fit(sparse.csr_matrix(normal()))


@pytest.mark.parametrize("n_components", [0, -1, 2.5, "3", None, True, 10**9])
def test_40_numbers_of_components_that_are_none(n_components):
    with pytest.raises((SettingsError, DataError), match="n_components"):
        GaussianMixture(n_components).fit(normal())


@pytest.mark.parametrize(
    "settings",
    [
        {"tol": -1e-3},
        {"tol": np.nan},
        {"max_iter": -1},
        {"n_init": 0},
        {"reg_covar": -1.0},
        {"prior": "strong"},
        {"covariance_type": "round"},
        {"init_params": "magic"},
        {"random_state": -1},
        {"weights_init": [0.5, 0.6]},
        {"weights_init": [1.5, -0.5]},
        {"means_init": [[1.0], [2.0]]},
        {"means_init": [[np.nan, 1.0], [2.0, 1.0]]},
        {"precisions_init": [1.0, 2.0]},
        {"covariances_init": 1.0, "precisions_init": np.stack([np.eye(2)] * 2)},
    ],
    ids=str,
)
def test_settings_without_meaning_are_refused(settings):
    with pytest.raises(SettingsError):
        GaussianMixture(2, **settings).fit(two_groups())
