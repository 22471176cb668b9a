"""The log of one run: what it was started as, how it ended, and what it wrote to both output streams."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from capbench.files import describe_os_error, partial_path
from capbench.harness.process.measured_process import CapturedStream, Outcome
from capbench.results.visible_text import visible

__all__ = ["LoggedProcess", "RunLog", "write_log"]

_LONGEST_COMMAND = 16_000
"""Characters; a filter graph has a few thousand."""


@dataclass(frozen=True, slots=True)
class LoggedProcess:
    """A process that was part of a run."""

    what: str
    """`run`, `prepare` or `conclude`."""
    command: Sequence[str]
    """Program and arguments."""
    outcome: Outcome
    """How it went."""


@dataclass(slots=True)
class RunLog:
    """The processes of one run, in order; filled while the run goes on."""

    processes: list[LoggedProcess] = field(default_factory=list)
    """As they ended."""

    def add(self, what: str, command: Sequence[str], outcome: Outcome) -> None:
        """Keep what a process said."""
        self.processes.append(LoggedProcess(what, command, outcome))


def write_log(target: Path, log: RunLog, error: str | None) -> str | None:
    """Write a run's log; returns why it could not be written, which must not cost the run.

    `error` is why the run failed. Control characters are written as their code points, so that reading the file on a
    terminal does nothing else.
    """
    parts = [f"failed: {visible(error)}\n"] if error is not None else []
    for process in log.processes:
        command = visible(shlex.join(process.command).replace("\n", "\\n"))[:_LONGEST_COMMAND]
        parts.append(f"{process.what}: {command}\n{_ending(process.outcome)}\n")
        for name, stream in zip(("stdout", "stderr"), process.outcome.streams, strict=True):
            parts += [f"--- {name}, {stream.total_bytes} bytes\n", _text(stream)] if stream.total_bytes else []
    try:
        with partial_path(target) as partial:
            partial.write_text("".join(parts), encoding="utf-8", errors="backslashreplace")
    except OSError as problem:
        return f"its log could not be written: {describe_os_error(problem)}"
    return None


def _ending(outcome: Outcome) -> str:
    ending = outcome.ending
    if outcome.timed_out:
        how = "killed: its time was up"
    elif ending.exit_code is None:
        how = visible(ending.failure or "how it ended is not known")
    else:
        how = f"exit code {ending.exit_code}" if ending.exit_code >= 0 else f"signal {-ending.exit_code}"
    return how if ending.wall_s is None else f"{how} after {ending.wall_s:.3f} s"


def _text(stream: CapturedStream) -> str:
    """Lines of a stream; a carriage return ends a line too, as it does on a terminal."""
    if not stream.lost_bytes:
        return _lines(stream.head + stream.tail)
    return f"{_lines(stream.head)}--- {stream.lost_bytes} bytes are left out here\n{_lines(stream.tail)}"


def _lines(data: bytes) -> str:
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return visible(text) + ("" if text.endswith("\n") or not text else "\n")
