"""Fits from many threads and processes at once give the same bits, and nobody waits for ever."""

import importlib
import multiprocessing
import os
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info

from gaussmix import GaussianMixture
from gaussmix.kernels import threads as kernel_threads

# Far longer than any of these takes; a deadlock would last for ever.
PATIENCE = 60
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
# Python says so of any fork of a process with threads, which is what these tests are about.
SAID = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def rows(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(3000, 3)) + 4.0 * rng.integers(0, 3, (3000, 1))


def bits(seed):
    """What a fit comes to, as bytes."""
    model = GaussianMixture(3, n_init=2, covariance_type=("full", "EVE", "diag", "tied")[seed % 4])
    model.fit(rows(seed))
    return (
        model.means_.tobytes() + model.covariances_.tobytes() + model.predict_proba(rows(seed)[:50]).tobytes()
    )


@pytest.fixture(scope="module")
def alone():
    return [bits(seed) for seed in range(4)]


def test_many_threads_fit_at_once(alone):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: bits(i % 4), range(24), timeout=PATIENCE))
    assert found == [alone[i % 4] for i in range(24)]


def test_a_limit_of_blas_threads_outlives_no_fit():
    def blas():
        return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]

    before = blas()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(bits, range(8), timeout=PATIENCE))
    assert blas() == before


@FORKS
@SAID
@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_processes_of_every_kind_fit_after_a_fit(alone, start):
    with ProcessPoolExecutor(2, multiprocessing.get_context(start)) as pool:
        assert list(pool.map(bits, range(4), timeout=PATIENCE)) == alone


def child_finds(seed):
    """What a forked child finds, which this process reads from a pipe."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = bits(seed)
        with os.fdopen(sending, "wb") as file:
            file.write(found)
        os._exit(0)
    os.close(sending)
    watch = threading.Timer(PATIENCE, os.kill, (child, 9))
    watch.start()
    with os.fdopen(receiving, "rb") as file:
        found = file.read()
    watch.cancel()
    os.waitpid(child, 0)
    return found


@FORKS
@SAID
def test_a_child_that_is_forked_in_the_midst_of_fits_fits(alone):
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            bits(1)

    others = [threading.Thread(target=busy) for _ in range(2)]
    for thread in others:
        thread.start()
    try:
        assert [child_finds(seed) for seed in (0, 2, 3)] == [alone[seed] for seed in (0, 2, 3)]
    finally:
        stop.set()
        for thread in others:
            thread.join()


@FORKS
@SAID
def test_a_child_does_not_wait_for_a_lock_that_a_thread_of_its_parent_held(alone):
    with kernel_threads._GATE:
        assert child_finds(0) == alone[0]


@FORKS
@SAID
def test_a_child_fits_beside_other_libraries_with_threads(alone):
    KMeans(3, n_init=1, random_state=0).fit(rows(0))
    np.linalg.svd(rows(0) @ rows(0)[:200].T)
    # With nox; it is too large to have it installed for every run of the tests.
    with suppress(ImportError):
        torch = importlib.import_module("torch")
        torch.ones(500, 500) @ torch.ones(500, 500)
    assert child_finds(0) == alone[0]
