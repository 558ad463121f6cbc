"""Every family, and all else that is asked of a fit, with rows in a Spark DataFrame as in memory."""

from itertools import pairwise

import numpy as np
import pytest

import gaussmix
from contract import (
    ASKED,
    SEARCHES,
    asked,
    assert_all_families_are_alike,
    assert_answers_are_alike,
    assert_scores_are_alike,
    assert_selections_are_alike,
)
from gaussmix.data.cluster.spark import SparkRows
from gaussmix.errors import SettingsError

# PySpark 4 says so wherever it meets pandas 3, of which it needs nothing here that changed.
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.xdist_group("spark"),
]

not_to_the_end = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N, NAMES = 600, ["a", "b", "c"]


@pytest.fixture(scope="module")
def table(groups, group_weights):
    """(N, 4): rows and their weights."""
    return np.c_[groups, group_weights][:N]


@pytest.fixture(scope="module")
def frame(session, table):
    """All rows in their order, in two partitions."""
    parts = [table[a:b].tolist() for a, b in pairwise([0, 251, N])]
    spread = session.sparkContext.parallelize(parts, len(parts)).flatMap(list)
    schema = ", ".join(f"{name} double" for name in [*NAMES, "w"])
    return session.createDataFrame(spread, schema).persist()


@pytest.fixture(scope="module")
def rows(frame):
    with gaussmix.rows(frame, columns=NAMES, weights="w") as made:
        assert isinstance(made, SparkRows)
        yield made


@not_to_the_end
def test_all_families_answer_as_in_memory(rows, table):
    # Of each iteration the sums are as in memory, or they would not be after some.
    assert_all_families_are_alike(rows, table[:, :3], table[:, 3], max_iter=2)


@not_to_the_end
def test_whatever_is_asked_for_is_answered_as_in_memory(rows, table):
    assert_answers_are_alike(rows, table[:, :3], table[:, 3], ASKED, max_iter=2)


def test_a_search_answers_as_in_memory(rows, table):
    assert_answers_are_alike(rows, table[:, :3], table[:, 3], SEARCHES)


def test_a_selection_finds_what_one_in_memory_finds(rows, table):
    assert_selections_are_alike(rows, table[:, :3], table[:, 3], n_folds=0)


def test_rows_are_scored_and_assigned_as_in_memory(rows, table, tmp_path):
    assert_scores_are_alike(rows, table[:, :3], table[:, 3], tmp_path / "out.parquet")


def test_a_column_of_vectors_without_weights_is_the_same_rows(frame, table):
    from pyspark.ml.feature import VectorAssembler

    vectors = VectorAssembler(inputCols=NAMES, outputCol="features").transform(frame)
    with gaussmix.rows(vectors, columns="features") as rows:
        assert rows.feature_names == tuple(NAMES)
        assert_answers_are_alike(rows, table[:, :3], None, {"as usual": {"n_init": 1}})


@not_to_the_end
def test_a_frame_itself_is_fitted_and_named(frame, table):
    model = asked({"n_init": 1, "max_iter": 3, "tol": 1e-3}).fit_rows(frame.select("c", "a"))
    assert model.feature_names_in_.tolist() == ["c", "a"]
    assert not hasattr(model, "labels_")


def test_a_fit_goes_on_from_its_checkpoint_without_its_passes(rows, table, tmp_path, monkeypatch):
    model, path = asked({"n_init": 1}), tmp_path / "c"
    first = model.fit_rows(rows, checkpoint=path).covariances_
    added_up, made = SparkRows.added_up, []
    monkeypatch.setattr(
        SparkRows, "added_up", lambda rows, task: (made.append(task), added_up(rows, task))[1]
    )
    assert np.array_equal(model.fit_rows(rows, checkpoint=path, resume=True).covariances_, first)
    assert len(made) <= 1


def test_dask_is_no_place_for_a_frame_of_spark(frame):
    with pytest.raises(SettingsError, match="dask="):
        gaussmix.rows(frame, dask="tcp://127.0.0.1:9")
