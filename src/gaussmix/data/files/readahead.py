"""Reading on a second thread, a little ahead of who computes."""

import threading
from collections import deque
from collections.abc import Generator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from gaussmix.helper import Helper

# Blocks that are being made, or are ready, beside the one that is computed with.
AHEAD = 2

T = TypeVar("T")
_END: Any = object()


def read_ahead(items: Generator[T, None, None], ahead: int = AHEAD) -> Generator[T, None, None]:
    """The same items, made on another thread if there is one; what it raises is raised here.

    When the consumer stops, by an error or Ctrl-C too, the thread ends after the item that it is making.
    """
    making, room = _Making(items), SimpleQueue[None]()

    def read() -> None:
        while not making.over:
            while making.make(ahead):
                pass
            room.get()

    reader = Helper(read, "gaussmix-reader")
    try:
        while (item := making.take()) is not _END:
            room.put(None)
            yield item
            # Not to be held while the next one is waited for.
            del item
    finally:
        making.over = True
        room.put(None)
        reader.end()
        with suppress(ValueError):
            items.close()


class _Making(Generic[T]):
    """Items that are made by whoever comes first, and taken in their order by one."""

    def __init__(self, items: Generator[T, None, None]) -> None:
        self.over = False
        """Whether no more are to be made."""
        self._items, self._ready = items, deque[T]()
        self._turn, self._failure = threading.Lock(), list[BaseException]()
        self._whole = True

    def make(self, most: int) -> bool:
        """Make one more, unless so many are ready; whether there was anything to do."""
        self._turn.acquire()
        try:
            if self.over or len(self._ready) >= most:
                return False
            if not self._whole:
                raise MemoryError
            # Until it stands among the others: a thread may die in between, and then it is lost.
            self._whole = False
            try:
                item = next(self._items, _END)
            except BaseException as failure:
                self._failure.append(failure)
                item = _END
            self._ready.append(item)
            self._whole, self.over = True, item is _END
            return True
        finally:
            # Asks for no memory, as the end of a `with` does.
            self._turn.release()

    def take(self) -> T:
        """The next one, or `_END`; what its making raised is raised here."""
        if not self._ready:
            self.make(1)
        item = self._ready.popleft()
        if self._failure and item is _END:
            raise self._failure.pop()
        return item
