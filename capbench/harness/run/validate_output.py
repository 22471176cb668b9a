"""Having an output validated, after it was timed and in another process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from capbench.errors import OutputError
from capbench.harness.run.schedule import ScheduledRun
from capbench.harness.worker.client import ask_worker
from capbench.results.run_record import RunResult, RunRole
from capbench.results.validation import Check, CheckStatus, ValidationReport

__all__ = ["Validator", "content_digest"]

_TIMEOUT_S = 3600.0
"""Validation measures every frame: on a small machine several times as long as the export."""


@dataclass(frozen=True, slots=True)
class Validator:
    """Validates outputs of one result folder. An output that is bit for bit a validated one has the same report."""

    folder: Path
    """The result folder; pictures of the worst frames go to `frames/` inside."""
    _known: dict[tuple[str, str], ValidationReport] = field(default_factory=dict)

    def validate(self, run: RunResult, step: ScheduledRun, source: Path, output: Path) -> RunResult:
        """The run with what validation found. A validation that could not be made is unchecked, never a pass.

        Raises `OutputError` where it could not be made for want of space or leave to write: that is no property of the
        output, so nothing is recorded, and the run is made again when the matrix is resumed.
        """
        if step.role is not RunRole.MEASURE:
            return _without(run, "warm-ups and drift controls are not validated")
        key = (step.case.name, content_digest(output))
        report = self._known.get(key)
        if report is None:
            report = self._known[key] = self._ask(step, source, output)
        return run.model_copy(update={"validation": report.model_copy(update={"output": output.name})})

    def _ask(self, step: ScheduledRun, source: Path, output: Path) -> ValidationReport:
        pictures = Path("frames") / step.stem
        # The floor is the source in other bytes, whatever the case does to it.
        meant: dict[str, Any] = {"scene": "bare", "width": None, "height": None, "fps": None}
        if not step.subject.is_floor:
            meant = {key: getattr(step.case, key) for key in meant}
        try:
            answer = ask_worker(
                "validate",
                meant
                | {
                    "source": str(source),
                    "output": str(output),
                    # One block's pictures show what a subject does; every block's would fill the disk at 4K.
                    "save_frames": str(self.folder.absolute() / pictures) if step.block == 0 else None,
                },
                scratch=output.parent,
                timeout_s=_TIMEOUT_S,
            )
        except OSError as error:
            raise _cannot_write(output, error.strerror or str(error)) from error
        if answer.error is not None and (answer.disk_full or answer.error_type == OutputError.__name__):
            raise _cannot_write(output, answer.error)
        if answer.result is None:
            message = f"validation could not be done: {answer.error}"
            check = Check(name="validation.done", status=CheckStatus.UNCHECKED, message=message)
            return ValidationReport(reference=str(source), output=output.name, checks=(check,))
        report = ValidationReport.model_validate(answer.result)
        worst = tuple(
            frame.model_copy(
                update={
                    name: (pictures / getattr(frame, name)).as_posix()
                    for name in ("reference_png", "output_png", "difference_png")
                }
            )
            for frame in report.worst_frames
        )
        return report.model_copy(update={"worst_frames": worst})


def content_digest(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _cannot_write(output: Path, reason: str) -> OutputError:
    return OutputError(f"{output.name} could not be validated: {reason}; fix this, then continue with --resume")


def _without(run: RunResult, reason: str) -> RunResult:
    return run.model_copy(update={"unmeasured": run.unmeasured | {"validation": reason}})
