"""The tables that ``benchmarks.optimum`` prints."""

import math
import statistics

import numpy as np

# Nats a row: what is nearer to the best known is on it.
NEAR = 1e-3


def shortfall(run, best):
    """Nats a row below the best known; of a sound run."""
    return max(best[run.problem] - run.log_likelihood, 0.0)


def landed(run, best):
    """Whether a run is on the best known optimum."""
    return run.sound and shortfall(run, best) <= NEAR


def middle(figures, of=statistics.mean):
    """Mean or another middle of figures, or nan of none."""
    figures = list(figures)
    return of(figures) if figures else math.nan


def seconds(runs):
    """Seconds of the runs that came to an end."""
    return [run.seconds for run in runs if not run.failure]


def cell(runs, best):
    """One competitor on one problem: landed of all, mean shortfall of the sound ones, median seconds."""
    hits = f"{sum(landed(run, best) for run in runs)}/{len(runs)}"
    short = middle(shortfall(run, best) for run in runs if run.sound)
    others = "s" * any(run.spurious for run in runs) + "f" * any(run.failure for run in runs)
    return f"{hits + others:>6s}{short:9.1e}{middle(seconds(runs), statistics.median):9.3g}"


def print_heading(competitors):
    """What stands above the lines of the problems."""
    print(
        f"\nlanded ({NEAR:g} nats a row), mean shortfall, median seconds (s: some spurious, f: some failed)"
    )
    print(f"{'problem':18s}{'n':>6s}{'D':>3s}{'K':>3s}{'best known':>14s}", end="")
    print("".join(f"{name:>24s}" for name in competitors))


def print_problem(problem, runs, best, competitors):
    """The line of one problem."""
    n_rows, n_features = problem.rows.shape
    line = f"{problem.name:18s}{n_rows:6d}{n_features:3d}{problem.n_components:3d}{best[problem.name]:14.8f}"
    for competitor in competitors:
        line += cell([run for run in runs if run.competitor == competitor], best)
    print(line, flush=True)


def print_totals(runs, best, competitors):
    """A line for each competitor, then what failed. Every problem counts the same."""
    print(
        f"\n{'':14s}{'runs':>6s}{'landed':>9s}{'all seeds':>11s}{'mean short':>12s}{'largest':>10s}", end=""
    )
    print(f"{'mean s':>10s}{'median s':>10s}{'spurious':>10s}{'failed':>8s}")
    for competitor in competitors:
        mine = [run for run in runs if run.competitor == competitor]
        short = [shortfall(run, best) for run in mine if run.sound]
        missed = {run.problem for run in mine if not landed(run, best)}
        each = len({run.problem for run in mine})
        took = seconds(mine)
        print(
            f"{competitor:14s}{len(mine):6d}{middle(landed(run, best) for run in mine):9.1%}"
            f"{f'{each - len(missed)}/{each}':>11s}{middle(short):12.2e}{max(short, default=math.nan):10.2e}"
            f"{middle(took):10.3f}{middle(took, statistics.median):10.3f}"
            f"{middle(bool(run.spurious) for run in mine):10.1%}"
            f"{middle(bool(run.failure) for run in mine):8.1%}"
        )
    for run in runs:
        if run.failure or run.spurious:
            what = f"failed: {run.failure}" if run.failure else f"spurious: {run.spurious}"
            print(f"  {run.competitor} on {run.problem}, seed {run.seed}, {what}")


def paired(runs, one, other):
    """Pairs of runs of the same problem and seed; a lone run of a problem goes with every seed."""
    theirs = {(run.problem, run.seed): run for run in runs if run.competitor == other}
    lone = {run.problem: run for run in theirs.values()}
    single = len(lone) == len(theirs)
    mine = [run for run in runs if run.competitor == one]
    found = ((run, lone.get(run.problem) if single else theirs.get((run.problem, run.seed))) for run in mine)
    return [(run, their) for run, their in found if their is not None]


def lower(run, other):
    """Whether a run is worse than a sound other one by more than what is near; not sound is worse."""
    return other.sound and (not run.sound or run.log_likelihood < other.log_likelihood - NEAR)


def print_pairs(runs, competitors):
    """How often ours is lower than each of the others, in the same problem and seed, and the reverse."""
    if "ours" not in competitors:
        return
    for other in competitors:
        pairs = paired(runs, "ours", other)
        if other == "ours" or not pairs:
            continue
        below, above = [lower(a, b) for a, b in pairs], [lower(b, a) for a, b in pairs]
        ratios = [b.seconds / a.seconds for a, b in pairs if not a.failure and not b.failure]
        print(
            f"ours against {other:14s} lower in {np.mean(below):6.1%} of {len(pairs)} pairs, higher in "
            f"{np.mean(above):6.1%}; median time / ours {middle(ratios, statistics.median):.2f}"
        )
        where = sorted({a.problem for (a, _), is_lower in zip(pairs, below, strict=True) if is_lower})
        if where:
            print(f"  lower on {', '.join(where)}")
