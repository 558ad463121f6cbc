"""Reading on a second thread, a little ahead of who computes."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from gaussmix.kernels.threads import room_for_threads

# Blocks that are being made, or are ready, beside the one that is computed with.
AHEAD = 2

T = TypeVar("T")
_END: Any = object()


def read_ahead(items: Generator[T, None, None], ahead: int = AHEAD) -> Generator[T, None, None]:
    """The same items, made on another thread; what it raises is raised here.

    When the consumer stops, by an error or Ctrl-C too, the thread ends after the item that it is making.
    """
    if not room_for_threads():
        yield from items
        return
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="gaussmix-reader")
    try:
        try:
            waiting.extend(pool.submit(next, items, _END) for _ in range(ahead))
        except RuntimeError:
            # The system gives no more threads: the one that there is reads as well.
            yield from items
            return
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, items, _END))
            yield item
            # Not to be held while the next one is waited for.
            del item
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        waiting.clear()
        with suppress(ValueError):
            items.close()
