"""Fits that are interrupted, or killed, and gone on with: what a user types and sees."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from shards import in_shards

from gaussmix.data.checkpoints.checkpoint import describe
from gaussmix.errors import CheckpointError

pytestmark = pytest.mark.usefixtures("many_blocks")
# The command line with passes that take their time, so that a fit is interrupted in the midst of it.
SLOWLY = """
import signal, sys, time
from gaussmix.data.files.filerows import FileRows
signal.signal(signal.SIGINT, signal.default_int_handler)
added_up = FileRows.added_up
def slowly(self, task):
    time.sleep(0.03)
    return added_up(self, task)
FileRows.added_up = slowly
from gaussmix.cli.main import main
main(sys.argv[1:])
"""


def without_reading(document):
    return {name: value for name, value in document.items() if name != "reading"}


@pytest.fixture
def slow_fit(tmp_path, plain):
    """Begin a fit of many passes in a process of its own, and wait until it is in the midst of it."""
    in_shards(tmp_path / "shards", plain)
    begun = []

    def begin(*more):
        command = [sys.executable, "-c", SLOWLY, *map(str, arguments_of(tmp_path)), *map(str, more)]
        environment = {**os.environ, "GAUSSMIX_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
        )
        begun.append(process)
        deadline = time.monotonic() + 60
        while passes_in(tmp_path / "c") < 6:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def arguments_of(folder):
    # Means to begin with and EM's own steps: many passes, of which the first is soon done.
    how = ("--means", "0,0;1,0;2,0", "--acceleration", "none", "--memory", "0", "--covariance", "VVV")
    return ("fit", folder / "shards", "-k", 3, *how, "--max-iter", 60, "--checkpoint", folder / "c")


def passes_in(path):
    with suppress(CheckpointError):
        return describe(path).n_passes
    return 0


def uninterrupted(run, folder):
    arguments = [*arguments_of(folder)[:-2], "--json", "-o", folder / "whole.json"]
    done = run(*arguments)
    assert done.code == 0, done.err
    assert done.json["n_iterations"] > 30
    return without_reading(done.json), json.loads((folder / "whole.json").read_text())


def resumed(run, folder):
    """What a fit comes to that is gone on with, and how many passes it made."""
    before = passes_in(folder / "c")
    done = run(*arguments_of(folder), "--resume", "--json", "-o", folder / "resumed.json")
    assert done.code == 0, done.err
    assert "not asked for again" not in done.err
    read = done.json["reading"]["passes"]
    assert passes_in(folder / "c") > before
    assert read < done.json["n_iterations"], "passes that were kept were made again"
    return without_reading(done.json), json.loads((folder / "resumed.json").read_text())


def test_what_a_checkpoint_holds_is_shown(run, tmp_path, plain):
    in_shards(tmp_path / "shards", plain)
    done = run(*arguments_of(tmp_path))
    assert done.code == 0, done.err
    shown = run("show", tmp_path / "c", "--json").json
    assert shown["schema"] == "gaussmix-checkpoint"
    assert shown["n_passes"] == passes_in(tmp_path / "c") > len(shown["log_likelihoods"]) > 30
    assert (shown["damage"], shown["settings"]["n_components"]) == ("", "3")
    whole = (tmp_path / "c").read_bytes()
    (tmp_path / "c").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    said = run("show", tmp_path / "c")
    assert said.code == 0
    assert f"a checkpoint of {shown['n_passes'] - 1} passes" in said.out
    assert f"highest {max(shown['log_likelihoods']):.6f}" in said.out
    assert "after that: " in said.out
    (tmp_path / "c").write_bytes(whole[:40])
    assert run("show", tmp_path / "c").code == 3


def test_after_ctrl_c_a_fit_says_how_to_go_on_and_ends_with_the_same_bits(
    run, tmp_path, slow_fit, monkeypatch
):
    """The second time, too, after it has gone on for a while."""
    # Blocks of the size that the other process has: sums of others differ in last bits.
    monkeypatch.undo()
    for more in ((), ("--resume",)):
        before = passes_in(tmp_path / "c")
        process = slow_fit("--json", *more)
        while passes_in(tmp_path / "c") <= before:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (130, "")
        assert re.search(r"Interrupted\. .*c has what was done: the same command with --resume goes on", err)
        assert "Traceback" not in err
        assert describe(tmp_path / "c").damage == ""
    assert resumed(run, tmp_path) == uninterrupted(run, tmp_path)


def test_a_fit_that_is_killed_goes_on_to_the_same_bits(run, tmp_path, slow_fit, monkeypatch):
    monkeypatch.undo()
    process = slow_fit()
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert resumed(run, tmp_path) == uninterrupted(run, tmp_path)


def test_ctrl_c_without_a_checkpoint_leaves_nothing_behind(tmp_path, plain):
    plain.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-c", SLOWLY, *map(str, arguments_of(tmp_path)[:-2])]
    command[4] = str(tmp_path / "t.csv")
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True)
    try:
        # It says what it writes there before it begins.
        assert "temporary file" in process.stderr.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert list(Path(tmp_path / "temporary").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "temporary"]
