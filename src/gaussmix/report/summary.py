"""A fit as plain facts. Every renderer takes a ``FitSummary`` and computes nothing."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.rows import Rows
from gaussmix.learning import scoring
from gaussmix.learning.result import FitResult
from gaussmix.learning.review import UNEXPLAINED_TAIL, Review, review_rows
from gaussmix.learning.settings import FitSettings
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture
from gaussmix.model.parts import Parts, parts_of
from gaussmix.modelfile import SavedModel

JSON_SCHEMA, JSON_VERSION = "gaussmix-fit", 1
# A prior that makes up more of a variance than this is mentioned.
PRIOR_NOTICED = 0.25


@dataclass(frozen=True)
class FitSummary:
    """What there is to say of a fit; the fields of ``--json`` are described in docs/cli.md."""

    covariance: str
    covariance_words: str
    prior: str | None
    seed: int | None
    n_components: int
    n_features: int
    feature_names: tuple[str, ...]
    weights: list[float]
    means: list[list[float]]
    covariances: Any
    standard_deviations: list[list[float]]
    """(K, D), square roots of the variances, in the units of the data."""
    correlations: list[list[list[float]]]
    """(K or 1, D, D) correlation matrices; none where the covariance model knows no correlation."""
    n_parameters: int
    noise: dict[str, Any] | None
    """Weight of the noise, and log of the volume it is spread over."""
    parts: Parts
    """Volumes, shapes and orientations of the covariances; arrays, which are a quarter of lists' size."""
    facts: dict[str, Any]
    """What is known of the fit itself: empty for a mixture that was never fitted here."""
    notes: tuple[str, ...] = ()
    columns_named: bool = True
    """Whether the feature names are the user's."""

    def as_json(self) -> dict[str, Any]:
        """The stable form that ``--json`` prints."""
        return {
            **self.facts,
            "schema": JSON_SCHEMA,
            "schema_version": JSON_VERSION,
            "covariance": self.covariance,
            "prior": self.prior,
            "seed": self.seed,
            "n_components": self.n_components,
            "n_features": self.n_features,
            "feature_names": list(self.feature_names),
            "weights": self.weights,
            "means": self.means,
            "covariances": self.covariances,
            "n_parameters": self.n_parameters,
            "noise": self.noise,
            **{name: part.tolist() for name, part in self.parts._asdict().items()},
            "notes": list(self.notes),
        }


def summarise(
    result: FitResult,
    rows: Rows,
    settings: FitSettings,
    notes: tuple[str, ...] = (),
    columns_named: bool = True,
    row_numbers: NDArray[Any] | None = None,
) -> FitSummary:
    """Collect the facts of a fit.

    Parameters
    ----------
    result : FitResult
        With its review.
    rows : Rows
        What was fitted.
    settings : FitSettings
        What was asked for.
    notes : tuple of str
        Said before the fit: columns left out and the like.
    columns_named : bool
        Whether the feature names are the user's.
    row_numbers : (N,) array, optional
        Numbers of the rows in their file, where some were left out.
    """
    review = result.review
    if review is None:
        raise ValueError("a result without a review cannot be summarised")
    numbers = _numbers(review, row_numbers)
    asked = {
        name: getattr(settings, name)
        for name in ("tol", "max_iter", "n_init", "init_params", "reg_covar", "acceleration", "equal_weights")
    }
    facts = {**_fit_facts(result, rows, review), **_facts_of_rows(rows, review, numbers), **asked}
    prior = None if settings.prior == "none" else settings.prior
    summary = _of_mixture(
        result.mixture,
        rows.feature_names,
        prior,
        settings.seed,
        facts,
        notes + _misfit_notes(review, numbers) + _evidence_notes(result, rows, facts),
    )
    return replace(summary, columns_named=columns_named)


def of_saved(saved: SavedModel) -> FitSummary:
    """Collect what a model file knows."""
    facts = dict(saved.facts)
    notes = tuple(str(note) for note in facts.pop("notes", ()))
    prior, seed = facts.pop("prior", None), facts.pop("seed", None)
    named = facts.pop("columns_named", True)
    summary = _of_mixture(saved.mixture, saved.feature_names, prior, seed, facts, notes)
    return replace(summary, columns_named=named)


def seen_on(
    summary: FitSummary, mixture: Mixture, rows: Rows, row_numbers: NDArray[Any] | None = None
) -> FitSummary:
    """The same of other rows than those fitted: what is said of rows is said of these.

    Of the rows that were fitted it is returned as it is.
    """
    scores = scoring.score_rows(mixture, rows)
    known, found = summary.facts, scores.log_likelihood
    same = known.get("n_rows") == rows.summary.n_rows and np.isclose(known["log_likelihood"], found)
    if same:
        return summary
    review, n_parameters = review_rows(rows, mixture), mixture.n_parameters
    numbers = _numbers(review, row_numbers)
    before = known.get("outcome_sentence", "")
    facts = {
        **known,
        "log_likelihood": found,
        "bic": scoring.bic(found, n_parameters, scores.row_weight),
        "aic": scoring.aic(found, n_parameters),
        "icl": scoring.icl(found, n_parameters, scores.row_weight, scores.log_certainty),
        "bic_of_one_component": None,
        "outcome_sentence": f"These are not the rows that were fitted. Of those: {before}",
        **_facts_of_rows(rows, review, numbers),
    }
    return replace(summary, facts=facts, notes=_misfit_notes(review, numbers))


def to_saved(summary: FitSummary, mixture: Mixture) -> SavedModel:
    """What a model file keeps of a fit."""
    facts = {**summary.facts, "prior": summary.prior, "seed": summary.seed, "notes": list(summary.notes)}
    return SavedModel(mixture, summary.feature_names, {**facts, "columns_named": summary.columns_named})


def _of_mixture(
    mixture: Mixture,
    feature_names: tuple[str, ...],
    prior: str | None,
    seed: int | None,
    facts: dict[str, Any],
    notes: tuple[str, ...],
) -> FitSummary:
    n_components, n_features = mixture.n_components, mixture.n_features
    family = covariance_family(mixture.family.name)
    variances = family.variances(mixture.covariances, n_components, n_features)
    return FitSummary(
        covariance=family.name,
        covariance_words=family.words if n_features > 1 else family.words_in_one_dimension,
        prior=prior,
        seed=seed,
        n_components=n_components,
        n_features=n_features,
        feature_names=feature_names,
        weights=mixture.weights.tolist(),
        means=mixture.means.tolist(),
        covariances=mixture.covariances.tolist(),
        standard_deviations=np.sqrt(variances).tolist(),
        correlations=_correlations(mixture),
        n_parameters=mixture.n_parameters,
        noise=_noise(mixture),
        parts=parts_of(mixture),
        facts=facts,
        notes=notes,
    )


def _noise(mixture: Mixture) -> dict[str, Any] | None:
    noise = mixture.noise
    return None if noise is None else {"weight": noise.weight, "log_volume": noise.log_volume}


def _correlations(mixture: Mixture) -> list[list[list[float]]]:
    if not mixture.family.sees_correlation:
        return []
    matrices = mixture.matrices[:1] if mixture.family.shared else mixture.matrices
    scales = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    correlations: list[list[list[float]]] = (matrices / scales[:, :, None] / scales[:, None, :]).tolist()
    return correlations


def _fit_facts(result: FitResult, rows: Rows, review: Review) -> dict[str, Any]:
    mixture, log_likelihood = result.mixture, result.log_likelihood
    row_weight, n_parameters = rows.summary.row_weight, mixture.n_parameters
    return {
        "log_likelihood": log_likelihood,
        "objective": result.objective,
        "bic": scoring.bic(log_likelihood, n_parameters, row_weight),
        "bic_mclust": -scoring.bic(log_likelihood, n_parameters, row_weight),
        "aic": scoring.aic(log_likelihood, n_parameters),
        "icl": scoring.icl(log_likelihood, n_parameters, row_weight, review.log_certainty),
        "icl_mclust": -scoring.icl(log_likelihood, n_parameters, row_weight, review.log_certainty),
        "bic_of_one_component": scoring.one_component_bic(rows, mixture.family),
        "n_iterations": result.n_iterations,
        "n_passes": result.history.n_passes,
        "outcome": result.outcome.kind.value,
        "outcome_sentence": str(result.outcome),
        "converged": result.outcome.converged,
        "doubts": [
            {"component": d.component + 1, "trouble": d.trouble, "sentence": d.sentence}
            for d in result.outcome.doubts
        ],
        "n_starts": result.n_starts,
        "failed_starts": list(result.failures),
        "search": None if result.search is None else result.search.facts(),
    }


def _numbers(review: Review, row_numbers: NDArray[Any] | None) -> list[int]:
    return [int(i + 1 if row_numbers is None else row_numbers[i]) for i in review.unexplained]


def _facts_of_rows(rows: Rows, review: Review, numbers: list[int]) -> dict[str, Any]:
    return {
        "n_rows": rows.summary.n_rows,
        "row_weight": rows.summary.row_weight,
        "rows_assigned": review.assigned.tolist(),
        "sure_share": review.sure_share,
        "n_unexplained": review.n_unexplained,
        "unexplained_rows": numbers,
        "tail_weight": review.tail_weight,
    }


def _evidence_notes(result: FitResult, rows: Rows, facts: dict[str, Any]) -> tuple[str, ...]:
    notes = []
    one, found, n_components = facts["bic_of_one_component"], facts["bic"], result.mixture.n_components
    if one is not None and n_components > 1 and one <= found:
        notes.append(
            f"One component describes these rows better by BIC ({one:.2f} against {found:.2f}, lower is "
            f"better): they are no evidence for {n_components} groups."
        )
    share = result.prior_share
    if share is not None:
        named = {doubt.component for doubt in result.outcome.doubts}
        for k in (k for k in range(n_components) if k not in named):
            j = int(share[k].argmax())
            if share[k, j] > PRIOR_NOTICED:
                notes.append(
                    f"{share[k, j]:.0%} of the variance of component {k + 1} along {rows.feature_names[j]!r} "
                    "comes from the prior and not from rows: there are few rows, or extreme ones stretch the "
                    "covariance of all. Look at the smallest and largest values."
                )
    return tuple(notes)


def _misfit_notes(review: Review, numbers: list[int]) -> tuple[str, ...]:
    notes = []
    if review.too_many_unexplained:
        listed = ", ".join(map(str, numbers))
        more = ", ..." if review.n_unexplained > len(review.unexplained) else ""
        plural = "row is" if review.n_unexplained == 1 else "rows are"
        notes.append(
            f"{review.n_unexplained} {plural} explained by no component (row {listed}{more}): farther out "
            f"than {1.0 - UNEXPLAINED_TAIL:.2%} of a Gaussian component's rows."
        )
    if review.tails_heavy:
        notes.append(
            f"The tails are heavier than Gaussian (fourth power of distances {review.tail_weight:.2g} times "
            "what Gaussian components give): the groups are not quite Gaussian, or there are outliers."
        )
    return tuple(notes)
