# ruff: noqa: T201
"""Mutation testing of learning/ and model/: `python -m tests.mutation.run --sample 600 --seed 1`.

Prints, folder by folder, how many mutants tests killed, with a Wilson interval of the share, and writes each
mutant's outcome to `build/mutation/outcomes.tsv`. `--all` runs them all; `--again` only those that an earlier
run's file has as not killed, or not at all. README.md beside this file says more.
"""

import argparse
import csv
import math
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.mutants import Mutant, Reach, all_mutated
from tests.mutation.reach import MAP, ROOT
from tests.mutation.trial import Outcome, outcomes

OUTCOMES = ROOT / "build" / "mutation" / "outcomes.tsv"
JUDGED = Path(__file__).parent / "judged.tsv"
COLUMNS = ("state", "file", "line", "word", "before", "after", "by", "seconds", "tests")
SHOWN = ("killed", "timed out", "survived", "no tests", "broken")
DEAD = SHOWN[:2]
Row = dict[str, str]


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share that Wilson's score test at 95 % does not reject."""
    if trials == 0:
        return 0.0, 1.0
    share, extra = successes / trials, z * z / trials
    middle = share + extra / 2.0
    half = z * math.sqrt(share * (1.0 - share) / trials + extra / (4.0 * trials))
    return (middle - half) / (1.0 + extra), (middle + half) / (1.0 + extra)


def sample(size: int | None, seed: int, only: str) -> list[Mutant]:
    """That many mutants of the files whose path contains `only`, each as likely; all of them for None."""
    files = [mutated for mutated in all_mutated() if only in mutated.file]
    places = [(file, index) for file in files for index in range(len(file))]
    print(f"{len(places)} mutants in {len(files)} files")
    if size is not None and size < len(places):
        places = random.Random(seed).sample(places, size)
    return [file[index] for file, index in places]


def as_row(mutant: Mutant, outcome: Outcome) -> Row:
    """One line of the table of outcomes."""
    values = (outcome.state, mutant.file, mutant.first, "yes" if mutant.is_word else "no", mutant.before)
    rest = (mutant.after, outcome.by, f"{outcome.seconds:.1f}", outcome.tests)
    return dict(zip(COLUMNS, map(str, values + rest), strict=True))


def read(path: Path) -> list[Row]:
    """The lines of a table, or none where there is none."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def key(row: Row) -> tuple[str, str, str]:
    """What `Mutant.key` is of a mutant."""
    return row["file"], row["before"], row["after"]


def summary(rows: Iterable[Row]) -> str:
    """A table, folder by folder; below it what is judged of those not killed, and those that are not."""
    rows = list(rows)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(Path(row["file"]).parent.relative_to("src/gaussmix")), []).append(row)
    groups = dict(sorted(groups.items()))
    groups["all"] = rows
    groups["all but words"] = [row for row in rows if row["word"] == "no"]
    lines = [f"{'':22}{'mutants':>9}" + "".join(f"{state:>11}" for state in SHOWN) + "   killed, 95 %"]
    for name, group in groups.items():
        counts = Counter(row["state"] for row in group)
        dead = sum(counts[state] for state in DEAD)
        low, high = wilson(dead, len(group))
        share = 100.0 * dead / max(len(group), 1)
        lines.append(
            f"{name:22}{len(group):9}"
            + "".join(f"{counts[state]:11}" for state in SHOWN)
            + f"   {share:.1f} % ({100.0 * low:.1f} to {100.0 * high:.1f})"
        )
    judged = {key(row): row["verdict"] for row in read(JUDGED)}
    left = [row for row in rows if row["state"] not in DEAD]
    verdicts = Counter(judged.get(key(row), "not judged") for row in left).most_common()
    lines.append("not killed: " + ", ".join(f"{count} {verdict}" for verdict, count in verdicts))
    return "\n".join(lines)


def confirmed(rows: list[Row], reach: Reach) -> None:
    """Run every test that killed once more with nothing mutated: one that fails then has killed nothing."""
    killers = {row["by"]: reach.seconds[row["by"]] for row in rows if row["by"] in reach.seconds}
    for _, outcome in outcomes([(None, killers)], 1):
        if outcome.state == "timed out":
            print("tests without a mutant took too long: no kill is confirmed")
        liars = set(outcome.by.split()) & set(killers)
    for row in rows:
        if row["by"] in liars:
            row["state"] = "survived"
            print(f"{row['by']} fails without a mutant too")


def main() -> None:
    """Read options, run, and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--sample", type=int, default=600, help="so many mutants (default 600)")
    options.add_argument("--all", action="store_true", help="all mutants")
    options.add_argument("--seed", type=int, default=1, help="of the sample (default 1)")
    options.add_argument("--only", default="", help="only files whose path contains this")
    options.add_argument("--jobs", type=int, default=1, help="mutants at a time (default 1)")
    options.add_argument("--again", action="store_true", help="keep what the file of outcomes has as killed")
    options.add_argument("--budget", type=float, default=15.0, help="seconds of tests a mutant (default 15)")
    options.add_argument("--out", type=Path, default=OUTCOMES, help="the file of outcomes")
    asked = options.parse_args()
    if not MAP.exists():
        # In a process of its own: what is imported here already could not be replaced by a mutant.
        subprocess.run([sys.executable, "-m", "tests.mutation.reach"], cwd=ROOT, check=True)
    reach = Reach(asked.budget)
    mutants = sample(None if asked.all else asked.sample, asked.seed, asked.only)
    known = {key(row): row for row in read(asked.out) if row["state"] in DEAD}
    rows = [known[mutant.key] for mutant in mutants if asked.again and mutant.key in known]
    open_ones = [mutant for mutant in mutants if not (asked.again and mutant.key in known)]
    cases = ((mutant, reach.tests(mutant)) for mutant in open_ones)
    begin = time.monotonic()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    with asked.out.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, delimiter="\t")
        table.writeheader()
        table.writerows(rows)
        for mutant, outcome in outcomes(cases, asked.jobs):
            assert mutant is not None
            rows.append(as_row(mutant, outcome))
            table.writerow(rows[-1])
            file.flush()
            if len(rows) % 50 == 0:
                print(f"{len(rows)} of {len(mutants)} after {time.monotonic() - begin:.0f} s", flush=True)
    confirmed(rows, reach)
    with asked.out.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, delimiter="\t")
        table.writeheader()
        table.writerows(rows)
    print(summary(rows))


if __name__ == "__main__":
    main()
