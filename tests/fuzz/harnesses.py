"""What is fuzzed: bytes in, and success or an error of gaussmix out; anything else is a defect.

`python -m tests.fuzz.harnesses csv --seconds 600` runs one for long, by atheris where it is installed
(guided by what the bytes reach in gaussmix) and by Hypothesis otherwise. Findings are kept in `--findings`.
"""

import argparse
import contextlib
import importlib.util
import inspect
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FunctionType

import click
import numpy as np

from gaussmix.cli.fit import fit
from gaussmix.cli.options import settings_from
from gaussmix.data.files.opening import open_rows
from gaussmix.data.files.room import size_of
from gaussmix.data.files.tables import read_table
from gaussmix.errors import GaussmixError
from gaussmix.learning.settings import checked_start
from gaussmix.modelfile import load_model, save_model

CORPUS = Path(__file__).parent / "corpus"
# Where atheris is to follow: none of it is as slow under its eye as the libraries are.
FOLLOWED = ("gaussmix.modelfile", "gaussmix.modelfacts", "gaussmix.data.files", "gaussmix.cli")
LARGEST_INPUT = 4096
# A fit is not what is fuzzed here.
FEW_COMPONENTS = 8

_FOLDER = tempfile.TemporaryDirectory(prefix="gaussmix-fuzz-")
_FILE = Path(_FOLDER.name) / "input"


def model(data: bytes) -> None:
    """A model file; one that is read is a mixture that can be used, and saved again."""
    _FILE.write_bytes(_sealed(data))
    try:
        saved = load_model(_FILE)
    except GaussmixError:
        return
    mixture = saved.mixture
    assert np.isfinite(mixture.shares(mixture.means)).all()
    again = _FILE.with_suffix(".again")
    save_model(saved, again)
    assert load_model(again).mixture.covariances.tobytes() == mixture.covariances.tobytes()


def _sealed(data: bytes) -> bytes:
    """The bytes with the right checksum, if all that they lack is that: else nothing gets past it."""
    from gaussmix.modelfile import _checksum

    try:
        document = json.loads(data)
        if document["checksum"] == "sealed":
            document["checksum"] = _checksum(document["model"])
            return json.dumps(document).encode()
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return data


def csv(data: bytes) -> None:
    """A table of text, read whole and in blocks: what both read is the same."""
    if not data:
        return
    # The first byte says how it is read; files that are not text are other harnesses' to make.
    drop, spool, content = bool(data[0] & 1), bool(data[0] & 2), data[1:]
    _FILE.write_bytes(content)
    whole = streamed = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(GaussmixError):
            whole = read_table(str(_FILE), drop_missing=drop)
        with contextlib.suppress(GaussmixError):
            rows = open_rows(str(_FILE), drop_missing=drop, memory=0, spool=spool)
            # Both refuse the same tables, but for widths and weights that only rows look at.
            streamed = np.concatenate([np.array(tile) for tile, _ in rows.tiles()])
    if whole is not None:
        assert whole.matrix.shape[1] == len(whole.feature_names)
        assert np.isfinite(whole.matrix).all()
    if whole is not None and streamed is not None:
        np.testing.assert_array_equal(streamed, whole.matrix)


OPTIONS = ("--means", "--variances", "--weights", "--columns", "-k", "--memory", "--covariance", "--n-init")


def options(data: bytes) -> None:
    """The text of options that say where a fit starts: one a line, in the order of `OPTIONS`."""
    texts = data.decode("utf-8", "replace").split("\n")
    given = {name: text for name, text in zip(OPTIONS, texts, strict=False) if text}
    if (memory := given.pop("--memory", None)) is not None:
        with contextlib.suppress(GaussmixError):
            assert size_of(memory) >= 0
    arguments = [part for pair in given.items() for part in pair]
    with contextlib.suppress(GaussmixError, click.UsageError):
        context = fit.make_context("fit", ["no.csv", *arguments])
        settings = settings_from(context.params)
        if settings.n_components <= FEW_COMPONENTS:
            for n_features in (1, 2, 3):
                with contextlib.suppress(GaussmixError):
                    checked_start(settings, n_features)


HARNESSES: dict[str, Callable[[bytes], None]] = {"model": model, "csv": csv, "options": options}


def seeds_of(name: str) -> list[Path]:
    """The kept inputs of a harness."""
    return sorted(path for path in (CORPUS / name).iterdir() if path.is_file())


def by_atheris(name: str, seconds: int, seed: int, findings: Path) -> None:
    """Run for so many seconds, guided; the process ends here, with 0 if nothing was found."""
    import atheris

    found = findings / name
    found.mkdir(parents=True, exist_ok=True)
    for function in _functions():
        atheris.instrument_func(function)
    began, n_inputs = time.monotonic(), 0

    def run(data: bytes) -> None:
        nonlocal n_inputs
        if time.monotonic() - began > seconds:
            print(f"{name}: {n_inputs} inputs, nothing found", flush=True)  # noqa: T201
            # Not by way of libFuzzer, which waits for other libraries' threads.
            os._exit(0)
        HARNESSES[name](data)
        n_inputs += 1

    # New inputs that reach new places go to the first folder.
    grown = found / "grown"
    grown.mkdir(exist_ok=True)
    limits = [f"-seed={seed}", f"-max_len={LARGEST_INPUT}", "-timeout=60", "-rss_limit_mb=4096"]
    arguments = [sys.argv[0], *limits, f"-artifact_prefix={found}/", "-verbosity=0"]
    atheris.Setup([*arguments, str(grown), str(CORPUS / name)], run)
    atheris.Fuzz()


def _functions() -> list[FunctionType]:
    """All functions and methods of the modules that atheris is to follow."""
    found: dict[int, FunctionType] = {}
    modules = [m for n, m in list(sys.modules.items()) if n.startswith(FOLLOWED) and m is not None]
    for module in modules:
        owners = [module, *(c for c in vars(module).values() if isinstance(c, type))]
        for owner in owners:
            for thing in list(vars(owner).values()):
                inner = getattr(thing, "fget", None) or getattr(thing, "__func__", None) or thing
                inner = inspect.unwrap(inner) if callable(inner) else inner
                if isinstance(inner, FunctionType) and inner.__module__.startswith(FOLLOWED):
                    found[id(inner)] = inner
    return list(found.values())


def by_hypothesis(name: str, n_examples: int, seed: int) -> None:
    """Run on so many inputs, made of pieces of the kept ones."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import seed as seeded
    from hypothesis import strategies as st

    kept = [path.read_bytes() for path in seeds_of(name)]
    pieces = st.sampled_from(kept) if kept else st.binary()
    cut = st.tuples(pieces, st.integers(0, LARGEST_INPUT), st.binary(max_size=12), st.integers(0, 40))
    mixed = cut.map(lambda c: c[0][: c[1]] + c[2] + c[0][c[1] + c[3] :])

    @seeded(seed)
    @settings(max_examples=n_examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(mixed, st.binary(max_size=200)))
    def run(data: bytes) -> None:
        HARNESSES[name](data)

    run()


def main() -> None:
    """Fuzz one harness."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("harness", choices=HARNESSES)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"))
    asked = parser.parse_args()
    if importlib.util.find_spec("atheris") is not None:
        by_atheris(asked.harness, asked.seconds, asked.seed, asked.findings)
    else:
        # About as many as fit into the time.
        by_hypothesis(asked.harness, 100 * asked.seconds, asked.seed)


if __name__ == "__main__":
    main()
