"""One mutant before its tests, in a fork of a process that has imported what is slow to import."""

import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

# As conftest.py has it, and no threads that a fork would lose; all before NumPy and SciPy are imported.
os.environ |= {"SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import hypothesis
import matplotlib as mpl
import pandas as pd
import pyarrow.parquet
import pytest
import scipy.optimize
import scipy.stats
import sklearn.mixture
from tests.mutation.mutants import Mutant
from tests.mutation.reach import QUIETLY, ROOT, FewExamples

PRELOADED = (hypothesis, mpl, pd, pyarrow.parquet, scipy.optimize, scipy.stats, sklearn.mixture)
# A trial may last as long as its tests did, so many times, and so many seconds more.
PATIENCE, GRACE = 5.0, 30.0
# So many tests go first, as it takes long to import all files of tests.
FIRST = 12
MEMORY = 6 * 1024**3
# A trial that is not late ends with one of pytest's exit codes (3 and 4: it did not get to the tests) or with
# a signal, where the compiled kernel was given what it cannot bear.
STATES = {None: "timed out", 0: "survived", 3: "broken", 4: "broken", 5: "no tests"}


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant."""

    state: str
    """"killed", or one of `STATES`."""
    by: str
    """The test that failed first; all those that failed when there was no mutant."""
    seconds: float
    tests: int


class Planted(MetaPathFinder, Loader):
    """Has one module made of the mutant's code."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != self._mutant.module:
            return None
        return spec_from_file_location(name, ROOT / self._mutant.file, loader=self)

    def exec_module(self, module: Any) -> None:
        path = str(ROOT / self._mutant.file)
        exec(compile(self._mutant.code, path, "exec", dont_inherit=True), module.__dict__)


class Chosen(FewExamples):
    """Only these tests, the quick ones first, about equally quick ones of a file together; notes failures."""

    def __init__(self, seconds: dict[str, float], failures: Path) -> None:
        self._seconds = seconds
        self._failures = failures

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        super().pytest_collection_modifyitems(items)
        items[:] = [item for item in items if item.nodeid in self._seconds]
        items.sort(key=self._place)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            with self._failures.open("a") as file:
                file.write(report.nodeid + "\n")

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            with self._failures.open("a") as file:
                file.write(f"(on import) {report.nodeid}\n")

    def _place(self, item: Any) -> tuple[int, str, float]:
        seconds = self._seconds[item.nodeid]
        rank = sum(seconds > limit for limit in (0.05, 0.5, 3.0))
        return rank, item.nodeid.split("::")[0], seconds


class Trial:
    """A child process at work."""

    def __init__(self, mutant: Mutant | None, seconds: dict[str, float]) -> None:
        self.mutant = mutant
        self._tests = len(seconds)
        self._begin = time.monotonic()
        self._deadline = self._begin + PATIENCE * sum(seconds.values()) + GRACE
        self._folder = tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True)
        self._failures = Path(self._folder.name) / "failures"
        self._pid = os.fork()
        if self._pid == 0:
            self._run(seconds)

    def outcome(self) -> Outcome | None:
        """None while it runs."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        late = time.monotonic() > self._deadline
        if pid == 0 and not late:
            return None
        if pid == 0:
            os.killpg(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        code = None if pid == 0 else os.waitstatus_to_exitcode(status)
        by = self._failures.read_text().split("\n") if self._failures.exists() else []
        self._folder.cleanup()
        state = STATES.get(code, "killed")
        if state == "killed" and not by:
            by = [f"(exit code {code})"]
        return Outcome(state, " ".join(filter(None, by)), time.monotonic() - self._begin, self._tests)

    def _run(self, seconds: dict[str, float]) -> None:
        """In the child: never returns."""
        code = 3
        try:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nowhere, stream)
            os.chdir(ROOT)
            os.environ["TMPDIR"] = tempfile.tempdir = self._folder.name
            stops = []
            if self.mutant is not None:
                sys.meta_path.insert(0, Planted(self.mutant))
                stops = ["-x"]
            first = set(list(seconds)[:FIRST])
            for part in (first, set(seconds) - first):
                files = sorted({test.split("::")[0] for test in part})
                chosen = Chosen({test: seconds[test] for test in part}, self._failures)
                code = int(pytest.main([*QUIETLY, *stops, *files], plugins=[chosen])) if part else code
                if code != 0:
                    break
        finally:
            os._exit(code)


def outcomes(
    cases: Iterable[tuple[Mutant | None, dict[str, float]]], jobs: int
) -> Iterator[tuple[Mutant | None, Outcome]]:
    """Each mutant's outcome as it comes, so many at a time."""
    waiting, running = iter(cases), list[Trial]()
    exhausted = False
    while running or not exhausted:
        while len(running) < jobs and not exhausted:
            case = next(waiting, None)
            if case is None:
                exhausted = True
            elif case[1]:
                running.append(Trial(*case))
            else:
                yield case[0], Outcome("no tests", "", 0.0, 0)
        for trial in list(running):
            if (outcome := trial.outcome()) is not None:
                running.remove(trial)
                yield trial.mutant, outcome
        time.sleep(0.02)
