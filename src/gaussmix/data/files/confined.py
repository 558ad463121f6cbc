"""The process that reads files which nobody vouches for; `apart` begins it, and believes little of it."""

import json
import os
import sys
from typing import Any

import numpy as np
import pyarrow as pa

from gaussmix.data.files.filerows import FileRows
from gaussmix.data.files.limits import Limits
from gaussmix.data.files.opening import open_rows
from gaussmix.data.files.temporary import told_size
from gaussmix.errors import DataError


def serve(descriptor: int) -> None:
    """Answer the request in standard input: numbers to the descriptor, JSON to standard output."""
    asked = json.loads(sys.stdin.buffer.read())
    limits = Limits(**asked["limits"])
    limits.apply()
    paths = asked["paths"]
    files = paths[0] if len(paths) == 1 else f"{len(paths)} files"
    try:
        answer = _read(asked, descriptor)
    except DataError as error:
        # What is said of the disk names no file.
        named = any(path in str(error) for path in paths)
        answer = {"error": str(error) if named else f"{files}: {error}"}
    except (MemoryError, pa.ArrowMemoryError):
        answer = {
            "error": f"{files}: cannot be read in {told_size(limits.memory)} of memory, the limit of files "
            "that nobody vouches for"
        }
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    # Threads of decoders may hang in a file that was made for it.
    os._exit(0)


def _read(asked: dict[str, Any], descriptor: int) -> dict[str, Any]:
    rows = open_rows(asked["paths"], columns=asked["columns"], weights=asked["weights"], memory=0)
    assert isinstance(rows, FileRows)
    places, end = [], 0
    for part in rows.parts:
        of_part = []
        for chunk in part.chunks():
            table = np.array(chunk, dtype=np.float64)
            if table.shape[1] == 0:
                continue
            rest = table.data.cast("B")
            of_part.append((end, table.shape[1]))
            end += len(rest)
            while len(rest):
                try:
                    rest = rest[os.write(descriptor, rest) :]
                except OSError as error:
                    raise DataError(
                        f"{part.path}: its numbers cannot be kept in a temporary file of "
                        f"{told_size(end)} ({error.strerror})"
                    ) from error
        places.append((part.path, of_part))
    layout = rows.layout
    return {
        "names": layout.names,
        "single": layout.single,
        "whole": layout.whole,
        "notes": rows.notes,
        "places": places,
    }
