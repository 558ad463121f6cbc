"""A thread that helps with work which gets done without it too."""

import sys
import threading
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress

# Seconds that a thread gets to begin before its work is begun without it.
MOMENT = 0.2


class Helper:
    """One more thread for some work, if the system gives one.

    A thread that gets no memory may die at any time, even before it has begun: so nobody depends on it.

    Parameters
    ----------
    work : callable
        Its part, which whoever begins the thread can also do.
    name : str
        Of the thread.
    """

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self._work, self._over = work, False
        self._inside, self._begun = threading.Lock(), threading.Lock()
        self._begun.acquire()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        with suppress(RuntimeError):
            start_new_thread(self._begin, ())
            self._begun.acquire(timeout=MOMENT)

    def end(self) -> None:
        """Wait until it has done what it has begun; it begins nothing more."""
        if sys.is_finalizing():
            # Where Python ends, threads stand still.
            return
        with self._inside:
            self._over = True
        if self._thread.is_alive():
            self._thread.join()

    def _begin(self) -> None:
        # start() waits for a thread to say that it has begun, for ever if that has died: here nobody minds.
        with suppress(RuntimeError, MemoryError):
            try:
                self._thread.start()
            finally:
                self._begun.release()

    def _run(self) -> None:
        with suppress(MemoryError):
            self._inside.acquire()
            try:
                if not self._over:
                    self._work()
            finally:
                # Asks for no memory, as the end of a `with` does.
                self._inside.release()
