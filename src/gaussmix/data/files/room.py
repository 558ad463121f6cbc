"""How much memory there is for rows."""

import contextlib
import os
import re
import sys
from pathlib import Path

from gaussmix.errors import SettingsError

# Of all memory that this process can have.
SHARE = 0.25
UNKNOWN = 1 << 32
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
BINARY = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_to_use() -> int:
    """Bytes that rows may take in memory: a quarter of what the machine, its container and ulimit leave."""
    return int(SHARE * min([*_machine(), *_limits(), *_container()] or [UNKNOWN]))


def _machine() -> list[int]:
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    return []


def _limits() -> list[int]:
    try:
        import resource
    except ImportError:
        return []
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return [limit for limit in limits if limit != resource.RLIM_INFINITY]


def _container() -> list[int]:
    found = []
    for path in CGROUPS:
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path(path).read_text()))
    return found


def size_of(text: str, option: str = "memory") -> int:
    """Bytes, from 2GB, 500 MB, 1.5GiB or a plain number.

    Raises
    ------
    SettingsError
        If it is none of these.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text.lower())
    if match is None:
        raise SettingsError(f"{option} must be a size such as 2GB or 500MB; got {text!r}")
    size = float(match[1]) * (BINARY if match[3] else UNITS)[match[2]]
    if size > sys.maxsize:
        raise SettingsError(f"{option}: {text[:20]!r} is more than any machine has")
    return int(size)
