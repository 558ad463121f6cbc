"""One adapter for each library: a fit with a fixed number of EM iterations from a given start.

An adapter is a function (problem, rows, start, n_iterations) that does it, or raises
`NotOfferedError` where the library has no such model. Libraries that are not installed are left out.
"""

import importlib
import importlib.util
import sys
import time
import types

import numpy as np
from sklearn.mixture import GaussianMixture as ScikitLearn

from gaussmix import GaussianMixture
from gaussmix.model.covariances import covariance_family


class NotOfferedError(Exception):
    """The library has no such model."""


def _settings(problem, start, n_iterations):
    family = covariance_family(problem.covariance_type)
    n_components, n_features = start.means.shape
    identity = np.broadcast_to(np.eye(n_features), (n_components, n_features, n_features))
    return {
        "n_components": n_components,
        "covariance_type": problem.covariance_type,
        "tol": 0.0,
        "max_iter": n_iterations,
        "weights_init": start.weights,
        "means_init": start.means,
        "precisions_init": family.from_matrices(identity),
        "reg_covar": 0.0,
    }


def _checked(model, rows, n_iterations):
    model.fit(rows)
    if model.n_iter_ != n_iterations:
        raise RuntimeError(f"{model.n_iter_} iterations instead of {n_iterations}")


def ours(problem, rows, start, n_iterations):
    """Gaussmix without a prior: the same EM as the others do."""
    _checked(
        GaussianMixture(prior=None, acceleration=None, **_settings(problem, start, n_iterations)),
        rows,
        n_iterations,
    )


def scikit_learn(problem, rows, start, n_iterations):
    """scikit-learn's GaussianMixture."""
    _checked(ScikitLearn(**_settings(problem, start, n_iterations)), rows, n_iterations)


def pomegranate(problem, rows, start, n_iterations):
    """Pomegranate 1.x on float32 tensors, its default."""
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    if problem.covariance_type not in ("full", "diag"):
        raise NotOfferedError
    n_features = start.means.shape[1]
    spread = np.eye(n_features) if problem.covariance_type == "full" else np.ones(n_features)
    groups = [
        Normal(mean.astype(np.float32), spread.astype(np.float32), covariance_type=problem.covariance_type)
        for mean in start.means
    ]
    weights = start.weights.astype(np.float32)
    model = GeneralMixtureModel(groups, priors=weights, max_iter=n_iterations, tol=-1e30)
    model.fit(torch.from_numpy(rows.astype(np.float32, copy=False)))


def onedal(problem, rows, start, n_iterations):
    """Intel oneDAL's em_gmm through daal4py."""
    daal = _daal()
    storage = {"full": "full", "diag": "diagonal"}.get(problem.covariance_type)
    if storage is None:
        raise NotOfferedError
    n_components, n_features = start.means.shape
    spread = np.eye(n_features) if storage == "full" else np.ones((1, n_features))
    algorithm = daal.em_gmm(
        nComponents=n_components,
        maxIterations=n_iterations,
        accuracyThreshold=0.0,
        covarianceStorage=storage,
    )
    algorithm.compute(rows, start.weights.reshape(1, -1), start.means, [spread] * n_components)


def _daal():
    """daal4py's own functions, without its patches for a scikit-learn that is older than ours."""
    if "daal4py" not in sys.modules:
        package = types.ModuleType("daal4py")
        package.__path__ = importlib.util.find_spec("daal4py").submodule_search_locations
        sys.modules["daal4py"] = package
    return importlib.import_module("daal4py._daal4py")


def installed():
    """Adapters of the libraries that are here, by name; ours and scikit-learn's first."""
    found = {"gaussmix": ours, "scikit-learn": scikit_learn}
    if importlib.util.find_spec("pomegranate"):
        found["pomegranate"] = pomegranate
    if importlib.util.find_spec("daal4py"):
        found["oneDAL"] = onedal
    return found


def iteration_seconds(adapter, problem, rows, start, most=7):
    """Seconds of one EM iteration."""
    taken = []
    for n_iterations in (most, 2):
        began = time.perf_counter()
        adapter(problem, rows, start, n_iterations)
        taken.append(time.perf_counter() - began)
    return max((taken[0] - taken[1]) / (most - 2), 1e-9)
