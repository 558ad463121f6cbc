"""Results of passes as bytes and back, to the last bit: text that says what there is, then plain numbers.

Nothing that is read is ever run, and no size is believed before it has been compared with what there is.
"""

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.tasks import Distinct, Drawn, Extent, Totals
from gaussmix.kernels.contract import Precision, ScatterKind, Sums
from gaussmix.model.statistics import SufficientStatistics

# Larger results are not kept: a sample of all that a search looks at has 17 MB, sums of 128 components
# in 256 features have 67 MB, half of which is a mirror of the other half.
LARGEST_RESULT = 64 * 1024 * 1024
LARGEST_TEXT = 1024 * 1024
MOST_DIMENSIONS = 8
_DTYPES = {np.dtype(name).str for name in ("f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?")}
_LENGTH = struct.Struct("<I")

T = TypeVar("T")


class NotEncodableError(Exception):
    """A result is of a type that nobody has registered, or too large."""


class NotDecodableError(Exception):
    """Bytes are not those of a result that this version knows."""


_TAKEN_APART: dict[type, Callable[[Any], Mapping[str, Any]]] = {}
_PUT_TOGETHER: dict[str, Callable[..., Any]] = {}
_MEMBERS: dict[str, type[Enum]] = {}


def register(
    kind: type[T],
    take_apart: Callable[[T], Mapping[str, Any]] | None = None,
    put_together: Callable[..., T] | None = None,
) -> type[T]:
    """Make results of a type known, so that checkpoints can hold them.

    Parameters
    ----------
    kind : type
        Of the results; also of anything that they hold. An enumeration needs no more than this.
    take_apart : callable, optional
        Gives the parts of a result by name: arrays, numbers, text, None, registered types, and tuples
        and lists of these. By default the fields of a dataclass or a named tuple.
    put_together : callable, optional
        Makes a result of these, given by name; by default the type itself.

    Returns
    -------
    type
        The type, so that this may stand above a class.

    Raises
    ------
    TypeError
        If it is no dataclass, named tuple or enumeration, and nothing is said of how to take it apart.
    """
    if issubclass(kind, Enum):
        _MEMBERS[_name(kind)] = kind
        return kind
    if take_apart is None:
        names = [field.name for field in fields(kind)] if is_dataclass(kind) else getattr(kind, "_fields", ())
        if not names:
            raise TypeError(f"{kind.__qualname__} is no dataclass: say how to take it apart")
        take_apart = _by_attributes(tuple(names))
    _TAKEN_APART[kind] = take_apart
    _PUT_TOGETHER[_name(kind)] = kind if put_together is None else put_together
    return kind


def encoded(value: Any) -> bytes:
    """A result as bytes.

    Raises
    ------
    NotEncodableError
        If it holds something unregistered, or is larger than ``LARGEST_RESULT``.
    """
    arrays: list[bytes] = []
    table: list[Any] = []
    text = json.dumps({"value": _written(value, arrays, table), "arrays": table}).encode()
    if len(text) > LARGEST_TEXT or sum(map(len, arrays)) > LARGEST_RESULT:
        raise NotEncodableError(f"a {type(value).__name__} is too large")
    return b"".join([_LENGTH.pack(len(text)), text, *arrays])


def decoded(raw: bytes) -> Any:
    """The result that bytes were made of.

    Raises
    ------
    NotDecodableError
        If they were not made by ``encoded``, or of a type that is not registered here.
    """
    try:
        document, rest = text_and_rest(raw)
        arrays, used = [], 0
        for entry in document["arrays"]:
            array, size = _read_array(entry, rest[used:])
            arrays.append(array)
            used += size
        if used != len(rest):
            raise NotDecodableError(f"{len(rest) - used} bytes belong to nothing")
        return _read(document["value"], arrays)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise NotDecodableError(f"not a result of a pass: {error}") from error


def with_text(document: Mapping[str, Any], rest: bytes) -> bytes:
    """A JSON object, its length before it, and bytes after it."""
    text = json.dumps(document).encode()
    return b"".join([_LENGTH.pack(len(text)), text, rest])


def text_and_rest(raw: bytes) -> tuple[dict[str, Any], memoryview]:
    """The JSON object that bytes begin with, and what comes after it.

    Raises
    ------
    ValueError
        If they do not.
    """
    if len(raw) < _LENGTH.size:
        raise ValueError("too short")
    (length,) = _LENGTH.unpack_from(raw)
    end = _LENGTH.size + length
    if length > LARGEST_TEXT or end > len(raw):
        raise ValueError("a length that cannot be")
    document = json.loads(bytes(raw[_LENGTH.size : end]))
    if not isinstance(document, dict):
        raise ValueError("no object")
    return document, memoryview(raw)[end:]


def _written(value: Any, arrays: list[bytes], table: list[Any]) -> Any:
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return {"float": value.hex()}
    if kind in (tuple, list):
        return {kind.__name__: [_written(part, arrays, table) for part in value]}
    if isinstance(value, np.ndarray | np.generic):
        _write_array(value, arrays, table)
        return {"array" if kind is np.ndarray else "scalar": len(arrays) - 1}
    if _MEMBERS.get(_name(kind)) is kind:
        return {"member": [_name(kind), value.name]}
    if (take_apart := _TAKEN_APART.get(kind)) is not None:
        held = take_apart(value)
        return {
            "type": _name(kind),
            "parts": {name: _written(part, arrays, table) for name, part in held.items()},
        }
    raise NotEncodableError(f"{_name(kind)} is not registered")


def _read(tree: Any, arrays: list[NDArray[Any]]) -> Any:
    if tree is None or isinstance(tree, bool | int | str):
        return tree
    if "parts" in tree:
        parts = {name: _read(part, arrays) for name, part in tree["parts"].items()}
        return _PUT_TOGETHER[tree["type"]](**parts)
    ((kind, held),) = tree.items()
    if kind == "float":
        return float.fromhex(held)
    if kind == "array":
        return arrays[held]
    if kind == "scalar":
        return arrays[held][()]
    if kind == "member":
        return _MEMBERS[held[0]][held[1]]
    if kind not in ("tuple", "list"):
        raise NotDecodableError(f"{kind!r} is of no kind that is known")
    found = [_read(part, arrays) for part in held]
    return tuple(found) if kind == "tuple" else found


def _write_array(value: Any, arrays: list[bytes], table: list[Any]) -> None:
    """Add the bytes of an array, in the order in which they lie: sums may be taken in that order later."""
    array = np.asarray(value)
    flags = array.flags
    # A subclass of arrays would not come back as what it was.
    plain = type(value) is np.ndarray or isinstance(value, np.generic)
    if not plain or array.dtype.str not in _DTYPES or not (flags.c_contiguous or flags.f_contiguous):
        raise NotEncodableError(f"an array of {array.dtype} that does not lie in one piece")
    order = "C" if flags.c_contiguous else "F"
    if order == "C" and _symmetric(array):
        order = "U"
        raw = array[(..., *np.triu_indices(array.shape[-1]))].tobytes()
    else:
        raw = array.tobytes(order="A")
    if sum(map(len, arrays)) + len(raw) > LARGEST_RESULT:
        raise NotEncodableError(f"an array of shape {array.shape} is too large")
    table.append([array.dtype.str, list(array.shape), order])
    arrays.append(raw)


def _read_array(entry: Any, raw: memoryview) -> tuple[NDArray[Any], int]:
    """An array of its own memory, and how many bytes it was made of."""
    name, shape, order = entry
    if name not in _DTYPES or order not in ("C", "F", "U") or len(shape) > MOST_DIMENSIONS:
        raise NotDecodableError(f"no array is {entry!r:.80}")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise NotDecodableError(f"no array has shape {shape!r:.80}")
    dtype = np.dtype(name)
    stored = shape
    if order == "U":
        if len(shape) < 2 or shape[-1] != shape[-2] or 0 in shape:
            raise NotDecodableError(f"no symmetric matrices have shape {shape!r:.80}")
        stored = [*shape[:-2], shape[-1] * (shape[-1] + 1) // 2]
    size = math.prod(stored) * dtype.itemsize
    # A square is at most twice its triangle, so that nothing large is made of little.
    if size > len(raw):
        raise NotDecodableError("an array is longer than what there is")
    flat = np.frombuffer(raw[:size], dtype)
    if order != "U":
        return flat.reshape(stored, order=order).copy(order=order), size
    rows, columns = np.triu_indices(shape[-1])
    array = np.empty(shape, dtype)
    array[..., rows, columns] = array[..., columns, rows] = flat.reshape(stored)
    return array, size


def _symmetric(array: NDArray[Any]) -> bool:
    """Whether it is made of square matrices that are their own mirrors, to the last bit."""
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or array.dtype.itemsize != 8 or not array.size:
        return False
    bits = array.view(np.int64)
    return np.array_equal(bits, bits.swapaxes(-1, -2))


def _by_attributes(names: tuple[str, ...]) -> Callable[[Any], Mapping[str, Any]]:
    return lambda value: {name: getattr(value, name) for name in names}


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


for _known in (SufficientStatistics, Sums, ScatterKind, Precision, Extent, Drawn, Distinct, Totals):
    register(_known)
