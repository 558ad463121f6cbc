"""Every input of the registry that a command can be given, through the command line: the same outcome."""

from pathlib import Path

import numpy as np
import pytest
from inputs import INPUTS
from inputs.faces import (
    answer_from_command,
    assert_answered,
    assert_refused,
    code_of,
    command_line,
    command_line_of_rows,
    holds,
    written,
)
from inputs.kinds import Bench, Refused

HOW = {"in memory": (), "streamed": ("--memory", "0")}


def marks(one):
    return [pytest.mark.xfail(reason=one.defect, strict=True)] if one.defect else []


# The command line hands files to what Python does, so not every kind is read both ways here.
READ = ("csv in memory", "csv streamed", "parquet streamed", "npy in memory")
TABLES = [
    pytest.param(one, source, id=f"{one.number}-{source}", marks=marks(one))
    for one in INPUTS
    if one.table is not None
    for source in one.sources
    if source in READ and holds(one.table(), source) and command_line(one, "", Path()) is not None
]
IN_FILES = [
    pytest.param(one, how, id=f"{one.label}-{how}", marks=marks(one))
    for one in INPUTS
    if one.file is not None and command_line(one, "", Path()) and command_line_of_rows(one.rows) is not None
    for how in HOW
    if not (one.heavy and how == "streamed")
]
DEEDS = [pytest.param(one, id=one.label, marks=marks(one)) for one in INPUTS if one.deed is not None]


def held(one, found, folder, where, table=None):
    """What the command did, against what should come of it."""
    assert "Traceback" not in found.err
    if isinstance(one.outcome, Refused):
        assert found.code == code_of(one.outcome), (found.code, found.err)
        assert_refused(one.outcome, found.err, where)
        assert not (folder / "model.json").exists()
        return
    assert found.code == 0, found.err
    matrix = None if table is None else np.asarray(table.matrix)
    answer = answer_from_command(found, folder, matrix)
    assert_answered(one.outcome, answer, table)


@pytest.mark.parametrize(("one", "source"), TABLES)
def test_rows_in_files(one, source, tmp_path, run):
    table = one.table()
    kind, how = source.split(" ", 1)
    path, told = written(table, tmp_path, kind)
    words = command_line(one, path, tmp_path, (*HOW[how], *command_line_of_rows(told)))
    found = run(*words)
    held(one, found, tmp_path, "command line", table)


@pytest.mark.parametrize(("one", "how"), IN_FILES)
def test_files(one, how, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    path = one.file(tmp_path)
    words = command_line(one, "--", tmp_path, (*HOW[how], *command_line_of_rows(one.rows)))
    words.remove("--")
    held(one, run(*words, "--", str(path)), tmp_path, "command line")


@pytest.mark.parametrize("one", DEEDS)
def test_deeds(one, tmp_path, monkeypatch, run):
    one.deed(Bench(tmp_path, run, monkeypatch))
