"""Numbers 41 to 58 and 61: files as people write them, and as nobody should."""

import gzip
import os

import numpy as np
import pyarrow as pa

from inputs.making import (
    PLAIN,
    TEXT_MISSING,
    array,
    bad,
    content,
    cut,
    empty_folder,
    empty_groups,
    far_down,
    good,
    line_of_4_gb,
    long_line,
    named,
    nested,
    parquet,
    shards,
    two_columns,
    unreadable,
    wide,
)
from inputs.rowsets import two_groups

LISTED = (
    bad("41", "an empty file", content(""), "table.csv: the file is empty"),
    bad("41b", "empty lines only", content("\n\n\n"), "table.csv: the file is empty"),
    bad("42", "a header only", content("a,b\n"), "no row of data|no rows of data"),
    good(
        "43", "no header", content(PLAIN.split("\n", 1)[1]), "there is no header; columns are called x1, x2"
    ),
    good("44", "a byte order mark", content(b"\xef\xbb\xbf" + PLAIN.encode())),
    good("44b", "UTF-16", content(PLAIN.encode("utf-16"))),
    good("44c", "Latin-1", content(PLAIN.replace("a,", "größe,").encode("latin-1")), "read as Latin-1"),
    good(
        "45", "semicolons and decimal commas", content("a;b\n1,5;20\n2,5;30,25\n-3;4\n7;1\n"), "decimal comma"
    ),
    good("45b", "tabs", content(PLAIN.replace(",", "\t"))),
    good("45c", "bars", content(PLAIN.replace(",", "|"))),
    bad("46", "a ragged row", content("a,b\n1,2\n3\n4,5\n"), "line 3 has 1 cells where the first has 2: '3'"),
    bad("46b", "a row too long", content("a,b\n1,2\n3,4,5\n"), "has 3 cells where the first has 2"),
    good("47", "two columns of one name", content(PLAIN.replace("a,b", "a,a")), "is called 'a_2'"),
    good("47b", "a column without a name", content(PLAIN.replace("a,b", ",b"))),
    good("47c", "a name of 100 kB", content(PLAIN.replace("a,b", "x" * 100_000 + ",b"))),
    good("47d", "control characters in a name", content(PLAIN.replace("a,b", "a\x07\x08,b"))),
    good("47e", "an emoji for a name", content(PLAIN.replace("a,b", "📏,b"))),
    good("48", "a quoted line break", content(PLAIN.replace("a,b", '"two\nlines",b'))),
    bad("49", "NUL bytes", content(b"a,b\n1,2\n\x00,4\n"), "NUL bytes"),
    good("50", "CRLF, no final newline", content(PLAIN.replace("\n", "\r\n").rstrip())),
    bad("51", "text that first appears at row 10,000,001", far_down, "row 10000001 holds 'oops'", heavy=True),
    bad(
        "52",
        "a number with a thousands separator",
        content('a,b\n1,"1,234"\n3,4\n5,6\n'),
        "row 1 holds '1,234'",
    ),
    bad("52b", "NA", content("a,b\n1,2\n3,NA\n4,1\n"), TEXT_MISSING),
    good(
        "52c",
        "NA, and rows with it left out",
        content(PLAIN + "3,NA\n"),
        "1 of 6 rows",
        rows={"drop_missing": True},
    ),
    bad("52d", "a dash for nothing", content("a,b\n1,2\n3,-\n5,6\n7,8\n"), "column 'b' .*row 2 holds '-'"),
    bad("52e", "1e400", content("a,b\n1,2\n3,1e400\n4,4\n"), "row 2, column 'b' is inf"),
    good("52f", "1e-400", content("a,b\n1,2\n3,1e-400\n4,4\n6,1\n")),
    bad(
        "53",
        "a million columns",
        wide(1_000_000),
        "columns|a line is longer",
        heavy=True,
    ),
    bad("54", "a line of 4 GB", line_of_4_gb(b"a,b\n1,2\n3,4\n"), "NUL bytes"),
    bad("54b", "a cell of 24 MB", long_line, "a line is longer than 4 MB|straddling|longer"),
    bad(
        "55",
        "half of a gzip file",
        cut(content(gzip.compress(b"a,b\n" + b"1,2\n3,4\n" * 1000), "t.csv.gz"), 20),
        "t.csv.gz: cannot be read",
    ),
    bad("55b", "half of a Parquet file", cut(parquet(two_columns), 100), "table.parquet: cannot be read"),
    bad("55c", "half of an .npy file", cut(array(two_groups), 100), "table.npy: cannot be read"),
    bad(
        "55d",
        "gzip that is none",
        content(b"\x1f\x8bgarbage garbage", "t.csv.gz"),
        "cannot be (read|unpacked)",
    ),
    bad(
        "56",
        "20 MB of one number in 20 kB of gzip",
        content(gzip.compress(b"a\n" + b"7\n" * 10_000_000, 6), "t.csv.gz"),
        "a single point",
        heavy=True,
    ),
    bad(
        "56b",
        "3,000,000 equal rows in 5 kB of Parquet",
        parquet(lambda: {"a": np.zeros(3_000_000)}),
        "a single point",
    ),
    good(
        "57",
        "nested columns and dictionaries",
        parquet(nested),
        "'list' holds.*'parts' holds.*'word' is text",
    ),
    good("57b", "empty row groups", empty_groups),
    bad("57c", "no row groups at all", parquet(lambda: {"a": pa.array([], pa.float64())}), "no rows of data"),
    bad(
        "58",
        "shards of different columns",
        shards({"a": [1.0, 2.0], "b": [1.0, 3.0]}, {"a": [1.0]}),
        "2.parquet: has no column 'b', which .*1.parquet has",
    ),
    bad(
        "58b",
        "shards of different types",
        shards({"a": [1.0, 2.0]}, {"a": ["x"]}),
        "2.parquet: column 'a' is text",
    ),
    good(
        "58c",
        "shards with columns in another order",
        shards(two_columns(), dict(reversed(two_columns().items()))),
    ),
    bad("61", "a folder without files", empty_folder, "the folder holds no file"),
    bad("61b", "a file that is not there", lambda folder: folder / "gone.csv", "gone.csv: No such file"),
    bad(
        "61c",
        "a pattern that nothing fits",
        lambda folder: str(folder / "*.csv"),
        "no file has a name like that",
    ),
    good("61d", "a name that begins with a dash", named("-k.csv")),
)

UNREADABLE = (
    (bad("61e", "a file that may not be read", unreadable, "secret.csv: Permission denied"),)
    if os.geteuid()
    else ()
)
FILES = (*LISTED, *UNREADABLE)
