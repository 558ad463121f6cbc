"""Workers that read files, fail and die: the same bits, or an end in words."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
from cutting import QUICK, assert_alike, assert_same_bits, cut
from distributed import Client
from readers import Deadly, Flaky, Murderous, Part, Slow, forget_gaussmix, remember_gaussmix, set_version

import gaussmix
from gaussmix.data.checkpoints.checkpoint import noted
from gaussmix.data.cluster.dask import DaskRows
from gaussmix.data.cluster.dask_client import LocalThreads
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import TakeAll
from gaussmix.errors import (
    DataError,
    DataWarning,
    FitError,
    SettingsError,
)
from gaussmix.learning.search import search

HERE = Path(__file__).parent


# Parts that workers read


def test_files_are_read_by_the_workers(client, written, groups):
    rows = DaskRows.of([Part(path) for path in written], client=client)
    assert rows.feature_names == ("a", "b", "c")
    fit = search(rows, QUICK)
    assert_alike(fit, search(MemoryRows(groups), QUICK))
    with DaskRows.of([Part(path) for path in written], client=client, persist=True) as kept:
        for path in written:
            Path(path).unlink()
        assert_same_bits(search(kept, QUICK), fit)
    with pytest.raises(DataError, match="closed"):
        kept.added_up(TakeAll())


def test_a_file_that_is_away_is_tried_again_so_often_and_no_more(client, written, tmp_path):
    parts = [Flaky(path, armed=str(tmp_path)) for path in written]
    (tmp_path / "1.armed").touch()
    rows = DaskRows.of(parts, client=client, retries=1)
    assert rows.summary.n_rows == 4000
    for i in range(9):
        (tmp_path / f"{i}.armed").touch()
    with pytest.raises(DataError, match=r"could not be loaded \(OSError: the disk is away\): files must be"):
        DaskRows.of(parts[:1], client=client, retries=1)
    assert len(list(tmp_path.glob("*.armed"))) == 7


# Workers that die


def test_a_worker_that_is_killed_in_mid_pass_changes_no_bit(client, written, tmp_path):
    parts = [Deadly(path, armed=str(tmp_path)) for path in written]
    expected = search(DaskRows.of(parts, client=client), QUICK)
    workers = set(client.run(os.getpid).values())
    rows = DaskRows.of(parts, client=client)
    passes = kill_in_mid_fit(rows, tmp_path)
    assert_same_bits(search(rows, QUICK), expected)
    assert next(passes) > 4
    client.wait_for_workers(2, timeout=20)
    assert len(workers - set(client.run(os.getpid).values())) == 1


def kill_in_mid_fit(rows, folder):
    """Have the worker of some partition die in the fourth pass."""
    added_up, passes = rows.added_up, iter(range(1000))

    def watched(task):
        if next(passes) == 3:
            (folder / "now.armed").touch()
        found = added_up(task)
        assert not (folder / "now.armed").exists(), "nobody died"
        return found

    rows.added_up = watched
    return passes


def test_rows_that_were_kept_on_a_worker_that_is_killed_are_loaded_again(client, written, groups):
    parts = [Part(path) for path in written]
    expected = search(DaskRows.of(parts, client=client), QUICK)
    with DaskRows.of(parts, client=client, persist=True) as rows:
        client.wait_for_workers(2, timeout=20)
        workers = set(client.run(os.getpid).values())
        # A task that never comes back, as one whose worker is killed does not.
        holder = next(workers[0] for workers in client.who_has().values() if workers)
        gone = client.submit(os._exit, 9, workers=[holder], pure=False, retries=0)
        time.sleep(0.2)
        gone.cancel()
        assert_same_bits(search(rows, QUICK), expected)
        client.wait_for_workers(2, timeout=20)
        assert workers - set(client.run(os.getpid).values())


def test_a_user_can_have_rows_kept(client, groups, tmp_path):
    path = tmp_path / "t.npy"
    np.save(path, groups)
    for source in (cut(groups), str(path)):
        expected = gaussmix.rows(source, dask=client).covariance()
        with gaussmix.rows(source, dask=client, persist=True) as kept:
            if isinstance(source, str):
                path.unlink()
            assert np.array_equal(kept.covariance(), expected)


def test_a_partition_that_kills_all_who_touch_it_is_said(cluster, client, written, tmp_path):
    rows = DaskRows.of([Murderous(path, armed=str(tmp_path)) for path in written[:1]], client=client)
    (tmp_path / "on").touch()
    allowed, cluster.scheduler.allowed_failures = cluster.scheduler.allowed_failures, 0
    try:
        with pytest.raises(
            FitError, match=r"workers died 1 times while they did .*Their memory is the usual"
        ):
            rows.added_up(TakeAll())
    finally:
        cluster.scheduler.allowed_failures = allowed
        (tmp_path / "on").unlink()


@pytest.fixture
def bare():
    """A scheduler and two workers without nannies, each started by its command, and the address."""
    found = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": found}
    started = []

    def start(*command):
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *command],
            env=environment,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    # Without a dashboard, too, it would take the port that clusters in documents want for theirs.
    anywhere = ("--dashboard-address", ":0", "--no-show")
    start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", *anywhere)
    for _ in range(2):
        start("worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard")
    yield address, started
    for process in started:
        process.kill()
        process.wait()


def test_without_nannies_one_death_costs_no_bit_and_the_last_one_ends_in_words(bare, written, tmp_path):
    address, (scheduler, *workers) = bare
    parts = [Deadly(path, armed=str(tmp_path)) for path in written]
    expected = search(DaskRows.of(parts), QUICK)
    with Client(address, set_as_default=False, timeout=30) as client:
        client.wait_for_workers(2, timeout=30)
        rows = DaskRows.of(parts, client=client, worker_timeout=2.0)
        kill_in_mid_fit(rows, tmp_path)
        assert_same_bits(search(rows, QUICK), expected)
        assert sum(worker.poll() is None for worker in workers) == 1
        for worker in workers:
            worker.kill()
        begun = time.monotonic()
        with pytest.raises(FitError, match=r"no worker that takes tasks for 2 seconds.*worker_timeout="):
            rows.added_up(TakeAll())
        assert time.monotonic() - begun < 20
        scheduler.kill()
        with pytest.raises(FitError, match=r"connection to the Dask scheduler at .* is lost"):
            rows.added_up(TakeAll())


def test_a_scheduler_that_is_lost_in_mid_pass_ends_the_pass_in_words(bare, written, tmp_path):
    address, (scheduler, *_) = bare
    parts = [Slow(path, armed=str(tmp_path)) for path in written * 7]
    with Client(address, set_as_default=False, timeout=30) as client:
        client.wait_for_workers(2, timeout=30)
        rows = DaskRows.of(parts, client=client, worker_timeout=3.0)
        for by, words in (
            (signal.SIGSTOP, "has not answered for 3 seconds"),
            (signal.SIGKILL, "connection .* is lost"),
        ):
            (tmp_path / "on").touch()
            threading.Timer(0.5, scheduler.send_signal, [by]).start()
            begun = time.monotonic()
            with pytest.raises(FitError, match=words):
                rows.added_up(TakeAll())
            assert time.monotonic() - begun < 20
            (tmp_path / "on").unlink()
            scheduler.send_signal(signal.SIGCONT)
            if by == signal.SIGSTOP:
                # One that comes back is worked with as before.
                assert len(rows.added_up(TakeAll()).matrix) == 28000


def test_a_fit_whose_cluster_is_lost_goes_on_with_its_checkpoint_on_another(
    cluster, written, tmp_path, monkeypatch
):
    parts, file = [Part(path) for path in written], tmp_path / "fit.checkpoint"
    expected = search(DaskRows.of(parts), QUICK)
    with Client(cluster, set_as_default=False) as client:
        rows = DaskRows.of(parts, client=client)
        added_up, passes = rows.added_up, iter(range(1000))

        def lost(task):
            if next(passes) == 4:
                client.close()
            return added_up(task)

        monkeypatch.setattr(rows, "added_up", lost)
        with noted(rows, QUICK, file, False) as watched, pytest.raises(FitError, match="client is closed"):
            search(watched, QUICK)
    with (
        Client(cluster, set_as_default=False) as client,
        noted(DaskRows.of(parts, client=client), QUICK, file, True) as watched,
    ):
        assert_same_bits(search(watched, QUICK), expected)
        assert watched.n_replayed >= 3
        assert watched.n_made > 0


def test_a_file_that_workers_do_not_see_is_said(client, written, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert DaskRows.of([Part("0.npy")]).summary.n_rows == 1500
    with pytest.raises(DataError, match=r"part 0 \(0\.npy\): a worker that works in .* the same path"):
        DaskRows.of([Part("0.npy")], client=client)


def test_two_fits_at_once_share_a_client(client, written, groups):
    parts = [Part(path) for path in written]
    expected, found = search(DaskRows.of(parts), QUICK), []
    before, held = dask.config.get("scheduler", None), set(client.futures)

    def fit():
        found.append(search(DaskRows.of(parts, client=client), QUICK))

    threads = [threading.Thread(target=fit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    for one in found:
        assert_same_bits(one, expected)
    # Nothing is left behind: no result, and no setting.
    for _ in range(100):
        if set(client.futures) <= held:
            break
        time.sleep(0.05)
    assert set(client.futures) <= held
    assert dask.config.get("scheduler", None) == before


def test_workers_of_another_version_are_worth_a_note_and_without_gaussmix_they_are_told(client, written):
    parts, one = [Part(path) for path in written], min(client.nthreads())
    client.run(set_version, "0.0.1", workers=[one])
    try:
        notes = DaskRows.of(parts * 9, client=client).notes
        assert any("workers compute with different versions or kernels (0.0.1, " in note for note in notes)
    finally:
        client.run(set_version, gaussmix.__version__, workers=[one])
    client.run(forget_gaussmix, workers=[one])
    try:
        with pytest.raises(FitError, match=rf"1 of the 2 workers .* do not find gaussmix \(one is {one}\)"):
            DaskRows.of(parts, client=client)
    finally:
        client.run(remember_gaussmix, workers=[one])


def test_a_scheduler_that_is_not_there_is_said_and_so_is_a_client_that_is_closed(
    cluster, written, monkeypatch
):
    monkeypatch.setattr("gaussmix.data.cluster.dask_client.CONNECT", 1.0)
    parts = [Part(path) for path in written]
    with pytest.raises(FitError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9: .*tcp://host:port"):
        DaskRows.of(parts, client="tcp://127.0.0.1:9")
    with Client(cluster, set_as_default=False) as client:
        rows = DaskRows.of(parts, client=client)
    with pytest.raises(FitError, match="the Dask client is closed"):
        rows.added_up(TakeAll())


# Where the work is done


def test_without_a_client_dask_computes_where_it_would(client, written):
    parts = [Part(path) for path in written]
    assert isinstance(DaskRows.of(parts)._runner, LocalThreads)
    with client.as_current():
        assert DaskRows.of(parts)._runner.client is client
        with dask.config.set(scheduler="threads"):
            assert isinstance(DaskRows.of(parts)._runner, LocalThreads)
    with dask.config.set(scheduler="distributed"), pytest.raises(SettingsError, match="there is no client"):
        DaskRows.of(parts)


@pytest.mark.parametrize(
    "wrong",
    [{"client": 3}, {"retries": -1}, {"retries": True}, {"worker_timeout": 0}, {"worker_timeout": "1s"}],
)
def test_settings_without_a_meaning_are_refused(groups, wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        DaskRows.of(cut(groups), **wrong)


def fit_in_a_task(path):
    return search(DaskRows.of([Part(path)]), QUICK)


def test_a_fit_inside_a_task_leaves_its_thread_to_the_work(client, written):
    expected = search(DaskRows.of([Part(written[0])]), QUICK)
    # On both workers at once, so that no thread is left but those that wait.
    begun = [
        client.submit(fit_in_a_task, written[0], workers=[worker], pure=False) for worker in client.nthreads()
    ]
    assert len(begun) == 2
    for future in begun:
        assert_same_bits(future.result(timeout=30), expected)


def test_rows_that_travel_with_every_pass_are_worth_a_warning(client, groups):
    array = da.from_array(groups, chunks=(2000, 3))
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "20 kB"}):
        with pytest.warns(DataWarning, match="sent to the cluster again in every pass") as heard:
            rows = DaskRows.of(array, client=client)
        rows.sample(5, np.random.default_rng(0))
        assert len(heard) == 1
        with DaskRows.of(array, client=client, persist=True) as kept:
            kept.sample(5, np.random.default_rng(0))


def test_an_interrupted_pass_is_not_worked_on_any_more(client, written, tmp_path, monkeypatch):
    rows = DaskRows.of([Slow(written[0], armed=str(tmp_path))] * 20, client=client)
    (tmp_path / "on").touch()

    def read():
        return len(list(tmp_path.glob("*.read")))

    def interrupted(futures):
        while not read():
            time.sleep(0.02)
        raise KeyboardInterrupt

    monkeypatch.setattr(rows._runner, "_wait", interrupted)
    # What was caught holds on to the futures.
    with pytest.raises(KeyboardInterrupt) as caught:
        rows.added_up(TakeAll())
    time.sleep(0.8)
    after = read()
    time.sleep(0.8)
    assert read() == after < 20
    del caught
