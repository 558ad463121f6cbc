"""``gaussmix check``: verdict, pairs and rows, as text, JSON and CSV."""

import csv as csv_module

import numpy as np
import pytest


@pytest.fixture
def iris_model(run, data_folder, tmp_path):
    path = tmp_path / "iris.json"
    assert run("fit", data_folder / "iris.csv", "-k", "3", "-o", path).code == 0
    return path


def test_everything_is_said_of_iris(run, iris_model, data_folder):
    done = run("check", iris_model, data_folder / "iris.csv", "--replicates", "39")
    assert done.code == 0
    assert done.out.startswith("Classification entropy ")
    assert "2 and 3" in done.out
    assert "1 and 2" not in done.out
    assert "Nothing here speaks against Gaussian groups" in done.out
    assert "of 150 rows are none of these" in done.out


def test_json_has_it_all(run, iris_model, data_folder):
    done = run("check", iris_model, data_folder / "iris.csv", "--replicates", "39", "--json")
    found = done.json
    assert found["schema"] == "gaussmix-check"
    assert set(found) == {
        "schema",
        "schema_version",
        "entropy",
        "normalised_entropy",
        "pairs",
        "goodness_of_fit",
        "rows",
    }
    assert found["pairs"][0]["components"] == [2, 3]
    assert found["goodness_of_fit"]["gaussian"] is True
    assert found["goodness_of_fit"]["refit_gain"] < 0.01
    assert found["rows"]["n"] == 150
    assert found["rows"]["expected"] == pytest.approx(0.15)
    assert found["rows"]["none_of_these"] == len(found["rows"]["first"])
    again = run("check", iris_model, data_folder / "iris.csv", "--replicates", "39", "--json")
    assert again.out == done.out


def test_without_the_test(run, iris_model, data_folder):
    done = run("check", iris_model, data_folder / "iris.csv", "--no-test", "--json")
    assert done.json["goodness_of_fit"] is None
    assert "Gaussian groups" not in run("check", iris_model, data_folder / "iris.csv", "--no-test").out


def test_rows_are_written(run, iris_model, data_folder, tmp_path):
    out = tmp_path / "rows.csv"
    done = run("check", iris_model, data_folder / "iris.csv", "--no-test", "--rows", out, "--level", "0.05")
    assert done.code == 0
    with out.open(newline="") as file:
        lines = list(csv_module.DictReader(file))
    assert list(lines[0]) == [
        "row",
        "label",
        "probability",
        "uncertainty",
        "log_density",
        "tail_probability",
        "none_of_these",
    ]
    assert [int(line["row"]) for line in lines] == list(range(1, 151))
    assert {line["label"] for line in lines} == {"1", "2", "3"}
    for line in lines:
        assert float(line["probability"]) + float(line["uncertainty"]) == pytest.approx(1.0)
        assert (float(line["tail_probability"]) < 0.05) == (line["none_of_these"] == "true")
    assert f"{sum(line['none_of_these'] == 'true' for line in lines)} of 150 rows" in done.out


def test_skewed_groups_and_an_outlier_are_told(run, csv, tmp_path):
    rng = np.random.default_rng(0)
    values = np.r_[rng.exponential(size=100), 12.0 + rng.exponential(size=100)]
    text = "height\n" + "".join(f"{value:.6f}\n" for value in values)
    model = tmp_path / "model.json"
    assert run("fit", csv(text), "-k", "2", "-o", model).code == 0
    done = run("check", model, csv(text + "60.0\n", "more.csv"))
    assert "These rows are not Gaussian groups" in done.out
    assert "No two components overlap by more than 1%" in done.out
    rows = [line.split() for line in done.out.splitlines()]
    assert ["201", "component", "2"] in [row[:3] for row in rows]
    alone = run("check", model, csv(text), "--replicates", "39").out
    assert "trails off to high values of height" in alone


def test_row_numbers_are_those_of_the_file(run, csv, tmp_path):
    rng = np.random.default_rng(1)
    numbers = [f"{value:.5f}" for value in rng.normal(size=60)]
    model = tmp_path / "model.json"
    assert run("fit", csv("a\n" + "\n".join(numbers) + "\n"), "-k", "1", "-o", model).code == 0
    numbers[3:3] = ["NA"]
    text = "a\n" + "\n".join([*numbers, "40.0"]) + "\n"
    found = run("check", model, csv(text, "more.csv"), "--drop-missing", "--json", "--no-test").json
    assert [row["row"] for row in found["rows"]["first"]] == [62]
    assert found["pairs"] == []
    assert found["normalised_entropy"] == 1.0


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--replicates", "10"], "at least 39"),
        (["--level", "0"], "level must be a number between 0 and 1"),
        (["--level", "1.5"], "level must be a number between 0 and 1"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_what_means_nothing_is_refused(run, iris_model, data_folder, asked, words):
    done = run("check", iris_model, data_folder / "iris.csv", *asked)
    assert done.code == 2
    assert words in done.err
    assert done.out == ""


def test_nothing_is_overwritten(run, iris_model, data_folder):
    before = iris_model.read_bytes()
    done = run("check", iris_model, data_folder / "iris.csv", "--no-test", "--rows", iris_model)
    assert done.code == 3
    assert "choose another name" in done.err
    assert iris_model.read_bytes() == before


def test_fit_checks_what_it_has_fitted(run, data_folder):
    done = run("fit", data_folder / "iris.csv", "-k", "3", "--check")
    assert done.code == 0
    assert "Classification entropy" in done.out
    assert "cluster 1" in done.out
    document = run("fit", data_folder / "iris.csv", "-k", "3", "--check", "--json").json
    assert document["check"]["rows"]["n"] == 150
    assert document["check"]["goodness_of_fit"]["p_value"] > 0.05
