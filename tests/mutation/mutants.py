"""The mutants: what mutmut's operators make of each file of `reach.MUTATED`, and which tests each is to face.

mutmut's own runner copies the project and chooses among mutants within functions at run time, which leaves
out properties and constants; here one mutated module at a time takes the place of its original (`trial.py`).
"""

import ast
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import get_ignored_lines
from tests.mutation.reach import MAP, ROOT, module_of, mutated_files


class Everywhere(MutationVisitor):
    """mutmut's visitor, but into decorated functions too, such as properties."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        skipped = super()._skip_node_and_children(node)
        return skipped and not (isinstance(node, cst.FunctionDef) and bool(node.decorators))


@dataclass(frozen=True)
class Mutant:
    """One file with one change."""

    file: str
    first: int
    last: int
    """The lines of what is changed."""
    is_word: bool
    """Whether the change is in a string: most are words that a person reads."""
    before: str
    after: str
    """The lines changed, without the space around them."""
    code: str

    @property
    def key(self) -> tuple[str, str, str]:
        """Names the mutant also when lines above it come and go."""
        return self.file, self.before, self.after

    @property
    def module(self) -> str:
        return module_of(ROOT / self.file)

    @property
    def folder(self) -> str:
        return str(Path(self.file).parent.relative_to("src/gaussmix"))


class Mutated:
    """A file and all its mutants, which are written out only when asked for."""

    def __init__(self, path: Path) -> None:
        self.file = str(path.relative_to(ROOT))
        self._code = path.read_text(encoding="utf-8")
        wrapper = MetadataWrapper(cst.parse_module(self._code))
        visitor = Everywhere(mutation_operators, get_ignored_lines(self.file, self._code, wrapper))
        self._module = wrapper.visit(visitor)
        self._changes = visitor.mutations
        self._positions: Any = wrapper.resolve(PositionProvider)

    def __len__(self) -> int:
        return len(self._changes)

    def __getitem__(self, index: int) -> Mutant:
        change = self._changes[index]
        code = self._module.deep_replace(change.original_node, change.mutated_node).code
        span = self._positions.get(change.original_node)
        before, after, first = changed_lines(self._code, code)
        return Mutant(
            self.file,
            span.start.line if span else first,
            span.end.line if span else first,
            isinstance(change.original_node, cst.SimpleString),
            before,
            after,
            code,
        )


def changed_lines(old: str, new: str) -> tuple[str, str, int]:
    """The lines that differ, before and after, and the number of the first."""
    before, after = old.splitlines(), new.splitlines()
    head = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    old_part, new_part = before[head : len(before) - tail], after[head : len(after) - tail]
    return " ".join(map(str.strip, old_part)), " ".join(map(str.strip, new_part)), head + 1


def all_mutated() -> list[Mutated]:
    """Every file that has mutants."""
    return [mutated for mutated in map(Mutated, mutated_files()) if len(mutated)]


class Reach:
    """The map that `reach.py` made."""

    def __init__(self, budget: float) -> None:
        self._budget = budget
        found = json.loads(MAP.read_text(encoding="utf-8"))
        self.seconds: dict[str, float] = found["seconds"]
        self._lines: dict[str, dict[str, list[str]]] = found["lines"]
        self._trees: dict[str, FileTree] = {}

    def tests(self, mutant: Mutant) -> dict[str, float]:
        """What reaches the change, within the budget: quick ones, and not all cases of one test."""
        places, cases = dict[str, float](), Counter[str]()
        for test in sorted(self._reaching(mutant), key=lambda test: (self.seconds[test], test)):
            cases[test.split("[")[0]] += 1
            places[test] = self.seconds[test] * cases[test.split("[")[0]]
        chosen, spent = dict[str, float](), 0.0
        for test in sorted(places, key=places.__getitem__):
            spent += self.seconds[test]
            if chosen and spent > self._budget:
                break
            chosen[test] = self.seconds[test]
        return chosen

    def _reaching(self, mutant: Mutant) -> set[str]:
        if mutant.file not in self._trees:
            self._trees[mutant.file] = FileTree((ROOT / mutant.file).read_text(encoding="utf-8"))
        tree = self._trees[mutant.file]
        for first, last in tree.ever_wider(mutant.first, mutant.last):
            if found := self._between(mutant.file, first, last):
                return found
        return set()

    def _between(self, file: str, first: int, last: int) -> set[str]:
        by_line = self._lines.get(file, {})
        return {test for line in range(first, last + 1) for test in by_line.get(str(line), ())}


class FileTree:
    """Where the functions and statements of a file are."""

    def __init__(self, code: str) -> None:
        self._tree = ast.parse(code)
        self._length = code.count("\n") + 1

    def ever_wider(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Spans of lines to look for tests in: a change's own, its statement's, or what runs because of it.

        What is evaluated on import, such as defaults and constants, may matter to whoever runs the
        function, or anything in the file.
        """
        function = self._innermost(self._functions, first)
        if function is not None and first >= function.body[0].lineno:
            yield first, last
            statement = self._innermost(self._simple_statements, first)
            if statement is not None:
                yield statement.lineno, statement.end_lineno or statement.lineno
        elif function is not None:
            yield function.body[0].lineno, function.end_lineno or self._length
        else:
            yield 1, self._length

    @cached_property
    def _functions(self) -> list[Any]:
        return [n for n in ast.walk(self._tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]

    @cached_property
    def _simple_statements(self) -> list[Any]:
        return [n for n in ast.walk(self._tree) if isinstance(n, ast.stmt) and not hasattr(n, "body")]

    @staticmethod
    def _innermost(nodes: list[Any], line: int) -> Any:
        around = [node for node in nodes if node.lineno <= line <= (node.end_lineno or node.lineno)]
        return min(around, key=lambda node: (node.end_lineno or node.lineno) - node.lineno, default=None)
