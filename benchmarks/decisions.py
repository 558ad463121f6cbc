"""The measurements that docs/adr quotes: ``python -m benchmarks.decisions [NUMBER]`` prints them again."""

import sys
import warnings
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from sklearn.mixture import GaussianMixture as Theirs

from benchmarks.search_times import search_times
from gaussmix import GaussianMixture, kernels
from gaussmix.data.memory import MemoryRows
from gaussmix.kernels.threads import compute_threads
from gaussmix.learning import starts
from gaussmix.learning.acceleration import Leaps
from gaussmix.learning.em import fit_em
from gaussmix.learning.prepare import prepare
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings, GivenStart
from gaussmix.learning.stopping import Limits
from gaussmix.model.covariances import axes as axes_module
from gaussmix.model.covariances.axes import common_axes, height_of, spreads_along
from gaussmix.model.maximise import MStep, maximise
from gaussmix.model.prior import spread_floor
from gaussmix.model.spread import spreadless_directions
from gaussmix.model.statistics import SufficientStatistics

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
            fit = search(
                MemoryRows(HEIGHTS), FitSettings(2, prior=prior, tol=tol, given=START, acceleration="none")
            )
            means = fit.mixture.means[:, 0].round(4)
            told = fit.outcome.kind.value
            print(f"Aitken {tol:7.0e}, prior {prior:5s} {fit.n_iterations:8d}   {means}   {told}")
    print("\nreal tables, default prior, K = 3: iterations and nats a row short of tol=0")
    for name in ("faithful", "iris"):
        for family in MODELS:
            best = search(
                MemoryRows(table_of(name)), FitSettings(3, family, tol=0.0, acceleration="none", n_init=1)
            )
            cells = []
            for tol in (1e-3, 1e-6, 1e-9):
                fit = search(
                    MemoryRows(table_of(name)), FitSettings(3, family, tol=tol, acceleration="none", n_init=1)
                )
                short = (best.objective - fit.objective) / len(table_of(name))
                cells.append(f"{tol:.0e}: {fit.n_iterations:4d} {short:8.1e}")
            print(f"{name:9s} {family:10s} tol=0: {best.n_iterations:5d}   " + "   ".join(cells))


def prior():
    """ADR 3: what the weak prior changes where maximum likelihood is sound, and where it is not."""
    print("sound fits, K = 3: change of the log-likelihood per row, and largest change of a mean in sd")
    for name in ("faithful", "iris"):
        rows = table_of(name)
        for family in MODELS:
            free = search(MemoryRows(rows), FitSettings(3, family, prior="none", n_init=1))
            weak = search(MemoryRows(rows), FitSettings(3, family, n_init=1))
            lost = (free.log_likelihood - weak.log_likelihood) / len(rows)
            moved = np.abs((free.mixture.means - weak.mixture.means) / rows.std(axis=0)).max()
            print(f"{name:9s} {family:10s} {lost:9.1e} {moved:9.1e}")
    print("\n200 random fits of 40 x 2 rows of noise, K = 4, full: collapsed without, with the prior")
    collapsed = {"none": 0, "weak": 0}
    for seed in range(200):
        rows = MemoryRows(np.random.default_rng(seed).normal(size=(40, 2)))
        for name in collapsed:
            fit = search(
                rows, FitSettings(4, prior=name, init_params="random_from_data", seed=seed, n_init=1)
            )
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
                    fit = search(
                        MemoryRows(table_of(name)), FitSettings(n_components, family, prior="none", n_init=1)
                    )
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
    plain = search(MemoryRows(rows), FitSettings(3, acceleration="none", n_init=1))
    for what, wide in (
        ("constant", np.c_[rows, np.full(len(rows), 3.0)]),
        ("doubled", np.c_[rows, rows[:, 0]]),
    ):
        for words, covariance in (("held fixed", real), ("formula alone", spread_everywhere)):
            MemoryRows.covariance = covariance
            fit = search(MemoryRows(wide), FitSettings(3, acceleration="none", n_init=1))
            MemoryRows.covariance = real
            moved = np.abs(fit.mixture.weights - plain.mixture.weights).max()
            print(f"{what:9s} {words:14s} largest change of a weight {moved:.1e}")


def single_precision():
    """ADR 7: what an E-step in float32 gets wrong, and what fits of floats come to."""
    rng = np.random.default_rng(0)
    print("family       rows   D  K   off by   an M-step loses       iterations   end, nats a row apart")
    for n_rows, n_features, n_components, offset, spread, name in (
        (300_000, 10, 5, 0.0, 1.0, "full"),
        (300_000, 3, 4, 1e3, 2.0, "full"),
        (300_000, 5, 4, 0.0, 2.0, "tied"),
        (200_000, 8, 6, 50.0, 1.0, "diag"),
        (300_000, 2, 5, 0.0, 3.0, "spherical"),
        (300_000, 2, 3, 1e4, 3.0, "full"),
        (100_000, 64, 8, 0.0, 1.0, "full"),
        (300_000, 1, 3, 0.0, 2.0, "full"),
        (300_000, 4, 3, 0.0, 10.0, "full"),
    ):
        centres = spread * rng.normal(size=(n_components, n_features)) + offset
        labels = rng.integers(0, n_components, n_rows)
        floats = (centres[labels] + rng.normal(size=(n_rows, n_features))).astype(np.float32)
        settings = FitSettings(n_components, name, prior="none")
        early = search(MemoryRows(floats), replace(settings, max_iter=5)).mixture
        kind = early.family.scatter
        plain, found = MStep.plain(n_features), []
        for e_step in (kernels.expected_sums, kernels.quick_sums):
            sums = e_step(floats, None, early.components, kind)
            after = maximise(SufficientStatistics(sums, early.means, kind), early, plain)
            found.append((sums.log_likelihood, MemoryRows(floats).expected_statistics(after).log_likelihood))
        off = abs(found[1][0] / found[0][0] - 1.0)
        loses = (found[0][1] - found[1][1]) / n_rows
        fits = [search(MemoryRows(rows), settings) for rows in (floats, floats.astype(np.float64))]
        steps = " and ".join(str(fit.history.n_iterations) for fit in fits)
        apart = abs(fits[0].log_likelihood - fits[1].log_likelihood) / n_rows
        shape = f"{name:10s}{n_rows:8,d}{n_features:4d}{n_components:3d}"
        print(f"{shape}{off:9.0e}{loses:18.0e}{steps:>17s}{apart:24.0e}")


def small_sums():
    """ADR 8: weights against copies in another order, fewer rows than features."""
    for n_init in (1, "auto"):
        differ, largest = 0, 0.0
        for seed in range(30):
            rng = np.random.RandomState(seed)
            rows, weights = rng.rand(15, 30), rng.randint(0, 5, size=15)
            copies = np.repeat(rows, weights, axis=0)
            model = GaussianMixture(2, n_init=n_init)
            one = model.fit(rows, sample_weight=weights).predict_proba(rows)
            other = model.fit(copies[rng.permutation(len(copies))]).predict_proba(rows)
            apart = np.abs(one - other)
            largest = max(largest, apart.max())
            differ += (apart > 1e-7 * other + 1e-9).any()
        print(
            f"{kernels.KERNEL_NAME} kernel, n_init={n_init}: {differ} of 30 tables differ, "
            f"by {largest:.0e} at most"
        )


def slow_problems():
    """Rows on which EM is slow: the heights, real rows with too many components, and heavy overlap."""
    yield "heights", HEIGHTS, 2
    yield "faithful", table_of("faithful"), 3
    yield "faithful", table_of("faithful"), 4
    rng = np.random.default_rng(7)
    for distance in (0.8, 1.0, 1.3, 1.6):
        for n_features, n_components, n_rows in (
            (1, 2, 500), (1, 3, 5000), (2, 3, 1000), (3, 4, 2000), (5, 3, 5000), (8, 5, 5000),
        ):  # fmt: skip
            apart = distance * (1.5 if n_features == 1 else 1.0)
            centres = apart * rng.normal(size=(n_components, n_features))
            labels = rng.integers(n_components, size=n_rows)
            roots = 0.3 * rng.normal(size=(n_components, n_features, n_features)) / np.sqrt(n_features)
            roots += np.eye(n_features)
            noise = rng.normal(size=(n_rows, n_features))
            rows = centres[labels] + np.einsum("nij,nj->ni", roots[labels], noise)
            yield f"overlap {distance} D={n_features}", rows, n_components


def acceleration():
    """ADR 9: passes over the rows, and time, until 1e-8 nats a row are left, with leaps and without."""
    passes, times = [], []
    limits = Limits(1e-8, 20_000)
    print(
        "problem               K   EM's own  with leaps  refused   EM's ms  with leaps   left a row  better"
    )
    for name, rows, n_components in slow_problems():
        table, settings = MemoryRows(rows), FitSettings(n_components, n_init=1)
        step = prepare(table, settings)
        start = starts.make_start(table, settings, step, np.random.default_rng(0))
        with compute_threads(None):
            begun = perf_counter()
            plain = fit_em(table, start, step, limits)
            between = perf_counter()
            found = fit_em(table, start, step, limits, stride=Leaps(step, limits.tol))
            seconds = (between - begun, perf_counter() - between)
            tight = fit_em(table, start, step, Limits(1e-14, 20_000), stride=Leaps(step, 1e-14))
        left = (tight.objective - found.objective) / len(rows)
        better = (found.objective - plain.objective) / len(rows)
        passes.append((plain.history.n_passes, found.history.n_passes))
        times.append(seconds)
        print(
            f"{name:20s} {n_components:2d} {passes[-1][0]:10d} {passes[-1][1]:11d} "
            f"{found.history.n_refused:9d} {1e3 * seconds[0]:9.1f} {1e3 * seconds[1]:11.1f} "
            f"{left:12.0e} {better:10.0e}"
        )
    for words, pairs in (("passes", np.array(passes)), ("time", np.array(times))):
        ratios = pairs[:, 0] / pairs[:, 1]
        print(f"{words}: {np.median(ratios):.1f} times less (median), {ratios.min():.2f} at least")
        print(f"    all: {pairs.sum(axis=0)}")


def majorised_axes(scatter, counts, axes, equal_volumes, enough, most=20_000):
    """Browne and McNicholas's orientation: two majorisers in turn, until ``enough``; (height, rounds)."""
    for done in range(most):
        spreads = spreads_along(scatter, axes)
        height = height_of(spreads, counts, equal_volumes)
        if height <= enough:
            return height, done
        # With variances at their best, sum_k tr(W_k D B_k^-1 D^T) is what the axes have to lower.
        sizes = np.exp(np.log(spreads).mean(axis=1))[:, None]
        inverse = sizes / spreads if equal_volumes else counts[:, None] / spreads
        if done % 2 == 0:
            bound = np.linalg.eigvalsh(scatter)[:, -1]
            pulled = np.einsum("ki,kij->ij", inverse, axes.T @ scatter)
            pulled -= np.einsum("k,ki,ji->ij", bound, inverse, axes)
            left, _, right = np.linalg.svd(pulled)
            axes = -(right.T @ left.T)
        else:
            bound = inverse.max(axis=1)
            pulled = np.einsum("kij,kj->ij", scatter @ axes, inverse)
            pulled -= np.einsum("k,kij->ij", bound, scatter @ axes)
            left, _, right = np.linalg.svd(pulled)
            axes = -(left @ right)
    return height, most


def common_orientation():
    """ADR 10: one orientation for all components, from the pooled axes to 1e-9 nats a row of the optimum."""
    print("model   K  D      majorising: rounds     ms      rotating: rounds     ms")
    for n_components, n_features in ((3, 4), (10, 10), (50, 20)):
        rng = np.random.default_rng(n_features)
        shape = (n_components, n_features, n_features)
        roots = 0.5 * rng.normal(size=shape) / np.sqrt(n_features) + np.eye(n_features)
        scatter, counts = 1000.0 * roots @ roots.transpose(0, 2, 1), np.full(n_components, 1000.0)
        begun = np.linalg.eigh(scatter.sum(axis=0))[1]
        for model, equal_volumes in (("EVE", True), ("VVE", False)):
            rounds = []
            counted = axes_module._angles
            axes_module._angles = lambda *given: rounds.append(1) or counted(*given)  # noqa: B023
            start = perf_counter()
            axes = common_axes(scatter, counts, begun, equal_volumes)
            taken = perf_counter() - start
            axes_module._angles = counted
            best = height_of(spreads_along(scatter, axes), counts, equal_volumes)
            enough = best + 1e-9 * counts.sum()
            start = perf_counter()
            height, n_majorised = majorised_axes(scatter, counts, begun, equal_volumes, enough)
            majorised = perf_counter() - start
            short = "" if height <= enough else f"  (majorising ends {height - best:.1g} nats short)"
            print(
                f"{model} {n_components:5d} {n_features:2d} {n_majorised:24d} {1e3 * majorised:6.0f} "
                f"{len(rounds):20d} {1e3 * taken:6.1f}{short}"
            )


DECISIONS = {
    1: centred_statistics,
    2: stopping,
    3: prior,
    4: default_start,
    5: flat_directions,
    7: single_precision,
    8: small_sums,
    9: acceleration,
    10: common_orientation,
    11: search_times,
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit() and int(word) in DECISIONS]
    if len(numbers) < len(sys.argv) - 1:
        sys.exit(f"choose from {', '.join(map(str, DECISIONS))}")
    for number in numbers or DECISIONS:
        print(f"\n== {DECISIONS[number].__doc__}")
        DECISIONS[number]()
