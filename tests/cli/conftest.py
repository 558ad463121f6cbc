"""Run the command line as a user does, but in this process, so that it is quick."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from shards import ROWS

from gaussmix.cli.main import main
from gaussmix.data import blocks


@dataclass
class Run:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


@pytest.fixture
def run(capfdbinary):
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


@pytest.fixture(scope="module")
def table():
    """(ROWS, 3): two features in three groups that touch, and row weights of 0 to 3."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(ROWS, 2)) + rng.integers(0, 3, ROWS)[:, None] * [3.0, -2.0]
    return np.column_stack([rows, rng.integers(0, 4, ROWS)])


@pytest.fixture
def frame(table):
    return pd.DataFrame(table, columns=["a", "b", "w"])


@pytest.fixture
def plain(frame):
    return frame[["a", "b"]]


@pytest.fixture
def many_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 128)
