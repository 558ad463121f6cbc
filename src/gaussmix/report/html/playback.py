"""What the viewer of a report is given: rows, mixtures on the way, and the sums between them, as JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.rows import Rows
from gaussmix.errors import DegenerateComponentError
from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.result import TraceStep
from gaussmix.model.maximise import MStep, maximise
from gaussmix.model.mixture import Mixture
from gaussmix.report.portrait import Portrait, portrait_of

SCHEMA, SCHEMA_VERSION = "gaussmix-report", 1
# Frames of a playback, a quarter of them at its beginning and its end each without a gap, and numbers in
# their covariances.
MOST_FRAMES, FEWEST_FRAMES, MOST_COVARIANCES = 60, 5, 40_000
# Points of the curve of what EM climbs, and how many at its ends.
MOST_POINTS, POINTS_AT_ENDS = 1000, 250
# Rows that are drawn, and numbers in their table; more rows are sampled, with more features fewer of them.
MOST_ROWS, MOST_NUMBERS = 3000, 30_000
# Scatter matrices are given for up to so many features.
WHOLE_SCATTER = 8
DIGITS, FEWER_DIGITS = 12, 8
ENDED = "The fit ended here: this mixture is the answer, and no M-step follows."
COLLAPSED = (
    "The fit stopped here: the next M-step would leave a component without spread, and the likelihood grow "
    "without bound. This mixture is no answer."
)


@dataclass(frozen=True, eq=False)
class Playback:
    """A fit to be played back."""

    portrait: Portrait
    """Of the last mixture."""
    steps: tuple[TraceStep, ...]
    """The whole trace, of which some steps are frames."""
    frames: tuple[dict[str, Any], ...]
    ended: str
    """What to say where the fit ended."""
    arithmetic: dict[str, Any]
    """What the M-step adds to sums: the words and numbers of the prior."""

    def as_json(self) -> dict[str, Any]:
        """What the viewer reads."""
        portrait = self.portrait
        chosen = _spread_out(len(self.steps), MOST_POINTS, POINTS_AT_ENDS)
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "features": list(portrait.feature_names),
            "n_rows": portrait.n_rows,
            "told": self.told,
            "ended": self.ended,
            "row_numbers": portrait.row_numbers.tolist(),
            "rows": _short(portrait.rows),
            "frames": list(self.frames),
            "history": {
                "iterations": [self.steps[i].iteration for i in chosen],
                "objectives": [self.steps[i].objective for i in chosen],
            },
            **self.arithmetic,
        }

    @property
    def told(self) -> str:
        """What is not shown of rows and iterations, in sentences; empty if all is."""
        return " ".join(f"{part}." for part in (self.portrait.sampling, self.thinned) if part)

    @property
    def thinned(self) -> str:
        """Which iterations are shown, in words; empty if all are."""
        left = len(self.steps) - len(self.frames)
        if not left:
            return ""
        shown = f"{len(self.frames)} of {len(self.steps):,} iterations are shown"
        return f"{shown}: the first, the last, and ever fewer between"


def playback_of(
    rows: Rows,
    trace: tuple[TraceStep, ...],
    step: MStep,
    row_numbers: NDArray[Any] | None = None,
    collapsed: bool = False,
) -> Playback:
    """A fit from its trace.

    Parameters
    ----------
    rows : Rows
        What was fitted.
    trace : tuple of TraceStep
        At least one: where the fit ended.
    step : MStep
        As it was fitted with.
    row_numbers : (N,) array, optional
        Numbers of the rows in their file, where some were left out.
    collapsed : bool
        Whether the fit stopped because the next M-step would leave a component without spread.
    """
    mixture = trace[-1].mixture
    n_features = len(rows.feature_names)
    # Covariances of many features take much room.
    room = MOST_COVARIANCES // (mixture.n_components * n_features**2)
    most_frames = max(min(MOST_FRAMES, room), FEWEST_FRAMES)
    chosen = _spread_out(len(trace), most_frames, most_frames // 4)
    frames = tuple(_frame(rows, trace, i, step) for i in chosen)
    most = max(100, min(MOST_ROWS, MOST_NUMBERS // n_features))
    family = mixture.family
    pseudo = np.zeros((mixture.n_components, n_features, n_features))
    by_hand = family.name == "full" and step.prior.anchor is None
    if by_hand:
        pseudo = pseudo + step.prior.pseudo_scatter(family, mixture.n_components)
    arithmetic = {
        "covariance": family.name,
        "covariance_words": family.words,
        "row_weight": rows.summary.row_weight,
        "prior": step.prior.name,
        "by_hand": by_hand and step.prior.floor() is None and not step.ties.any,
        "pseudo_rows": step.prior.pseudo_rows(family, mixture.n_components, n_features),
        "pseudo_scatter": _short(pseudo[0]) if by_hand else None,
        "reg_covar": step.reg_covar,
    }
    portrait = portrait_of(mixture, rows, most, row_numbers)
    return Playback(portrait, trace, frames, COLLAPSED if collapsed else ENDED, arithmetic)


def _frame(rows: Rows, trace: tuple[TraceStep, ...], i: int, step: MStep) -> dict[str, Any]:
    mixture, noise = trace[i].mixture, trace[i].mixture.noise
    statistics = rows.expected_statistics(mixture)
    frame = {
        "iteration": trace[i].iteration,
        "log_likelihood": trace[i].log_likelihood,
        "objective": trace[i].objective,
        **_parameters(mixture),
        "noise": None if noise is None else {"weight": noise.weight, "log_density": noise.log_density},
        "counts": _short(statistics.sums.counts),
        "offsets": _short(statistics.sums.offsets),
        "scatter": None,
        "after": None,
        "leapt": False,
    }
    if mixture.family.name == "full" and mixture.n_features <= WHOLE_SCATTER:
        frame["scatter"] = _short(statistics.sums.scatter)
    if i + 1 < len(trace):
        try:
            after = maximise(statistics, mixture, step)
        except DegenerateComponentError:
            return frame
        frame["after"] = _parameters(after, mixture.n_features <= WHOLE_SCATTER)
        frame["leapt"] = not np.allclose(after.means, trace[i + 1].mixture.means, rtol=1e-7, atol=0.0)
    return frame


def _parameters(mixture: Mixture, covariances: bool = True) -> dict[str, Any]:
    digits = DIGITS if mixture.n_features <= WHOLE_SCATTER else FEWER_DIGITS
    return {
        "weights": _short(mixture.weights),
        "means": _short(mixture.means),
        "covariances": _short(mixture.matrices, digits) if covariances else None,
    }


def _spread_out(n_steps: int, most: int, ends: int) -> list[int]:
    """The first few places of many and the last few, and between them ever fewer: at most so many, rising."""
    if n_steps <= most:
        return list(range(n_steps))
    between = np.geomspace(ends, n_steps - ends - 1, most - 2 * ends).round().astype(int)
    last = range(n_steps - ends, n_steps)
    return sorted({*range(ends), *between.tolist(), *last})


def _short(values: FloatArray, digits: int = DIGITS) -> Any:
    """Nested lists of numbers with no more digits than anyone is shown."""
    if values.ndim > 1:
        return [_short(part, digits) for part in values]
    return [float(f"{value:.{digits}g}") for value in values.tolist()]
