"""Who chooses the number of groups in ``benchmarks.selection``, and the file that keeps what each chose.

- ours: ``gaussmix.select(X, n_components=range(1, 10), random_state=seed)``;
- mclust: ``Mclust(X, G = 1:9)``, its defaults: the models it has for such rows, by BIC (R's seed is set);
- sklearn: the loop that people write: GaussianMixture(K, covariance_type=..., random_state=seed) for K = 1 to
  9 and its four types, all else as it comes (one start); the lowest BIC.

All on one core, timed without start-up: one R process does all of mclust's tables.
"""

import os
import subprocess
import tempfile
import warnings
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import perf_counter
from typing import NamedTuple

import numpy as np
from sklearn.mixture import GaussianMixture as ScikitLearn
from threadpoolctl import threadpool_limits

from benchmarks.selection_designs import table

COMPONENTS = range(1, 10)
LIMIT = 120
SCIKIT_LEARN_TYPES = {"spherical": "VII", "tied": "EEE", "diag": "VVI", "full": "VVV"}
ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# A table a line comes in, a choice a line goes out, at once.
MCLUST = """
suppressMessages(library(mclust))
invisible(Mclust(faithful, G = 1:3, verbose = FALSE))
orders <- read.table("{folder}/orders", col.names = c("path", "n", "d", "seed"))
for (i in seq_len(nrow(orders))) {{
  o <- orders[i, ]
  x <- matrix(readBin(o$path, "double", o$n * o$d), o$n, o$d, byrow = TRUE)
  set.seed(o$seed)
  told <- tryCatch({{
    seconds <- system.time(fit <- Mclust(x, G = 1:{most}, verbose = FALSE))[[3]]
    if (is.null(fit)) stop("no fit")
    sprintf("%d\\t%s\\t%.17g\\t%.4f\\t", fit$G, fit$modelName, fit$bic, seconds)
  }}, error = function(e) paste0("\\t\\t\\t\\t", gsub("[[:space:]]+", " ", conditionMessage(e))))
  cat(told, "\\n", sep = "")
  flush(stdout())
}}
"""


class Choice(NamedTuple):
    """What one competitor chose of one table: BIC is lower-is-better; of a failed one only what it said.

    ``cells`` are all BICs, "K:model=BIC" with mclust's names of models; ours only.
    """

    design: str
    seed: int
    competitor: str
    n_components: int
    model: str
    bic: float
    seconds: float
    failure: str = ""
    cells: str = ""

    def bic_of(self, n_components, model):
        """BIC of one cell, or nan where it was not fitted."""
        cells = dict(cell.split("=") for cell in self.cells.split())
        return float(cells.get(f"{n_components}:{model}", "nan"))


def plain_model(name, n_components, n_features):
    """One name for models that are one: mclust's; of one component, or feature, fewer differ."""
    name = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}.get(name, name)
    # mclust writes X for what one component leaves open.
    volume, shape, direction = name.replace("X", "E").ljust(3, "I")
    if n_components == 1:
        volume, shape, direction = ("I" if letter == "I" else "E" for letter in (volume, shape, direction))
    return volume if n_features == 1 else volume + shape + direction


def our_cells(selection, n_features):
    """BIC by K and model, of all that could be fitted."""
    cells = {}
    for entry in selection.table:
        k, bic = entry["n_components"], entry["bic"]
        cell = k, plain_model(entry["covariance"], k, n_features)
        if bic is not None and np.isfinite(bic):
            # One component is one model under several names.
            cells[cell] = min(cells.get(cell, np.inf), bic)
    return cells


def ours(rows, seed):
    """What gaussmix chooses: K, model, BIC, seconds, cells."""
    # Here, so that the others can be run where there is none.
    from gaussmix import select

    began = perf_counter()
    selection = select(rows, n_components=COMPONENTS, random_state=seed)
    seconds = perf_counter() - began
    d = rows.shape[1]
    told = " ".join(f"{k}:{model}={bic:.10g}" for (k, model), bic in our_cells(selection, d).items())
    best = selection.best
    k = best.n_components
    return k, plain_model(best.covariance_type, k, d), best.bic(rows), seconds, told


def scikit_learn(rows, seed):
    """What the loop over scikit-learn's BIC chooses: K, model, BIC, seconds."""
    began, best = perf_counter(), (np.inf, 0, "")
    for k in COMPONENTS:
        for kind in SCIKIT_LEARN_TYPES:
            model = ScikitLearn(k, covariance_type=kind, random_state=seed).fit(rows)
            best = min(best, (model.bic(rows), k, kind))
            if perf_counter() - began > LIMIT:
                raise TimeoutError(f"more than {LIMIT} s")
    seconds = perf_counter() - began
    bic, k, kind = best
    return k, plain_model(kind, k, rows.shape[1]), bic, seconds


def chosen(design, seed, competitor, choose):
    """A choice made here; warnings are silenced, and what is raised makes it a failed one."""
    rows = table(design, seed)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        try:
            k, model, bic, seconds, *cells = choose(rows, seed)
        # Whatever it is: it is named in the table.
        except Exception as error:
            return failed(design, seed, competitor, f"{type(error).__name__}: {error}")
    return Choice(design.name, seed, competitor, k, model, bic, seconds, "", *cells)


def failed(design, seed, competitor, why):
    """A failed choice."""
    return Choice(design.name, seed, competitor, 0, "", np.nan, np.nan, " ".join(why.split())[:100])


def each_by(competitor, orders):
    """Choices of ours or scikit-learn, one by one."""
    choose = {"ours": ours, "sklearn": scikit_learn}[competitor]
    for design, seed in orders:
        yield chosen(design, seed, competitor, choose)


def each_by_mclust(orders):
    """Choices of mclust, one by one, from one R process, and from another one after a fit that has no end."""
    left = list(orders)
    while left:
        for order, told in zip(left, told_by_mclust(left), strict=False):
            yield mclust_choice(*order, told)
            left = left[1:]


def told_by_mclust(orders):
    """What R says of one table after the other, until there is one of which it says nothing."""
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for i, (design, seed) in enumerate(orders):
            table(design, seed).tofile(f"{folder}/{i}")
            lines.append(f"{folder}/{i} {design.n_rows} {design.n_features} {seed}")
        Path(f"{folder}/orders").write_text("\n".join(lines) + "\n")
        script = MCLUST.format(folder=folder, most=max(COMPONENTS))
        Path(f"{folder}/choose.R").write_text(script)
        command, heard = ["Rscript", f"{folder}/choose.R"], Queue()
        env = os.environ | ONE_CORE
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
            # R's own time limit does not reach into compiled code, so somebody waits at the door.
            Thread(target=listen, args=(process.stdout, heard), daemon=True).start()
            try:
                for _ in orders:
                    told = heard.get(timeout=LIMIT)
                    yield told or "\t\t\t\tR ended"
                    if not told:
                        return
            except Empty:
                yield f"\t\t\t\tmore than {LIMIT} s"
            finally:
                process.kill()


def listen(lines, heard):
    """Pass each line on as it comes, and at the end an empty one."""
    for line in lines:
        heard.put(line)
    heard.put("")


def mclust_choice(design, seed, told):
    """The choice that R told of."""
    k, model, bic, seconds, failure = told.rstrip("\n").split("\t")
    if failure:
        return failed(design, seed, "mclust", failure)
    name = plain_model(model, int(k), design.n_features)
    return Choice(design.name, seed, "mclust", int(k), name, -float(bic), float(seconds))


def choices_by(competitor, orders):
    """Choices of one competitor for pairs of design and seed."""
    if not orders:
        return iter(())
    return each_by_mclust(orders) if competitor == "mclust" else each_by(competitor, orders)


def read_choices(path):
    """Choices in a file; none if there is no file."""
    if not Path(path).exists():
        return []
    lines = [line.split("\t") for line in Path(path).read_text().splitlines()]
    return [
        Choice(a, int(b), c, int(d), e, float(f), float(g), *rest)
        for a, b, c, d, e, f, g, *rest in lines
        if a != Choice._fields[0]
    ]


def append_choice(path, choice):
    """One more line in a file, with the heading where it is new."""
    fields = choice._replace(bic=f"{choice.bic:.10g}", seconds=f"{choice.seconds:.4f}")
    new = not Path(path).exists()
    with Path(path).open("a") as file:
        if new:
            file.write("\t".join(Choice._fields) + "\n")
        # What is empty at the end of a line is left out.
        file.write("\t".join(map(str, fields)).rstrip("\t") + "\n")
