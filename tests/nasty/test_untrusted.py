"""Files that nobody vouches for are read by a process with limits, whatever they do to it."""

import gzip
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gaussmix
from gaussmix.cli.main import main
from gaussmix.data.files import apart
from gaussmix.data.files.apart import read_apart
from gaussmix.data.files.limits import Limits
from gaussmix.data.files.opening import open_rows
from gaussmix.errors import DataError, SettingsError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits are POSIX")


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(700, 2)), columns=["a", "b"])
    return rows.assign(w=rng.integers(0, 3, 700), name="x", id=np.arange(700) + 2**53)


def all_of(rows):
    blocks = list(rows.blocks())
    weights = None if blocks[0].weights is None else np.concatenate([block.weights for block in blocks])
    return np.concatenate([block.matrix for block in blocks]), weights


@pytest.mark.parametrize("kind", ["csv", "parquet", "csv.gz", "single"])
def test_the_rows_are_those_that_are_read_here(tmp_path, frame, kind):
    path = tmp_path / f"t.{kind}"
    if kind == "single":
        frame[["a", "b"]].astype(np.float32).assign(w=frame["w"]).to_parquet(path)
    else:
        frame.to_parquet(path) if kind == "parquet" else frame.to_csv(path, index=False)
    here = open_rows(path, weights="w", memory=0)
    there = open_rows(path, weights="w", memory=0, untrusted=True)
    for one, other in zip(all_of(here), all_of(there), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    assert there.feature_names == here.feature_names
    assert there.notes == here.notes
    held = open_rows(path, weights="w", untrusted=True)
    assert np.array_equal(held.matrix, all_of(here)[0])


def test_shards_are_read_in_order_and_missing_rows_left_out(tmp_path, frame):
    frame.loc[3, "a"] = np.nan
    frame[:300].to_csv(tmp_path / "2.csv", index=False)
    frame[300:].to_csv(tmp_path / "10.csv", index=False)
    rows = open_rows(tmp_path, columns=["b", "a"], memory=0, drop_missing=True, untrusted=True)
    assert np.array_equal(all_of(rows)[0], frame[["b", "a"]].drop(3).to_numpy())
    assert "1 of 700 rows have missing values" in rows.notes[-1]
    with pytest.raises(DataError, match=r"2\.csv: row 4, column 'a' is missing"):
        list(open_rows(tmp_path, columns=["b", "a"], memory=0, untrusted=True).blocks())


def test_errors_are_the_same_sentences(tmp_path, frame):
    frame.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + b"\x00" * 100 + b"PAR1")
    for path, options in (("t.csv", {"columns": ["z"]}), ("bad.parquet", {}), ("none.csv", {})):
        said = []
        for untrusted in (False, True):
            with pytest.raises(DataError) as caught:
                open_rows(tmp_path / path, **options, untrusted=untrusted)
            said.append(str(caught.value))
        assert said[0] == said[1]


def test_a_bomb_goes_off_elsewhere(tmp_path):
    """2^27 rows of one value: a few kB of Parquet, a gigabyte of numbers."""
    table = pa.table({"a": pa.array(np.zeros(1 << 20))})
    with pq.ParquetWriter(tmp_path / "bomb.parquet", table.schema, use_dictionary=True) as writer:
        for _ in range(128):
            writer.write_table(table)
    assert (tmp_path / "bomb.parquet").stat().st_size < 1 << 20
    with pytest.raises(DataError, match=r"bomb\.parquet: its numbers cannot be kept in a temporary file"):
        read_apart(tmp_path / "bomb.parquet", limits=Limits(disk=1 << 26))
    with gzip.open(tmp_path / "bomb.csv.gz", "wb", 9) as file:
        file.write(b"a,b\n")
        for _ in range(64):
            file.write(b"1,2\n" * (1 << 18))
    with pytest.raises(DataError, match=r"bomb\.csv\.gz"):
        read_apart(tmp_path / "bomb.csv.gz", limits=Limits(disk=1 << 26))


def test_memory_and_time_are_limited(tmp_path, frame):
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet: .*memory"):
        read_apart(tmp_path / "t.parquet", limits=Limits(memory=1 << 28))
    rows = np.random.default_rng(0).normal(size=(200_000, 8))
    pd.DataFrame(rows).to_csv(tmp_path / "long.csv", index=False)
    with pytest.raises(DataError, match="could not be read in 1 s of processor time"):
        # What it takes to begin is most of a second.
        read_apart([tmp_path / "long.csv"] * 8, limits=Limits(seconds=1))


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGKILL, 7])
def test_a_process_that_dies_is_an_error_in_words(tmp_path, frame, monkeypatch, how):
    frame.to_parquet(tmp_path / "t.parquet")
    end = f"os._exit({how})" if how == 7 else f"os.kill(os.getpid(), {int(how)})"
    with_end = replaced(f"import os; {end}")
    monkeypatch.setattr(apart.subprocess, "run", with_end)
    with pytest.raises(DataError, match=r"t\.parquet: the process that read it died"):
        read_apart(tmp_path / "t.parquet")


def replaced(code):
    """``subprocess.run`` with other code for the process, as if a file had taken it over."""
    run = subprocess.run

    def other(command, **options):
        return run([sys.executable, "-c", code, command[-1]], **options)

    return other


# Two numbers into the descriptor that the real command names, and then the document.
ANSWER = """
import os, re, sys
os.write(int(re.search(r"serve\\((\\d+)\\)", sys.argv[1])[1]), bytes(16))
"""
GOOD = {"names": ["a"], "notes": [], "single": False, "whole": [], "places": [["PATH", [[0, 2]]]]}


@pytest.mark.parametrize(
    "lies",
    [
        {"places": [["PATH", [[0, 10**15]]]]},
        {"places": [["PATH", [[8, 1]]]]},
        {"places": [["PATH", [[0, -2]]]]},
        {"places": [["PATH", [[0, 1]]]]},
        {"places": [["PATH", [["0", "2"]]]]},
        {"places": [["/etc/passwd", [[0, 2]]]]},
        {"places": 3},
        {"whole": [5]},
        {"names": None},
        {"names": []},
    ],
    ids=str,
)
def test_what_such_a_process_says_is_checked(tmp_path, monkeypatch, lies):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1")
    document = json.dumps({**GOOD, **lies}).replace("PATH", str(path))
    code = ANSWER + f"print({document!r})"
    monkeypatch.setattr(apart.subprocess, "run", replaced(code))
    with pytest.raises(DataError, match="makes no sense"):
        read_apart(path)


def test_an_honest_answer_is_believed(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1")
    document = json.dumps(GOOD).replace("PATH", str(path))
    code = ANSWER + f"print({document!r})"
    monkeypatch.setattr(apart.subprocess, "run", replaced(code))
    assert all_of(read_apart(path))[0].tolist() == [[0.0], [0.0]]


def test_it_is_asked_for_in_python_and_on_the_command_line(tmp_path, frame):
    frame[["a", "b"]].to_parquet(tmp_path / "t.parquet")
    rows = gaussmix.rows(tmp_path / "t.parquet", untrusted=True)
    assert np.array_equal(rows.matrix, frame[["a", "b"]].to_numpy())
    with pytest.raises(SettingsError, match="untrusted=True is for files"):
        gaussmix.rows(frame[["a"]], untrusted=True)
    with pytest.raises(SettingsError, match="not by dask's workers"):
        gaussmix.rows(tmp_path / "t.parquet", untrusted=True, dask="tcp://127.0.0.1:9")
    results = []
    for option in ([], ["--untrusted"]):
        model, assigned = tmp_path / f"m{len(option)}.json", tmp_path / f"a{len(option)}.csv"
        for command in (["fit", "-k", "2", "-o", model], ["predict", model, "-o", assigned]):
            with pytest.raises(SystemExit) as end:
                main([*map(str, command), str(tmp_path / "t.parquet"), *option])
            assert not end.value.code
        results.append((model.read_bytes(), assigned.read_bytes()))
    assert results[0] == results[1]
