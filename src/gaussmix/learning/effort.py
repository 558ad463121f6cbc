"""How much a search tries: the numbers behind ``n_init="auto"``. docs/adr/0011 has the measurements."""

from dataclasses import dataclass, replace

from gaussmix.learning.climbers import stackable
from gaussmix.learning.settings import FitSettings
from gaussmix.model.maximise import MStep


@dataclass(frozen=True)
class Effort:
    """Counts of starts, steps and moves.

    A draw of starts takes its rounds; a line of moves begins at each start that is left. Until enough lines
    agree starts are drawn anew.
    """

    agglomerations: int
    """Starts by agglomeration, which depends on chance only where there are too many rows for it."""
    tries: int
    """Starts of each other method."""
    scaled: int
    """Starts by k-means of columns that are scaled and not whitened: in many dimensions whitening hides
    groups that lie far apart in a few."""
    tries_of_one: int
    """Where ``init_params`` names one method."""
    rounds: tuple[tuple[int, int], ...]
    """EM steps in each round, and how many starts go into the next."""
    tried: int
    """Moves that are tried at a time, ..."""
    tried_steps: int
    """... their EM steps, ..."""
    promising: int
    """... how many of them go on, ..."""
    promising_steps: int
    """... twice so many steps each, ..."""
    climbing: int
    """... and how many of those may climb to the end."""
    patience: int
    """A line ends when so many times in a row moves have found nothing better."""
    agreeing: int
    """The search ends when so many lines have come to the same best, ..."""
    again: bool
    """... and whether a line that begins where an earlier one has ended tries moves again."""
    draws: int
    """Draws of starts at most."""
    intervals: int
    """Starts from an interval of rows and the rest, in place of other partitions; 0 for those."""
    plain_steps: int
    """Plain steps at most that bring mixtures nearly to their ends where such are cheap; 0 for none."""
    neighbours: int
    """Splits, or mergers, that are tried of each mixture with one component less, or more."""
    thorough: bool
    """Whether moves are tried as many as there are components, and three and four are parted anew."""


SIDE_BY_SIDE = Effort(
    agglomerations=2,
    tries=6,
    scaled=2,
    tries_of_one=12,
    rounds=((5, 12), (10, 6), (20, 4), (20, 4)),
    tried=24,
    tried_steps=8,
    promising=8,
    promising_steps=20,
    climbing=4,
    patience=2,
    agreeing=3,
    again=True,
    draws=2,
    intervals=0,
    plain_steps=500,
    neighbours=8,
    thorough=True,
)
# Where components share parts of their covariances each mixture takes its steps by itself, which costs
# some ten times as much; and where there is much work in a step.
LESS = Effort(
    agglomerations=2,
    tries=3,
    scaled=1,
    tries_of_one=6,
    rounds=((4, 6), (6, 3), (8, 3)),
    tried=8,
    tried_steps=3,
    promising=3,
    promising_steps=6,
    climbing=2,
    patience=2,
    agreeing=2,
    again=True,
    draws=1,
    intervals=0,
    plain_steps=0,
    neighbours=4,
    thorough=False,
)
# So many components have few ways to go wrong: fewer lines are enough.
FEW_COMPONENTS, AGREEING_OF_FEW = 3, 2

# A step's work, rows x components x features^2, from which a search tries less, the same times components,
# for which there are more moves, and the work from which there is no search.
MUCH_WORK, MUCH_WORK_OF_ALL, TOO_MUCH_WORK = 1 << 25, 1 << 28, 1 << 28
# Rows in one column up to which all partitions into an interval and the rest are looked at, how many of them
# are starts, and how many plain steps follow: each takes a microsecond, on the page a hundred.
FEW_ROWS, INTERVALS, STEPS_OF_FEW = 64, 12, 6000
# How much more of a step's time is spent on it where steps are taken one by one.
DEARER = 8


def effort_for(settings: FitSettings, step: MStep, n_rows: int, n_features: int) -> Effort | None:
    """How much to try for what is asked for; None where one start is enough work.

    Parameters
    ----------
    settings : FitSettings
    step : MStep
    n_rows, n_features : int
        Of the judges.
    """
    side_by_side = stackable(settings.family, step) and not settings.noise
    work = n_rows * settings.n_components * (n_features + 2) ** 2 * (1 if side_by_side else DEARER)
    if work > TOO_MUCH_WORK:
        return None
    little = work <= MUCH_WORK and work * settings.n_components <= MUCH_WORK_OF_ALL
    effort = SIDE_BY_SIDE if side_by_side and little else LESS
    return effort if settings.n_components > FEW_COMPONENTS else _for_few(effort)


def of_intervals(effort: Effort, settings: FitSettings, n_rows: float, n_features: int) -> Effort:
    """The same, or for two components of few rows in one column starts from intervals, and no moves.

    A row of weight 2 is two rows. (Of many rows with few values the likeliest partitions take one value for a
    group.)
    """
    one_line = settings.n_components == 2 and n_features == 1 and n_rows <= FEW_ROWS
    if not (effort.thorough and one_line and settings.init_params == "auto"):
        return effort
    return replace(effort, intervals=INTERVALS, plain_steps=STEPS_OF_FEW, patience=0, draws=1)


def beside_neighbours(effort: Effort, alone: bool) -> Effort:
    """Less, where mixtures with about as many components, or of other models, are known to begin from.

    ``alone`` leaves out all other starts, and moves.
    """
    dear = not effort.thorough
    less = replace(
        effort,
        agglomerations=1,
        tries=0 if dear else 2,
        scaled=1,
        tries_of_one=3,
        rounds=((2, 3), (6, 2)) if dear else ((10, 4), (20, 2)),
        patience=0 if dear else 1,
        agreeing=1,
        again=False,
        draws=1,
        intervals=0,
        plain_steps=0,
        thorough=False,
    )
    if not alone:
        return less
    first = 4 if dear else 8
    return replace(
        less,
        agglomerations=0,
        tries=0,
        scaled=0,
        tries_of_one=0,
        rounds=((0, first), *less.rounds),
        patience=0,
    )


def _for_few(effort: Effort) -> Effort:
    return replace(effort, agglomerations=1, agreeing=AGREEING_OF_FEW, again=False)
