# ruff: noqa: T201
"""Which test reaches which line, and how long it takes: `python -m tests.mutation.reach [FILE ...]`.

Runs the tests of `TESTS` (or of these files only, whose entries are then renewed) once under coverage and
writes `build/mutation/reach.json`. A test that fails, or takes longer than `LONGEST`, is left out.
"""

import json
import signal
import sys
import time
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import coverage

ROOT = Path(__file__).parents[2]
MAP = ROOT / "build" / "mutation" / "reach.json"
MUTATED = ("src/gaussmix/learning", "src/gaussmix/model")
TESTS = (
    *("tests/properties", "tests/oracle", "tests/contract", "tests/estimator", "tests/cli"),
    *(f"tests/nasty/test_{name}.py" for name in ("inputs", "model_requests", "numbers")),
)
# Seconds that a test may take, and examples that a property may try.
LONGEST, EXAMPLES = 15, 25
QUIETLY = (
    "-q",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "--no-header",
    "--tb=no",
    "-o",
    "addopts=",
)


class TookTooLong(BaseException):
    """Not an Exception, for no test to swallow it."""


class FewExamples:
    """A plugin that has properties try few examples."""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        for item in items:
            asked = getattr(getattr(item, "obj", None), "_hypothesis_internal_use_settings", None)
            if asked is not None and asked.max_examples > EXAMPLES:
                fewer = type(asked)(asked, max_examples=EXAMPLES)
                getattr(item.obj, "__func__", item.obj)._hypothesis_internal_use_settings = fewer


class Watch(FewExamples):
    """A plugin that gives each test a context of its own in what coverage records, and takes its time."""

    def __init__(self, covered: coverage.Coverage) -> None:
        self.seconds: dict[str, float] = {}
        self._covered = covered

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        self._covered.switch_context(item.nodeid)
        signal.signal(signal.SIGALRM, self._ring)
        signal.alarm(LONGEST)
        begin = time.perf_counter()
        self.seconds[item.nodeid] = 0.0
        try:
            return (yield)
        finally:
            signal.alarm(0)
            if item.nodeid in self.seconds:
                self.seconds[item.nodeid] = time.perf_counter() - begin
            self._covered.switch_context("")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if not report.passed:
            self.seconds.pop(report.nodeid, None)
            print(report.outcome, report.nodeid, flush=True)

    @staticmethod
    def _ring(_: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_globals.get("__name__", "").startswith("coverage."):
            # It holds a lock there, which nobody would open.
            signal.alarm(1)
            return
        raise TookTooLong


def mutated_files() -> list[Path]:
    """All files that mutants are made of."""
    return sorted(file for folder in MUTATED for file in (ROOT / folder).rglob("*.py"))


def module_of(file: Path) -> str:
    """The name that a file is imported by."""
    parts = file.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def reach(paths: Iterable[str]) -> dict[str, Any]:
    """``{"seconds": {test: s}, "lines": {file: {line: [test, ...]}}}`` of the tests under these paths."""
    covered = coverage.Coverage(
        data_file=None, config_file=False, include=[f"{ROOT / folder}/*" for folder in MUTATED]
    )
    watch = Watch(covered)
    covered.start()
    for file in mutated_files():  # so that no test is the one that imports a module
        import_module(module_of(file))
    pytest.main([*QUIETLY, *paths], plugins=[watch])
    covered.stop()
    data = covered.get_data()
    lines = {
        str(Path(file).relative_to(ROOT)): {
            str(line): sorted(set(tests) & set(watch.seconds))
            for line, tests in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }
    return {"seconds": watch.seconds, "lines": lines}


def renewed(old: dict[str, Any], new: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """The old map with these test files' entries replaced by the new ones."""
    gone = {test for test in old["seconds"] if test.split("::")[0] in set(paths)}
    seconds = {test: s for test, s in old["seconds"].items() if test not in gone} | new["seconds"]
    lines: dict[str, dict[str, list[str]]] = {}
    for part in (old["lines"], new["lines"]):
        for file, by_line in part.items():
            for line, tests in by_line.items():
                lines.setdefault(file, {}).setdefault(line, []).extend(t for t in tests if t in seconds)
    return {
        "seconds": seconds,
        "lines": {f: {n: sorted(set(t)) for n, t in by_line.items()} for f, by_line in lines.items()},
    }


def main(paths: list[str]) -> None:
    """Make the map, or renew some test files' part of it."""
    found = reach(paths or TESTS)
    if paths and MAP.exists():
        found = renewed(json.loads(MAP.read_text(encoding="utf-8")), found, paths)
    MAP.parent.mkdir(parents=True, exist_ok=True)
    MAP.write_text(json.dumps(found), encoding="utf-8")
    print(f"{len(found['seconds'])} tests, {sum(found['seconds'].values()):.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
