"""Having an output validated, after it was timed and in another process."""

from __future__ import annotations

from pathlib import Path

from capbench.harness.errand import ask_worker
from capbench.harness.plan import Step
from capbench.results.run import RunResult
from capbench.results.validation import ValidationReport

__all__ = ["validate_output"]

_TIMEOUT_S = 3600.0
"""Validation measures every frame: on a small machine several times as long as the export."""


def validate_output(run: RunResult, step: Step, source: Path, output: Path, *, scratch: Path) -> RunResult:
    """The run with what validation found. A validation that could not be made is a reason, never a pass."""
    answer = ask_worker(
        "validate",
        {
            "source": str(source),
            "output": str(output),
            "scene": step.case.scene,
            "width": step.case.width,
            "height": step.case.height,
            "fps": step.case.fps,
        },
        scratch=scratch,
        timeout_s=_TIMEOUT_S,
    )
    if answer.result is None:
        reason = f"validation could not be done: {answer.error}"
        return run.model_copy(update={"unmeasured": run.unmeasured | {"validation": reason}})
    return run.model_copy(update={"validation": ValidationReport.model_validate(answer.result)})
