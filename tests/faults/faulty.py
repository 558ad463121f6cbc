"""The shim and its server, and what to ask of a command after a fault."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
# As in shim.c.
OPEN, READ, WRITE, SYNC, NAME, CLOSE, CHANGE, MAP, MEMORY, THREAD = (1 << i for i in range(10))
ON_FILES = OPEN | READ | WRITE | SYNC | NAME | CLOSE | CHANGE
KILL_BEFORE, KILL_AFTER, HALF, NOTHING = -1, -2, -3, 0
# Done, usage, data, fit failed, bad model file.
OURS = (0, 2, 3, 4, 5)
# Faults that came, by their kinds, and processes that other libraries have ended.
CAME, ENDED = Counter(), Counter()
COMPILER = shutil.which(os.environ.get("CC", "cc"))


@dataclass(frozen=True)
class Outcome:
    """What came of a job."""

    code: int
    out: str
    err: str
    met: bool | None
    """Whether the fault came; None if the process was killed."""
    counted: int
    where: str
    hung: bool
    seconds: float

    @property
    def sentence(self):
        """What a command that failed says last."""
        lines = [line for line in self.err.splitlines() if line.startswith("gaussmix: ")]
        return lines[-1] if lines else ""


class Server:
    """Runs the command line in forked processes, with faults."""

    def __init__(self, folder):
        library = folder / "shim.so"
        subprocess.run(
            [COMPILER, "-O1", "-shared", "-fPIC", "-o", library, HERE / "shim.c", "-ldl"], check=True
        )
        threads = ("GAUSSMIX_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = {
            **os.environ,
            **dict.fromkeys(threads, "1"),
            "LD_PRELOAD": str(library),
            # Arrow's memory is then asked for where all other is.
            "ARROW_DEFAULT_MEMORY_POOL": "system",
        }
        self._process = subprocess.Popen(
            [sys.executable, HERE / "server.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def together(self, jobs):
        """Outcomes of jobs that begin at once."""
        self._process.stdin.write(json.dumps(jobs) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the server ended with {self._process.poll()}"
        answers = json.loads(line)
        outcomes = [Outcome(**{"counted": 0, "where": "", **answer}) for answer in answers]
        CAME.update(filter(None, map(fault_that_came, jobs, outcomes)))
        return outcomes

    def run(self, arguments, **fault):
        """The outcome of one."""
        return self.together([{"arguments": [str(one) for one in arguments], **fault}])[0]

    def close(self):
        """End it, and whatever it has begun."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=60)


def fault(folder, kinds, nth, action, *, stays=False, smallest=0):
    """The n-th call of these kinds below a folder ends in an error, and all after it where it stays."""
    return {
        "folder": str(folder),
        "kinds": kinds,
        "nth": nth,
        "action": action,
        "stays": stays,
        "smallest": smallest,
    }


def fault_that_came(job, outcome):
    """In a word; empty if none did."""
    if limits := [name for name in ("AS", "NOFILE", "FSIZE", "bound") if name in job]:
        word = {"AS": "limit on memory", "bound": "no right to write"}.get(limits[0], "limit on files")
        return word if outcome.code or outcome.met else ""
    if "kill_after" in job:
        return "killed at random" if outcome.code == -9 else ""
    if "kinds" not in job or outcome.met is False:
        return ""
    return {errno.ENOMEM: "no memory", errno.EAGAIN: "no thread"}.get(job["action"]) or named(job["action"])


def named(action):
    """An action in a word."""
    words = {KILL_BEFORE: "killed before", KILL_AFTER: "killed after", HALF: "cut in half"}
    return words.get(action) or errno.errorcode[action]


def well_told(outcome, err=None):
    """What is wrong with how a command ended, and with what it has said; empty if nothing is."""
    err = outcome.err if err is None else err
    if outcome.hung:
        return "hangs"
    if outcome.code not in OURS:
        return f"exit code {outcome.code}: {err[-1500:]}"
    if re.search(r"Traceback|Exception ignored|terminate called|\bat 0x", err):
        return f"not for people: {err[-1500:]}"
    said = [line for line in err.splitlines() if line.startswith("gaussmix: ")]
    if outcome.code and not (len(said) == 1 and err.rstrip().endswith(said[0])):
        return f"no one sentence: {err[-1500:]!r}"
    return ""
