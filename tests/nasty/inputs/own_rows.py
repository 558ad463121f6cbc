"""Rows that nobody listed: scales within scales, ties, atoms, symmetry, heavy tails, hostile weights."""

import numpy as np

from gaussmix.errors import DataError
from inputs.kinds import (
    SOURCES,
    Answer,
    Fitted,
    Input,
    Table,
    grouped,
    means_near,
    moments,
    nearly_grouped,
    refuses,
)
from inputs.rowsets import halves, normal, table, two_groups

TWO = {"n_components": 2}
IN_PYTHON = ("array", "data frame", "memmap")


def _generator() -> np.random.Generator:
    return np.random.default_rng(1)


def _inner_scale(answer: Answer, made: Table) -> None:
    spreads = np.sqrt(np.sort(answer.covariances[:, 0, 0]))
    assert spreads[0] < 3e-8, f"the inner group has spread {spreads[0]:.2g}, and it is 1e-8"
    nearly_grouped(0.98)(answer, made)


def _within() -> Table:
    rng = _generator()
    inner = rng.normal(size=300) < 0.5
    matrix = np.where(inner, 0.3 + 1e-8 * rng.normal(size=300), rng.normal(size=300))
    return Table(matrix[:, None], groups=inner)


def _same_centre() -> Table:
    rng, wide = _generator(), np.arange(1000) % 2 == 0
    return Table(rng.normal(size=(1000, 3)) * np.where(wide, 10.0, 0.5)[:, None], groups=wide)


def _crossed() -> Table:
    rng, first = _generator(), np.arange(600) < 300
    rows = rng.normal(size=(600, 2)) * [5.0, 0.2]
    rows[300:] = rows[300:, ::-1]
    return Table(rows, groups=first)


def _mirrored() -> Table:
    half = two_groups(200)[:100] + 4.0
    return Table(np.r_[half, -half], groups=np.arange(200) >= 100)


def _equal_weights(answer: Answer, made: Table) -> None:
    grouped(answer, made)
    assert np.allclose(answer.weights, 0.5, atol=1e-6), answer.weights
    assert np.allclose(answer.means.sum(axis=0), 0.0, atol=1e-6), answer.means


def _one_heavy() -> Table:
    return Table(normal(), np.r_[1e15, np.ones(99)])


def _few_rows_left() -> Table:
    return Table(normal(), np.r_[1.0, np.zeros(99)])


def _lattice() -> Table:
    grid = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=-1).reshape(-1, 2)
    return Table(grid)


OWN_ROWS = (
    Input(
        "121",
        "a variance whose square root is 1e-160",
        refuses(DataError, "column 'x1' runs.*Multiply", right=moments(1e-6)),
        table=table(lambda: normal(50, 1) * 1e-160),
    ),
    Input(
        "122",
        "two columns that differ in the last digit",
        Fitted(None, "'x1', 'x2' are collinear"),
        table=table(lambda: normal(100, 1) * [1.0, 1.0 + 1e-15]),
        settings=TWO,
    ),
    Input(
        "123",
        "rows repeated a million times by their weights",
        Fitted(moments()),
        table=lambda: Table(normal(), np.full(100, 1e6)),
        settings={"prior": None},
    ),
    Input(
        "123b",
        "two groups, rows repeated a million times by their weights",
        Fitted(grouped),
        table=lambda: Table(two_groups(), np.full(200, 1e6), groups=np.arange(200) >= 100),
        settings=TWO,
    ),
    Input(
        "124",
        "one row of weight 1e15 among 99 of weight 1",
        Fitted(moments(1e-6)),
        table=_one_heavy,
        settings={"prior": None},
    ),
    Input("125", "all weight on one row", refuses(DataError, "single point"), table=_few_rows_left),
    Input(
        "126",
        "as many components as rows",
        Fitted(None, "rests on|distinct row"),
        table=table(lambda: normal(6)),
        settings={"n_components": 6},
    ),
    Input("127", "a lattice", Fitted(), table=_lattice, settings=TWO),
    Input(
        "128",
        "binary columns",
        Fitted(None, "rests on|distinct row"),
        table=table(lambda: (_generator().random((200, 3)) < 0.3).astype(float)),
        settings=TWO,
    ),
    Input(
        "129",
        "log-normal rows, 1e-9 to 1e9",
        Fitted(None, "comes from the prior"),
        table=table(lambda: np.exp(7.0 * _generator().normal(size=(300, 1)))),
        settings=TWO,
    ),
    Input(
        "130",
        "Cauchy rows",
        Fitted(None, "tails|Gaussian|rests on"),
        table=table(lambda: _generator().standard_cauchy(size=(300, 2))),
        settings=TWO,
    ),
    Input(
        "131",
        "a group of spread 1e-8 inside one of spread 1",
        Fitted(nearly_grouped(0.98), "comes from the prior"),
        table=_within,
        settings=TWO,
    ),
    Input(
        "131b",
        "a group of spread 1e-8 inside one of spread 1, without a prior",
        Fitted(_inner_scale),
        table=_within,
        settings={**TWO, "prior": None},
    ),
    Input("132", "rows that are exactly symmetric", Fitted(_equal_weights), table=_mirrored, settings=TWO),
    Input(
        "133",
        "two groups of one centre and different spread",
        Fitted(nearly_grouped(0.9)),
        table=_same_centre,
        settings=TWO,
    ),
    Input(
        "134",
        "two groups that cross at their centre",
        Fitted(nearly_grouped(0.75)),
        table=_crossed,
        settings=TWO,
    ),
    Input(
        "135",
        "a series of +1 and -1",
        Fitted(means_near([[-1.0], [1.0]], 1e-6), "rests on 1 distinct row"),
        table=table(lambda: (-1.0) ** np.arange(200)[:, None]),
        settings=TWO,
    ),
    Input(
        "136",
        "zeros with signs",
        refuses(DataError, "single point"),
        table=table(lambda: np.array([[0.0], [-0.0]] * 20)),
        settings=TWO,
    ),
    Input(
        "137",
        "a straight line in three dimensions",
        Fitted(None, "collinear"),
        table=table(lambda: np.arange(60.0)[:, None] * [1.0, 2.0, -3.0]),
        settings=TWO,
    ),
    Input(
        "138",
        "sorted rows",
        Fitted(grouped),
        table=lambda: Table(np.sort(two_groups(200, 1), axis=0), groups=np.arange(200) >= 100),
        settings=TWO,
    ),
    Input(
        "139",
        "offset 1e15, spread a few roundings",
        Fitted(None),
        table=table(lambda: 1e15 + np.round(two_groups(200, 1) * 4.0) / 4.0),
        settings=TWO,
    ),
    Input(
        "140",
        "spread 1e-130",
        Fitted(grouped),
        table=halves(lambda: two_groups() * 1e-130),
        settings=TWO,
    ),
    Input(
        "141",
        "spread 1e130",
        Fitted(grouped),
        table=halves(lambda: two_groups() * 1e130),
        settings=TWO,
    ),
    Input(
        "142",
        "a column of row numbers beside the features",
        Fitted(nearly_grouped(0.9)),
        table=lambda: Table(np.c_[two_groups(), _generator().permutation(200)], groups=np.arange(200) >= 100),
        settings=TWO,
    ),
    Input(
        "143",
        "weights from 1e-300 to 1",
        Fitted(),
        table=lambda: Table(normal(), np.r_[np.full(50, 1e-300), np.ones(50)]),
    ),
    Input(
        "144",
        "weights as text",
        refuses(DataError, "must be numbers"),
        table=lambda: Table(normal(3, 1), ["1", "2", "3"]),
        sources=IN_PYTHON,
        faces=("python",),
    ),
    Input(
        "145",
        "weights as a column",
        refuses(DataError, "1D array"),
        table=lambda: Table(normal(3, 1), np.ones((3, 1))),
        sources=IN_PYTHON,
        faces=("python",),
    ),
    Input(
        "146",
        "a weight too few",
        refuses(DataError, "one weight a row"),
        table=lambda: Table(normal(3, 1), np.ones(2)),
        sources=IN_PYTHON,
        faces=("python",),
    ),
    Input(
        "147",
        "999 equal rows and one other",
        Fitted(None, "distinct row|rests on"),
        table=table(lambda: np.r_[np.zeros((999, 1)), [[1.0]]]),
        settings=TWO,
    ),
    Input(
        "148",
        "three features, one group flat along a feature",
        Fitted(nearly_grouped(0.9), "along 'x3' comes from the prior"),
        table=halves(
            lambda: two_groups(200, 3) * np.r_[np.ones((100, 3)), np.tile([1.0, 1.0, 0.0], (100, 1))]
        ),
        settings=TWO,
    ),
)
assert all(set(one.sources) <= set(SOURCES) for one in OWN_ROWS)
