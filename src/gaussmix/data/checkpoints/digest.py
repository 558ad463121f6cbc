"""Digests of tasks, settings and rows: by what they hold, to the last bit, and not by where they are."""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np

from gaussmix.data.blocked import BlockedRows
from gaussmix.model.covariances import CovarianceFamily

# Bytes of rows that are brought into order at a time.
CHUNK = 1 << 22
# Settings of no more letters stand in a checkpoint as they are, so that a message can show them.
SHOWN = 60


class NoDigestError(Exception):
    """Something is made of parts that no digest is known for."""


class _Hasher(Protocol):
    def update(self, data: Any, /) -> None: ...


def digest(value: Any) -> bytes:
    """SHA-256 of a value: 32 bytes, the same in every process.

    Parameters
    ----------
    value : object
        A dataclass, a named tuple, or a covariance model; arrays, numbers, text, members of enumerations;
        and tuples, lists and mappings of these.

    Raises
    ------
    NoDigestError
        If it is, or holds, anything else.
    """
    hasher = hashlib.sha256()
    _feed(hasher, value)
    return hasher.digest()


def described(settings: Any) -> dict[str, str]:
    """Settings as text by name: as they are where they are short, else their digests.

    Parameters
    ----------
    settings : dataclass, mapping or object
        One that is neither is given the name ``settings``.

    Raises
    ------
    NoDigestError
        If a part is of a kind that no digest is known for.
    """
    if is_dataclass(settings) and not isinstance(settings, type):
        parts: Mapping[Any, Any] = {field.name: getattr(settings, field.name) for field in fields(settings)}
    else:
        parts = settings if isinstance(settings, Mapping) else {"settings": settings}
    return {str(name): _in_words(part) for name, part in parts.items()}


def fingerprint_of(rows: BlockedRows) -> str:
    """What tells rows from others: their own ``fingerprint``, or SHA-256 of all numbers and weights.

    The latter takes a look at all rows. Numbers of another dtype are others, for a kernel may sum them
    otherwise.
    """
    own = getattr(rows, "fingerprint", None)
    if isinstance(own, str):
        return own
    # Two digests, so that it does not matter how rows are cut.
    of_rows, of_weights = hashlib.sha256(), hashlib.sha256()
    n_rows, dtypes = 0, ""
    for block in rows.blocks():
        matrix = block.matrix
        size = max(CHUNK // max(matrix[:1].nbytes, 1), 1)
        for first in range(0, len(matrix), size):
            of_rows.update(np.ascontiguousarray(matrix[first : first + size]).data)
        if block.weights is not None:
            of_weights.update(np.ascontiguousarray(block.weights).data)
        dtype = matrix.dtype.str + ("" if block.weights is None else " weighted")
        dtypes = dtypes if dtypes.endswith(dtype) else f"{dtypes}{n_rows} {dtype}"
        n_rows += len(matrix)
    parts = (n_rows, len(rows.feature_names), dtypes, of_rows.digest(), of_weights.digest())
    return digest(parts).hex()


def _in_words(part: Any) -> str:
    value = part.item() if isinstance(part, np.generic) else part
    if value is None or isinstance(value, bool | int | float | str):
        words = repr(value)
        if len(words) <= SHOWN:
            return words
    return f"sha256 {digest(part).hex()}"


def _feed(hasher: _Hasher, value: Any) -> None:
    """Add a value, with marks of its kind and length, so that no two values look alike."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        _mark(hasher, kind.__name__, str(value))
    elif kind is float:
        hasher.update(b"float" + struct.pack("<d", value))
    elif kind is bytes:
        _mark(hasher, "bytes", str(len(value)))
        hasher.update(value)
    elif isinstance(value, Enum | CovarianceFamily):
        _mark(hasher, _name(kind), value.name)
    elif isinstance(value, np.ndarray | np.generic):
        _feed_array(hasher, value)
    elif is_dataclass(value) and not isinstance(value, type):
        held = {field.name: getattr(value, field.name) for field in fields(value)}
        _feed_named(hasher, kind, held)
    elif isinstance(value, tuple | list):
        _mark(hasher, _name(kind), str(len(value)))
        for part in value:
            _feed(hasher, part)
    elif isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        # One mapping or another, and in any order, it says the same.
        _feed_named(hasher, dict, dict(sorted(value.items())))
    elif hasattr(value, "__array__"):
        _feed_array(hasher, np.asarray(value))
    else:
        raise NoDigestError(f"{_name(kind)} is not of a kind that a digest is known for")


def _feed_named(hasher: _Hasher, kind: type, held: Mapping[str, Any]) -> None:
    _mark(hasher, _name(kind), str(len(held)))
    for name, part in held.items():
        _mark(hasher, "name", name)
        _feed(hasher, part)


def _feed_array(hasher: _Hasher, value: Any) -> None:
    array = np.asarray(value)
    if array.dtype.kind not in "fiubc":
        raise NoDigestError(f"an array of {array.dtype} is not of numbers")
    _mark(hasher, _name(type(value)), f"{array.dtype.str} {array.shape}")
    hasher.update(array.tobytes())


def _mark(hasher: _Hasher, kind: str, text: str) -> None:
    words = f"{kind}:{text}".encode("utf-8", "surrogatepass")
    hasher.update(struct.pack("<Q", len(words)) + words)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
