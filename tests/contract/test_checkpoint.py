"""A fit that is stopped anywhere and resumed ends with the same bits, or says why it cannot be resumed."""

import subprocess
import sys

import numpy as np
import pytest
from checkpointed import N_ROWS, Watched, counted_twice, passes_on, same, table

import gaussmix
from gaussmix import kernels
from gaussmix.data import blocks
from gaussmix.data.checkpoints import journal, sameness
from gaussmix.data.checkpoints.checkpoint import Checkpointed, describe
from gaussmix.data.checkpoints.journal import Journal
from gaussmix.data.memory import MemoryRows
from gaussmix.data.tasks import TakeAll
from gaussmix.errors import CheckpointError, DataWarning
from gaussmix.learning.search import search
from gaussmix.learning.settings import FitSettings, GivenStart


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 256)


CASES = {
    "full": ({}, None),
    "full, single precision": ({}, "floats"),
    "tied": ({"covariance_type": "tied"}, None),
    "diag, weights": ({"covariance_type": "diag"}, "weights"),
    "EVE": ({"covariance_type": "EVE"}, None),
    "VEV, weights": ({"covariance_type": "VEV"}, "weights"),
    "noise": ({"noise": True}, None),
    "no prior": ({"prior": "none"}, None),
    "conjugate prior, weights": ({"prior": "conjugate"}, "weights"),
    "plain steps": ({"acceleration": "none"}, None),
    "given labels": ({"given": GivenStart(responsibilities=np.eye(3)[np.arange(N_ROWS) % 3])}, None),
    "two starts": ({"n_init": 2, "max_iter": 5}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fit_stopped_after_any_pass_ends_with_the_same_bits(case, tmp_path, monkeypatch):
    options, how = CASES[case]
    if how == "floats":
        if not kernels.KERNEL_NAME.startswith("native"):
            pytest.skip("the readable kernel computes in doubles only")
        monkeypatch.setattr("gaussmix.kernels.native.QUICK_SIZE", 0)
    settings = FitSettings(**{"n_components": 3, "n_init": 1, "max_iter": 7, **options})
    matrix = table().astype(np.float32) if how == "floats" else table()
    rows = Watched(matrix, counted_twice() if how == "weights" else None)
    rows.stopped_after(np.inf)
    plain = search(rows, settings)
    assert (plain.history.n_rough > 0) == (how == "floats")
    with Checkpointed(rows.stopped_after(np.inf), tmp_path / "whole", settings) as whole:
        assert same(search(whole, settings), plain)
    n_passes, n_unknown = rows.made, whole.n_made - whole.n_recorded
    assert n_passes == whole.n_made >= 9
    assert n_unknown <= 2
    for stop in range(n_passes):
        path = tmp_path / f"{stop}"
        with (
            pytest.raises(KeyboardInterrupt),
            Checkpointed(rows.stopped_after(stop), path, settings) as part,
        ):
            search(part, settings)
        with Checkpointed(rows.stopped_after(np.inf), path, settings, resume=True) as rest:
            n_recorded = rest.n_recorded
            assert stop - n_unknown <= n_recorded <= stop
            assert same(search(rest, settings), plain)
        assert rows.made == rest.n_made == n_passes - n_recorded
        assert rest.n_unused == 0


def test_a_fit_stopped_after_every_single_pass_comes_to_its_end(tmp_path):
    settings = FitSettings(3, n_init=1, max_iter=11)
    rows = Watched(table())
    plain, lives, found = search(rows, settings), 0, None
    rows.stopped_after(np.inf)
    search(rows, settings)
    n_passes = rows.made
    while found is None:
        with Checkpointed(rows.stopped_after(1), tmp_path / "c", settings, resume=True) as part:
            try:
                found = search(part, settings)
            except KeyboardInterrupt:
                lives += 1
    assert same(found, plain)
    assert n_passes - 1 <= lives <= n_passes


def test_a_whole_search_is_resumed_too(tmp_path):
    settings = FitSettings(2)
    rows = Watched(table(120))
    rows.stopped_after(np.inf)
    plain = search(rows, settings)
    n_passes = rows.made
    for stop in (3, n_passes // 2):
        path = tmp_path / f"{stop}"
        with (
            pytest.raises(KeyboardInterrupt),
            Checkpointed(rows.stopped_after(stop), path, settings) as part,
        ):
            search(part, settings)
        with Checkpointed(rows.stopped_after(np.inf), path, settings, resume=True) as rest:
            found = search(rest, settings)
        assert same(found, plain)
        assert found.search.best == plain.search.best


def test_a_finished_fit_is_resumed_without_a_pass(tmp_path):
    settings = FitSettings(3, n_init=1, max_iter=11)
    rows = Watched(table())
    with Checkpointed(rows, tmp_path / "c", settings) as first:
        plain = search(first, settings)
    n_unknown = first.n_made - first.n_recorded
    with Checkpointed(rows.stopped_after(n_unknown), tmp_path / "c", settings, resume=True) as again:
        assert same(search(again, settings), plain)
    assert again.n_replayed == again.n_recorded == first.n_recorded


def test_a_fit_that_stopped_at_its_limit_goes_on_if_the_limit_is_no_part_of_its_settings(tmp_path):
    few, many = (FitSettings(3, n_init=1, acceleration="none", max_iter=m) for m in (3, 12))
    rows = Watched(table())
    with Checkpointed(rows, tmp_path / "c", "mine") as first:
        search(first, few)
    # Nobody asks again for the review of where the first one stopped.
    with (
        pytest.warns(DataWarning, match="1 of the passes in the checkpoint were not asked for again"),
        Checkpointed(rows.stopped_after(np.inf), tmp_path / "c", "mine", resume=True) as more,
    ):
        assert same(search(more, many), search(MemoryRows(table()), many))
    # 4 of 13 E-steps are there; the review is another pass.
    assert 9 <= rows.made <= 10


# ------------------------------------------------------------------------------------ another fit


def refusal(path, rows, settings, **options):
    with pytest.raises(CheckpointError) as caught:
        Checkpointed(rows, path, settings, resume=True, **options)
    return str(caught.value)


def test_another_fit_is_refused_and_what_differs_is_named(tmp_path, monkeypatch):
    path, settings, rows = tmp_path / "c", FitSettings(3), MemoryRows(table())
    Checkpointed(rows, path, settings).close()
    before = path.read_bytes()
    words = refusal(path, rows, FitSettings(4, covariance_type="diag"))
    assert "n_components was 3 and is 4" in words
    assert "covariance_type was 'full' and is 'diag'" in words
    assert "begin anew under another name" in words
    given = GivenStart(means=np.zeros((3, 2)))
    assert "given was another one and is another one" in refusal(path, rows, FitSettings(3, given=given))
    changed = table()
    changed[-1, -1] = np.nextafter(changed[-1, -1], np.inf)
    assert "rows are not those" in refusal(path, MemoryRows(changed), settings)
    with monkeypatch.context() as patch:
        patch.setattr(sameness, "__version__", "9.9")
        assert f"it is of gaussmix {gaussmix.__version__}, and this is 9.9" in refusal(path, rows, settings)
    with monkeypatch.context() as patch:
        patch.setattr(blocks, "BLOCK_VALUES", 512)
        assert "cut into other blocks" in refusal(path, rows, settings)
    with monkeypatch.context() as patch:
        patch.setattr(sameness, "arithmetic", lambda: "native (abacus)")
        assert "here is native (abacus)" in refusal(path, rows, settings)
        Checkpointed(rows, path, settings, resume=True, exact=False).close()
    assert path.read_bytes() == before


def test_settings_may_be_anything_that_has_a_digest(tmp_path):
    rows = MemoryRows(table())
    Checkpointed(rows, tmp_path / "c", {"models": ("full", "EVE"), "most": 5}).close()
    assert "most was 5 and is not there" in refusal(tmp_path / "c", rows, {"models": ("full", "EVE")})
    Checkpointed(rows, tmp_path / "c", {"most": 5, "models": ("full", "EVE")}, resume=True).close()
    with pytest.raises(CheckpointError, match="object is not of a kind"):
        Checkpointed(rows, tmp_path / "d", {"what": object()})


def test_nothing_is_overwritten_unasked(tmp_path):
    rows, path = MemoryRows(table()), tmp_path / "c"
    path.write_text("a poem")
    with pytest.raises(CheckpointError, match="is there already, and not a gaussmix checkpoint"):
        Checkpointed(rows, path)
    assert "not a gaussmix checkpoint" in refusal(path, rows, "")
    with pytest.raises(CheckpointError, match="is there already"):
        Journal.create(path, {})  # as if another process had been quicker
    assert path.read_text() == "a poem"
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    path.write_bytes(journal.MAGIC.replace(b"1", b"2") + b"and so on")
    assert "of a format that this gaussmix does not know" in refusal(path, rows, "")
    assert "is no file" in refusal(tmp_path, rows, "")
    with pytest.raises(CheckpointError, match="cannot be written: No such file or directory"):
        Checkpointed(rows, tmp_path / "no" / "folder")
    Checkpointed(rows, tmp_path / "good").close()
    with pytest.raises(CheckpointError, match="is there already: resume it, give another name, or delete it"):
        Checkpointed(rows, tmp_path / "good")


def test_resuming_where_there_is_nothing_begins(tmp_path):
    with Checkpointed(MemoryRows(table()), tmp_path / "c", resume=True) as rows:
        passes_on(rows)
    assert (rows.n_replayed, rows.n_made) == (0, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    assert (tmp_path / "c").stat().st_mode & 0o077 == 0


def test_a_way_that_differs_from_the_recorded_one_is_told(tmp_path):
    rows = MemoryRows(table())
    with Checkpointed(rows, tmp_path / "c") as held:
        passes_on(held)
    held = Checkpointed(rows, tmp_path / "c", resume=True)
    held.added_up(TakeAll())
    with pytest.warns(DataWarning, match="3 of the passes in the checkpoint were not asked for again"):
        held.__exit__(None, None, None)


def test_a_checkpoint_is_for_one_fit_at_a_time(tmp_path):
    rows, path = MemoryRows(table()), tmp_path / "c"
    code = (
        "import sys, numpy as np\n"
        "from gaussmix.data.checkpoints.checkpoint import Checkpointed\n"
        "from gaussmix.data.memory import MemoryRows\n"
        "Checkpointed(MemoryRows(np.eye(3)), sys.argv[1], resume=True)\n"
    )
    with Checkpointed(rows, path):
        assert "in use by another fit" in refusal(path, rows, "")
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
        )
        assert "is in use by another fit" in done.stderr
        assert describe(path).n_passes == 0
    Checkpointed(rows, path, resume=True).close()
