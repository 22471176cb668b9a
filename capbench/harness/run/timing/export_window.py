"""From the marks of an export to the time that counts: what came before it, and why marks may contradict each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from capbench.harness.process.export_clock import BEGIN_LINE, ClockMarks
from capbench.results.run_record import ExportClock

__all__ = ["ExportWindow", "export_window", "overdue"]

_KERNEL_TICK_NS = 20_000_000
"""Linux stamps files by its coarse clock, of 1 to 10 ms a tick; Windows by one of 16 ms."""
_WHOLE_SECONDS_NS = 2_000_000_000
"""FAT keeps times in steps of two seconds, HFS+ of one."""
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ExportWindow:
    """The part of a command's run that is its export."""

    wall_s: float | None
    """Its length in seconds; None where it is not known."""
    launch_s: float | None = None
    """What came before it in the process, in seconds; None where it begins with the process."""
    clock: ExportClock | None = None
    """What began and ended it; None where the process did both."""
    warnings: tuple[str, ...] = ()
    """What a reader should know of it."""
    error: str | None = None
    """Why it is not known, in one line without the program's name; None where it is."""


def export_window(marks: ClockMarks | None, process_wall_s: float | None, changed_ns: int | None) -> ExportWindow:
    """The export inside a process of `process_wall_s` seconds that ended.

    `changed_ns` is when its output last changed, in nanoseconds since 1970, as read just after the process had ended:
    an export that begins after its output was finished did not begin there.
    """
    begun = marks is not None and marks.begin_s is not None
    if marks is None or process_wall_s is None or not (begun or marks.end_s is not None or _is_asked(marks)):
        return ExportWindow(process_wall_s)
    end_s = process_wall_s if marks.end_s is None else min(marks.end_s, process_wall_s)
    begin_s = marks.begin_s
    clock = ExportClock(
        begin=_beginning(marks),
        end=_end(marks),
        begins_seen=marks.begin_count,
        ends_seen=marks.end_count,
        output_watched_by=None if marks.output is None else marks.output.watched_by,
        linger_s=process_wall_s - end_s,
        process_ended_by=marks.ended_by,
    )
    error = _contradiction(marks, end_s, changed_ns)
    if error is not None:
        return ExportWindow(None, begin_s, clock, error=error)
    return ExportWindow(end_s - (begin_s or 0.0), begin_s, clock, tuple(_warnings(marks)))


def overdue(marks: ClockMarks) -> str | None:
    """What a program that was killed at its time limit had not done yet, to be followed by the limit."""
    if marks.begin_s is None and marks.rule.begins is not None:
        return _no_begin(marks)
    begun = "" if marks.begin_s is None else f"began its export after {marks.begin_s:.1f} s but "
    if marks.rule.output is None:
        return f"{begun}did not end" if begun else None
    if marks.end_s is None:
        return f"{begun}wrote nothing to {{output}}"
    return (
        f"{begun}did not finish {{output}}, which last changed after {marks.end_s:.1f} s and was still being written,"
    )


def _no_begin(marks: ClockMarks) -> str:
    return f"did not begin its export: no {marks.rule.begins!r} in its output"


def _is_asked(marks: ClockMarks) -> bool:
    return marks.rule.begins is not None or marks.rule.output is not None


def _beginning(marks: ClockMarks) -> Literal["process", "line", "text"]:
    if marks.rule.begins is not None:
        return "text"
    return "process" if marks.begin_s is None else "line"


def _end(marks: ClockMarks) -> Literal["process", "line", "output"]:
    if marks.rule.output is not None:
        return "output"
    return "process" if marks.end_s is None else "line"


def _contradiction(marks: ClockMarks, end_s: float, changed_ns: int | None) -> str | None:
    """Why the marks give no time."""
    if marks.begin_s is None and marks.rule.begins is not None:
        return f"{_no_begin(marks)}; correct `begins`, or flush the output"
    if marks.rule.output is not None and marks.end_s is None:
        return "did not write {output} while it ran, which is what its export ends with; correct `ends`"
    if marks.begin_s is None:
        return None
    said = repr(marks.rule.begins or BEGIN_LINE)
    if changed_ns is not None and marks.begin_real_ns is not None:
        early_ns = marks.begin_real_ns - changed_ns
        grain_ns = _KERNEL_TICK_NS if changed_ns % _SECOND_NS else _WHOLE_SECONDS_NS
        if early_ns > grain_ns:
            return f"finished {{output}} {early_ns / 1e9:.3f} s before it began its export: {said} came late; flush it"
    # Both in one piece of its output, which may be read after the process has ended.
    if marks.end_s == marks.begin_s and marks.rule.output is None:
        return f"said at once that its export begins and ends: flush {said} when it is printed"
    if end_s <= marks.begin_s:
        early_s = marks.begin_s - end_s
        return f"ended its export {early_s:.3f} s before it began: {said} came last; print it first, and flush"
    return None


def _warnings(marks: ClockMarks) -> list[str]:
    found = []
    if marks.begin_count > 1:
        said = marks.rule.begins or BEGIN_LINE
        found.append(f"it said {said!r} {marks.begin_count} times; its export is timed from the first")
    if marks.rule.output is not None and marks.end_count > 1:
        found.append(f"it made its output {marks.end_count} times; its export is timed to the last")
    if marks.rule.output is None and marks.end_count > 1:
        found.append(f"it said that its export ends {marks.end_count} times; it is timed to the last")
    return found
