"""How often the number of groups is found: ours, mclust's BIC, and the loop over scikit-learn's.

``python -m benchmarks.selection``: 45 designs (``selection_designs``), ten seeds each, of which four designs
are outside the model. Ours runs now; what the others chose stands in selection_theirs.tsv, and ``--all``
runs them again (``selection_fits`` says how each is called). ``--keep FILE`` adds each choice of this run to
a file, and makes no choice again that stands in it: with ``--only mclust sklearn`` and an empty file this is
how selection_theirs.tsv came about. ``--reference`` prints instead, for faithful and iris, our BIC of every
model beside mclust's.

A choice that failed counts as wrong. mclust has no end on three of the tables with badly scaled columns.
"""

import argparse
import os
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.selection_designs import DESIGNS
from benchmarks.selection_fits import append_choice, choices_by, read_choices
from benchmarks.selection_reference import print_references
from benchmarks.selection_tables import print_designs, print_paired, print_same_cell, print_totals
from gaussmix import __version__

THEIRS = Path(__file__).parent / "selection_theirs.tsv"
COMPETITORS = ("ours", "mclust", "sklearn")


def asked_for():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--designs", nargs="+", default=["*"], metavar="GLOB", help="only these designs")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="seeds 0 to N - 1 (default 10)")
    parser.add_argument("--only", nargs="+", choices=COMPETITORS, help="who runs, and is shown")
    parser.add_argument("--all", action="store_true", help="run the others too")
    parser.add_argument("--beside", default=THEIRS, metavar="FILE", help="choices of the others")
    parser.add_argument("--keep", metavar="FILE", help="add this run's choices to a file, and go on from it")
    parser.add_argument("--reference", action="store_true", help="faithful and iris, cell by cell")
    return parser.parse_args()


def run(competitor, orders, path):
    """Choices of one competitor, those in the file first; the others are made now."""
    wanted = {(design.name, seed) for design, seed in orders}
    made = {
        (choice.design, choice.seed): choice
        for choice in (read_choices(path) if path else [])
        if choice.competitor == competitor and (choice.design, choice.seed) in wanted
    }
    left = [(design, seed) for design, seed in orders if (design.name, seed) not in made]
    for i, choice in enumerate(choices_by(competitor, left)):
        made[choice.design, choice.seed] = choice
        if path:
            append_choice(path, choice)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{competitor}: {i + 1} of {len(left)} {choice.design:20s}")
    return list(made.values())


def main():
    """Choose and print."""
    asked = asked_for()
    os.environ["GAUSSMIX_NUM_THREADS"] = "1"
    if asked.reference:
        return print_references()
    designs = [d for d in DESIGNS if any(fnmatch(d.name, pattern) for pattern in asked.designs)]
    if not designs:
        sys.exit(f"no such design; there are {', '.join(d.name for d in DESIGNS)}")
    orders = [(design, seed) for design in designs for seed in range(asked.seeds)]
    running = asked.only or (COMPETITORS if asked.all else ("ours",))
    if "mclust" in running and not shutil.which("Rscript"):
        sys.exit("mclust needs Rscript on the path")
    choices = [choice for name in running for choice in run(name, orders, asked.keep)]
    wanted = {(design.name, seed) for design, seed in orders}
    # A run of some of the others alone is not about those that it leaves out.
    if "ours" in running:
        choices += [
            choice
            for choice in read_choices(asked.beside)
            if choice.competitor not in running and (choice.design, choice.seed) in wanted
        ]
    present = [name for name in COMPETITORS if any(choice.competitor == name for choice in choices)]
    print(f"gaussmix {__version__}, {len(designs)} designs, {asked.seeds} seeds, K = 1 to 9, one core\n")
    print_designs(designs, choices, present)
    print_totals(designs, choices, present)
    print_paired(designs, choices, present)
    print_same_cell(choices)
    return None


if __name__ == "__main__":
    main()
