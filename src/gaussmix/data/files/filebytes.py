"""The bytes of a file: unpacked where they are compressed, and watched for changes."""

import hashlib
import lzma
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from gaussmix.data.files.shards import STANDARD_INPUT
from gaussmix.data.files.temporary import Temporary, told_size
from gaussmix.errors import DataError

MAGIC_BYTES = 10
CODECS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4", b"\xfd7zXZ\x00": "xz"}
COPIED_BYTES = 1 << 20
# What is unpacked to see how much larger a file gets: of so many bytes of it, and no more than so many.
TRIED_BYTES, TRIED_UNPACKED = 1 << 18, 1 << 26
# Of each end of a file, for its fingerprint.
END_BYTES = 1 << 16

UNPACKING = (pa.ArrowException, OSError, EOFError, zlib.error, lzma.LZMAError)

Tell = Callable[[str], None]


def untold(sentence: str) -> None:
    """Say nothing."""


class FileBytes:
    """A file as it was when it was opened. It can be pickled unless it is a stream.

    Parameters
    ----------
    path : str
        ``-`` is standard input; that and other streams are copied to a temporary file first.
    spool : bool
        Whether temporary files may be made.
    tell : callable
        Told of a temporary file before it is made.
    """

    def __init__(self, path: str, spool: bool = True, tell: Tell = untold) -> None:
        self.path, self._spool, self._tell = path, spool, tell
        self._held: Temporary | None = None
        self._held_digest = b""
        self._unpacked: Temporary | None = None
        with naming(path):
            if is_stream(path):
                self._hold()
            else:
                # What open() says of a folder or of rights is clearer than what Arrow says.
                Path(path).open("rb").close()
            self.stamp = self._stamp_now()
            self.codec = codec_of(self._raw().read(MAGIC_BYTES))
            try:
                self.magic = self.stream().read(MAGIC_BYTES)
            except UNPACKING as error:
                if self.codec is None:
                    raise
                raise DataError(f"{path}: looks like {self.codec} and cannot be unpacked: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        if self._held is not None:
            raise DataError(
                f"{self.path}: a stream cannot be read by other processes; write it to a file first"
            )
        return {**self.__dict__, "_unpacked": None, "_tell": untold}

    @property
    def name(self) -> str:
        """Without its folder."""
        return Path(self.path).name

    def stream(self) -> pa.NativeFile:
        """What is in it, from the beginning on."""
        raw = self._raw()
        return raw if self.codec is None else self._unpacking(raw)

    def random(self) -> pa.NativeFile:
        """What is in it, to be read anywhere; unpacked to a temporary file first where it is compressed."""
        if self.codec is None:
            return self._raw()
        if self._unpacked is None:
            if not self._spool:
                raise DataError(
                    f"{self.path}: a {self.codec} file of this format can be read only when it is unpacked: "
                    "unpack it first, or leave --no-spool (spool=False) out"
                )
            self._tell(
                f"{self.path} is unpacked to a temporary file, which takes more than "
                f"{told_size(self.stamp[0])} until the end"
            )
            self._unpacked, _ = _copied(self.stream())
        return self._unpacked.opened()

    def expansion(self) -> float:
        """How many times as large it is when it is unpacked, as its beginning tells."""
        if self.codec is None:
            return 1.0
        raw = self._raw()
        stream, unpacked = self._unpacking(raw), 0
        while raw.tell() < TRIED_BYTES and unpacked < TRIED_UNPACKED and (data := stream.read(COPIED_BYTES)):
            unpacked += len(data)
        return unpacked / max(int(raw.tell()), 1)

    def check_unchanged(self) -> None:
        """Look whether it still is what it was.

        Raises
        ------
        DataError
            If it has another size or was written since.
        """
        try:
            now = self._stamp_now()
        except OSError as error:
            raise DataError(
                f"{self.path}: is gone since it was opened ({error.strerror or error})"
            ) from error
        if now != self.stamp:
            raise DataError(
                f"{self.path}: changed while it was being read; start again when nobody writes to it"
            )

    def digest(self) -> bytes:
        """SHA-256 over its name, size, time and both ends; of a stream, over all of it."""
        found = hashlib.sha256(repr((self.name, self.stamp)).encode())
        if self._held is not None:
            # A stream has no time that tells it from another one of the same length.
            found.update(self._held_digest)
            return found.digest()
        with naming(self.path):
            raw = self._raw()
            found.update(raw.read(END_BYTES))
            if self.stamp[0] > END_BYTES:
                raw.seek(self.stamp[0] - END_BYTES)
                found.update(raw.read(END_BYTES))
        return found.digest()

    def _unpacking(self, raw: pa.NativeFile) -> pa.NativeFile:
        if self.codec == "xz":
            return pa.PythonFile(lzma.LZMAFile(raw), mode="r")
        return pa.CompressedInputStream(raw, self.codec)

    def _raw(self) -> pa.NativeFile:
        # Never mapped into memory: the address space may be limited.
        return pa.OSFile(self.path) if self._held is None else self._held.opened()

    def _stamp_now(self) -> tuple[int, int]:
        """Size in bytes, and when it was last written in nanoseconds."""
        if self._held is not None:
            return self._held.size, 0
        now = Path(self.path).stat()
        return now.st_size, now.st_mtime_ns

    def _hold(self) -> None:
        if self.path != STANDARD_INPUT and Path(self.path).is_dir():
            raise IsADirectoryError(21, "is a directory")
        if not self._spool:
            raise DataError(
                f"{self.path}: a stream can be read once only, and a fit reads its rows many times: write it "
                "to a file first, or leave --no-spool (spool=False) out"
            )
        if self.path == STANDARD_INPUT:
            self._held, self._held_digest = _copied(sys.stdin.buffer, self._announce)
        else:
            with Path(self.path).open("rb", buffering=0) as file:
                self._held, self._held_digest = _copied(file, self._announce)

    def _announce(self) -> None:
        self._tell(f"{self.path} is a stream, and is copied to a temporary file first")


@contextmanager
def naming(path: str, content: FileBytes | None = None) -> Iterator[None]:
    """Turn what reading a file raises into errors that name it, and say if it was written meanwhile."""
    try:
        yield
    except (pa.ArrowException, EOFError, UnicodeError, zlib.error, lzma.LZMAError) as error:
        if content is not None:
            content.check_unchanged()
        raise DataError(f"{path}: cannot be read: {str(error).strip() or 'it is damaged'}") from error
    except OSError as error:
        if content is not None:
            content.check_unchanged()
        raise DataError(f"{path}: {error.strerror or f'cannot be read: {error}'}") from error


def is_stream(path: str) -> bool:
    """Whether a path names something that can be read once only.

    Raises
    ------
    OSError
        If there is nothing there.
    """
    return path == STANDARD_INPUT or not stat.S_ISREG(Path(path).stat().st_mode)


def codec_of(magic: bytes) -> str | None:
    """How a file is compressed, from its first bytes; None if it is not."""
    # Text may begin with BZh, but hardly with all of this.
    if magic[:3] == b"BZh" and magic[4:10] == b"1AY&SY":
        return "bz2"
    return next((codec for start, codec in CODECS.items() if magic.startswith(start)), None)


def _copied(stream: Any, announce: Callable[[], None] | None = None) -> tuple[Temporary, bytes]:
    """All that is in a stream, and its SHA-256; announced where it is more than a little."""
    copy, found = Temporary(), hashlib.sha256()
    while data := stream.read(COPIED_BYTES):
        found.update(data)
        copy.write(data)
        if announce is not None and copy.size >= COPIED_BYTES:
            announce()
            announce = None
    return copy, found.digest()
