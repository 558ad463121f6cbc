"""Model files of each release, which all later ones must read.

`python tests/contract/saved_models.py` writes those of this version. A release adds a folder under
tests/data/models, and changes none of versions before it.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import gaussmix

MODELS = Path(__file__).parent.parent / "data" / "models"
DATA = Path(__file__).parent.parent / "data" / "faithful.csv"
# What an estimator is asked, by the name of its file.
ASKED = {
    **{name: {"covariance_type": name} for name in ("EII", "VVI", "EEE", "EVE", "VVV")},
    "noise": {"noise": True},
    "one": {"n_components": 1},
    "conjugate": {"prior": "conjugate", "n_components": 3},
    "no prior": {"prior": None},
    "equal": {"equal_weights": True},
}
SHOWN = 5


def fitted(asked):
    """The model that a release fits, with all that it says of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gaussmix.GaussianMixture(**{"n_components": 2, **asked}).fit(pd.read_csv(DATA))


def facts(model):
    """What later releases must make of it: from the parameters alone, so that no fit comes in."""
    rows = pd.read_csv(DATA)
    return {
        "weights": np.asarray(model.weights_).tolist(),
        "means": np.asarray(model.means_).tolist(),
        "score": float(model.score(rows)),
        "probabilities": np.asarray(model.predict_proba(rows[:SHOWN])).tolist(),
        "labels": np.asarray(model.predict(rows)).tolist()[:SHOWN],
    }


def write(folder):
    """This release's models and what they say."""
    folder.mkdir(parents=True)
    known = {}
    for name, asked in ASKED.items():
        model = fitted(asked)
        model.save(folder / f"{name}.json")
        known[name] = facts(model)
    (folder / "facts.json").write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    write(MODELS / gaussmix.__version__)
