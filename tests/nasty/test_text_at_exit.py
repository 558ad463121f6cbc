"""Python ends while Arrow reads ahead in a text: no thread may call what is gone, and nothing waits."""

import lzma
import subprocess
import sys
import time

import numpy as np
import pytest

from gaussmix.data.files import textstream
from gaussmix.data.files.opening import open_rows
from gaussmix.data.files.textstream import TextStream
from gaussmix.errors import DataError

N = 250_000
UNFINISHED = "import gaussmix; blocks = gaussmix.rows({!r}, memory=0, spool=False).blocks(); next(blocks)"
LEFT = "import gaussmix\nfor _ in gaussmix.rows({!r}, memory=0, spool=False).blocks():\n    break"
REFUSED = "import gaussmix; gaussmix.rows({!r}, memory=0)"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    numbers = np.random.default_rng(0).normal(size=(N, 2)).round(6)
    lines = [f"{a},{b}" for a, b in numbers.tolist()]
    whole = "\n".join(["a,b", *lines, ""]).encode()
    lines[N // 5] = "1,oops"
    wrong = "\n".join(["a,b", *lines, ""]).encode()
    for name, content in (("whole", whole), ("wrong", wrong)):
        (folder / f"{name}.csv").write_bytes(content)
        (folder / f"{name}.csv.xz").write_bytes(lzma.compress(content, preset=0))
    return folder


@pytest.mark.parametrize("packed", ["", ".xz"])
@pytest.mark.parametrize(
    ("script", "name", "code"),
    [(UNFINISHED, "whole", 0), (LEFT, "whole", 0), (REFUSED, "wrong", 1)],
    ids=["unfinished", "left", "refused"],
)
def test_python_ends_while_a_text_is_read_ahead(texts, script, name, code, packed):
    path = str(texts / f"{name}.csv{packed}")
    done = subprocess.run(
        [sys.executable, "-c", script.format(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    assert ("holds 'oops'" in done.stderr) == (code == 1)


def test_a_read_that_fails_is_told_at_once(texts, monkeypatch):
    rows = open_rows(texts / "whole.csv", memory=0, spool=False)
    calls = []

    def read(self, size):
        calls.append(size)
        if len(calls) > 1:
            raise OSError(5, "Input/output error")
        return self._stream.read(size)

    monkeypatch.setattr(TextStream, "_read", read)
    begun = time.monotonic()
    with pytest.raises(DataError, match="Input/output error"):
        list(rows.blocks())
    assert time.monotonic() - begun < textstream.PATIENCE / 2.0


def test_text_of_any_encoding_is_handed_on_in_utf8(tmp_path):
    text = "größe,naïve\n" + "1.5,2.5\n" * 5
    for encoding in ("utf-16", "latin-1"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.encode(encoding))
        stream = TextStream(path.open("rb"), encoding)
        # Characters of two bytes are cut in two.
        pieces = b"".join(iter(lambda stream=stream: stream.read(3), b""))
        assert pieces.decode() == text
        assert stream.n_lines == 6
        stream.stop()
