"""How often intervals hold the truth: ``python -m benchmarks.coverage [--bootstraps]``.

Rows are drawn from a known mixture again and again, each sample is fitted from the truth (so that the fit
is the root that theory speaks of), and the 95 % intervals of `model.uncertainty` are asked whether they hold
what they are about. Printed is the share that does, over all parameters of a kind, and behind it the standard
error that the number of samples leaves. Theory promises 95 % as rows come in: of every method where the rows
come from such a mixture, and where they do not (heavy tails) of the sandwich and of the bootstraps that draw
from the rows; there the truth is where a fit to two million rows ends.
"""

import argparse
import warnings
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from gaussmix import GaussianMixture
from gaussmix.errors import GaussmixError
from gaussmix.learning.belief.uncertainty import BOOTSTRAPS, INFORMATION
from gaussmix.model.alignment import aligned
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture

LEVEL = 0.95
SAMPLES, BOOTSTRAP_SAMPLES, REPLICATES = 1000, 300, 299
MANY_ROWS = 2_000_000
DEGREES = 7.0
KINDS = ("weights", "means", "variances", "correlations")


@dataclass(frozen=True)
class Design:
    """A mixture, and how many rows are drawn from it; of ``heavy`` ones the groups are Student's t."""

    name: str
    covariance_type: str
    n_rows: int
    weights: tuple[float, ...]
    means: tuple[tuple[float, ...], ...]
    matrices: tuple[tuple[tuple[float, ...], ...], ...]
    heavy: bool = False
    bootstraps: bool = False

    @property
    def mixture(self):
        """The truth, or what rows are made from."""
        family = covariance_family(self.covariance_type)
        matrices = np.array(self.matrices, dtype=float)
        return Mixture(
            np.array(self.weights), np.array(self.means), family.compacted(np.array(matrices)), family
        )


TILTED = ((1.0, 0.6), (0.6, 1.5))
LARGER = ((3.0, -1.2), (-1.2, 2.0))

APART = {
    "weights": (0.4, 0.6),
    "means": ((0.0, 0.0), (4.0, 2.0)),
    "matrices": (TILTED, ((2.0, -0.5), (-0.5, 1.0))),
}
DESIGNS = (
    Design("line", "full", 300, (0.4, 0.6), ((0.0,), (5.0,)), (((1.0,),), ((2.25,),)), bootstraps=True),
    Design("plane", "full", 500, **APART, bootstraps=True),
    Design("three, tied", "tied", 500, (0.2, 0.3, 0.5), ((0, 0), (4, 0), (2, 4)), (TILTED,) * 3),
    Design("one shape (VEV)", "VEV", 500, (0.4, 0.6), ((0, 0), (4, 2)), (TILTED, LARGER)),
    Design("overlap", "full", 500, (0.5, 0.5), ((0.0,), (2.5,)), (((1.0,),), ((1.0,),))),
    Design("overlap", "full", 10_000, (0.5, 0.5), ((0.0,), (2.5,)), (((1.0,),), ((1.0,),))),
    Design("few rows", "full", 60, **APART),
    Design("heavy tails", "full", 2000, (0.4, 0.6), ((0.0,), (7.0,)), (((1.0,),), ((2.25,),)), heavy=True),
)


def drawn(design, n_rows, generator):
    """Rows of a design."""
    rows, labels = design.mixture.sample(n_rows, generator)
    if design.heavy:
        middle = design.mixture.means[labels]
        scale = np.sqrt((DEGREES - 2.0) / generator.chisquare(DEGREES, n_rows))
        rows = middle + (rows - middle) * scale[:, None]
    return rows


def fitted(design, rows, start):
    """The model that EM finds from a start."""
    model = GaussianMixture(len(design.weights), covariance_type=design.covariance_type, max_iter=100_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(rows, start=start)


def truth_of(design):
    """The mixture that fits to ever more rows come to."""
    if not design.heavy:
        return design.mixture
    rows = drawn(design, MANY_ROWS, np.random.default_rng(1))
    return fitted(design, rows, design.mixture)._mixture()


def holds(uncertainty, truth, order):
    """For each kind whether intervals hold the truth: arrays with one entry a parameter."""
    found = {}
    below = np.tril_indices(truth.n_features, -1)
    deviations = np.sqrt(np.einsum("kii->ki", truth.matrices))
    values = {
        "weights": (uncertainty.weights, truth.weights),
        "means": (uncertainty.means, truth.means),
        "variances": (uncertainty.standard_deviations, deviations),
        "correlations": (
            uncertainty.correlations,
            truth.matrices / deviations[:, :, None] / deviations[:, None, :],
        ),
    }
    for kind, (estimated, true) in values.items():
        inside = (estimated.low[order] <= true) & (true <= estimated.high[order])
        found[kind] = (inside[:, *below] if kind == "correlations" else inside).ravel()
    return found


def coverage(design, methods, n_samples, seed=0):
    """By method and kind the share of intervals that hold the truth (n_samples,), and refusals by method."""
    truth = truth_of(design)
    shares, refused = defaultdict(list), defaultdict(int)
    for sequence in np.random.SeedSequence(seed).spawn(n_samples):
        rows = drawn(design, design.n_rows, np.random.default_rng(sequence))
        model = fitted(design, rows, truth)
        order = aligned(model._mixture(), truth)
        for method in methods:
            try:
                uncertainty = model.uncertainty(method=method, level=LEVEL, n_replicates=REPLICATES)
            except GaussmixError:
                refused[method] += 1
                continue
            for kind, inside in holds(uncertainty, truth, order).items():
                if inside.size:
                    shares[method, kind].append(inside.mean())
    return shares, refused


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bootstraps", action="store_true", help="the bootstraps instead: minutes for each")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--design", help="only designs whose name begins so")
    asked = parser.parse_args()
    methods = BOOTSTRAPS if asked.bootstraps else INFORMATION
    n_samples = asked.samples or (BOOTSTRAP_SAMPLES if asked.bootstraps else SAMPLES)
    print(f"share of {100 * LEVEL:g} % intervals that hold the truth, in %, over {n_samples} samples")
    print(
        f"{'design':18s}{'rows':>7s}  {'method':21s}"
        + "".join(f"{kind:>15s}" for kind in KINDS)
        + "  refused"
    )
    for design in DESIGNS:
        if (asked.bootstraps and not design.bootstraps) or not design.name.startswith(asked.design or ""):
            continue
        shares, refused = coverage(design, methods, n_samples)
        for method in methods:
            cells = []
            for kind in KINDS:
                values = 100.0 * np.array(shares.get((method, kind), ()))
                if len(values) < 2:
                    cells.append(f"{'':>15s}")
                    continue
                error = values.std(ddof=1) / np.sqrt(len(values))
                cells.append(f"{values.mean():9.1f} ± {error:.1f}")
            row = f"{design.name:18s}{design.n_rows:7d}  {method:21s}" + "".join(f"{c:>15s}" for c in cells)
            print(f"{row}{refused[method]:9d}", flush=True)


if __name__ == "__main__":
    main()
