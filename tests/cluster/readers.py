"""Parts that workers read themselves, good and bad. Workers import this file, so it imports no test."""

import os
import signal
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaussmix.data.blocks import Block


@dataclass(frozen=True)
class Part:
    """Rows of an .npy file."""

    path: str
    feature_names: tuple[str, ...] = ("a", "b", "c")
    step: int = 300
    weighted: bool = False

    n_rows = None

    def blocks(self):
        table = np.load(self.path)
        matrix, weights = (table[:, :-1], table[:, -1]) if self.weighted else (table, None)
        for first in range(0, len(matrix), self.step):
            of_block = None if weights is None else weights[first : first + self.step]
            yield Block(matrix[first : first + self.step], of_block, first, 0.0)


@dataclass(frozen=True)
class Deadly(Part):
    """Kills the process that reads it as often as files are there to be taken: one each time."""

    armed: str = ""

    def blocks(self):
        yield next(super().blocks())
        for file in sorted(Path(self.armed).glob("*.armed")):
            file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        yield from list(super().blocks())[1:]


@dataclass(frozen=True)
class Murderous(Part):
    """Kills whoever reads it once a file is there."""

    armed: str = ""

    def blocks(self):
        if Path(self.armed, "on").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().blocks()


@dataclass(frozen=True)
class Flaky(Part):
    """Cannot be read as often as files are there to be taken."""

    armed: str = ""

    def blocks(self):
        for file in sorted(Path(self.armed).glob("*.armed")):
            file.unlink()
            raise OSError("the disk is away")
        yield from super().blocks()


@dataclass(frozen=True)
class Slow(Part):
    """Takes its time once a file is there, and leaves one each time."""

    armed: str = ""

    def blocks(self):
        if Path(self.armed, "on").exists():
            Path(self.armed, f"{uuid.uuid4().hex}.read").touch()
            time.sleep(0.3)
        yield from super().blocks()


def set_variable(name, value):
    """Set a variable of this process's environment, or remove it."""
    os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value


def set_version(version):
    """Have this process take its gaussmix for another version."""
    import gaussmix

    gaussmix.__version__ = version


def forget_gaussmix():
    """Have this process find no gaussmix."""
    sys.modules["_gaussmix"], sys.modules["gaussmix"] = sys.modules.get("gaussmix"), None


def remember_gaussmix():
    """Have it find gaussmix again."""
    found = sys.modules.pop("_gaussmix")
    sys.modules.pop("gaussmix")
    if found is not None:
        sys.modules["gaussmix"] = found
