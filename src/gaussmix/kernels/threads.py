"""BLAS on one thread: the same bits whatever the number of cores."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep BLAS and LAPACK on one thread for a while; what was set before comes back.

    On several threads they split sums in ways that depend on the number of threads, and then the
    last bits of a fit do too.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    # Looking for the loaded libraries takes a millisecond, so it is done once.
    return ThreadpoolController()
