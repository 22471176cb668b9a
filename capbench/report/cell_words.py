"""What the runs of one subject and of a folder amount to in words, the same for terminal and page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from capbench.gate.judged_metrics import quality_unit
from capbench.report.aggregate import Cell, Spread
from capbench.report.report_folder import ReportFolder
from capbench.report.wording import MINUS, metric_words, number_words, seconds_words, shorten
from capbench.results.run_record import RunRole
from capbench.results.subject_name import is_floor

__all__ = ["QualityWords", "Tone", "quality_words", "software_note", "timing_notes", "wall_words", "wall_words_of"]


class Tone(StrEnum):
    """How much a reader should mind."""

    PLAIN = "plain"
    """Nothing to mind."""
    DOUBT = "doubt"
    """Some runs do not count."""
    BAD = "bad"
    """A check failed, or every run did."""


@dataclass(frozen=True, slots=True)
class QualityWords:
    """What validation said of all runs of a cell."""

    text: str
    """For people; empty for a floor that is as it should be."""
    tone: Tone
    """How much to mind it."""


def quality_words(cell: Cell) -> QualityWords:
    """One figure of quality, or what went wrong."""
    if cell.failed and not cell.measured:
        error = shorten(cell.failed[0].run.error or "", 160)
        return QualityWords(f"all {len(cell.failed)} failed: {error}", Tone.BAD)
    if cell.invalid:
        checks = ", ".join(cell.failing_checks)
        return QualityWords(f"{len(cell.invalid)} of {len(cell.validated)} invalid: {checks}", Tone.BAD)
    notes = []
    if cell.failed:
        notes.append(f"{len(cell.failed)} failed")
    if cell.diverted:
        notes.append(f"{len(cell.diverted)} used another path or decoder")
    quality = cell.quality()
    if quality is not None:
        metric, lowest, highest = quality
        unit, decimals = quality_unit(metric)
        words = number_words(lowest, decimals, unit)
        if cell.points:  # from the coarsest to the finest
            words = f"{number_words(lowest, decimals)} to {number_words(highest, decimals, unit)}"
        notes.insert(0, f"{metric_words(metric)} {words}")
    elif cell.validated:
        notes.insert(0, "passed")
    elif not is_floor(cell.subject):
        notes.insert(0, "not validated")
    return QualityWords("; ".join(notes), Tone.DOUBT if cell.failed or cell.diverted else Tone.PLAIN)


def wall_words(spread: Spread | None, points: int = 0) -> str:
    """`4.21 s (-3% to +5%)`: the range as a change from the median reads the same for milliseconds and hours.

    Over the `points` of a curve there is no range: they differ on purpose.
    """
    if spread is None:
        return seconds_words(None)
    if points:
        return f"{seconds_words(spread.median)} ({points} points)"
    if spread.count == 1:
        return f"{seconds_words(spread.median)} (one run)"
    low, high = ((bound / spread.median - 1) * 100 if spread.median else 0.0 for bound in (spread.low, spread.high))
    return f"{seconds_words(spread.median)} ({low:+.0f}% to {high:+.0f}%)".replace("-", MINUS)


def wall_words_of(cell: Cell) -> str:
    """`wall_words` of a cell, with what its programs needed before their exports began: `(one run, launch 1.20 s)`."""
    words, launch_s = wall_words(cell.spread("wall_s"), cell.points), cell.median("launch_s")
    if launch_s is None or not words.endswith(")"):
        return words
    return f"{words.removesuffix(')')}, launch {seconds_words(launch_s)})"


def timing_notes(folder: ReportFolder) -> list[str]:
    """What must stand beside times of runs in slices or in real time, and why a case was refused its slices."""
    measured = [found.run for found in folder.runs if found.run.role is RunRole.MEASURE]
    cases = dict.fromkeys(run.case for run in measured if run.interleave == "slices")
    refused = {run.case: run.unmeasured["slices"] for run in measured if "slices" in run.unmeasured}
    notes = [f"{shorten(case)} was measured without slices: {reason}." for case, reason in refused.items()]
    if cases:
        named = ", ".join(shorten(case) for case in cases)
        notes.insert(0, f"Measured in slices, whose times compare with each other and not with whole runs: {named}.")
    if first := dict.fromkeys(run.case for run in measured if run.scheduling == "realtime"):
        named = ", ".join(shorten(case) for case in first)
        notes.insert(0, f"Measured with real-time scheduling, without what else ran on the machine: {named}.")
    return notes


def software_note(folder: ReportFolder) -> str | None:
    """The sentence that must stand beside times from a software adapter; None on a real one."""
    adapters = dict.fromkeys(
        run.run.adapter or "an unnamed adapter" for run in folder.runs if run.run.adapter_is_software
    )
    if not adapters:
        return None
    return f"Software times, not GPU times: {', '.join(adapters)} runs on the CPU."
