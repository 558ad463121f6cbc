"""Passes over rows on a dask cluster beside passes over the same rows in memory.

``python -m benchmarks.dask_passes [--rows N] [--features D] [--components K] [--partitions P]
[--workers W] [--repeats R]`` starts W worker processes of one thread, which hold or load P partitions, and
prints for each place the best seconds of an E-step over all rows, rows a second, how that compares with
memory on W threads, and the seconds of a pass whose task does nothing: what sending, scheduling and adding
up cost by themselves.
"""

import argparse
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import dask.array as da
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from distributed import Client, LocalCluster

from gaussmix.data.cluster.dask import DaskRows
from gaussmix.data.files.opening import parts
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import Totals
from gaussmix.kernels.threads import compute_threads
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings


@dataclass(frozen=True)
class Nothing:
    """A task that looks at no row."""

    def __call__(self, _):
        """Count blocks."""
        return Totals((1,))


def mixed(n_rows, n_features, n_components, seed):
    """Overlapping groups (N, D)."""
    centres = 2.0 * np.random.default_rng(0).normal(size=(n_components, n_features))
    rng = np.random.default_rng(seed + 1)
    return centres[rng.integers(0, n_components, n_rows)] + rng.normal(size=(n_rows, n_features))


def array_of(n_rows, n_features, n_components, n_partitions):
    """A dask array whose partitions are made where they are worked on."""
    height = n_rows // n_partitions
    graph = {("mixed", i, 0): (mixed, height, n_features, n_components, i) for i in range(n_partitions)}
    return da.Array(graph, "mixed", ((height,) * n_partitions, (n_features,)), dtype=float)


def best(work, repeats):
    """The least seconds of some tries, after one that warms up."""
    work()
    found = []
    for _ in range(repeats):
        began = perf_counter()
        work()
        found.append(perf_counter() - began)
    return min(found)


def told(name, rows, mixture, repeats, in_memory):
    """Print a line, and give the seconds of a pass."""
    seconds = best(lambda: rows.expected_statistics(mixture), repeats)
    empty = best(lambda: rows.added_up(Nothing()), repeats)
    beside = 1.0 if in_memory is None else seconds / in_memory
    speed = rows.summary.n_rows / seconds / 1e6
    print(f"{name:42s}{seconds:9.3f} s{speed:9.1f}{beside:9.2f}{empty:11.4f} s", flush=True)
    return seconds


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--components", type=int, default=8)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    array = array_of(asked.rows, asked.features, asked.components, asked.partitions)
    matrix = array.compute(scheduler="threads")
    memory = MemoryRows(matrix)
    start = MemoryRows(matrix[:50_000])
    mixture = search(start, FitSettings(asked.components, n_init=1, max_iter=20)).mixture
    print(
        f"{len(matrix)} rows x {asked.features}, K = {asked.components}, {asked.partitions} partitions; best "
        f"of {asked.repeats}"
    )
    print(f"{'rows':42s}{'a pass':>11s}{'Mrows/s':>9s}{'beside':>9s}{'empty':>13s}")
    with compute_threads(asked.workers):
        seconds = told(f"in memory, {asked.workers} threads", memory, mixture, asked.repeats, None)
    known = memory.expected_statistics(mixture).log_likelihood
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(
            n_workers=asked.workers, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        names = [f"x{j + 1}" for j in range(asked.features)]
        paths = []
        for i, part in enumerate(np.array_split(matrix, asked.partitions)):
            paths.append(str(Path(folder, f"{i}.parquet")))
            pq.write_table(pa.table(dict(zip(names, part.T, strict=True))), paths[-1])
        files = parts(paths)
        for name, collection, more in (
            ("dask, kept on the workers", array, {"persist": True}),
            ("dask, Parquet read in each pass", files, {"feature_names": files[0].feature_names}),
        ):
            with DaskRows.of(collection, client=client, **more) as rows:
                told(f"{name}, {asked.workers} workers", rows, mixture, asked.repeats, seconds)
                found = rows.expected_statistics(mixture).log_likelihood
                assert abs(found - known) <= 1e-10 * abs(known), (found, known)


if __name__ == "__main__":
    main()
