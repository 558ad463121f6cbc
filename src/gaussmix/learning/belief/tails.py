"""Tail probabilities: how much of a mixture's mass is less dense than a given row.

For one component it is a chi-squared tail. For more, let Y be from component j; then f(Y) is at least
w_j N(Y; j), whose distribution is a chi-squared one. So

    P(f(Y) <= c)  <=  sum_j w_j P_j(w_j N(Y; j) <= c),

with equality where components lie far apart. Otherwise the left side is estimated from draws of each
component, some of them from wider Gaussians so that tails are seen (a defensive mixture of proposals: Owen
and Zhou, Journal of the American Statistical Association 95 (2000) 135), and what the same draws make of the
right side, which is known, corrects it (a control variate).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import chdtrc, chdtri

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.mixture import Mixture
from gaussmix.model.overlap import factor_matrices

N_DRAWS = 1 << 16
SEED = 0
# Draws are half from each component itself, and the rest from it widened so that half of these lie
# beyond what so small a share of its own rows exceeds.
OWN_SHARE, WIDE_LEVELS = 0.4, (1e-2, 1e-4, 1e-7)
# Densities at which the tail is computed; between them it is interpolated.
N_LEVELS = 4096
# Rows are equally noise whose log densities exceed noise's by less; and what rounding makes of equal ones.
LEVEL, ROUNDING = 1e-3, 1e-9
# How far outside its box a row of the noise may seem to lie by rounding, in the box's edges.
EDGE = 1e-6


@dataclass(frozen=True, eq=False)
class Tails:
    """Tail probabilities by log density, at rising levels; made by ``tails_of``."""

    mixture: Mixture
    levels: FloatArray
    """(L,), log densities."""
    log_bounds: FloatArray
    """(L,), log of the tail probability if components did not overlap."""
    log_ratios: FloatArray
    """(L,), log of the tail probability over that: 0 or less."""
    errors: FloatArray
    """(L,), one standard error of the tail probability, over itself."""

    def probabilities(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Share of the mixture's mass that is no denser than each row of (n, D), and its error: (n,), (n,).

        The second is one standard error of the Monte-Carlo part: 0 for one component, which is exact.

        Notes
        -----
        A row outside the box of noise has no density from noise here.
        """
        mixture = self.mixture
        if mixture.noise is None and mixture.n_components == 1:
            distances = mixture.squared_distances(rows)[:, 0]
            return np.asarray(chdtrc(mixture.n_features, distances)), np.zeros(len(rows))
        log_densities = proper_log_density(mixture, rows)
        below = log_densities < self.levels[0]
        log_bounds = np.interp(log_densities, self.levels, self.log_bounds)
        if below.any():
            with np.errstate(divide="ignore"):
                log_bounds[below] = np.log(_bounds(mixture, log_densities[below]))
        # Past the last draws components are taken to overlap as they did there.
        tails = np.exp(log_bounds + np.interp(log_densities, self.levels, self.log_ratios))
        return np.minimum(tails, 1.0), tails * np.interp(log_densities, self.levels, self.errors)

    def share_below(self, level: float) -> float:
        """Share of the mixture's mass whose tail probability is below ``level``.

        That is ``level``, but for rows of noise alone: they are all equally dense, and so all of them
        have one tail probability.
        """
        noise = self.mixture.noise
        if noise is None or noise.weight == 0.0:
            return level
        around = noise.log_density + LEVEL * np.array([-1.0 - 1e-6, -1.0 + 1e-6])
        under, at = np.exp(np.interp(around, self.levels, self.log_bounds + self.log_ratios))
        return float(under) if under < level <= at else level


def tails_of(mixture: Mixture, seed: int = SEED, n_draws: int = N_DRAWS) -> Tails:
    """Prepare tail probabilities under a mixture.

    Parameters
    ----------
    mixture : Mixture
        Perhaps with noise, which is uniform over its box.
    seed : int
        Of the draws.
    n_draws : int
        How many in all.

    Returns
    -------
    Tails
        With 65,536 draws good to about 1% of itself for tails of 0.001 and to a few percent for 1e-6 where
        components overlap much, and exact where they do not.
    """
    # Far from the origin a draw would lose digits that the mean's place does not need.
    centre = mixture.means[int(np.argmax(mixture.weights))]
    noise = mixture.noise and replace(mixture.noise, corner=mixture.noise.corner - centre)
    near = replace(mixture, means=mixture.means - centre, noise=noise)
    if mixture.noise is None and mixture.n_components == 1:
        blank = np.zeros(1)
        return Tails(mixture, blank, blank, blank, blank)
    own, full, masses = _draws(near, np.random.default_rng(seed), n_draws)
    levels = _levels(own, full, near)
    bounds = _bounds(near, levels)
    slack = _slack(near)
    alone, alone_squared = _sum_below(own, masses, levels + slack)
    together, together_squared = _sum_below(full, masses, levels + slack)
    # Both counts are of the same draws, and the second never the larger.
    share = together_squared / np.where(alone_squared > 0.0, alone_squared, 1.0)
    tails = np.clip(together - share * (alone - bounds), 0.0, np.minimum(bounds, 1.0))
    # The denser a row, the more mass is less dense: half-way between the two nearest that rise.
    falling = np.minimum.accumulate(tails[::-1])[::-1]
    tails = 0.5 * (np.maximum.accumulate(tails) + falling)
    errors = np.sqrt(together_squared * np.maximum(1.0 - share, 0.0))
    known = tails > 5.0 * errors
    kept = slice(int(np.argmax(known)) if known.any() else len(levels) - 1, None)
    levels, tails, log_bounds = levels[kept], tails[kept], np.log(bounds[kept])
    return Tails(mixture, levels, log_bounds, np.log(tails) - log_bounds, errors[kept] / tails)


def proper_log_density(mixture: Mixture, rows: FloatArray) -> FloatArray:
    """Log density of rows (n, D), that of noise ending where its box does: (n,)."""
    found = mixture.log_density(rows)
    if mixture.noise is None:
        return found
    corner, edges = mixture.noise.corner, mixture.noise.edges
    places = np.linalg.solve(edges.T, (rows - corner).T)
    outside = ((places < -EDGE) | (places > 1.0 + EDGE)).any(axis=0)
    if outside.any():
        found[outside] = replace(mixture, noise=None).log_density(rows[outside])
    return found


def _draws(
    mixture: Mixture, generator: np.random.Generator, n_draws: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Draws: log density of what each is drawn from alone (m,), log density (m,), and mass (m,)."""
    factors, n_features = factor_matrices(mixture), mixture.n_features
    peaks = _log_peaks(mixture)
    used = np.flatnonzero(mixture.weights > 0.0)
    n_parts = len(used) + (mixture.noise is not None)
    widths = _widths(n_features)
    places, own, masses = [], [], []
    for j in used:
        # Rare components may be what tails are made of.
        share = 0.5 * mixture.weights[j] + 0.5 / n_parts
        count = len(widths) * int(np.ceil(n_draws * share / len(widths)))
        width = np.resize(widths, count)
        normal = generator.standard_normal((count, n_features)) * np.sqrt(width)[:, None]
        places.append(mixture.means[j] + solve_triangular(factors[j], normal.T, trans="T").T)
        squares = np.einsum("nd,nd->n", normal, normal)
        own.append(peaks[j] - 0.5 * squares)
        masses.append(mixture.weights[j] / count * _over_proposal(squares, widths, n_features))
    if mixture.noise is not None and mixture.noise.weight > 0.0:
        noise = mixture.noise
        count = int(np.ceil(n_draws * (0.5 * noise.weight + 0.5 / n_parts)))
        places.append(noise.corner + generator.random((count, n_features)) @ noise.edges)
        own.append(np.full(count, noise.log_density))
        masses.append(np.full(count, noise.weight / count))
    return np.concatenate(own), proper_log_density(mixture, np.concatenate(places)), np.concatenate(masses)


def _widths(n_features: int) -> FloatArray:
    """Factors of the covariance, as often as each is drawn with."""
    medians = chdtri(n_features, 0.5)
    wide = [max(float(chdtri(n_features, level) / medians), 1.0) for level in WIDE_LEVELS]
    each = 5
    n_own = round(OWN_SHARE / (1.0 - OWN_SHARE) * each * len(wide))
    return np.repeat([1.0, *wide], [n_own, *([each] * len(wide))])


def _over_proposal(squares: FloatArray, widths: FloatArray, n_features: int) -> FloatArray:
    """Density of N(0, I) over that of the draws, at squared lengths (n,): (n,), bounded."""
    proposed = np.zeros(len(squares))
    with np.errstate(over="ignore"):
        for width, count in zip(*np.unique(widths, return_counts=True), strict=True):
            growth = 0.5 * squares * (1.0 - 1.0 / width) - 0.5 * n_features * np.log(width)
            proposed += count / len(widths) * np.exp(growth)
    return np.asarray(1.0 / proposed)


def _log_peaks(mixture: Mixture) -> FloatArray:
    """Log of w_k N(mu_k; mu_k, Sigma_k): (K,)."""
    components = mixture.components
    norm = 0.5 * mixture.n_features * np.log(2.0 * np.pi)
    peaks: FloatArray = components.log_weights + components.log_determinants - norm
    return peaks


def _bounds(mixture: Mixture, levels: FloatArray) -> FloatArray:
    """The tails at log densities (n,), if components did not overlap: (n,)."""
    found, slack = np.zeros(len(levels)), _slack(mixture)
    for weight, peak in zip(mixture.weights, _log_peaks(mixture), strict=True):
        if weight > 0.0:
            found += weight * chdtrc(mixture.n_features, np.maximum(2.0 * (peak - levels - slack), 0.0))
    if mixture.noise is not None and mixture.noise.weight > 0.0:
        found[levels + slack >= mixture.noise.log_density] += mixture.noise.weight
    return found


def _slack(mixture: Mixture) -> float:
    return ROUNDING if mixture.noise is None else LEVEL


def _levels(own: FloatArray, full: FloatArray, mixture: Mixture) -> FloatArray:
    """Log densities at which to compute tails: as many draws between each two, and both sides of noise."""
    values = np.sort(np.concatenate([own, full]))
    ranks = np.linspace(0, len(values) - 1, N_LEVELS).astype(int)
    levels = [values[ranks], mixture.log_density(mixture.means)]
    if mixture.noise is not None and mixture.noise.weight > 0.0:
        levels.append(mixture.noise.log_density + LEVEL * np.array([-1.0 - 1e-6, -1.0 + 1e-6, 0.0]))
    return np.unique(np.concatenate(levels))


def _sum_below(values: FloatArray, masses: FloatArray, levels: FloatArray) -> FloatArray:
    """Sums of masses, and of their squares, of draws with values (m,) up to each level: (2, L)."""
    order = np.argsort(values)
    sums = np.zeros((2, len(values) + 1))
    np.cumsum(masses[order], out=sums[0, 1:])
    np.cumsum(masses[order] ** 2, out=sums[1, 1:])
    found: FloatArray = sums[:, np.searchsorted(values[order], levels, side="right")]
    return found
