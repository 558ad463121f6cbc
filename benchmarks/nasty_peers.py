# ruff: noqa: E402 (the registry lies with the tests, and threads are limited before NumPy is there)
"""What scikit-learn, R's mclust and pandas with scikit-learn do with the inputs of tests/nasty/inputs.

``python -m benchmarks.nasty_peers`` runs them, each input in a process of its own with limits on time and
memory, and writes benchmarks/nasty_peers.tsv, which docs/nasty_table.py puts beside what gaussmix does. It
needs R with mclust; numbers of inputs as arguments run and replace those only.
"""

import csv
import json
import multiprocessing
import os
import re
import resource
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "nasty"))
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import pandas as pd
import sklearn
from inputs import INPUTS
from inputs.faces import answer_of, holds, written
from inputs.kinds import Answer, Fitted, Refused
from sklearn.mixture import GaussianMixture

TSV = ROOT / "benchmarks" / "nasty_peers.tsv"
PEERS = ("scikit-learn", "mclust", "pandas + scikit-learn")
SECONDS, BYTES = 60, 6 << 30
MODELS = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}
# What scikit-learn's mixture has a parameter for; others have no meaning for it.
SHARED = {
    "n_components",
    "covariance_type",
    "tol",
    "max_iter",
    "n_init",
    "init_params",
    "reg_covar",
    "random_state",
    "weights_init",
    "means_init",
    "precisions_init",
}
# A fork has none of the threads of polars, and would wait for them.
WITH_THREADS = {"175"}
# Ours only, and left at what theirs is.
IGNORED = {"prior"}
# Verdicts. The second and third are what nobody should see.
RIGHT, SILENT, NO_NUMBER, UNSAID, WARNED, ACCEPTED, REFUSED, FAILED, NONE = (
    "right",
    "silently wrong",
    "NaN",
    "no word of it",
    "warned",
    "accepted",
    "refused",
    "no answer",
    "-",
)


class NotThereError(Exception):
    """The tool has nothing of this kind."""


def theirs(settings):
    """Settings as scikit-learn has them."""
    found = {name: value for name, value in settings.items() if name not in IGNORED}
    covariances = found.pop("covariances_init", None)
    if covariances is not None and "precisions_init" not in found and "means_init" in found:
        k, d = np.shape(found["means_init"])
        values = np.broadcast_to(np.asarray(covariances, dtype=float), (k,))
        found["precisions_init"] = np.eye(d) / values[:, None, None]
        covariances = None
    if covariances is not None or not set(found) <= SHARED:
        raise NotThereError
    return {"random_state": 0, **found}


def by_sklearn(one, folder):  # noqa: ARG001
    """An array, as it is."""
    if one.file is not None:
        raise NotThereError
    if one.table is None:
        return fitted(one, one.thing())
    table = one.table()
    if table.weights is not None:
        raise NotThereError
    return fitted(one, table.matrix)


def by_pandas(one, folder):
    """A file that pandas reads, or a thing that it makes a frame of."""
    if one.rows:
        raise NotThereError
    if one.thing is not None:
        return fitted(one, pd.DataFrame(one.thing()))
    if one.file is not None:
        os.chdir(folder)
        return fitted(one, frame_of(str(one.file(folder))))
    table = one.table()
    if table.weights is not None:
        raise NotThereError
    kind = "csv" if holds(table, "csv") else "parquet"
    return fitted(one, frame_of(str(written(table, folder, kind)[0])))


def frame_of(path):
    """A frame, by the function that the file's name calls for."""
    if path.endswith(".parquet"):
        return pd.read_parquet(path)
    if path.endswith(".npy"):
        return pd.DataFrame(np.load(path))
    return pd.read_csv(path)


def fitted(one, rows):
    """What scikit-learn's mixture makes of rows."""
    model = GaussianMixture(**theirs(one.settings))
    model.fit(rows)
    covariances, (k, d) = model.covariances_, model.means_.shape
    full = {
        "full": lambda: covariances,
        "tied": lambda: np.broadcast_to(covariances, (k, d, d)),
        "diag": lambda: covariances[:, :, None] * np.eye(d),
        "spherical": lambda: covariances[:, None, None] * np.eye(d),
    }[model.covariance_type]()
    return {
        "weights": model.weights_.tolist(),
        "means": model.means_.tolist(),
        "covariances": np.asarray(full).tolist(),
        "labels": model.predict(rows).tolist(),
        "loglik": float(model.lower_bound_),
    }


def in_process(one, peer):
    """What a peer in Python does, in a process of its own."""
    context = multiprocessing.get_context("spawn" if one.number in WITH_THREADS else "fork")
    ours, other = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(other, one.number, peer))
    process.start()
    other.close()
    if not ours.poll(SECONDS):
        process.kill()
        process.join()
        return {"failed": f"no end in {SECONDS} s"}
    try:
        found = ours.recv()
    except EOFError:
        found = None
    process.join()
    return found or {"failed": f"the process died (exit {process.exitcode})"}


def child(pipe, number, peer):
    """Run by the process."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    one = next(one for one in INPUTS if one.number == number)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = (by_sklearn if peer == PEERS[0] else by_pandas)(one, Path(folder))
        except NotThereError:
            found = {"none": True}
        except MemoryError:
            found = {"failed": "out of memory"}
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        warned = [
            f"{w.category.__name__}: {w.message}"
            for w in caught
            if not issubclass(w.category, DeprecationWarning | FutureWarning | PendingDeprecationWarning)
        ]
    pipe.send({**found, "warned": warned})
    pipe.close()


def by_mclust(one):
    """What mclust does, in a process of its own."""
    settings = dict(one.settings)
    if (
        one.thing is not None
        or one.rows
        or set(settings) - {"n_components", "covariance_type", "tol", "prior", "n_init"}
    ):
        return {"none": True}
    with tempfile.TemporaryDirectory() as folder:
        if one.file is not None:
            path, (n, d) = str(one.file(Path(folder))), (0, 0)
            if path.endswith((".npy", ".parquet")) or Path(path).is_dir():
                return {"none": True}
        else:
            table = one.table()
            if table.weights is not None:
                return {"none": True}
            matrix = np.asarray(table.matrix).astype(float)
            (n, d), path = matrix.shape, f"{folder}/table.bin"
            Path(path).write_bytes(np.asfortranarray(matrix).tobytes(order="F"))
        model = MODELS.get(str(settings.get("covariance_type", "full")), str(settings.get("covariance_type")))
        words = (
            path,
            settings.get("n_components", 1),
            model,
            n,
            d,
            settings.get("tol", "-"),
            settings.get("prior") or "-",
        )
        command = ["Rscript", str(ROOT / "benchmarks" / "nasty_peers.R"), *map(str, words)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                check=False,
                cwd=folder,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES)),
            )
        except subprocess.TimeoutExpired:
            return {"failed": f"no end in {SECONDS} s"}
    return facts(done)


def facts(done):
    """What the R script printed."""
    found = {"warned": []}
    for line in done.stdout.splitlines():
        word, _, text = line.partition("\t")
        if word == "warning":
            found["warned"].append(text)
        elif word == "error":
            found["error"] = text
        elif word == "nothing":
            found["failed"] = "NULL"
        elif word == "size":
            found["size"] = [int(x) for x in text.split()]
        elif word in ("weights", "means", "covariances", "labels", "loglik"):
            found[word] = [float("nan") if x == "NA" else float(x) for x in text.split()]
    if "size" in found:
        k, d = found["size"]
        found["means"] = np.reshape(found["means"], (k, d)).tolist()
        found["covariances"] = np.reshape(found["covariances"], (k, d, d)).tolist()
        found["loglik"] = found["loglik"][0]
        found["labels"] = [int(x) if x == x else -1 for x in found["labels"]]
    elif not {"error", "failed"} & set(found):
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        found["failed"] = f"the process died (exit {done.returncode}): {last}"
    return found


def verdict(one, found, reference):
    """One of the verdicts, and the words for it."""
    warned = found.get("warned", [])
    word = warned[0] if warned else ""
    if found.get("none"):
        return NONE, ""
    if "failed" in found:
        return (FAILED, f"{found['failed']}; {word}".rstrip("; "))
    if "error" in found:
        return REFUSED, found["error"]
    parts = [np.asarray(found[name], dtype=float) for name in ("weights", "means", "covariances")]
    answer = Answer(*parts, np.asarray(found["labels"]), found["loglik"], tuple(warned))
    if not all(np.isfinite(part).all() for part in parts):
        return NO_NUMBER, word or "no word of it"
    wrong = trouble(one, answer, reference)
    if wrong is None and isinstance(one.outcome, Refused) and not one.outcome.no_answer:
        return ACCEPTED, word
    if wrong:
        return (WARNED if warned else SILENT), (f"{word}; " if word else "") + wrong
    due = isinstance(one.outcome, Fitted) and one.outcome.says is not None
    if due and not warned:
        return UNSAID, "an answer, and no word of what is wrong with the rows"
    return (WARNED if warned else RIGHT), word


def trouble(one, answer, reference):
    """What is wrong with an answer; None if nothing is."""
    table = one.table() if one.table is not None else None
    if isinstance(one.outcome, Refused):
        if one.outcome.right is not None:
            check = one.outcome.right
        elif one.outcome.no_answer:
            return "an answer where there is none"
        else:
            return None
    else:
        check = one.outcome.check
    try:
        answer.assert_usable()
        if check is not None and (table is not None or isinstance(one.outcome, Refused)):
            getattr(check, "of_others", check)(answer, table)
        if table is None and reference is not None:
            same = reference.means.shape == answer.means.shape
            assert same, f"means of {answer.means.shape[1]} features instead of {reference.means.shape[1]}"
            order = [np.lexsort(means.T[::-1]) for means in (answer.means, reference.means)]
            found, wanted = answer.means[order[0]], reference.means[order[1]]
            assert np.allclose(found, wanted, rtol=1e-3, atol=1e-3), (
                f"means are {np.round(found, 4).tolist()}"
            )
    except AssertionError as error:
        return " ".join(str(error).split())[:160]
    return None


def reference_of(one):
    """Our answer for a file or a thing, where there is one; tests hold it against what is right."""
    if one.table is not None or not isinstance(one.outcome, Fitted):
        return None
    import gaussmix

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = gaussmix.GaussianMixture(**one.settings)
        if one.thing is not None:
            model.fit(one.thing())
        else:
            os.chdir(folder)
            model.fit_rows(gaussmix.rows(one.file(Path(folder)), **one.rows))
            os.chdir(ROOT)
    return answer_of(model, None, ())


def version(peer):
    """Of a tool."""
    if peer == "mclust":
        command = ["Rscript", "-e", "cat(as.character(packageVersion('mclust')))"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sklearn.__version__ if peer == PEERS[0] else pd.__version__


def main():
    """Run those asked for, or all."""
    asked = set(sys.argv[1:])
    kept = {}
    if asked and TSV.exists():
        with TSV.open(newline="") as file:
            kept = {(r["number"], r["peer"]): r for r in csv.DictReader(file, delimiter="\t")}
    lines = [{"number": "version", "peer": peer, "verdict": "-", "words": version(peer)} for peer in PEERS]
    for one in INPUTS:
        if one.deed is not None:
            continue
        if asked and one.number not in asked:
            lines += [kept[one.number, peer] for peer in PEERS if (one.number, peer) in kept]
            continue
        reference = reference_of(one)
        for peer in PEERS:
            found = by_mclust(one) if peer == "mclust" else in_process(one, peer)
            try:
                said, words = verdict(one, found, reference)
            except Exception:
                print(json.dumps(found)[:500])
                traceback.print_exc()
                raise
            words = re.sub(r"/tmp/tmp\w+/", "", words)
            words = " ".join("".join(c if c.isprintable() else " " for c in words).split())[:300]
            lines.append({"number": one.number, "peer": peer, "verdict": said, "words": words})
            print(one.number, peer, said, words[:90], sep="\t", flush=True)
    with TSV.open("w", newline="") as file:
        writer = csv.DictWriter(
            file, ["number", "peer", "verdict", "words"], delimiter="\t", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(lines)


if __name__ == "__main__":
    main()
