"""How often a default fit lands on the best optimum known, and how long that takes.

``python -m benchmarks.optimum``: 49 problems with full covariances (``optimum_problems``), five seeds
each, and the competitors in turns within each problem and seed (``optimum_fits``). One function recomputes
every log-likelihood from the parameters, and one rule sets aside what is spurious: a fit with a component
of fewer than 3 (D + 1) effective rows, or of fewer than 8 (D + 1) and as narrow in some direction as only a
spike is (``optimum_judge`` has the rule and the reasons). The best known is the best sound one of all runs,
of EM from the true mixture, and of the stored table (``python -m benchmarks.optimum_best`` searches for it).

A run *lands* if it is sound and short of the best known by no more than 1e-3 nats a row.
"""

import argparse
import math
import sys
import warnings
from pathlib import Path

import numpy as np
import sklearn

from benchmarks.optimum_best import from_truth, raised, stored
from benchmarks.optimum_fits import COMPETITORS, WORDS, Run, available, one_run
from benchmarks.optimum_picture import picture
from benchmarks.optimum_problems import Problem, makers
from benchmarks.optimum_tables import print_heading, print_pairs, print_problem, print_totals
from gaussmix import __version__
from gaussmix.kernels import KERNEL_NAME

QUICK_SEEDS = 2


def read_runs(path):
    """Runs that an earlier ``--out`` wrote."""
    lines = [line.split("\t") for line in Path(path).read_text().splitlines()]
    # Files that were put together have the heading more than once.
    lines = [line for line in lines if line != list(Run._fields)]
    return [Run(a, b, int(c), float(d), float(e), f, g) for a, b, c, d, e, f, g in lines]


def write_runs(path, runs):
    """One line a run."""
    lines = ["\t".join(Run._fields), *("\t".join(str(field) for field in run) for run in runs)]
    Path(path).write_text("\n".join(lines) + "\n")


def warm_up(competitors):
    """One small fit by each, so that no first one pays for what a library loads."""
    rows = np.random.default_rng(0).normal(size=(200, 2)) + np.arange(200)[:, None] % 2 * 5.0
    for name in competitors:
        if name != "mclust":
            one_run(Problem("warm-up", rows, 2), name, 0)


def runs_of(problem, competitors, seeds):
    """The runs of one problem: competitors take turns; mclust, whose answer has no seed, runs once."""
    return [
        one_run(problem, name, seed)
        for seed in seeds
        for name in competitors
        if name != "mclust" or seed == seeds[0]
    ]


def best_of(problem, runs, update):
    """The best sound log-likelihood: of these runs, the stored table, and the truth where need be."""
    seen = [run.log_likelihood for run in runs if run.sound]
    table = stored()
    if update or problem.name not in table:
        seen.append(from_truth(problem))
    return max([*seen, table.get(problem.name, -math.inf)])


def asked_for():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", nargs="+", metavar="NAME", help="only these (or those that begin so)")
    parser.add_argument(
        "--only", nargs="*", metavar="NAME", choices=list(COMPETITORS), help="only these competitors, or none"
    )
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds 0 to N - 1 (default 5)")
    parser.add_argument("--quick", action="store_true", help="small problems, two seeds")
    parser.add_argument("--no-mclust", action="store_true")
    parser.add_argument("--beside", metavar="FILE", help="runs of the others from an earlier --out")
    parser.add_argument("--out", metavar="FILE", help="write every run, tab-separated")
    parser.add_argument("--picture", metavar="FILE", help="draw time against shortfall, SVG")
    parser.add_argument("--update", action="store_true", help="raise the stored table to what was found")
    return parser.parse_args()


def chosen(asked):
    """The problems, one by one."""
    found = False
    for name, make in makers().items():
        if asked.problems and not name.startswith(tuple(asked.problems)):
            continue
        problem = make()
        if problem.quick or not asked.quick:
            found = True
            yield problem
    if not found:
        sys.exit(f"no such problem; there are {', '.join(makers())}")


def kept(path, competitors, seeds):
    """Runs of an earlier file by the competitors that do not run now, by problem."""
    runs = {}
    for run in read_runs(path) if path else []:
        if run.competitor not in competitors and run.seed in seeds:
            runs.setdefault(run.problem, []).append(run)
    return runs


def measured(asked, competitors):
    """Run and print problem by problem; all runs, and the best known of each problem."""
    seeds = range(asked.seeds or (QUICK_SEEDS if asked.quick else 5))
    earlier, runs, best = kept(asked.beside, competitors, seeds), [], {}
    others = {run.competitor for found in earlier.values() for run in found}
    present = [name for name in COMPETITORS if name in competitors or name in others]
    print_heading(present)
    for problem in chosen(asked):
        these = runs_of(problem, competitors, seeds) + earlier.get(problem.name, [])
        best[problem.name] = best_of(problem, these, asked.update)
        print_problem(problem, these, best, present)
        runs += these
        if asked.out:
            write_runs(asked.out, runs)
    return runs, best, present


def main():
    """Run, print, and write what is asked for."""
    asked = asked_for()
    competitors = [name for name in available(asked.only) if not (asked.no_mclust and name == "mclust")]
    warnings.simplefilter("ignore")
    warm_up(competitors)
    print(f"gaussmix {__version__} ({KERNEL_NAME} kernel), scikit-learn {sklearn.__version__}")
    for name in competitors:
        print(f"{name:14s} {WORDS[name]}")
    runs, best, present = measured(asked, competitors)
    print_totals(runs, best, present)
    print_pairs(runs, present)
    if asked.update:
        print("raised:", ", ".join(raised(best)) or "nothing")
    if asked.picture:
        Path(asked.picture).write_text(picture(runs, best, present), encoding="utf-8")


if __name__ == "__main__":
    main()
