"""Mixed use, round after round, and whether memory stays flat.

    python tests/threads/soak.py [--seconds 3600]

prints, every minute, rounds done and resident memory; and at the end by how much it has grown a round
since the first tenth of the time, in kilobytes.
"""

import argparse
import io
import pickle
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone

import gaussmix
from gaussmix.cli.main import main as command_line
from gaussmix.errors import GaussmixError

MODELS = ("full", "tied", "diag", "spherical", "EVE", "VEV", "EEE")


def resident():
    """Bytes of resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def said(*arguments):
    """What the command line does, unheard."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), suppress(SystemExit):
        command_line([str(argument) for argument in arguments])


def one_round(number, folder):
    """Some of all that one can do with gaussmix, with other rows each time."""
    rng = np.random.default_rng(number)
    rows = rng.normal(size=(400 + number % 300, 2)) + 3.0 * rng.integers(0, 3, 1)
    rows[::3] += 5.0
    model = gaussmix.GaussianMixture(2, covariance_type=MODELS[number % len(MODELS)], n_init=1)
    model.fit(rows, sample_weight=1.0 + np.arange(len(rows)) % 2)
    pickle.loads(pickle.dumps(clone(model).fit(rows))).predict_proba(rows)
    model.score_samples(rows), model.sample(10), model.partial_fit(rows)
    model.save(folder / "m.json")
    gaussmix.load(folder / "m.json").predict(rows)
    with suppress(GaussmixError):
        model.fit(np.full((5, 2), np.nan))
    pd.DataFrame(rows, columns=["a", "b"]).to_csv(folder / "t.csv", index=False)
    pd.DataFrame(rows, columns=["a", "b"]).to_parquet(folder / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        streamed = gaussmix.rows(folder / name, memory=0)
        gaussmix.GaussianMixture(2, n_init=1).fit_rows(streamed)
    (folder / "c").unlink(missing_ok=True)
    said("fit", folder / "t.csv", "-k", 2, "--n-init", 1, "--memory", 0, "--checkpoint", folder / "c")
    said("predict", folder / "m.json", folder / "t.parquet", "-o", folder / "p.csv")
    if number % 5 == 0:
        said("report", folder / "t.csv", "-k", 2, "-o", folder / "r.html")
        gaussmix.select(rows[:100], range(1, 3), ["EII", "VVV"], n_folds=0)
        gaussmix.GaussianMixture(2).fit(rows).uncertainty(rows)


def soaked(seconds, tell=lambda *_: None):
    """Rounds done, and by how many bytes a round memory has grown since a tenth of the time."""
    begun = last = time.monotonic()
    number, first = 0, None
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while (now := time.monotonic()) - begun < seconds or first is None or number < first[0] + 10:
            one_round(number, Path(folder))
            number += 1
            if first is None and now - begun > seconds / 10 and number >= 10:
                first = number, resident()
            if now - last > 60:
                last = now
                tell(number, resident())
    return number, (resident() - first[1]) / (number - first[0])


def main():
    """Print how it goes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=3600)

    def tell(number, size):
        sys.stdout.write(f"{number} rounds, {size / 2**20:.0f} MiB\n")
        sys.stdout.flush()

    number, growth = soaked(parser.parse_args().seconds, tell)
    sys.stdout.write(f"{number} rounds; {growth / 1e3:.1f} kB a round more than after a tenth of the time\n")


if __name__ == "__main__":
    main()
