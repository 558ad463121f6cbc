"""Rows that are not an array in memory: ``gaussmix.rows``, and what an estimator does with them."""

from dataclasses import fields
from numbers import Integral, Number
from pathlib import Path
from typing import Any, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.blocked import BlockedRows
from gaussmix.data.checkpoints.checkpoint import noted
from gaussmix.data.checks import rounds
from gaussmix.data.files.columns import CATEGORIES, DATES, pandas_categories, rounded_integers, shortened
from gaussmix.data.files.room import size_of
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataError, DataKindError, SettingsError
from gaussmix.estimators.asked import settings_of
from gaussmix.estimators.threads import on_threads
from gaussmix.learning import scoring
from gaussmix.learning.em import Watch
from gaussmix.learning.result import FitResult
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings
from gaussmix.model.mixture import Mixture
from gaussmix.report.assignments import write_assignments


class _Estimator(Protocol):
    """What is asked of an estimator."""

    _fitted_rows: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def _mixture(self) -> Mixture: ...
    def _rows(self, X: Any, sample_weight: Any, reset: bool) -> MemoryRows: ...
    def _watch(self) -> Watch: ...
    def _warn(self, result: FitResult) -> None: ...
    def _keep(
        self, result: FitResult, rows: BlockedRows, settings: FitSettings, columns_named: bool
    ) -> None: ...


class OnRows:
    """What a ``GaussianMixture`` does with rows wherever they live."""

    warm_start: bool
    trace: bool

    @on_threads
    def fit_rows(
        self, rows: Any, start: Any = None, checkpoint: str | Path | None = None, resume: bool = False
    ) -> Self:
        """Fit the mixture to rows in files or on a cluster.

        Parameters
        ----------
        rows
            What `gaussmix.rows` returns, or anything it takes: a path, a pattern, a dask array, ...
        start : Mixture, optional
            Where to begin, instead of the ``*_init`` parameters.
        checkpoint : path, optional
            A file that keeps what each pass over the rows came to.
        resume : bool, default False
            Whether to go on from that file; the answer has the same bits as without an interruption.

        Returns
        -------
        self
            With all attributes of ``fit`` but ``labels_``: see `assign_rows`.

        Raises
        ------
        DataError
            If the rows cannot be used, or changed between passes.
        CheckpointError
            If the checkpoint is of another fit.
        SettingsError, StartError, FitError
            As in ``fit``.
        """
        source, estimator = rows_of(rows), cast("_Estimator", self)
        previous = estimator._mixture() if self.warm_start and hasattr(self, "means_") else None
        settings = settings_of(estimator.get_params(deep=False), start if start is not None else previous)
        names = names_given(source)
        # A fit that tells its whole way makes other passes.
        asked = {"trace": self.trace, **{f.name: getattr(settings, f.name) for f in fields(settings)}}
        with noted(source, asked, checkpoint, resume) as watched:
            result = search(watched, settings, estimator._watch(), self.trace)
            estimator._keep(result, watched, settings, columns_named=names is not None)
        # Whether the rows were held in memory is no business of who reads the attributes.
        for name in ("labels_", "feature_names_in_"):
            self.__dict__.pop(name, None)
        if names is not None:
            self.feature_names_in_ = names
        estimator._fitted_rows = None
        estimator._warn(result)
        return self

    @on_threads
    def assign_rows(self, rows: Any, path: str | Path) -> None:
        """Write each row's component, probabilities and log density, in order and block by block.

        Parameters
        ----------
        rows
            As in `fit_rows`. Columns of files and frames are matched to those fitted by their names.
        path : path
            A CSV file, or a Parquet file if its name ends so; replaced whole or not at all.
        """
        write_assignments(cast("_Estimator", self)._mixture(), self._known(rows), str(path))

    @on_threads
    def score_rows(self, rows: Any) -> float:
        """Return the mean log-likelihood of rows, in nats per unit of row weight: one pass."""
        scores = scoring.score_rows(cast("_Estimator", self)._mixture(), self._known(rows))
        return scores.log_likelihood / scores.row_weight

    def _any_rows(self, X: Any, sample_weight: Any) -> BlockedRows:
        """Rows (N, D) in memory, or what `rows` has returned."""
        if not isinstance(X, BlockedRows):
            return cast("_Estimator", self)._rows(X, sample_weight, reset=False)
        if sample_weight is not None:
            raise SettingsError("these rows bring their weights themselves: gaussmix.rows(..., weights=...)")
        return self._known(X)

    def _known(self, rows: Any) -> BlockedRows:
        fitted = getattr(self, "feature_names_in_", None)
        source, n_features = _matched(rows, fitted), cast("_Estimator", self)._mixture().n_features
        if len(source.feature_names) != n_features:
            raise DataError(
                f"the rows have {len(source.feature_names)} features and the mixture {n_features}: choose "
                "columns with gaussmix.rows(..., columns=[...])"
            )
        names = names_given(source)
        # Names of which only one side knows say nothing.
        if names is not None and fitted is not None and list(names) != list(fitted):
            raise DataError(
                f"the rows have the features {_listed(names)} and the mixture {_listed(fitted)}: choose "
                "columns, in the mixture's order, with gaussmix.rows(..., columns=[...])"
            )
        return source


def rows(
    source: Any,
    *,
    columns: Any = None,
    weights: Any = None,
    drop_missing: bool = False,
    memory: int | str | None = None,
    spool: bool = True,
    dask: Any = None,
    persist: bool = False,
    untrusted: bool = False,
) -> BlockedRows:
    """Rows to fit, wherever they live.

    Parameters
    ----------
    source
        An array or a data frame in memory; a path, a pattern such as ``"big/*.parquet"``, a folder or a
        list of paths (Parquet, Arrow, CSV, .npy; compressed ones too); a dask array or dataframe; a Spark
        DataFrame.
    columns : str or sequence of str, optional
        Which columns, in this order; by default all that are numbers.
    weights : str or array of shape (N,), optional
        The column that holds row weights, which then is no feature; for arrays, the weights themselves.
    drop_missing : bool, default False
        Whether to leave rows of files with missing values out instead of refusing them.
    memory : int or str, optional
        Bytes that the rows of files may take, or a text such as ``"2GB"``: more are read in blocks, again
        on every pass, and never held whole. By default a quarter of what this process can have; 0 always
        reads in blocks.
    spool : bool, default True
        Whether text that is read in blocks is parsed once and kept as numbers in a temporary file, or
        parsed again on each pass.
    dask : str, cluster or distributed.Client, optional
        Where workers are: they read the files themselves, and each pass fetches only sums.
    persist : bool, default False
        Whether workers of dask keep their rows in memory, instead of loading them again on every pass.
    untrusted : bool, default False
        Whether files may be made to do harm: a process of its own, with limits on memory, time and disk,
        then reads them once into a temporary file of numbers (docs/security.md).

    Returns
    -------
    BlockedRows
        For `GaussianMixture.fit_rows` and `gaussmix.select`. The same rows give the same numbers wherever
        they live, and the same bits from an array or from files.

    Raises
    ------
    DataError
        If there is nothing to read, or it holds no numbers.
    SettingsError
        If an option has no meaning for such a source.
    """
    if isinstance(source, BlockedRows):
        if columns is not None or weights is not None or drop_missing or dask is not None or persist:
            raise SettingsError("these are rows already: choose columns and weights where they are made")
        return source
    kind = type(source).__module__.split(".")[0]
    memory = _bytes(memory)
    if kind == "polars" and type(source).__name__ == "LazyFrame":
        raise DataKindError("a LazyFrame has no rows yet: collect it, or name its files, which may be large")
    if isinstance(columns, str) and kind != "pyspark":
        columns = [columns]
    if _are_paths(source):
        return _of_files(source, columns, weights, drop_missing, memory, spool, dask, persist, untrusted)
    if drop_missing or untrusted:
        name = "drop_missing" if drop_missing else "untrusted"
        raise SettingsError(f"{name}=True is for files, and not for an array or a frame")
    if kind in ("dask", "dask_expr"):
        from gaussmix.data.cluster.dask import DaskRows

        return DaskRows.of(source, columns=columns, weights=weights, client=dask, persist=persist)
    if persist:
        raise SettingsError("persist=True is for rows that workers of dask load")
    if dask is not None:
        raise SettingsError(
            "dask= is for files, which workers read themselves, and for dask's own arrays and dataframes: "
            "dask.array.from_array(X) makes one of an array"
        )
    if kind == "pyspark":
        from gaussmix.data.cluster.spark import SparkRows

        return SparkRows(source, columns=columns, weights=weights)
    return _in_memory(source, columns, weights)


def _are_paths(source: Any) -> bool:
    if isinstance(source, list | tuple) and not source:
        raise DataError("there are no files and no rows: the list is empty")
    several = isinstance(source, list | tuple)
    return isinstance(source, str | Path) or (
        several and all(isinstance(part, str | Path) for part in source)
    )


def _of_files(
    source: Any,
    columns: Any,
    weights: Any,
    drop_missing: bool,
    memory: int | None,
    spool: bool,
    dask: Any,
    persist: bool,
    untrusted: bool,
) -> BlockedRows:
    from gaussmix.data.files.opening import open_rows, parts

    if weights is not None and not isinstance(weights, str):
        raise DataKindError(
            "the weights of rows in files stand in a column of theirs: weights must be its name"
        )
    given = {"columns": columns, "weights": weights, "drop_missing": drop_missing}
    if untrusted and dask is not None:
        raise SettingsError("untrusted=True is for files that are read here, not by dask's workers")
    if dask is None:
        if persist:
            raise SettingsError(
                "persist=True is for rows that workers of dask load: say where they are with dask="
            )
        return open_rows(source, **given, memory=memory, spool=spool, untrusted=untrusted)
    from gaussmix.data.cluster.dask import DaskRows

    found = parts(source, **given)
    return DaskRows.of(found, feature_names=found[0].feature_names, client=dask, persist=persist)


def rows_of(source: Any, columns: Any = None) -> BlockedRows:
    """What `rows` makes of it, or itself if it is that already."""
    return rows(source, columns=columns)


def _matched(source: Any, fitted: NDArray[Any] | None) -> BlockedRows:
    """Rows with the columns that were fitted, where these and the source's have names."""
    if fitted is None or isinstance(source, BlockedRows):
        return rows_of(source)
    from gaussmix.data.files.opening import has_names

    named = has_names(source) if _are_paths(source) else hasattr(source, "columns")
    return rows_of(source, list(fitted) if named else None)


def _bytes(memory: int | str | None) -> int | None:
    if isinstance(memory, str):
        return size_of(memory)
    if memory is not None and (isinstance(memory, bool) or not isinstance(memory, Integral) or memory < 0):
        raise SettingsError(f"memory must be a number of bytes, or a text such as '2GB'; got {memory!r}")
    return None if memory is None else int(memory)


def _in_memory(source: Any, columns: Any, weights: Any) -> MemoryRows:
    """Rows of an array or a data frame."""
    if not hasattr(source, "columns"):
        if columns is not None or isinstance(weights, str):
            raise DataKindError("an array has no column names: choose columns and weights by indexing it")
        return MemoryRows(source, weights)
    # Arrow's tables call their names so; a pandas frame may call columns by numbers.
    keys = list(getattr(source, "column_names", source.columns))
    found = {str(key): key for key in keys}
    if len(found) < len(keys):
        raise DataError("two columns have one name: rename one of them")
    own = weights if isinstance(weights, str) else None
    for name in (*(columns or ()), *(() if own is None else (own,))):
        if str(name) not in found:
            raise DataError(f"no column {name!r}; the columns are {', '.join(list(found)[:12])}")
    taken = {name: np.asarray(source[found[name]]) for name in found if name == own or columns is None}
    notes: list[str] = []
    if columns is None:
        offered = {name: _why_no_numbers(source, found[name], taken[name]) for name in found if name != own}
        judged = offered.items()
        notes += [f"column {shortened(name)!r} {why}, and was left out" for name, why in judged if why]
        chosen = [name for name, why in judged if why is None]
    else:
        chosen = [str(name) for name in columns]
        taken.update((name, np.asarray(source[found[name]])) for name in chosen)
    if not chosen:
        raise DataError("no column holds numbers" + (f" ({'; '.join(notes[:3])})" if notes else ""))
    # Beside a column of floats integers become floats unseen.
    if len({taken[name].dtype for name in chosen}) > 1:
        notes += [rounded_integers(name) for name in chosen if rounds(taken[name])]
    table = np.column_stack([taken[name] for name in chosen])
    return MemoryRows(table, weights if own is None else taken[own], chosen, tuple(notes))


def _why_no_numbers(frame: Any, key: Any, column: NDArray[Any]) -> str | None:
    """Why a column (N,) is not numbers, as the rest of a sentence; None if it is."""
    of_arrow = pandas_categories(frame.schema) if hasattr(frame, "column_names") else ()
    if key in of_arrow or hasattr(getattr(frame[key], "dtype", None), "categories"):
        return CATEGORIES
    if column.dtype.kind in "mM":
        return DATES
    if column.dtype.kind in "US":
        return "is text"
    if column.dtype.kind != "O":
        return None if column.dtype.kind in "fiub" else f"holds values of type {column.dtype}"
    # Objects are numbers if some are and none is text.
    if any(isinstance(value, str) for value in column):
        return "is text"
    return None if any(isinstance(value, Number) for value in column) else "holds no numbers"


def _listed(names: NDArray[Any]) -> str:
    return ", ".join(map(str, names[:12])) + ", ..." * (len(names) > 12)


def names_given(source: BlockedRows) -> NDArray[Any] | None:
    """Names (D,) of the columns; None where nobody named them: arrays have x1, x2, ..."""
    nobodys = tuple(f"x{j + 1}" for j in range(len(source.feature_names)))
    return None if source.feature_names == nobodys else np.array(source.feature_names, dtype=object)
