"""How many threads compute: BLAS on one, for the same bits on any machine; the compiled kernel on all."""

import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from gaussmix.errors import SettingsError

# Rows are cut into at most so many blocks (native/src/kernel.cpp), so that more threads have no work.
MOST_THREADS = 64
# Of address space: a stack, and what the C library keeps for a thread of its own.
THREAD_BYTES = 1 << 27


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep BLAS and LAPACK on one thread for a while; what was set before comes back.

    On several threads they split sums in ways that depend on the number of threads, and then the
    last bits of a fit do too.
    """
    with _GATE:
        _GATE.inside += 1
        if _GATE.inside == 1:
            _GATE.limits = _controller().limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _GATE:
            _GATE.leave()


class _Gate:
    """How many fits are inside, on all Python threads together: the setting is the process's."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.limits: Any = None

    def leave(self) -> None:
        """One fit less; after the last, what was set before comes back."""
        if self.inside == 1:
            self.limits.restore_original_limits()
        # A forked child has let all of them go.
        self.inside = max(self.inside - 1, 0)

    def let_go(self) -> None:
        """In a forked child the threads that were inside are gone, and nobody would ever open the lock."""
        self.lock = threading.Lock()
        if self.inside:
            self.limits.restore_original_limits()
        self.inside = 0

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


_GATE = _Gate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_GATE.let_go)


def room_for_threads() -> bool:
    """Whether threads would get memory.

    One that gets none dies before it says that it has begun, which Python waits for, for ever.
    """
    try:
        with mmap.mmap(-1, THREAD_BYTES):
            return True
    except (OSError, MemoryError):
        return False


@cache
def _controller() -> ThreadpoolController:
    # Looking for the loaded libraries takes a millisecond, so it is done once.
    return ThreadpoolController()


_ASKED: ContextVar[int | None] = ContextVar("asked", default=None)


@contextmanager
def compute_threads(n_threads: int | None) -> Iterator[None]:
    """Compute on so many threads for a while; None means as many as `thread_count` says now.

    Raises
    ------
    SettingsError
        If it is not a positive whole number.
    """
    if n_threads is None:
        # Found out once, and not again in every iteration.
        n_threads = thread_count()
    if isinstance(n_threads, bool) or not isinstance(n_threads, int | np.integer) or n_threads < 1:
        raise SettingsError(f"n_threads must be a positive whole number or None; got {n_threads!r}")
    token = _ASKED.set(int(n_threads))
    try:
        yield
    finally:
        _ASKED.reset(token)


def thread_count() -> int:
    """Threads for the compiled kernel.

    What `compute_threads` asks for, else GAUSSMIX_NUM_THREADS, else the processors this process may use.

    Raises
    ------
    SettingsError
        If the variable is not a positive whole number.
    """
    if (given := _ASKED.get()) is not None:
        return min(given, MOST_THREADS)
    asked = os.environ.get("GAUSSMIX_NUM_THREADS")
    if asked is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not (asked.isascii() and asked.isdigit()) or int(asked) < 1:
        raise SettingsError(f"GAUSSMIX_NUM_THREADS must be a positive whole number; got {asked!r}")
    return min(int(asked), MOST_THREADS)
