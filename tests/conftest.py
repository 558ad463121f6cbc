"""Settings and tables for all tests."""

import os
from pathlib import Path

# scikit-learn checks array-API input only when asked to; set before SciPy is imported.
os.environ["SCIPY_ARRAY_API"] = "1"

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("gaussmix", deadline=None, derandomize=True)
settings.load_profile("gaussmix")

DATA = Path(__file__).parent / "data"
# One test in so many is run: where each takes long, as under sanitizers.
EVERY = int(os.environ.get("GAUSSMIX_TESTS_EVERY", "1"))


def pytest_collection_modifyitems(items, config):
    left_out = [item for i, item in enumerate(items) if i % EVERY]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = items[::EVERY]


@pytest.fixture(scope="session")
def data_folder():
    return DATA


@pytest.fixture(scope="session")
def heights():
    return np.loadtxt(DATA / "heights.csv", skiprows=1)[:, None]


@pytest.fixture(scope="session")
def faithful():
    return np.loadtxt(DATA / "faithful.csv", delimiter=",", skiprows=1)


@pytest.fixture(scope="session")
def iris():
    return np.loadtxt(DATA / "iris.csv", delimiter=",", skiprows=1)


@pytest.fixture(scope="session")
def mclust():
    """R mclust's figures by (table, model, K): log-likelihood, df, BIC and ICL (larger is better)."""
    figures = {}
    for table in ("faithful", "iris"):
        for line in (DATA / f"{table}.mclust.tsv").read_text().splitlines()[1:]:
            model, n_components, *values = line.split("\t")[:6]
            figures[table, model, int(n_components)] = dict(
                zip(("log_likelihood", "df", "bic", "icl"), map(float, values), strict=True)
            )
    return figures
