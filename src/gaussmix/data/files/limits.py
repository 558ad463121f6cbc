"""What a process may have that reads files which nobody vouches for."""

import ctypes
from contextlib import suppress
from dataclasses import dataclass

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]

# unshare(2): a network of its own, which leads nowhere, and the right to have one.
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000


@dataclass(frozen=True)
class Limits:
    """What the process may have.

    Parameters
    ----------
    memory : int
        Bytes of address space, some 700 MB of which are the program itself.
    disk : int
        Bytes of any file it writes; a table takes 8 a number.
    seconds : int
        Of processor time.
    """

    memory: int = 3 << 30
    disk: int = 64 << 30
    seconds: int = 3600

    def apply(self) -> None:
        """Give this process no more from now on; there is no way back."""
        for kind, most, at_last in (
            (resource.RLIMIT_AS, self.memory, self.memory),
            (resource.RLIMIT_FSIZE, self.disk, self.disk),
            # First the signal that says why, then the one that nothing survives.
            (resource.RLIMIT_CPU, self.seconds, self.seconds + 1),
            (resource.RLIMIT_CORE, 0, 0),
        ):
            hard = resource.getrlimit(kind)[1]
            bound = at_last if hard == resource.RLIM_INFINITY else min(at_last, hard)
            resource.setrlimit(kind, (min(most, bound), bound))
        # Not everywhere allowed; reading needs no network either way.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).unshare(NEW_USER | NEW_NETWORK)
