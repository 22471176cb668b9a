"""Progress of a matrix: a live line on a terminal, plain lines elsewhere, nothing with --quiet."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from capbench.harness.run.schedule import ScheduledRun
from capbench.results.run_record import RunResult, RunRole
from capbench.results.visible_text import plain_line
from capbench.units import format_seconds

__all__ = ["LiveProgress", "PlainProgress", "Progress", "TimeLeft", "open_progress"]


class TimeLeft:
    """Estimates what is left from the runs that were made: of the same case and subject, otherwise of the same case."""

    def __init__(self) -> None:
        self._spent_s: dict[tuple[str, ...], list[float]] = {}

    def add(self, step: ScheduledRun, spent_s: float) -> None:
        """Learn how long a step took, everything around the run included."""
        for key in (step.case.name, step.subject.name), (step.case.name,), ():
            self._spent_s.setdefault(key, []).append(spent_s)

    def expect_s(self, step: ScheduledRun) -> float | None:
        """Expected time of one step in seconds; None before the first was made."""
        for key in (step.case.name, step.subject.name), (step.case.name,), ():
            if spent := self._spent_s.get(key):
                return sum(spent) / len(spent)
        return None

    def of(self, steps: list[ScheduledRun]) -> float | None:
        """Expected time of all `steps` in seconds; None before the first was made."""
        expected = [self.expect_s(step) for step in steps]
        known = [time_s for time_s in expected if time_s is not None]
        return sum(known) if len(known) == len(expected) else None


class Progress:
    """Receives events; this one shows nothing."""

    def say(self, line: str) -> None:
        """A message for the user, between runs."""

    def begin(self, step: ScheduledRun, left_s: float | None) -> None:
        """A run starts; `left_s` is the expected time of this and all later runs."""

    def frame(self, done: int) -> None:
        """The current run has exported this many frames."""

    def end(self, run: RunResult) -> None:
        """The current run is over and recorded."""

    def close(self) -> None:
        """Nothing more will come."""


def _label(step: ScheduledRun) -> str:
    part = f"block {step.block + 1}" if step.role is RunRole.MEASURE else step.role.value.replace("_", " ")
    point = () if step.point is None else (step.point.label,)
    return "  ".join(map(plain_line, (step.case.name, step.subject.name, *point, part)))


def _left(left_s: float | None) -> str:
    return "" if left_s is None else f"{format_seconds(left_s)} left"


def _outcome(run: RunResult) -> str:
    if run.error is not None:
        return f"failed: {plain_line(run.error)}"
    took = "" if run.wall_s is None else format_seconds(run.wall_s)
    rate = "" if run.fps is None else f", {run.fps:.1f} fps"
    failed = run.validation is not None and not run.validation.passed
    return f"{took}{rate}{', fails validation' if failed else ''}"


class PlainProgress(Progress):
    """One line a run, for logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = ""

    def say(self, line: str) -> None:
        """Print it."""
        self._write(plain_line(line))

    def begin(self, step: ScheduledRun, left_s: float | None) -> None:
        """Remember the run."""
        self._begun = f"{_label(step)}  {_left(left_s)}".rstrip()

    def end(self, run: RunResult) -> None:
        """Print how the run went."""
        self._write(f"{self._begun}: {_outcome(run)}")

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class LiveProgress(Progress):
    """One line that changes in place: case, subject, block, frames a second now, time left."""

    def __init__(self, console: Console, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now_s = now_s
        self._label = ""
        self._left_s: float | None = None
        self._begun_s = 0.0
        self._frames = 0
        self._fps: float | None = None
        self._last_frame_s: float | None = None
        # Four times a second: drawing is the runner's own load on the machine that it measures.
        self._live = Live(self, console=console, refresh_per_second=4, transient=True)
        self._live.start()

    def say(self, line: str) -> None:
        """Print it."""
        self._console.print(plain_line(line), markup=False, highlight=False)

    def begin(self, step: ScheduledRun, left_s: float | None) -> None:
        """Remember the run."""
        self._label, self._left_s, self._begun_s = _label(step), left_s, self._now_s()
        self._frames, self._fps, self._last_frame_s = 0, None, None

    def frame(self, done: int) -> None:
        """Take the rate from the last two reports."""
        now_s = self._now_s()
        if self._last_frame_s is not None and done > self._frames and now_s > self._last_frame_s:
            self._fps = (done - self._frames) / (now_s - self._last_frame_s)
        if self._last_frame_s is None or done > self._frames:
            self._frames, self._last_frame_s = done, now_s

    def end(self, run: RunResult) -> None:
        """Print how the run went."""
        self.say(f"{self._label}: {_outcome(run)}")
        self._label = ""

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._live.stop()

    def __rich__(self) -> Table:
        grid = Table.grid(padding=(0, 2))
        left_s = None if self._left_s is None else max(0.0, self._left_s - (self._now_s() - self._begun_s))
        grid.add_row(
            self._label,
            f"frame {self._frames}" if self._frames else "",
            "" if self._fps is None else f"{self._fps:.0f} fps",
            _left(left_s),
        )
        return grid


def open_progress(stream: TextIO, *, quiet: bool) -> Progress:
    """The progress that suits a stream, usually stderr."""
    if quiet:
        return Progress()
    console = Console(file=stream, stderr=False)
    return LiveProgress(console) if console.is_terminal else PlainProgress(stream)
