"""Folders that may not be written to, clocks that leap, few files and small ones, a screen that is full."""

import pytest
from deeds import DEEDS
from faulty import NOTHING, fault, well_told

WRITERS = [name for name, deed in DEEDS.items() if deed.checkpoint is None]


@pytest.mark.parametrize("name", DEEDS)
def test_a_folder_that_may_not_be_written_to_is_told_before_any_work(name, place):
    place.ready(name)
    before = place.outputs(name)
    place.folder.chmod(0o555)
    try:
        outcome = place.again(name, bound=True)
    finally:
        place.folder.chmod(0o755)
    assert outcome.code == 3
    assert well_told(outcome) == ""
    assert "cannot be written: the folder does not exist or does not allow it" in outcome.sentence
    assert place.outputs(name) == before
    assert place.left_behind(name) == []


def test_a_folder_for_temporary_files_that_may_not_be_written_to_is_told(place):
    place.temporary.chmod(0o555)
    try:
        outcome = place.done("fit streamed text", bound=True)
    finally:
        place.temporary.chmod(0o755)
    assert outcome.code == 3
    assert well_told(outcome) == ""
    assert "no temporary file can be made" in outcome.sentence
    assert "TMPDIR" in outcome.sentence
    assert place.wrong_outputs("fit streamed text") == []


def test_a_checkpoint_that_may_not_be_written_to_is_told(place):
    place.ready("fit resumed")
    (place.folder / "c").chmod(0o444)
    outcome = place.again("fit resumed", bound=True)
    assert outcome.code == 3
    assert "c: the checkpoint cannot be opened: Permission denied" in outcome.sentence
    assert (place.folder / "c").read_bytes() == place.begun


@pytest.mark.parametrize("name", WRITERS)
def test_a_leaping_clock_changes_nothing(name, place):
    outcome = place.done(name, jump=True, **fault(place.folder, 0, 1, NOTHING))
    assert outcome.code == 0, outcome.err
    assert place.wrong_outputs(name, whole=True) == []


def test_a_leaping_clock_changes_no_checkpoint(place):
    for kill in (0.3, 0.6, 0.9):
        place.done(
            "fit with a checkpoint", jump=True, kill_after=kill * place.seconds["fit with a checkpoint"]
        )
        outcome, outputs = place.resumed("fit with a checkpoint", jump=True)
        assert outcome.code == 0, outcome.err
        assert outputs == place.new["fit with a checkpoint"]


@pytest.mark.parametrize("name", DEEDS)
def test_a_limit_on_the_size_of_files_leaves_old_ones(name, place):
    largest = max(len(content) for content in place.new[name].values())
    for limit in (0, 1, 1000, largest - 1):
        outcome = place.done(name, FSIZE=limit)
        assert outcome.code in (0, 3)
        assert well_told(outcome) == ""
        assert place.wrong_outputs(name, whole=outcome.code == 0) == []
        assert place.left_behind(name) == []


@pytest.mark.parametrize("name", DEEDS)
def test_a_limit_on_open_files_leaves_old_ones_or_new_ones(name, place):
    codes = set()
    for limit in (*range(6, 24, 3), 64):
        outcome = place.done(name, NOFILE=limit)
        codes.add(outcome.code)
        assert well_told(outcome) == ""
        assert place.wrong_outputs(name, whole=outcome.code == 0) == []
        assert place.left_behind(name) == []
    assert codes == {0, 3}
