"""Files with one line a row are written block by block, and come out as if all rows had been at hand."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from gaussmix.data import blocks
from gaussmix.data.blocks import Block
from gaussmix.data.files.opening import open_rows
from gaussmix.data.memory import MemoryRows
from gaussmix.learning.belief.rowfacts import row_facts
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings
from gaussmix.report import rowfacts_file, rowtable
from gaussmix.report.assignments import print_assignments, write_assignments
from gaussmix.report.rowfacts_file import write_row_facts


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 2)) + 5.0 * rng.integers(0, 2, (3000, 1))
    rows[::50] = rng.uniform(-20.0, 20.0, size=(60, 2))
    return rows


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "with noise"])
def mixture(request, matrix):
    return search(MemoryRows(matrix), FitSettings(2, noise=request.param, n_init=1)).mixture


@pytest.fixture
def small_blocks(monkeypatch):
    """256 rows of two features."""
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 512)


class Blocks:
    """Rows that come in blocks, so many times; perhaps the last of them cannot be read."""

    def __init__(self, matrix, n_blocks, watch=lambda: None, fails=False):
        self.matrix, self.n_blocks, self.watch, self.fails = matrix, n_blocks, watch, fails

    def blocks(self):
        size = len(self.matrix)
        for i in range(self.n_blocks):
            if self.fails and i == self.n_blocks - 1:
                raise OSError("the disk is gone")
            self.watch()
            yield Block(self.matrix.copy(), None, i * size, float(i * size))


def facts_written(mixture, rows, path):
    write_row_facts(row_facts(mixture, getattr(rows, "matrix", rows)), path)


WRITERS = pytest.mark.parametrize("write", [write_assignments, facts_written], ids=["assignments", "facts"])


def columns_of(path):
    if path.suffix == ".csv":
        return pa.csv.read_csv(path)
    return pa.parquet.read_table(path)


def test_assignments_in_blocks_have_the_same_bytes(mixture, matrix, tmp_path, small_blocks, capfdbinary):
    whole, parts = tmp_path / "whole.csv", tmp_path / "parts.csv"
    write_assignments(mixture, matrix, str(whole))
    rows = MemoryRows(matrix)
    assert len(list(rows.blocks())) == 12
    write_assignments(mixture, rows, parts)
    assert parts.read_bytes() == whole.read_bytes()
    print_assignments(mixture, rows)
    assert capfdbinary.readouterr().out == whole.read_bytes()


def test_facts_have_the_same_bytes_however_many_are_written_at_a_time(mixture, matrix, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole.csv", tmp_path / "parts.csv"
    facts_written(mixture, matrix, str(whole))
    monkeypatch.setattr(rowfacts_file, "BATCH", 256)
    facts_written(mixture, matrix, parts)
    assert parts.read_bytes() == whole.read_bytes()


def test_rows_of_no_weight_have_their_line(mixture, matrix, tmp_path, small_blocks):
    weights = np.random.default_rng(1).integers(0, 2, len(matrix))
    rows, path = MemoryRows(matrix, weights), tmp_path / "rows.parquet"
    for write in (write_assignments, facts_written):
        write(mixture, rows, path)
        assert columns_of(path)["row"].to_pylist() == [*range(1, len(matrix) + 1)]
        np.testing.assert_array_equal(
            columns_of(path)["label"].to_numpy(), mixture.labels(matrix) + 1, strict=False
        )


@WRITERS
def test_parquet_reads_back_as_csv_does(write, mixture, matrix, tmp_path, small_blocks):
    rows = MemoryRows(matrix)
    write(mixture, rows, tmp_path / "rows.csv")
    write(mixture, rows, tmp_path / "rows.parquet")
    csv, parquet = (columns_of(tmp_path / f"rows.{kind}") for kind in ("csv", "parquet"))
    assert csv.column_names == parquet.column_names
    assert parquet.schema.field("row").type == pa.int64()
    assert parquet.schema.field("label").type == pa.int32()
    for name in csv.column_names:
        np.testing.assert_array_equal(csv[name].to_numpy(), parquet[name].to_numpy())
    if write is write_assignments:
        np.testing.assert_array_equal(parquet["log_density"].to_numpy(), mixture.log_density(matrix))
        shares = np.column_stack([parquet[n].to_numpy() for n in parquet.column_names if "probab" in n])
        np.testing.assert_array_equal(shares, mixture.shares(matrix))


@WRITERS
def test_row_groups_are_of_one_size_however_rows_are_cut(write, mixture, matrix, tmp_path, monkeypatch):
    monkeypatch.setattr(rowtable, "GROUP_VALUES", 7 * 700)
    found = []
    for i, values in enumerate((1 << 21, 512, 64)):
        monkeypatch.setattr(blocks, "BLOCK_VALUES", values)
        path = tmp_path / f"{i}.PARQUET"
        write(mixture, MemoryRows(matrix), path)
        found.append(path.read_bytes())
    assert found[0] == found[1] == found[2]
    about = pa.parquet.ParquetFile(path).metadata
    size = 7 * 700 // about.num_columns
    assert [about.row_group(i).num_rows for i in range(about.num_row_groups)] == [
        *([size] * (3000 // size)),
        *([3000 % size] if 3000 % size else []),
    ]
    assert about.row_group(0).column(0).compression == "ZSTD"


@WRITERS
def test_a_whole_number_of_row_groups_leaves_no_empty_one(write, mixture, matrix, tmp_path, monkeypatch):
    n_columns = 7 if write is facts_written else 6 + (mixture.noise is not None)
    monkeypatch.setattr(rowtable, "GROUP_VALUES", 1500 * n_columns)
    write(mixture, matrix, tmp_path / "rows.parquet")
    about = pa.parquet.ParquetFile(tmp_path / "rows.parquet").metadata
    assert [about.row_group(i).num_rows for i in range(about.num_row_groups)] == [1500, 1500]


def test_rows_keep_the_numbers_they_had(mixture, matrix, tmp_path, small_blocks):
    numbers = np.arange(len(matrix)) * 3 + 7
    write_assignments(mixture, MemoryRows(matrix), tmp_path / "a.csv", numbers)
    write_row_facts(row_facts(mixture, matrix), tmp_path / "b.csv", numbers)
    for name in ("a.csv", "b.csv"):
        np.testing.assert_array_equal(columns_of(tmp_path / name)["row"].to_numpy(), numbers)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_is_replaced_whole_or_not_at_all(kind, mixture, matrix, tmp_path, monkeypatch):
    monkeypatch.setattr(rowtable, "GROUP_VALUES", 5000)
    path = tmp_path / f"rows.{kind}"
    path.write_bytes(b"what was here before")
    with pytest.raises(OSError, match="the disk is gone"):
        write_assignments(mixture, Blocks(matrix, 5, fails=True), path)
    assert path.read_bytes() == b"what was here before"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    write_assignments(mixture, Blocks(matrix, 5), path)
    assert columns_of(path)["row"].to_pylist() == [*range(1, 5 * len(matrix) + 1)]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_rows(kind, mixture, matrix, tmp_path, monkeypatch):
    monkeypatch.setattr(rowtable, "GROUP_VALUES", 20_000)
    peaks = []
    for n_blocks in (5, 50):
        arrow = [0]
        before = pa.total_allocated_bytes()

        def watch(arrow=arrow, before=before):
            arrow[0] = max(arrow[0], pa.total_allocated_bytes() - before)

        tracemalloc.start()
        write_assignments(mixture, Blocks(matrix, n_blocks, watch), tmp_path / f"rows.{kind}")
        peaks.append(tracemalloc.get_traced_memory()[1] + arrow[0])
        tracemalloc.stop()
    assert (tmp_path / f"rows.{kind}").stat().st_size > 2_000_000
    # Parquet keeps a line about each row group until the end; the rows would take more than 2 MB.
    assert peaks[1] < peaks[0] + 1_000_000


def test_rows_of_files_keep_the_numbers_they_have_there(mixture, matrix, tmp_path, small_blocks):
    holes = matrix.copy()
    holes[3::7, 0] = np.nan
    np.save(tmp_path / "t.npy", holes)
    rows = open_rows(tmp_path / "t.npy", memory=0, drop_missing=True)
    write_assignments(mixture, rows, tmp_path / "streamed.csv")
    kept = ~np.isnan(holes[:, 0])
    write_assignments(mixture, holes[kept], tmp_path / "whole.csv", np.flatnonzero(kept) + 1)
    assert (tmp_path / "streamed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
