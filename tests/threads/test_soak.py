"""Memory stays flat under mixed use; ``make soak`` asks for an hour of it."""

from pathlib import Path

import pytest
from soak import soaked


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for the memory in use")
def test_memory_does_not_grow_from_round_to_round():
    n_rounds, growth = soaked(15.0)
    assert n_rounds >= 20
    # A table of a round has some 10 kB: if rounds were kept, each would leave several of these behind.
    assert growth < 250e3
