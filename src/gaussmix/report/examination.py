"""How far to believe a fit: how sure its numbers are, what overlaps, and whether it describes the rows."""

from dataclasses import dataclass

from gaussmix.data.memory import MemoryRows
from gaussmix.errors import GaussmixError
from gaussmix.learning.belief.goodness import goodness_of_fit
from gaussmix.learning.belief.goodness_words import GoodnessOfFit
from gaussmix.learning.belief.rowfacts import Entropy, RowFacts, classification_entropy, row_facts
from gaussmix.learning.belief.uncertainty import Uncertainty, uncertainty_of
from gaussmix.learning.clusters.merging import Mergers, merge_components
from gaussmix.learning.settings import FitSettings
from gaussmix.model.mixture import Mixture
from gaussmix.model.overlap import Overlap, overlap_of
from gaussmix.report.selection_summary import SelectionSummary

# Pairs of more components are many, and each takes an integral.
MOST_COMPONENTS = 30


@dataclass(frozen=True, eq=False)
class Examination:
    """What there is to say of a fit besides the fit."""

    uncertainty: Uncertainty | None
    """None where there is none, ..."""
    no_uncertainty: str
    """... and why."""
    overlap: Overlap | None
    """None where there are too many components."""
    entropy: Entropy
    rows: RowFacts
    goodness: GoodnessOfFit | None
    no_goodness: str
    mergers: Mergers | None
    """None with fewer than three components, of which there is little to merge."""
    selection: SelectionSummary | None = None


def examined(
    rows: MemoryRows,
    mixture: Mixture,
    settings: FitSettings,
    selection: SelectionSummary | None = None,
    tested: bool = True,
) -> Examination:
    """Examine a fit.

    Parameters
    ----------
    rows : MemoryRows
        The rows that were fitted.
    mixture : Mixture
        What was fitted.
    settings : FitSettings
        How.
    selection : SelectionSummary, optional
        How it was chosen.
    tested : bool
        Whether it is tested that the rows are Gaussian groups, which takes some hundred fits.
    """
    uncertainty, goodness, no_uncertainty, no_goodness = None, None, "", ""
    try:
        uncertainty = uncertainty_of(rows, mixture, settings)
    except GaussmixError as refused:
        no_uncertainty = str(refused)
    try:
        goodness = goodness_of_fit(mixture, rows, settings, seed=settings.seed) if tested else None
    except GaussmixError as refused:
        no_goodness = str(refused)
    return Examination(
        uncertainty,
        no_uncertainty,
        overlap_of(mixture) if mixture.n_components <= MOST_COMPONENTS else None,
        classification_entropy(mixture, rows),
        row_facts(mixture, rows.matrix, rows.weights),
        goodness,
        no_goodness,
        merge_components(mixture, rows) if mixture.n_components > 2 else None,
        selection,
    )
