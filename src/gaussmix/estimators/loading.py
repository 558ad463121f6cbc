"""Model files read back as fitted estimators."""

from pathlib import Path

import numpy as np

from gaussmix.estimators.mixture import GaussianMixture
from gaussmix.learning.outcome import Doubt, Outcome, OutcomeKind
from gaussmix.modelfile import load_model
from gaussmix.report.summary import of_saved


def load(path: str | Path) -> GaussianMixture:
    """Read a model file back as a fitted estimator.

    Parameters
    ----------
    path : str or Path
        Written by ``GaussianMixture.save`` or ``gaussmix fit -o``.

    Returns
    -------
    GaussianMixture
        With the same parameters, bit for bit; ``feature_names_in_`` are the file's columns.

    Raises
    ------
    ModelFileError
        If the file is not a model that this version can read safely.
    """
    saved = load_model(path)
    mixture, summary = saved.mixture, of_saved(saved)
    facts = summary.facts
    model = GaussianMixture(
        mixture.n_components,
        covariance_type=mixture.family.name,
        prior=summary.prior,
        random_state=summary.seed,
        **{
            name: facts[name]
            for name in ("tol", "max_iter", "n_init", "init_params", "reg_covar", "equal_weights")
            if name in facts
        },
        noise=mixture.noise is not None,
        acceleration="auto" if facts.get("acceleration", "auto") == "auto" else None,
    )
    model._set_mixture(mixture)
    model.n_features_in_, model.summary_ = mixture.n_features, summary
    if summary.columns_named:
        model.feature_names_in_ = np.array(saved.feature_names, dtype=object)
    if "outcome" in facts:
        doubts = [Doubt(d["component"] - 1, d["trouble"], d["sentence"]) for d in facts["doubts"]]
        model.outcome_ = Outcome(OutcomeKind(facts["outcome"]), facts["outcome_sentence"], tuple(doubts))
        model.converged_ = facts["converged"]
        model.n_iter_ = facts["n_iterations"]
        model.lower_bound_ = facts["log_likelihood"] / facts["row_weight"]
    return model
