"""Which files are meant: a path, a pattern, a folder of shards, or a list of those."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from gaussmix.errors import DataError

STANDARD_INPUT = "-"
PATTERN = re.compile(r"[*?\[]")

Source = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def shards_of(source: Source) -> list[str]:
    """Paths of the files that are meant, at least one.

    Those of a folder or a pattern come in natural order (part-2 before part-10), those of a list in its own.

    Raises
    ------
    DataError
        If there are none, or a folder has folders inside.
    """
    if not isinstance(source, str | os.PathLike):
        shards = [shard for one in source for shard in shards_of(one)]
        if not shards:
            raise DataError("no file is named: the list is empty")
        return shards
    path = os.fspath(source)
    if path == STANDARD_INPUT:
        return [path]
    if not path or "\0" in path:
        raise DataError(f"{path!r} is no name of a file")
    if Path(path).is_dir():
        return _in_folder(path)
    if PATTERN.search(path) and not Path(path).exists():
        matching = glob.glob(path, recursive=True)  # noqa: PTH207 (patterns may be absolute)
        found = [name for name in matching if not _hidden(name)]
        shards = [shard for name in found for shard in (_in_folder(name) if Path(name).is_dir() else [name])]
        if not shards:
            raise DataError(f"{path}: no file has a name like that")
        return sorted(shards, key=natural)
    return [path]


def several(source: Source) -> bool:
    """Whether a folder, a pattern or a list is named, and not one file."""
    if not isinstance(source, str | os.PathLike):
        return True
    path = os.fspath(source)
    return Path(path).is_dir() or bool(PATTERN.search(path) and not Path(path).exists())


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers inside names by their size."""
    return [(0, int(word), "") if word.isdecimal() else (1, 0, word) for word in re.split(r"(\d+)", name)]


def _in_folder(folder: str) -> list[str]:
    try:
        entries = [entry for entry in Path(folder).iterdir() if not _hidden(entry.name)]
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error
    inner = sorted(entry.name for entry in entries if entry.is_dir())
    if inner:
        raise DataError(
            f"{folder}: has folders inside ({inner[0]!r} for one), whose names are not read as a column; "
            f"name the files with a pattern, as in '{folder}/*/*.parquet'"
        )
    if not entries:
        raise DataError(f"{folder}: the folder holds no file")
    return sorted(map(str, entries), key=natural)


def _hidden(path: str) -> bool:
    # Writers of shards put their own notes beside them: _SUCCESS, .part-0.crc.
    return Path(path).name.startswith(("_", "."))
