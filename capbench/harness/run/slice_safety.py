"""Reasons why a case cannot be measured in slices, found before its first block; it is then measured in whole runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capbench.harness.matrix.model import Subject
from capbench.harness.run.sliced_block import MAX_SUBJECTS
from capbench.results.environment import Environment
from capbench.results.run_record import MAX_OVERLAP_SHARE, RunResult
from capbench.units import format_bytes

__all__ = ["memory_refusal", "refuse_slices", "trial_refusal"]

_UNDRAWN_PATH = "passthrough"
"""The only path that leaves the GPU alone: `cpu` composites on it too."""
_MEMORY_RESERVE = 1.2
"""Runs are not equally large each time, and the file cache needs room too."""


def refuse_slices(subjects: Sequence[Subject], environment: Environment) -> str | None:
    """Why slices cannot even be tried; None where they can.

    A GPU continues with submitted work while its process is stopped, so it would work for one subject in another's
    slice. A software adapter does not: it draws on threads of the process.
    """
    if len(subjects) < 2:
        return "there is only one subject"
    if len(subjects) > MAX_SUBJECTS:
        return f"{len(subjects)} subjects would be in memory at once; slices allow at most {MAX_SUBJECTS}"
    on_gpu = [subject.name for subject in subjects if subject.path is not None and subject.path != _UNDRAWN_PATH]
    if on_gpu and environment.adapter is not None and environment.adapter_is_software is False:
        return f"{on_gpu[0]} draws on {environment.adapter}, which continues to work while the process is stopped"
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
    """Why the trial block rules slices out: a subject failed only there, or was not stopped; None where it does not."""
    for name, trial in trials.items():
        if not trial.succeeded and name in warmups and warmups[name].succeeded:
            return f"{name} fails in slices but not alone: {trial.error}"
    for trial in trials.values():
        if trial.slices is not None and trial.slices.overlap_share > MAX_OVERLAP_SHARE:
            return f"subjects kept running while stopped: {trial.slices.overlap_share:.1%} of the block overlapped"
    return None
