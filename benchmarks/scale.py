"""What ADR 16 and docs/scale.md quote: fits to 1e6, 1e7 and 1e8 rows from Parquet, with memory capped.

    python -m benchmarks.scale --folder FOLDER [--rows 1e6 1e7 1e8] [--keep]

Each fit reads in blocks, in a process of its own whose address space is limited to 2 GiB, beside what
bounds it: how fast pyarrow decodes the same columns, and how fast the kernel is on rows in memory. Its
parameters are set beside those of a fit to an in-memory tenth, in standard errors of the tenth.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gaussmix import GaussianMixture
from gaussmix.data.memory import MemoryRows
from gaussmix.model.alignment import aligned
from gaussmix.model.covariances import covariance_family
from gaussmix.model.mixture import Mixture

N_FEATURES = N_COMPONENTS = 8
ROW_GROUP = 1 << 20
LIMIT = 2 << 30
KERNEL_ROWS = 4_000_000
ONE_FIT = """
import json, re, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
import gaussmix
began = time.perf_counter()
rows = gaussmix.rows(sys.argv[1], memory=0)
model = gaussmix.GaussianMixture({k}).fit_rows(rows)
seconds = time.perf_counter() - began
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
read = rows.reading
before = read.seconds
passes, n_bytes = read.passes, read.bytes_read
rows.expected_statistics(model._mixture())
json.dump(
    dict(
        seconds=seconds,
        peak=peak,
        passes=passes,
        bytes=n_bytes,
        reading_seconds=before,
        step_seconds=read.seconds - before,
        outcome=str(model.outcome_),
        lower_bound=model.lower_bound_,
        weights=model.weights_.tolist(),
        means=model.means_.tolist(),
        covariances=model.covariances_.tolist(),
    ),
    sys.stdout,
)
"""


def truth():
    """The mixture that rows are drawn from: eight overlapping groups."""
    generator = np.random.default_rng(8)
    means = 2.0 * generator.normal(size=(N_COMPONENTS, N_FEATURES))
    roots = np.eye(N_FEATURES) + 0.3 * generator.normal(size=(N_COMPONENTS, N_FEATURES, N_FEATURES))
    weights = np.arange(1.0, N_COMPONENTS + 1.0)
    covariances = np.einsum("kij,klj->kil", roots, roots)
    return Mixture(weights / weights.sum(), means, covariances, covariance_family("full"))


def write(path, n_rows):
    """Rows drawn at random, a row group at a time."""
    mixture, schema = truth(), pa.schema([(f"x{j + 1}", pa.float64()) for j in range(N_FEATURES)])
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for number, first in enumerate(range(0, n_rows, ROW_GROUP)):
            size = min(ROW_GROUP, n_rows - first)
            generator = np.random.default_rng([1, number])
            rows = generator.permutation(mixture.sample(size, generator)[0])
            writer.write_batch(
                pa.record_batch([np.ascontiguousarray(column) for column in rows.T], schema=schema), size
            )


def decoded(path):
    """Rows a second that pyarrow alone decodes at best: buffered or not, from the disk and again."""
    speeds = []
    for ahead in (True, False, True, False):
        file, n_rows, began = pq.ParquetFile(path, pre_buffer=ahead), 0, time.perf_counter()
        for batch in file.iter_batches(1 << 18):
            n_rows += len(batch)
        speeds.append(n_rows / (time.perf_counter() - began))
    return max(speeds)


def summed():
    """Rows a second of the E-step on rows in memory."""
    mixture = truth()
    rows = MemoryRows(mixture.sample(KERNEL_ROWS, np.random.default_rng(0))[0])
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        rows.expected_statistics(mixture)
        seconds.append(time.perf_counter() - began)
    return KERNEL_ROWS / float(np.median(seconds))


def fitted(path):
    """What a fit in a process of its own came to."""
    code = ONE_FIT.format(limit=LIMIT, k=N_COMPONENTS)
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def beside_a_tenth(path, n_rows, found):
    """The largest differences from a fit to the first tenth of the rows, in its standard errors."""
    tenth = n_rows // 10
    table = np.empty((tenth, N_FEATURES))
    done = 0
    for batch in pq.ParquetFile(path).iter_batches(1 << 18):
        part = np.column_stack([batch.column(j).to_numpy() for j in range(N_FEATURES)])[: tenth - done]
        table[done : done + len(part)] = part
        done += len(part)
        if done == tenth:
            break
    model = GaussianMixture(N_COMPONENTS).fit(table)
    family = covariance_family("full")
    whole = Mixture(
        np.array(found["weights"]), np.array(found["means"]), np.array(found["covariances"]), family
    )
    whole = whole.permuted(aligned(whole, model._mixture()))
    sample = table[np.random.default_rng(0).choice(tenth, min(tenth, 200_000), replace=False)]
    errors = GaussianMixture(N_COMPONENTS).fit(sample, start=model._mixture()).uncertainty(sample)
    shrink = np.sqrt(len(sample) / tenth)
    return {
        name: float(np.abs((ours - theirs) / (error * shrink)).max())
        for name, ours, theirs, error in (
            ("weights", whole.weights, model.weights_, errors.weights.standard_error),
            ("means", whole.means, model.means_, errors.means.standard_error),
        )
    }


def main():
    """Print a line for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", required=True, help="where the files go (up to 7 GB)")
    parser.add_argument("--rows", type=float, nargs="+", default=[1e6, 1e7, 1e8])
    parser.add_argument("--keep", action="store_true", help="keep the files")
    given = parser.parse_args()
    kernel = summed()
    print(f"E-step on rows in memory: {kernel / 1e6:.1f} million rows a second")
    for n_rows in map(int, given.rows):
        path = Path(given.folder) / f"rows-{n_rows}.parquet"
        if not path.exists():
            write(path, n_rows)
        decoding, found = decoded(path), fitted(path)
        speed, least = n_rows * found["passes"] / found["reading_seconds"], min(decoding, kernel)
        step = n_rows / found["step_seconds"]
        print(
            f"{n_rows:.0e} rows, {path.stat().st_size / 1e9:.2f} GB: {found['seconds']:.1f} s, "
            f"{found['passes']} passes, {speed / 1e6:.1f} million rows a second, an E-step {step / 1e6:.1f} "
            f"(pyarrow alone {decoding / 1e6:.1f}; the lower of both bounds is {least / speed:.2f} times as "
            f"fast, {least / step:.2f} an E-step), peak {found['peak'] / 2**20:.0f} MiB; {found['outcome']}"
        )
        apart = beside_a_tenth(path, n_rows, found)
        print(
            "  from a tenth, in its standard errors: " + ", ".join(f"{k} {v:.1f}" for k, v in apart.items())
        )
        if not given.keep:
            path.unlink()


if __name__ == "__main__":
    main()
