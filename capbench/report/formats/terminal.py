"""The table that `capbench run` prints at its end: case by subject, medians with their range."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from capbench.report.aggregate import Cell, Spread, cells_of
from capbench.report.report_folder import ReportFolder
from capbench.report.wording import (
    MINUS,
    TIMES,
    bytes_words,
    metric_words,
    number_words,
    seconds_words,
    shorten,
    times_words,
    visible,
)
from capbench.results.subject_name import is_floor

__all__ = ["quality_text", "run_table", "software_note", "wall_words"]


def run_table(folder: ReportFolder) -> Group:
    """The table and its notes as one rich renderable. Names are text, never markup."""
    cells = cells_of(folder)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    software = software_note(folder)
    for title in ("case", "subject", f"{'software ' if software else ''}wall (range)"):
        table.add_column(title, justify="left" if title in ("case", "subject") else "right", overflow="fold")
    for title in (f"{TIMES} floor", f"{TIMES} realtime", "CPU", "peak RSS", "readback", "output"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("quality", overflow="fold")
    for case, subjects in cells.items():
        for position, (subject, cell) in enumerate(subjects.items()):
            table.add_row(
                Text(shorten(case) if position == 0 else ""),
                Text(shorten(subject)),
                Text(wall_words(cell.spread("wall_s"))),
                Text(times_words(cell.median("times_floor"))),
                Text(times_words(cell.median("times_realtime"))),
                Text(seconds_words(cell.median("cpu_s"))),
                Text(bytes_words(cell.median("peak_rss_bytes"))),
                Text(bytes_words(cell.median("readback_bytes"))),
                Text(bytes_words(cell.median("output_bytes"))),
                quality_text(cell),
                end_section=position == len(subjects) - 1,
            )
    notes = [Text(visible(note), style="yellow") for note in (software, *folder.problems) if note]
    if not cells:
        notes.append(Text("no run belongs to a block yet: nothing was measured", style="yellow"))
    return Group(table, *notes)


def wall_words(spread: Spread | None) -> str:
    """`4.21 s (-3% to +5%)`: the range as a change from the median reads the same for milliseconds and hours."""
    if spread is None:
        return seconds_words(None)
    if spread.count == 1:
        return f"{seconds_words(spread.median)} (one run)"
    low, high = ((bound / spread.median - 1) * 100 if spread.median else 0.0 for bound in (spread.low, spread.high))
    return f"{seconds_words(spread.median)} ({low:+.0f}% to {high:+.0f}%)".replace("-", MINUS)


def quality_text(cell: Cell) -> Text:
    """What validation said of all runs of a cell."""
    if cell.failed and not cell.measured:
        return Text(f"all {len(cell.failed)} failed: {shorten(cell.failed[0].run.error or '', 160)}", style="bold red")
    if cell.invalid:
        checks = ", ".join(cell.failing_checks)
        return Text(f"{len(cell.invalid)} of {len(cell.validated)} invalid: {checks}", style="bold red")
    notes = []
    if cell.failed:
        notes.append(f"{len(cell.failed)} failed")
    if cell.diverted:
        notes.append(f"{len(cell.diverted)} took another path")
    quality = cell.quality()
    if quality is not None:
        metric, value, unit = quality
        notes.insert(0, f"{metric_words(metric)} {number_words(value, 2 if unit else 4, unit)}")
    elif cell.validated:
        notes.insert(0, "passed")
    elif not is_floor(cell.subject):
        notes.insert(0, "not validated")
    return Text("; ".join(notes), style="yellow" if cell.failed or cell.diverted else "")


def software_note(folder: ReportFolder) -> str | None:
    """The sentence that must stand beside times from a software adapter; None on a real one."""
    adapters = dict.fromkeys(
        run.run.adapter or "an unnamed adapter" for run in folder.runs if run.run.adapter_is_software
    )
    if not adapters:
        return None
    return f"Software times, not GPU times: {', '.join(adapters)} runs on the CPU."
