"""Model files of every release are read by this one, to the same numbers."""

import json

import numpy as np
import pytest
from saved_models import MODELS, facts

import gaussmix
from gaussmix.cli.main import main

SAVED = sorted(path for path in MODELS.glob("*/*.json") if path.name != "facts.json")


def test_there_are_models_of_this_release():
    assert (MODELS / gaussmix.__version__).is_dir()
    assert len(SAVED) >= 10


@pytest.mark.parametrize("path", SAVED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_models_of_every_release_are_read(path, tmp_path, capsys):
    known = json.loads((path.parent / "facts.json").read_text())[path.stem]
    model = gaussmix.load(path)
    found = facts(model)
    for name in ("weights", "means", "labels"):
        assert found[name] == known[name]
    assert found["score"] == pytest.approx(known["score"], rel=1e-12)
    np.testing.assert_allclose(found["probabilities"], known["probabilities"], rtol=1e-10, atol=1e-300)
    # Written again, it is the same to the bit.
    model.save(tmp_path / "again.json")
    again = gaussmix.load(tmp_path / "again.json")
    assert facts(again) == found
    np.testing.assert_array_equal(again.covariances_, model.covariances_)
    with pytest.raises(SystemExit) as end:
        main(["show", str(path)])
    assert not end.value.code
    assert capsys.readouterr().out
