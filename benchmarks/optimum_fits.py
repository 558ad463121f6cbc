"""The competitors of ``benchmarks.optimum``: of a problem and a seed each makes parameters and seconds."""

import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from sklearn.mixture import GaussianMixture as ScikitLearn

from benchmarks.optimum_judge import judged
from benchmarks.optimum_problems import Parameters
from gaussmix import GaussianMixture
from gaussmix.learning.settings import DEFAULT_TOL

TIGHT = {"n_init": 10, "tol": DEFAULT_TOL, "max_iter": 1000}
MCLUST_LIMIT = 120
MCLUST = """
suppressMessages(library(mclust))
set.seed(0)
x <- matrix(readBin("{rows}", "double", {n} * {d}), {n}, {d}, byrow = TRUE)
seconds <- system.time(fit <- Mclust(x, G = {k}, modelNames = "{model}", verbose = FALSE))[[3]]
p <- fit$parameters
variances <- if ({d} == 1) p$variance$sigmasq else p$variance$sigma
told <- c(seconds, p$pro, p$mean, rep_len(variances, {k} * {d} * {d}))
cat(sprintf("%.17g", told), sep = "\\n")
"""


class Run(NamedTuple):
    """One fit by one competitor; of a failed one only what it said."""

    problem: str
    competitor: str
    seed: int
    seconds: float
    log_likelihood: float
    spurious: str = ""
    failure: str = ""

    @property
    def sound(self):
        """Whether it counts."""
        return not self.spurious and not self.failure


def parameters_of(model):
    """Parameters of a fitted estimator."""
    return Parameters(model.weights_, model.means_, model.covariances_)


def timed(model, problem):
    """Parameters after fitting, and the seconds it took."""
    began = perf_counter()
    model.fit(problem.rows)
    return parameters_of(model), perf_counter() - began


def ours(problem, seed):
    """Gaussmix as it comes."""
    return timed(GaussianMixture(problem.n_components, random_state=seed), problem)


def ours_once(problem, seed):
    """Gaussmix from one start."""
    return timed(GaussianMixture(problem.n_components, n_init=1, random_state=seed), problem)


def scikit_learn(problem, seed):
    """scikit-learn as it comes."""
    return timed(ScikitLearn(problem.n_components, random_state=seed), problem)


def scikit_learn_tight(problem, seed):
    """scikit-learn from ten starts, with the tolerance gaussmix has by default."""
    return timed(ScikitLearn(problem.n_components, random_state=seed, **TIGHT), problem)


def mclust(problem, seed):  # noqa: ARG001
    """R's mclust as it comes, timed inside R."""
    (n, d), k = problem.rows.shape, problem.n_components
    with tempfile.TemporaryDirectory() as folder:
        problem.rows.tofile(f"{folder}/rows")
        script = MCLUST.format(rows=f"{folder}/rows", n=n, d=d, k=k, model="V" if d == 1 else "VVV")
        Path(f"{folder}/fit.R").write_text(script)
        command = ["Rscript", f"{folder}/fit.R"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=MCLUST_LIMIT)
    if done.returncode or not done.stdout:
        raise RuntimeError("mclust found no fit")
    seconds, *told = (float(word) for word in done.stdout.split())
    if len(told) != k * (1 + d + d * d):
        raise RuntimeError("mclust found no fit")
    weights, means, covariances = np.split(np.array(told), [k, k + k * d])
    # R stores the first index fastest: (D, K) and (D, D, K) read as (K, D) and (K, D, D).
    return Parameters(weights, means.reshape(k, d), covariances.reshape(k, d, d)), seconds


COMPETITORS = {
    "ours": ours,
    "ours-1": ours_once,
    "sklearn": scikit_learn,
    "sklearn-tight": scikit_learn_tight,
    "mclust": mclust,
}
WORDS = {
    "ours": "GaussianMixture(K, random_state=seed): all defaults",
    "ours-1": "the same with n_init=1",
    "sklearn": "scikit-learn's GaussianMixture(K, random_state=seed): all defaults",
    "sklearn-tight": f"scikit-learn's with n_init=10, tol={DEFAULT_TOL:g}, max_iter=1000: the number that is "
    "the tolerance of ours, though theirs bounds one step a row and ours the estimated remaining gain a row",
    "mclust": "Mclust(X, G=K, 'VVV' or 'V'): one run a problem (R's seed 0; it draws rows where n > 2000), "
    f"at most {MCLUST_LIMIT} s",
}


def available(names=None):
    """Which competitors there are, in the order of the tables."""
    here = [name for name in COMPETITORS if name != "mclust" or shutil.which("Rscript")]
    return [name for name in here if names is None or name in names]


def one_run(problem, competitor, seed):
    """A judged run; warnings are silenced, and what is raised makes it a failed one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parameters, seconds = COMPETITORS[competitor](problem, seed)
            verdict = judged(problem.rows, *parameters)
        except subprocess.TimeoutExpired:
            return failed(problem, competitor, seed, f"more than {MCLUST_LIMIT} s")
        # Whatever it is: it is named in the table.
        except Exception as error:
            return failed(problem, competitor, seed, f"{type(error).__name__}: {error}")
    return Run(problem.name, competitor, seed, seconds, verdict.log_likelihood, verdict.spurious)


def failed(problem, competitor, seed, why):
    """A failed run."""
    return Run(
        problem.name, competitor, seed, float("nan"), float("nan"), failure=" ".join(why.split())[:100]
    )
