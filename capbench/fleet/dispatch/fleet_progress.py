"""Progress of a fleet: one line a machine on a terminal, one line a block elsewhere, nothing with --quiet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from capbench.fleet.block_job import Activity
from capbench.results.visible_text import plain_line
from capbench.units import format_seconds

__all__ = ["FleetProgress", "LiveFleetProgress", "MachineLine", "PlainFleetProgress", "open_fleet_progress", "words_of"]

_MOST_LINES = 40
"""Machines that are shown; a terminal has some fifty lines, and the slowest come first."""


@dataclass(frozen=True, slots=True)
class MachineLine:
    """What is shown of one machine."""

    name: str
    """Its name."""
    doing: str
    """What it does, in words."""
    done: int
    """Blocks that it has made in this run."""
    left_s: float | None
    """Expected time of what is left for it, in seconds."""


def words_of(activity: Activity) -> str:
    """What a machine does, in words."""
    return activity.doing if not activity.what else f"{activity.doing} {activity.what}"


class FleetProgress:
    """Receives events; this one shows nothing."""

    def say(self, line: str) -> None:
        """A message for the user."""

    def show(self, machines: list[MachineLine], left_s: float | None) -> None:
        """How every machine stands; `left_s` is the time that the slowest still needs."""

    def close(self) -> None:
        """Nothing more will come."""


class PlainFleetProgress(FleetProgress):
    """Lines for logs: what happens, and how every machine stands when that was not said for a while."""

    _SHOW_EVERY_S = 30.0

    def __init__(self, stream: TextIO, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now_s = now_s
        self._shown_s = now_s()

    def say(self, line: str) -> None:
        """Print it."""
        self._stream.write(plain_line(line) + "\n")
        self._stream.flush()

    def show(self, machines: list[MachineLine], left_s: float | None) -> None:
        """Print one line a machine now and then."""
        if self._now_s() - self._shown_s < self._SHOW_EVERY_S:
            return
        self._shown_s = self._now_s()
        for each in _slowest_first(machines)[:_MOST_LINES]:
            self.say(f"  {each.name}: {each.doing}; {_count(each.done)}{_left(each.left_s)}")
        if left_s is not None:
            self.say(f"{format_seconds(left_s)} left")


class LiveFleetProgress(FleetProgress):
    """A table that changes in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._machines: list[MachineLine] = []
        self._left_s: float | None = None
        self._live = Live(self, console=console, refresh_per_second=2, transient=True)
        self._live.start()

    def say(self, line: str) -> None:
        """Print it."""
        self._console.print(plain_line(line), markup=False, highlight=False)

    def show(self, machines: list[MachineLine], left_s: float | None) -> None:
        """Keep it for the next refresh."""
        self._machines, self._left_s = machines, left_s

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._live.stop()

    def __rich__(self) -> Table:
        grid = Table.grid(padding=(0, 2))
        lines = _slowest_first(self._machines)
        for each in lines[:_MOST_LINES]:
            grid.add_row(
                plain_line(each.name), plain_line(each.doing), _count(each.done), _left(each.left_s).lstrip(", ")
            )
        if len(lines) > _MOST_LINES:
            grid.add_row(f"and {len(lines) - _MOST_LINES} more", "", "", "")
        if self._left_s is not None:
            grid.add_row("", "", "", f"{format_seconds(self._left_s)} left")
        return grid


def _slowest_first(machines: list[MachineLine]) -> list[MachineLine]:
    return sorted(machines, key=lambda each: (-(each.left_s or 0.0), each.name))


def _count(done: int) -> str:
    return f"{done} block{'' if done == 1 else 's'} made"


def _left(left_s: float | None) -> str:
    return "" if not left_s else f", {format_seconds(left_s)} left"


def open_fleet_progress(stream: TextIO, *, quiet: bool) -> FleetProgress:
    """The progress that suits a stream, usually stderr."""
    if quiet:
        return FleetProgress()
    console = Console(file=stream, stderr=False)
    return LiveFleetProgress(console) if console.is_terminal else PlainFleetProgress(stream)
