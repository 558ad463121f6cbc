"""SIGKILL at random instants, and two at the same work."""

import json
import os
from collections import Counter

import numpy as np
import pytest
from deeds import DEEDS, FIT, OLD
from faulty import CHANGE, KILL_AFTER, KILL_BEFORE, NAME, fault, well_told

KILLS = int(os.environ.get("GAUSSMIX_FAULTS_KILLS", "100"))
CHECKPOINTED = [name for name, deed in DEEDS.items() if deed.checkpoint]
OTHERS = [name for name in DEEDS if name not in CHECKPOINTED]


def test_killed_at_random_instants_each_writer_leaves_old_files_or_new_ones(place):
    rng, killed, left = np.random.default_rng(KILLS), Counter(), Counter()
    while killed.total() < KILLS // 2:
        name = OTHERS[int(rng.integers(len(OTHERS)))]
        before = (OLD, None)[int(rng.integers(2))]
        outcome = place.done(name, before, kill_after=rng.uniform(0.0, 1.1 * place.seconds[name]))
        assert outcome.code in (0, -9), outcome.err
        assert place.wrong_outputs(name, before, whole=outcome.code == 0) == []
        assert place.unexpected_after_a_kill(name) == []
        killed[name] += outcome.code == -9
        left[name] += bool(place.left_behind(name))
    # More would be left of writers that take their time to begin with.
    assert left.total() < killed.total() / 2


def test_killed_again_and_again_a_fit_is_resumed_to_the_same_bits(place):
    rng, killed, ended = np.random.default_rng(KILLS), 0, 0
    name = CHECKPOINTED[0]
    while killed < KILLS // 2 or not ended:
        lives, outcome = 0, place.done(name, kill_after=rng.uniform(0.0, place.seconds[name]))
        while outcome.code == -9:
            killed += 1
            lives += 1
            assert place.wrong_outputs(name) == []
            # Longer each time, so that a fit ends on any machine.
            longest = place.seconds[name] * (1.0 + lives / 10.0)
            outcome, _ = place.resumed(name, kill_after=rng.uniform(0.0, longest))
        assert outcome.code == 0, outcome.err
        assert "damaged" not in outcome.err
        assert "not asked for again" not in outcome.err
        assert place.outputs(name) == place.new[name]
        ended += 1


@pytest.mark.parametrize("action", [KILL_BEFORE, KILL_AFTER])
def test_of_a_checkpoint_a_killed_process_may_leave_a_second_name_which_the_next_one_drops(place, action):
    name, left = CHECKPOINTED[0], []
    for nth in range(1, 10):
        outcome = place.done(name, **fault(place.folder, NAME | CHANGE, nth, action))
        assert outcome.code == -9
        assert place.unexpected_after_a_kill(name) == []
        left.append([one for one in place.left_behind(name) if one.startswith(".c.")])
        if (place.folder / "c").exists():
            again, _ = place.resumed(name)
            assert again.code == 0
            assert not [one for one in place.left_behind(name) if one.startswith(".c.")]
        if nth > 1 and not left[-1]:
            break
    assert [] in left
    assert any(left)


def commands(place, arguments, n_processes):
    """The same command several times at once."""
    job = {"arguments": [str(one) for one in arguments], "temporary": str(place.temporary)}
    return place.server.together([job] * n_processes)


def test_two_that_write_one_model_leave_one_of_the_two_whole(place, tmp_path):
    fits = [
        ["fit", place.folder / "t.csv", "-k", k, "--n-init", 1, "--max-iter", 20, "-o", tmp_path / "m"]
        for k in (1, 2, 3)
    ]
    whole = []
    for arguments in fits:
        (found,) = commands(place, arguments, 1)
        assert found.code == 0, found.err
        whole.append((tmp_path / "m").read_bytes())
    show = ["show", tmp_path / "m", "--json"]
    for _ in range(6):
        jobs = [{"arguments": list(map(str, words))} for words in (fits[0], fits[1], show, fits[2], show)]
        outcomes = place.server.together(jobs)
        assert [one.code for one in outcomes] == [0] * 5, outcomes
        assert all(json.loads(one.out) for one in (outcomes[2], outcomes[4]))
        assert (tmp_path / "m").read_bytes() in whole
        assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_of_two_that_use_one_checkpoint_one_is_refused_and_the_other_undisturbed(place, tmp_path):
    refused = Counter()
    for attempt in range(8):
        checkpoint, model = tmp_path / f"c{attempt}", tmp_path / f"m{attempt}"
        arguments = [place.folder / "t.csv" if word == "t.csv" else word for word in FIT]
        arguments += ["--memory", "0", "--checkpoint", checkpoint, "--resume", "-o", model]
        outcomes = commands(place, arguments, 3)
        codes = sorted(one.code for one in outcomes)
        assert set(codes) <= {0, 3}
        assert codes[0] == 0
        for one in outcomes:
            assert well_told(one) == ""
            if one.code:
                assert "in use by another fit" in one.err or "is there already" in one.err
                refused[one.sentence[-60:]] += 1
        assert model.read_bytes() == place.new[CHECKPOINTED[0]]["m.json"]
        (again,) = commands(place, arguments, 1)
        assert again.code == 0, again.err
    assert refused
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
