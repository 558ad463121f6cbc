"""Every place where the same rows can live, and how two fits to them are compared."""

import gzip
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gaussmix
from gaussmix.model.covariances import FAMILIES

N, ROWS_OF_BLOCK = 900, 64
NAMES = ["a", "b", "c"]
WEIGHTED = [*NAMES, "w"]
RAGGED = (0, 1, 300, 301, 777, N)
MEANS = [[0.0, 0.0, 0.0], [8.0, 1.0, -4.0], [-3.0, 8.0, 5.0]]
MODELS = [family.name for family in FAMILIES]


def drawn():
    """(N, 4): three features in three groups far apart, and row weights of 0 to 3 halves."""
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0.0, 0.0], [9.0, 1.0, -4.0], [-3.0, 8.0, 5.0]])
    roots = 0.6 * rng.normal(size=(3, 3, 3)) + np.eye(3)
    which = rng.integers(0, 3, N)
    rows = means[which] + np.einsum("nij,nj->ni", roots[which], rng.normal(size=(N, 3)))
    return np.column_stack([rows, rng.integers(0, 4, N) / 2.0])


# Where rows live: each takes a folder, features and weights (or None), and says what to give gaussmix.rows


def arrow(rows, weights):
    columns = list(rows.T) if weights is None else [*rows.T, weights]
    return pa.table(
        {name: np.ascontiguousarray(c) for name, c in zip(WEIGHTED[: len(columns)], columns, strict=True)}
    )


def named(source, weights, **options):
    return source, {"weights": None if weights is None else "w", "memory": 0, **options}


def of_frame(source, weights):
    return source, {"weights": None if weights is None else "w"}


def array(folder, rows, weights):
    return rows, {"weights": weights}


def array_by_column(folder, rows, weights):
    return np.asfortranarray(rows), {"weights": weights}


def memmap(folder, rows, weights):
    np.save(folder / "m.npy", rows)
    return np.load(folder / "m.npy", mmap_mode="r"), {"weights": weights}


def pandas_frame(folder, rows, weights):
    return of_frame(arrow(rows, weights).to_pandas(), weights)


def polars_frame(folder, rows, weights):
    return of_frame(pl.from_arrow(arrow(rows, weights)), weights)


def arrow_table(folder, rows, weights):
    return of_frame(arrow(rows, weights), weights)


def write_csv(path, rows, weights):
    cells = rows if weights is None else np.c_[rows, weights]
    lines = [",".join(WEIGHTED[: cells.shape[1]]), *(",".join(map(repr, row)) for row in cells.tolist())]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def csv(folder, rows, weights):
    return named(write_csv(folder / "t.csv", rows, weights), weights)


def csv_parsed_in_each_pass(folder, rows, weights):
    return named(write_csv(folder / "t.csv", rows, weights), weights, spool=False)


def csv_in_gzip(folder, rows, weights):
    return named(write_csv(folder / "t.csv.gz", rows, weights), weights)


def csv_in_memory(folder, rows, weights):
    return named(write_csv(folder / "t.csv", rows, weights), weights, memory=None)


def parquet(folder, rows, weights):
    pq.write_table(arrow(rows, weights), folder / "t.parquet", row_group_size=137)
    return named(folder / "t.parquet", weights)


def write_shards(folder, rows, weights):
    for i, (first, last) in enumerate(pairwise(RAGGED)):
        part = None if weights is None else weights[first:last]
        # Of columns in another order, and in natural order of their names.
        shard = arrow(rows[first:last], part)
        shard = shard.select(shard.column_names[::-1]) if i % 2 else shard
        pq.write_table(shard, folder / f"part-{4 * i}.parquet", row_group_size=100)
    return folder


def parquet_folder(folder, rows, weights):
    return named(write_shards(folder, rows, weights), weights)


def parquet_pattern(folder, rows, weights):
    return named(f"{write_shards(folder, rows, weights)}/part-*.parquet", weights)


def parquet_in_memory(folder, rows, weights):
    return named(write_shards(folder, rows, weights), weights, memory=None)


def arrow_file(folder, rows, weights):
    with pa.ipc.new_file(folder / "t.arrow", arrow(rows, weights).schema) as writer:
        writer.write_table(arrow(rows, weights), 133)
    return named(folder / "t.arrow", weights)


def arrow_stream(folder, rows, weights):
    with pa.ipc.new_stream(folder / "t.arrows", arrow(rows, weights).schema) as writer:
        writer.write_table(arrow(rows, weights), 133)
    return named(folder / "t.arrows", weights)


def npy_shards(folder, rows, weights):
    cells = rows if weights is None else np.c_[rows, weights]
    paths = []
    for i, (first, last) in enumerate(pairwise(RAGGED)):
        paths.append(folder / f"{i}.npy")
        np.save(paths[-1], np.asfortranarray(cells[first:last]) if i % 2 else cells[first:last])
    return paths, {"weights": None if weights is None else "x4", "memory": 0}


def mixed_list(folder, rows, weights):
    """A Parquet file, a text and an Arrow file, one after the other."""
    w = [None] * 3 if weights is None else np.split(weights, [100, 500])
    r = np.split(rows, [100, 500])
    pq.write_table(arrow(r[0], w[0]), folder / "x.parquet")
    write_csv(folder / "a.csv", r[1], w[1])
    with pa.ipc.new_file(folder / "t.arrow", arrow(r[2], w[2]).schema) as writer:
        writer.write_table(arrow(r[2], w[2]))
    return named([folder / "x.parquet", str(folder / "a.csv"), folder / "t.arrow"], weights)


SOURCES = [
    array, array_by_column, memmap, pandas_frame, polars_frame, arrow_table, csv, csv_parsed_in_each_pass,
    csv_in_gzip, csv_in_memory, parquet, parquet_folder, parquet_pattern, parquet_in_memory, arrow_file,
    arrow_stream, npy_shards, mixed_list,
]  # fmt: skip
every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
# Those that differ after the first pass.
KINDS = [array, memmap, pandas_frame, csv, parquet_folder, arrow_file, npy_shards]
every_kind = pytest.mark.parametrize("source", KINDS, ids=lambda source: source.__name__)


def rows_of(source, folder, rows, weights=None):
    where, options = source(folder, rows, weights)
    return gaussmix.rows(where, **options)


ARRAYS = ("weights_", "means_", "covariances_", "precisions_cholesky_", "volumes_")


def assert_same_bits(one, other, said=""):
    assert one.lower_bounds_ == other.lower_bounds_, said
    for name in ARRAYS:
        assert np.array_equal(getattr(one, name), getattr(other, name)), (said, name)
    assert one.n_iter_ == other.n_iter_
    assert str(one.outcome_) == str(other.outcome_)
    assert (one.noise_ is None) == (other.noise_ is None)
    if one.noise_ is not None:
        assert one.noise_.weight == other.noise_.weight


def assert_alike(one, other, said="", relative=1e-10):
    assert one.lower_bound_ == pytest.approx(other.lower_bound_, rel=relative), said
    for name in ("weights_", "means_", "covariances_"):
        a, b = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(a, b, rtol=0.0, atol=relative * np.abs(b).max(), err_msg=f"{said} {name}")
    assert one.n_iter_ == other.n_iter_, said


# Every family in every place
