"""Numbers 59, 60 and 62 to 71, and others: what is done with files, models, reports and the terminal."""

import hashlib
import json
import os
import pickle
import re
import resource
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gaussmix
from gaussmix import GaussianMixture
from gaussmix.errors import DataError, ModelFileError
from inputs.kinds import Bench, Input
from inputs.rowsets import two_groups

CMD = "=cmd|' /C calc'!A0"
SCRIPT = "</script><script>alert(1)</script>"


def _table(bench: Bench, name: str = "t.csv", names: tuple[str, str] = ("a", "b")) -> Path:
    path = bench.folder / name
    pd.DataFrame(two_groups(60), columns=list(names)).to_csv(path, index=False)
    return path


def _model(bench: Bench, **more: object) -> Path:
    path = bench.folder / "m.json"
    assert bench.call("fit", _table(bench, **more), "-k", 2, "-o", path).code == 0
    return path


def _sealed(document: dict[str, object]) -> str:
    canonical = json.dumps(document["model"], sort_keys=True, separators=(",", ":"))
    document["checksum"] = "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
    return json.dumps(document)


def model_file(number: str, name: str, change: object, message: str) -> Input:
    """A model file that is none."""

    def deed(bench: Bench) -> None:
        path = _model(bench)
        document = json.loads(path.read_text())
        path.write_text(change(document))
        with pytest.raises(ModelFileError, match=message):
            gaussmix.load(path)
        for words in (("show", path), ("predict", path, bench.folder / "t.csv")):
            found = bench.call(*words)
            assert found.code == 5
            assert "m.json" in found.err

    return Input(number, f"a model file: {name}", deed=deed, told="refused unread")


def _with(**model: object) -> object:
    def change(document: dict[str, object]) -> str:
        document["model"].update(model)
        return _sealed(document)

    return change


def _changed_meanwhile(bench: Bench) -> None:
    path = _table(bench)
    rows = gaussmix.rows(path, memory=0, spool=False)
    assert rows.summary.n_rows == 60
    path.write_text(path.read_text() + "1,2\n")
    with pytest.raises(DataError, match=r"t.csv: changed while it was being read"):
        GaussianMixture(2).fit_rows(rows)


def _standard_input(bench: Bench) -> None:
    text = _table(bench).read_bytes()
    done = _apart(["fit", "-", "-k", "2", "--json", "--memory", "0"], input=text)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n_rows"] == 60


def _fifo(bench: Bench) -> None:
    text, pipe = _table(bench).read_bytes(), bench.folder / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(text,))
    writer.start()
    rows = gaussmix.rows(pipe, memory=0)
    writer.join(timeout=10)
    assert GaussianMixture(2).fit_rows(rows).summary_.facts["n_rows"] == 60
    assert bench.call("fit", bench.folder / "t.csv", "-k", 2, "--memory", 0).code == 0


def _output_is_input(bench: Bench) -> None:
    path = _table(bench)
    before = path.read_bytes()
    (bench.folder / "same.csv").symlink_to(path)
    os.link(path, bench.folder / "hard.csv")
    for out in ("t.csv", "same.csv", "hard.csv", "./t.csv"):
        for option in ("-o", "--assign"):
            found = bench.call("fit", path, "-k", 2, option, bench.folder / out)
            assert found.code == 3
            assert "is the input" in found.err
    assert path.read_bytes() == before


def _predict_into_input(bench: Bench) -> None:
    model = _model(bench)
    for victim in (model, bench.folder / "t.csv"):
        before = victim.read_bytes()
        found = bench.call("predict", model, bench.folder / "t.csv", "-o", victim)
        assert found.code == 3
        assert "is the input" in found.err
        assert victim.read_bytes() == before


def _apart(words: list[str], limit: int | None = None, **more: object) -> subprocess.CompletedProcess[bytes]:
    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "gaussmix", *map(str, words)]
    return subprocess.run(command, capture_output=True, check=False, timeout=120, preexec_fn=limited, **more)


def _no_room(bench: Bench) -> None:
    path = _table(bench)
    for option, name in (("-o", "m.json"), ("--assign", "a.csv")):
        old = bench.folder / name
        old.write_text("the old one")
        names = sorted(found.name for found in bench.folder.iterdir())
        done = _apart(["fit", path, "-k", "2", option, old], limit=512)
        assert done.returncode == 3, done.stderr
        assert b"File too large" in done.stderr
        assert b"Traceback" not in done.stderr
        assert old.read_text() == "the old one"
        assert sorted(found.name for found in bench.folder.iterdir()) == names


def _other_columns(bench: Bench) -> None:
    model, path = _model(bench), bench.folder / "t.csv"
    labels = [bench.call("predict", model, path).out]
    frame = pd.read_csv(path, dtype=str)
    frame[["b", "a"]].to_csv(bench.folder / "turned.csv", index=False)
    labels.append(bench.call("predict", model, bench.folder / "turned.csv").out)
    frame.assign(more=1.0).to_csv(bench.folder / "more.csv", index=False)
    labels.append(bench.call("predict", model, bench.folder / "more.csv").out)
    assert len(set(labels)) == 1
    frame[["a"]].to_csv(bench.folder / "fewer.csv", index=False)
    found = bench.call("predict", model, bench.folder / "fewer.csv")
    assert found.code == 3
    assert "no column 'b'" in found.err


def _other_columns_in_python(bench: Bench) -> None:
    frame = pd.DataFrame(two_groups(60), columns=["a", "b"])
    fitted = GaussianMixture(2).fit(frame)
    for wrong in (frame[["b", "a"]], frame[["a"]], frame.assign(c=1.0)):
        with pytest.raises(ValueError, match="eature"):
            fitted.predict(wrong)


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("the pickle was run",))


def _pickle(bench: Bench) -> None:
    path = bench.folder / "m.json"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelFileError, match="pickle"):
        gaussmix.load(path)
    found = bench.call("show", path)
    assert found.code == 5
    assert "never reads" in found.err


def _formula(bench: Bench) -> None:
    path = _table(bench, names=(CMD, "b"))
    out = bench.folder / "out.csv"
    found = bench.call("fit", path, "-k", 2, "--assign", out)
    assert found.code == 0
    model = GaussianMixture(2).fit(pd.read_csv(path))
    model.save(bench.folder / "m.json")
    assert bench.call("check", bench.folder / "m.json", path, "--rows", bench.folder / "rows.csv").code == 0
    cells = [
        cell.strip('"')
        for name in ("out.csv", "rows.csv")
        for line in (bench.folder / name).read_text().splitlines()
        for cell in line.split(",")
    ]
    assert not [
        cell for cell in cells if cell.startswith(("=", "@", "+")) or (cell[:1] == "-" and not _number(cell))
    ]


def _number(cell: str) -> bool:
    return re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?", cell) is not None


def _script(bench: Bench) -> None:
    path, page = _table(bench, names=(SCRIPT, "<img src=x onerror=alert(1)>")), bench.folder / "r.html"
    assert bench.call("report", path, "-k", 2, "-o", page).code == 0
    text = page.read_text()
    assert "<script>alert(1)" not in text
    assert "<img src=x" not in text
    for fetched in re.findall(r"(?:src|href)\s*=\s*[\"']?([^\"'\s>]+)", text):
        assert not re.match(r"(?:https?:)?//", fetched), fetched
    assert not re.search(
        r"@import|url\(\s*[\"']?(?:https?:)?//|fetch\(|XMLHttpRequest|WebSocket|sendBeacon", text
    )


def _escapes(bench: Bench) -> None:
    path = _table(bench, names=("\x1b[31mred\x1b]0;title\x07", "b\u202eright to left"))
    for words in (
        ("fit", path, "-k", 2),
        ("explain", path, "-k", 2),
        ("fit", path, "-k", 2, "--columns", "\x1b[1m"),
    ):
        found = bench.call(*words)
        assert not re.search("[\x1b\x07\u202e\x9b]", found.out + found.err), words


def _dots(bench: Bench) -> None:
    path = _table(bench)
    inner = bench.folder / "inner"
    inner.mkdir()
    bench.monkeypatch.chdir(inner)
    found = bench.call("fit", path, "-k", 2, "-o", "../gone/m.json")
    assert found.code == 3
    assert "the folder does not exist" in found.err
    # A name is a name: nothing in it is filled in.
    assert bench.call("fit", path, "-k", 2, "-o", "{name}-%s.json").code == 0
    assert [made.name for made in inner.iterdir()] == ["{name}-%s.json"]


def _no_memory(bench: Bench) -> None:
    wide = np.tile(np.arange(4.0), (200_000, 1)).T
    with pytest.raises(DataError, match="200000 features"):
        GaussianMixture(2).fit(wide)


def _noted_in_python(bench: Bench) -> None:
    path = bench.folder / "t.csv"
    path.write_text("1,20,x\n2,30,y\n7,4,z\n9,9,x\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = GaussianMixture(1).fit_rows(path)
    said = " ".join([*(str(warning.message) for warning in caught), *model.summary_.notes])
    assert "there is no header" in said
    assert "'x3' is text, and was left out" in said


def _hexadecimal(bench: Bench) -> None:
    path = bench.folder / "t.csv"
    path.write_text("a\n1\n2\n0x10\n4\n5\n")
    for more in ((), ("--memory", 0)):
        found = bench.call("fit", path, "-k", 1, *more)
        assert found.code == 3, more
        assert "row 3 holds '0x10'" in found.err


def deed(number: str, name: str, done: object, told: str, **more: object) -> Input:
    """Something that is done."""
    return Input(number, name, deed=done, told=told, **more)


DEEP = "[" * 100_000
HOSTILE = (
    deed("59", "a file that changes between two passes", _changed_meanwhile, "refused: it changed"),
    deed("60", "standard input", _standard_input, "read, copied first where it must be read again"),
    deed("60b", "a FIFO", _fifo, "copied to a temporary file first"),
    deed("62", "output = input, also by links", _output_is_input, "refused before any work"),
    deed("62b", "prediction into its model or its rows", _predict_into_input, "refused before any work"),
    deed(
        "63", "no room for the output", _no_room, "an error; the old file stays whole, nothing else is left"
    ),
    deed(
        "64",
        "prediction with columns in another order, missing, or more",
        _other_columns,
        "matched by name; a missing one is an error",
    ),
    deed("64b", "the same in Python", _other_columns_in_python, "refused, as scikit-learn's estimators do"),
    model_file("65", "10**9 components", _with(n_components=10**9), "size must be"),
    model_file("65b", "lists in lists, 100,000 deep", lambda _: DEEP, "not a model file"),
    model_file("65c", "NaN", lambda d: json.dumps(d).replace("0.5", "NaN", 1), "NaN is not a number"),
    model_file("65d", "another version", lambda d: json.dumps({**d, "version": 99}), "version 99"),
    model_file("65e", "a wrong checksum", lambda d: json.dumps({**d, "checksum": "sha256:0"}), "checksum"),
    model_file("65f", "edited by hand", lambda d: json.dumps(d).replace("0.5", "0.25", 1), "checksum"),
    model_file(
        "65g",
        "a covariance that is not positive definite",
        _with(covariances=[[[1.0, 2.0], [2.0, 1.0]]] * 2),
        "positive definite",
    ),
    model_file("65h", "empty", lambda _: "", "not JSON"),
    deed("66", "a pickle given as a model", _pickle, "refused unread"),
    deed(
        "67", "a column called =cmd()", _formula, "no text cell of the CSV that is written begins a formula"
    ),
    deed("68", "a column called </script>", _script, "inert in the report"),
    deed("69", "escape sequences in names", _escapes, "stripped"),
    deed("70", "../ and {} in the name of an output", _dots, "names are taken as they are, never filled in"),
    deed("71", "a report opened from disk", _script, "has nothing to fetch"),
    deed(
        "149",
        "4 rows of 200,000 features, full covariance",
        _no_memory,
        "refused before allocation",
    ),
    deed(
        "189e",
        "0x10 among numbers, on the command line",
        _hexadecimal,
        "refused, streamed or not",
    ),
    deed(
        "43b",
        "no header and a column of text, from Python",
        _noted_in_python,
        "fitted, with a note of both",
    ),
)
