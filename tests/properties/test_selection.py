"""Which model and how many components: the table, the verdict, and that nothing but the rows decides."""

import threading

import numpy as np
import pytest

import gaussmix
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataError, SettingsError
from gaussmix.kernels.threads import compute_threads
from gaussmix.learning.selection.cells import ALL_MODELS, Key, SelectionSettings, models_for
from gaussmix.learning.selection.choice import choice, share_of
from gaussmix.learning.selection.grid import select
from gaussmix.learning.settings import FitSettings


def groups(n_each=60, places=(0.0, 6.0, 12.0), n_features=2, seed=0):
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.normal(place, 1.0, (n_each, n_features)) for place in places])


def asked(counts, models, **more):
    return SelectionSettings(counts, models, FitSettings(), **more)


@pytest.fixture(scope="module")
def three():
    return select(MemoryRows(groups()), asked(range(1, 5), ("EII", "EEE", "VVV")))


def test_groups_that_are_apart_are_counted(three):
    found = choice(three)
    assert (found.n_components, found.covariance) == (3, "EII")
    assert found.strength == "very strong evidence"
    assert found.agree
    assert found.share > 0.95


def test_the_margin_is_that_to_another_number_of_components(three):
    found = choice(three)
    bics = {cell.key: cell.criterion("bic") for cell in three.cells}
    others = min(bic for key, bic in bics.items() if key.n_components != 3)
    assert found.margin == pytest.approx(others - bics[Key(3, "EII")])
    assert bics[Key(*found.runner_up)] == others


def test_criteria_follow_from_the_likelihood(three):
    for cell in three.cells:
        likelihood, p = cell.result.log_likelihood, cell.result.mixture.n_parameters
        assert cell.criterion("bic") == pytest.approx(-2.0 * likelihood + p * np.log(180.0))
        assert cell.criterion("aic") == pytest.approx(-2.0 * likelihood + 2.0 * p)
        more = 2.0 * p * (p + 1.0) / (180.0 - p - 1.0)
        assert cell.criterion("aicc") == pytest.approx(cell.criterion("aic") + more)
        assert cell.criterion("icl") >= cell.criterion("bic")


def test_a_freer_model_is_never_less_likely(three):
    """What is fitted from another model's end cannot end below it."""
    for n_components in range(1, 5):
        likelihoods = [
            next(c for c in three.cells if c.key == Key(n_components, model)).result.objective
            for model in ("EII", "EEE", "VVV")
        ]
        assert all(np.diff(likelihoods) > -0.02)


def test_one_group_is_no_evidence_of_groups():
    found = gaussmix.select(groups(100, (0.0,)), range(1, 4), ["EII", "VVV"])
    assert found.choice.n_components == 1
    assert "There is no evidence of groups in these rows." in found.choice.sentences


def test_an_answer_at_the_edge_says_so():
    found = gaussmix.select(groups(), (1, 2), ["EII"])
    assert found.choice.n_components == 2
    assert "Two components is the most that was tried: try more." in found.verdict


def test_it_is_the_same_for_any_number_of_threads():
    rows, wanted = MemoryRows(groups(40)), asked(range(1, 5), ("VII", "EEE", "VEV"))
    found = []
    for n_threads in (1, 2, 3):
        with compute_threads(n_threads):
            found.append(select(rows, wanted))
    for other in found[1:]:
        for one, same in zip(found[0].cells, other.cells, strict=True):
            assert one.criteria == same.criteria
            np.testing.assert_array_equal(one.result.mixture.means, same.result.mixture.means)
            np.testing.assert_array_equal(one.result.mixture.covariances, same.result.mixture.covariances)
        assert found[0].held_out.cells == other.held_out.cells


def test_the_order_of_rows_does_not_matter():
    values = groups(30)
    shuffled = values[np.random.default_rng(1).permutation(len(values))]
    one, other = (gaussmix.select(v, range(1, 4), ["VII", "VVV"]) for v in (values, shuffled))
    for row, same in zip(one.table, other.table, strict=True):
        assert row["bic"] == pytest.approx(same["bic"], abs=1e-6)
        if row["held_out"] is not None:
            assert row["held_out"] == pytest.approx(same["held_out"], abs=1e-6)


def test_weights_are_repeated_rows():
    values = groups(25)
    counts = np.random.default_rng(2).integers(1, 4, len(values))
    weighted = gaussmix.select(values, range(1, 4), ["EII", "VVV"], sample_weight=counts.astype(float))
    repeated = gaussmix.select(np.repeat(values, counts, axis=0), range(1, 4), ["EII", "VVV"])
    for row, same in zip(weighted.table, repeated.table, strict=True):
        assert row["bic"] == pytest.approx(same["bic"], abs=1e-4)
        if row["held_out"] is not None:
            assert row["held_out"] == pytest.approx(same["held_out"], abs=1e-4)


@pytest.mark.parametrize(("offset", "scale"), [(1e8, 1.0), (0.0, 1e-30), (0.0, 1e30)])
def test_units_do_not_matter(offset, scale):
    values = groups(40)
    plain = gaussmix.select(values, range(1, 5), ["VVI", "VVV"])
    moved = gaussmix.select(values * scale + offset, range(1, 5), ["VVI", "VVV"])
    assert moved.choice.n_components == plain.choice.n_components
    margins = moved.choice.margin, plain.choice.margin
    assert margins[0] == pytest.approx(margins[1], abs=1e-3)


def test_held_out_likelihood_is_that_of_fits_to_the_other_rows():
    """The sums against a plain loop over folds, with fits of the estimator's own."""
    values = groups(20, (0.0, 8.0))
    found = select(MemoryRows(values), asked((1, 2), ("EII",), n_folds=4))
    generator = np.random.default_rng(np.random.SeedSequence(0).spawn(2)[1])
    different, which = np.unique(values, axis=0, return_inverse=True)
    folds = (generator.permutation(len(different)) % 4)[which.reshape(-1)]
    for n_components in (1, 2):
        whole = gaussmix.GaussianMixture(n_components, covariance_type="EII").fit(values)._mixture()
        densities = np.empty(len(values))
        for fold in range(4):
            model = gaussmix.GaussianMixture(n_components, covariance_type="EII")
            model.fit(values[folds != fold], start=whole)
            densities[folds == fold] = model.score_samples(values[folds == fold])
        cell = found.held_out.cells[Key(n_components, "EII")]
        assert cell.mean == pytest.approx(densities.mean(), abs=1e-5)


def test_equal_rows_are_held_out_together():
    values = np.repeat(groups(8, (0.0, 9.0)), 5, axis=0)
    found = gaussmix.select(values, (1, 2), ["EII"], n_folds=8)
    # A fit that had seen the row would find it far likelier.
    apart = gaussmix.select(np.unique(values, axis=0), (1, 2), ["EII"], n_folds=8)
    assert found.table[0]["held_out"] == pytest.approx(apart.table[0]["held_out"], abs=0.05)


def test_any_of_the_fits_can_be_had():
    found = gaussmix.select(groups(30), range(1, 4), ["EII", "VVV"])
    model = found.model(2, "VVV")
    assert (model.n_components, model.covariance_type) == (2, "VVV")
    row = next(r for r in found.table if (r["n_components"], r["covariance"]) == (2, "VVV"))
    assert model.bic(groups(30)) == pytest.approx(row["bic"])
    bics = {r["covariance"]: r["bic"] for r in found.table if r["n_components"] == 2}
    assert found.model(2).covariance_type == min(bics, key=bics.get)
    with pytest.raises(SettingsError, match="was not asked for"):
        found.model(7, "VVV")


def test_more_components_than_rows_are_cells_without_a_fit():
    values = np.array([[0.0], [0.1], [5.0], [5.1]])
    found = gaussmix.select(values, range(1, 7), ["E"])
    assert [row["outcome"] for row in found.table][-2:] == ["failed", "failed"]
    assert found.best.n_components <= 4
    assert "could not be fitted" in found.verdict


def test_rows_that_no_model_fits_are_an_error():
    with pytest.raises(DataError, match="single point"):
        gaussmix.select(np.ones((5, 2)), (1, 2))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n_components": 0}, "n_components"),
        ({"n_components": "12"}, "n_components"),
        ({"n_components": []}, "n_components"),
        ({"n_components": [1.5]}, "n_components"),
        ({"covariance_types": ["XXX"]}, "covariance_types must be of"),
        ({"covariance_types": ["E"]}, "it is for one"),
        ({"covariance_types": []}, "covariance_types"),
        ({"criterion": "mdl"}, "criterion"),
        ({"n_folds": 1}, "n_folds"),
        ({"n_repeats": 0}, "n_repeats"),
        ({"parsimony": -1.0}, "parsimony"),
        ({"n_clusters": 3}, "n_clusters"),
        ({"means_init": [[0.0]]}, "means_init"),
    ],
)
def test_a_setting_without_meaning_is_named(wrong, words):
    with pytest.raises(SettingsError, match=words):
        gaussmix.select(groups(10), **{"n_components": (1, 2), **wrong})


def test_the_models_that_words_stand_for():
    assert models_for("all", 1) == ("E", "V")
    assert models_for("all", 3) == ALL_MODELS
    assert len(ALL_MODELS) == 14
    assert models_for("VVV", 3) == ("VVV",)
    assert set(models_for("default", 3)) <= set(ALL_MODELS)


def test_of_two_that_are_as_good_the_one_with_fewer_components_is_taken():
    """A table of which BIC says two components by a hundredth: that is no evidence of two groups."""
    values = np.random.default_rng(3).normal(size=(60, 1))
    values = np.r_[values, values.mean() + 2.0 * (values - values.mean())]
    plain = gaussmix.select(values, (1, 2), ["V"], parsimony=0)
    behind = abs(plain.choice.margin)
    assert plain.choice.n_components == 2
    taken = gaussmix.select(values, (1, 2), ["V"], parsimony=behind + 0.1)
    assert taken.choice.n_components == 1
    assert taken.choice.margin == pytest.approx(-behind)
    assert "not decisive: the smaller number is taken" in taken.verdict
    assert gaussmix.select(values, (1, 2), ["V"], parsimony=behind - 0.1).choice.n_components == 2


def test_doubtful_fits_do_not_win():
    """Two equal rows beside a group: a spike on them would have the best BIC of all without a prior."""
    values = np.r_[np.random.default_rng(0).normal(size=(60, 1)), np.full((2, 1), 0.123456)]
    found = gaussmix.select(values, range(1, 5), ["V"])
    assert found.summary.best["sound"]
    assert found.choice.n_components == 1


def test_an_interruption_leaves_what_was_done():
    rows = MemoryRows(groups(40))
    calls = []

    def interrupt(done, of):
        calls.append(done)
        if done == 4:
            raise KeyboardInterrupt

    with compute_threads(1):
        found = select(rows, asked(range(1, 6), ("EII", "VVV")), interrupt)
    assert found.interrupted
    assert 0 < len(found.cells) <= 5
    told = choice(found)
    assert str(told).startswith("Stopped early, with")
    assert (told.margin, told.strength, told.agree) == (None, "", False)


def test_an_interruption_before_any_fit_is_one():
    def interrupt(done, of):
        raise KeyboardInterrupt

    rows = MemoryRows(groups(40))
    with compute_threads(1):
        found = select(rows, asked((1,), ("EII",)), interrupt)
    assert found.interrupted


def test_a_selection_leaves_no_thread_behind():
    gaussmix.select(groups(20), (1, 2), ["EII", "VVV"], n_threads=2)
    assert not [t for t in threading.enumerate() if t.name.startswith("gaussmix")]


def test_the_share_of_a_number_adds_up_over_models(three):
    cells = [cell for cell in three.ranked if cell.sound]
    total = sum(share_of(cells, n_components) for n_components in range(1, 5))
    assert total == pytest.approx(1.0)


def test_noise_and_other_settings_reach_the_fits():
    values = np.r_[groups(60), np.random.default_rng(3).uniform(-20.0, 30.0, (15, 2))]
    found = gaussmix.select(values, (2, 3, 4), ["EII", "VII"], noise=True, prior=None)
    assert found.choice.n_components == 3
    assert found.best.noise_ is not None
    assert found.best.prior is None


def test_names_of_columns_are_kept():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(groups(20), columns=["length", "width"])
    found = gaussmix.select(frame, (1, 3), ["EII"])
    assert found.best.feature_names_in_.tolist() == ["length", "width"]
    assert found.best.predict(frame).shape == (60,)
    assert pandas.DataFrame(found.table).shape[0] == 2


def test_of_very_many_rows_some_are_held_out(monkeypatch):
    monkeypatch.setattr("gaussmix.learning.selection.held_out.HELD_OUT_VALUES", 2 * 200)
    generator = np.random.default_rng(3)
    matrix = np.concatenate([generator.normal(place, 1.0, (300, 2)) for place in (0.0, 8.0)])
    found = gaussmix.select(matrix, range(1, 4), "VVI", n_folds=2)
    assert found.choice.n_components == 2
    assert "Rows that were held out, of 200 drawn," in found.verdict
