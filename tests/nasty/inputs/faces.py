"""The ways in: Python with rows in each source, and the command line."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import gaussmix
from gaussmix import GaussianMixture
from gaussmix.cli.main import exit_code
from inputs.kinds import FILES, Answer, Fitted, Input, Refused, Table

# What the command line calls the parameters that it has.
OPTIONS = {
    "n_components": "-k",
    "covariance_type": "--covariance",
    "prior": "--prior",
    "tol": "--tol",
    "max_iter": "--max-iter",
    "n_init": "--n-init",
    "init_params": "--init",
    "random_state": "--seed",
    "weights_init": "--weights",
    "means_init": "--means",
    "covariances_init": "--variances",
    "noise": "--noise",
    "equal_weights": "--equal-weights",
}
WEIGHTS = "how often"


def written(table: Table, folder: Path, kind: str) -> tuple[Path, dict[str, Any]]:
    """A table in a file, and what `gaussmix.rows` must be told of it."""
    path, matrix = folder / f"table.{kind}", np.asarray(table.matrix)
    weights = None if table.weights is None else np.asarray(table.weights, dtype=np.float64)
    names = list(table.columns)
    if kind == "npy":
        np.save(path, matrix if weights is None else np.column_stack([matrix, weights]))
        return path, {} if weights is None else {"weights": f"x{matrix.shape[1] + 1}"}
    columns = [*matrix.T] if weights is None else [*matrix.T, weights]
    named = names if weights is None else [*names, WEIGHTS]
    if kind == "csv":
        lines = [",".join(map(_cell, values)) for values in zip(*columns, strict=True)]
        path.write_text("\n".join([",".join(named), *lines, ""]))
    else:
        pq.write_table(pa.Table.from_arrays([pa.array(column) for column in columns], names=named), path)
    return path, {} if weights is None else {"weights": WEIGHTS}


def _cell(value: Any) -> str:
    value = value.item()
    return "" if value != value else repr(value)


def holds(table: Table, source: str) -> bool:
    """Whether a source can hold a table as it is."""
    dtype = np.asarray(table.matrix).dtype
    if source.startswith("npy"):
        return table.names is None
    if source.startswith("csv"):
        # Text has the digits of 64 bits, and cells of a table without rows have no type.
        return dtype != np.float32 and dtype != np.float16
    return not (source == "memmap" and not np.asarray(table.matrix).size)


def fit_table(
    table: Table, source: str, settings: dict[str, Any], folder: Path
) -> tuple[GaussianMixture, tuple[str, ...]]:
    """Fit rows that live in a source; also what was noted of the rows."""
    if not source.startswith(FILES):
        return _fit_in_memory(table, source, settings, folder), ()
    kind, how = source.split(" ", 1)
    path, told = written(table, folder, kind)
    rows = gaussmix.rows(path, memory=0 if how == "streamed" else None, **told)
    return GaussianMixture(**settings).fit_rows(rows), rows.notes


def _fit_in_memory(table: Table, source: str, settings: dict[str, Any], folder: Path) -> GaussianMixture:
    model, matrix = GaussianMixture(**settings), np.asarray(table.matrix)
    if source == "array":
        return model.fit(matrix, sample_weight=table.weights)
    if source == "data frame":
        frame = pd.DataFrame(matrix, columns=list(table.columns))
        return model.fit(frame, sample_weight=table.weights)
    np.save(folder / "mapped.npy", matrix)
    return model.fit(np.load(folder / "mapped.npy", mmap_mode="r"), sample_weight=table.weights)


def answer_of(model: GaussianMixture, matrix: Any, said: tuple[str, ...]) -> Answer:
    """What a fitted model says."""
    mixture = model._mixture()
    # A column that was left out is not among the mixture's.
    known = matrix is not None and np.shape(matrix)[1] == mixture.n_features
    labels = mixture.labels(np.asarray(matrix, dtype=np.float64)) if known else None
    weights = np.append(mixture.weights, [] if mixture.noise is None else mixture.noise.weight)
    return Answer(weights, mixture.means, mixture.matrices, labels, model.lower_bound_, said)


def heard(
    model: GaussianMixture, caught: list[warnings.WarningMessage], notes: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """All that was warned of, noted (of the rows, too), and said of how the fit ended."""
    warned = [str(warning.message) for warning in caught]
    return (*warned, *notes, *model.summary_.notes, str(model.outcome_))


def command_line(one: Input, path: Path | str, folder: Path, more: tuple[str, ...] = ()) -> list[str] | None:
    """The arguments that ask for the same, or None if there are none."""
    if "command line" not in one.faces or not set(one.settings) <= set(OPTIONS):
        return None
    settings = {"n_components": 1, **one.settings}
    arguments = []
    for name, value in settings.items():
        option = OPTIONS[name]
        if isinstance(value, bool | np.bool_):
            if name not in ("noise", "equal_weights"):
                return None
            arguments += [option] if value else []
        elif name in ("weights_init", "means_init", "covariances_init"):
            if (text := _numbers(value)) is None:
                return None
            arguments.append(f"{option}={text}")
        else:
            arguments.append(f"{option}={'none' if value is None else value}".replace("-k=", "-k"))
    return ["fit", str(path), *arguments, "--json", "-o", str(folder / "model.json"), *more]


def _numbers(value: Any) -> str | None:
    array = np.asarray(value)
    if array.dtype.kind not in "fi" or array.ndim > 2:
        return None
    if array.ndim == 2:
        return ";".join(",".join(str(cell) for cell in line) for line in array.tolist())
    return ",".join(str(cell) for cell in np.atleast_1d(array).tolist())


def command_line_of_rows(told: dict[str, Any]) -> tuple[str, ...] | None:
    """Options for what `gaussmix.rows` is told."""
    words = []
    for name, value in told.items():
        if name == "weights":
            words.append(f"--row-weights={value}")
        elif name == "columns":
            words.append(f"--columns={','.join(value)}")
        elif name == "drop_missing":
            words.append("--drop-missing")
        else:
            return None
    return tuple(words)


def assert_refused(outcome: Refused, message: str, where: str) -> None:
    """The message says what it should, and nothing of how the program is made."""
    wanted = outcome.message
    if where != "memory" and outcome.in_files is not None:
        wanted = outcome.in_files
    if where == "command line" and outcome.on_command_line is not None:
        wanted = outcome.on_command_line
    assert re.search(wanted, message, re.DOTALL), f"{message!r} does not say {wanted!r}"


def assert_answered(outcome: Fitted, answer: Answer, table: Table | None) -> None:
    """A usable mixture, which passes the check, with no word too many or too few."""
    answer.assert_usable()
    if outcome.check is not None and answer.labels is not None:
        outcome.check(answer, table)
    if outcome.says is not None:
        assert re.search(outcome.says, "\n".join(answer.said), re.DOTALL), answer.said


def code_of(outcome: Refused) -> int:
    """The exit code of the command line."""
    return exit_code(outcome.kind("")) if outcome.code is None else outcome.code


def answer_from_command(found: Any, folder: Path, matrix: Any) -> Answer:
    """What the command line says: the model that it wrote and the JSON that it printed."""
    document = json.loads(found.out, parse_constant=_refuse)
    model = gaussmix.load(folder / "model.json")
    said = (found.err, document["outcome_sentence"], *document["notes"])
    return answer_of(model, matrix, said)


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} in JSON")


def streamed_too(path: Path | str) -> bool:
    """Whether a file can be read again and again."""
    return str(path) != "-" and (Path(path).suffix.strip(".") in FILES or Path(path).exists())
