"""The answer in plain words, before any number is asked for."""

from gaussmix.report.examination import Examination
from gaussmix.report.summary import FitSummary
from gaussmix.report.words import as_options, percent, plural, sentence_safe

# Differences of BIC of which a reader may make nothing, something, or much (Kass and Raftery 1995).
SLIGHT, CLEAR = 2.0, 10.0


def verdict(summary: FitSummary, found: Examination | None = None) -> list[str]:
    """Which groups, how sure, is there more than one, what is odd, and how it ended: a sentence each.

    With an examination, whether the rows are Gaussian groups, too, and how the number was chosen.
    """
    facts = summary.facts
    sentences = [_groups(summary)]
    if not facts:
        return sentences
    if summary.n_components > 1:
        where = "one component or to noise" if summary.noise else "one component"
        sentences.append(
            f"{percent(facts['sure_share'])} of rows belong to {where} with 95% certainty or more."
        )
    if found is not None and found.selection is not None:
        chosen = found.selection.choice
        sentences += [as_options(sentence) for sentence in (chosen.sentences[0], *chosen.doubts)]
    elif summary.n_components > 1 and facts.get("bic_of_one_component") is not None:
        sentences.append(_more_than_one(summary))
    if found is not None and found.goodness is not None and found.goodness.gaussian is False:
        p_value = f"p = {found.goodness.p_value:.2g}"
        sentences.append(f"Tested, these rows are not quite Gaussian groups ({p_value}).")
    if facts["n_unexplained"]:
        rows = plural(facts["n_unexplained"], "row")
        verb = "is" if facts["n_unexplained"] == 1 else "are"
        sentences.append(f"{rows} {verb} explained by no component.")
    sentences.append(sentence_safe(as_options(facts["outcome_sentence"])))
    return sentences


def said_in_verdict(note: str) -> bool:
    """Whether a note of the summary says what a sentence of the verdict says as well."""
    return note.startswith("One component describes")


def _groups(summary: FitSummary) -> str:
    n_rows = summary.facts.get("n_rows")
    rows = f" in {plural(n_rows, 'row')}" if n_rows else ""
    if summary.n_components == 1:
        return f"One component{rows}."
    shares = ", ".join(percent(weight) for weight in summary.weights)
    noise = f", and noise with {percent(summary.noise['weight'])}" if summary.noise else ""
    return f"{summary.n_components} components{rows}, with shares of {shares}{noise}."


def _more_than_one(summary: FitSummary) -> str:
    margin = summary.facts["bic_of_one_component"] - summary.facts["bic"]
    if margin < 0.0:
        return (
            f"One component would do better by BIC, by {-margin:.1f}: these rows are no evidence for "
            f"{summary.n_components} groups."
        )
    strength = "hardly" if margin < SLIGHT else "somewhat" if margin < CLEAR else "clearly"
    return (
        f"By BIC {summary.n_components} components are {strength} better than one (by {margin:.1f}); "
        "other numbers of components were not tried."
    )
