"""Which partitions a collection has, how each is loaded, and what their columns are called."""

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
from dask.base import is_dask_collection
from dask.optimization import cull

from gaussmix.data.cluster.dask_columns import chosen_columns, weights_column
from gaussmix.data.cluster.dask_load import Load, RowsInBlocks
from gaussmix.data.cluster.dask_work import PartFacts, Work
from gaussmix.data.files.columns import shortened
from gaussmix.errors import DataError, DataKindError, DataWarning

Graph = dict[Hashable, Any]


@dataclass(frozen=True, eq=False)
class Partitions:
    """Partitions that follow one another, none of them loaded yet."""

    names: tuple[str, ...]
    """D."""
    graph: Graph
    """What makes them."""
    handed: tuple[tuple[Hashable, ...], ...]
    """For each, the keys of what its work is given: its rows, and perhaps their weights."""
    work: tuple[Work, ...]
    notes: tuple[str, ...] = ()
    """What was left out."""
    kept: bool = False
    """Whether they are kept where they were loaded."""

    def __len__(self) -> int:
        return len(self.work)

    def only(self, i: int) -> "Partitions":
        """One of them, with no more of the graph than makes it."""
        culled: Any = cull
        graph, _ = culled(self.graph, list(self.handed[i]))
        return replace(self, graph=dict(graph), handed=self.handed[i : i + 1], work=self.work[i : i + 1])

    def in_unit(self, unit: float) -> "Partitions":
        """The same with another unit of row weights."""
        return replace(self, work=tuple(replace(one, unit=unit) for one in self.work))


def partitions_of(
    collection: Any,
    columns: Sequence[str] | None = None,
    weights: Any = None,
    feature_names: Sequence[str] | None = None,
) -> Partitions:
    """Partitions of a dask array, a dask dataframe, or a sequence of parts that workers read themselves.

    Raises
    ------
    DataError, DataKindError
        If it is none of these, or the columns or weights do not fit.
    """
    columns = [columns] if isinstance(columns, str) else columns
    if columns is not None and not isinstance(columns, Sequence):
        columns = list(columns)
    if columns is not None and not len(columns):
        raise DataError("no columns are named: name some, or leave columns out for all that are numbers")
    # Of a Delayed every attribute is there, and is a Delayed.
    if isinstance(getattr(collection, "chunks", None), tuple):
        return _of_array(collection, columns, weights, feature_names)
    if isinstance(getattr(collection, "npartitions", None), int) and hasattr(collection, "_meta"):
        if feature_names is not None:
            raise DataError("a dask dataframe names its columns itself: leave feature_names out")
        return _of_frame(collection, columns, weights)
    if isinstance(collection, Sequence) and all(hasattr(part, "blocks") for part in collection):
        if weights is not None:
            raise DataError("parts of files bring their weights themselves: leave weights out")
        return _of_parts(collection, columns, feature_names)
    raise DataKindError(
        "Dask rows are a dask array (N, D), a dask dataframe, or a sequence of parts with blocks(); got "
        f"{type(collection).__name__}"
    )


def _of_array(
    array: Any, columns: Sequence[str] | None, weights: Any, names: Sequence[str] | None
) -> Partitions:
    if array.ndim != 2:
        raise DataError(
            f"Expected 2D array, got {array.ndim}D array instead: rows must have shape (N, D). "
            "Use array[:, None] if it is one feature."
        )
    n_features = array.shape[1]
    if not isinstance(n_features, int) or n_features == 0:
        raise DataError(
            f"the dask array has {array.shape[1]} columns: their number must be known and at least 1"
        )
    if array.dtype == np.float16:
        warnings.warn(
            "float16 rows carry 3 digits; they are computed with as float32, which adds none",
            DataWarning,
            stacklevel=5,
        )
    every = tuple(f"x{j + 1}" for j in range(n_features)) if names is None else tuple(map(str, names))
    if len(every) != n_features:
        raise DataError(f"feature_names has {len(every)} names for {n_features} columns")
    if columns is not None:
        positions = [_position(name, every) for name in columns]
        if len(set(positions)) < len(positions):
            raise DataError(f"a column is named twice: {', '.join(map(str, columns))}")
        array, every = array[:, positions], tuple(every[p] for p in positions)
    # A row must lie in one chunk.
    array = array.rechunk({1: -1})
    heights = array.chunks[0]
    known = not np.isnan(heights).any()
    graph, keys = _delayed(array)
    handed: list[tuple[Hashable, ...]] = [(key,) for key in keys]
    if weights is not None:
        more, of_weights = _weights_beside(weights, heights, known)
        graph, handed = graph | more, list(zip(keys, of_weights, strict=True))
    places = [f"partition {i}" for i in range(len(keys))]
    work = tuple(Work(place, every, 1.0, Load(place, every, None, False)) for place in places)
    return Partitions(every, graph, tuple(handed), work)


def _of_frame(frame: Any, columns: Sequence[str] | None, weights: Any) -> Partitions:
    meta = frame._meta
    if getattr(meta, "ndim", 2) != 2:
        raise DataError("a dask series is one column: use series.to_frame()")
    own = weights if isinstance(weights, str | int) else None
    chosen, notes = chosen_columns(meta, columns, own)
    kinds = [meta.dtypes.iloc[position] for position in chosen]
    features = tuple(str(meta.columns[position]) for position in chosen)
    wanted = [*chosen, *([] if own is None else [weights_column(meta, own)])]
    labels = [meta.columns[position] for position in wanted]
    graph, keys = _delayed(frame[labels])
    handed: list[tuple[Hashable, ...]] = [(key,) for key in keys]
    if weights is not None and own is None:
        more, of_weights = _weights_beside(weights, (float("nan"),) * len(keys), False)
        graph, handed = graph | more, list(zip(keys, of_weights, strict=True))
    single = all(kind == np.float32 for kind in kinds)
    places = [f"partition {i}" for i in range(len(keys))]
    work = tuple(Work(place, features, 1.0, Load(place, features, tuple(labels), single)) for place in places)
    return Partitions(features, graph, tuple(handed), work, tuple(notes))


def _of_parts(
    parts: Sequence[RowsInBlocks], columns: Sequence[str] | None, names: Sequence[str] | None
) -> Partitions:
    if not parts:
        raise DataError("there are no parts to read")
    if columns is not None:
        raise DataError("parts of files have their columns already: choose them where the parts are made")
    names = names if names is not None else getattr(parts[0], "feature_names", None)
    if names is None:
        raise DataError("parts of files do not say what their columns are called: pass feature_names")
    every = tuple(map(str, names))
    work = tuple(Work(_place(part, i), every, 1.0, source=part) for i, part in enumerate(parts))
    notes = tuple(getattr(parts[0], "notes", ()))
    return Partitions(every, {}, ((),) * len(parts), work, notes)


def _place(part: Any, i: int) -> str:
    path = getattr(part, "path", None)
    return f"part {i}" if path is None else f"part {i} ({path})"


def _weights_beside(weights: Any, heights: tuple[float, ...], known: bool) -> tuple[Graph, list[Hashable]]:
    """Weights that stand beside the rows, cut as the rows are."""
    if isinstance(weights, str):
        raise DataError("weights are a column of a dataframe only: an array needs a dask array (N,)")
    n_axes = getattr(weights, "ndim", np.ndim(weights))
    if n_axes != 1:
        raise DataError(f"Sample weights must be 1D; got {n_axes}D")
    if not is_dask_collection(weights):
        if not known:
            raise DataError(
                "where it is not known how many rows partitions have, weights must be a dask array cut alike"
            )
        import dask.array

        weights = dask.array.from_array(np.asarray(weights), chunks=-1)  # type: ignore[no-untyped-call]
    if known and hasattr(weights, "chunks") and not np.isnan(weights.shape[0]):
        if weights.shape[0] != sum(heights):
            raise DataError(
                f"sample_weight.shape == {weights.shape}, expected ({sum(heights)},): one weight a row"
            )
        weights = weights.rechunk((heights,))
    if weights.npartitions != len(heights):
        raise DataError(
            f"the weights have {weights.npartitions} partitions and the rows {len(heights)}: where their "
            "lengths are not known they must be cut alike"
        )
    return _delayed(weights)


def _delayed(collection: Any) -> tuple[Graph, list[Hashable]]:
    delayed = np.ravel(np.asarray(collection.to_delayed(), dtype=object))
    return dict(delayed[0].dask), [one.key for one in delayed]


def _position(name: str, names: Sequence[str]) -> int:
    if name not in names:
        raise DataError(
            f"there is no column {shortened(str(name))!r}; the columns are {', '.join(names[:12])}"
        )
    return names.index(name)


def with_places(partitions: Partitions, facts: Sequence[PartFacts]) -> Partitions:
    """The same, each of which knows what it holds, and how many rows of what weight come before it."""
    first = accumulate((fact.n_rows for fact in facts), initial=0)
    passed = accumulate((fact.row_weight for fact in facts), initial=0.0)
    seen = accumulate((fact.seen for fact in facts), initial=0)
    work = tuple(
        replace(one, first=before, passed=weight, seen=read, n_rows=fact.n_rows, bits=fact.bits)
        for one, fact, before, weight, read in zip(partitions.work, facts, first, passed, seen, strict=False)
    )
    return replace(partitions, work=work)
