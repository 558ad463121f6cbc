"""A server of processes in which calls fail, and a folder for what they do."""

import os
import sys

import pytest
from deeds import Place
from faulty import CAME, COMPILER, ENDED, Server

# Every so many calls are tried of each kind; 1 is all of them.
EVERY = int(os.environ.get("GAUSSMIX_FAULTS_EVERY", "9"))


def pytest_collection_modifyitems(items):
    if sys.platform == "linux" and COMPILER is not None:
        return
    for item in items:
        if "faults" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason="needs Linux and a C compiler"))


@pytest.fixture(scope="session")
def every():
    return EVERY


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    begun = Server(tmp_path_factory.mktemp("shim"))
    yield begun
    begun.close()


@pytest.fixture(scope="session")
def place(server, tmp_path_factory):
    return Place(tmp_path_factory.mktemp("place"), server)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["faults"] = (dict(CAME), dict(ENDED))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    came, ended = getattr(node, "workeroutput", {}).get("faults", ({}, {}))
    CAME.update(came)
    ENDED.update(ended)


def pytest_terminal_summary(terminalreporter):
    if not CAME:
        return
    failed = len(terminalreporter.getreports("failed"))
    survived = f"{failed} tests say not survived" if failed else "all survived"
    terminalreporter.write_line(f"faults: {CAME.total()} came, {survived}: {listed(CAME)}")
    if +ENDED:
        terminalreporter.write_line(f"processes ended by other libraries for want of memory: {listed(ENDED)}")


def listed(counts):
    return ", ".join(f"{word} {n}" for word, n in counts.most_common() if n)
