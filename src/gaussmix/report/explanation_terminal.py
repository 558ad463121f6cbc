"""EM by hand, printed: the table of the E-step, then the M-step's formulas with their numbers."""

from collections.abc import Callable, Iterator

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gaussmix.kernels.contract import FloatArray, ScatterKind
from gaussmix.model.mixture import Mixture
from gaussmix.report.explanation import FIRST_ROWS, UNDECIDED_ROWS, ExplainedStep, Explanation
from gaussmix.report.words import clean, number, sentence_safe

# Sums of up to this many terms are written out in full.
WHOLE_SUM, FIRST_TERMS = 12, 3
FEATURES_SHOWN, COMPONENTS_SHOWN = 6, 8
# Up to this many features every covariance has a line of its own.
COVARIANCE_LINES = 3
HELD = "(the rows have no spread there: what the prior holds fixed is in it, alike for all components)"


def explanation_report(explanation: Explanation) -> RenderableType:
    """All steps, one after another, and how EM ended."""
    parts = [part for step in explanation.steps for part in step_parts(explanation, step)]
    if explanation.start_sentence:
        parts.insert(0, Text(explanation.start_sentence, style="dim"))
    return Group(*parts, Text(sentence_safe(explanation.outcome_sentence), style="bold"))


def step_parts(explanation: Explanation, step: ExplainedStep) -> Iterator[RenderableType]:
    """One iteration."""
    yield Text(f"Iteration {step.iteration}", style="bold underline")
    yield Text(f"With {_mixture_words(step.mixture, explanation.feature_names)}:")
    yield Text(
        "E-step: how likely each component makes each row (N), and the responsibilities that follow (r)",
        style="bold",
    )
    yield _row_table(explanation, step)
    unseen = step.mixture.n_components - len(_components(step.mixture))
    if unseen:
        yield Text(f"and {unseen} more components (--json has them all)", style="dim")
    hidden = step.n_rows - len(step.rows)
    if hidden:
        shown = f"these are the first {FIRST_ROWS} and the {UNDECIDED_ROWS} most undecided"
        yield Text(f"and {hidden:,} more rows ({shown}; --all-rows shows all)", style="dim")
    yield Text("\n".join(_e_step_lines(step)))
    yield Text(f"log-likelihood = sum of log(weighted sum of the densities) = {step.log_likelihood:.6f}")
    if step.next is None:
        return
    yield Text("M-step: the mixture that makes those shares likeliest", style="bold")
    for k in _components(step.mixture):
        yield Text("\n".join(_m_step_lines(explanation, step, step.next, k)))
    if explanation.reg_covar:
        yield Text(f"and {explanation.reg_covar:g} is added to each variance (reg_covar)")
    if step.next_log_likelihood is not None:
        gained = step.next_log_likelihood - step.log_likelihood
        way = f"{step.log_likelihood:.6f} -> {step.next_log_likelihood:.6f}"
        yield Text(f"log-likelihood {way}: gained {gained:.6f}\n")


def _e_step_lines(step: ExplainedStep) -> list[str]:
    """The densities and responsibilities of the first row, written out."""
    row, mixture = step.rows[0], step.mixture
    lines = [f"for row {row.number}:"]
    lines += [f"  {_density_formula(step, k)} = {_density(row.densities[k])}" for k in _components(mixture)]
    terms = [f"{mixture.weights[k]:.4f}*{_density(row.densities[k])}" for k in _components(mixture)]
    more = " + ..." if mixture.n_components > len(terms) else ""
    total = " + ".join(terms) + more
    lines.append(f"  responsibility 1 = {terms[0]} / ({total}) = {row.responsibilities[0]:.4f}")
    return lines


def _density_formula(step: ExplainedStep, k: int) -> str:
    row, mixture, i = step.rows[0], step.mixture, k + 1
    if mixture.n_features == 1:
        x, mean, variance = f"{row.x[0]:.6g}", _fixed(mixture.means[k, 0]), _fixed(mixture.matrices[k, 0, 0])
        return f"N({x}; mu_{i}, s2_{i}) = exp(-({x} - {mean})^2 / (2*{variance})) / sqrt(2 pi {variance})"
    distance = float(mixture.squared_distances(np.array([row.x]))[0, k])
    determinant = float(np.exp(-2.0 * mixture.log_determinants[k]))
    return (
        f"N(x; mu_{i}, S_{i}) = exp(-d^2 / 2) / sqrt((2 pi)^{mixture.n_features} |S_{i}|), with d^2 = "
        f"(x - mu_{i})^T S_{i}^-1 (x - mu_{i}) = {number(distance, 6)}, |S_{i}| = {number(determinant, 6)},"
    )


def _row_table(explanation: Explanation, step: ExplainedStep) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    names = [clean(name) for name in explanation.feature_names]
    single = len(names) == 1
    table.add_column("row", justify="right", style="dim")
    shown = names[:FEATURES_SHOWN] + (["..."] if len(names) > FEATURES_SHOWN else [])
    for name in ["x"] if single else shown:
        table.add_column(Text(name), justify="right")
    components = _components(step.mixture)
    spread = "s2" if single else "S"
    # The full headings of two groups fit any terminal; of more, N and r have to do.
    short = len(components) > 2 or len(shown) > 2
    for k in components:
        heading = f"N_{k + 1}" if short else f"N(x; mu_{k + 1}, {spread}_{k + 1})"
        table.add_column(heading, justify="right", overflow="fold")
    for k in components:
        heading = f"r_{k + 1}" if short else f"responsibility {k + 1}"
        table.add_column(heading, justify="right", overflow="fold")
    for row in step.rows:
        values = [f"{value:.6g}" for value in row.x[:FEATURES_SHOWN]]
        values += ["..."] if len(row.x) > FEATURES_SHOWN else []
        densities = [_density(value) for value in row.densities[: len(components)]]
        shares = [f"{value:.4f}" for value in row.responsibilities[: len(components)]]
        table.add_row(str(row.number), *values, *densities, *shares)
    totals = [f"{total:.4f}" for total in step.statistics.counts[: len(components)]]
    blanks = [""] * (len(table.columns) - 1 - len(totals))
    table.add_row("sum", *blanks, *totals, style="bold")
    return table


def _m_step_lines(explanation: Explanation, step: ExplainedStep, following: Mixture, k: int) -> list[str]:
    count = float(step.statistics.counts[k])
    i = k + 1
    total = (
        number(explanation.row_weight, 6) if explanation.row_weight % 1 else f"{explanation.row_weight:.0f}"
    )
    lines = [
        f"N_{i} = {_sum(step, k, lambda row, share: _share(row.weight, share))} = {count:.6f}",
        f"weight_{i} = N_{i} / n = {count:.6f} / {total} = {following.weights[k]:.4f}",
    ]
    if count == 0.0:
        return [*lines, f"mean_{i} and variance_{i} are kept: no row has a share in component {i}"]
    lines += [_mean_line(explanation, step, following, k, j) for j in _features(following)]
    if np.array_equal(following.matrices[k], step.mixture.matrices[k]):
        return [*lines, f"variance_{i} is kept for one iteration: the mean has moved too far to take it yet"]
    return lines + _SPREAD[following.family.scatter](explanation, step, following, k)


def _mean_line(explanation: Explanation, step: ExplainedStep, following: Mixture, k: int, j: int) -> str:
    count = float(step.statistics.counts[k])
    total = float(step.statistics.sums.offsets[k, j] + count * step.mixture.means[k, j])
    terms = _sum(step, k, lambda row, share: f"{_share(row.weight, share)}*{row.x[j]:.6g}")
    written = f"({terms}) / N_{k + 1} = " if len(step.rows) == step.n_rows <= WHOLE_SUM else "sum(r x) / N = "
    return (
        f"mean_{k + 1}{_of(explanation, j)} = {written}{number(total, 8)} / {count:.6f} "
        f"= {_fixed(following.means[k, j])}"
    )


def _spread_line(
    explanation: Explanation,
    step: ExplainedStep,
    k: int,
    what: str,
    value: float,
    divisor: float,
    terms: str | None = None,
    held: bool = False,
) -> str:
    """``what = sum / N = value``, or with the prior's pseudo-rows beside both."""
    i = k + 1
    if held:
        return f"{what} = {_fixed(value)}   {HELD}"
    if explanation.pseudo_rows:
        pseudo = number(explanation.pseudo_rows, 3)
        times = divisor / float(step.statistics.counts[k])
        prior_divisor = divisor + times * explanation.pseudo_rows
        formula = f"(sum(r (x - mean_{i})^2) + {pseudo} S) / (N_{i} + {pseudo})"
        numbers = f"{number(value * prior_divisor, 8)} / {prior_divisor:.6f}"
        return (
            f"{what} = {formula} = {numbers} = {_fixed(value)}   (weak prior: S is the variance of all rows)"
        )
    written = f"({terms}) / N_{i}" if terms else f"sum(r (x - mean_{i})^2) / N_{i}"
    return f"{what} = {written} = {number(value * divisor, 8)} / {divisor:.6f} = {_fixed(value)}"


def _full_lines(explanation: Explanation, step: ExplainedStep, following: Mixture, k: int) -> list[str]:
    count = float(step.statistics.counts[k])
    matrix = following.matrices[k]
    lines = []
    for a in _features(following):
        terms = _square_terms(step, following, k, a)
        what = f"variance_{k + 1}{_of(explanation, a)}"
        held = bool(explanation.held[a, a])
        lines.append(_spread_line(explanation, step, k, what, float(matrix[a, a]), count, terms, held))
        for b in range(a) if following.n_features <= COVARIANCE_LINES else ():
            what = f"covariance_{k + 1}{_pair(explanation, a, b)}"
            held = bool(explanation.held[a, b])
            lines.append(_product_line(explanation, what, f"N_{k + 1}", float(matrix[a, b]), count, held))
    if following.n_features > COVARIANCE_LINES:
        listed = _pairs_listed(explanation, following, matrix)
        lines.append(f"covariances_{k + 1}, each sum(r (x_a - mean_a)(x_b - mean_b)) / N_{k + 1}: {listed}")
    return lines


def _pairs_listed(explanation: Explanation, following: Mixture, matrix: FloatArray) -> str:
    features = _features(following)
    pairs = [f"{_pair(explanation, a, b)} {_fixed(matrix[a, b])}" for a in features for b in range(a)]
    return ", ".join(pairs)


def _pooled_lines(explanation: Explanation, step: ExplainedStep, following: Mixture, k: int) -> list[str]:  # noqa: ARG001
    if k < len(_components(following)) - 1:
        return []
    matrix = following.matrices[0]
    return [
        _product_line(
            explanation,
            f"covariance{_pair(explanation, a, b)}, shared by all components,",
            "n",
            float(matrix[a, b]),
            explanation.row_weight,
            bool(explanation.held[a, b]),
        )
        for a in _features(following)
        for b in range(a + 1)
    ]


def _product_line(
    explanation: Explanation, what: str, divisor: str, value: float, count: float, held: bool
) -> str:
    if held:
        return f"{what} = {_fixed(value)}   {HELD}"
    formula = f"{what} = sum(r (x_a - mean_a)(x_b - mean_b)) / {divisor}"
    if explanation.pseudo_rows:
        return f"{formula} = {_fixed(value)} (weak prior: with its share of all rows' covariance)"
    return f"{formula} = {number(value * count, 8)} / {count:.6f} = {_fixed(value)}"


def _pair(explanation: Explanation, a: int, b: int) -> str:
    return f"[{clean(explanation.feature_names[a])}, {clean(explanation.feature_names[b])}]"


def _diagonal_lines(explanation: Explanation, step: ExplainedStep, following: Mixture, k: int) -> list[str]:
    count = float(step.statistics.counts[k])
    return [
        _spread_line(
            explanation,
            step,
            k,
            f"variance_{k + 1}{_of(explanation, j)}",
            float(following.covariances[k, j]),
            count,
            _square_terms(step, following, k, j),
            bool(explanation.held[j, j]),
        )
        for j in _features(following)
    ]


def _trace_lines(explanation: Explanation, step: ExplainedStep, following: Mixture, k: int) -> list[str]:
    count, n_features = float(step.statistics.counts[k]), following.n_features
    what, value = f"variance_{k + 1}", float(following.covariances[k])
    if n_features == 1:
        return [_spread_line(explanation, step, k, what, value, count, _square_terms(step, following, k, 0))]
    divisor = n_features * (count + explanation.pseudo_rows)
    formula = f"sum(r |x - mean_{k + 1}|^2) / ({n_features} N_{k + 1})"
    if explanation.pseudo_rows:
        pseudo = number(explanation.pseudo_rows, 3)
        formula = f"(sum(r |x - mean_{k + 1}|^2) + {pseudo} tr S) / ({n_features} (N_{k + 1} + {pseudo}))"
    return [f"{what} = {formula} = {number(value * divisor, 8)} / {divisor:.6f} = {_fixed(value)}"]


_Lines = Callable[[Explanation, ExplainedStep, Mixture, int], list[str]]
_SPREAD: dict[ScatterKind, _Lines] = {
    ScatterKind.FULL: _full_lines,
    ScatterKind.POOLED: _pooled_lines,
    ScatterKind.DIAGONAL: _diagonal_lines,
    ScatterKind.TRACE: _trace_lines,
}


def _square_terms(step: ExplainedStep, following: Mixture, k: int, j: int) -> str | None:
    if not len(step.rows) == step.n_rows <= WHOLE_SUM:
        return None
    mean = following.means[k, j]
    return _sum(step, k, lambda row, share: f"{_share(row.weight, share)}*({row.x[j]:.6g} - {mean:.4f})^2")


def _sum(step: ExplainedStep, k: int, term: Callable[..., str]) -> str:
    whole = len(step.rows) == step.n_rows <= WHOLE_SUM
    rows = step.rows if whole else step.rows[:FIRST_TERMS]
    written = " + ".join(term(row, row.responsibilities[k]) for row in rows)
    return written if whole else f"{written} + ..."


def _share(weight: float, share: float) -> str:
    return f"{share:.4f}" if weight == 1.0 else f"{weight:g}*{share:.4f}"


def _of(explanation: Explanation, j: int) -> str:
    return "" if len(explanation.feature_names) == 1 else f"[{clean(explanation.feature_names[j])}]"


def _components(mixture: Mixture) -> range:
    return range(min(mixture.n_components, COMPONENTS_SHOWN))


def _features(mixture: Mixture) -> range:
    return range(min(mixture.n_features, FEATURES_SHOWN))


def _fixed(value: float) -> str:
    return f"{value:.5f}" if 1e-3 <= abs(value) < 1e6 else f"{value:.5g}"


def _density(value: float) -> str:
    return f"{value:.4f}" if value >= 1e-3 or value == 0.0 else f"{value:.2e}"


def _mixture_words(mixture: Mixture, names: tuple[str, ...]) -> str:
    words = []
    variances = np.diagonal(mixture.matrices, axis1=1, axis2=2)
    for k in _components(mixture):
        mean, variance = _vector(mixture.means[k]), _vector(variances[k])
        label = "variance" if len(names) == 1 else "variances"
        told = f"component {k + 1}: weight {mixture.weights[k]:.4f}, mean {mean}, {label} {variance}"
        if 1 < len(names) <= COVARIANCE_LINES and mixture.family.sees_correlation:
            below = mixture.matrices[k][np.tril_indices(len(names), -1)]
            told += f", covariance{'s' if len(below) > 1 else ''} {_vector(below)}"
        words.append(told)
    return "\n     ".join(words)


def _vector(values: FloatArray) -> str:
    shown = ", ".join(_fixed(float(value)) for value in values[:FEATURES_SHOWN])
    more = ", ..." if len(values) > FEATURES_SHOWN else ""
    return shown if len(values) == 1 else f"({shown}{more})"
