"""Nearer to the end on some of the rows, so that fewer passes over all of them are left."""

import numpy as np

from gaussmix.data.memory import MemoryRows
from gaussmix.data.rows import Rows
from gaussmix.errors import DegenerateComponentError
from gaussmix.learning.acceleration import stride_for
from gaussmix.learning.em import fit_em
from gaussmix.learning.settings import FitSettings
from gaussmix.learning.stopping import Limits
from gaussmix.model.maximise import MStep
from gaussmix.model.mixture import Mixture

# Numbers in the sample (16 MiB), and how many times as many rows there must be for it to pay.
APPROACH_VALUES, MANY_TIMES = 1 << 21, 4
# What may be left to gain on the sample, as a share of what all rows will add to its maximum.
LEFT = 0.01


def approached(rows: Rows, start: Mixture, settings: FitSettings, step: MStep) -> Mixture:
    """Climb on a sample of more rows than a search sees, where there are many more.

    Parameters
    ----------
    rows : Rows
    start : Mixture
        Where a search ended.
    settings : FitSettings
    step : MStep
        For all rows.

    Returns
    -------
    Mixture
        The maximum on the sample, or ``start`` where rows are few or the sample lets a component collapse.

    Notes
    -----
    The maximum on n rows falls short of that on all by p / 2n nats a row on average, p the number of
    parameters (as the likelihood-ratio statistic has mean p); a climb on n rows to a hundredth of that has
    done what they can do. docs/adr/0016 has measurements.
    """
    size = APPROACH_VALUES // len(rows.feature_names)
    if rows.summary.n_rows < MANY_TIMES * size:
        return start
    generator = np.random.default_rng(np.random.SeedSequence(settings.seed).spawn(2)[1])
    matrix, weights = rows.sample(size, generator)
    counted = weights * (rows.summary.row_weight / weights.sum())
    sample = MemoryRows.trusted(matrix, counted, rows.feature_names)
    tol = max(settings.tol, LEFT * start.n_parameters / (2.0 * size))
    limits = Limits(tol, settings.max_iter, step.monotone)
    try:
        result = fit_em(sample, start, step, limits, stride=stride_for(settings.acceleration, step, tol))
    except DegenerateComponentError:
        return start
    return start if result.outcome.collapse is not None else result.mixture
