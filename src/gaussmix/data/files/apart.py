"""Files that nobody vouches for: read by a process of its own, which has little to do harm with.

Decoders of Parquet, Arrow and compressed files are large programs. A file can be made to exploit a fault in
them, or to unpack to more than there is room for. The process that reads such a file has only so much memory,
time and disk, an empty environment, and, where the system allows it, no network. What comes back are numbers
in a temporary file and some JSON about them, which are checked as any other rows are.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from gaussmix.data import blocks
from gaussmix.data.files.cutting import Layout
from gaussmix.data.files.filebytes import FileBytes, is_stream, naming
from gaussmix.data.files.filerows import FilePart, FileRows
from gaussmix.data.files.limits import Limits
from gaussmix.data.files.shards import Source, shards_of
from gaussmix.data.files.sources import Chunk, FileSource, Span
from gaussmix.data.files.temporary import Temporary, told_size
from gaussmix.errors import DataError

# Of the JSON: names of a million columns would fit.
LONGEST_ANSWER = 1 << 28
# What the process is given of the environment: where Python, its libraries and temporary files are.
ENVIRONMENT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "HOME")
# Whose name alone is needed here: it reads files by all that reads files.
SERVER = "gaussmix.data.files.confined"


class ApartSource(FileSource):
    """Columns of a file as another process has read them: floats, column after column of each chunk."""

    def __init__(
        self, content: FileBytes, names: Sequence[str], held: Temporary, places: list[tuple[int, int]]
    ) -> None:
        schema = pa.schema([(name, pa.float64()) for name in names])
        super().__init__(content, schema, sum(n_rows for _, n_rows in places))
        self._held, self._places = held, places

    def chunks(self, positions: Sequence[int], span: Span | None = None) -> Iterator[Chunk]:  # noqa: ARG002
        """The columns at these positions."""
        for offset, n_rows in self._places:
            columns = [np.empty(n_rows) for _ in positions]
            for column, position in zip(columns, positions, strict=True):
                self._held.read(column, offset + 8 * n_rows * position)
            yield columns

    def batches(self, positions: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """The first rows."""
        for columns in self.chunks(positions):
            yield pa.record_batch(columns, names=[self.schema.names[position] for position in positions])
            return

    def n_bytes(self, positions: Sequence[int]) -> int:
        """Of the numbers."""
        return 8 * (self.n_rows or 0) * len(positions)


class _Untouched(FileBytes):
    """A file of which this process reads no more than size, time and ends."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._held = None
        with naming(path):
            if is_stream(path):
                raise DataError(f"{path}: a stream cannot be read as untrusted: write it to a file first")
            self.stamp = self._stamp_now()


def read_apart(
    source: Source,
    columns: Sequence[str] | None = None,
    weights: str | None = None,
    drop_missing: bool = False,
    limits: Limits | None = None,
) -> FileRows:
    """Have a process with limits read files once, and stream from what it made of them.

    Parameters
    ----------
    source, columns, weights, drop_missing
        As in `opening.open_rows`.
    limits : Limits, optional

    Raises
    ------
    DataError
        As in `opening.open_rows`; and if the process died or reached a limit, which is named.
    """
    limits = limits or Limits()
    contents = [_Untouched(path) for path in shards_of(source)]
    asked = {
        "paths": [content.path for content in contents],
        "columns": None if columns is None else list(columns),
        "weights": weights,
        "limits": asdict(limits),
    }
    held = Temporary()
    with held.writable() as descriptor:
        done = subprocess.run(
            [sys.executable, "-I", "-c", f"from {SERVER} import serve; serve({descriptor})"],
            input=json.dumps(asked).encode(),
            capture_output=True,
            check=False,
            pass_fds=[descriptor],
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        )
    files = contents[0].path if len(contents) == 1 else f"{len(contents)} files"
    answer = _answer_of(files, done, limits)
    for content in contents:
        content.check_unchanged()
    try:
        return _believed(answer, contents, held, weights, drop_missing)
    except (LookupError, TypeError, ValueError) as error:
        raise DataError(f"{files}: what the process that read it says makes no sense: {error}") from error


def _believed(
    answer: dict[str, Any],
    contents: Sequence[FileBytes],
    held: Temporary,
    weights: str | None,
    drop_missing: bool,
) -> FileRows:
    """Rows as an answer has them, if it has the form of one and speaks of numbers that are there."""
    names, notes = (tuple(str(text) for text in answer[key]) for key in ("names", "notes"))
    columns = names if weights is None else (*names, weights)
    whole = tuple(range(len(names))[int(j)] for j in answer["whole"])
    layout = Layout(names, bool(answer["single"]), weights, drop_missing, whole)
    by_path = {content.path: content for content in contents}
    found, end = [], 0
    for path, given in answer["places"]:
        places = []
        for offset, n_rows in given:
            if offset != end or not 0 < n_rows <= blocks.BLOCK_VALUES:
                raise ValueError(f"{n_rows} rows at {offset}, where {end} was expected")
            places.append((end, int(n_rows)))
            end += 8 * int(n_rows) * len(columns)
        apart = ApartSource(by_path[path], columns, held, places)
        found.append(FilePart(apart, tuple(range(len(columns))), layout, None, 0, apart.n_rows))
    if end != held.size:
        raise ValueError(f"{held.size} bytes of numbers, where {end} were expected")
    return FileRows(found, notes)


def _answer_of(files: str, done: "subprocess.CompletedProcess[bytes]", limits: Limits) -> dict[str, Any]:
    """What the process says, if it came to an end."""
    if done.returncode == -signal.SIGXCPU:
        raise DataError(f"{files}: could not be read in {limits.seconds} s of processor time, its limit")
    answer: Any = None
    with suppress(ValueError, RecursionError):
        answer = json.loads(done.stdout[:LONGEST_ANSWER])
    if isinstance(answer, dict) and "error" in answer:
        raise DataError(str(answer["error"]))
    if isinstance(answer, dict):
        return answer
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    raise DataError(
        f"{files}: the process that read it died ({how}): it is damaged, was made to do harm, or needs more "
        f"than the {told_size(limits.memory)} of memory that such a process may have"
    )
