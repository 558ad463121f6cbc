"""Our choice and BICs of faithful and iris beside mclust's, all fourteen models, K = 1 to 5.

mclust's figures are those of tests/data: fitted to a tight tolerance, the best of several starts.
"""

import math

from benchmarks.optimum_problems import DATA, repository_table
from benchmarks.selection_fits import our_cells, plain_model
from benchmarks.selection_tables import BETTER

COMPONENTS = range(1, 6)
MODELS = ("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV")


def mclust_bics(name):
    """BIC, lower is better, by K and model."""
    lines = [line.split("\t") for line in (DATA / f"{name}.mclust.tsv").read_text().splitlines()]
    heading, *figures = lines
    places = [heading.index(word) for word in ("model", "G", "bic")]
    told = ([line[place] for place in places] for line in figures)
    return {(int(k), model): -float(bic) for model, k, bic in told if bic not in ("", "NA")}


def print_reference(name):
    """One table: our choice beside mclust's, then our BIC less mclust's in each cell."""
    # Here, so that the others can be run where there is none.
    from gaussmix import select

    rows = repository_table(name)
    selection = select(rows, n_components=COMPONENTS, models="all", random_state=0)
    theirs, ours = mclust_bics(name), our_cells(selection, rows.shape[1])
    k, model = min(theirs, key=theirs.get)
    best = selection.best
    print(
        f"\n{name}: ours {best.covariance_type} with {best.n_components}, BIC {best.bic(rows):.4f}; "
        f"mclust {model} with {k}, BIC {theirs[k, model]:.4f}"
    )
    print("our BIC less mclust's" + "".join(f"{k:11d}" for k in COMPONENTS))
    gaps = {}
    for model in MODELS:
        line = f"{model:21s}"
        for k in COMPONENTS:
            mine = ours.get((k, plain_model(model, k, rows.shape[1])), math.nan)
            gaps[k, model] = mine - theirs.get((k, model), math.nan)
            line += f"{gaps[k, model]:11.4f}"
        print(line)
    known = [gap for gap in gaps.values() if not math.isnan(gap)]
    if known:
        above = sum(gap > BETTER for gap in known)
        print(f"{len(known)} cells, from {min(known):+.4f} to {max(known):+.4f}; {above} above {BETTER:g}")


def print_references():
    """Both tables."""
    for name in ("faithful", "iris"):
        print_reference(name)
