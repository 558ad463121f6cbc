# ruff: noqa: E402 (the registry lies with the tests)
"""Make docs/unbreakable.md: inputs that break other tools, what we do with each, and what others do.

``python docs/nasty_table.py`` writes it. What others do is in benchmarks/nasty_peers.tsv, which
``python -m benchmarks.nasty_peers`` makes; what we do is done anew.
"""

import csv
import os
import re
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "nasty"))

import numpy as np
from inputs import INPUTS
from inputs.faces import command_line, fit_table, heard, holds
from inputs.kinds import SOURCES, Fitted

import gaussmix
from gaussmix import GaussianMixture

PAGE = ROOT / "docs" / "unbreakable.md"
TSV = ROOT / "benchmarks" / "nasty_peers.tsv"
PEERS = ("scikit-learn", "mclust", "pandas + scikit-learn")
LONGEST = 130
# In the order in which they are counted below the tables, with what they mean.
VERDICTS = {
    "right": "an answer that passes the check, and nothing to warn of",
    "warned": "an answer, with a warning",
    "refused": "an error",
    "accepted": "an answer where we ask for another request",
    "no word of it": "an answer, without the warning that is due",
    "NaN": "an answer with NaN in it",
    "silently wrong": "an answer that fails the check, without a word",
    "no answer": "nothing came back: NULL, no end, out of memory, or a process that died",
}


def cell(words, longest=LONGEST):
    """Words that are safe in a table, and not too many."""
    words = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    words = words if len(words) <= longest else words[: longest - 3] + "..."
    for plain, safe in (
        ("&", "&amp;"),
        ("|", "\\|"),
        ("<", "&lt;"),
        ("*", "\\*"),
        ("[", "\\["),
        ("`", "'"),
        ("~", "\\~"),
    ):
        words = words.replace(plain, safe)
    return words


def ours(one):
    """What we do, done anew through Python."""
    if one.deed is not None:
        return one.told
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        here = Path.cwd()
        try:
            os.chdir(folder)
            model, notes = _fitted(one, Path(folder))
        except gaussmix.errors.GaussmixError as error:
            said = str(error).replace(f"{folder}/", "").replace(folder, "the folder")
            return f"{type(error).__name__}: {said}"
        finally:
            os.chdir(here)
        said = [s.replace(f"{folder}/", "") for s in heard(model, caught, notes)]
    if not isinstance(one.outcome, Fitted) or one.outcome.says is None:
        return "fits"
    text = " ".join(said)
    if (found := re.search(one.outcome.says, text, re.DOTALL)) is None:
        return "fits, without the word that is due"
    begins = text.rfind(". ", 0, found.start())
    return f"fits, and says: {text[begins + 2 if begins >= 0 else 0 :]}"


def _fitted(one, folder):
    if one.table is not None:
        table = one.table()
        source = next(source for source in one.sources if holds(table, source))
        return fit_table(table, source, one.settings, folder)
    if one.thing is not None:
        return GaussianMixture(**one.settings).fit(one.thing()), ()
    rows = gaussmix.rows(one.file(folder), **one.rows)
    return GaussianMixture(**one.settings).fit_rows(rows), rows.notes


def others():
    """What the others do: {number: {peer: (verdict, words)}}."""
    found = {}
    with TSV.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file, delimiter="\t"):
            found.setdefault(line["number"], {})[line["peer"]] = (line["verdict"], line["words"])
    return found


def theirs(verdict, words):
    """A verdict and its words in a cell."""
    if verdict == "-":
        return "-"
    strong = f"**{verdict}**" if verdict in ("NaN", "silently wrong", "no answer") else verdict
    return f"{strong}: {cell(words, 90)}" if words else strong


def counted(found):
    """How often each verdict was given."""
    lines = ["| what came of it | " + " | ".join(PEERS) + " |", "|---|" + "---:|" * len(PEERS)]
    counts = {peer: Counter(by[peer][0] for by in found.values() if peer in by) for peer in PEERS}
    for verdict, meaning in VERDICTS.items():
        lines.append(f"| {verdict}: {meaning} | " + " | ".join(str(counts[p][verdict]) for p in PEERS) + " |")
    tried = [sum(n for verdict, n in counts[p].items() if verdict != "-") for p in PEERS]
    lines.append("| all that it can be given | " + " | ".join(map(str, tried)) + " |")
    return lines


def tests_by_face():
    """How often an input is tried, by way in."""
    tables = [
        (one, s) for one in INPUTS if one.table is not None for s in one.sources if holds(one.table(), s)
    ]
    lines = ["| way in | inputs |", "|---|---:|"]
    lines += [f"| Python: {source} | {sum(s == source for _, s in tables)} |" for source in SOURCES]
    lines.append(f"| Python: objects of other kinds | {sum(one.thing is not None for one in INPUTS)} |")
    lines.append(
        f"| Python: files of every kind, in memory and streamed | {sum(one.file is not None for one in INPUTS)} |"
    )
    asked = [one for one in INPUTS if one.deed is None and one.thing is None]
    known = sum(command_line(one, "x", Path()) is not None for one in asked)
    lines.append(f"| the command line: files, in memory and streamed | {known} |")
    lines.append(f"| things that are done, with both | {sum(one.deed is not None for one in INPUTS)} |")
    return lines


CAMPAIGNS = """## What else was tried

| what | how much, the last time | command |
|---|---|---|
| random adversarial fits | 455,000 tried, some 60 % with a mixture, the others refused by name; of the first 345,000 48 failed, each mended and kept as a test; of the last 110,000 (66,222 with a mixture) none | `make fuzz` |
| faults in system calls, kills at random instants, memory and threads refused | 629, all survived | `pytest tests/faults` |
| mutants of `learning/` and `model/` | 260 drawn at random that no test was written for: 85.8 % killed; those left judged one by one | `make mutants SAMPLE=260 SEED=2` |
| an hour of mixed use beside other load | 14,825 rounds; 254 MiB after a quarter of an hour, 257 at the end | `make soak` |
| sanitizers (address, undefined behaviour, threads) | native tests, and all 2,975 of Python's contract tests under each: nothing found (the thread sanitizer reports pyarrow's own threads; `tests/threads/races.py` tells these from others); CI takes every tenth of Python's | `make sanitize sanitize-python EVERY=1` |
| the oldest and the newest versions of what is needed, on Python 3.11 to 3.13 | 6,276 tests each | `nox` |
""".splitlines()


def page():
    """docs/unbreakable.md."""
    found = others()
    said = found.pop("version")
    versions = ", ".join(f"{peer.split(' ')[0]} {said[peer][1]}" for peer in PEERS)
    rows = {one.number: one for one in INPUTS}
    lines = [
        "# Inputs that break other tools",
        "",
        "<!-- made by docs/nasty_table.py; change that -->",
        "",
        f"{len(INPUTS)} inputs, each with its right outcome: an answer that is right and says what is doubtful, or an",
        "error that says what is wrong, where, and what to do. Never NaN, never a silent wrong answer, never a",
        "traceback. `tests/nasty/inputs` holds them; `tests/nasty/test_inputs.py` and `test_inputs_cli.py` try each in",
        "every way that it can be given in:",
        "",
        *tests_by_face(),
        "",
        "Numbers up to 71 are the list that this project began with; those from 101 on were found later. Beside ours stands what others do with the",
        f"same input, by `python -m benchmarks.nasty_peers` ({versions}; each in a",
        "process of its own with 60 s and 6 GB): scikit-learn on the array, `Mclust(x)` on the matrix or on `read.csv(path)`,",
        'and `GaussianMixture(K).fit(pandas.read_csv(path))`, all as they come, with their own defaults. "-" is where',
        "a tool has nothing of the kind (row weights, starts, file formats).",
        "",
        "## What comes of them",
        "",
        *counted(found),
        "",
        "An answer is wrong here if it fails the check that ours passes (groups, means, covariances), or if it is given",
        "where none can be: all rows equal, masked values taken for measured ones. Most of mclust's are columns of text in",
        "files, which it takes for numbers (codes of the words); most of scikit-learn's are units, for it adds 1e-6 to",
        "every variance, and makes one start by k-means.",
        "",
        *CAMPAIGNS,
    ]
    expected = [one for one in INPUTS if one.defect]
    if expected:
        lines += ["", "## What we do not do right yet", ""]
        lines += [f"- {one.number}, {cell(one.name)}: {cell(one.defect)}" for one in expected]
    for title, members in grouped_inputs(rows):
        lines += [
            "",
            f"## {title}",
            "",
            "| no. | input | gaussmix | " + " | ".join(PEERS) + " |",
            "|---|---|---|---|---|---|",
        ]
        for one in members:
            by = found.get(one.number, {})
            cells = [theirs(*by.get(peer, ("-", ""))) for peer in PEERS]
            lines.append(
                f"| {one.number} | {cell(one.name)} | {cell(ours(one))} | " + " | ".join(cells) + " |"
            )
    return "\n".join([*lines, ""])


def grouped_inputs(rows):
    """Inputs by what they are."""
    inputs = sorted(rows.values(), key=lambda one: (int(re.match(r"\d+", one.number)[0]), one.number))
    kinds = (
        ("Rows and requests", lambda one: one.table is not None),
        ("What only Python can hand over", lambda one: one.thing is not None),
        ("Files", lambda one: one.file is not None),
        ("Deeds", lambda one: one.deed is not None),
    )
    return [(title, [one for one in inputs if of(one)]) for title, of in kinds]


def main():
    """Write the page."""
    np.seterr(all="ignore")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
