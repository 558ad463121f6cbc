"""Model files are data: read back bit for bit, and refused before harm when they are anything else."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussmix.errors import ModelFileError
from gaussmix.model.covariances import FAMILIES
from gaussmix.model.mixture import Mixture
from gaussmix.modelfile import SavedModel, _checksum, load_model, save_model

positive = st.floats(1e-300, 1e300)


@given(
    st.sampled_from(FAMILIES), st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=2), positive, positive
)
def test_floats_read_back_bit_for_bit(tmp_path_factory, family, means, first, second):
    path = tmp_path_factory.mktemp("models") / "m.json"
    # Where a part is shared, variances 600 digits apart have no common one.
    second = first if "E" in family.mclust_name else second
    covariances = family.from_matrices(np.array([[[first]], [[second]]]))
    mixture = Mixture([0.1, 0.9], np.array(means)[:, None], covariances, family)
    save_model(SavedModel(mixture, ("x",), {"seed": 1}), path)
    back = load_model(path)
    assert np.array_equal(back.mixture.means, mixture.means)
    assert np.array_equal(back.mixture.covariances, mixture.covariances)
    assert back.mixture.family is family
    assert back.facts == {"seed": 1}


@pytest.fixture
def document(tmp_path):
    mixture = Mixture([0.5, 0.5], [[0.0, 1.0], [2.0, 3.0]], np.stack([np.eye(2)] * 2), FAMILIES[0])
    save_model(SavedModel(mixture, ("a", "b"), {}), tmp_path / "good.json")
    return json.loads((tmp_path / "good.json").read_text())


def resealed(document):
    document["checksum"] = _checksum(document["model"])
    return json.dumps(document)


def changed(**model):
    def change(document):
        document["model"].update(model)
        return resealed(document)

    return change


def edited(**fields):
    def edit(document):
        return json.dumps({**document, **fields})

    return edit


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: "", "not a model file"),
        (lambda _: "[1, 2]", "does not say that its format"),
        (lambda _: "[" * 100_000, "not a model file"),
        (lambda d: json.dumps(d).replace("0.5", "NaN", 1), "NaN is not a number"),
        (lambda d: json.dumps(d).replace("0.5", "Infinity", 1), "Infinity is not a number"),
        (lambda d: json.dumps(d).replace("0.5", "0.25", 1), "checksum"),
        (edited(version=2), "version 2"),
        (edited(version=True), "version True"),
        (edited(model=None), "checksum"),
        (edited(checksum="sha256:0"), "checksum"),
        (changed(n_components=10**9), "size must be"),
        (changed(n_components=3), "does not have the shape"),
        (changed(n_components=2.0), "whole number"),
        (changed(n_features=-1), "whole number"),
        (changed(means=[[1.0, 2.0], [3.0]]), "does not have the shape"),
        (changed(means=[[1.0, "2"], [3.0, 4.0]]), "not a finite number"),
        (changed(means=[[1.0, True], [3.0, 4.0]]), "not a finite number"),
        (changed(weights=[0.5, 0.6]), "add up to 1"),
        (changed(weights=[1.5, -0.5]), "not be negative"),
        (changed(covariances=[[[1.0, 2.0], [2.0, 1.0]]] * 2), "positive definite"),
        (changed(covariance="round"), "must be one of"),
        (changed(feature_names=["a"]), "must be 2 strings"),
        (changed(facts=[]), "facts"),
        (changed(facts={"weights": "HA"}), "'weights' is not one"),
        (changed(facts={"prior": "\x1b[31mred"}), "'prior' is not one"),
        (changed(facts={"n_rows": "many"}), "'n_rows' is not one"),
        (changed(facts={"rows_assigned": [1.0]}), "one number a component"),
        (changed(facts={"bic": 1.0}), "facts of a fit lack"),
        (changed(weights=[10**400, 0]), "not a finite number"),
        (changed(covariances=[[[1.0, 0.9], [-0.5, 1.0]]] * 2), "not symmetric"),
        (lambda d: json.dumps(d).replace("0.5", "1e999", 1), "checksum"),
    ],
)
def test_what_is_no_model_is_refused(run, tmp_path, document, make, message):
    path = tmp_path / "bad.json"
    path.write_text(make(document))
    with pytest.raises(ModelFileError, match=message):
        load_model(path)
    found = run("show", path)
    assert found.code == 5
    assert "Traceback" not in found.err


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was run",))


def test_a_pickle_is_refused_unread(run, tmp_path):
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(Bomb()))
    assert run("show", path).code == 5
    assert "pickle" in run("show", path).err


def test_a_failed_write_leaves_the_old_file_whole(tmp_path, document, monkeypatch):
    path = tmp_path / "good.json"
    before = path.read_bytes()
    mixture = load_model(path).mixture
    import gaussmix.modelfile as module

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_model(SavedModel(mixture, ("a", "b"), {"more": 1}), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["good.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "x"},
        {"row_weight": 0},
        {"tol": -1.0},
        {"doubts": [{"component": 0, "trouble": "", "sentence": ""}]},
    ],
    ids=str,
)
def test_facts_that_no_fit_can_have_are_refused(run, data_folder, tmp_path, change):
    path = tmp_path / "m.json"
    assert run("fit", data_folder / "faithful.csv", "-k", 2, "-o", path).code == 0
    document = json.loads(path.read_text())
    document["model"]["facts"].update(change)
    path.write_text(resealed(document))
    assert run("show", path).code == 5
