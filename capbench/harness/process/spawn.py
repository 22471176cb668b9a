"""Starting a process so that the kernel reports its time, CPU and memory when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import psutil

from capbench.harness.process.process_tree import descendants
from capbench.harness.process.scheduling import SUBJECT_PRIORITY
from capbench.results.run_record import Scheduling

__all__ = ["Ending", "Launched", "launch"]

_LAUNCHER = Path(__file__).with_name("supervisor.py")
_CLOSE_TIMEOUT_S = 10.0
"""SIGKILL takes effect at once except for a process that is stuck in the kernel."""
_ASK_TIMEOUT_S = 5.0
"""`taskkill` only sends messages; it waits for nobody."""
_RELEASE_TIMEOUT_S = 60.0
"""From the word to begin until the program is loaded: seconds at most, even from a slow network disk."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended, and its resource use as reported by the kernel."""

    exit_code: int | None
    """Exit code; negative for a signal; None if the process never started."""
    wall_s: float | None = None
    """From just before the start until it was reaped, in seconds."""
    user_s: float | None = None
    """CPU seconds in user mode, with those of waited-for children."""
    system_s: float | None = None
    """CPU seconds in the kernel, likewise."""
    peak_rss_bytes: int | None = None
    """High-water mark of the largest process of the tree."""
    failure: str | None = None
    """Why it could not be started, or why its end is not known."""
    start_ns: int | None = None
    """When it was started, by `time.monotonic_ns`."""


class Launched(Protocol):
    """A process that runs."""

    stdout: IO[bytes]
    """Its standard output."""
    stderr: IO[bytes]
    """Its standard error."""
    stdin: IO[bytes] | None
    """Its standard input; None where it was started without one."""
    ended: threading.Event
    """Set once `ending` is known."""
    started: threading.Event
    """Set once `pid` and `start_ns` are known, or the start has failed."""
    root: int
    """Process id that its whole tree hangs from: its own, or that of the supervisor in between."""

    def release(self) -> None:
        """Let a process that was launched held begin; returns once it has, or has failed to."""

    @property
    def start_ns(self) -> int | None:
        """When it was started, by `time.monotonic_ns`; None until then."""

    @property
    def pid(self) -> int | None:
        """Process id of the subject itself; None until it has started."""

    @property
    def ending(self) -> Ending:
        """How it ended; to be read after `ended` is set."""

    def ask_to_end(self) -> None:
        """Ask it and everything below it to end; returns at once. Those that are stopped hear of it when they go on."""

    def kill(self) -> None:
        """End it and its process group; returns at once."""

    def close(self) -> None:
        """Give back pipes and handles."""


def launch(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    held: bool = False,
    cgroup: Path | None = None,
    takes_input: bool = False,
    scheduling: Scheduling = "normal",
) -> Launched:
    """Start a process. A program that cannot be started is reported by `ending`, not raised.

    A `held` one waits for `release`. `cgroup` is an empty control group of version 2 that it and its descendants live
    in; it is removed with them. One that `takes_input` has a pipe as its standard input. With `realtime` scheduling it
    is reported as not started where the kernel refuses that.
    """
    stdin = subprocess.PIPE if takes_input else subprocess.DEVNULL
    if sys.platform == "win32":
        return _WindowsProcess(argv, env, cwd, held=held, stdin=stdin)
    return _PosixProcess(argv, env, cwd, held=held, cgroup=cgroup, stdin=stdin, scheduling=scheduling)


class _PosixProcess:
    """Through the supervisor; see its module for the reason."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        held: bool,
        cgroup: Path | None,
        stdin: int,
        scheduling: Scheduling,
    ) -> None:
        priority = "-" if scheduling == "normal" else str(SUBJECT_PRIORITY)
        life_read, self._life_write = os.pipe()
        self._life_lock = threading.Lock()
        report_read, report_write = os.pipe()
        try:
            self._popen = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(_LAUNCHER), str(life_read), str(report_write)),
                    *("held" if held else "now", str(cgroup or "-"), priority, *argv),
                ],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env),
                cwd=cwd,
                pass_fds=(life_read, report_write),
                start_new_session=True,  # Ctrl-C reaches the runner alone, which then ends the run in order
            )
        finally:
            os.close(life_read)
            os.close(report_write)
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self.stdout: IO[bytes] = self._popen.stdout
        self.stderr: IO[bytes] = self._popen.stderr
        self.stdin: IO[bytes] | None = self._popen.stdin
        self.ended = threading.Event()
        self.started = threading.Event()
        self.root = self._popen.pid
        self._pid: int | None = None
        self._start_ns: int | None = None
        self._ending = Ending(exit_code=None, failure="the launcher ended without a report")
        self._reader = threading.Thread(target=self._read_report, args=(report_read,), daemon=True, name="report")
        self._reader.start()

    def _read_report(self, report_fd: int) -> None:
        with os.fdopen(report_fd, "r", encoding="utf-8") as lines:
            for line in lines:
                word, _, rest = line.strip().partition(" ")
                if word == "pid":
                    pid, start_ns = rest.split()
                    self._pid, self._start_ns = int(pid), int(start_ns)
                    self.started.set()
                elif word == "fail":
                    self._ending = Ending(exit_code=None, failure=rest)
                elif word == "end":
                    wall_ns, status, user_s, system_s, peak = rest.split()
                    self._ending = Ending(
                        exit_code=os.waitstatus_to_exitcode(int(status)),
                        wall_s=int(wall_ns) / 1e9,
                        user_s=float(user_s),
                        system_s=float(system_s),
                        peak_rss_bytes=int(peak),
                        start_ns=self._start_ns,
                    )
        if self._pid is not None and self._ending.exit_code is None:
            # The supervisor was killed, and with it whoever would end what it started.
            with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or another user's
                os.killpg(self._pid, signal.SIGKILL)
        self.ended.set()
        self.started.set()

    def release(self) -> None:
        with self._life_lock, contextlib.suppress(BrokenPipeError):  # `ending` reports a supervisor that died
            if self._life_write >= 0:
                os.write(self._life_write, b"g")
        self.started.wait(_RELEASE_TIMEOUT_S)

    @property
    def start_ns(self) -> int | None:
        return self._start_ns

    @property
    def pid(self) -> int | None:
        return self._pid

    @property
    def ending(self) -> Ending:
        return self._ending

    def ask_to_end(self) -> None:
        for pid in descendants(self.root):  # parents first: they may want to end their children in order
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)

    def kill(self) -> None:
        with self._life_lock:  # the thread that measures and the one that shares out slices may both ask for it
            if self._life_write >= 0:
                os.close(self._life_write)
                self._life_write = -1

    def close(self) -> None:
        self.kill()
        if not self.ended.wait(_CLOSE_TIMEOUT_S):
            self._popen.kill()  # its subject is stuck in the kernel; nothing more can be learnt
        self._popen.wait()
        self._reader.join()
        _close_streams(self)


class _WindowsProcess:
    """Directly: Windows keeps the peak working set per process and hands nothing on to a child."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, *, held: bool, stdin: int) -> None:
        self.ended = threading.Event()
        self.started = threading.Event()
        self.started.set()
        self._start_ns = time.monotonic_ns()
        self._popen = subprocess.Popen(
            list(argv), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(env), cwd=cwd
        )
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self.stdout: IO[bytes] = self._popen.stdout
        self.stderr: IO[bytes] = self._popen.stderr
        self.stdin: IO[bytes] | None = self._popen.stdin
        self.root = self._popen.pid
        self._process = psutil.Process(self._popen.pid)
        self._held = held
        if held:  # it has run for a moment, which `start_ns` below leaves out
            self._process.suspend()
        self._ending = Ending(exit_code=None, failure="still running")
        self._waiter = threading.Thread(target=self._wait, daemon=True, name="wait")
        self._waiter.start()

    def _wait(self) -> None:
        exit_code = self._popen.wait()
        wall_s = (time.monotonic_ns() - self._start_ns) / 1e9
        try:
            # Popen still holds the handle, so the ended process can be asked.
            times, memory = self._process.cpu_times(), self._process.memory_info()
            self._ending = Ending(
                exit_code,
                wall_s,
                times.user,
                times.system,
                getattr(memory, "peak_wset", memory.rss),
                start_ns=self._start_ns,
            )
        except psutil.Error:
            self._ending = Ending(exit_code, wall_s, start_ns=self._start_ns)
        self.ended.set()

    def release(self) -> None:
        if self._held:
            self._start_ns = time.monotonic_ns()
            with contextlib.suppress(psutil.NoSuchProcess):
                self._process.resume()

    @property
    def start_ns(self) -> int | None:
        return self._start_ns

    @property
    def pid(self) -> int | None:
        return self._popen.pid

    @property
    def ending(self) -> Ending:
        return self._ending

    def ask_to_end(self) -> None:
        # Without /F it closes windows, as a user would; a program without one has to be killed.
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                ["taskkill", "/T", "/PID", str(self._popen.pid)],
                capture_output=True,
                timeout=_ASK_TIMEOUT_S,
                check=False,
            )

    def kill(self) -> None:
        try:
            family = [*self._process.children(recursive=True), self._process]
        except psutil.NoSuchProcess:
            return
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

    def close(self) -> None:
        self.kill()
        self._waiter.join()
        _close_streams(self)


def _close_streams(process: Launched) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            # What was written and never read is lost with its reader.
            with contextlib.suppress(BrokenPipeError):
                stream.close()
