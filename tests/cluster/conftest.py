"""Rows that fits on clusters share."""

from pathlib import Path

import numpy as np
import pytest


def pytest_collection_modifyitems(items):
    # A process that runs several of these begins its cluster once.
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group("dask"))


@pytest.fixture(scope="session")
def groups():
    """Three groups (4000, 3) that lie well apart, so that fits hang on rounding no more than sums do."""
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0.0, 0.0], [9.0, 1.0, -4.0], [-3.0, 8.0, 5.0]])
    roots = 0.6 * rng.normal(size=(3, 3, 3)) + np.eye(3)
    which = rng.integers(0, 3, 4000)
    return means[which] + np.einsum("nij,nj->ni", roots[which], rng.normal(size=(4000, 3)))


@pytest.fixture(scope="session")
def group_weights():
    """Row weights for them, some of them 0."""
    return np.random.default_rng(1).integers(0, 4, 4000) / 2.0


# Starting a cluster takes seconds; who kills workers waits for new ones.
@pytest.fixture(scope="session")
def cluster():
    """Two workers of one thread, each a process with a nanny that starts another when it dies."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as made:
        yield made


@pytest.fixture(scope="session")
def connected(cluster):
    from distributed import Client

    with Client(cluster, set_as_default=False) as made:
        yield made


@pytest.fixture
def client(connected):
    """With all workers: what a test before has killed takes a while to come back."""
    connected.wait_for_workers(2, timeout=60)
    return connected


@pytest.fixture
def alone():
    """No cluster: dask computes in this thread."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def written(tmp_path, groups):
    """Paths of three files with the groups."""
    paths = [str(tmp_path / f"{i}.npy") for i in range(3)]
    for path, part in zip(paths, np.split(groups, [1500, 2600]), strict=True):
        np.save(path, part)
    return paths


@pytest.fixture
def frame(groups, group_weights):
    """A dask dataframe of them, with text, whole numbers and weights."""
    import dask.dataframe as dd
    import pandas as pd

    table = pd.DataFrame(groups, columns=["a", "b", "c"])
    table["city"] = "Ulm"
    table["kind"] = pd.Categorical(["x", "y"] * 2000)
    table["count"] = pd.array(np.arange(4000) % 7, dtype="Int64")
    table["weight"] = group_weights
    return dd.from_pandas(table, npartitions=3)
