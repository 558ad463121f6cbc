"""What is done while faults come: commands, the files that they replace, and how these must be afterwards."""

import json
import re
from dataclasses import dataclass

import numpy as np

DATA, MODEL = "t.csv", "model.json"
# Rows that Arrow does not read: its reader of text ends the process where it gets no memory.
NUMBERS, NUMBERS_MODEL = "t.npy", "numbers.json"
OLD = b"what was there before\n"
# How a file is called that a killed process may leave beside its output: what it had written by then.
LEFT = re.compile(r"^\.(?P<of>.+)\.[a-z0-9_]{8}$")
FIT = ("fit", DATA, "-k", "2", "--n-init", "1", "--max-iter", "20")
STREAMED = (*FIT, "--memory", "0")
FIT_NUMBERS = ("fit", NUMBERS, *FIT[2:])


@dataclass(frozen=True)
class Deed:
    """A command, and the files that it writes."""

    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    checkpoint: str | None = None


DEEDS = {
    "fit": Deed((*FIT, "-o", "m.json", "--assign", "a.csv"), ("m.json", "a.csv")),
    "fit streamed text": Deed((*STREAMED, "-o", "m.json", "--assign", "a.parquet"), ("m.json", "a.parquet")),
    "fit with a checkpoint": Deed((*STREAMED, "--checkpoint", "c", "-o", "m.json"), ("m.json",), "c"),
    "fit resumed": Deed((*STREAMED, "--checkpoint", "c", "--resume", "-o", "m.json"), ("m.json",), "c"),
    "predict to CSV": Deed(("predict", MODEL, DATA, "-o", "p.csv"), ("p.csv",)),
    "predict to Parquet": Deed(("predict", MODEL, DATA, "-o", "p.parquet"), ("p.parquet",)),
    "report": Deed(("report", MODEL, DATA, "--no-test", "-o", "r.html"), ("r.html",)),
    "select": Deed(
        ("select", DATA, "-k", "1:2", "--models", "VVV", "--folds", "0", "-o", "s.json"), ("s.json",)
    ),
}
NEEDING_NO_TEXT = {
    "fit of numbers": Deed((*FIT_NUMBERS, "-o", "m.json", "--assign", "a.csv"), ("m.json", "a.csv")),
    "fit of streamed numbers": Deed(
        (*FIT_NUMBERS, "--memory", "0", "--checkpoint", "c", "-o", "m.json"), ("m.json",), "c"
    ),
    "predict for numbers": Deed(("predict", NUMBERS_MODEL, NUMBERS, "-o", "p.parquet"), ("p.parquet",)),
    "report on numbers": Deed(("report", NUMBERS_MODEL, NUMBERS, "--no-test", "-o", "r.html"), ("r.html",)),
}
ALL = {**DEEDS, **NEEDING_NO_TEXT}


class Place:
    """A folder with rows, a model and temporary files, in which deeds are done again and again."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        rng = np.random.default_rng(9)
        rows = rng.normal(size=(150, 2)).round(4) + 3.0 * rng.integers(0, 2, 150)[:, None]
        lines = "".join(f"{a!r},{b!r}\n" for a, b in rows.tolist())
        (folder / DATA).write_text("a,b\n" + lines)
        np.save(folder / NUMBERS, rows)
        self._do((*FIT, "-o", MODEL), warm=True)
        self._do((*FIT_NUMBERS, "-o", NUMBERS_MODEL))
        self.kept = {path.name for path in folder.iterdir()}
        self.begun = b""
        self.new, self.seconds = {}, {}
        for name, deed in ALL.items():
            self.new[name], self.seconds[name] = self._undisturbed(deed)

    def done(self, name, before=OLD, **job):
        """A deed, where outputs have an old content or are not there; the outcome."""
        self.ready(name, before)
        return self.again(name, **job)

    def ready(self, name, before=OLD):
        """Put all in place for a deed."""
        self._make_ready(ALL[name], before)

    def again(self, name, **job):
        """A deed where all is in place."""
        return self._do(ALL[name].arguments, **job)

    def resumed(self, name, **job):
        """What the fit of a deed comes to that is gone on with: the outcome and the outputs."""
        deed = ALL[name]
        # With or without it the same question, which is what the checkpoint asks for.
        more = () if "--resume" in deed.arguments else ("--resume",)
        outcome = self._do((*deed.arguments, *more), **job)
        return outcome, self.outputs(name)

    def outputs(self, name):
        """Bytes of the outputs by name; None for one that is not there."""
        found = {output: self.folder / output for output in ALL[name].outputs}
        return {output: path.read_bytes() if path.exists() else None for output, path in found.items()}

    def wrong_outputs(self, name, before=OLD, whole=False):
        """Outputs that are neither whole as before nor whole as they should become."""
        wrong = []
        for output, content in self.outputs(name).items():
            allowed = {self.new[name][output]} | (set() if whole else {before})
            if content not in allowed and not (ALL[name].checkpoint and self._but_for_a_note(name, content)):
                wrong.append(output)
        return wrong

    def _but_for_a_note(self, name, content):
        """Whether a model is as it should become, and says besides that its checkpoint has failed."""
        if content in (None, OLD):
            return False
        notes, told = model_and_notes(content)
        _, whole = model_and_notes(self.new[name]["m.json"])
        return told == whole and any("the checkpoint could not be written" in note for note in notes)

    def left_behind(self, name):
        """Files that nobody asked for."""
        deed = ALL[name]
        asked = self.kept | set(deed.outputs) | {deed.checkpoint}
        beside = [path.name for path in self.folder.iterdir() if path.name not in asked]
        return sorted(beside + [f"temporary/{path.name}" for path in self.temporary.iterdir()])

    def unexpected_after_a_kill(self, name):
        """What is left that is no half-written output, or more of those than are written at once."""
        left, deed = self.left_behind(name), ALL[name]
        known = [match["of"] for one in left if (match := LEFT.match(one))]
        of_outputs = set(known) <= {*deed.outputs, deed.checkpoint}
        return [] if of_outputs and len(known) == len(left) <= 1 else left

    def _do(self, arguments, **job):
        words = [str(self.folder / word) if self._is_file(word) else word for word in arguments]
        return self.server.run(words, temporary=str(self.temporary), **job)

    def _is_file(self, word):
        return word in (DATA, MODEL, NUMBERS, NUMBERS_MODEL, "c") or bool(
            re.fullmatch(r"[a-z]\.(json|csv|parquet|html)", word)
        )

    def _make_ready(self, deed, before):
        for path in (*self.folder.iterdir(), *self.temporary.iterdir()):
            if path.name not in self.kept:
                path.unlink()
        for output in deed.outputs if before is not None else ():
            (self.folder / output).write_bytes(before)
        if "--resume" in deed.arguments:
            (self.folder / deed.checkpoint).write_bytes(self.begun)

    def _undisturbed(self, deed):
        # Twice, for what the first one imports is not the deed's.
        for warm in (True, False):
            self._make_ready(deed, None)
            outcome = self._do(deed.arguments, warm=warm)
            assert outcome.code == 0, outcome.err
        if deed.checkpoint and not self.begun:
            whole = (self.folder / deed.checkpoint).read_bytes()
            self.begun = whole[: 2 * len(whole) // 3]
        return {output: (self.folder / output).read_bytes() for output in deed.outputs}, outcome.seconds


def model_and_notes(content):
    """The notes of a model file, and all else in it."""
    model = json.loads(content)["model"]
    return model["facts"].pop("notes", []), model
