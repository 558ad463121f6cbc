"""Text as Arrow's threads read it: counted as it passes, and let go of before Python ends."""

import atexit
import codecs
import threading
import time
import weakref
from collections.abc import Callable, Generator
from typing import Any, TypeVar

T = TypeVar("T")

# Seconds that a read in flight may take until it is left to itself: a disk may be slow.
PATIENCE = 30.0


class TextStream:
    """A stream that counts quotation marks and lines, and that can be stopped.

    Arrow reads ahead on threads of its own, which must not call Python once that ends, not even to let go of
    something: it would abort the process.

    Parameters
    ----------
    stream : file
        Of bytes.
    encoding : str
        Arrow is given UTF-8.
    """

    def __init__(self, stream: Any, encoding: str = "utf-8") -> None:
        self._stream, self._n_marks, self._last = stream, 0, b""
        self._decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)()
        self._stopped, self._none_left = False, threading.Condition()
        self._held: set[weakref.ref[Any]] = set()
        self._parsed: weakref.ref[Generator[Any, None, None]] | None = None
        self.n_lines = 0
        """Line ends, and a last line without one."""

    @property
    def odd(self) -> bool:
        """Whether the number of quotation marks is odd."""
        return bool(self._n_marks % 2)

    def for_arrow(self) -> "_Bytes":
        """The bytes as Arrow is given them, to be kept by nobody else."""
        return self._handed(_Bytes(self))

    def called_by_arrow(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A function as Arrow is given it, to be kept by nobody else."""
        return self._handed(_Called(function))

    def _handed(self, thing: T) -> T:
        with self._none_left:
            # Not weakref.finalize, which does nothing more when Python ends.
            self._held.add(weakref.ref(thing, self._let_go))
        _READ.add(self)
        return thing

    def _let_go(self, reference: "weakref.ref[Any]") -> None:
        with self._none_left:
            self._held.discard(reference)
            self._none_left.notify_all()

    def closed_at_exit(self, parsed: Generator[T, None, None]) -> Generator[T, None, None]:
        """What parses it: where that is not read to its end, it is closed when Python ends."""
        self._parsed = weakref.ref(parsed)
        return parsed

    def close_parsed(self) -> None:
        """Let go of what parses it; a thread that is in it soon finds that there is no more."""
        parsed = None if self._parsed is None else self._parsed()
        if parsed is None:
            return
        self._stopped, until = True, time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                parsed.close()
                break
            except ValueError:
                time.sleep(0.01)

    def stop(self) -> None:
        """Let reading end, and wait until Arrow has let go of all that it was given."""
        self._stopped = True
        with self._none_left:
            self._none_left.wait_for(lambda: not self._held, PATIENCE)
        self._stream.close()

    def read(self, size: int) -> bytes:
        """Some bytes; none at the end, or when stopped."""
        data: bytes = b"" if self._stopped else self._read(size)
        self._n_marks += data.count(b'"')
        self.n_lines += data.count(b"\n")
        if not data and self._last not in (b"", b"\n"):
            self.n_lines, self._last = self.n_lines + 1, b""
        self._last = data[-1:] or self._last
        return data

    def _read(self, size: int) -> bytes:
        if self._decoder is None:
            return bytes(self._stream.read(size))
        while raw := self._stream.read(size):
            # Of a character cut in two nothing comes yet, which is not the end.
            if text := self._decoder.decode(raw):
                return text.encode()
        return self._decoder.decode(b"", final=True).encode()


class _Bytes:
    """A file."""

    closed = False

    def __init__(self, stream: TextStream) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        stream = self._stream
        # The traceback of a read that fails must not hold on to it.
        del self
        return stream.read(size)

    def close(self) -> None:
        self.closed = True


class _Called:
    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __call__(self, value: Any) -> Any:
        function = self._function
        del self
        return function(value)


_READ: "weakref.WeakSet[TextStream]" = weakref.WeakSet()


def _close_all() -> None:
    for stream in list(_READ):
        stream.close_parsed()


atexit.register(_close_all)
