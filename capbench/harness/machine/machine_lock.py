"""The lock of a machine: whoever times is alone on it, whoever validates is beside others that validate.

Every process of capbench that times takes it for each block: a plain run, and a worker of a fleet. Dask's resources are
numbers that one worker counts: they exclude neither a second worker of the machine nor a plain run. This lock is of
files, which all processes of the machine share, and ends with the process that holds it, however that ends.

A folder holds the files `next`, `gate` and `room-00` to `room-15`. Validation passes the gate and takes one room;
timing keeps the gate and waits until every room is empty. A block that waits thus keeps new validation out, and begins
when what runs has ended: it drains validation first. Whoever waits for the gate keeps `next`: a run that has just ended
a block cannot take the gate again before the one that waits. `holder.json` is there while something is timed, and says
by whom.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from capbench.errors import UnavailableError
from capbench.files import describe_os_error
from capbench.harness.machine.lock_beside import lock_file
from capbench.recordings.cache import cache_folder

__all__ = [
    "LOCK_VARIABLE",
    "MOST_VALIDATING",
    "MachineBusyError",
    "MachineLock",
    "MachineTurns",
    "OwnMachine",
    "RunTurns",
    "machine_lock_folder",
]

LOCK_VARIABLE = "CAPBENCH_MACHINE_LOCK"
"""Environment variable that names the folder of the lock."""
MOST_VALIDATING = 16
"""Processes that validate side by side on one machine; each takes gigabytes at 4K, and more of them wait."""
_ROOMS = tuple(f"room-{number:02d}" for number in range(MOST_VALIDATING))
_LOOK_EVERY_S = 0.2
"""A look takes some microseconds: nothing beside what is timed meanwhile, and nothing beside a block's length."""
_SAY_AFTER_S = 1.0
"""A wait that is over sooner is not worth a line."""
_HOLDER = "holder.json"
_MOST_HOLDER_BYTES = 4096
"""Of `holder.json`: twice what it has with every character of the longest command written as an escape."""
_LONGEST_COMMAND = 200
"""Characters of a command line that a message shows."""


def machine_lock_folder() -> Path:
    """The folder of this machine's lock: `CAPBENCH_MACHINE_LOCK`, or in the cache, one for all that one user starts."""
    chosen = os.environ.get(LOCK_VARIABLE)
    return Path(chosen) if chosen else cache_folder().parent / "fleet.lock"


class MachineBusyError(UnavailableError):
    """The machine did not become free in time."""


class MachineTurns(Protocol):
    """How the processes of one machine take turns."""

    def timing(self) -> AbstractContextManager[None]:
        """Be alone on the machine."""

    def validating(self) -> AbstractContextManager[None]:
        """Be beside others that time nothing: for validation, and for whatever else takes much of the processor."""


class OwnMachine:
    """Turns of what has the machine already, or shares it with nobody."""

    def timing(self) -> AbstractContextManager[None]:
        """At once."""
        return contextlib.nullcontext()

    def validating(self) -> AbstractContextManager[None]:
        """At once."""
        return contextlib.nullcontext()


@dataclass(slots=True)
class _Wait:
    """One wait for the machine."""

    begun_s: float
    timeout_s: float | None
    has_gate: bool = False
    """What is still waited for is validation."""
    is_said: bool = False


class MachineLock:
    """The lock that the processes of one machine share by its folder. Waiting looks again and again, so it can end.

    `command` is what others are told while this process times. `on_wait` is told who has the machine, once in a wait
    that takes longer than a moment.
    """

    def __init__(
        self,
        folder: Path,
        *,
        command: str = "capbench",
        on_wait: Callable[[str], None] = lambda _who: None,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = folder
        self._command = command
        self._on_wait = on_wait
        self._now_s = now_s
        self._sleep = sleep

    @contextlib.contextmanager
    def timing(self, *, timeout_s: float | None = None) -> Iterator[None]:
        """Be alone on the machine. Raises `MachineBusyError` after `timeout_s` (None waits), `UnavailableError`."""
        wait = _Wait(self._now_s(), timeout_s)
        with contextlib.ExitStack() as held:
            self._pass_gate(held, wait)
            held.enter_context(self._announced())
            for room in _ROOMS:
                held.enter_context(self._taken([room], wait))
            yield

    @contextlib.contextmanager
    def validating(self, *, timeout_s: float | None = None) -> Iterator[None]:
        """Be beside others that validate, and beside no timing. Raises as `timing` does."""
        wait = _Wait(self._now_s(), timeout_s)
        with contextlib.ExitStack() as held:
            with contextlib.ExitStack() as gate:  # only to pass: whoever times keeps it
                self._pass_gate(gate, wait)
                held.enter_context(self._taken(_ROOMS, wait))
            yield

    def is_held_around_us(self) -> bool:
        """Whether this process is part of what another one times: an exporter that calls capbench, say.

        To wait for that one would be to wait for ourselves.
        """
        holder = self._read_holder()
        if not holder:
            return False
        try:
            around = {(each.pid, each.create_time()) for each in psutil.Process().parents()}
        except psutil.Error:  # one of them has just ended
            return False
        return (holder.get("pid"), holder.get("started_s")) in around

    def _pass_gate(self, held: contextlib.ExitStack, wait: _Wait) -> None:
        """Hold the gate. Whoever waits for it is the next to have it."""
        with self._taken(["next"], wait):
            held.enter_context(self._taken(["gate"], wait))
        wait.has_gate = True

    @contextlib.contextmanager
    def _taken(self, names: Sequence[str], wait: _Wait) -> Iterator[None]:
        """The first of these files that is free, held."""
        while True:
            for name in names:
                if (lock := self._try(name)) is not None:
                    try:
                        yield
                    finally:
                        os.close(lock)
                    return
            self._look_again_later(wait)

    def _look_again_later(self, wait: _Wait) -> None:
        waited_s = self._now_s() - wait.begun_s
        if wait.timeout_s is not None and waited_s >= wait.timeout_s:
            raise MachineBusyError(f"something else of capbench still runs on this machine ({self._folder})")
        if not wait.is_said and waited_s >= _SAY_AFTER_S:
            wait.is_said = True
            self._on_wait(self._who_is_waited_for(wait))
        self._sleep(_LOOK_EVERY_S)

    def _try(self, name: str) -> int | None:
        """Descriptor of the locked file; None where another has it. Raises `UnavailableError`."""
        path = self._folder / name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return lock_file(path)
        except OSError as error:
            raise UnavailableError(f"cannot lock this machine by {path}: {describe_os_error(error)}") from error

    @contextlib.contextmanager
    def _announced(self) -> Iterator[None]:
        """Say who has the machine, in a file beside those that are locked: on Windows nobody can read in those."""
        process, file = psutil.Process(), self._folder / _HOLDER
        known = {
            "pid": process.pid,
            "started_s": process.create_time(),
            "host": socket.gethostname(),
            "command": self._command[:_LONGEST_COMMAND],
        }
        with contextlib.suppress(OSError):  # only messages need it
            file.write_text(json.dumps(known), encoding="utf-8")
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # somebody reads it just now, on Windows: the next one replaces it
                file.unlink(missing_ok=True)

    def _read_holder(self) -> dict[str, object]:
        """What the process that times said of itself; nothing where there is none, or none that can be read."""
        try:
            with (self._folder / _HOLDER).open(encoding="utf-8") as stream:
                found = json.loads(stream.read(_MOST_HOLDER_BYTES))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _who_is_waited_for(self, wait: _Wait) -> str:
        holder = {} if wait.has_gate else self._read_holder()
        if not holder:
            return "another capbench validates or prepares something on it"
        command, pid, host = (str(holder.get(key, "?"))[:_LONGEST_COMMAND] for key in ("command", "pid", "host"))
        is_here = host == socket.gethostname()
        elsewhere = "" if is_here else f" on {host}, which has the same folder {self._folder}; see {LOCK_VARIABLE}"
        return f"`{command}` is timing on it, process {pid}{elsewhere}"


class RunTurns:
    """The turns of a plain run. What it waits for is said; where a machine cannot be locked, that is said instead.

    A run that is part of what another run times has its turn already.
    """

    def __init__(self, folder: Path, *, command: str, say: Callable[[str], None]) -> None:
        self._lock = MachineLock(folder, command=command, on_wait=self._say_wait)
        self._say = say
        self._said: set[str] = set()

    @contextlib.contextmanager
    def timing(self) -> Iterator[None]:
        """Be alone on the machine, where it can be locked."""
        with self._taken(self._lock.timing):
            yield

    @contextlib.contextmanager
    def validating(self) -> Iterator[None]:
        """Be beside others that time nothing, where the machine can be locked."""
        with self._taken(self._lock.validating):
            yield

    @contextlib.contextmanager
    def _taken(self, take: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
        with contextlib.ExitStack() as held:
            try:
                if not self._lock.is_held_around_us():
                    held.enter_context(take())
            except UnavailableError as error:
                self._say_once(f"{error}: nothing keeps other runs away; name a folder with {LOCK_VARIABLE}")
            yield

    def _say_wait(self, who: str) -> None:
        self._say_once(f"waiting until this machine is free: {who}")

    def _say_once(self, line: str) -> None:
        # Two runs that take turns wait before each block.
        if line not in self._said:
            self._said.add(line)
            self._say(line)
