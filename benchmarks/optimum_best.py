"""The best sound log-likelihood ever seen of each problem, and the long search for it.

``python -m benchmarks.optimum_best [--problems NAME ...] [--seconds S] [--seed N]`` runs EM from the true
mixture, then from many starts of several kinds, S seconds a problem, and raises optimum_best.tsv where it
finds better. Each search goes to the end: without a prior, at a tolerance of 1e-12 a row.
"""

import argparse
import warnings
from pathlib import Path
from time import process_time

import numpy as np
from sklearn.mixture import GaussianMixture as ScikitLearn

from benchmarks.optimum_fits import parameters_of
from benchmarks.optimum_judge import judged
from benchmarks.optimum_problems import Parameters, makers
from benchmarks.optimum_tables import NEAR
from gaussmix import GaussianMixture

TABLE = Path(__file__).parent / "optimum_best.tsv"
# Nats a row below the best from which a fit is still worth following to the end.
PROMISING = 0.02
KINDS = ("kmeans", "k-means++", "random_from_data", "scikit-learn")


def stored():
    """The table, by problem."""
    if not TABLE.exists():
        return {}
    lines = (line.split("\t") for line in TABLE.read_text().splitlines()[1:])
    return {name: float(value) for name, value in lines}


def raised(found):
    """Write what is better than the table, and return the problems of which it is."""
    table = stored()
    better = [name for name, value in found.items() if float(f"{value:.12g}") > table.get(name, -np.inf)]
    table |= {name: found[name] for name in better}
    lines = [f"{name}\t{table[name]:.12g}" for name in makers() if name in table]
    TABLE.write_text("\n".join(["problem\tmean_log_likelihood", *lines]) + "\n")
    return better


def polished(problem, parameters):
    """Verdict on where EM without a prior goes from a mixture."""
    model = GaussianMixture(
        problem.n_components,
        weights_init=parameters.weights / parameters.weights.sum(),
        means_init=parameters.means,
        covariances_init=parameters.covariances,
        prior=None,
        tol=1e-12,
    )
    return judged(problem.rows, *parameters_of(model.fit(problem.rows)))


def from_truth(problem):
    """Best log-likelihood on the way from the truth, or -inf where there is none."""
    if problem.truth is None:
        return -np.inf
    verdict = polished(problem, problem.truth)
    return -np.inf if verdict.spurious else verdict.log_likelihood


def started(problem, kind, seed):
    """Parameters that one start of a kind leads to."""
    if kind == "scikit-learn":
        units = problem.rows.std(axis=0)
        # Its reg_covar and its k-means have units; the search should not suffer from them.
        model = ScikitLearn(problem.n_components, random_state=seed, max_iter=300).fit(problem.rows / units)
        weights, means, covariances = parameters_of(model)
        return Parameters(weights, means * units, covariances * np.outer(units, units))
    model = GaussianMixture(problem.n_components, init_params=kind, random_state=seed, n_init=1, tol=1e-6)
    return parameters_of(model.fit(problem.rows))


def reached(problem, kind, seed, best):
    """Sound log-likelihood that one start leads to, or -inf; only what comes near the best is polished."""
    try:
        parameters = started(problem, kind, seed)
        if judged(problem.rows, *parameters).log_likelihood < best - PROMISING:
            return -np.inf
        verdict = polished(problem, parameters)
    # A start that collapses is no matter here.
    except (ValueError, ArithmeticError, RuntimeError):
        return -np.inf
    return -np.inf if verdict.spurious else verdict.log_likelihood


def searched(problem, seconds, first_seed=0):
    """Best sound log-likelihood from the truth and many starts, the starts, and how many came near it."""
    truth, found, began = from_truth(problem), [], process_time()
    while process_time() - began < seconds:
        kind = KINDS[len(found) % len(KINDS)]
        best = max([truth, *found])
        found.append(reached(problem, kind, first_seed + len(found), best))
    best = max([truth, *found])
    return best, len(found), sum(value > best - NEAR for value in found)


def main():
    """Search and raise the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", nargs="+", default=list(makers()), metavar="NAME")
    parser.add_argument("--seconds", type=float, default=10.0, help="processor seconds a problem")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in asked.problems:
        problem = makers()[name]()
        before = stored().get(name, -np.inf)
        best, n_starts, n_near = searched(problem, asked.seconds, asked.seed)
        told = "raised" if raised({name: best}) else ""
        print(
            f"{name:18s}{n_starts:6d} starts,{n_near:5d} near{best:17.9f}, before{before:17.9f} {told}",
            flush=True,
        )


if __name__ == "__main__":
    main()
