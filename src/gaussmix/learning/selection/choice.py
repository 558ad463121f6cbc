"""What a selection comes to, in plain words, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gaussmix.learning.selection.cells import NOT_DECISIVE, Cell
from gaussmix.learning.selection.grid import Selection
from gaussmix.learning.selection.held_out import HeldOut
from gaussmix.model.covariances import covariance_family

# Differences of BIC, and what they are evidence for (Kass and Raftery, JASA 90 (1995) 773).
STRENGTHS = ((NOT_DECISIVE, "not decisive"), (6.0, "some evidence"), (10.0, "strong evidence"))
STRONGEST = "very strong evidence"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
UNSURE = "The model is less sure"
# Standard errors by which a difference of held-out likelihoods is told from chance.
BEYOND_CHANCE = 2.0


@dataclass(frozen=True)
class Choice:
    """The answer to which model and how many components, and what speaks for and against it."""

    n_components: int
    covariance: str
    margin: float | None
    """By how much the criterion is better than with other numbers of components, less than 0 where fewer
    components were preferred to it; None if no other number was tried."""
    runner_up: tuple[int, str] | None
    """The best with another number of components."""
    strength: str
    """What the margin is, in words."""
    share: float
    """Weight of this number of components, exp(-BIC / 2) added up over models, among all."""
    agree: bool
    """Whether ICL and held-out rows choose as many components, or do not speak against it."""
    sentences: tuple[str, ...]
    """All there is to say, the answer first."""
    doubts: tuple[str, ...]
    """Those of them that nobody should overlook."""

    def __str__(self) -> str:
        return " ".join(self.sentences)


def choice(selection: Selection) -> Choice:
    """Say what a selection comes to."""
    best, asked = selection.best, selection.asked
    if selection.interrupted:
        return _of_a_part(selection)
    sound = [cell for cell in selection.ranked if cell.sound] or selection.ranked
    others = [
        cell
        for cell in sound
        if cell.n_components != best.n_components and math.isfinite(cell.criterion(asked.criterion))
    ]
    if not math.isfinite(best.criterion(asked.criterion)):
        others = []
    margin = others[0].criterion(asked.criterion) - best.criterion(asked.criterion) if others else None
    strength = "" if margin is None else _strength(margin)
    icl, icl_agrees = _icl(selection, sound)
    held_out, held_out_agrees = _held_out(selection)
    model, doubts = _model(selection, sound), _doubts(selection, margin)
    sentences = [_answer(selection, others, margin, strength), model, icl, held_out, *doubts]
    unsure = [model] if model.startswith(UNSURE) else []
    objections = [s for s, agrees in ((icl, icl_agrees), (held_out, held_out_agrees)) if not agrees]
    return Choice(
        best.n_components,
        best.covariance,
        margin,
        (others[0].n_components, others[0].covariance) if others else None,
        strength,
        share_of(sound, best.n_components),
        icl_agrees and held_out_agrees,
        tuple(sentence for sentence in sentences if sentence),
        (*unsure, *objections, *doubts),
    )


def _of_a_part(selection: Selection) -> Choice:
    """What an interrupted selection comes to: no evidence, for the fits that are missing may be better."""
    best = selection.best
    n_done = sum(cell.result is not None for cell in selection.cells)
    said = (
        f"Stopped early, with {n_done} of {len(selection.asked.keys)} fits: the best of these has "
        f"{_counted(best.n_components)}, {described(best.covariance, selection)}, and what was not fitted "
        "may be better."
    )
    return Choice(best.n_components, best.covariance, None, None, "", float("nan"), False, (said,), ())


def share_of(cells: Sequence[Cell], n_components: int) -> float:
    """Weight of a number of components, if BIC were minus twice the log of a model's probability."""
    bics = np.array([cell.criterion("bic") for cell in cells])
    weights = np.exp(-0.5 * (bics - bics.min()))
    own = np.array([cell.n_components == n_components for cell in cells])
    return float(weights[own].sum() / weights.sum())


def _answer(selection: Selection, others: list[Cell], margin: float | None, strength: str) -> str:
    best, name = selection.best, selection.asked.criterion
    what = f"{_counted(best.n_components).capitalize()}, {described(best.covariance, selection)}."
    if margin is None:
        left = {cell.n_components for cell in selection.cells} - {best.n_components}
        if not left:
            return what + " No other number of components was tried."
        return (
            what + " Every fit with another number of components was set aside: this is no evidence for one."
        )
    second = others[0]
    if margin < 0.0:
        more = f"with {_counted(second.n_components)} ({second.covariance})"
        more = f"{name.upper()} is lower by {-margin:.1f} {more}"
        return f"{what} {more}, which is not decisive: the smaller number is taken."
    words = (
        f"{what} {name.upper()} is ahead of the next number of components "
        f"({NUMBERS[second.n_components] if second.n_components < 11 else second.n_components}, "
        f"{second.covariance}) by {margin:.1f}"
    )
    if name != "bic":
        return f"{words}."
    share = share_of([cell for cell in selection.ranked if cell.sound] or selection.ranked, best.n_components)
    if strength == "not decisive":
        given = f"Taken as a probability, BIC gives {_counted(best.n_components)} {share:.0%}."
        return f"{words}: not decisive. {given}"
    return f"{words}: {strength}."


def _model(selection: Selection, sound: list[Cell]) -> str:
    best, name = selection.best, selection.asked.criterion
    same = [
        cell
        for cell in sound
        if cell.n_components == best.n_components and cell.covariance != best.covariance
    ]
    if best.n_components == 1 or not same:
        return ""
    behind = same[0].criterion(name) - best.criterion(name)
    if behind >= STRENGTHS[0][0]:
        return f"Among models with as many components {same[0].covariance} is next, {behind:.1f} behind."
    close = [c.covariance for c in same if c.criterion(name) - best.criterion(name) < STRENGTHS[0][0]]
    return f"{UNSURE}: {', '.join(close)} {'comes' if len(close) == 1 else 'come'} within 2."


def _icl(selection: Selection, sound: list[Cell]) -> tuple[str, bool]:
    """What ICL says, and whether it agrees."""
    best = selection.best
    if selection.asked.criterion == "icl" or len({cell.n_components for cell in sound}) == 1:
        return "", True
    chosen = min(sound, key=lambda cell: cell.criterion("icl"))
    if chosen.n_components == best.n_components:
        other = "" if chosen.covariance == best.covariance else f", with another model ({chosen.covariance})"
        return f"ICL, which wants groups to be apart, agrees on the number{other}.", True
    fewer = chosen.n_components < best.n_components
    reading = (
        "some components overlap and may be one group" if fewer else "more of them are well apart than this"
    )
    return f"ICL prefers {_counted(chosen.n_components)} ({chosen.covariance}): {reading}.", False


def _held_out(selection: Selection) -> tuple[str, bool]:
    """What rows say that were held out, and whether they agree or at least do not object."""
    found: HeldOut | None = selection.held_out
    if found is None or len({key.n_components for key in found.cells}) < 2 or not selection.best.sound:
        return "", True
    best, top = selection.best, found.best
    drawn = "" if found.n_rows is None else f", of {found.n_rows:,} drawn,"
    who = f"Rows that were held out{drawn}"
    if top.n_components == best.n_components:
        return f"{who} are likeliest with as many, too.", True
    cell = found.cells[top]
    clear = cell.ahead > BEYOND_CHANCE * cell.standard_error
    by = f"by {cell.ahead:.2g} ± {cell.standard_error:.2g} nats a row"
    what = f"{who} are likeliest with {_counted(top.n_components)} ({top.covariance}), {by}"
    if clear:
        return f"{what}: they disagree.", False
    return f"{what}: that is within chance.", True


def _doubts(selection: Selection, margin: float | None) -> list[str]:
    best = selection.best
    tried = {cell.n_components for cell in selection.cells}
    doubts = []
    if best.n_components == 1 and margin is not None:
        doubts.append("There is no evidence of groups in these rows.")
    if best.n_components == max(tried) and len(tried) > 1:
        doubts.append(f"{_counted(max(tried)).capitalize()} is the most that was tried: try more.")
    if not best.sound:
        doubts.append(f"No fit was sound; of this one: {best.result.outcome if best.result else ''}")
    unsound = sum(cell.result is not None and not cell.sound for cell in selection.cells)
    failed = sum(cell.result is None for cell in selection.cells)
    if unsound and best.sound:
        verb = "was" if unsound == 1 else "were"
        ended = all(cell.ended for cell in selection.cells if cell.result is not None)
        why = "for doubtful components" if ended else "for doubtful components, or because EM had not ended"
        doubts.append(f"{unsound} of {len(selection.cells)} fits {verb} set aside {why}.")
    if failed:
        doubts.append(f"{failed} of {len(selection.cells)} could not be fitted.")
    return doubts


def described(covariance: str, selection: Selection) -> str:
    """A model's name, with its constraint in words."""
    family = covariance_family(covariance)
    best = selection.best.result
    if best is None or best.mixture.n_components == 1:
        return covariance
    words = family.words if best.mixture.n_features > 1 else family.words_in_one_dimension
    return f"{covariance} ({words})"


def _counted(n_components: int) -> str:
    number = NUMBERS[n_components] if n_components < len(NUMBERS) else str(n_components)
    return f"{number} component{'' if n_components == 1 else 's'}"


def _strength(margin: float) -> str:
    return next((words for limit, words in STRENGTHS if margin < limit), STRONGEST)
