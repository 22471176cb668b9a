"""When the export of a program began and ended, where that is not when its process did.

A line that is `capbench: begin` or `capbench: end` on either output stream marks it, of any program that is measured as
a command. A subject may name another text instead of the first line, and its output instead of the second. Of several
begins the first counts, of several ends the last: what is uncertain is counted, not left out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

from capbench.harness.process.output_watch import FileChanges, OutputWatch

__all__ = ["BEGIN_LINE", "END_LINE", "LINGER_S", "POLITE_S", "ClockMarks", "ClockRule", "EndedBy", "ExportWatch"]

BEGIN_LINE = "capbench: begin"
END_LINE = "capbench: end"
LINGER_S = 3.0
"""How long a program may run on after its export before it is asked to end: most save something and end."""
POLITE_S = 5.0
"""How long it may take to end when it is asked to, before it is killed: what desktop systems grant at log-out."""
_CHECK_EVERY_S = 0.25
"""Pace of the question whether the output is final: it reads what every process of the tree has open."""
_LONGEST_MARK = 256
"""Bytes of a line that may still be a mark: a line of megabytes is not collected."""
EndedBy = Literal["itself", "request", "force"]


class Step(Enum):
    """What is to be done with a program whose export is over."""

    WAIT = "wait"
    ASK = "ask"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class ClockRule:
    """What marks begin and end of an export, besides the lines that always do."""

    begins: str | None = None
    """Text that the program prints when it begins; None for the line `capbench: begin`, which may be absent."""
    output: Path | None = None
    """The file whose last change is the end; None for the line `capbench: end`, or else the end of the process."""


@dataclass(frozen=True, slots=True)
class ClockMarks:
    """What was seen of the beginning and the end of an export. Times are in seconds since the process started."""

    rule: ClockRule
    """What was looked for."""
    begin_s: float | None = None
    """When it began; None where no mark of it was seen."""
    begin_count: int = 0
    """How often that was said."""
    begin_real_ns: int | None = None
    """When it began in nanoseconds since 1970, as the times of files are."""
    end_s: float | None = None
    """When it ended; None where no mark of it was seen."""
    end_count: int = 0
    """How often that was said, or the output was made."""
    output: FileChanges | None = None
    """What happened to the output, where that is watched."""
    was_over: bool = False
    """Whether the export was over while its process ran on."""
    ended_by: EndedBy = "itself"
    """What ended the process."""


class ExportWatch:
    """Collects the marks of one process while it runs.

    `now_ns` is the clock of the marks. `is_running_time` says that it stands still between slices and counts from the
    start of the process; otherwise it is `time.monotonic_ns`.
    """

    def __init__(self, rule: ClockRule, now_ns: Callable[[], int], *, is_running_time: bool) -> None:
        self._rule = rule
        self._now_ns = now_ns
        self._is_running_time = is_running_time
        self._lock = threading.Lock()
        self._begin_at: int | None = None
        self._begin_count = 0
        self._begin_real_ns: int | None = None
        self._end_at: int | None = None
        self._end_count = 0
        self._over_since_s: float | None = None
        self._next_check_s = 0.0
        self._asked_at_s: float | None = None
        self._ended_by: EndedBy = "itself"
        self._output = (
            None if rule.output is None else OutputWatch(rule.output, now_ns, is_real_time=not is_running_time)
        )

    def stream(self) -> Callable[[bytes], None]:
        """A reader of one output stream: takes its bytes as they come."""
        begins = self._rule.begins
        begin = _Lines(BEGIN_LINE) if begins is None else _Text(begins)
        end = _Lines(END_LINE)

        def read(chunk: bytes) -> None:
            self._saw(begin.count(chunk), end.count(chunk))

        return read

    def next_step(self, passed_s: float, root: int) -> Step:
        """What is to be done now, `passed_s` seconds after the start of a process that still runs below `root`."""
        if self._asked_at_s is None:
            if passed_s >= self._next_check_s:
                self._next_check_s = passed_s + _CHECK_EVERY_S
                if not self._is_over(root):
                    self._over_since_s = None  # or no longer: it changes its output once more
                elif self._over_since_s is None:
                    self._over_since_s = passed_s
            if self._over_since_s is None or passed_s - self._over_since_s < LINGER_S:
                return Step.WAIT
            self._asked_at_s = passed_s
            self._ended_by = "request"
            return Step.ASK
        if passed_s - self._asked_at_s < POLITE_S:
            return Step.WAIT
        self._ended_by = "force"
        return Step.KILL

    @property
    def is_over(self) -> bool:
        """Whether the export was found to be over while its process ran on."""
        return self._over_since_s is not None

    def close(self, start_ns: int | None) -> ClockMarks:
        """The marks, once the process and its streams have ended; `start_ns` is when it was started."""
        changes = None if self._output is None else self._output.close()
        origin_ns = 0 if self._is_running_time else start_ns

        def seconds(at: int | None) -> float | None:
            return None if at is None or origin_ns is None else max(0.0, (at - origin_ns) / 1e9)

        with self._lock:
            return ClockMarks(
                rule=self._rule,
                begin_s=seconds(self._begin_at),
                begin_count=self._begin_count,
                begin_real_ns=self._begin_real_ns,
                end_s=seconds(self._end_at if changes is None else changes.last_at),
                end_count=self._end_count if changes is None else changes.count,
                output=changes,
                was_over=self.is_over,
                ended_by=self._ended_by,
            )

    def _saw(self, begins: int, ends: int) -> None:
        if not begins and not ends:
            return
        at = self._now_ns()
        with self._lock:
            if begins and self._begin_at is None:
                self._begin_at, self._begin_real_ns = at, time.time_ns()
            if ends:
                self._end_at = at
            self._begin_count += begins
            self._end_count += ends

    def _is_over(self, root: int) -> bool:
        if self._output is not None:
            return self._output.is_final(root)
        with self._lock:
            return self._end_at is not None


class _Lines:
    """Counts lines that are a mark and nothing else."""

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self._rest = b""

    def count(self, chunk: bytes) -> int:
        """How many such lines end in this part of a stream."""
        *lines, rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
        # Of a line that is too long to be a mark, enough is kept to know that it is.
        self._rest = rest[:_LONGEST_MARK]
        return sum(line.strip() == self._mark for line in lines)


class _Text:
    """Counts a text anywhere in a stream."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        self._rest = b""

    def count(self, chunk: bytes) -> int:
        """How often it ends in this part of a stream."""
        seen = self._rest + chunk
        found = seen.count(self._text)
        after = seen.rfind(self._text) + len(self._text) if found else 0
        # What was counted must not be counted again with the next part.
        self._rest = seen[max(after, len(seen) - len(self._text) + 1) :] if len(self._text) > 1 else b""
        return found
