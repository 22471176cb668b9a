"""Reasons why a case cannot be measured in slices, found before its first block; it is then measured in whole runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capbench.harness.matrix.model import Subject
from capbench.harness.run.sliced_block import MAX_SUBJECTS
from capbench.results.path_names import HARDWARE_ENCODER_SUFFIXES, SOFTWARE_DECODER
from capbench.results.run_record import MAX_OVERLAP_SHARE, RunResult
from capbench.units import format_bytes

__all__ = ["memory_refusal", "refuse_slices", "trial_refusal"]

_MEMORY_RESERVE = 1.2
"""Runs are not equally large each time, and the file cache needs room too."""


def refuse_slices(subjects: Sequence[Subject]) -> str | None:
    """Why slices cannot even be tried; None where they can."""
    if len(subjects) < 2:
        return "there is only one subject"
    if len(subjects) > MAX_SUBJECTS:
        return f"{len(subjects)} subjects would be in memory at once; slices allow at most {MAX_SUBJECTS}"
    return None


def memory_refusal(warmups: Mapping[str, RunResult], free_bytes: int) -> str | None:
    """Why the subjects do not fit into memory at once, by what each took alone; None where they do."""
    needed_bytes = sum(
        max(run.peak_rss_bytes or 0, run.peak_tree_rss_bytes or 0) for run in warmups.values() if run.succeeded
    )
    if needed_bytes * _MEMORY_RESERVE <= free_bytes:
        return None
    return (
        f"all subjects at once need {format_bytes(needed_bytes)} of memory and {format_bytes(free_bytes)} are free, "
        f"a sixth of which is reserved"
    )


def trial_refusal(warmups: Mapping[str, RunResult], trials: Mapping[str, RunResult]) -> str | None:
    """Why the trial block rules slices out; None where it does not.

    A subject failed only there, or was not stopped, or has hardware work on that did not finish before it was stopped.
    """
    for name, trial in trials.items():
        if not trial.succeeded and name in warmups and warmups[name].succeeded:
            return f"{name} fails in slices but not alone: {trial.error}"
    for trial in trials.values():
        if trial.slices is not None and trial.slices.overlap_share > MAX_OVERLAP_SHARE:
            return f"subjects kept running while stopped: {trial.slices.overlap_share:.1%} of the block overlapped"
    for name, trial in trials.items():
        if trial.succeeded and (hardware := _working_on(trial)) is not None:
            return f"{name} {hardware}, which continues to work while the process is stopped"
    return None


def _working_on(run: RunResult) -> str | None:
    """The hardware that works on for a stopped run, with what it does.

    A software adapter does not: it draws on threads of the process. Nor does a GPU that our pipeline leaves idle.
    """
    if run.decoder_used not in (None, SOFTWARE_DECODER):
        return f"decodes by {run.decoder_used}"
    if run.encoder is not None and run.encoder.endswith(HARDWARE_ENCODER_SUFFIXES):
        return f"encodes by {run.encoder}"
    waits = run.slices is not None and run.slices.gpu_idle_share is not None
    if run.adapter is not None and run.adapter_is_software is False and not waits:
        return f"draws on {run.adapter} and does not wait for it"
    return None
