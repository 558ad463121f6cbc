"""How components merge into clusters: on the terminal, as JSON, and each row's cluster as CSV."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from gaussmix import kernels
from gaussmix.learning.clusters.elbow import Elbow
from gaussmix.learning.clusters.merging import Merger, Mergers, joined
from gaussmix.report.rowtable import row_table
from gaussmix.report.words import number, percent, significant

# Components of a cluster that are named one by one.
MOST_LISTED = 6
JSON_SCHEMA, JSON_VERSION = "gaussmix-merge", 1


def mergers_report(mergers: Mergers) -> RenderableType:
    """The tree, the entropy at each number of clusters, and how many there are to be."""
    parts: list[RenderableType] = [Text(mergers.sentence, style="bold"), merger_tree(mergers)]
    if mergers.steps:
        parts += [entropy_table(mergers), Text(_remark(mergers), style="dim")]
    return Group(*parts)


def merger_tree(mergers: Mergers) -> Tree:
    """The steps from the last back to the components; clusters are named where they stand."""
    made = {joined(step): step for step in mergers.steps}
    named = {group: k for k, group in enumerate(mergers.clusters())}
    root = tuple(range(mergers.n_components))
    tree = Tree(_node(root, made, named, mergers), guide_style="dim")
    _grow(tree, root, made, named, mergers)
    if mergers.mixture.noise is not None:
        share = percent(mergers.mixture.noise.weight)
        return _with_noise(tree, share)
    return tree


def _with_noise(tree: Tree, share: str) -> Tree:
    both = Tree(Text("all rows"), guide_style="dim")
    both.children.append(tree)
    both.add(Text(f"noise, {share}, which is never merged", style="dim"))
    return both


def _grow(
    tree: Tree,
    group: tuple[int, ...],
    made: dict[tuple[int, ...], Merger],
    named: dict[tuple[int, ...], int],
    mergers: Mergers,
) -> None:
    # A branch a step, without recursion: as many components as there are may hang one below the other.
    waiting = [(tree, group)]
    while waiting:
        branch, whole = waiting.pop()
        if whole in made:
            step = made[whole]
            parts = (step.first, step.second)
            waiting += [(branch.add(_node(part, made, named, mergers)), part) for part in parts]


def _node(
    group: tuple[int, ...],
    made: dict[tuple[int, ...], Merger],
    named: dict[tuple[int, ...], int],
    mergers: Mergers,
) -> Text:
    share = percent(float(mergers.mixture.weights[list(group)].sum()))
    text = Text()
    if group in named:
        text.append(f"cluster {named[group] + 1}: ", style="bold")
    text.append(f"{components_named(group)}, {share}")
    if group in made:
        step = made[group]
        of = f"step {mergers.steps.index(step) + 1}"
        text.append(f"  {of}: entropy falls by {number(step.gain, 3)}", style="dim")
    return text


def entropy_table(mergers: Mergers) -> Table:
    """One row a number of clusters, from all components to one."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("clusters", "entropy", "merged", "rows in both", "entropy falls by", "per merged row"):
        table.add_column(name, justify="left" if name == "merged" else "right")
    entropies = significant(mergers.entropies.tolist())
    for i in range(mergers.n_components):
        n = mergers.n_components - i
        chosen = "bold" if n == mergers.n_clusters else None
        cells = [f"{n}", entropies[n - 1]]
        if i:
            step = mergers.steps[i - 1]
            pair = f"{_plus(step.first)} with {_plus(step.second)}"
            a_row = step.gain / step.rows if step.rows > 0.0 else 0.0
            cells += [pair, f"{step.rows:,.1f}", number(step.gain, 4), number(a_row, 3)]
        table.add_row(*cells, style=chosen)
    return table


def _remark(mergers: Mergers) -> str:
    noise = " Noise counts as a cluster of its own." if mergers.mixture.noise is not None else ""
    return (
        "Entropy in nats over all rows: 0 for a row that surely belongs to one cluster, 0.69 for one torn "
        f"evenly between two.{noise} The more it falls per merged row, the more the two were one group."
    )


def components_named(group: tuple[int, ...]) -> str:
    """``component 1``, ``components 1 + 3``, ``12 components``."""
    if len(group) > MOST_LISTED:
        return _plus(group)
    return f"component{'' if len(group) == 1 else 's'} {_plus(group)}"


def _plus(group: tuple[int, ...]) -> str:
    if len(group) > MOST_LISTED:
        return f"{len(group)} components"
    return " + ".join(str(k + 1) for k in group)


def mergers_json(mergers: Mergers) -> dict[str, Any]:
    """What ``gaussmix merge --json`` prints; components and clusters are counted from 1."""
    weights = mergers.mixture.weights
    return {
        "schema": JSON_SCHEMA,
        "schema_version": JSON_VERSION,
        "n_components": mergers.n_components,
        "n_clusters": mergers.n_clusters,
        "asked": mergers.asked,
        "sentence": mergers.sentence,
        "clusters": [
            {"components": [k + 1 for k in group], "weight": float(weights[list(group)].sum())}
            for group in mergers.clusters()
        ],
        "noise_weight": None if mergers.mixture.noise is None else mergers.mixture.noise.weight,
        "row_weight": mergers.row_weight,
        "entropies": mergers.entropies.tolist(),
        "merged_rows": mergers.merged_rows.tolist(),
        "steps": [
            {
                "first": [k + 1 for k in step.first],
                "second": [k + 1 for k in step.second],
                "rows": step.rows,
                "entropy_before": step.entropy_before,
                "entropy_after": step.entropy_after,
            }
            for step in mergers.steps
        ],
        "elbow": _elbow(mergers.elbow),
        "elbow_by_count": _elbow(mergers.elbow_by_count),
        "tree": mergers.tree.tolist(),
    }


def _elbow(elbow: Elbow | None) -> dict[str, Any] | None:
    return None if elbow is None else {"n_clusters": elbow.n_clusters, "slopes": list(elbow.slopes)}


def write_clusters(
    mergers: Mergers, matrix: NDArray[Any], path: str, row_numbers: NDArray[Any] | None = None
) -> None:
    """Write each row of (N, D), its cluster and its probabilities to CSV or Parquet, whole or not at all.

    Clusters and rows are counted from 1; 0 is noise.
    """
    n_clusters, noisy = len(mergers.clusters()), mergers.mixture.noise is not None
    names = ["row", "label", *(f"probability_{k + 1}" for k in range(n_clusters))]
    names += ["probability_noise"] if noisy else []
    types = [pa.int64(), pa.int32(), *([pa.float64()] * (len(names) - 2))]
    schema = pa.schema(list(zip(names, types, strict=True)))
    numbers = np.arange(1, len(matrix) + 1) if row_numbers is None else row_numbers
    size = kernels.tile_rows(mergers.mixture.n_features, mergers.n_components)
    done = 0
    with row_table(path, schema) as put:
        for tile, _ in kernels.tiles(matrix, None, size):
            shares = mergers.shares(tile)
            put([numbers[done : done + len(tile)], mergers.labels_of(shares) + 1, *shares.T])
            done += len(tile)
