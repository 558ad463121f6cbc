"""Imports gaussmix once and then forks a process for each job, in which the n-th call of some kind fails.

Reads lists of jobs from standard input, one line of JSON each, begins the jobs of a list together, and
answers with a line when all have ended. The shim (shim.c) must have been loaded before (LD_PRELOAD).
"""

import ctypes
import fcntl
import importlib
import json
import os
import resource
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path

from gaussmix.cli.main import COMMANDS, main

SHIM = ctypes.CDLL(None)
SHIM.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long, *[ctypes.c_int] * 2, ctypes.c_size_t]
SHIM.fault_counted.restype = ctypes.c_long
# A process that takes longer hangs.
PATIENCE = 20.0
# capset(2): what lets root pass by the rights of files.
CAPABILITIES, PASS_BY_RIGHTS = 0x20080522, 0b110


class Limit:
    """What a job may have, from when it begins."""

    def __init__(self, job):
        self.job = job

    def set(self):
        for name in ("NOFILE", "FSIZE", "NPROC"):
            if name in self.job:
                self._set(getattr(resource, f"RLIMIT_{name}"), self.job[name])
        if "AS" in self.job:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            self._set(resource.RLIMIT_AS, pages * resource.getpagesize() + self.job["AS"])
        if self.job.get("bound"):
            bind_to_rights()

    @staticmethod
    def _set(kind, most):
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


def bind_to_rights():
    """Give up what root may do with files that are not for it to write."""
    header = (ctypes.c_uint32 * 2)(CAPABILITIES, 0)
    held = (ctypes.c_uint32 * 6)()
    if SHIM.capget(header, held) != 0:
        raise OSError("capget")
    for i in range(3):
        held[i] &= ~PASS_BY_RIGHTS
    if SHIM.capset(header, held) != 0:
        raise OSError("capset")


def deed(job):
    """Do what a job says; its exit code, and what the shim saw."""
    code = 0
    try:
        main(job["arguments"])
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        SHIM.fault_disarm()
        traceback.print_exc()
        code = 1
    # As at the end of Python: what is left in buffers goes out, or is said not to.
    try:
        sys.stdout.flush()
    except OSError:
        code = 120
    told = {"met": bool(SHIM.fault_met()), "counted": SHIM.fault_counted()}
    SHIM.fault_disarm()
    sys.stderr.flush()
    return code, told


def child(job, report, out, err, where):
    """A job in a process of its own."""
    SHIM.fault_tell(where)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.environ.update(job.get("environment", {}))
    tempfile.tempdir = job.get("temporary")
    SHIM.fault_jump(int(job.get("jump", False)))
    Limit(job).set()
    if "kinds" in job:
        asked = (
            job["kinds"],
            job["nth"],
            job["action"],
            int(job.get("stays", False)),
            job.get("smallest", 0),
        )
        SHIM.fault_arm(job["folder"].encode(), *asked)
    code, told = deed(job)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if job.get("warm"):
        told["modules"] = [name for name in sys.modules if not name.startswith("__")]
    os.write(report, json.dumps(told).encode())
    os._exit(code if isinstance(code, int) else 1)


class Running:
    """A job that was begun."""

    def __init__(self, job):
        self.report, self.where = os.memfd_create("report"), os.memfd_create("where")
        (self.out, out), (self.err, err) = roomy_pipe(), roomy_pipe()
        self.kill_at = job.get("kill_after")
        self.pid = os.fork()
        if self.pid == 0:
            try:
                child(job, self.report, out, err, self.where)
            except BaseException:
                with suppress(BaseException):
                    traceback.print_exc()
                os._exit(99)
        os.close(out)
        os.close(err)
        self.handle = os.pidfd_open(self.pid)
        self.begun, self.status, self.hung = time.monotonic(), None, False

    def due(self):
        """How long until it is to be killed."""
        return (PATIENCE if self.kill_at is None else self.kill_at) - (time.monotonic() - self.begun)

    def attend(self):
        """Kill it when its time has come, and see whether it has ended."""
        if self.due() <= 0.0:
            self.hung = self.kill_at is None
            os.kill(self.pid, signal.SIGKILL)
            _, self.status = os.waitpid(self.pid, 0)
            return
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        self.status = status if ended else None

    def answer(self):
        """What came of it."""
        texts = {}
        for name in ("out", "err", "report", "where"):
            with os.fdopen(getattr(self, name), "rb") as file:
                if name in ("report", "where"):
                    file.seek(0)
                texts[name] = file.read().decode(errors="replace")
        texts["where"] = texts["where"].partition("\0")[0]
        os.close(self.handle)
        told = texts.pop("report")
        found = {"met": None, **(json.loads(told) if told else {}), **texts, "hung": self.hung}
        seconds = time.monotonic() - self.begun
        return {**found, "code": os.waitstatus_to_exitcode(self.status), "seconds": seconds}


def roomy_pipe():
    """A pipe for all that a command says, which no limit on files concerns."""
    ends = os.pipe()
    fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, 1 << 20)
    return ends


def together(jobs):
    """Begin jobs at once and wait for all."""
    begun = [Running(job) for job in jobs]
    while waiting := [one for one in begun if one.status is None]:
        select.select([one.handle for one in waiting], [], [], max(min(one.due() for one in waiting), 0.0))
        for one in waiting:
            one.attend()
    return [one.answer() for one in begun]


def warmed(answers):
    """Import what jobs have imported, so that later ones find it."""
    for name in sorted({name for answer in answers for name in answer.pop("modules", [])} - set(sys.modules)):
        with suppress(Exception):
            importlib.import_module(name)


def serve():
    """Answer until there is no more to do."""
    for name in COMMANDS:
        importlib.import_module(f"gaussmix.cli.{name}")
    for line in sys.stdin:
        # A forked process has one thread only: others here would leave their locks behind.
        assert threading.active_count() == 1
        answers = together(json.loads(line))
        warmed(answers)
        sys.stdout.write(json.dumps(answers) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
