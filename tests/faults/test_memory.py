"""Memory and threads that are refused: one sentence and a code, and files as they were."""

import errno
import re
import signal

import pytest
from deeds import NEEDING_NO_TEXT, OLD
from faulty import ENDED, MEMORY, NOTHING, THREAD, fault, well_told

# Bytes from which on memory is refused: smaller pieces are mostly Python's own.
SMALLEST = 4096
# Beyond what the process has when it begins, in bytes.
LIMITS = [0, 1 << 15, *(1 << i for i in range(16, 29))]
# Who must take a refusal well: Python, and what is compiled here.
ANSWERABLE = ("libpython", "python", "_native")
# Libraries that end the process where they get no memory, or ask for it for ever, and how they do it: by an
# exception that nobody catches, by an address that nobody looks at, by exit() or abort(). Nobody who calls
# them can prevent it. Any other end is a fault of gaussmix's, or news.
ENDS_OF_OTHERS = (
    ("libarrow", "SIGABRT"),
    ("libarrow", "SIGSEGV"),
    ("libparquet", "SIGABRT"),
    ("_multiarray_umath", "SIGSEGV"),
    # NumPy's and SciPy's own, for the 32 MiB that each takes at its first use.
    ("libscipy_openblas64_", "exit 1"),
    ("libscipy_openblas", "asks for ever"),
    # For what a library keeps for each thread.
    ("ld-linux-x86-64", "exit 127"),
)
# What Python says of a thread that has died before anything could be done about it.
DEAD_THREAD = re.compile(r"^Exception ignored in thread started by: .*\nMemoryError: *\n", re.MULTILINE)


@pytest.mark.parametrize("name", NEEDING_NO_TEXT)
@pytest.mark.parametrize("stays", [False, True], ids=["once", "from then on"])
def test_memory_refused_at_the_nth_call_is_told_in_a_sentence(name, stays, place, every):
    wrong, codes, nth = [], set(), 1
    while True:
        refused = fault(place.folder, MEMORY, nth, errno.ENOMEM, stays=stays, smallest=SMALLEST)
        outcome = place.done(name, **refused)
        if outcome.met is False:
            break
        codes.add(outcome.code)
        wrong += [(nth, outcome.where, found) for found in judged(place, name, outcome)]
        nth += every
    assert wrong == []
    assert 4 in codes


@pytest.mark.parametrize("name", NEEDING_NO_TEXT)
def test_a_limit_on_memory_is_told_in_a_sentence(name, place):
    codes, wrong = [], []
    # Nothing is refused but by the system; who it was is noted.
    noted = fault(place.folder, MEMORY, 1 << 40, NOTHING, smallest=1 << 62)
    for limit in LIMITS:
        outcome = place.done(name, AS=limit, environment={"GAUSSMIX_NUM_THREADS": "4"}, **noted)
        codes.append(outcome.code)
        wrong += [(limit, outcome.where, found) for found in judged(place, name, outcome)]
    assert wrong == []
    assert codes[-1] == 0


def judged(place, name, outcome):
    """What is wrong after a deed that was refused memory, as sentences."""
    library = re.split(r"\.so|\.cpython|-[0-9a-f]{8}\.", outcome.where)[0]
    answerable, code = outcome.where.startswith(ANSWERABLE), outcome.code
    ended = end_of(outcome)
    if ended:
        known = not answerable and (library, ended) in ENDS_OF_OTHERS
        found = [] if known else [f"{library} was refused memory: {ended}: {outcome.err[-1500:]}"]
        ENDED[f"{library} {ended}"] += known
        left = place.unexpected_after_a_kill(name)
    else:
        found = [well_told(outcome, DEAD_THREAD.sub("", outcome.err))]
        if code not in ((0, 4) if answerable else (0, 3, 4)):
            found.append(f"it ended with {code}: {outcome.err}")
        left = place.left_behind(name)
    if files := place.wrong_outputs(name, OLD, whole=code == 0):
        found.append(f"{files} are neither old nor new; it ended with {code}: {outcome.err}")
    if left:
        found.append(f"{left} are left behind; it ended with {code}: {outcome.err}")
    return list(filter(None, found))


def end_of(outcome):
    """How a process has ended that did not come to its end by itself; empty if it did."""
    if outcome.hung:
        return "hangs"
    # The shim's word for it.
    if outcome.code == -signal.SIGXCPU:
        return "asks for ever"
    if outcome.code < 0:
        return signal.Signals(-outcome.code).name
    # Whoever lived to report has come to its end.
    return f"exit {outcome.code}" if outcome.met is None else ""


@pytest.mark.parametrize("name", NEEDING_NO_TEXT)
@pytest.mark.parametrize("n_threads", [1, 4])
def test_where_no_thread_can_be_had_the_one_that_there_is_does_all(name, n_threads, place):
    refused = fault(place.folder, THREAD, 1, errno.EAGAIN, stays=True)
    outcome = place.done(name, environment={"GAUSSMIX_NUM_THREADS": str(n_threads)}, **refused)
    assert outcome.met
    assert outcome.code == 0, outcome.err
    assert place.wrong_outputs(name, whole=True) == []


def test_a_selection_gets_on_with_the_threads_that_there_are(place):
    # More tasks than threads.
    models = "VVV,EEE,VII,EII,VVI"
    arguments = ["select", place.folder / "t.npy", "-k", "1:2", "--models", models, "--folds", "0", "--json"]
    whole = place.server.run(arguments)
    for nth in (1, 2, 3, 4, 6):
        for stays in (False, True):
            refused = fault(place.folder, THREAD, nth, errno.EAGAIN, stays=stays)
            found = place.server.run(arguments, environment={"GAUSSMIX_NUM_THREADS": "4"}, **refused)
            assert (found.code, found.out) == (0, whole.out), found.err
