"""Two fits side by side: on the terminal, and as JSON."""

from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gaussmix.learning.clusters.compared import ComponentPair
from gaussmix.learning.clusters.comparison import Comparison
from gaussmix.report.words import clean, number, percent, plural, sentence_safe, significant

JSON_SCHEMA, JSON_VERSION = "gaussmix-compare", 1
# Correlations that differ by less look the same in the table's digits.
CORRELATION_SHOWN = 0.005
MOST_CORRELATIONS = 6
# A wider table of rows is in the JSON only.
MOST_COLUMNS = 12


def comparison_report(comparison: Comparison, names: tuple[str, str] = ("A", "B")) -> RenderableType:
    """What came of it, the differences, who goes where, and how likely the rows are under both."""
    parts: list[RenderableType] = [_sides(comparison, names)]
    parts.append(Text(sentence_safe(comparison.sentence), style="bold"))
    parts += [pair_table(comparison), difference_table(comparison)]
    lines = (_correlations(comparison), _left_over(comparison), _noise(comparison))
    parts += [Text(line) for line in lines if line]
    if comparison.agreement.table.shape[1] <= MOST_COLUMNS:
        parts.append(agreement_table(comparison))
    parts.append(Text(_rand(comparison)))
    if comparison.on_rows is not None:
        parts.append(_on_rows(comparison))
    parts += [Text(f"note: {sentence_safe(note)}", style="yellow") for note in comparison.notes]
    return Group(*parts)


def _sides(comparison: Comparison, names: tuple[str, str]) -> Text:
    lines = []
    sides = (comparison.a, comparison.b)
    for letter, name, mixture, facts in zip("AB", names, sides, comparison.facts, strict=True):
        said = f"{letter}: {clean(name, 60)}, {plural(mixture.n_components, 'component')}"
        said += "" if mixture.noise is None else " and noise"
        if "log_likelihood" in facts:
            rows = plural(facts["n_rows"], "row") if "n_rows" in facts else "rows"
            said += (
                f"; of its own {rows}: log-likelihood {facts['log_likelihood']:.3f}, BIC {facts['bic']:.3f}"
            )
        lines.append(said)
    return Text("\n".join(lines))


def pair_table(comparison: Comparison) -> Table:
    """One row a pair of components: their shares, and how far apart they are."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("A", "B", "share in A", "share in B", "Hellinger distance (0 to 1)"):
        table.add_column(name, justify="right")
    for pair in comparison.pairs:
        shares = [percent(weight) for weight in pair.weights]
        table.add_row(str(pair.a + 1), str(pair.b + 1), *shares, f"{pair.hellinger:.3f}")
    return table


def difference_table(comparison: Comparison) -> Table:
    """One row a pair of components and feature; differences are B's less A's."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("A, B", no_wrap=True)
    table.add_column("feature", overflow="fold")
    for name in ("A: mean ± sd", "B: mean ± sd", "difference", "in sd"):
        table.add_column(name, justify="right", no_wrap=True)
    for pair in comparison.pairs:
        for j, name in enumerate(comparison.feature_names):
            cells = significant([*pair.means[:, j].tolist(), *pair.deviations[:, j].tolist()])
            table.add_row(
                f"{pair.a + 1}, {pair.b + 1}" if j == 0 else "",
                Text(clean(name)),
                f"{cells[0]} ± {cells[2]}",
                f"{cells[1]} ± {cells[3]}",
                number(float(pair.mean_differences[j]), 3),
                f"{pair.mean_steps[j]:+.3f}",
            )
    return table


def agreement_table(comparison: Comparison) -> Table:
    """Rows by component of A (down) and of B (across)."""
    agreement = comparison.agreement
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("rows", justify="left")
    n_rows, n_columns = agreement.table.shape
    for j in range(n_columns):
        table.add_column("noise" if j == comparison.b.n_components else f"B {j + 1}", justify="right")
    for i in range(n_rows):
        name = "noise" if i == comparison.a.n_components else f"A {i + 1}"
        table.add_row(name, *(f"{count:,.6g}" for count in agreement.table[i]))
    return table


def _rand(comparison: Comparison) -> str:
    agreement = comparison.agreement
    where = (
        f"{agreement.n_drawn:,} rows drawn from A and B, half and half (seed {agreement.seed})"
        if agreement.n_drawn
        else "the given rows"
    )
    return (
        f"adjusted Rand index {agreement.rand:.4f} on {where}; "
        f"{percent(comparison.shared)} of them in components that stand for each other"
    )


def _on_rows(comparison: Comparison) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("on the given rows", "log-likelihood", "parameters", "BIC (lower is better)"):
        table.add_column(name, justify="left" if name == "on the given rows" else "right")
    for letter, fit in zip("AB", comparison.on_rows or (), strict=True):
        table.add_row(letter, f"{fit.log_likelihood:.6f}", str(fit.n_parameters), f"{fit.bic:.3f}")
    return table


def _correlations(comparison: Comparison) -> str:
    """The correlations that differ most."""
    names, found = [clean(name) for name in comparison.feature_names], []
    for pair in comparison.pairs:
        apart = np.abs(pair.correlations[1] - pair.correlations[0])
        for i, j in zip(*np.nonzero(np.tril(apart >= CORRELATION_SHOWN, -1)), strict=True):
            one, other = pair.correlations[:, i, j]
            words = f"{names[i]} ~ {names[j]} of component {pair.a + 1} {one:+.2f} to {other:+.2f}"
            found.append((-float(apart[i, j]), words))
    if not found:
        return ""
    found.sort()
    more = len(found) - MOST_CORRELATIONS
    said = "; ".join(words for _, words in found[:MOST_CORRELATIONS])
    return f"correlation, A to B: {said}" + (f"; and {more:,} more" if more > 0 else "")


def _left_over(comparison: Comparison) -> str:
    lines = []
    for letter, mixture, left in (
        ("A", comparison.a, comparison.only_a),
        ("B", comparison.b, comparison.only_b),
    ):
        if left:
            who = ", ".join(f"{k + 1} ({percent(float(mixture.weights[k]))})" for k in left)
            lines.append(f"only in {letter}: component{'' if len(left) == 1 else 's'} {who}")
    return "\n".join(lines)


def _noise(comparison: Comparison) -> str:
    if comparison.a.noise is None and comparison.b.noise is None:
        return ""
    shares = ["none" if m.noise is None else percent(m.noise.weight) for m in (comparison.a, comparison.b)]
    return f"noise: {shares[0]} in A, {shares[1]} in B"


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """What ``gaussmix compare --json`` prints; components are counted from 1, differences are B's - A's."""
    agreement = comparison.agreement
    return {
        "schema": JSON_SCHEMA,
        "schema_version": JSON_VERSION,
        "sentence": comparison.sentence,
        "same": comparison.same,
        "feature_names": list(comparison.feature_names),
        "pairs": [_pair(pair) for pair in comparison.pairs],
        "only_a": [k + 1 for k in comparison.only_a],
        "only_b": [k + 1 for k in comparison.only_b],
        "noise_weights": [None if m.noise is None else m.noise.weight for m in (comparison.a, comparison.b)],
        "rows_by_component": agreement.table.tolist(),
        "adjusted_rand": agreement.rand,
        "share_in_pairs": comparison.shared,
        "n_drawn": agreement.n_drawn,
        "seed": agreement.seed if agreement.n_drawn else None,
        "on_rows": None if comparison.on_rows is None else [vars(fit) for fit in comparison.on_rows],
        "own_rows": [
            {name: facts.get(name) for name in ("n_rows", "log_likelihood", "bic")}
            for facts in comparison.facts
        ],
        "notes": list(comparison.notes),
    }


def _pair(pair: ComponentPair) -> dict[str, Any]:
    return {
        "a": pair.a + 1,
        "b": pair.b + 1,
        "weights": list(pair.weights),
        "weight_difference": pair.weights[1] - pair.weights[0],
        "means": pair.means.tolist(),
        "mean_differences": pair.mean_differences.tolist(),
        "mean_differences_in_standard_deviations": pair.mean_steps.tolist(),
        "standard_deviations": pair.deviations.tolist(),
        "correlations": pair.correlations.tolist(),
        "hellinger": pair.hellinger,
    }
