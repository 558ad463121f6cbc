"""How every library's fit is judged: one log-likelihood, and one rule for what is spurious.

The likelihood of a mixture with free covariances has no upper bound: it grows without end as a component
closes in on a few rows, or on rows that share a value after rounding. Such a fit is an optimum of no
interest, so it neither counts as landing on the best one nor sets it. A component is spurious when

- its effective rows (sum r)^2 / sum r^2 are fewer than 3 (D + 1), r being its responsibilities. On D + 1
  rows a covariance is singular or fits exactly; on three times as many its smallest eigenvalue is still
  about a fifth of the true one, so that the volume depends on which rows were picked; or
- it has fewer than 8 (D + 1) effective rows and is narrow: its standard deviation in some direction, in
  units of that of all rows in the same direction, is below 1 %, or below half of what it is for the
  median component. This is a spike, or a plane of equal values.

Both depend on rows and responsibilities only, not on units. Small components that many rows speak for are
no matter of this rule: every true component of the drawn problems has more than 8 (D + 1) rows. The bounds
were set by looking at what was best of iris and faithful. Where rows are as few as iris has for K = 5, what
is best still depends on them; with K = 3 or in the drawn problems it does not.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, solve_triangular
from scipy.special import logsumexp

FEWEST_ROWS, FEW_ROWS = 3, 8
NARROW, NARROW_BESIDE_OTHERS = 0.01, 0.5


class Verdict(NamedTuple):
    """Mean log-likelihood a row, in nats, and which component is spurious, in words, or nothing."""

    log_likelihood: float
    spurious: str


def log_joint(rows, weights, means, covariances):
    """Log of weight times density, (n, K)."""
    columns = []
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        root = np.linalg.cholesky(covariance)
        residuals = solve_triangular(root, (rows - mean).T, lower=True)
        constant = -0.5 * len(mean) * np.log(2.0 * np.pi) - np.log(np.diagonal(root)).sum()
        with np.errstate(divide="ignore"):
            columns.append(np.log(weight) + constant - 0.5 * (residuals**2).sum(axis=0))
    return np.stack(columns, axis=1)


def narrowest_spreads(rows, covariances):
    """Each component's least standard deviation in any direction, in units of all rows' in that direction."""
    overall = np.atleast_2d(np.cov(rows, rowvar=False, bias=True))
    # Without units, so that the eigenvalues of badly scaled columns are exact.
    units = np.sqrt(np.outer(np.diagonal(overall), np.diagonal(overall)))
    least = [eigh(covariance / units, overall / units)[0][0] for covariance in covariances]
    return np.sqrt(np.maximum(least, 0.0))


def spurious_component(rows, responsibilities, covariances):
    """What is wrong with the first spurious component, or nothing."""
    fewest = rows.shape[1] + 1
    squares = (responsibilities**2).sum(axis=0)
    effective = responsibilities.sum(axis=0) ** 2 / np.maximum(squares, np.finfo(float).tiny)
    spreads = narrowest_spreads(rows, covariances)
    narrow = spreads < max(NARROW, NARROW_BESIDE_OTHERS * np.median(spreads))
    wrong = (effective < FEWEST_ROWS * fewest) | (narrow & (effective < FEW_ROWS * fewest))
    if not wrong.any():
        return ""
    k = int(wrong.argmax())
    return f"component {k}: {effective[k]:.1f} effective rows, narrowest {spreads[k]:.2g} of the data's"


def judged(rows, weights, means, covariances):
    """The verdict on a mixture."""
    if not all(np.isfinite(part).all() for part in (weights, means, covariances)):
        raise ValueError("parameters that are not finite")
    joint = log_joint(rows, weights, means, covariances)
    density = logsumexp(joint, axis=1)
    responsibilities = np.exp(joint - density[:, None])
    return Verdict(float(density.mean()), spurious_component(rows, responsibilities, covariances))
