"""A process that is killed at any instant loses the pass in flight, and no more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Forks fits and kills them: nothing has to be imported again for each of them.
KILLER = Path(__file__).parent / "killer.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", ["full", "diag, weights, noise", "EVE, written slowly"])
def test_a_fit_that_is_killed_again_and_again_ends_with_the_same_bits(name, tmp_path):
    environment = {**os.environ, "GAUSSMIX_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(KILLER), name, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["n_killed"] >= 20
    assert told["n_fits"] >= 1
    assert told["other_bits"] == []
    # Each life finds in the checkpoint all passes that earlier ones had finished.
    assert told["lost"] == []
    assert told["left_behind"] == []
