"""Settings and tables for all tests."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

# scikit-learn checks array-API input only when asked to; set before SciPy is imported.
os.environ["SCIPY_ARRAY_API"] = "1"

import numpy as np
import pytest
from hypothesis import settings

from gaussmix.cli.main import main

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


@dataclass
class Run:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


@pytest.fixture
def run(capfdbinary):
    """The command line as a user calls it, but in this process, so that it is quick."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capfdbinary.readouterr()
        return Run(stop.value.code, captured.out.decode(), captured.err.decode())

    return call


@pytest.fixture
def csv(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


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
