"""Where partitions are worked on: a cluster, or threads of this process; and what to say when it is gone."""

import time
import warnings
from collections.abc import Hashable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, Protocol

import dask
import dask.threaded
import distributed

from gaussmix.errors import DataError, FitError, GaussmixError, SettingsError

# Seconds between two looks at a cluster from which nothing was heard.
LOOK = 5.0
# How often to ask for a result that its worker takes away.
FETCHES = 10
# Seconds in which a scheduler must answer first.
CONNECT = 30.0
# What dask's configuration calls a cluster.
CLUSTERS = ("dask.distributed", "distributed")
ENVIRONMENTS = (
    "scheduler and workers must have the same versions of gaussmix, numpy and dask installed as this process"
)

# Not annotated where they come from.
_client_class: Any = distributed.Client
# Not wait(), which needs client.as_current(): that sets dask's scheduler for all threads of the process, and
# of two fits at once the second leaves it so.
_wait_for: Any = distributed.client._wait
_secede: Any = distributed.secede

Graph = dict[Hashable, Any]


class Runner(Protocol):
    """Computes graphs."""

    sends_rows: bool
    """Whether graphs were so large that rows must be in them."""

    def get(self, graph: Graph, keys: list[Hashable]) -> list[Any]:
        """The values of some keys."""

    def hold(self, graph: Graph, keys: list[Hashable]) -> Graph:
        """Have some keys computed and kept, and a graph of them."""

    def close(self) -> None:
        """Give back what was opened for this."""


class LocalThreads:
    """Dask's own scheduler: threads of this process, unless dask's configuration says otherwise."""

    sends_rows = False

    def __init__(self) -> None:
        named = dask.config.get("scheduler", None)
        if named in CLUSTERS:
            raise SettingsError(f"dask's configuration asks for {named!r}, but there is no client: make one")
        get_scheduler: Any = dask.base.get_scheduler
        self._get: Any = get_scheduler(scheduler=named) if named else dask.threaded.get

    def get(self, graph: Graph, keys: list[Hashable]) -> list[Any]:
        """The values of some keys."""
        try:
            return list(self._get(graph, keys))
        except GaussmixError:
            raise
        except Exception as error:
            raise _could_not(error) from error

    def hold(self, graph: Graph, keys: list[Hashable]) -> Graph:
        """Have some keys computed and kept in memory."""
        return dict(zip(keys, self.get(graph, keys), strict=True))

    def close(self) -> None:
        """Nothing was opened."""


class Cluster:
    """A scheduler with workers, by a ``distributed.Client``.

    Parameters
    ----------
    client : distributed.Client
    own : bool
        Whether to close it in the end.
    retries : int
        How often a task that raises is tried again.
    worker_timeout : float
        Seconds to wait for a worker while there is none.
    """

    def __init__(self, client: Any, own: bool, retries: int, worker_timeout: float) -> None:
        if client.asynchronous:
            raise SettingsError("the client is asynchronous; make one with Client(..., asynchronous=False)")
        self.client, self._own, self.sends_rows = client, own, False
        self._retries, self._worker_timeout = retries, worker_timeout
        self._workers_known = False

    def get(self, graph: Graph, keys: list[Hashable]) -> list[Any]:
        """The values of some keys.

        Raises
        ------
        DataError
            If a partition cannot be loaded.
        FitError
            If the cluster is gone, or its workers die of a partition again and again.
        """
        futures = self._submitted(graph, keys)
        try:
            return self._results(futures)
        except GaussmixError:
            raise
        except CancelledError as error:
            raise self._gone(error) from error
        except Exception as error:
            raise self._explained(error) from error
        finally:
            self._drop(futures)

    def hold(self, graph: Graph, keys: list[Hashable]) -> Graph:
        """Have some keys computed and kept on the workers; what dies with one is made again."""
        return dict(zip(keys, self._submitted(graph, keys), strict=True))

    def close(self) -> None:
        """Close the client if it was made for this."""
        if self._own:
            self.client.close()

    def _submitted(self, graph: Graph, keys: list[Hashable]) -> list[Any]:
        if self.client.status != "running":
            raise self._gone(None)
        self._refuse_without_gaussmix()
        try:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                futures: list[Any] = self.client.get(graph, keys, sync=False, retries=self._retries)
        except Exception as error:
            raise (self._gone if self.client.status != "running" else self._explained)(error) from error
        for warning in heard:
            # Said once by who knows what to do about it, and not in every pass.
            if str(warning.message).startswith("Sending large graph"):
                self.sends_rows = True
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return futures

    def _refuse_without_gaussmix(self) -> None:
        """Workers that cannot read a task end without a word, and so would the next ones."""
        if self._workers_known:
            return
        found: dict[str, Any] = {}
        with suppress(Exception):
            found = self.client.sync(self._looked_for, callback_timeout=CONNECT)
        without = sorted(worker for worker, has in found.items() if has is False)
        if without:
            raise FitError(
                f"{len(without)} of the {len(found)} workers of the Dask cluster at {self._where()} do not "
                f"find gaussmix (one is {without[0]}): install it for the Python of every worker; "
                f"{ENVIRONMENTS}"
            )
        self._workers_known = bool(found)

    async def _looked_for(self) -> Any:
        # A function inside another travels whole, and not as a name in a module that may be missing.
        def finds_gaussmix() -> bool:
            from importlib.util import find_spec

            return find_spec("gaussmix") is not None

        return await self.client.run(finds_gaussmix, asynchronous=True)

    def _results(self, futures: list[Any]) -> list[Any]:
        """Wait as long as somebody is at work."""
        for _ in range(FETCHES):
            self._wait(futures)
            try:
                patience = max(self._worker_timeout, LOOK)
                found: list[Any] = self.client.sync(self._gathered, futures, callback_timeout=patience)
                return found
            except TimeoutError:
                # Who held a result may have died with it: then it is made again.
                if any(future.status == "error" for future in futures):
                    raise
        raise self._nobody()

    async def _gathered(self, futures: list[Any]) -> Any:
        return await self.client.gather(futures, asynchronous=True)

    def _wait(self, futures: list[Any]) -> None:
        last_at_work = last_answered = time.monotonic()
        look = min(LOOK, self._worker_timeout / 4.0)
        while True:
            with suppress(TimeoutError):
                self.client.sync(_wait_for, futures, timeout=look)
                return
            # Who has much to do answers late, and is not gone for that.
            workers = self._workers(self._worker_timeout)
            now = time.monotonic()
            last_answered = last_answered if workers is None else now
            # One whose memory is full is paused, and takes no task.
            if workers and any(worker.get("status") == "running" for worker in workers):
                last_at_work = now
            if now - last_answered > self._worker_timeout:
                raise self._silent()
            if now - last_at_work > self._worker_timeout:
                raise self._nobody()

    def _workers(self, patience: float) -> list[dict[str, Any]] | None:
        """What the scheduler knows of its workers; None if it does not answer."""
        if self.client.status != "running":
            return None
        try:
            # Not scheduler_info(), which waits for an answer as long as it takes.
            info = self.client.sync(self.client.scheduler.identity, callback_timeout=patience)
            return list(info["workers"].values())
        except Exception:
            return None

    def _drop(self, futures: list[Any]) -> None:
        """Have the cluster stop working for them if it still does."""
        left = [future for future in futures if not future.done()]
        with suppress(Exception):
            if left and self.client.status == "running":
                self.client.sync(self._cancelled, left, callback_timeout=LOOK)

    async def _cancelled(self, futures: list[Any]) -> None:
        await self.client.cancel(futures, asynchronous=True)

    def _where(self) -> str:
        scheduler = getattr(self.client, "scheduler", None)
        return str(getattr(scheduler, "address", "unknown address"))

    def _nobody(self) -> FitError:
        if self.client.status != "running":
            return self._gone(None)
        return FitError(
            f"the Dask cluster at {self._where()} has had no worker that takes tasks for "
            f"{self._worker_timeout:g} seconds: all died, were stopped, or are paused because their memory "
            "is full. Start workers again (with more memory, or smaller partitions), or wait longer for "
            "them with worker_timeout="
        )

    def _silent(self) -> FitError:
        if self.client.status != "running":
            return self._gone(None)
        return FitError(
            f"the Dask scheduler at {self._where()} has not answered for {self._worker_timeout:g} seconds: "
            "its machine or the network hangs. Start the cluster again and fit again, or wait longer for it "
            "with worker_timeout="
        )

    def _gone(self, error: BaseException | None) -> FitError:
        if self.client.status == "closed" and error is None:
            return FitError(
                "the Dask client is closed: pass one that is open, and keep it open until the fit is done"
            )
        # The rest is names of tasks.
        first_line = str(error or "").partition("\n")[0].rstrip(":")
        said = f" ({first_line})" if first_line else ""
        return FitError(
            f"the connection to the Dask scheduler at {self._where()} is lost, or the work was cancelled "
            f"there{said}: start the cluster again and fit again"
        )

    def _explained(self, error: Exception) -> GaussmixError:
        if isinstance(error, distributed.KilledWorker):
            return FitError(
                f"workers died {error.allowed_failures + 1} times while they did {error.task!r}, the last at "
                f"{error.last_worker.address}. Their memory is the usual reason: make the partitions smaller "
                "(rechunk, repartition), give workers more memory or fewer threads, or see their logs"
            )
        if type(error).__name__ in ("NoValidWorkerError", "NoWorkerError"):
            return FitError(f"no worker of the Dask cluster at {self._where()} may do the work: {error}")
        return _could_not(error)


def runner_for(client: Any, retries: int, worker_timeout: float) -> Runner:
    """Where to work.

    Parameters
    ----------
    client : distributed.Client, str, cluster or None
        A client; the address of a scheduler, "tcp://..."; something that a client can be made for, such
        as a ``LocalCluster``; or None: where dask itself would compute, which is the current client if
        there is one, else threads of this process.
    retries, worker_timeout
        See `Cluster`.

    Raises
    ------
    FitError
        If no scheduler answers at the address.
    SettingsError
        If a setting has no meaning.
    """
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise SettingsError(f"retries must be a whole number, 0 or more; got {retries!r}")
    if not isinstance(worker_timeout, int | float) or not worker_timeout > 0:
        raise SettingsError(f"worker_timeout must be a positive number of seconds; got {worker_timeout!r}")
    if client is None:
        found = _current_client()
        return LocalThreads() if found is None else Cluster(found, False, retries, worker_timeout)
    if isinstance(client, distributed.Client):
        return Cluster(client, False, retries, worker_timeout)
    if not isinstance(client, str) and not hasattr(client, "scheduler_address"):
        raise SettingsError(
            "client must be a distributed.Client, the address of a scheduler, a cluster or None; got "
            f"{type(client).__name__}"
        )
    try:
        # The user's own default client stays what it was.
        made = _client_class(client, set_as_default=False, timeout=CONNECT)
    except (OSError, ValueError, TimeoutError) as error:
        raise FitError(
            f"no Dask scheduler answers at {client}: {error or type(error).__name__}. Is it running, and "
            "is the address the one it printed (tcp://host:port)?"
        ) from error
    return Cluster(made, True, retries, worker_timeout)


def _current_client() -> Any:
    named = dask.config.get("scheduler", None)
    if named is not None and named not in CLUSTERS:
        return None
    try:
        client = distributed.get_client()
    except ValueError:
        return None
    with suppress(ValueError, KeyError):
        # Inside a task: whoever waits here must not keep a worker's thread from the work.
        distributed.get_worker()
        _secede()
    return client


def _could_not(error: Exception) -> DataError:
    """What to say of anything that a task raised."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, ImportError) or "deserializ" in str(error).lower():
        return DataError(f"the work could not be done on the Dask cluster ({said}): {ENVIRONMENTS}")
    if isinstance(error, OSError):
        return DataError(
            f"a partition could not be loaded ({said}): files must be at the same path on every worker, "
            "and readable there"
        )
    return DataError(f"a partition could not be computed ({said}): try collection.compute() to see where")
