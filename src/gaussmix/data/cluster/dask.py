"""Rows in a dask array, a dask dataframe or files, worked on where dask works: threads or a cluster.

Each pass is one task for each partition, which loads it and adds up what the pass asks of its rows, and a
tree of sums over partitions. Only sums travel. The tree depends on nothing but how many partitions there
are, so that the same bits come out whichever worker does what, or does it again because another died.
"""

import hashlib
import pickle
import uuid
import warnings
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Self, cast

import numpy as np

from gaussmix.errors import DataError

try:
    import dask  # noqa: F401
    import distributed  # noqa: F401
except ImportError as missing:
    raise DataError('rows in dask need dask: pip install "gaussmix[dask]"') from missing

from gaussmix.data.blocked import BlockedRows
from gaussmix.data.blocks import Block, T, Task
from gaussmix.data.checks import HEAVIEST, LIGHTEST, refuse_unusable_columns
from gaussmix.data.cluster.dask_client import Graph, Runner, runner_for
from gaussmix.data.cluster.dask_parts import Partitions, partitions_of, with_places
from gaussmix.data.cluster.dask_work import FirstLook, Keep, PartFacts, Partial, Work, fetch, together
from gaussmix.data.files.columns import rounded_integers, rows_left_out
from gaussmix.data.tasks import Extent, Measure
from gaussmix.errors import DataWarning, StartError
from gaussmix.kernels.contract import FloatArray, ScatterKind
from gaussmix.model.statistics import SufficientStatistics

# Sums that one task adds up: a power of two, so that the tree is the same as in one piece.
FAN_IN = 16
# Bytes of one that is sent along with each partition's work.
SMALL_TASK = 1 << 15
# Numbers in a partition, which are worked on sooner than a scheduler hands out a task.
SMALL_PARTITION = 1 << 15
RETRIES = 3
WORKER_TIMEOUT = 300.0


class DaskRows(BlockedRows):
    """Rows (N, D) in partitions, which dask loads and works on.

    Make them with `of`, which takes the first look at all rows: shapes, ranges, and whether there is
    anything that cannot be fitted. Each pass loads the partitions again unless they are kept
    (``persist=True``, or ``collection.persist()`` before).
    """

    def __init__(self, partitions: Partitions, runner: Runner, persist: bool = False) -> None:
        self._partitions, self._runner = partitions, runner
        self._feature_names = partitions.names
        self._notes = partitions.notes
        self._first_look: tuple[Measure, Extent, tuple[PartFacts, ...]] | None = None
        if persist:
            self._partitions = self._kept()
        refuse_unusable_columns(self.summary, self._feature_names)

    @classmethod
    def of(
        cls,
        collection: Any,
        *,
        columns: Sequence[str] | None = None,
        weights: Any = None,
        feature_names: Sequence[str] | None = None,
        client: Any = None,
        persist: bool = False,
        retries: int = RETRIES,
        worker_timeout: float = WORKER_TIMEOUT,
    ) -> Self:
        """Rows of a dask collection, or of files that the workers read.

        Parameters
        ----------
        collection : dask array (N, D), dask dataframe, or sequence of parts
            Chunks of an array may have any lengths, known or not. A part can be pickled and has
            ``blocks()``, which gives its rows as `Block` in order, again each time.
        columns : sequence of str, optional
            Which columns, in this order; by default all that are numbers (an array's are x1, x2, ...).
        weights : dask array (N,), dask series, or str, optional
            Row weights, or the column of a dataframe that holds them: 2 counts a row twice, 0 leaves it
            out.
        feature_names : sequence of str, optional
            D names for the columns of an array or of parts.
        client : distributed.Client, str, cluster or None
            A client, the address of a scheduler ("tcp://..."), or a cluster to work on. None works where
            dask itself would: on the current client if there is one, else in threads of this process.
        persist : bool
            Whether to load partitions once and keep them in the workers' memory.
        retries : int
            How often a task that raises is tried again, besides those whose worker dies.
        worker_timeout : float
            Seconds to wait for workers while there is none that takes tasks.

        Returns
        -------
        DaskRows
            ``close()``, or leaving a ``with`` block, closes the client that an address was given for.

        Raises
        ------
        DataError, DataKindError
            If the rows cannot be used; the message names the partition, counted from 0 as dask does, and
            row and column in it.
        FitError
            If there is no cluster, or none any more.
        SettingsError
            If a setting has no meaning.
        """
        partitions = partitions_of(collection, columns, weights, feature_names)
        runner = runner_for(client, retries, worker_timeout)
        try:
            return cls(partitions, runner, persist)
        except BaseException:
            runner.close()
            raise

    def close(self) -> None:
        """Let go of what was kept, and of the client if it was made for these rows."""
        if self._partitions.kept:
            # Workers keep it as long as somebody refers to it.
            self._partitions = replace(self._partitions, graph={}, work=())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """D names."""
        return self._feature_names

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or is worth knowing, a sentence each."""
        return self._notes

    @property
    def n_partitions(self) -> int:
        """How many tasks a pass has."""
        return len(self._partitions)

    @property
    def fingerprint(self) -> str:
        """What tells these rows, as they are cut, from others: a digest of all numbers and weights."""
        _, _, facts = self._looked()
        hasher = hashlib.sha256(repr(self._feature_names).encode())
        for fact in facts:
            hasher.update(f"{fact.n_rows} {fact.row_weight!r}".encode() + fact.digest)
        return f"dask-{hasher.hexdigest()}"

    def added_up(self, task: Task[T]) -> T:
        """What a task makes of all rows: done on the partitions' blocks, where they are."""
        measure, extent, _ = self._looked(task if isinstance(task, Measure) else None)
        if isinstance(task, Measure) and task == measure:
            return cast("T", extent)
        found: T = self._sum_of(task, self._partitions).value
        return found

    def blocks(self) -> Iterator[Block]:
        """All rows in order, fetched from the workers a partition at a time."""
        self._looked()
        for i in range(len(self._partitions)):
            fetched = self._sum_of(fetch, self._partitions.only(i)).value
            if fetched is not None:
                yield from fetched.blocks

    def given_statistics(
        self,
        responsibilities: FloatArray,  # noqa: ARG002
        centres: FloatArray,  # noqa: ARG002
        kind: ScatterKind,  # noqa: ARG002
    ) -> SufficientStatistics:
        """Not from here: see Raises.

        Raises
        ------
        StartError
            Always.
        """
        raise StartError(
            "rows in dask cannot be started from labels or responsibilities of all rows; give means (and "
            "weights, covariances), or a fitted mixture to start from"
        )

    def _looked(self, measure: Measure | None = None) -> tuple[Measure, Extent, tuple[PartFacts, ...]]:
        """What the first pass found."""
        if self._first_look is None:
            self._first_look = self._look(measure or Measure(products=False))
        return self._first_look

    def _look(self, measure: Measure) -> tuple[Measure, Extent, tuple[PartFacts, ...]]:
        found = self._sum_of(measure, self._partitions, FirstLook)
        heaviest = max(fact.heaviest for fact in found.facts)
        if not any(fact.n_rows for fact in found.facts):
            raise DataError(f"there are no rows in any of the {len(found.facts)} partitions")
        if heaviest == 0.0:
            raise DataError("sample_weight is zero for every row: nothing to fit")
        if not LIGHTEST <= heaviest <= HEAVIEST:
            unit = float(np.exp2(np.floor(np.log2(heaviest))))
            _warn(
                f"sample_weight reaches {heaviest:g}; the weights were divided by {unit:g}, and the "
                "log-likelihood and BIC are in that unit"
            )
            self._partitions = self._partitions.in_unit(unit)
            found = self._sum_of(measure, self._partitions, FirstLook)
        rounded = sorted({j for fact in found.facts for j in fact.rounded})
        if rounded:
            _warn(
                "integers beyond 2^53 were rounded to the nearest 64-bit float; if they are identifiers, "
                "leave the column out"
            )
            self._notes += tuple(rounded_integers(self._feature_names[j]) for j in rounded)
        n_seen, n_kept = sum(fact.seen for fact in found.facts), sum(fact.n_rows for fact in found.facts)
        if n_seen > n_kept:
            self._notes += (rows_left_out(n_seen - n_kept, n_seen),)
        makers = sorted({fact.made_by for fact in found.facts})
        if len(makers) > 1:
            self._notes += (
                f"workers compute with different versions or kernels ({'; '.join(makers)}): the last bits "
                "of the answer may depend on which of them does what",
            )
        if self._runner.sends_rows and not self._partitions.kept:
            _warn(
                "the rows themselves are in the collection's graph and are sent to the cluster again in "
                "every pass: pass persist=True, or have the workers load them (dask.array.from_zarr, "
                "dask.dataframe.read_parquet)"
            )
        lengths = [fact.n_rows for fact in found.facts]
        mean_values = sum(lengths) * len(self._feature_names) / len(lengths)
        if len(lengths) > FAN_IN and mean_values < SMALL_PARTITION:
            self._notes += (
                f"{len(lengths)} partitions have {sum(lengths) / len(lengths):.0f} rows on average: passes "
                "take less time over fewer and larger ones (rechunk, repartition)",
            )
        self._partitions = with_places(self._partitions, found.facts)
        return measure, found.value, found.facts

    def _kept(self) -> Partitions:
        name, parts = f"gaussmix-load-{uuid.uuid4().hex}", self._partitions
        keys: list[Hashable] = [(name, i) for i in range(len(parts))]
        loads = ((Keep(work), *handed) for work, handed in zip(parts.work, parts.handed, strict=True))
        held = self._runner.hold(parts.graph | dict(zip(keys, loads, strict=True)), keys)
        work = tuple(replace(one, load=None, source=None) for one in parts.work)
        return replace(parts, graph=held, handed=tuple((key,) for key in keys), work=work, kept=True)

    def _sum_of(self, task: Task[Any], parts: Partitions, kind: type[Work] = Work) -> Partial:
        """A task on some partitions, added up."""
        if not len(parts):
            raise DataError("these rows were closed")
        name = f"gaussmix-{getattr(task, '__name__', type(task).__name__).lower()}-{uuid.uuid4().hex}"
        graph: Graph = dict(parts.graph)
        given: Any = task
        if not _is_small(task):
            given = f"{name}-task"
            graph[given] = task
        keys: list[Hashable] = [(name, i) for i in range(len(parts))]
        for key, work, handed in zip(keys, parts.work, parts.handed, strict=True):
            graph[key] = (work.as_a(kind), given, *handed)
        level = 0
        while len(keys) > FAN_IN:
            level += 1
            groups = [keys[i : i + FAN_IN] for i in range(0, len(keys), FAN_IN)]
            keys = [(f"{name}-sum", level, i) for i in range(len(groups))]
            graph.update((key, (together, group)) for key, group in zip(keys, groups, strict=True))
        found = together(self._runner.get(graph, keys))
        if found.problem is not None:
            raise found.problem
        return found


def _is_small(task: Any) -> bool:
    """Whether a task may travel with each partition's work, rather than once, by a detour."""
    try:
        return len(pickle.dumps(task)) <= SMALL_TASK
    except (pickle.PicklingError, AttributeError, TypeError):
        return False


def _warn(message: str) -> None:
    warnings.warn(message, DataWarning, stacklevel=6)
