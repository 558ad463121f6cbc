"""Tasks side by side on threads, each computing by itself; no result depends on how many there are."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gaussmix.helper import Helper
from gaussmix.kernels.threads import compute_threads, thread_count

Task = TypeVar("Task")
Done = TypeVar("Done")
_OPEN: Any = object()


class Stopped(Exception):  # noqa: N818
    """Another task has failed, or the user has had enough."""


class Crew:
    """As many threads as there are for computing, which share the tasks instead of the rows of each."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def refuse_if_stopped(self) -> None:
        """Leave a task whose result nobody waits for.

        Raises
        ------
        Stopped
        """
        if self._stopped.is_set():
            raise Stopped

    def each(self, work: Callable[[Task], Done], tasks: Sequence[Task]) -> list[Done]:
        """Do the work for each task; results stand in the order of the tasks.

        Raises
        ------
        KeyboardInterrupt
            As soon as each thread has come to its next E-step.
        """
        n_threads = thread_count()
        n_workers = min(n_threads, len(tasks))
        if n_workers <= 1:
            return [work(task) for task in tasks]
        left, done, failures = iter(enumerate(tasks)), [_OPEN] * len(tasks), list[BaseException]()

        def take_part() -> None:
            # What the caller has asked for is not known on another thread.
            with compute_threads(max(n_threads // n_workers, 1)):
                for i, task in left:
                    try:
                        self.refuse_if_stopped()
                        done[i] = work(task)
                    except BaseException as failure:
                        failures.append(failure)
                        self._stopped.set()

        self._together(take_part, n_workers)
        try:
            if failures:
                raise failures[0]
        finally:
            failures.clear()
        if any(one is _OPEN for one in done):
            # A thread has died, and there was no memory to say why.
            raise MemoryError
        return done

    def _together(self, take_part: Callable[[], None], n_workers: int) -> None:
        """Let the caller and as many threads as there are take part, and wait for all."""
        helpers: list[Helper] = []
        try:
            helpers.extend(Helper(take_part, f"gaussmix_{i}") for i in range(1, n_workers))
            take_part()
            for helper in helpers:
                helper.end()
        except BaseException:
            self._stopped.set()
            raise
        finally:
            for helper in helpers:
                helper.end()
            self._stopped.clear()
