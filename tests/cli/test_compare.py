"""``gaussmix compare``: two model files side by side."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from gaussmix import GaussianMixture


@pytest.fixture(scope="module")
def models(tmp_path_factory, data_folder):
    """Files of iris fits with 2 and 3 components, and one with its columns in another order."""
    folder, frame = tmp_path_factory.mktemp("models"), pd.read_csv(data_folder / "iris.csv")
    for n_components in (2, 3):
        GaussianMixture(n_components).fit(frame).save(folder / f"{n_components}.json")
    GaussianMixture(3).fit(frame[frame.columns[::-1]]).save(folder / "turned.json")
    GaussianMixture(2).fit(frame.rename(columns={"Petal.Width": "evil\x1b[31m"})).save(folder / "other.json")
    return folder


def test_a_model_is_the_same_as_itself(run, models):
    done = run("compare", models / "3.json", models / "3.json")
    assert done.code == 0
    assert "A and B are the same to rounding." in done.out
    assert "10,000 rows drawn from A and B, half and half (seed 0)" in done.out
    assert "of its own 150 rows: log-likelihood -180.206, BIC 580.880" in done.out


def test_columns_are_matched_by_name(run, models):
    found = run("compare", models / "3.json", models / "turned.json", "--json").json
    assert "the same" in found["sentence"]
    assert max(pair["hellinger"] for pair in found["pairs"]) < 1e-4
    assert found["feature_names"] == ["Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width"]


def test_rows_are_assigned_and_scored_under_both(run, models, data_folder):
    table = data_folder / "iris.csv"
    found = run("compare", models / "2.json", models / "3.json", table, "--json").json
    frame = pd.read_csv(table)
    two, three = (GaussianMixture(k).fit(frame) for k in (2, 3))
    assert found["sentence"] == "B splits component 2 of A into its components 2 and 3."
    assert found["only_a"] == []
    assert len(found["only_b"]) == 1
    assert np.sum(found["rows_by_component"]) == 150
    assert found["adjusted_rand"] == pytest.approx(
        adjusted_rand_score(two.predict(frame), three.predict(frame))
    )
    for said, own, model in zip(found["on_rows"], found["own_rows"], (two, three), strict=True):
        assert said["bic"] == pytest.approx(model.bic(frame), rel=1e-9)
        assert said["bic"] == pytest.approx(own["bic"], rel=1e-9)
    printed = run("compare", models / "2.json", models / "3.json", table).out
    assert "only in B: component" in printed
    assert "correlation, A to B:" in printed
    assert "574.047" in printed


def test_the_seed_is_said_and_obeyed(run, models):
    files = (models / "2.json", models / "3.json")
    first, again, other = (run("compare", *files, "--json", "--seed", seed).json for seed in (1, 1, 2))
    assert first == again
    assert first["seed"] == 1
    assert first["rows_by_component"] != other["rows_by_component"]


def test_other_columns_are_refused_by_name(run, models):
    done = run("compare", models / "2.json", models / "other.json")
    assert done.code == 2
    assert "only A has 'Petal.Width'" in done.err
    assert "\x1b" not in done.err


def test_a_file_that_is_no_model_is_refused(run, models, tmp_path):
    path = tmp_path / "no.json"
    path.write_text(json.dumps({"a": 1}))
    assert run("compare", models / "2.json", path).code == 5
    assert run("compare", models / "2.json", tmp_path / "missing.json").code == 3
