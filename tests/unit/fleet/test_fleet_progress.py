"""One line a machine, the slowest first, and the time that it still needs."""

from __future__ import annotations

import io

from rich.console import Console

from capbench.fleet.dispatch.fleet_progress import (
    FleetProgress,
    LiveFleetProgress,
    MachineLine,
    PlainFleetProgress,
    open_fleet_progress,
)

_MACHINES = [
    MachineLine("fast", "timing desk a block 3", 5, 20.0),
    MachineLine("slow", "timing desk b block 1", 1, 125.0),
    MachineLine("gone", "lost: its worker is gone", 0, None),
]


def _live_text(machines: list[MachineLine], left_s: float | None) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    progress = LiveFleetProgress(console)
    progress.close()
    progress.show(machines, left_s)
    with console.capture() as captured:
        console.print(progress)
    return captured.get().splitlines()


def test_a_terminal_has_a_line_for_each_machine_the_slowest_first_and_the_time_left() -> None:
    lines = _live_text(_MACHINES, 125.0)

    assert [line.split()[0] for line in lines[:3]] == ["slow", "fast", "gone"]
    assert "1 block made" in lines[0]
    assert "5 blocks made" in lines[1]
    assert lines[-1].strip() == "2 min 05 s left"


def test_a_large_fleet_fits_on_a_screen() -> None:
    lines = _live_text([MachineLine(f"m{number}", "timing", 1, 1.0) for number in range(1000)], 1.0)

    assert len(lines) < 50
    assert any("and 960 more" in line for line in lines)


def test_a_log_gets_what_happens_at_once_and_how_machines_stand_now_and_then() -> None:
    stream, clock = io.StringIO(), [0.0]
    progress = PlainFleetProgress(stream, now_s=lambda: clock[0])

    progress.show(_MACHINES, 125.0)
    progress.say("machine slow is lost: \x1b[31mit is gone")
    clock[0] = 31.0
    progress.show(_MACHINES, 125.0)
    progress.show(_MACHINES, 125.0)

    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("machine slow is lost")
    assert "\x1b" not in stream.getvalue()
    assert [line.split(":")[0].strip() for line in lines[1:4]] == ["slow", "fast", "gone"]
    assert lines[4] == "2 min 05 s left"
    assert len(lines) == 5


def test_quiet_shows_nothing() -> None:
    assert type(open_fleet_progress(io.StringIO(), quiet=True)) is FleetProgress
    assert type(open_fleet_progress(io.StringIO(), quiet=False)) is PlainFleetProgress
