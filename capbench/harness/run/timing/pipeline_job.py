"""What a worker is asked for a path of the pipeline, or for the floor, and what its failure is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from capbench.harness.run.prepare_source import PreparedCase, export_options
from capbench.harness.run.schedule import ScheduledRun
from capbench.harness.worker.client import JobResult
from capbench.results.path_names import PASSTHROUGH
from capbench.results.run_record import FailureKind

__all__ = ["failure_of", "pipeline_job"]

_UNAVAILABLE_EXIT_CODE = 4


def pipeline_job(
    step: ScheduledRun, prepared: PreparedCase, *, output: Path, trace: Path | None
) -> tuple[str, dict[str, Any]]:
    """Name and specification of the worker's job."""
    subject = step.subject
    path = {} if subject.path is None else {"path": subject.path}
    return "floor" if subject.is_floor else "export", {
        "source": str(prepared.source),
        "output": str(output) if subject.writes_output else None,
        "options": export_options(step.settings) | path | subject.options,
        "trace": None if trace is None else str(trace),
        "draws": subject.path not in (None, PASSTHROUGH),
    }


def failure_of(answer: JobResult) -> FailureKind:
    """What kind of failure an answer without a result is."""
    if answer.outcome.timed_out:
        return FailureKind.TIMEOUT
    return FailureKind.UNAVAILABLE if answer.exit_code == _UNAVAILABLE_EXIT_CODE else FailureKind.EXIT
