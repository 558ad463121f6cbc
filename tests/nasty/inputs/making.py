"""How files are made that are hard to read."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gaussmix.errors import DataError
from inputs.kinds import Check, Fitted, Input, refuses
from inputs.rowsets import normal, two_groups

Made = Callable[[Path], Path | str]
BOTH = ("python", "command line")
PLAIN = "a,b\n1.5,20\n2.5,30.25\n-3,4e1\n0.5,7\n2,9\n"


def content(data: str | bytes, name: str = "table.csv") -> Made:
    """A file of these bytes."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return make


def parquet(columns: Callable[[], object], name: str = "table.parquet", **how: object) -> Made:
    """A Parquet file of these columns."""

    def make(folder: Path) -> Path:
        made = columns()
        pq.write_table(made if isinstance(made, pa.Table) else pa.table(made), folder / name, **how)
        return folder / name

    return make


def array(made: Callable[[], object], name: str = "table.npy") -> Made:
    """An .npy file."""

    def make(folder: Path) -> Path:
        np.save(folder / name, made(), allow_pickle=True)
        return folder / name

    return make


def named(name: str, data: str = PLAIN) -> Made:
    """A file with a hostile name, in a folder that is entered first: the name is all that is given."""

    def make(folder: Path) -> str:
        (folder / name).write_text(data)
        return name

    return make


def bad(
    number: str,
    name: str,
    file: Made,
    message: str,
    on_command_line: str | None = None,
    no_answer: bool = True,
    right: Check | None = None,
    **more: object,
) -> Input:
    """A file that is refused."""
    outcome = refuses(DataError, message, on_command_line=on_command_line, no_answer=no_answer, right=right)
    return Input(number, name, outcome, file=file, **more)


def good(number: str, name: str, file: Made, says: str | None = None, **more: object) -> Input:
    """A file that is read."""
    return Input(number, name, Fitted(None, says), file=file, **more)


def far_down(folder: Path) -> Path:
    path = folder / "long.csv"
    path.write_bytes(b"a\n" + b"1.5\n2.5\n" * 5_000_000 + b"oops\n")
    return path


def line_of_4_gb(start: bytes) -> Made:
    def make(folder: Path) -> Path:
        path = folder / "line.csv"
        with path.open("wb") as file:
            file.write(start)
            # A hole: it takes no room on the disk, and is read as bytes of zero.
            file.truncate(1 << 32)
        return path

    return make


def long_line(folder: Path) -> Path:
    path = folder / "line.csv"
    path.write_bytes(b"a,b\n1,2\n" + b"1" * (24 << 20) + b",2\n")
    return path


def shards(*tables: dict[str, object]) -> Made:
    def make(folder: Path) -> Path:
        (folder / "shards").mkdir()
        for i, columns in enumerate(tables, 1):
            pq.write_table(pa.table(columns), folder / "shards" / f"{i}.parquet")
        return folder / "shards"

    return make


def cut(make: Made, by: int) -> Made:
    def made(folder: Path) -> Path:
        path = Path(make(folder))
        path.write_bytes(path.read_bytes()[:-by])
        return path

    return made


def patched(make: Made, old: bytes, new: bytes) -> Made:
    def made(folder: Path) -> Path:
        path = Path(make(folder))
        changed = path.read_bytes().replace(old, new, 1)
        assert changed != path.read_bytes()
        path.write_bytes(changed)
        return path

    return made


def empty_groups(folder: Path) -> Path:
    path = folder / "groups.parquet"
    schema = pa.schema([("a", pa.float64()), ("b", pa.float64())])
    with pq.ParquetWriter(path, schema) as writer:
        for some in (normal(20), normal(0), normal(30, seed=1), normal(0)):
            writer.write_table(pa.table({"a": some[:, 0], "b": some[:, 1]}, schema=schema))
    return path


def unreadable(folder: Path) -> Path:
    path = folder / "secret.csv"
    path.write_text(PLAIN)
    path.chmod(0)
    return path


def loop(folder: Path) -> Path:
    path = folder / "loop.csv"
    path.symlink_to(path)
    return path


def zip_archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "table.zip", "w") as archive:
        archive.writestr("table.csv", PLAIN)
    return folder / "table.zip"


def wide(count: int) -> Made:
    def make(folder: Path) -> Path:
        path = folder / "wide.csv"
        lines = [",".join(f"c{j}" for j in range(count))]
        lines += [",".join("123"[(i + j * j) % 3] for j in range(count)) for i in range(4)]
        path.write_text("\n".join(lines) + "\n")
        return path

    return make


def two_columns() -> dict[str, object]:
    rows = two_groups(60)
    return {"a": rows[:, 0], "b": rows[:, 1]}


def nested() -> dict[str, object]:
    return {
        **two_columns(),
        "list": [[1.0]] * 60,
        "parts": [{"c": 1}] * 60,
        "word": pa.array(["x", "y"] * 30).dictionary_encode(),
    }


TEXT_MISSING = "row 2, column 'b' is missing.*--drop-missing"


def empty_folder(folder: Path) -> Path:
    """A folder that holds nothing."""
    (folder / "empty").mkdir()
    return folder / "empty"
