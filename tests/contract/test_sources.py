"""Wherever rows live, and whatever is fitted to them, the answer is that of the same rows in memory."""

import numpy as np
import pandas as pd
import pytest
from sources import (
    MEANS,
    MODELS,
    ROWS_OF_BLOCK,
    N,
    assert_alike,
    assert_same_bits,
    drawn,
    every_kind,
    every_source,
    mixed_list,
    rows_of,
)

import gaussmix
from gaussmix import GaussianMixture
from gaussmix.data import blocks
from gaussmix.data.files.filerows import FileRows
from gaussmix.data.memory import MemoryRows


@pytest.fixture(scope="module")
def table():
    return drawn()


@pytest.fixture
def many_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 3 * ROWS_OF_BLOCK)


@pytest.fixture(scope="module")
def in_one_block(table):
    """Each family, fitted to the array as everybody's small arrays are: in one block."""
    return {
        name: GaussianMixture(3, covariance_type=name, n_init=1).fit(table[:, :3], sample_weight=table[:, 3])
        for name in MODELS
    }


@pytest.fixture(scope="module")
def in_blocks(table):
    """Each family, fitted to the array in the blocks that files are cut into."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_VALUES", 3 * ROWS_OF_BLOCK)
        return {
            name: GaussianMixture(3, covariance_type=name, n_init=1).fit(
                table[:, :3], sample_weight=table[:, 3]
            )
            for name in MODELS
        }


@pytest.mark.parametrize("name", MODELS)
def test_blocks_change_no_answer(in_one_block, in_blocks, name):
    assert in_one_block[name].converged_
    assert_alike(in_blocks[name], in_one_block[name])


@every_source
def test_all_families_have_the_bits_of_memory(many_blocks, tmp_path, table, in_blocks, source):
    rows = rows_of(source, tmp_path, table[:, :3], table[:, 3])
    for name in MODELS:
        found = GaussianMixture(3, covariance_type=name, n_init=1).fit_rows(rows)
        assert_same_bits(found, in_blocks[name], name)


@every_source
def test_rows_are_read_in_many_blocks_and_again_in_each_pass(many_blocks, tmp_path, table, source):
    rows = rows_of(source, tmp_path, table[:, :3], table[:, 3])
    cut = list(rows.blocks())
    assert [len(block.matrix) for block in cut] == [ROWS_OF_BLOCK] * 14 + [4]
    assert np.array_equal(np.concatenate([block.matrix for block in cut]), table[:, :3])
    assert np.array_equal(np.concatenate([block.weights for block in cut]), table[:, 3])
    assert [block.passed for block in cut] == [table[: block.first, 3].sum() for block in cut]
    held = source.__name__ in ("array", "array_by_column", "memmap") or source.__name__.endswith(
        ("in_memory", "frame", "arrow_table")
    )
    assert isinstance(rows, MemoryRows if held else FileRows)
    if not held:
        before = rows.reading.passes
        model = GaussianMixture(3, n_init=1).fit_rows(rows)
        assert rows.reading.passes > before + model.n_iter_


# All else that a fit may be asked for

ASKED = {
    "maximum likelihood": {"prior": None, "n_init": 1},
    "conjugate prior": {"prior": "conjugate", "n_init": 1},
    "noise": {"noise": True, "n_init": 1},
    "search": {"n_init": "auto", "covariance_type": "diag"},
    "search with noise": {"n_components": 2, "n_init": "auto", "noise": True, "covariance_type": "diag"},
    "one component": {"n_components": 1},
    "equal weights": {"equal_weights": True, "n_init": 2},
    "shared covariances": {"means_init": MEANS, "share": {"covariances": [[0, 1]]}},
    "plain EM, every step kept": {"acceleration": None, "trace": True, "n_init": 1},
    "random starts": {"init_params": "random", "n_init": 1, "random_state": 3, "max_iter": 200},
    "given means": {"means_init": MEANS},
    "held means": {"means_init": MEANS, "hold": {"means": [1]}},
}


@pytest.fixture(scope="module")
def asked_of_memory(table):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_VALUES", 3 * ROWS_OF_BLOCK)
        return {
            (what, weighted): GaussianMixture(**{"n_components": 3, **options}).fit(
                table[:, :3], sample_weight=table[:, 3] if weighted else None
            )
            for what, options in ASKED.items()
            for weighted in (False, True)
        }


@every_kind
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weights"])
def test_whatever_is_asked_for_has_the_bits_of_memory(
    many_blocks, tmp_path, table, asked_of_memory, source, weighted
):
    rows = rows_of(source, tmp_path, table[:, :3], table[:, 3] if weighted else None)
    for what, options in ASKED.items():
        found = GaussianMixture(**{"n_components": 3, **options}).fit_rows(rows)
        expected = asked_of_memory[what, weighted]
        assert_same_bits(found, expected, what)
        if options.get("trace"):
            assert [step.objective for step in found.trace_] == [s.objective for s in expected.trace_]


@pytest.mark.parametrize("what", ASKED)
def test_row_weights_are_counts_of_rows(table, asked_of_memory, what):
    if "random" in what:
        pytest.skip("random responsibilities are of other rows when rows are repeated")
    counts = (2 * table[:, 3]).astype(int)
    options = {"n_components": 3, **ASKED[what]}
    repeated = GaussianMixture(**options).fit(np.repeat(table[:, :3], counts, axis=0))
    counted = GaussianMixture(**options).fit_rows(gaussmix.rows(table[:, :3], weights=counts))
    # Starts are drawn from rows, and come to the same end on ways of their own.
    assert counted.lower_bound_ == pytest.approx(repeated.lower_bound_, abs=2e-9)
    np.testing.assert_allclose(counted.means_, repeated.means_, atol=1e-3)


@every_source
def test_single_precision_is_kept_where_rows_have_it(many_blocks, tmp_path, table, source):
    if "csv" in source.__name__ or source is mixed_list:
        pytest.skip("text has no precision")
    rows = rows_of(source, tmp_path, table[:, :3].astype(np.float32))
    assert {block.matrix.dtype for block in rows.blocks()} == {np.dtype(np.float32)}
    expected = GaussianMixture(3, n_init=1).fit(table[:, :3].astype(np.float32))
    assert_same_bits(GaussianMixture(3, n_init=1).fit_rows(rows), expected)


@every_kind
def test_a_selection_finds_what_one_in_memory_finds(many_blocks, tmp_path, table, source):
    asked = {"n_components": (2, 3), "covariance_types": ["EEI"], "n_folds": 2}
    expected = gaussmix.select(table[:, :3], sample_weight=table[:, 3], **asked)
    rows = rows_of(source, tmp_path, table[:, :3], table[:, 3])
    found = gaussmix.select(rows, **asked)
    assert found.table == expected.table
    assert found.verdict == expected.verdict
    assert found.choice.n_components == 3
    assert_same_bits(found.best, expected.best)


@every_source
def test_rows_are_scored_and_assigned_as_in_memory(many_blocks, tmp_path, table, asked_of_memory, source):
    (tmp_path / "data").mkdir()
    rows = rows_of(source, tmp_path / "data", table[:, :3], table[:, 3])
    model, X = asked_of_memory["noise", True], table[:, :3]
    assert model.score_rows(rows) == model.score(X, sample_weight=table[:, 3])
    model.assign_rows(rows, tmp_path / "out.parquet")
    model.assign_rows(rows, tmp_path / "out.csv")
    for found in (pd.read_parquet(tmp_path / "out.parquet"), pd.read_csv(tmp_path / "out.csv")):
        assert found["row"].tolist() == list(range(1, N + 1))
        labels = found["label"].to_numpy() - 1
        assert np.array_equal(labels, model.predict(X))
        np.testing.assert_allclose(found.filter(like="probability"), model.predict_proba(X), rtol=1e-14)
        np.testing.assert_allclose(found["log_density"], model.score_samples(X), rtol=1e-13)
