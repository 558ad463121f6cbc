"""Temporary files without a name: nothing is left of them, however the process ends."""

import errno
import io
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa

from gaussmix.errors import DataError

FULL = frozenset([errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)])


class Temporary:
    """Bytes on disk, written at the end and read anywhere, by several threads."""

    def __init__(self) -> None:
        try:
            # Where the system can, the file never has a name, so that not even SIGKILL leaves it behind.
            self._file: Any = tempfile.TemporaryFile(prefix="gaussmix-", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise DataError(
                f"no temporary file can be made: {error}; set TMPDIR to another folder"
            ) from error
        # The disk is given back with the last who reads it.
        self._closing = weakref.finalize(self, _closed, self._file)
        self._lock = threading.Lock()
        self.size = 0

    def write(self, data: Any) -> None:
        """Write bytes, or an array of one piece, at the end.

        Raises
        ------
        DataError
            If the disk is full, or fails.
        """
        rest = memoryview(data).cast("B")
        with self._lock:
            while len(rest):
                try:
                    written = self._write_at(rest, self.size)
                except OSError as error:
                    if error.errno not in FULL:
                        raise _unusable("written", error) from error
                    raise DataError(
                        f"the disk is full: {tempfile.gettempdir()} has no room for the temporary file, "
                        f"grown to {told_size(self.size)}. Set TMPDIR to a folder on a larger disk, "
                        "or use --no-spool (spool=False) to do without"
                    ) from error
                self.size += written
                rest = rest[written:]

    def read(self, into: Any, offset: int) -> int:
        """Fill an array of one piece with bytes from an offset on; how many there were.

        Raises
        ------
        DataError
            If the disk does not give them.
        """
        rest = memoryview(into).cast("B")
        done = 0
        try:
            while len(rest) and (count := self._read_at(rest, offset + done)):
                done += count
                rest = rest[count:]
        except OSError as error:
            raise _unusable("read", error) from error
        return done

    @contextmanager
    def writable(self) -> Iterator[int]:
        """A descriptor for another process, which may write from the beginning on; then its size is known."""
        descriptor = self._file.fileno()
        yield descriptor
        self.size = os.fstat(descriptor).st_size

    def __reduce__(self) -> Any:
        raise DataError(
            "rows in a temporary file cannot be read by other processes: write them to a file of a name first"
        )

    # A file has one place, which a forked process shares: nothing depends on where it is.
    def _read_at(self, into: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [into], offset)
        with self._lock:
            self._file.seek(offset)
            return int(self._file.readinto(into) or 0)

    def _write_at(self, data: memoryview, offset: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._file.fileno(), data, offset)
        self._file.seek(offset)
        return int(self._file.write(data))

    def opened(self) -> pa.NativeFile:
        """The bytes as a file of Arrow, with a place of its own."""
        return pa.PythonFile(_View(self), mode="r")


def _unusable(how: str, error: OSError) -> DataError:
    return DataError(
        f"the temporary file in {tempfile.gettempdir()} cannot be {how}: {error.strerror or error}. Set "
        "TMPDIR to a folder on another disk, or use --no-spool (spool=False) to do without"
    )


def _closed(file: Any) -> None:
    # What could not be written until now is of no more use.
    with suppress(OSError):
        file.close()


class _View(io.RawIOBase):
    """A reader of a temporary file that other readers do not disturb."""

    def __init__(self, temporary: Temporary) -> None:
        self._temporary, self._place = temporary, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._temporary.size}[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        count = self._temporary.read(buffer, self._place)
        self._place += count
        return count


def told_size(n_bytes: float) -> str:
    """A number of bytes as people say it."""
    size, units = float(n_bytes), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000.0, units[1:]
    return f"{size:.3g} {units[0]}"
