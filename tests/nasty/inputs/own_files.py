"""Files that nobody listed."""

import bz2
import gzip
import json

import numpy as np
import pyarrow as pa

from inputs.kinds import means_near
from inputs.making import (
    PLAIN,
    array,
    bad,
    content,
    good,
    loop,
    named,
    parquet,
    patched,
    two_columns,
    zip_archive,
)
from inputs.rowsets import normal, two_groups

OWN_FILES = (
    good("181", "a line break in a file's name", named("two\nlines.csv")),
    good("181b", "an escape sequence in a file's name", named("\x1b[31mred.csv")),
    good("181c", "a file's name that is a pattern", named("[1]*.csv")),
    good("181d", "a file's name of 250 letters", named("x" * 246 + ".csv")),
    bad("182", "a link to itself", loop, "loop.csv: Too many levels of symbolic links"),
    bad("183", "/dev/null", lambda _: "/dev/null", "file is empty"),
    bad(
        "184",
        "weights that are a feature, too",
        content("a,w\n1,1\n2,1\n4,2\n7,1\n"),
        "'w'.*cannot be a feature too",
        rows={"columns": ["a", "w"], "weights": "w"},
    ),
    bad("184b", "weights that are not there", content(PLAIN), "no column 'w'", rows={"weights": "w"}),
    bad("184c", "a column that is not there", content(PLAIN), "no column 'q'", rows={"columns": ["a", "q"]}),
    bad(
        "184d",
        "one column twice",
        content(PLAIN),
        "'a' is named twice|named twice",
        rows={"columns": ["a", "a"]},
    ),
    bad("184e", "weights of text", content("a,w\n1,x\n2,y\n"), "'w' is text", rows={"weights": "w"}),
    bad(
        "185",
        "a quotation mark that never ends",
        content('a,b,c\n1,2,x\n3,4,y\n5,7,"z\n' + "4,4,y\n" * 50),
        "quot",
    ),
    bad(
        "185b",
        "a quotation mark that never ends, before a number",
        content(PLAIN + '3,"4\n' + "3,4\n" * 50),
        "row 6 holds '4",
    ),
    bad(
        "186",
        "printed columns, set apart by blanks",
        content("a    b\n1.5  2\n10   3\n"),
        "set apart by blanks",
    ),
    bad("187", "two tables, one after the other", content(PLAIN + PLAIN), "row 6 holds 'a'|holds 'a'"),
    good("188", "percent signs", content("a,b\n1,5%\n2,7%\n4,1%\n"), "'b' is text, and was left out"),
    bad("188b", "only percent signs", content("b\n5%\n7%\n1%\n"), "no column holds numbers"),
    bad(
        "189",
        "a minus sign of typographers",
        content("a\n1\n2\n−3\n4\n5\n"),
        "row 3 holds '−3'",
        right=means_near([[1.8]], 1e-9),
    ),
    bad(
        "189b",
        "0x10 among numbers",
        content("a\n1\n2\n0x10\n4\n5\n"),
        "row 3 holds '0x10'",
        right=means_near([[5.6]], 1e-9),
        faces=("python",),
    ),
    bad(
        "189c",
        "1_000 among numbers",
        content("a\n1\n2\n1_000\n4\n5\n"),
        "row 3 holds '1_000'",
        right=means_near([[202.4]], 1e-9),
    ),
    bad(
        "189d",
        "a euro sign among numbers",
        content("a\n1\n2\n€30\n4\n5\n"),
        "row 3 holds '€30'",
        right=means_near([[8.4]], 1e-9),
    ),
    good(
        "190",
        "a comma at the end of each line",
        content("a,b,\n1,2,\n3,5,\n4,1,\n7,7,\n"),
        "missing in every row",
    ),
    bad("191", "a comment above the header", content("# made in 2020\n" + PLAIN), "no column holds numbers"),
    good("192", "line ends of three kinds", content("a,b\r\n1,2\n3,5\r\n4,1\n7,7\r\n")),
    good(
        "193",
        "dates beside numbers",
        content("when,a\n2020-01-01,1\n2020-01-02,3\n2020-01-03,4\n"),
        "'when' holds dates",
    ),
    bad(
        "193b",
        "dates only",
        content("when\n2020-01-01\n2020-01-02\n"),
        "no column holds numbers.*dates|dates",
    ),
    good("194", "true and false", content("a,b\ntrue,1\nfalse,2\ntrue,4\nfalse,5\n")),
    bad(
        "195",
        "a picture",
        content(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", "t.png"),
        "NUL bytes|not text",
    ),
    bad("195b", "a zip archive", zip_archive, "NUL bytes|not text|zip", no_answer=False),
    bad(
        "195c",
        "a JSON file",
        content(json.dumps([{"a": 1}, {"a": 2}])),
        "no column holds numbers|no row|JSON",
    ),
    bad(
        "195d",
        "a web page",
        content("<html><body>404, not found</body></html>\n"),
        "no row|no column|numbers",
    ),
    bad(
        "195e", "a file of random bytes", content(np.random.default_rng(0).bytes(5000)), "NUL bytes|not text"
    ),
    bad(
        "196", ".npy of objects", array(lambda: np.array([{"a": 1}], dtype=object)), "objects|cannot be read"
    ),
    bad(
        "196b", ".npy of complex numbers", array(lambda: normal().astype(complex)), "real numbers.*complex128"
    ),
    bad("196c", ".npy of three dimensions", array(lambda: np.zeros((2, 2, 2))), r"\(2, 2, 2\)"),
    bad(
        "196d", ".npy of dates", array(lambda: np.array(["2020-01-01"], "M8[D]")), "real numbers.*datetime64"
    ),
    bad(
        "196e",
        ".npy that says that it holds more than it does",
        patched(array(lambda: two_groups(100)), b"(100, 2)", b"(999999, 2)"),
        "cannot be read",
    ),
    good("196f", ".npy in Fortran's order", array(lambda: np.asfortranarray(two_groups()))),
    good("196g", ".npy of one dimension", array(lambda: normal()[:, 0])),
    good("196h", ".npy of big-endian numbers", array(lambda: two_groups().astype(">f8"))),
    bad("197", "Parquet of text only", parquet(lambda: {"a": ["x", "y"]}), "no column holds numbers"),
    bad("197b", "Parquet of nulls only", parquet(lambda: {"a": pa.nulls(4)}), "missing|no column"),
    good(
        "197c",
        "Parquet of decimals",
        parquet(lambda: {"a": pa.array([1, 2, 5, 9]).cast(pa.decimal128(22, 2))}),
    ),
    bad(
        "197d",
        "Parquet with a damaged middle",
        patched(parquet(two_columns, compression="none"), b"PAR1\x15", b"PAR1\xff"),
        "cannot be read",
    ),
    good("198", "bzip2", content(bz2.compress(PLAIN.encode()), "t.csv.bz2")),
    good("198b", "gzip in gzip's wrong name", content(gzip.compress(PLAIN.encode()), "t.csv")),
    bad(
        "198c",
        "gzip in gzip",
        content(gzip.compress(gzip.compress(PLAIN.encode())), "t.csv.gz"),
        "NUL|not text|cannot",
    ),
)
