"""``gaussmix fit --standard-errors``: what it prints, and what it refuses."""

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix.learning.belief.uncertainty import METHODS


@pytest.fixture
def faithful_csv(data_folder):
    return data_folder / "faithful.csv"


def test_standard_errors_in_words(run, faithful_csv):
    found = run("fit", faithful_csv, "-k", 2, "--standard-errors")
    assert found.code == 0
    for words in (
        "35.6% ± 2.9%",
        "2.036 ± 0.027",
        "1.983 to 2.090",
        "79.97 ± 0.46",
        "95 % interval",
        "Hessian",
    ):
        assert words in found.out
    assert "Standard errors" not in run("fit", faithful_csv, "-k", 2).out


@pytest.mark.parametrize(
    ("table", "n_components", "method"), [("faithful", 2, "sandwich"), ("heights", 1, "bootstrap")]
)
def test_json_holds_what_the_estimator_finds(run, data_folder, request, table, n_components, method):
    path, rows = data_folder / f"{table}.csv", request.getfixturevalue(table)
    given = run("fit", path, "-k", n_components, "--standard-errors", method, "--seed", 4, "--json").json
    found = GaussianMixture(n_components, random_state=4).fit(rows).uncertainty(method=method)
    assert given["uncertainty"]["method"] == method
    for kind in ("weights", "means", "covariances", "standard_deviations", "correlations", "volumes"):
        for name, values in vars(getattr(found, kind)).items():
            assert np.array_equal(given["uncertainty"][kind][name], values)
    assert np.array_equal(given["means"], given["uncertainty"]["means"]["value"])
    assert "uncertainty" not in run("fit", path, "-k", n_components, "--json").json


@pytest.mark.parametrize("method", METHODS[:3])
def test_every_method_has_its_word(run, faithful_csv, method):
    found = run("fit", faithful_csv, "-k", 1, "--standard-errors", method)
    assert found.code == 0
    assert "100.0%" in found.out


def test_noise_has_its_line(run, faithful_csv):
    found = run("fit", faithful_csv, "-k", 2, "--noise", "--standard-errors")
    assert found.code == 0
    assert found.out.count("noise") >= 2


def test_a_method_that_there_is_not(run, faithful_csv):
    found = run("fit", faithful_csv, "-k", 2, "--standard-errors", "magic")
    assert found.code != 0
    assert "sandwich" in found.err


def test_a_fit_without_standard_errors_is_shown_and_says_why(run, csv):
    table = csv("a,b\n" + "".join(f"{np.sin(i):.6f},{np.cos(3 * i):.6f}\n" for i in range(60)) + "50,50\n")
    found = run("fit", table, "-k", 2, "--standard-errors")
    assert found.code != 0
    assert "2 components in 2 features" in found.out
    assert "rests on 1 distinct row" in found.err
    assert "Traceback" not in found.err


def test_names_are_harmless_and_long_tables_are_cut(run, csv):
    names = [f"\x1b[31mname{j}" for j in range(40)]
    rows = np.random.default_rng(0).standard_normal((300, 40))
    rows[150:] += 3.0
    table = csv(",".join(names) + "\n" + "\n".join(",".join(f"{value:.5f}" for value in row) for row in rows))
    found = run("fit", table, "-k", 2, "--covariance", "diag", "--standard-errors")
    assert found.code == 0
    assert "\x1b[31m" not in found.out
    assert "and 20 more means (--json has them all)" in found.out
