"""Bounded runs of what `make fuzz` runs for long: kept inputs, seconds of new ones, some hundred fits."""

import importlib.util
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from adversary import case_of
from fits import judged
from harnesses import HARNESSES, by_hypothesis, seeds_of

ROOT = Path(__file__).parents[2]
SECONDS, N_FITS = 4, 300
# Seeds that once failed.
ONCE_FAILED = (
    97,
    417,
    759,
    784,
    1038,
    1097,
    1660,
    1805,
    1934,
    2455,
    2793,
    5741,
    8958,
    10758,
    12161,
    16770,
    18461,
    20031,
    23499,
    23736,
    24524,
    25957,
    27879,
    28694,
    30245,
    31442,
    33097,
    33383,
    34275,
    36303,
    45055,
    45461,
    45632,
    46059,
    48560,
    54053,
    59188,
    61476,
    62739,
    63667,
    63959,
    67062,
    69742,
    75497,
    76238,
    80272,
    83347,
    84715,
    87426,
    87770,
    93621,
    95864,
    97510,
    99808,
    111897,
    162661,
    200222,
    232948,
    269957,
    288958,
    294838,
    308094,
    334617,
    325204,
)


@pytest.mark.parametrize("name", HARNESSES)
def test_kept_inputs_are_read_or_refused(name):
    kept = seeds_of(name)
    assert len(kept) >= 10
    for path in kept:
        HARNESSES[name](path.read_bytes())


@pytest.mark.parametrize("name", HARNESSES)
def test_new_inputs_are_read_or_refused(name, tmp_path):
    if importlib.util.find_spec("atheris") is None:
        if os.environ.get("GAUSSMIX_NEEDS_ATHERIS"):
            pytest.fail("atheris is not installed: pip install --group dev")
        by_hypothesis(name, 200, seed=9)
        return
    command = [sys.executable, "-m", "tests.fuzz.harnesses", name]
    done = subprocess.run(
        [*command, "--seconds", str(SECONDS), "--seed", "9", "--findings", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    told = re.search(rf"{name}: (\d+) inputs, nothing found", done.stdout)
    assert told is not None
    assert int(told[1]) > 10


def test_adversarial_fits_keep_every_promise():
    outcomes, failed = Counter(), {}
    for seed in range(N_FITS):
        verdict = judged(case_of(seed))
        outcomes[verdict.outcome] += 1
        if verdict.faults:
            failed[seed] = verdict.faults
    assert failed == {}
    # Most of them are fits, and every kind of ending is among them.
    refused = sum(count for name, count in outcomes.items() if name.endswith("Error"))
    assert refused < 0.6 * N_FITS
    assert {"converged", "converged, doubtful", "iteration_limit", "degenerate_component, doubtful"} <= set(
        outcomes
    )


@pytest.mark.parametrize("seed", ONCE_FAILED)
def test_seeds_that_once_failed(seed):
    assert judged(case_of(seed)).faults == []
