"""Every call of the system fails once, or is the last one: old files or new ones, whole, and one sentence."""

import errno
from collections import Counter

import pytest
from deeds import DEEDS, OLD
from faulty import (
    CHANGE,
    HALF,
    KILL_AFTER,
    KILL_BEFORE,
    NAME,
    ON_FILES,
    OPEN,
    READ,
    SYNC,
    WRITE,
    fault,
    named,
    well_told,
)

# What can befall which calls, and whether it is so from then on.
ONCE = {
    errno.ENOSPC: OPEN | WRITE | SYNC | NAME,
    errno.EIO: ON_FILES,
    errno.EINTR: OPEN | READ | WRITE | SYNC,
    errno.EMFILE: OPEN,
    errno.EROFS: OPEN | NAME | CHANGE,
    HALF: READ | WRITE,
    KILL_BEFORE: ON_FILES,
    KILL_AFTER: ON_FILES,
}
FROM_THEN_ON = {errno.ENOSPC: WRITE | SYNC, errno.EIO: READ | WRITE | SYNC}
FAULTS = [(action, kinds, False) for action, kinds in ONCE.items()]
FAULTS += [(action, kinds, True) for action, kinds in FROM_THEN_ON.items()]
# After these a command goes on as if nothing had happened.
HARMLESS = (errno.EINTR, HALF)
# A file that cannot be removed is left.
REMOVAL = ("unlink",)


@pytest.mark.parametrize("name", DEEDS)
def test_whichever_call_fails_or_is_the_last_one_files_are_whole(name, place, every):
    met, wrong = Counter(), []
    for i, (action, kinds, stays) in enumerate(FAULTS):
        nth = 1 + (i + len(name)) % every
        while True:
            before = (OLD, None)[(nth // every + i) % 2]
            outcome = place.done(name, before, **fault(place.folder, kinds, nth, action, stays=stays))
            killed = outcome.code == -9 and not outcome.hung
            if not killed and outcome.met is False:
                break
            met[named(action)] += 1
            what = (named(action), "from then on" if stays else "once", nth, outcome.where)
            wrong += [(*what, found) for found in judged(place, name, outcome, before, action, killed)]
            nth += every
    assert wrong == []
    assert set(met) >= {"EIO", "EINTR", "ENOSPC", "killed before", "killed after"} or every > 9


def judged(place, name, outcome, before, action, killed):
    """What is wrong after a deed, as sentences."""
    whole = outcome.code == 0
    found = [] if killed else [well_told(outcome)]
    if files := place.wrong_outputs(name, before, whole=whole):
        found.append(f"{files} are neither old nor new; it ended with {outcome.code}: {outcome.err}")
    if killed:
        left = place.unexpected_after_a_kill(name)
    else:
        left = [] if outcome.where in REMOVAL else place.left_behind(name)
    if left:
        found.append(f"{left} are left behind; it ended with {outcome.code}: {outcome.err}")
    if action in HARMLESS and not whole:
        found.append(f"it ended with {outcome.code}: {outcome.err}")
    if DEEDS[name].checkpoint:
        again, outputs = place.resumed(name)
        if again.code or outputs != place.new[name]:
            found.append(f"resumed it ends with {again.code} and other bits: {again.err}")
    return list(filter(None, found))


def test_a_fault_is_told_under_the_name_that_was_asked_for(place):
    seen = set()
    for kinds in (WRITE, SYNC, NAME, CHANGE):
        outcome = place.done("report", **fault(place.folder, kinds, 1, errno.ENOSPC))
        assert (outcome.code, outcome.met) == (3, True)
        assert outcome.sentence == f"gaussmix: {place.folder / 'r.html'}: No space left on device"
        seen.add(outcome.where)
    assert seen == {"write", "fsync", "rename", "chmod"}
