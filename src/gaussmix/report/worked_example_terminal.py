"""The worked example on the terminal, and its verdict."""

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from gaussmix.learning.result import FitResult
from gaussmix.report.explanation_terminal import step_parts
from gaussmix.report.terminal import component_table
from gaussmix.report.words import percent
from gaussmix.report.worked_example import WorkedExample

DECISIVE = 0.95


def worked_example_report(told: WorkedExample) -> Iterator[RenderableType]:
    """The whole story, part by part."""
    heights = ", ".join(f"{height:g}" for height in told.heights)
    yield Rule("The worked example: ten heights, two groups")
    yield Text(f"{heights}\nStart: means 5.5 and 6.0, variances 0.1, weights 0.5.\n")
    for step in told.explanation.steps:
        yield from step_parts(told.explanation, step)
    yield Rule("Where EM goes from here without a prior")
    yield _path_table(told)
    yield Text(
        "The means creep for hundreds of iterations along a plateau. Then the second group shrinks onto a "
        "single row, and the likelihood grows without bound.\n" + str(told.collapse.outcome) + "\n"
    )
    yield Rule("The same start, three tolerances, without and with the default prior")
    yield _tolerance_table(told)
    yield Text(
        "Without a prior the answer depends on when one stops. With the weak prior (worth 2/n of a row for "
        "each group) there is a best mixture, and a tighter tolerance only comes closer to it.\n"
    )
    yield Rule("The answer, and who belongs where")
    yield component_table(told.answer)
    yield _membership_table(told)
    yield Rule("What a statistician would say")
    yield Text("\n".join(f"{i}. {line}" for i, line in enumerate(verdict(told), start=1)))


def verdict(told: WorkedExample) -> Iterator[str]:
    """The conclusions, in plain words, from the numbers."""
    unsure = sum(max(shares) < DECISIVE for _, shares in told.memberships)
    low, high = told.range_in_metres
    means = " and ".join(f"{mean[0]:.2f}" for mean in told.answer.means)
    yield (
        f"The likeliest two groups stand at {means}, but they overlap: {unsure} of {len(told.heights)} "
        f"people cannot be placed with {DECISIVE:.0%} certainty."
    )
    first, *others = told.candidates
    listed = "; ".join(f"{c.words} {c.bic:.2f}" for c in told.candidates)
    margin = others[0].bic - first.bic
    yield (
        f"{first.words.capitalize()} describes these rows best by BIC (lower is better: {listed}), ahead "
        f"by {margin:.1f}. Ten rows hold no evidence for more."
    )
    yield (
        "Maximum likelihood has no answer here: without a prior EM ends on the single row "
        f"{_collapsed_row(told):g}. A program that reports 'converged' on the way there reports its own "
        "tolerance."
    )
    yield (
        f"{min(told.heights):g} to {max(told.heights):g} can only be feet ({low:.2f} to {high:.2f} m): "
        "nobody is five metres tall, though the worked example calls them metres."
    )


def _collapsed_row(told: WorkedExample) -> float:
    """The height that the collapsing group ended on."""
    doubt = told.collapse.outcome.doubts[0]
    mean = float(told.collapse.mixture.means[doubt.component, 0])
    return min(told.heights, key=lambda height: abs(height - mean))


def _path_table(told: WorkedExample) -> Table:
    table = _table(
        ["iteration", "mean 1", "mean 2", "variance 1", "variance 2", "weight 2", "log-likelihood"]
    )
    for step in told.path:
        means, variances = step.mixture.means[:, 0], step.mixture.covariances[:, 0, 0]
        table.add_row(
            str(step.iteration),
            *(f"{mean:.4f}" for mean in means),
            *(f"{variance:.5f}" for variance in variances),
            f"{step.mixture.weights[1]:.4f}",
            f"{step.log_likelihood:.6f}",
        )
    return table


def _tolerance_table(told: WorkedExample) -> Table:
    table = _table(["prior", "tol", "iterations", "mean 1", "mean 2", "outcome"])
    for name, fits in (("none", told.unpenalised), ("weak", told.penalised)):
        for tol, fit in fits:
            table.add_row(name, f"{tol:g}", *_fit_cells(fit))
    return table


def _fit_cells(fit: FitResult) -> list[str]:
    means = [f"{mean:.4f}" for mean in fit.mixture.means[:, 0]]
    return [str(fit.n_iterations), *means, fit.outcome.kind.value.replace("_", " ")]


def _membership_table(told: WorkedExample) -> Table:
    table = _table(["height", "group", "probability of 1", "probability of 2", ""])
    for height, shares in told.memberships:
        group = 1 + shares.index(max(shares))
        remark = "" if max(shares) >= DECISIVE else "uncertain"
        table.add_row(f"{height:g}", str(group), *(percent(share) for share in shares), remark)
    return table


def _table(headings: Iterable[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
