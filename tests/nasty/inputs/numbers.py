"""Numbers 1 to 22 and 26 to 31: rows of numbers that any source can hold."""

import numpy as np

from gaussmix.errors import DataError
from inputs.kinds import (
    FILES,
    SOURCES,
    Answer,
    Fitted,
    Input,
    Table,
    grouped,
    means_near,
    moments,
    refuses,
)
from inputs.rowsets import halves, normal, table, two_groups

NO_TEXT = tuple(source for source in SOURCES if not source.startswith("csv"))
TWO = {"n_components": 2}
BOTH = ("python", "command line")


def _with(rows, place, value):
    rows[place] = value
    return rows


def _grouped_by_first(answer: Answer, made: Table) -> None:
    grouped(answer, made)
    assert np.allclose(np.sort(answer.means[:, 0]), [0.0, 6.0], atol=0.5), answer.means


def _spread_of_unit(answer: Answer, made: Table) -> None:
    grouped(answer, made)
    for k in range(2):
        rows = np.asarray(made.matrix)[made.groups == k]
        nearest = np.abs(answer.means - rows.mean(axis=0)).sum(axis=1).argmin()
        wanted = np.cov((rows - rows.mean(axis=0)).T, bias=True)
        error = np.abs(answer.covariances[nearest] - wanted).max()
        assert error < 0.05, f"a covariance is off by {error:.3g} where spreads are 1"


def _in_units(scales):
    def check(answer: Answer, made: Table) -> None:
        unscaled = Answer(
            answer.weights,
            answer.means / scales,
            answer.covariances / np.outer(scales, scales),
            answer.labels,
            answer.log_likelihood,
        )
        _spread_of_unit(unscaled, Table(np.asarray(made.matrix) / scales, groups=made.groups))

    return check


def _moved(by):
    return lambda: two_groups() + by


def _both_atoms(answer: Answer, made: Table) -> None:
    means_near([[0.0], [1.0]], 1e-6)(answer, made)


def _no_one_empty(answer: Answer, made: Table) -> None:
    assert np.isfinite(answer.means).all()


SCALES = np.array([1e-12, 1e12])
HEAVY = "tails are heavier than Gaussian|fourth power"
ROWS_FOUR = np.array([[1.0], [2.0], [4.0], [8.0]])

NUMBERS = (
    Input(
        "1",
        "no rows",
        refuses(DataError, "0 sample", in_files="no row"),
        table=table(lambda: np.empty((0, 2))),
    ),
    Input(
        "2", "one row, K = 1", refuses(DataError, "single point"), table=table(lambda: np.array([[1.0, 2.0]]))
    ),
    Input(
        "2b",
        "one row, K = 1, another prior",
        refuses(DataError, "single point"),
        table=table(lambda: np.array([[1.0, 2.0]])),
        settings={"prior": "conjugate"},
    ),
    Input(
        "3",
        "3 rows, K = 5",
        refuses(DataError, "3 rows cannot make .*5 components"),
        table=table(lambda: normal(3)),
        settings={"n_components": 5},
    ),
    Input(
        "4",
        "3 distinct rows, K = 4",
        refuses(DataError, "3 distinct rows cannot make 4 components"),
        table=table(lambda: np.repeat(normal(3), 10, axis=0)),
        settings={"n_components": 4},
    ),
    Input(
        "5",
        "all rows equal",
        refuses(DataError, "a single point"),
        table=table(lambda: np.full((50, 3), 7.0)),
        settings=TWO,
    ),
    Input(
        "6",
        "a constant column",
        Fitted(_grouped_by_first, r"Column '?x3'? is constant \(3\)"),
        table=halves(lambda: np.c_[two_groups(), np.full(200, 3.0)]),
        settings=TWO,
    ),
    Input(
        "6b",
        "a constant column, without a prior",
        refuses(DataError, "'(flat|x3)' is constant", no_answer=False),
        table=table(lambda: np.c_[two_groups(), np.full(200, 3.0)], names=("a", "b", "flat")),
        settings={**TWO, "prior": None},
    ),
    Input(
        "7",
        "a duplicated column",
        Fitted(_grouped_by_first, "'x1', 'x3' are collinear"),
        table=halves(lambda: two_groups()[:, [0, 1, 0]]),
        settings=TWO,
    ),
    Input(
        "7b",
        "a duplicated column, without a prior",
        refuses(DataError, "'(a|x1)', '(again|x3)' are collinear", no_answer=False),
        table=table(lambda: two_groups()[:, [0, 1, 0]], names=("a", "b", "again")),
        settings={**TWO, "prior": None},
    ),
    Input(
        "8",
        "the dummy trap",
        Fitted(None, "collinear"),
        table=table(lambda: np.c_[normal(300, 1), np.eye(3)[np.random.default_rng(0).integers(0, 3, 300)]]),
        settings={**TWO, "n_init": 1},
    ),
    Input(
        "9",
        "20 rows, 50 features",
        Fitted(None, "covariance 'diag'.*fewer than the 51|fewer than the 51.*diag|--covariance diag"),
        table=table(lambda: normal(20, 50)),
        settings={**TWO, "n_init": 1},
    ),
    Input(
        "10",
        "two atoms of 500 rows",
        Fitted(_both_atoms, "rests on 1 distinct row"),
        table=table(lambda: np.repeat([[0.0], [1.0]], 500, axis=0)),
        settings=TWO,
    ),
    Input(
        "11",
        "collapse in mid-fit, without a prior",
        Fitted(None, r"component 2 has (no spread|a covariance that is not positive)"),
        table=table(lambda: np.r_[normal(100), [[9.0, 9.0]]]),
        settings={
            **TWO,
            "prior": None,
            "means_init": [[0.0, 0.0], [9.0, 9.0]],
            "covariances_init": [1.0, 1.0],
            "weights_init": [0.9, 0.1],
        },
    ),
    Input(
        "12",
        "a component that no row is near",
        Fitted(_no_one_empty, "Component 2 was emptied"),
        table=table(normal),
        settings={
            **TWO,
            "means_init": [[0.0, 0.0], [1e5, 0.0]],
            "covariances_init": 1.0,
            "weights_init": [0.5, 0.5],
            "prior": None,
        },
    ),
    *(
        Input(
            f"13{letter}",
            f"offset {offset:g} beside unit spread, {family}",
            Fitted(check),
            table=halves(_moved(offset)),
            settings={**TWO, "covariance_type": family},
        )
        for letter, offset, family, check in (
            ("", 1e8, "full", _spread_of_unit),
            ("b", 1e8, "tied", grouped),
            ("c", 1e8, "diag", grouped),
            ("d", -1e10, "full", _spread_of_unit),
        )
    ),
    Input(
        "13e",
        "K = 1, n = 1001, mean 10000000.2, sd 0.1",
        Fitted(moments(1e-12)),
        table=table(
            lambda: np.r_[10000000.2, 10000000.1 + 0.2 * (np.arange(1000) % 2)][:, None],
        ),
        settings={"prior": None},
    ),
    Input(
        "14",
        "column scales 1e-12 and 1e12",
        Fitted(_in_units(SCALES)),
        table=halves(lambda: two_groups() * SCALES),
        settings=TWO,
    ),
    Input(
        "15",
        "a column of subnormal values",
        refuses(DataError, r"column 'x1' runs.*Multiply the column", right=moments(1e-6)),
        table=table(lambda: normal(50, 1) * 1e-310),
    ),
    Input(
        "15b",
        "one subnormal value among others",
        Fitted(moments()),
        table=table(lambda: _with(normal(50, 1), 3, 5e-324)),
        settings={"prior": None},
    ),
    Input(
        "16",
        "values near 1e308",
        refuses(DataError, "column 'x1' runs.*out of range.*Divide the column", right=moments(1e-6)),
        table=table(lambda: np.array([[1.0], [1e308], [-1e308], [2.0]])),
    ),
    Input(
        "17",
        "an infinity",
        refuses(DataError, "infinity: row 7, column", in_files="row 8, column 'b' is inf"),
        table=table(lambda: _with(normal(), (7, 1), np.inf), names=("a", "b")),
    ),
    Input(
        "17b",
        "minus infinity",
        refuses(DataError, "infinity: row 99, column", in_files="row 100, column 'x2' is -inf"),
        table=table(lambda: _with(normal(), (99, 1), -np.inf)),
    ),
    Input(
        "18",
        "a NaN",
        refuses(
            DataError,
            r"NaN: row 70, column .* is missing\. Drop such rows",
            in_files="row 71, column 'a' is missing.*--drop-missing",
        ),
        table=table(lambda: _with(normal(), (70, 0), np.nan), names=("a", "b")),
    ),
    Input(
        "19",
        "a row all NaN",
        refuses(DataError, "row 5, column 0|row 5, column 'x1'", in_files="row 6, column 'x1' is missing"),
        table=table(lambda: _with(normal(), 5, np.nan)),
    ),
    Input(
        "20",
        "a column all NaN",
        refuses(DataError, "row 0, column", in_files="row 1, column 'x2' is missing"),
        table=table(lambda: _with(normal(), (slice(None), 1), np.nan)),
        sources=NO_TEXT,
    ),
    Input(
        "20b",
        "a column all NaN, in text",
        Fitted(None, "'x2' is missing in every row, and was left out"),
        table=table(lambda: _with(normal(), (slice(None), 1), np.nan)),
        sources=("csv in memory", "csv streamed"),
    ),
    Input(
        "21",
        "float32",
        Fitted(grouped),
        table=halves(lambda: two_groups(2000).astype(np.float32)),
        settings=TWO,
        sources=NO_TEXT,
    ),
    *(
        Input(
            number,
            f"float16, in {where}",
            Fitted(grouped, "float16|3 digits"),
            table=halves(lambda: two_groups().astype(np.float16)),
            settings=TWO,
            sources=sources,
            faces=faces,
        )
        for number, where, sources, faces in (
            ("22", "memory", ("array", "data frame", "memmap"), BOTH),
            ("22c", "a file", ("parquet in memory", "parquet streamed", "npy streamed"), BOTH),
            ("22d", "an .npy file, from Python", ("npy in memory",), ("python",)),
        )
    ),
    Input(
        "22b",
        "whole numbers beyond 2^53",
        Fitted(None, r"beyond 2\^53"),
        table=table(lambda: 1000 * np.random.default_rng(0).integers(0, 20, (60, 1)) + 2**60 + 1),
    ),
    Input(
        "23",
        "bool",
        Fitted(moments()),
        table=table(lambda: np.random.default_rng(0).random((60, 2)) > 0.5),
        settings={"prior": None},
    ),
    *(
        Input(
            f"26{letter}",
            f"row weights: {word}",
            refuses(DataError, message, in_files=in_files),
            table=lambda weights=weights: Table(ROWS_FOUR, weights),
        )
        for letter, word, weights, message, in_files in (
            ("", "one is negative", [1.0, -1.0, 1.0, 1.0], "row 1 has -1", "row 2, column .*weight is -1"),
            ("b", "one is NaN", [1.0, 1.0, np.nan, 1.0], "row 2 has nan", "row 3, column .* is missing"),
            ("c", "one is infinite", [1.0, np.inf, 1.0, 1.0], "row 1 has inf", "row 2, column .* is inf"),
            ("d", "all are zero", [0.0] * 4, "zero for every row", "every row weight zero"),
        )
    ),
    Input(
        "27",
        "rows of weight zero, far away",
        Fitted(moments()),
        table=lambda: Table(_with(normal(), slice(0, 50), 1e6), np.arange(100) >= 50),
        settings={"prior": None},
    ),
    Input(
        "28",
        "row weights of 1e300",
        Fitted(moments(), "weights were divided"),
        table=lambda: Table(normal(), np.full(100, 1e300)),
        settings={"prior": None},
        sources=("array", "data frame", "memmap"),
    ),
    Input(
        "28b",
        "row weights of 1e300 in a file",
        refuses(DataError, "row 1, column .*its weight is 1e.300.*divide"),
        table=lambda: Table(normal(), np.full(100, 1e300)),
        sources=tuple(source for source in SOURCES if source.startswith(FILES)),
    ),
    Input(
        "29",
        "rows rounded to whole numbers",
        Fitted(grouped),
        table=halves(lambda: np.round(two_groups(1000) * 2.0)),
        settings={**TWO, "prior": None},
    ),
    Input(
        "30",
        "one outlier at 1e6 sigma",
        Fitted(None, r"rests on 1 distinct row \(1e\+06, 0\)"),
        table=table(lambda: np.r_[normal(200), [[1e6, 0.0]]]),
        settings=TWO,
    ),
    Input(
        "31",
        "heavy tails",
        Fitted(moments(1e-6), HEAVY),
        table=table(lambda: np.random.default_rng(0).standard_t(3, size=(2000, 2))),
        settings={"prior": None},
    ),
    Input(
        "32",
        "K = 1",
        Fitted(moments()),
        table=table(lambda: normal(50, 3)),
        settings={"prior": None},
    ),
)
