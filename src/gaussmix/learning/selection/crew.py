"""Tasks side by side on threads, each computing by itself; no result depends on how many there are."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from gaussmix.kernels.threads import compute_threads, room_for_threads, thread_count

Task = TypeVar("Task")
Done = TypeVar("Done")


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
        if n_workers <= 1 or not room_for_threads():
            return [work(task) for task in tasks]

        def alone(task: Task) -> Done:
            self.refuse_if_stopped()
            # What the caller has asked for is not known on another thread.
            with compute_threads(max(n_threads // n_workers, 1)):
                return work(task)

        with ThreadPoolExecutor(n_workers, "gaussmix") as pool:
            try:
                futures = [pool.submit(alone, task) for task in tasks]
            except RuntimeError:
                # The system gives no more threads: the one that there is does the work.
                self._end(pool)
                return [work(task) for task in tasks]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
                self._raise_first(futures)
            except BaseException:
                self._end(pool)
                raise
        return [future.result() for future in futures]

    def _end(self, pool: ThreadPoolExecutor) -> None:
        self._stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)
        self._stopped.clear()

    @staticmethod
    def _raise_first(futures: "list[Future[Done]]") -> None:
        for future in futures:
            if future.done() and (failure := future.exception()) is not None:
                raise failure
