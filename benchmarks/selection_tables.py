"""The tables that ``benchmarks.selection`` prints."""

import math
import statistics

# BIC beyond which one fit is better than another, and not only further along.
BETTER = 0.1


def right(choice, truth):
    """Whether the number of groups is the true one; a failure is not."""
    return not choice.failure and choice.n_components == truth


def share(choices, truths):
    """Share of right numbers of groups."""
    return statistics.mean(right(choice, truths[choice.design]) for choice in choices)


def of(choices, competitor, designs=None):
    """The choices of one competitor, of some designs."""
    names = None if designs is None else {design.name for design in designs}
    mine = [choice for choice in choices if choice.competitor == competitor]
    return [choice for choice in mine if names is None or choice.design in names]


def parts(designs):
    """The designs inside the model and outside it, as far as there are any."""
    named = {
        "inside the model": [design for design in designs if design.inside],
        "outside the model": [design for design in designs if not design.inside],
    }
    return {name: found for name, found in named.items() if found}


def print_designs(designs, choices, present):
    """A line for each design."""
    print(f"right number of groups and mean number chosen\n{'design':18s}{'n':>6s}{'D':>3s}{'K':>3s}", end="")
    print("".join(f"{name:>15s}" for name in present))
    for part, found in parts(designs).items():
        print(part)
        for design in found:
            line = f"{design.name:18s}{design.n_rows:6d}{design.n_features:3d}{design.n_components:3d}"
            for name in present:
                line += cell(of(choices, name, [design]), design.n_components)
            print(line)


def cell(choices, truth):
    """One competitor on one design: right of all, and the mean number chosen."""
    chosen = [choice.n_components for choice in choices if not choice.failure]
    hits = f"{sum(right(choice, truth) for choice in choices)}/{len(choices)}"
    mean = statistics.mean(chosen) if chosen else math.nan
    return f"{hits + 'f' * (len(chosen) < len(choices)):>9s}{mean:6.1f}"


def print_totals(designs, choices, present):
    """Shares over all designs inside the model and outside it, and seconds; then what failed."""
    truths = {design.name: design.n_components for design in designs}
    for part, found in parts(designs).items():
        print(
            f"\n{part:18s}{'tables':>8s}{'right':>8s}{'too few':>9s}{'too many':>10s}{'failed':>8s}", end=""
        )
        print(f"{'median s':>10s}{'mean s':>8s}{'longest':>9s}")
        for name in present:
            mine = of(choices, name, found)
            sound = [choice for choice in mine if not choice.failure]
            if not sound:
                print(f"{name:18s}{len(mine):8d}  nothing was chosen")
                continue
            few = sum(choice.n_components < truths[choice.design] for choice in sound) / len(mine)
            many = sum(choice.n_components > truths[choice.design] for choice in sound) / len(mine)
            none = 1.0 - len(sound) / len(mine)
            took = [choice.seconds for choice in sound]
            print(
                f"{name:18s}{len(mine):8d}{share(mine, truths):8.1%}{few:9.1%}{many:10.1%}{none:8.1%}"
                f"{statistics.median(took):10.2f}{statistics.mean(took):8.2f}{max(took):9.2f}"
            )
    for choice in choices:
        if choice.failure:
            print(f"  {choice.competitor} on {choice.design}, seed {choice.seed}, failed: {choice.failure}")


def print_paired(designs, choices, present):
    """How often ours is right where each of the others is wrong, and the reverse, with a sign test."""
    truths = {design.name: design.n_components for design in designs}
    if "ours" not in present:
        return
    print(
        f"\n{'same table, inside the model':38s}{'tables':>8s}{'ours only':>11s}{'theirs only':>13s}{'p':>9s}"
    )
    inside = [design for design in designs if design.inside]
    mine = {
        (choice.design, choice.seed): right(choice, truths[choice.design])
        for choice in of(choices, "ours", inside)
    }
    for name in present:
        pairs = [
            (mine[choice.design, choice.seed], right(choice, truths[choice.design]))
            for choice in of(choices, name, inside)
            if (choice.design, choice.seed) in mine
        ]
        if name == "ours" or not pairs:
            continue
        ahead, behind = pairs.count((True, False)), pairs.count((False, True))
        print(f"ours right, {name:26s}{len(pairs):8d}{ahead:11d}{behind:13d}{sign_test(ahead, behind):9.2g}")


def sign_test(ahead, behind):
    """Two-sided p of a split at least so uneven, were each side as likely."""
    total, least = ahead + behind, min(ahead, behind)
    below = sum(math.comb(total, i) for i in range(least + 1)) / 2**total
    return min(1.0, 2.0 * below)


def print_same_cell(choices):
    """Our BIC of the K and model that mclust chose, beside mclust's."""
    ours = {(choice.design, choice.seed): choice for choice in of(choices, "ours")}
    theirs = [choice for choice in of(choices, "mclust") if not choice.failure]
    pairs = [
        (choice, ours[choice.design, choice.seed])
        for choice in theirs
        if (choice.design, choice.seed) in ours
    ]
    gaps = {
        (choice.design, choice.seed): mine.bic_of(choice.n_components, choice.model) - choice.bic
        for choice, mine in pairs
    }
    if not gaps:
        return
    known = {key: gap for key, gap in gaps.items() if not math.isnan(gap)}
    print(
        f"\nour BIC less mclust's, of the K and model that mclust chose: {len(known)} of {len(gaps)} fitted"
    )
    lower = sorted(gap for gap in known.values() if gap < -BETTER)
    higher = sorted((gap for gap in known.values() if gap > BETTER), reverse=True)
    print(f"  within {BETTER:g}: {len(known) - len(lower) - len(higher)}")
    for word, found in (("lower", lower), ("higher", higher)):
        if not found:
            continue
        where = sorted({design for (design, _), gap in known.items() if gap in set(found)})
        middle = statistics.median(found)
        print(f"  {word}: {len(found)}, median {middle:+.2f}, most {found[0]:+.2f}; on {', '.join(where)}")
