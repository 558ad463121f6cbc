"""How much memory there is for rows."""

import contextlib
import os
from pathlib import Path

# Of all memory that this process can have.
SHARE = 0.25
UNKNOWN = 1 << 32
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
