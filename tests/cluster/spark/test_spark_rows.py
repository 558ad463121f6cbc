"""Rows in Spark: the same numbers as in memory, however they are cut, and whoever dies of the work."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow.compute as pc
import pytest
from sparked import FITS, N_ROWS, PLAIN, assert_alike, assert_same_bits, framed

from gaussmix.data import blocks
from gaussmix.data.cluster import spark as spark_rows
from gaussmix.data.cluster.spark import SparkRows
from gaussmix.data.cluster.spark_work import NOWHERE, blocks_of
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import Expect, TakeAll, TakeSome
from gaussmix.errors import (
    DataError,
)
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings

# PySpark 4 says so wherever it meets pandas 3, of which it needs nothing here that changed.
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.xdist_group("spark"),
]


@pytest.mark.parametrize("settings", FITS, ids=lambda settings: settings.covariance_type)
def test_a_fit_is_that_of_the_rows_in_memory(frame, table, settings):
    with SparkRows(frame, columns=PLAIN, weights="w") as rows:
        found = search(rows, settings)
        assert rows.summary.n_rows == (table[1] > 0).sum()
    assert_alike(found, search(MemoryRows(*table, PLAIN), settings))
    assert found.outcome.converged or settings.max_iter == 5


def test_one_partition_gives_the_same_bits(session, table, monkeypatch):
    """Its rows come in other pieces than an array's, but are cut into the same blocks."""
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 3 * 128)
    with SparkRows(framed(session, *table), columns=PLAIN, weights="w") as rows:
        found = search(rows, FITS[0])
        cut = [(block.first, block.passed, len(block.matrix)) for block in rows.blocks()]
    in_memory = MemoryRows(*table, PLAIN)
    assert_same_bits(found, search(in_memory, FITS[0]))
    assert cut == [(block.first, block.passed, len(block.matrix)) for block in in_memory.blocks()]
    assert len(cut) == 12


def test_a_whole_search_finds_the_same(vectors, table):
    settings = FitSettings(2, "diag", max_iter=3)
    with SparkRows(vectors, columns="features", weights="w") as rows:
        assert rows.feature_names == ("a", "b", "c")
        found = search(rows, settings)
    assert_alike(found, search(MemoryRows(*table), settings), 1e-9)
    assert found.search is not None


def test_vectors_arrays_and_columns_are_the_same_rows(vectors, table, monkeypatch):
    from pyspark.sql import functions as sf

    monkeypatch.setattr(blocks, "BLOCK_VALUES", 3 * 128)
    mixture = search(MemoryRows(*table), FITS[0]).mixture
    sources = [
        SparkRows(vectors, columns=PLAIN, weights="w"),
        SparkRows(vectors, columns="features", weights="w"),
        SparkRows(vectors.select("w", sf.array(*PLAIN).alias("numbers")), weights="w"),
        SparkRows(vectors, columns=PLAIN, weights="w", persist=False),
    ]
    found = [rows.expected_statistics(mixture) for rows in sources]
    for other in found[1:]:
        assert other.log_likelihood == found[0].log_likelihood
        np.testing.assert_array_equal(other.sums.scatter, found[0].sums.scatter)
    assert [rows.feature_names for rows in sources] == [tuple(PLAIN)] * 2 + [("x1", "x2", "x3"), tuple(PLAIN)]
    assert sources[0].fingerprint == sources[3].fingerprint != sources[2].fingerprint


def test_shuffled_rows_in_odd_partitions_are_the_same_mixture(frame, table):
    with SparkRows(frame.repartition(4), columns=PLAIN, weights="w") as rows:
        known = search(MemoryRows(*table), FITS[0]).mixture
        one, other = rows.expected_statistics(known), MemoryRows(*table).expected_statistics(known)
        drawn = rows.added_up(TakeAll())
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(one.sums.scatter, other.sums.scatter, rtol=1e-10, atol=1e-10 * 1500)
    present = table[1] > 0
    np.testing.assert_array_equal(np.sort(drawn.matrix, axis=0), np.sort(table[0][present], axis=0))


def test_single_precision_stays_what_it_is(session, table):
    rows = table[0].astype(np.float32)
    with SparkRows(framed(session, rows, None, (700, 800))) as spread:
        assert {block.matrix.dtype for block in spread.blocks()} == {np.dtype(np.float32)}
        statistics = spread.expected_statistics(search(MemoryRows(rows), FITS[0]).mixture)
    in_memory = MemoryRows(rows).expected_statistics(search(MemoryRows(rows), FITS[0]).mixture)
    assert statistics.log_likelihood == pytest.approx(in_memory.log_likelihood, rel=1e-13)


def test_rows_are_drawn_by_their_places_among_all(frame, table):
    thresholds = np.sort(np.random.default_rng(3).random(200)) * table[1].sum()
    with SparkRows(frame, columns=PLAIN, weights="w") as rows:
        found = rows.added_up(TakeSome(thresholds))
    in_memory = MemoryRows(*table).added_up(TakeSome(thresholds))
    np.testing.assert_array_equal(found.matrix, in_memory.matrix)


def test_large_sums_are_added_up_on_executors_to_the_same_bits(session, table, monkeypatch):
    mixture = search(MemoryRows(*table), FITS[0]).mixture
    with SparkRows(framed(session, *table, (250, 1, 0, 249, 500, 500)), columns=PLAIN, weights="w") as rows:
        flat = rows.expected_statistics(mixture)
        monkeypatch.setattr(spark_rows, "LARGE_REDUCTION", 0)
        monkeypatch.setattr(spark_rows, "JOINED", 2)
        joined = rows.expected_statistics(mixture)
        drawn = rows.added_up(TakeAll())
    assert joined.log_likelihood == flat.log_likelihood
    np.testing.assert_array_equal(joined.sums.scatter, flat.sums.scatter)
    np.testing.assert_array_equal(drawn.matrix, table[0][table[1] > 0])


def executors():
    """Process numbers of the session's executors."""
    children = psutil.Process().children(recursive=True)
    found = []
    for child in children:
        # One that is just ending has no command line any more.
        with suppress(psutil.Error):
            if "CoarseGrainedExecutorBackend" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found


def murderous(task, armed):
    """The same task, which kills the executor that first does it. Local, so that it travels by value."""

    class Murderous:
        def __call__(self, block):
            if Path(armed).exists():
                Path(armed).unlink()
                process = psutil.Process()
                while "java" not in process.name():
                    process = process.parent()
                os.kill(process.pid, signal.SIGKILL)
                time.sleep(30)
            return task(block)

    return Murderous()


class Dangerous(SparkRows):
    """Rows whose second E-step costs an executor its life."""

    n_passes = 0
    armed: Path

    def added_up(self, task):
        if isinstance(task, Expect):
            self.n_passes += 1
            if self.n_passes == 2:
                self.armed.touch()
                return super().added_up(murderous(task, str(self.armed)))
        return super().added_up(task)


def test_an_executor_that_is_killed_in_mid_pass_costs_neither_the_fit_nor_the_answer(frame, table, tmp_path):
    settings = replace(FITS[1], max_iter=6, tol=0.0)
    with SparkRows(frame, columns=PLAIN, weights="w") as rows:
        undisturbed = search(rows, settings)
    with Dangerous(frame, columns=PLAIN, weights="w") as rows:
        rows.armed = tmp_path / "armed"
        before = set(executors())
        found = search(rows, settings)
        assert rows.n_passes > 2
    assert not rows.armed.exists()
    assert len(before - set(executors())) == 1
    assert found.outcome.kind is undisturbed.outcome.kind
    assert_same_bits(found, undisturbed)


def test_rows_are_kept_while_they_are_open_and_then_let_go(session, frame):
    def n_kept():
        return session.sparkContext._jsc.getPersistentRDDs().size()

    before = n_kept()
    with SparkRows(frame, columns=PLAIN) as rows:
        assert n_kept() == before
        assert rows.summary.n_rows == N_ROWS
        assert n_kept() == before + 1
        assert rows.covariance().shape == (3, 3)
        assert n_kept() == before + 1
    assert n_kept() == before
    forgotten = SparkRows(frame, columns=PLAIN)
    assert forgotten.summary.n_rows == N_ROWS
    del forgotten, rows
    assert n_kept() == before
    own = frame.select(*PLAIN).persist()
    with SparkRows(own) as rows:
        assert rows.summary.n_rows == N_ROWS
        assert n_kept() == before + 1
    own.unpersist()


def fickle(frame, flag, change):
    """The same rows, to which something happens once a file is there."""

    def given(batches):
        for batch in batches:
            yield change(batch) if flag.exists() else batch

    return frame.select(*PLAIN, "w").mapInArrow(given, "a double, b double, c double, w double")


def test_rows_that_change_between_passes_are_refused(frame, table, tmp_path):
    mixture = search(MemoryRows(*table), FITS[0]).mixture
    for number, (change, told) in enumerate(
        [
            (
                lambda batch: batch.set_column(0, "a", pc.add(batch["a"], 1e-9)),
                "partition 0 holds other numbers than in the first pass. What makes",
            ),
            (lambda batch: batch.slice(1), "partition 0 had 301 rows and now has 300"),
            (
                lambda batch: batch.set_column(3, "w", pc.divide(batch["w"], 2.0)),
                "partition 0 holds other numbers",
            ),
        ]
    ):
        flag = tmp_path / str(number)
        rows = SparkRows(fickle(frame, flag, change), columns=PLAIN, weights="w", persist=False)
        rows.expected_statistics(mixture)
        flag.touch()
        with pytest.raises(DataError, match=told):
            rows.expected_statistics(mixture)


def test_gaussmix_itself_needs_no_spark():
    asked = "import sys, gaussmix, gaussmix.estimators.mixture; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_pieces_of_any_length_are_cut_into_blocks_alike():
    rng = np.random.default_rng(0)
    rows, weights = rng.normal(size=(1000, 2)), rng.random(1000)
    for _ in range(20):
        cuts = np.sort(rng.integers(0, 1001, 30))
        pieces = zip(np.split(rows, cuts), np.split(weights, cuts), strict=True)
        found = list(blocks_of((piece for piece in pieces if len(piece[0])), 64, NOWHERE))
        assert [len(block.matrix) for block in found] == [64] * 15 + [40]
        assert [block.first for block in found] == list(range(0, 1000, 64))
        np.testing.assert_array_equal(np.concatenate([block.matrix for block in found]), rows)
        np.testing.assert_array_equal(np.concatenate([block.weights for block in found]), weights)
        assert found[-1].passed == pytest.approx(weights[:960].sum())
