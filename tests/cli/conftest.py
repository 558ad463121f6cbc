"""Tables for tests of the command line."""

import numpy as np
import pandas as pd
import pytest
from shards import ROWS

from gaussmix.data import blocks


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
