"""Numbers 23 to 25, 38 and 39, and others: what only Python can hand over."""

import datetime as dt
import decimal
import fractions

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from scipy import sparse

from gaussmix.errors import DataError, DataKindError
from inputs.kinds import Answer, Fitted, Input, Table, refuses
from inputs.rowsets import normal, two_groups

TWO = {"n_components": 2}
GROUPS = np.arange(200) >= 100


def _same_as_plain(answer: Answer, made: Table) -> None:
    """The same bits as from a plain array of the same rows."""
    from gaussmix import GaussianMixture

    plain = GaussianMixture(2).fit(two_groups())
    assert np.array_equal(answer.means, plain.means_)


class Arrayed:
    """Something that NumPy can make an array of."""

    def __array__(self, dtype: object = None, copy: object = None) -> object:
        return two_groups()


class Subclass(np.ndarray):
    """An array of another class."""


class Unarrayed:
    """Something that says that it is an array and is none."""

    def __array__(self, dtype: object = None, copy: object = None) -> object:
        raise ValueError("not today")


def _frozen() -> object:
    rows = two_groups()
    rows.setflags(write=False)
    return rows


def _spread_out() -> object:
    return np.repeat(np.repeat(two_groups(), 2, axis=0), 2, axis=1)[::2, ::2]


def _backwards() -> object:
    return two_groups()[::-1, ::-1].copy()[::-1, ::-1]


def _masked() -> object:
    rows = np.ma.masked_array(normal(), mask=False)
    rows[3, 1] = np.ma.masked
    return rows


def _nullable(missing: bool) -> object:
    whole = np.round(normal(50, 1) * 10.0).ravel().astype(int)
    frame = pd.DataFrame({"a": pd.array(whole, dtype="Int64"), "b": normal(50, 1, 1).ravel()})
    if missing:
        frame.loc[4, "a"] = pd.NA
    return frame


def _frame(**columns: object) -> object:
    return pd.DataFrame({"x": normal(4, 1).ravel(), **columns})


def _object(value: object) -> object:
    rows = normal(4).astype(object)
    rows[2, 1] = value
    return rows


def kind(number, name, thing, message, of=DataKindError, no_answer=True):
    """A thing that no numbers can be made of, or none that are meant."""
    return Input(number, name, refuses(of, message, no_answer=no_answer), thing=thing, faces=("python",))


def same(number, name, thing):
    """A thing that holds the rows of two groups, whatever it looks like."""
    return Input(number, name, Fitted(_same_as_plain), thing=thing, settings=TWO, faces=("python",))


def fits(number, name, thing, says=None, **settings):
    """A thing that can be fitted."""
    return Input(number, name, Fitted(None, says), thing=thing, settings=settings, faces=("python",))


WHEN = ["2020-01-01", "2020-02-01", "2020-02-03", "2020-05-01"]

THINGS = (
    fits("23b", "Decimal", lambda: np.array([[decimal.Decimal(i) / 7] for i in range(30)], dtype=object)),
    fits("23c", "Fraction", lambda: np.array([[fractions.Fraction(i, 7)] for i in range(30)], dtype=object)),
    kind("24", "complex", lambda: np.array([[1 + 2j], [0j]]), "Complex data not supported"),
    kind(
        "24b",
        "complex with imaginary part zero",
        lambda: normal().astype(complex),
        "Complex data",
        no_answer=False,
    ),
    kind("24c", "one complex among objects", lambda: _object(1j), "row 2, column 1"),
    kind("24d", "text", lambda: np.array([["a"], ["b"]]), "the rows are text"),
    kind(
        "24e", "numbers in quotes", lambda: np.array([["1.5"], ["2"]]), "the rows are text", no_answer=False
    ),
    kind("24f", "a text among objects", lambda: _object("n/a"), "row 2, column 1 is the text 'n/a'"),
    kind("24g", "an object among objects", lambda: _object(object()), "row 2, column 1 is not a number"),
    kind("25", "dates", lambda: np.array(WHEN, dtype="datetime64[D]")[:, None], "subtract a reference date"),
    kind("25b", "a column of dates", lambda: _frame(when=pd.to_datetime(WHEN)), "column 'when' is a date"),
    kind(
        "25c", "durations", lambda: np.array([[1], [2], [9]], dtype="timedelta64[s]"), "subtract a reference"
    ),
    kind(
        "25d",
        "dates with a time zone",
        lambda: _frame(when=pd.to_datetime(WHEN, utc=True)),
        "column 'when' is a date",
    ),
    kind("25e", "a date among objects", lambda: _object(dt.date(2020, 1, 1)), "row 2, column 1 is a date"),
    same("38", "an array in Fortran's order", lambda: np.asfortranarray(two_groups())),
    same("38b", "a read-only array", _frozen),
    same("38c", "a big-endian array", lambda: two_groups().astype(">f8")),
    same("38d", "every other row and column of an array", _spread_out),
    same("38e", "an array read backwards", _backwards),
    same("38f", "80-bit floats", lambda: two_groups().astype(np.longdouble)),
    same("38g", "a column of nested lists", lambda: two_groups().tolist()),
    same(
        "38h",
        "a matrix broadcast from no bytes at all",
        lambda: np.lib.stride_tricks.as_strided(two_groups()),
    ),
    kind("39", "a sparse matrix", lambda: sparse.csr_matrix(normal()), "dense rows are needed.*toarray"),
    kind("39b", "a sparse array", lambda: sparse.coo_array(normal()), "dense rows are needed.*toarray"),
    kind("161", "a masked array", _masked, "row 3, column 1 is missing", DataError),
    kind("162", "pandas' nullable numbers with NA", lambda: _nullable(True), "row 4, column 'a'", DataError),
    fits("162b", "pandas' nullable numbers without NA", lambda: _nullable(False)),
    kind("163", "None among objects", lambda: _object(None), "row 2, column 1 is missing", DataError),
    kind("164", "a whole number of 400 digits", lambda: _object(10**400), "row 2, column 1 is not a number"),
    same("165", "an object with __array__", Arrayed),
    kind("165b", "an object whose __array__ fails", Unarrayed, "no array can be made of the rows: not today"),
    kind("166", "no array but a number", lambda: np.array(3.0), "got 0D array", DataError),
    kind(
        "166b",
        "an array of one dimension",
        lambda: normal()[:, 0],
        "got 1D array.*reshape",
        DataError,
        no_answer=False,
    ),
    kind("166c", "an array of three dimensions", lambda: np.zeros((3, 3, 3)), "got 3D array", DataError),
    kind(
        "167",
        "a structured array",
        lambda: np.zeros(5, dtype=[("a", "f8"), ("b", "f8")]),
        "structured_to_unstructured",
        no_answer=False,
    ),
    kind(
        "168",
        "lists of different lengths",
        lambda: [[1.0, 2.0], [3.0]],
        "row 1 has 1 values and row 0 has 2",
        DataError,
    ),
    kind("169", "nothing", lambda: None, "got one NoneType"),
    kind("169b", "a text", lambda: "rows.csv", "got one str .*fit_rows"),
    kind("169c", "a dict", lambda: {"a": [1.0, 2.0]}, "got one dict", no_answer=False),
    kind("169d", "a generator", lambda: (row for row in normal()), "got one generator", no_answer=False),
    kind("169e", "a set", lambda: {1.0, 2.0}, "got one set", no_answer=False),
    kind("170", "a frame without columns", lambda: pd.DataFrame(index=range(5)), "0 feature", DataError),
    kind(
        "171",
        "a frame with columns of one name",
        lambda: pd.DataFrame(normal(), columns=["a", "a"]),
        "two columns are called 'a'",
        DataError,
        no_answer=False,
    ),
    fits(
        "172",
        "a frame with columns in levels",
        lambda: pd.DataFrame(normal(), columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
    ),
    fits("172b", "a frame with columns called 0 and 1", lambda: pd.DataFrame(normal())),
    kind(
        "173",
        "a frame with names of two kinds",
        lambda: pd.DataFrame(normal(), columns=["a", 1]),
        "names|strings",
        DataError,
        no_answer=False,
    ),
    kind(
        "174", "a column of categories", lambda: _frame(c=pd.Categorical(list("abba"))), "'c' is the text 'a'"
    ),
    kind("174b", "a column of lists", lambda: _frame(c=[[1], [2], [3], [4]]), "column 'c' is not a number"),
    kind(
        "174c",
        "a column of booleans with None",
        lambda: _frame(c=[True, None, False, True]),
        "column 'c'",
        DataError,
    ),
    kind(
        "174d",
        "a column of intervals",
        lambda: _frame(c=pd.interval_range(0, 4)),
        "column 'c' is not a number",
    ),
    kind(
        "174e",
        "a column of bytes",
        lambda: _frame(c=[b"1", b"2", b"3", b"4"]),
        "column 'c' is the text",
        no_answer=False,
    ),
    fits("175", "a polars frame", lambda: pl.DataFrame({"a": normal()[:, 0], "b": normal()[:, 1]})),
    fits("175b", "an Arrow table", lambda: pa.table({"a": normal()[:, 0], "b": normal()[:, 1]})),
    kind("176", "a series", lambda: pd.Series(normal()[:, 0]), "got 1D array", DataError, no_answer=False),
    kind("177", "an array of void", lambda: np.zeros((3, 2), dtype="V8"), "row 0, column 0 is not a number"),
    same("178", "a subclass of ndarray", lambda: two_groups().view(Subclass)),
)
