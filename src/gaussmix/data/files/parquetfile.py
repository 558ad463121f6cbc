"""Parquet, a batch at a time, however large its row groups are."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from gaussmix.data.files.filebytes import FileBytes, naming
from gaussmix.data.files.sources import ArrowSource, Span, chunk_rows, first_rows

# Read of a column at a time, and of all columns together.
BUFFER_BYTES, BUFFERS_BYTES, LEAST_BUFFER = 1 << 18, 1 << 26, 1 << 12
# Of text that is only looked at, and rows of it at least.
LOOK_BYTES, LEAST_ROWS = 1 << 26, 16


class ParquetSource(ArrowSource):
    """A Parquet file."""

    def __init__(self, content: FileBytes) -> None:
        with naming(content.path, content):
            file = self._file(content, 1)
            found = file.metadata
            super().__init__(content, file.schema_arrow, found.num_rows)
            groups = [found.row_group(i) for i in range(found.num_row_groups)]
            self._group_rows = [group.num_rows for group in groups]
            self._leaves = {path: j for j, path in enumerate(_paths(file))}
            self._bytes: dict[int, int] = {}

    def record_batches(self, positions: Sequence[int], span: Span | None = None) -> Iterator[pa.RecordBatch]:
        """The columns at these positions, in this order; a span counts row groups."""
        file = self._file(self.content, len(positions))
        # Arrow chooses by name: two columns of one name both come, one after the other wherever they are in
        # the file, and with "a" perhaps "a.b".
        batches = file.iter_batches(
            chunk_rows(len(positions)),
            row_groups=None if span is None else list(range(*span)),
            columns=list(dict.fromkeys(self.schema.names[position] for position in sorted(positions))),
        )
        places: list[int] | None = None
        for batch in batches:
            if places is None:
                places = [self._place(position, batch.schema.names) for position in positions]
            yield batch.select(places)

    def spans(self, most: int) -> list[tuple[Span | None, int, int | None]]:
        """Row groups that follow one another, of about ``most`` rows together."""
        spans: list[tuple[Span | None, int, int | None]] = []
        start = before = held = 0
        for i, n_rows in enumerate(self._group_rows):
            if held and held + n_rows > most:
                spans.append(((start, i), before, held))
                start, before, held = i, before + held, 0
            held += n_rows
        return [*spans, ((start, len(self._group_rows)), before, held)]

    def n_bytes(self, positions: Sequence[int]) -> int:
        """Those of the columns' chunks."""
        # Asked of columns that have been read: what is said of others may be damaged, and Arrow then ends the
        # process.
        names = [self.schema.names[position] for position in positions]
        wanted = {self._leaves[name] for name in names if name in self._leaves}
        if missing := wanted - self._bytes.keys():
            with naming(self.path, self.content):
                found = self._file(self.content, 1).metadata
            groups = [found.row_group(i) for i in range(found.num_row_groups)]
            for j in missing:
                self._bytes[j] = sum(int(group.column(j).total_compressed_size) for group in groups)
        return sum(self._bytes[j] for j in wanted)

    def batches(self, positions: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """The first rows, fewer where they are long, and text as dictionaries."""
        names = [self.schema.names[position] for position in positions]
        if len(set(self.schema.names)) < len(self.schema) or not any(map(is_text, self._kinds(positions))):
            yield from super().batches(positions)
            return
        file = self._file(self.content, len(positions), text_columns(self.schema))
        most = rows_at_a_time(file.metadata, chunk_rows(len(positions)))
        yield from first_rows((b.select(names) for b in file.iter_batches(most, columns=names)), most)

    def _place(self, position: int, names: Sequence[str]) -> int:
        """Where a column is among names that came: the second of its name is the second of its name there."""
        name = self.schema.names[position]
        same = [j for j, other in enumerate(names) if other == name]
        return same[list(self.schema.names[:position]).count(name)]

    def _kinds(self, positions: Sequence[int]) -> list[pa.DataType]:
        return [self.schema.field(position).type for position in positions]

    def _file(self, content: FileBytes, n_columns: int, texts: Sequence[str] = ()) -> Any:
        import pyarrow.parquet as pq

        # Buffered, so that not even a row group of a whole file is ever in memory.
        size = min(max(BUFFERS_BYTES // max(n_columns, 1), LEAST_BUFFER), BUFFER_BYTES)
        return pq.ParquetFile(
            content.random(), pre_buffer=False, buffer_size=size, read_dictionary=list(texts)
        )


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text."""
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def text_columns(schema: pa.Schema) -> list[str]:
    """Names of columns of text: as dictionaries they take no more memory than they take in the file."""
    return [field.name for field in schema if is_text(field.type)]


def rows_at_a_time(metadata: Any, most: int) -> int:
    """Rows that are read together, fewer where they are long texts."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    longest = max(
        (group.total_byte_size / group.num_rows for group in groups if group.num_rows > 0), default=8
    )
    return max(min(most, int(LOOK_BYTES / max(longest, 1.0))), LEAST_ROWS)


def _paths(file: Any) -> list[str]:
    schema = file.schema
    return [schema.column(j).path for j in range(len(schema))]
