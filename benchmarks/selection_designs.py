"""The designs of ``benchmarks.selection``: tables of which the number of groups is known.

What was fixed before anything was fitted, and not changed since:

- the list: n from 100 to 3,000, D from 1 to 10, K from 1 to 7, nine kinds of covariances by mclust's letters
  and one group of strong correlation, overlap from 1 % to 15 %, and in each design ten seeds, each of which
  draws a mixture and its rows anew;
- volumes: variances within e^-1 and e^1; shapes: within e^-1.2 and e^1.2 before they are centred; directions:
  any (all of them as the kind of the design has it: E one for all, V one each, I none);
- weights: equal, or unequal with none below 0.3 / K, or as the design lists them, down to 5 %;
- means: of thirty draws the one whose nearest two are furthest apart beside the average, since a group that
  lies within another is none that anybody could count; then moved apart or together, until the true mixture
  itself puts the given share of rows into the wrong group;
- badly scaled: columns in units from 1e-3 to 1e4;
- outside the model, where the groups are still K: 2 % of rows uniform over a box half as wide again as the
  others', latent axes of skewness 0.5, or Student's t with 5 degrees of freedom, each of the same covariance.

Fixed too: the competitors run as their users run them (``selection_fits``), among K = 1 to 9, by BIC.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist

from benchmarks.optimum_problems import Parameters, chosen_weights, wrong_share

LOG_VOLUME, LOG_SHAPE = 1.0, 1.2
CORRELATION = 0.98
MEAN_DRAWS = 30
OUTLIERS, BOX = 0.02, 1.5
GAMMA_SHAPE = 16.0
DEGREES = 5.0


@dataclass(frozen=True)
class Design:
    """How a table comes about: its size, and the mixture that it is drawn from.

    ``kind`` is mclust's three letters of the true covariances, or "correlated"; ``overlap`` the share of rows
    that the truth misplaces; ``weights`` "equal", "drawn", or the weights; ``groups`` how a group's rows are
    spread: "normal", "skewed" or "t".
    """

    name: str
    kind: str
    n_rows: int
    n_features: int
    n_components: int
    overlap: float = 0.0
    weights: str | tuple[float, ...] = "drawn"
    scaled: bool = False
    groups: str = "normal"
    outliers: float = 0.0

    @property
    def inside(self):
        """Whether the model is true."""
        return self.groups == "normal" and not self.outliers


DESIGNS = (
    # One group.
    Design("one-line", "EII", 150, 1, 1),
    Design("one-sphere", "EII", 100, 2, 1),
    Design("one-diagonal", "EEI", 300, 4, 1),
    Design("one-ellipse", "EEE", 1000, 10, 1),
    Design("one-correlated", "correlated", 500, 5, 1),
    # Equal spheres.
    Design("eii-d1-k2", "EII", 300, 1, 2, 0.05),
    Design("eii-d2-k3", "EII", 150, 2, 3, 0.05, "equal"),
    Design("eii-d5-k4", "EII", 500, 5, 4, 0.10),
    Design("eii-d3-k6", "EII", 800, 3, 6, 0.03),
    # Unequal spheres.
    Design("vii-d1-k3", "VII", 400, 1, 3, 0.03),
    Design("vii-d2-k2", "VII", 200, 2, 2, 0.05),
    Design("vii-d2-k4", "VII", 1000, 2, 4, 0.10),
    Design("vii-d4-k5", "VII", 600, 4, 5, 0.05),
    # Axis-parallel.
    Design("eei-d8-k4", "EEI", 400, 8, 4, 0.05),
    Design("vvi-d3-k3", "VVI", 250, 3, 3, 0.05),
    Design("vvi-d6-k4", "VVI", 500, 6, 4, 0.05, "equal"),
    Design("vvi-d2-k5", "VVI", 1000, 2, 5, 0.10),
    Design("vvi-d10-k5", "VVI", 700, 10, 5, 0.01),
    # One ellipse for all.
    Design("eee-d4-k3", "EEE", 150, 4, 3, 0.02),
    Design("eee-d3-k2", "EEE", 200, 3, 2, 0.05),
    Design("eee-d2-k3", "EEE", 400, 2, 3, 0.10),
    Design("eee-d6-k4", "EEE", 1000, 6, 4, 0.05),
    # Ellipses that share some of volume, shape, and direction.
    Design("eev-d4-k3", "EEV", 400, 4, 3, 0.05, "equal"),
    Design("vve-d3-k4", "VVE", 600, 3, 4, 0.05),
    Design("vev-d2-k3", "VEV", 300, 2, 3, 0.05),
    Design("vev-d3-k4", "VEV", 500, 3, 4, 0.05),
    Design("vev-d5-k3", "VEV", 1000, 5, 3, 0.10),
    Design("vev-d2-k6", "VEV", 1500, 2, 6, 0.05),
    # Free.
    Design("vvv-d2-k2", "VVV", 100, 2, 2, 0.05),
    Design("vvv-d2-k3", "VVV", 400, 2, 3, 0.10),
    Design("vvv-d4-k3", "VVV", 600, 4, 3, 0.05),
    Design("vvv-d2-k4", "VVV", 800, 2, 4, 0.15),
    Design("vvv-d3-k5", "VVV", 1000, 3, 5, 0.05),
    Design("vvv-d2-k7", "VVV", 2000, 2, 7, 0.05),
    Design("vvv-d10-k3", "VVV", 3000, 10, 3, 0.05),
    # Small groups beside large ones.
    Design("small-vvv-d2-k3", "VVV", 500, 2, 3, 0.02, (0.70, 0.25, 0.05)),
    Design("small-eee-d3-k4", "EEE", 600, 3, 4, 0.03, (0.55, 0.30, 0.10, 0.05)),
    Design("small-vii-d2-k5", "VII", 1000, 2, 5, 0.05, (0.50, 0.25, 0.12, 0.08, 0.05)),
    # Units of all sizes.
    Design("scaled-eee-d3-k3", "EEE", 400, 3, 3, 0.05, scaled=True),
    Design("scaled-vvi-d5-k2", "VVI", 800, 5, 2, 0.05, scaled=True),
    Design("scaled-vvv-d4-k3", "VVV", 500, 4, 3, 0.05, scaled=True),
    # Outside the model.
    Design("outliers-d2-k3", "VVV", 500, 2, 3, 0.03, outliers=OUTLIERS),
    Design("skewed-d2-k2", "VVV", 600, 2, 2, 0.03, groups="skewed"),
    Design("t5-d2-k2", "EEE", 300, 2, 2, 0.03, groups="t"),
    Design("t5-d3-k3", "VVV", 600, 3, 3, 0.03, groups="t"),
)


def true_weights(design, rng):
    """Weights (K,)."""
    if design.weights == "drawn":
        return chosen_weights(rng, design.n_components)
    if design.weights == "equal":
        return np.full(design.n_components, 1.0 / design.n_components)
    return np.array(design.weights)


def true_covariances(design, rng):
    """Covariances (K, D, D) of the design's kind."""
    k, d = design.n_components, design.n_features
    if design.kind == "correlated":
        return np.full((k, d, d), CORRELATION) + (1.0 - CORRELATION) * np.eye(d)
    volume, shape, direction = design.kind
    # All is drawn whatever the kind, and what the kind has in common is the first component's.
    volumes = np.exp(rng.uniform(-LOG_VOLUME, LOG_VOLUME, size=k))
    logs = rng.uniform(-LOG_SHAPE, LOG_SHAPE, size=(k, d))
    shapes = np.exp(logs - logs.mean(axis=1, keepdims=True))
    axes = np.linalg.qr(rng.normal(size=(k, d, d)))[0]
    volumes, shapes, axes = (
        np.broadcast_to(part[:1], part.shape) if letter == "E" else part
        for letter, part in ((volume, volumes), (shape, shapes), (direction, axes))
    )
    shapes = np.ones((k, d)) if shape == "I" else shapes
    axes = np.broadcast_to(np.eye(d), (k, d, d)) if direction == "I" else axes
    return np.einsum("k,kab,kb,kcb->kac", volumes, axes, shapes, axes)


def spread_out(design, rng):
    """Means (K, D) but for their scale: the best spread of some draws."""
    draws = rng.normal(size=(MEAN_DRAWS, design.n_components, design.n_features))
    if design.n_components == 1:
        return draws[0]
    return max(draws, key=lambda means: pdist(means).min() / pdist(means).mean())


def true_mixture(design, seed):
    """The mixture of a seed, at the overlap of the design, in plain units."""
    # Its own numbers for each design, whatever stands before it in the list.
    rng = np.random.default_rng([zlib.crc32(design.name.encode()), seed])
    weights, covariances = true_weights(design, rng), true_covariances(design, rng)
    directions = spread_out(design, rng)
    if design.n_components == 1:
        return Parameters(weights, directions, covariances)
    near, far = 0.1, 1000.0
    for _ in range(20):
        middle = (near * far) ** 0.5
        wrong = wrong_share(seed, Parameters(weights, middle * directions, covariances))
        near, far = (middle, far) if wrong > design.overlap else (near, middle)
    # Few digits, so that the rows do not hang on the last bits of a machine's arithmetic.
    return Parameters(weights, float(f"{far:.3g}") * directions, covariances)


def latent(design, rng):
    """What stands for standard normal numbers, (n, D)."""
    shape = (design.n_rows, design.n_features)
    if design.groups == "skewed":
        return (rng.gamma(GAMMA_SHAPE, size=shape) - GAMMA_SHAPE) / np.sqrt(GAMMA_SHAPE)
    numbers = rng.normal(size=shape)
    if design.groups == "t":
        numbers *= np.sqrt((DEGREES - 2.0) / rng.chisquare(DEGREES, size=(design.n_rows, 1)))
    return numbers


def strewn(rng, rows, share):
    """The rows, of which a share is moved to anywhere in a box around them."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    middle, half = (low + high) / 2.0, BOX * (high - low) / 2.0
    moved = rng.choice(len(rows), size=round(share * len(rows)), replace=False)
    rows[moved] = rng.uniform(middle - half, middle + half, size=(len(moved), rows.shape[1]))
    return rows


def table(design, seed):
    """Rows (n, D) of a design and a seed."""
    truth = true_mixture(design, seed)
    rng = np.random.default_rng([zlib.crc32(design.name.encode()), seed, 1])
    labels = rng.choice(design.n_components, size=design.n_rows, p=truth.weights)
    roots = np.linalg.cholesky(truth.covariances)
    rows = truth.means[labels] + np.einsum("nab,nb->na", roots[labels], latent(design, rng))
    if design.outliers:
        rows = strewn(rng, rows, design.outliers)
    if design.scaled:
        rows = rows * rng.permutation(10.0 ** np.linspace(-3.0, 4.0, design.n_features))
    return np.ascontiguousarray(rows)
