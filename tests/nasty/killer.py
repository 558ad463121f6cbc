"""Begin a fit, kill it after a while, resume it, kill it again, until it ends; tell what happened."""

import json
import os
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from gaussmix.data import blocks
from gaussmix.data.checkpoints import journal
from gaussmix.data.checkpoints.checkpoint import Checkpointed
from gaussmix.data.memory import MemoryRows
from gaussmix.errors import DataWarning
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings

KILLS, LONGEST_LIFE, SLOW_PASS = 20, 0.12, 0.004
CASES = {
    "full": ({}, False),
    "diag, weights, noise": ({"covariance_type": "diag", "noise": True}, False),
    "EVE, written slowly": ({"covariance_type": "EVE"}, True),
}
blocks.BLOCK_VALUES = 256


class SlowRows(MemoryRows):
    def added_up(self, task):
        time.sleep(SLOW_PASS)
        return super().added_up(task)


class Told(Checkpointed):
    """Notes each pass when it has been written down."""

    log = None

    def added_up(self, task):
        n_recorded = self.n_recorded
        found = super().added_up(task)
        if self.n_recorded > n_recorded:
            os.write(self.log, b".")
        return found


def written_slowly(file, raw):
    for first in range(0, len(raw), 97):
        file.write(raw[first : first + 97])
        time.sleep(2e-4)


def bits(fit):
    mixture, history = fit.mixture, fit.history
    arrays = (mixture.weights, mixture.means, mixture.covariances, np.array(history.objectives))
    return [array.tobytes().hex() for array in arrays] + [str(fit.outcome), history.n_iterations]


def life(rows, settings, folder, slowly):
    """Fit, or go on with the fit; this process is killed at some time, or leaves what it has found."""
    # What is damaged would be a fault: a record cut short is none.
    warnings.simplefilter("error", DataWarning)
    if slowly:
        journal._write = written_slowly
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    before = os.fstat(log).st_size
    with Told(rows, folder / "checkpoint", settings, resume=True) as told:
        told.log = log
        if told.n_recorded < before:
            (folder / "lost").write_text(f"{before} passes were written down, {told.n_recorded} are there")
        fit = search(told, settings)
    partial = folder / "partial"
    partial.write_text(json.dumps(bits(fit)))
    partial.replace(folder / "found")


def main(name, folder):
    options, slowly = CASES[name]
    settings = FitSettings(3, n_init=1, max_iter=25, **options)
    rng = np.random.default_rng([3, *name.encode()])
    matrix = rng.normal(size=(300, 2)) + 1.3 * rng.integers(0, 3, 300)[:, None]
    weights = rng.integers(1, 3, 300).astype(float) if "weights" in name else None
    told = {"n_killed": 0, "n_fits": 0, "other_bits": [], "lost": [], "left_behind": []}
    fits = []
    while told["n_killed"] < KILLS or not told["n_fits"]:
        own = folder / f"{len(fits)}"
        own.mkdir()
        n_lives = 0
        while not (own / "found").exists():
            child = os.fork()
            if child == 0:
                try:
                    life(SlowRows(matrix, weights), settings, own, slowly)
                except BaseException as error:
                    (own / "lost").write_text(repr(error))
                    os._exit(1)
                os._exit(0)
            # Longer each time, so that a fit ends on any machine.
            n_lives += 1
            time.sleep(rng.uniform(0.0, LONGEST_LIFE * (1.0 + n_lives / 10.0)))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            told["n_killed"] += os.WIFSIGNALED(status)
            if (own / "lost").exists():
                told["lost"].append((own / "lost").read_text())
                break
        else:
            told["n_fits"] += 1
        fits.append(own)
    # Only now, so that no thread is there when processes are forked.
    plain = bits(search(MemoryRows(matrix, weights), settings))
    for own in fits:
        if (own / "found").exists() and json.loads((own / "found").read_text()) != plain:
            told["other_bits"].append(own.name)
        told["left_behind"] += [
            path.name for path in own.glob(".checkpoint.*") if path.samefile(own / "checkpoint")
        ]
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
