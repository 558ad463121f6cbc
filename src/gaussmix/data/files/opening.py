"""Rows of files: streamed, or in memory where they are small; or cut into parts for other processes."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gaussmix.data import blocks
from gaussmix.data.files.apart import read_apart
from gaussmix.data.files.choice import Choice, choose
from gaussmix.data.files.csvfile import NO_ROWS
from gaussmix.data.files.cutting import Layout
from gaussmix.data.files.filebytes import FileBytes, Tell, is_stream, naming, untold
from gaussmix.data.files.filerows import FilePart, FileRows
from gaussmix.data.files.kinds import NPY_MAGIC, opened_source
from gaussmix.data.files.loaded import LoadedRows, TooLargeError
from gaussmix.data.files.room import memory_to_use
from gaussmix.data.files.shards import STANDARD_INPUT, Source, shards_of
from gaussmix.data.files.sources import FileSource
from gaussmix.data.files.spool import spooled
from gaussmix.errors import DataError

# Blocks in a part for another process: enough to keep it busy for a second.
PART_BLOCKS = 16


def open_rows(
    source: Source,
    *,
    columns: Sequence[str] | None = None,
    weights: str | None = None,
    drop_missing: bool = False,
    memory: int | None = None,
    spool: bool = True,
    tell: Tell = untold,
    untrusted: bool = False,
) -> FileRows | LoadedRows:
    """Rows of files, which are read once into memory or, where they are too large, again on every pass.

    Parameters
    ----------
    source : path, or sequence of paths
        A file, a pattern (``big/*.parquet``), a folder of shards, or a list of those; ``-`` is standard
        input. Parquet, Arrow IPC (file or stream), .npy or CSV, told apart by content; gzip, bzip2, zstd, xz
        and lz4 are unpacked. Shards have the same columns, matched by name, and are read in natural
        order, those of a list in the list's.
    columns : sequence of str, optional
        The features, in this order; by default all columns that are numbers.
    weights : str, optional
        The column of row weights: finite, not negative, not all zero; 0 means that the row is absent.
    drop_missing : bool
        Whether to leave rows with missing values out, with a note, instead of refusing them.
    memory : int, optional
        Bytes that the rows may take: more are streamed. By default a quarter of what this process can have; 0
        streams always.
    spool : bool
        Whether temporary files may be made (in TMPDIR): text that is streamed is parsed into one, once, and
        otherwise again on every pass.
    tell : callable
        Told, in a sentence, of each temporary file before it is written.
    untrusted : bool
        Whether a process of its own, with limits, reads the files once, as `apart` says.

    Returns
    -------
    FileRows or LoadedRows
        Both have ``n_rows``, ``notes``, ``fingerprint`` and ``reading``.

    Raises
    ------
    DataError
        Naming file, row and column, and what to do.
    """
    if untrusted:
        return _apart(source, columns, weights, drop_missing, memory)
    sources = _sources(source, spool, tell)
    choice = choose(sources, columns, weights)
    limit = memory_to_use() if memory is None else memory
    # Not to be spooled and then loaded: the size is known, or nearly so, before either is done.
    if memory != 0 and _estimate(sources, choice) <= limit:
        with suppress(TooLargeError):
            return LoadedRows(_rows(list(sources), choice, drop_missing, False, tell), limit)
    return _rows(sources, choice, drop_missing, spool, tell)


def _apart(
    source: Source, columns: Sequence[str] | None, weights: str | None, drop_missing: bool, memory: int | None
) -> FileRows | LoadedRows:
    rows = read_apart(source, columns, weights, drop_missing)
    limit = memory_to_use() if memory is None else memory
    known = sum(part.n_rows or 0 for part in rows.parts) * len(rows.feature_names) * 8
    return rows if memory == 0 or known > limit else LoadedRows(rows, limit)


def whole_rows(
    source: Source, *, columns: Sequence[str] | None = None, drop_missing: bool = False
) -> FileRows:
    """Rows of files to be read once: nothing is spooled.

    Raises
    ------
    DataError
        As in `open_rows`.
    """
    sources = _sources(source, True, untold)
    return _rows(sources, choose(sources, columns, None), drop_missing, False, untold)


def has_names(source: Source) -> bool:
    """Whether columns of files can be named: those of .npy cannot, and of a stream nobody knows yet.

    Raises
    ------
    DataError
        If there are no such files.
    """
    for path in shards_of(source):
        with naming(path):
            if is_stream(path) or not FileBytes(path, spool=False).magic.startswith(NPY_MAGIC):
                return True
    return False


def parts(
    source: Source,
    *,
    columns: Sequence[str] | None = None,
    weights: str | None = None,
    drop_missing: bool = False,
    part_rows: int | None = None,
) -> list[FilePart]:
    """Files cut into parts for other processes: row groups of Parquet, rows of .npy, other files whole.

    Parameters
    ----------
    source, columns, weights, drop_missing
        As in `open_rows`; paths must mean the same where the parts are read.
    part_rows : int, optional
        Rows of a part, about; by default 16 blocks.

    Returns
    -------
    list of FilePart
        In order, at least one; all have one layout. A part of them may be without rows.

    Raises
    ------
    DataError
        As in `open_rows`, for what names, types and first rows tell.
    """
    # Who reads the parts may work in another folder.
    paths = [path if path == STANDARD_INPUT else str(Path(path).absolute()) for path in shards_of(source)]
    sources = _sources(paths, False, untold)
    choice = choose(sources, columns, weights)
    # Text is not read to its end here: what has no value at the beginning is taken for missing.
    choice = choice.without(sources[0].path, _without_values(sources, choice))
    layout = _layout(sources, choice, drop_missing)
    most = part_rows or PART_BLOCKS * blocks.block_rows(len(choice.names))
    return [
        FilePart(one, positions, layout, span, before, n_rows, choice.notes)
        for one, positions in zip(sources, choice.positions, strict=True)
        for span, before, n_rows in one.spans(most)
    ]


def _rows(sources: list[FileSource], choice: Choice, drop_missing: bool, spool: bool, tell: Tell) -> FileRows:
    texts = [i for i, source in enumerate(sources) if source.undecided]
    doubtful = any(_without_values(sources, choice))
    if texts and (spool or doubtful):
        parsed = spooled([sources[i] for i in texts], [choice.positions[i] for i in texts], spool, tell)
        positions = list(choice.positions)
        for i, source in zip(texts, parsed, strict=True):
            sources[i], positions[i] = source, tuple(range(len(choice.columns)))
        choice = replace(choice, positions=tuple(positions))
        if all(source.n_rows == 0 for source in sources):
            raise DataError(f"{sources[0].path}: {NO_ROWS}")
        choice = choice.without(sources[0].path, _without_values(sources, choice))
    layout = _layout(sources, choice, drop_missing)
    found = [
        FilePart(source, positions, layout, None, 0, source.n_rows)
        for source, positions in zip(sources, choice.positions, strict=True)
    ]
    return FileRows(found, choice.notes)


def _sources(source: Source, spool: bool, tell: Tell) -> list[FileSource]:
    """Every file, opened; empty ones beside others are nothing."""
    paths = shards_of(source)
    contents = [FileBytes(path, spool, tell) for path in paths]
    filled = [content for content in contents if content.magic]
    if not filled:
        raise DataError(f"{paths[0]}: the file is empty" if len(paths) == 1 else "all files are empty")
    return [opened_source(content) for content in filled]


def _without_values(sources: Sequence[FileSource], choice: Choice) -> list[bool]:
    """Of features and weights, whether no file has a value, as far as is known."""
    return [
        not any(
            source.may_have_values(positions[j])
            for source, positions in zip(sources, choice.positions, strict=True)
        )
        for j in range(len(choice.columns))
    ]


def _layout(sources: Sequence[FileSource], choice: Choice, drop_missing: bool) -> Layout:
    return Layout(choice.names, choice.single(sources), choice.weights, drop_missing, choice.whole(sources))


def _estimate(sources: Sequence[FileSource], choice: Choice) -> int:
    n_columns = len(choice.columns)
    return int(sum(source.expected_rows() for source in sources) * n_columns * 8)
