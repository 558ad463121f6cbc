r"""A file that grows by one record at a time, and that no end of its process can spoil.

    gaussmix checkpoint 1\n, length, SHA-256, header (JSON)
    PASS, length, key, SHA-256 of the content, check of these; content
    PASS, ...

The header is there from the first instant or not at all. A record counts from its last byte on; what was
cut short is cut off when the journal is opened again. A journal is open in one place at a time.
"""

import contextlib
import glob
import hashlib
import json
import os
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from gaussmix.errors import CheckpointError

try:
    import fcntl
except ImportError:  # pragma: no cover: where there is no such thing, nothing keeps two processes apart
    fcntl = None  # type: ignore[assignment]

MAGIC = b"gaussmix checkpoint 1\n"
LARGEST_HEADER = 1024 * 1024
LARGEST_RECORD = 80 * 1024 * 1024
# Bytes that are looked at together.
CHUNK = 1 << 20
# A killed process loses nothing that it has written; a machine without power loses what it did in so
# many seconds, as records that follow one another faster are made safe together.
SYNC_SECONDS = 0.5

_HEADER = struct.Struct("<I32s")
_RECORD = struct.Struct("<4sQ32s32s")
_CHECK = 8
_BEGIN = b"PASS"


@dataclass(frozen=True)
class Record:
    """Where the content of a record is."""

    key: bytes
    first: int
    length: int
    checksum: bytes


class Journal:
    """An open journal, locked for this process.

    Attributes
    ----------
    header : dict
        As it was given when the journal was made.
    records : dict
        By key.
    damage : str
        What is wrong after the last sound record, as a sentence; empty if nothing is, or if that is only
        a record cut short.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self.header, first = read_header(file, path)
        self.records: dict[bytes, Record] = {}
        self.damage = ""
        self._end = first
        self._synced, self._safe = time.monotonic(), True
        for record in sound_records(file, first):
            if isinstance(record, str):
                self.damage = record
            else:
                self.records[record.key] = record
                self._end = record.first + record.length

    @classmethod
    def create(cls, path: Path, header: dict[str, Any]) -> "Journal":
        """Make a new one, whole or not at all.

        Raises
        ------
        CheckpointError
            If there is something of that name, or the file cannot be made.
        """
        text = json.dumps(header).encode()
        raw = b"".join([MAGIC, _HEADER.pack(len(text), hashlib.sha256(text).digest()), text])
        try:
            # Others may not read it: samples of the rows stand in it.
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        except OSError as error:
            raise _unwritable(path, error) from error
        temporary = Path(name)
        file = os.fdopen(handle, "r+b", buffering=0)
        try:
            _write(file, raw)
            os.fsync(file.fileno())
            # Before it has its name, so that it is never there for others to open.
            _lock(file, path)
            _give_name(temporary, path)
            _sync_folder(path.parent)
            return cls(file, path)
        except BaseException as error:
            file.close()
            if isinstance(error, FileExistsError):
                raise CheckpointError(already_there(path)) from None
            if isinstance(error, OSError):
                raise _unwritable(path, error) from error
            raise
        finally:
            # Where that fails it is a second name of a sound journal, and goes when that is opened again.
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Open one that is there, and see how far it is sound; nothing in it is changed.

        Raises
        ------
        CheckpointError
            If it cannot be opened, is no journal, or is in use.
        """
        try:
            file = path.open("r+b", buffering=0)
        except OSError as error:
            raise CheckpointError(f"{path}: the checkpoint cannot be opened: {error.strerror}") from error
        try:
            _lock(file, path)
            _drop_first_name(file, path)
            return cls(file, path)
        except BaseException:
            file.close()
            raise

    def cut_damage(self) -> None:
        """Cut off what comes after the last sound record, so that more can be written there."""
        self._file.truncate(self._end)

    def read(self, key: bytes) -> bytes | None:
        """The content of a record; None if there is none of that key, or it is not what it was."""
        record = self.records.get(key)
        if record is None:
            return None
        self._file.seek(record.first)
        content = _read(self._file, record.length)
        return content if hashlib.sha256(content).digest() == record.checksum else None

    def append(self, key: bytes, content: bytes) -> None:
        """Add a record.

        Raises
        ------
        OSError
            If it cannot be written; the journal is then as it was before.
        """
        checksum = hashlib.sha256(content).digest()
        begin = _RECORD.pack(_BEGIN, len(content), key, checksum)
        raw = b"".join([begin, hashlib.sha256(begin).digest()[:_CHECK], content])
        try:
            self._write_at_end(raw)
        except KeyboardInterrupt:
            # The pass is done and may have taken an hour; to write it down takes a moment.
            # It is the stop that is told, also where there is no room.
            with contextlib.suppress(OSError):
                self._write_at_end(raw)
                self._keep(key, raw, content, checksum)
            raise
        except OSError:
            with contextlib.suppress(OSError):
                self.cut_damage()
            raise
        self._keep(key, raw, content, checksum)
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Wait until the disk has all."""
        if not self._safe:
            os.fsync(self._file.fileno())
        self._synced, self._safe = time.monotonic(), True

    def close(self) -> None:
        """Bring all to the disk, and let others open it."""
        if self._file.closed:
            return
        try:
            self.sync()
        finally:
            self._file.close()

    def _write_at_end(self, raw: bytes) -> None:
        self._safe = False
        self._file.seek(self._end)
        _write(self._file, raw)

    def _keep(self, key: bytes, raw: bytes, content: bytes, checksum: bytes) -> None:
        first = self._end + len(raw) - len(content)
        self.records[key] = Record(key, first, len(content), checksum)
        self._end += len(raw)


def is_journal(path: str | Path) -> bool:
    """Whether a file begins as a journal of some version does; not if it cannot be read."""
    # What is read from a pipe is gone.
    with contextlib.suppress(OSError, ValueError):
        if Path(path).is_file():
            with Path(path).open("rb") as file:
                return file.read(len(MAGIC)).startswith(MAGIC[:-2])
    return False


def read_header(file: BinaryIO, path: Path) -> tuple[dict[str, Any], int]:
    """The header of a journal, and where its records begin.

    Raises
    ------
    CheckpointError
        If it is no journal, or damaged.
    """
    file.seek(0)
    if (magic := _read(file, len(MAGIC))) != MAGIC:
        other = magic.startswith(MAGIC[:-2])
        what = "of a format that this gaussmix does not know" if other else "not a gaussmix checkpoint"
        raise CheckpointError(f"{path} is {what}; give another name")
    damaged = f"{path}: the header of the checkpoint is damaged; delete it, or give another name"
    raw = _read(file, _HEADER.size)
    if len(raw) < _HEADER.size:
        raise CheckpointError(damaged)
    length, checksum = _HEADER.unpack(raw)
    text = _read(file, length) if length <= LARGEST_HEADER else b""
    if hashlib.sha256(text).digest() != checksum:
        raise CheckpointError(damaged)
    try:
        header = json.loads(text)
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise CheckpointError(damaged)
    return header, len(MAGIC) + _HEADER.size + length


def sound_records(file: BinaryIO, first: int) -> Iterator[Record | str]:
    """The records up to where one is cut short or damaged; where it is damaged, a word about that at last."""
    size = file.seek(0, os.SEEK_END)
    while size - first >= _RECORD.size + _CHECK:
        file.seek(first)
        begin, check = _read(file, _RECORD.size), _read(file, _CHECK)
        mark, length, key, checksum = _RECORD.unpack(begin)
        content = first + _RECORD.size + _CHECK
        sound = mark == _BEGIN and hashlib.sha256(begin).digest()[:_CHECK] == check
        if sound and length <= LARGEST_RECORD and length > size - content:
            return
        if not sound or length > LARGEST_RECORD or _checksum(file, length) != checksum:
            yield f"damaged from byte {first} of {size} on"
            return
        yield Record(key, content, length, checksum)
        first = content + length


def already_there(path: Path) -> str:
    """What to say of a file that would be overwritten."""
    try:
        with path.open("rb") as file:
            is_journal = file.read(len(MAGIC)) == MAGIC
    except OSError:
        is_journal = False
    if is_journal:
        return f"{path} is there already: resume it, give another name, or delete it"
    return f"{path} is there already, and not a gaussmix checkpoint; give another name"


def _checksum(file: BinaryIO, length: int) -> bytes:
    """Of so many bytes from here on, a part at a time."""
    hasher, left = hashlib.sha256(), length
    while left and (part := file.read(min(CHUNK, left))):
        hasher.update(part)
        left -= len(part)
    return hasher.digest()


def _read(file: BinaryIO, length: int) -> bytes:
    """So many bytes, or as many as there are."""
    parts, left = [], length
    while left and (part := file.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _write(file: BinaryIO, raw: bytes) -> None:
    view = memoryview(raw)
    while view:
        view = view[file.write(view) :]


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep others out for as long as the file is open: the lock ends with the process, however it ends."""
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CheckpointError(
            f"{path} is in use by another fit, here or in another process: wait for it, or give another name"
        ) from None
    except OSError:
        # Some file systems know no locks; a fit need not fail for that.
        return


def _give_name(temporary: Path, path: Path) -> None:
    """Rename, unless there is something of that name."""
    try:
        # A second name is refused where there is something, and a new name of the file replaces it.
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:
        if path.exists():
            raise FileExistsError(str(path)) from None
        temporary.replace(path)


def _drop_first_name(file: BinaryIO, path: Path) -> None:
    """Where a process ended just when it had given a file its name, the first one is still there."""
    if os.fstat(file.fileno()).st_nlink > 1:
        for other in path.parent.glob(f".{glob.escape(path.name)}.*"):
            if other.samefile(path):
                other.unlink()


def _sync_folder(folder: Path) -> None:
    # Not every system lets a folder be opened, and the file is there all the same.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unwritable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"{path}: the checkpoint cannot be written: {error.strerror}; give another name")
