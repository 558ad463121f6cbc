"""The bootstrap likelihood-ratio test: what it finds, and that replicates are fitted as the rows are."""

from dataclasses import replace

import numpy as np
import pytest

import gaussmix
from gaussmix import kernels
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import SettingsError
from gaussmix.kernels import reference_climb
from gaussmix.kernels.threads import compute_threads
from gaussmix.learning.climbers import rule_for
from gaussmix.learning.prepare import prepare
from gaussmix.learning.selection import likelihood_ratio
from gaussmix.learning.selection.likelihood_ratio import _Test, ratio_tests
from gaussmix.learning.selection.tables import Mixtures, Tables, with_one_more
from gaussmix.learning.settings import FitSettings
from gaussmix.model.covariances import covariance_family

# The readable kernel takes the same steps (a test below), a hundred times slower: smaller numbers must do.
READABLE = kernels.KERNEL_NAME.startswith("reference")
TABLES, ROWS_EACH = (19, 25) if READABLE else (199, 70)


def groups(n_each=ROWS_EACH, places=(0.0, 7.0), n_features=2, seed=0):
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.normal(place, 1.0, (n_each, n_features)) for place in places])


@pytest.mark.parametrize("model", ["VVV", "VVI", "spherical", "EEE"])
def test_two_groups_are_two(model):
    n_replicates = min(TABLES, 59) if model == "EEE" else TABLES
    found = gaussmix.bootstrap_test(
        groups(), (1,) if READABLE else range(1, 5), model, n_replicates=n_replicates
    )
    assert found.n_components == 2
    assert found.tests[0].p_value == pytest.approx(1.0 / (n_replicates + 1.0))
    if not READABLE:
        second = found.tests[1]
        assert second.p_value > 0.05
        assert second.error == pytest.approx(
            np.sqrt(second.p_value * (1 - second.p_value) / (n_replicates + 1))
        )
        assert "there is no evidence of one more" in found.conclusion


def test_the_p_value_counts_replicates_that_gain_as_much():
    found = gaussmix.bootstrap_test(groups(), (2,), n_replicates=TABLES)
    test = found.tests[0]
    assert len(test.replicates) == TABLES
    assert test.p_value == (1 + (test.replicates >= test.statistic).sum()) / (TABLES + 1)


def test_p_values_are_uniform_where_there_is_no_group_more():
    """One Gaussian, tested again and again: p-values of 19 replicates are 0.05, 0.10, ... alike."""
    n_rows, n_tests = (20, 24) if READABLE else (80, 120)
    generator = np.random.default_rng(5)
    p_values = np.array(
        [
            gaussmix.bootstrap_test(
                generator.normal(size=(n_rows, 1)), (1,), "V", n_replicates=19, random_state=i
            )
            .tests[0]
            .p_value
            for i in range(n_tests)
        ]
    )
    counts = np.bincount(np.minimum((p_values - 0.025) // 0.25, 3).astype(int), minlength=4)
    # Chi-squared with 3 degrees of freedom exceeds 16.3 once in a thousand.
    expected = n_tests / 4
    assert ((counts - expected) ** 2 / expected).sum() < 16.3


def test_steps_on_many_tables_are_those_on_each():
    generator = np.random.default_rng(1)
    tables = np.stack([groups(30, seed=i) for i in range(4)])
    weights = generator.integers(1, 4, tables.shape[:2]).astype(float)
    rows = MemoryRows(tables[0])
    step = prepare(rows, FitSettings(3, "VVV"))
    family = covariance_family("full")
    rule = rule_for(family, 2, step, 60.0)
    start = Mixtures.at(
        np.full((4, 5, 3), 1 / 3),
        np.stack([generator.choice(table, (5, 3)) for table in tables]),
        np.broadcast_to(4.0 * np.eye(2), (4, 5, 3, 2, 2)),
    )
    for given in (None, weights):
        together = Tables(tables, given, rule).climb(start, 6)
        for i in range(4):
            for climb in (kernels.climb, reference_climb.climb):
                own = None if given is None else given[i]
                alone = climb(tables[i], own, start.weights[i], start.means[i], start.covariances[i], rule, 6)
                np.testing.assert_allclose(together.objectives[i], alone.objectives, rtol=1e-11)
                np.testing.assert_allclose(together.means[i], alone.means, rtol=1e-8, atol=1e-10)
    reference = reference_climb.climb(
        tables.reshape(-1, 2),
        weights.reshape(-1),
        start.weights.reshape(20, 3),
        start.means.reshape(20, 3, 2),
        start.covariances.reshape(20, 3, 2, 2),
        rule,
        6,
        4,
    )
    np.testing.assert_allclose(reference.objectives, together.objectives.reshape(-1), rtol=1e-11)


def test_a_climb_to_the_end_ends_where_a_fit_does():
    values = groups(50, (0.0, 3.0))
    model = gaussmix.GaussianMixture(2).fit(values)
    step = prepare(MemoryRows(values), FitSettings(2))
    tables = Tables(values[None], None, rule_for(covariance_family("full"), 2, step, 100.0))
    start = Mixtures.at(
        np.full((1, 1, 2), 0.5), np.array([[[[-1.0, 0.0], [4.0, 3.0]]]]), np.tile(np.eye(2), (1, 1, 2, 1, 1))
    )
    found = tables.climb_to_the_end(start, 1e-6)
    order = found.means[0, 0, :, 0].argsort()
    np.testing.assert_allclose(found.means[0, 0][order], model.means_, atol=1e-3)


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
def test_starts_with_one_more_are_mixtures_of_the_same_rows(name):
    family = covariance_family(name)
    tables = np.stack([groups(30, seed=i) for i in range(3)])
    stored = family.from_matrices(np.tile([[2.0, 0.5], [0.5, 1.0]], (2, 1, 1)))
    null = Mixtures.at(
        np.full((3, 1, 2), 0.5),
        np.tile([[0.0, 0.0], [7.0, 7.0]], (3, 1, 1, 1)),
        np.broadcast_to(stored, (3, 1, *stored.shape)),
    )
    more = with_one_more(null, family, tables, np.random.default_rng(0), 4)
    assert more.weights.shape == (3, 2 * 3 + 4, 3)
    np.testing.assert_allclose(more.weights.sum(axis=2), 1.0)
    # A split component has the mean it had, whatever its halves are.
    np.testing.assert_allclose(
        np.einsum("rmk,rmkd->rmd", more.weights, more.means)[:, :6], np.full((3, 6, 2), 3.5)
    )
    assert np.isfinite(more.covariances).all()


def test_replicates_do_not_depend_on_threads_or_on_how_many_are_fitted_at_a_time(monkeypatch):
    rows, settings = MemoryRows(groups(20)), FitSettings()
    found = []
    for n_threads, numbers in ((1, 1 << 22), (2, 1 << 22), (2, 500)):
        monkeypatch.setattr(likelihood_ratio, "NUMBERS", numbers)
        with compute_threads(n_threads):
            found.append(ratio_tests(rows, (1,), settings, 20))
    for other in found[1:]:
        for one, same in zip(found[0].tests, other.tests, strict=True):
            np.testing.assert_array_equal(one.replicates, same.replicates)
            assert one.statistic == same.statistic


def test_side_by_side_finds_what_a_search_finds():
    """Few of the batched ratios may be less than those of whole searches, and by little."""
    settings = FitSettings(1, "VVV", prior="none")
    n_tables = 4 if READABLE else 20
    test = _Test(MemoryRows(groups(60, (0.0, 2.5))), settings, n_tables, [].append)
    seeds = np.random.SeedSequence(1).spawn(n_tables)
    tables = np.stack([test._drawn(seed) for seed in seeds])
    batched = test._ratios(tables, None, seeds)
    whole = []
    for table in tables:
        one, two = (gaussmix.GaussianMixture(k, prior=None).fit(table).lower_bound_ for k in (1, 2))
        whole.append(2.0 * len(table) * (two - one))
    short = np.array(whole) - batched
    assert (short > 0.5).mean() <= (0.25 if READABLE else 0.15)
    assert np.median(np.abs(short)) < 0.01


def test_weights_are_repeated_rows():
    values = groups(30)
    counts = np.random.default_rng(2).integers(1, 4, len(values))
    one = gaussmix.bootstrap_test(values, (1,), n_replicates=20, sample_weight=counts.astype(float))
    other = gaussmix.bootstrap_test(np.repeat(values, counts, axis=0), (1,), n_replicates=20)
    assert one.tests[0].statistic == pytest.approx(other.tests[0].statistic, rel=1e-4)


def test_units_do_not_matter():
    values = groups(40, (0.0, 3.0))
    plain = gaussmix.bootstrap_test(values, (1,), n_replicates=20)
    moved = gaussmix.bootstrap_test(values * 1e-20 + 1e-13, (1,), n_replicates=20)
    assert moved.tests[0].statistic == pytest.approx(plain.tests[0].statistic, rel=1e-4)


def test_an_interruption_leaves_the_tests_that_were_done():
    def interrupt(done, of):
        if done > 20:
            raise KeyboardInterrupt

    found = ratio_tests(MemoryRows(groups()), (1, 2, 3), FitSettings(), 20, announce=interrupt)
    assert found.interrupted
    assert [t.n_components for t in found.tests] == [1]
    assert found.conclusion.startswith("Stopped early: at least 2 components")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n_components": (1, 3)}, "rise by one"),
        ({"n_replicates": 0}, "n_replicates"),
        ({"level": 1.0}, "level"),
        ({"n_replicates": 18}, "at least 19"),
        ({"n_replicates": 98, "level": 0.01}, "at least 99"),
    ],
)
def test_a_setting_without_meaning_is_named(wrong, words):
    with pytest.raises(SettingsError, match=words):
        gaussmix.bootstrap_test(groups(10), **{"n_components": (1,), **wrong})


def test_as_few_tables_as_a_level_needs_can_reject():
    """With 19 tables the smallest p-value is 0.05."""
    found = gaussmix.bootstrap_test(groups(), (1,), n_replicates=19)
    assert found.tests[0].p_value == 0.05
    assert found.n_components == 2


def test_a_test_of_one_number_says_no_more_than_it_knows():
    found = gaussmix.bootstrap_test(groups(), (1,), n_replicates=20)
    assert found.conclusion == "At least 2 components at level 0.05: no more were tried."
    assert replace(found, level=0.001).n_components == 2
    assert found.as_json()["tests"][0]["n_replicates"] == 20
