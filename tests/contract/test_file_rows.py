"""Rows in files give the bits that the same rows in memory give, whatever the format and however cut."""

import bz2
import gzip
import io
import itertools
import lzma
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from gaussmix.data import blocks
from gaussmix.data.files import opening, sources
from gaussmix.data.files.loaded import LoadedRows
from gaussmix.data.files.opening import open_rows, parts
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import Expect
from gaussmix.kernels.contract import Precision
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings
from gaussmix.model.covariances import FAMILIES
from gaussmix.model.mixture import Mixture

NAMES = ["x1", "x2", "x3"]
N = 1000


@pytest.fixture(scope="module")
def matrix():
    """(N, 4): three features in three groups, and whole weights, some of them 0."""
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 3, N)
    features = (
        rng.normal(size=(N, 3)) * [1.0, 1e-6, 30.0] + groups[:, None] * [4.0, 6e-6, -90.0] + [0, 0, 1e4]
    )
    return np.column_stack([features, rng.integers(0, 4, N)])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 64 rows, made of chunks of 50."""
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 200)
    monkeypatch.setattr(sources, "CHUNK_ROWS", 50)


def table(matrix, order=(0, 1, 2, 3)):
    return pa.table({f"x{j + 1}": matrix[:, j].copy() for j in order})


def as_parquet(path, matrix, order=(0, 1, 2, 3)):
    pq.write_table(table(matrix, order), path, row_group_size=137)


def as_csv(matrix, end="\n", delimiter=","):
    lines = [delimiter.join([*NAMES, "x4"])]
    lines += [delimiter.join(map(repr, map(float, row))) for row in matrix]
    return (end.join(lines) + end).encode()


def as_npy(matrix):
    file = io.BytesIO()
    np.save(file, matrix)
    return file.getvalue()


def one_parquet(folder, matrix):
    as_parquet(folder / "t.parquet", matrix)
    return folder / "t.parquet"


def parquet_folder(folder, matrix):
    """Ragged shards in natural order, one of them empty, with columns in different orders."""
    cuts = [0, 0, 1, 300, 301, 777, N]
    orders = [(0, 1, 2, 3), (3, 1, 0, 2), (2, 0, 1, 3)]
    for i, (first, last) in enumerate(itertools.pairwise(cuts)):
        as_parquet(folder / f"part-{i * 4}.parquet", matrix[first:last], orders[i % 3])
    (folder / "_SUCCESS").write_text("")
    return folder


def parquet_glob(folder, matrix):
    return str(parquet_folder(folder, matrix) / "part-*.parquet")


def ipc_file(folder, matrix, compression=None):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(folder / "t.arrow", table(matrix).schema, options=options) as writer:
        writer.write_table(table(matrix), 133)
    return folder / "t.arrow"


def ipc_stream(folder, matrix, name="t.arrows"):
    with pa.ipc.new_stream(folder / name, table(matrix).schema) as writer:
        writer.write_table(table(matrix), 133)
    return folder / name


def ipc_stream_in_zstd(folder, matrix):
    with pa.CompressedOutputStream(str(folder / "t.zst"), "zstd") as out:
        out.write(ipc_stream(folder, matrix).read_bytes())
    return folder / "t.zst"


def written(name, make):
    def write(folder, matrix):
        (folder / name).write_bytes(make(matrix))
        return folder / name

    return write


def csv_shards(folder, matrix):
    shards = []
    for i, rows in enumerate(np.split(matrix, [10, 650])):
        shards.append(folder / f"s{i}.csv")
        shards[-1].write_bytes(as_csv(rows))
    (folder / "none.csv").write_bytes(b"")
    (folder / "header.csv").write_bytes(b"x1,x2,x3,x4\n")
    return [shards[0], folder / "none.csv", shards[1], folder / "header.csv", shards[2]]


def mixed(folder, matrix):
    """A Parquet file, an array and a text, one after the other."""
    as_parquet(folder / "a", matrix[:100])
    np.save(folder / "b.npy", matrix[100:350])
    (folder / "c").write_bytes(as_csv(matrix[350:]))
    return [folder / "a", folder / "b.npy", folder / "c"]


def parquet_in_gzip(folder, matrix):
    path = one_parquet(folder, matrix)
    (folder / "t.parquet.gz").write_bytes(gzip.compress(path.read_bytes()))
    return folder / "t.parquet.gz"


def by_arrow(codec):
    def pack(matrix):
        out = pa.BufferOutputStream()
        with pa.CompressedOutputStream(out, codec) as stream:
            stream.write(as_csv(matrix))
        return out.getvalue().to_pybytes()

    return pack


FORMATS = {
    "parquet": one_parquet,
    "parquet folder": parquet_folder,
    "parquet glob": parquet_glob,
    "parquet in gzip": parquet_in_gzip,
    "arrow file": ipc_file,
    "arrow file, lz4 inside": lambda folder, matrix: ipc_file(folder, matrix, "lz4"),
    "arrow stream": ipc_stream,
    "arrow stream in zstd": ipc_stream_in_zstd,
    "npy": written("t.npy", as_npy),
    "npy by columns": written("t.npy", lambda m: as_npy(np.asfortranarray(m))),
    "npy of other bytes": written("t.npy", lambda m: as_npy(m.astype(">f8"))),
    "npy in xz": written("t.npy.xz", lambda m: lzma.compress(as_npy(m))),
    "csv": written("t.csv", as_csv),
    "csv of Windows": written("t.csv", lambda m: as_csv(m, "\r\n")),
    "csv with decimal commas": written("t.csv", lambda m: as_csv(m, delimiter=";").replace(b".", b",")),
    "csv in UTF-16": written("t.csv", lambda m: as_csv(m).decode().encode("utf-16")),
    "csv in gzip": written("t.csv.gz", lambda m: gzip.compress(as_csv(m))),
    "csv in bzip2": written("t.csv.bz2", lambda m: bz2.compress(as_csv(m))),
    "csv in xz": written("t.csv.xz", lambda m: lzma.compress(as_csv(m))),
    "csv in zstd": written("t.csv.zst", by_arrow("zstd")),
    "csv in lz4": written("t.csv.lz4", by_arrow("lz4")),
    "csv shards": csv_shards,
    "mixed": mixed,
}


def mixture_of(family, matrix):
    rng = np.random.default_rng(1)
    means = matrix[rng.choice(N, 3, replace=False), :3]
    covariance = np.cov(matrix[:, :3].T)
    return Mixture([0.2, 0.3, 0.5], means, family.from_matrices(np.stack([covariance] * 3)), family)


def same_statistics(one, two):
    for name, value in (
        vars(one.sums).items() if hasattr(one.sums, "__dict__") else one.sums._asdict().items()
    ):
        other = getattr(two.sums, name)
        assert np.array_equal(value, other), name


def same_summary(one, two):
    for name, value in vars(one).items():
        assert np.array_equal(value, getattr(two, name)), name


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_bits_of_memory(tmp_path, matrix, kind, weighted):
    rows = open_rows(
        FORMATS[kind](tmp_path, matrix), columns=NAMES, weights="x4" if weighted else None, memory=0
    )
    memory = MemoryRows(matrix[:, :3].copy(), matrix[:, 3].copy() if weighted else None, NAMES)
    assert rows.feature_names == memory.feature_names
    same_summary(rows.summary, memory.summary)
    assert rows.n_rows == N
    assert np.array_equal(rows.covariance(), memory.covariance())
    for family in FAMILIES[:4]:
        mixture = mixture_of(family, matrix)
        same_statistics(rows.expected_statistics(mixture), memory.expected_statistics(mixture))
    held = np.random.default_rng(2).dirichlet(np.ones(3), N)
    same_statistics(
        rows.given_statistics(held, matrix[:3, :3], FAMILIES[0].scatter),
        memory.given_statistics(held, matrix[:3, :3], FAMILIES[0].scatter),
    )
    for size in (100, 2 * N):
        drawn = [one.sample(size, np.random.default_rng(3)) for one in (rows, memory)]
        assert np.array_equal(drawn[0][0], drawn[1][0])
        assert np.array_equal(drawn[0][1], drawn[1][1])
    for (tile, weights), (other, others) in zip(rows.tiles(), memory.tiles(), strict=True):
        assert np.array_equal(tile, other)
        assert weights is others is None or np.array_equal(weights, others)


@pytest.mark.parametrize("family", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("kind", ["parquet folder", "csv in gzip", "npy by columns"])
def test_whole_searches_give_the_bits_of_memory(tmp_path, matrix, kind, family):
    rows = open_rows(FORMATS[kind](tmp_path, matrix), columns=NAMES, weights="x4", memory=0)
    memory = MemoryRows(matrix[:, :3].copy(), matrix[:, 3].copy(), NAMES)
    settings = FitSettings(3, family, n_init=1 if family != "full" else "auto")
    one, two = search(rows, settings), search(memory, settings)
    for name in ("weights", "means", "covariances"):
        assert np.array_equal(getattr(one.mixture, name), getattr(two.mixture, name))
    assert one.history.log_likelihoods == two.history.log_likelihoods


def test_blocks_say_where_they_are(tmp_path, matrix):
    rows = open_rows(parquet_folder(tmp_path, matrix), columns=NAMES, weights="x4", memory=0)
    memory = MemoryRows(matrix[:, :3].copy(), matrix[:, 3].copy())
    for one, two in zip(rows.blocks(), memory.blocks(), strict=True):
        assert (one.first, one.passed) == (two.first, two.passed)
        assert one.matrix.shape == two.matrix.shape
        assert np.array_equal(one.weights, two.weights)
        assert one.numbers is None


def test_blocks_may_be_kept(tmp_path, matrix):
    rows = open_rows(one_parquet(tmp_path, matrix), columns=NAMES, memory=0)
    assert np.array_equal(np.concatenate([block.matrix for block in list(rows.blocks())]), matrix[:, :3])


def test_single_precision_stays_single_where_every_column_is(tmp_path, matrix):
    single = matrix.astype(np.float32)
    np.save(tmp_path / "s.npy", single)
    as_parquet(tmp_path / "s.parquet", single)
    half = table(matrix).set_column(1, "x2", pa.array(single[:, 1]))
    pq.write_table(half, tmp_path / "h.parquet")
    memory = MemoryRows(single[:, :3].copy(), None, NAMES)
    for name, dtype in (("s.npy", np.float32), ("s.parquet", np.float32), ("h.parquet", np.float64)):
        rows = open_rows(tmp_path / name, columns=NAMES, memory=0)
        assert {block.matrix.dtype for block in rows.blocks()} == {np.dtype(dtype)}
        if dtype == np.float32:
            same_summary(rows.summary, memory.summary)
    both = open_rows([tmp_path / "s.parquet", tmp_path / "h.parquet"], columns=NAMES, memory=0)
    assert next(both.blocks()).matrix.dtype == np.float64


@pytest.mark.parametrize("kind", ["parquet folder", "csv", "npy", "mixed"])
def test_rows_with_missing_values_left_out_are_as_if_they_never_were(tmp_path, matrix, kind):
    holes = matrix.copy()
    gone = np.arange(N) % 7 == 3
    holes[gone, np.arange(N)[gone] % 4] = np.nan
    rows = open_rows(FORMATS[kind](tmp_path, holes), columns=NAMES, weights="x4", drop_missing=True, memory=0)
    memory = MemoryRows(matrix[~gone][:, :3].copy(), matrix[~gone, 3].copy(), NAMES)
    assert rows.n_rows is None
    same_summary(rows.summary, memory.summary)
    assert rows.n_rows == (~gone).sum()
    assert rows.notes[-1] == f"{gone.sum()} of {N} rows have missing values and were left out"
    numbers = np.concatenate([block.numbers for block in rows.blocks()])
    assert np.array_equal(numbers, np.flatnonzero(~gone) + 1)


@pytest.mark.parametrize("kind", FORMATS)
def test_small_files_are_read_into_memory(tmp_path, matrix, kind):
    rows = open_rows(FORMATS[kind](tmp_path, matrix), columns=NAMES, weights="x4")
    assert isinstance(rows, LoadedRows)
    assert np.array_equal(rows.matrix, matrix[:, :3])
    assert np.array_equal(rows.weights, matrix[:, 3])
    assert rows.n_rows == N
    assert rows.reading.passes == 1
    assert rows.row_numbers is None


@pytest.mark.parametrize("kind", FORMATS)
def test_the_size_in_memory_is_known_before_reading(tmp_path, matrix, kind, monkeypatch):
    path, size = FORMATS[kind](tmp_path, matrix), N * 4 * 8
    # Of a stream of record batches little is known before it ends, and of a file where Arrow does not count.
    counts = hasattr(pa.ipc.RecordBatchFileReader, "count_rows")
    silent = "arrow stream" in kind or ("arrow file" in kind and not counts)
    loose = 0.95 if silent else 0.05
    assert isinstance(open_rows(path, memory=int(size * (1 + loose))), LoadedRows)

    def loaded(*_):
        raise AssertionError("read into memory in vain")

    monkeypatch.setattr(opening, "LoadedRows", loaded)
    assert open_rows(path, memory=int(size * (1 - loose))).summary.n_rows == N


def test_the_size_of_a_long_text_is_guessed_from_its_beginning(tmp_path, monkeypatch):
    path = tmp_path / "long.csv"
    pyarrow.csv.write_csv(pa.table({"a": np.random.default_rng(0).normal(size=60_000)}), path)
    assert path.stat().st_size > 1 << 18
    assert isinstance(open_rows(path, memory=int(60_000 * 8 * 1.02)), LoadedRows)
    monkeypatch.setattr(opening, "LoadedRows", None)
    assert open_rows(path, memory=int(60_000 * 8 * 0.98)).n_rows == 60_000


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - {"parquet in gzip", "npy in xz"}))
def test_parts_are_all_rows_once_and_can_be_sent_away(tmp_path, matrix, kind):
    found = parts(FORMATS[kind](tmp_path, matrix), columns=NAMES, weights="x4", part_rows=150)
    found = pickle.loads(pickle.dumps(found))
    rows = [block for part in found for block in part.blocks()]
    assert np.array_equal(np.concatenate([block.matrix for block in rows]), matrix[:, :3])
    assert np.array_equal(np.concatenate([block.weights for block in rows]), matrix[:, 3])
    assert max(len(block.matrix) for block in rows) == 64
    if kind in ("parquet", "npy", "npy by columns"):
        assert len(found) == {"parquet": 8}.get(kind, 7)
        assert sum(part.n_rows for part in found) == N
    reading = [part.read() for part in found]
    assert sum(len(block.matrix) for one in reading for block in one.blocks()) == N
    assert sum(one.seen for one in reading) == N


def test_sums_of_parts_are_those_of_all(tmp_path, matrix):
    path, mixture = one_parquet(tmp_path, matrix), mixture_of(FAMILIES[0], matrix)
    whole = open_rows(path, columns=NAMES, memory=0).expected_statistics(mixture)
    task = Expect(mixture, Precision.DOUBLE)
    added = blocks.added_up(
        task(block) for part in parts(path, columns=NAMES, part_rows=150) for block in part.blocks()
    )
    np.testing.assert_allclose(added.sums.scatter, whole.sums.scatter, rtol=1e-10)
    assert added.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)


def test_a_fingerprint_tells_files_and_columns_apart(tmp_path, matrix):
    import os
    import shutil

    path = one_parquet(tmp_path, matrix)

    def print_of(path=path, **options):
        return open_rows(path, memory=0, **options).fingerprint

    first = print_of()
    assert first == print_of(tmp_path) == print_of([path])
    assert len({first, print_of(columns=NAMES), print_of(weights="x4"), print_of([path, path])}) == 4
    assert print_of(columns=NAMES) != print_of(columns=NAMES[::-1])
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    shutil.copy2(path, elsewhere)
    assert print_of(elsewhere) == first
    facts = path.stat()
    path.write_bytes(path.read_bytes()[:-9] + b"x" + path.read_bytes()[-8:])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(ValueError, match="cannot be read"):
        print_of()


def test_reading_is_counted(tmp_path, matrix):
    path = one_parquet(tmp_path, matrix)
    rows = open_rows(path, memory=0)
    rows.summary  # noqa: B018
    list(rows.blocks())
    reading = rows.reading
    assert (reading.passes, reading.rows) == (2, 2 * N)
    assert 0 < reading.bytes_read < 2 * path.stat().st_size
    assert 0 < reading.waited < reading.seconds
    assert reading.rows_per_second == pytest.approx(2 * N / reading.seconds)


def test_no_more_than_a_few_blocks_are_made_ahead(tmp_path, matrix, monkeypatch):
    from gaussmix.data.files import filerows

    made = []
    whole = filerows.Cutting._block

    def counted(self):
        made.append(self.n_rows)
        return whole(self)

    monkeypatch.setattr(filerows.Cutting, "_block", counted)
    import time

    found = open_rows(one_parquet(tmp_path, matrix), columns=NAMES, memory=0).blocks()
    for taken in range(1, 5):
        next(found)
        time.sleep(0.02)
        assert len(made) <= taken + 2
    found.close()
    time.sleep(0.02)
    assert len(made) <= 6
