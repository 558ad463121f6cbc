"""Rows in Spark that cannot be used are refused, and errors come back as what they are."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from sparked import N_ROWS, PLAIN, framed, with_value

from gaussmix.data.cluster.spark import SparkRows
from gaussmix.data.tasks import TakeAll
from gaussmix.errors import (
    DataError,
    DataKindError,
    DataWarning,
    DegenerateComponentError,
    FitError,
    StartError,
)
from gaussmix.kernels.contract import ScatterKind

# PySpark 4 says so wherever it meets pandas 3, of which it needs nothing here that changed.
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.xdist_group("spark"),
]


@pytest.mark.parametrize("persist", [True, False])
def test_a_value_that_is_no_number_is_named(session, table, persist):
    for value, told in ((np.nan, "missing"), (-np.inf, "-inf")):
        rows = SparkRows(framed(session, with_value(table, value), None, (600, 900)), persist=persist)
        with pytest.raises(DataError, match=f"row 100 of partition 1 .* column 'b' is {told}"):
            _ = rows.summary
        rows.close()


def test_vectors_that_cannot_be_rows_are_named(session):
    from pyspark.ml.linalg import Vectors, VectorUDT
    from pyspark.sql.types import StructField, StructType

    schema = StructType([StructField("f", VectorUDT())])
    good, sparse = Vectors.dense([1.0, 2.0]), Vectors.sparse(2, {0: 3.0})
    made = partial(session.createDataFrame, schema=schema)
    rows = SparkRows(made([(good,), (sparse,), (sparse,)]))
    np.testing.assert_array_equal(rows.added_up(TakeAll()).matrix, [[1, 2], [3, 0], [3, 0]])
    for bad, told in ((None, r"is missing \(null\)"), (Vectors.dense([1.0]), "has 1 values")):
        with pytest.raises(DataError, match=f"the vector {told}.* 2 values"):
            _ = SparkRows(made([(good,), (bad,), (sparse,)])).summary


def test_frames_that_cannot_be_rows_are_refused_with_advice(session, frame):
    text = frame.selectExpr("a", "'x' as kind", "w", "current_date() as day", "array(a, b) as both")
    assert SparkRows(text, weights="w").feature_names == ("a",)
    assert "column 'kind' is text" in SparkRows(text).notes[0]
    for columns, told in (
        (["a", "kind"], "'kind' is text"),
        (["day"], "subtract a reference date"),
        (["a", "both"], "name it alone"),
        (["a", "aa"], "did you mean 'a'"),
        (["a", "a"], "named twice"),
        ([], "no columns"),
    ):
        with pytest.raises(DataError, match=told):
            SparkRows(text, columns=columns)
    with pytest.raises(DataKindError, match="cannot be weights"):
        SparkRows(text, columns="a", weights="kind")
    with pytest.raises(DataError, match="2 columns of the DataFrame are named 'a'"):
        SparkRows(frame.select("a", "a"), columns="a")
    with pytest.raises(DataError, match=r"2 columns of the DataFrame are named 'a' \('a', 'A'\)"):
        SparkRows(frame.selectExpr("a", "b as A"))
    session.conf.set("spark.sql.caseSensitive", "true")
    try:
        assert SparkRows(frame.selectExpr("a", "b as A")).feature_names == ("a", "A")
    finally:
        session.conf.set("spark.sql.caseSensitive", "false")
    with pytest.raises(DataKindError, match=r"a Spark DataFrame is needed here; got pandas"):
        SparkRows(pd.DataFrame({"a": [1.0]}))
    with pytest.raises(DataError, match="no rows"):
        _ = SparkRows(frame.where("a > 1e9")).summary
    with pytest.raises(DataError, match="no column holds numbers"):
        SparkRows(text.select("kind"))


@pytest.mark.parametrize(
    ("weight", "told"),
    [
        ("-1", "finite and not negative"),
        ("null", "finite and not negative"),
        ("0", "zero in every"),
        ("1e200", "divide them"),
    ],
)
def test_weights_that_are_no_counts_are_refused(session, weight, told):
    rows = session.range(10).selectExpr("double(id) as a", f"double({weight}) as w")
    with pytest.raises(DataError, match=told):
        _ = SparkRows(rows, weights="w").summary


def test_odd_names_and_kinds_of_numbers_are_columns(session):
    rows = session.range(5).selectExpr(
        "id as `a.b`",
        "decimal(id) as `c``d`",
        "id % 2 = 0 as even",
        "tinyint(id) as e",
        "id + 9007199254740993 as id",
    )
    spread = SparkRows(rows)
    with pytest.warns(DataWarning, match="'id' holds integers beyond 2"):
        summary = spread.summary
    assert spread.feature_names == ("a.b", "c`d", "even", "e", "id")
    np.testing.assert_array_equal(summary.mean[:4], [2, 2, 0.6, 2])


def test_errors_of_tasks_and_of_spark_come_back_as_they_are(session, frame, table):
    class Failing:
        def __init__(self, error):
            self.error = error

        def __call__(self, _):
            raise self.error

    with SparkRows(frame, columns=PLAIN) as rows:
        with pytest.raises(DegenerateComponentError, match="component 2 has collapsed") as caught:
            rows.added_up(Failing(DegenerateComponentError(1, "has collapsed")))
        assert caught.value.component == 1
        with pytest.raises(StartError, match="responsibilities or labels need rows in memory"):
            rows.given_statistics(np.ones((N_ROWS, 1)), np.zeros((1, 3)), ScatterKind.FULL)
        with pytest.raises(FitError, match="Spark could not pass over the rows"):
            rows.added_up(Failing(ZeroDivisionError("why")))
        with pytest.raises(FitError, match="do not find gaussmix"):
            rows.added_up(Failing(ModuleNotFoundError("No module named 'gaussmix'")))
