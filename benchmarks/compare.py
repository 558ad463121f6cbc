"""``make bench BASE=<commit>``: HEAD beside another commit, so that a slowdown is seen before it lands.

Both are built from git into folders of their own and run in turn in processes of their own.
"""

import statistics
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from benchmarks.problems import PROBLEMS

REPEATS = 5
# Differences beyond this are marked; less is what the same build shows from one run to the next.
MARKED = 1.05
# The finder of an editable install stands before every folder, so it is taken out of the way.
CHILD = """
import sys, warnings
sys.meta_path[:] = [f for f in sys.meta_path if "gaussmix" not in type(f).__module__]
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import gaussmix
assert gaussmix.__file__.startswith(sys.argv[1]), gaussmix.__file__
from benchmarks.adapters import iteration_seconds, ours
from benchmarks.problems import PROBLEMS, rows_of
warnings.simplefilter("ignore")
problem = next(p for p in PROBLEMS if p.name == sys.argv[3])
rows, start = rows_of(problem)
ours(problem, rows, start, 2)
print(iteration_seconds(ours, problem, rows, start, 22))
"""


def built(commit, folder):
    """A folder with gaussmix as it was at a commit."""
    source, site = Path(folder) / f"{commit}-source", Path(folder) / f"{commit}-site"
    archive = subprocess.run(["git", "archive", commit], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(source, filter="data")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
    subprocess.run([*install, str(source)], check=True)
    return site


def seconds(site, problem):
    """Seconds of one iteration with the build in a folder."""
    root = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", CHILD, str(site), root, problem.name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(base, names):
    """The table."""
    with tempfile.TemporaryDirectory() as folder:
        sites = [built(base, folder), built("HEAD", folder)]
        print(f"{'problem':12s}{base[:12]:>14s}{'HEAD':>10s}{'HEAD / base':>13s}")
        for problem in PROBLEMS:
            if names and problem.name not in names:
                continue
            pairs = [[seconds(site, problem) for site in sites] for _ in range(REPEATS)]
            before, after = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(head / old for old, head in pairs)
            mark = "  slower" if ratio > MARKED else "  faster" if ratio < 1.0 / MARKED else ""
            print(f"{problem.name:12s}{before:14.4f}{after:10.4f}{ratio:13.2f}{mark}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
