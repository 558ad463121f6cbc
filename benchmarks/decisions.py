"""The measurements that docs/adr quotes: ``python -m benchmarks.decisions [1-5]`` prints them again."""

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.mixture import GaussianMixture as Theirs

from gaussmix.data.memory import MemoryRows
from gaussmix.learning import starts
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings, GivenStart
from gaussmix.model.prior import spread_floor
from gaussmix.model.spread import spreadless_directions

DATA = Path(__file__).parent.parent / "tests" / "data"
HEIGHTS = np.loadtxt(DATA / "heights.csv", skiprows=1)[:, None]
START = GivenStart(weights=[0.5, 0.5], means=[[5.5], [6.0]], covariances=0.1)
MODELS = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}


def table_of(name):
    return np.loadtxt(DATA / f"{name}.csv", delimiter=",", skiprows=1)


def centred_statistics():
    """ADR 1: relative error of one covariance entry, by the offset of rows with unit spread."""
    noise = np.random.default_rng(0).normal(size=(10_000, 1))
    print("offset      E[x^2] - mean^2   centred on a mean 0.1 sd off")
    for offset in (0.0, 1e2, 1e4, 1e6, 1e8):
        rows = noise + offset
        exact = np.var([float(x) - offset for x in rows[:, 0]])
        raw = (rows**2).mean() - rows.mean() ** 2
        centred = rows - (offset + 0.1)
        shifted = (centred**2).mean() - centred.mean() ** 2
        print(f"{offset:8.0e}  {abs(raw / exact - 1):16.1e}  {abs(shifted / exact - 1):16.1e}")


def stopping():
    """ADR 2: what each rule calls converged on the ten heights, and what the default costs on real tables."""
    print("ten heights, no prior       iterations   means             called")
    for tol in (1e-3, 1e-6, 1e-10):
        theirs = Theirs(
            2,
            tol=tol,
            max_iter=100_000,
            reg_covar=0.0,
            weights_init=START.weights,
            means_init=START.means,
            precisions_init=[[[10.0]], [[10.0]]],
        )
        try:
            theirs.fit(HEIGHTS)
            told = "converged" if theirs.converged_ else "not converged"
            means = theirs.means_[:, 0]
            print(f"|step| < {tol:7.0e} (sklearn) {theirs.n_iter_:8d}   {means.round(3)}   {told}")
        except ValueError as error:
            print(f"|step| < {tol:7.0e} (sklearn)        -   {str(error)[:60]}")
    for prior in ("none", "weak"):
        for tol in (1e-3, 1e-4, 1e-6, 1e-9, 1e-12):
            fit = search(MemoryRows(HEIGHTS), FitSettings(2, prior=prior, tol=tol, given=START))
            means = fit.mixture.means[:, 0].round(4)
            told = fit.outcome.kind.value
            print(f"Aitken {tol:7.0e}, prior {prior:5s} {fit.n_iterations:8d}   {means}   {told}")
    print("\nreal tables, default prior, K = 3: iterations and nats a row short of tol=0")
    for name in ("faithful", "iris"):
        for family in MODELS:
            best = search(MemoryRows(table_of(name)), FitSettings(3, family, tol=0.0))
            cells = []
            for tol in (1e-3, 1e-6, 1e-9):
                fit = search(MemoryRows(table_of(name)), FitSettings(3, family, tol=tol))
                short = (best.objective - fit.objective) / len(table_of(name))
                cells.append(f"{tol:.0e}: {fit.n_iterations:4d} {short:8.1e}")
            print(f"{name:9s} {family:10s} tol=0: {best.n_iterations:5d}   " + "   ".join(cells))


def prior():
    """ADR 3: what the weak prior changes where maximum likelihood is sound, and where it is not."""
    print("sound fits, K = 3: change of the log-likelihood per row, and largest change of a mean in sd")
    for name in ("faithful", "iris"):
        rows = table_of(name)
        for family in MODELS:
            free = search(MemoryRows(rows), FitSettings(3, family, prior="none"))
            weak = search(MemoryRows(rows), FitSettings(3, family))
            lost = (free.log_likelihood - weak.log_likelihood) / len(rows)
            moved = np.abs((free.mixture.means - weak.mixture.means) / rows.std(axis=0)).max()
            print(f"{name:9s} {family:10s} {lost:9.1e} {moved:9.1e}")
    print("\n200 random fits of 40 x 2 rows of noise, K = 4, full: collapsed without, with the prior")
    collapsed = {"none": 0, "weak": 0}
    for seed in range(200):
        rows = MemoryRows(np.random.default_rng(seed).normal(size=(40, 2)))
        for name in collapsed:
            fit = search(rows, FitSettings(4, prior=name, init_params="random_from_data", seed=seed))
            collapsed[name] += fit.outcome.collapse is not None
    print(collapsed)


def default_start():
    """ADR 4: nats short of mclust's best, one k-means partition against the best of ten."""
    print("table     model      K   one partition   best of ten")
    method, _ = starts._METHODS["kmeans"]
    reached = [0, 0]
    for name in ("faithful", "iris"):
        lines = (DATA / f"{name}.mclust.tsv").read_text().splitlines()[1:]
        best = {(line.split("\t")[0], int(line.split("\t")[1])): float(line.split("\t")[2]) for line in lines}
        for family, model in MODELS.items():
            for n_components in range(2, 6):
                short = []
                for trials in (1, 10):
                    starts._METHODS["kmeans"] = (method, trials)
                    fit = search(MemoryRows(table_of(name)), FitSettings(n_components, family, prior="none"))
                    short.append(best[model, n_components] - fit.log_likelihood)
                reached = [count + (s < 1e-3) for count, s in zip(reached, short, strict=True)]
                print(f"{name:9s} {family:10s} {n_components}  {short[0]:12.3f}  {short[1]:12.3f}")
    starts._METHODS["kmeans"] = (method, 10)
    print(f"within 1e-3 nats of mclust's best, or above: {reached[0]} and {reached[1]} of 32")


def flat_directions():
    """ADR 5: a column of no information must not change the grouping: constant and doubled columns."""
    real = MemoryRows.covariance

    def spread_everywhere(self):
        covariance = real(self)
        flat = spreadless_directions(covariance)
        floor = spread_floor(flat, covariance, self.summary.magnitudes)
        return covariance if floor is None else covariance + floor

    rows = table_of("iris")
    plain = search(MemoryRows(rows), FitSettings(3))
    for what, wide in (
        ("constant", np.c_[rows, np.full(len(rows), 3.0)]),
        ("doubled", np.c_[rows, rows[:, 0]]),
    ):
        for words, covariance in (("held fixed", real), ("formula alone", spread_everywhere)):
            MemoryRows.covariance = covariance
            fit = search(MemoryRows(wide), FitSettings(3))
            MemoryRows.covariance = real
            moved = np.abs(fit.mixture.weights - plain.mixture.weights).max()
            print(f"{what:9s} {words:14s} largest change of a weight {moved:.1e}")


DECISIONS = {1: centred_statistics, 2: stopping, 3: prior, 4: default_start, 5: flat_directions}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit() and int(word) in DECISIONS]
    if len(numbers) < len(sys.argv) - 1:
        sys.exit(f"choose from {', '.join(map(str, DECISIONS))}")
    for number in numbers or DECISIONS:
        print(f"\n== {DECISIONS[number].__doc__}")
        DECISIONS[number]()
