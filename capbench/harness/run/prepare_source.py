"""Before anything is timed: a case's source is there, and what only the pipeline can know to be wrong is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capbench.errors import MatrixError, OutputError
from capbench.harness.matrix.model import Case, OwnRecording, RunMatrix, Subject
from capbench.harness.worker.client import ask_worker

__all__ = ["PreparedCase", "check_cases", "export_options", "prepare_case"]

_TIMEOUT_S = 3600.0
"""Making the ten-minute recording takes minutes on a small machine."""
_CHECK_TIMEOUT_S = 600.0
"""Opening the sources of all cases, on a disk that may be far away."""
_BAD_SOURCE = frozenset({"SourceError", "DamagedStreamError", "UnsafePlaylistError", "ColourError"})
"""Errors that are the source's: its runs fail, the rest of the matrix goes on."""


@dataclass(frozen=True, slots=True)
class PreparedCase:
    """A case whose source is there."""

    source: Path | None = None
    """File to export."""
    width: int = 0
    """Output width in pixels."""
    height: int = 0
    """Output height in pixels."""
    fps: str = ""
    """Output rate as a fraction."""
    encoder_options: tuple[str, ...] = ()
    """The encoder settings as arguments of ffmpeg."""
    failure: str | None = None
    """Why the source cannot be used; the case's runs are then recorded as failed."""


def prepare_case(case: Case, subjects: Sequence[Subject], *, scratch: Path) -> PreparedCase:
    """Make or find the source of a case in a worker process. Raises `MatrixError` for what the matrix says wrongly."""
    recording = case.recording
    answer = ask_worker(
        "prepare",
        {
            "source": None if case.source is None else str(case.source),
            "recording": recording.model_dump() if isinstance(recording, OwnRecording) else recording,
            "duration_s": case.duration_s,
            "width": case.width,
            "height": case.height,
            "fps": case.fps,
            "options": export_options(case),
            # A command may know scenes that the pipeline does not.
            "knows_scene": all(subject.path is None for subject in subjects),
        },
        scratch=scratch,
        timeout_s=_TIMEOUT_S,
    )
    if answer.result is not None:
        found = answer.result
        return PreparedCase(
            source=Path(found["source"]),
            width=found["width"],
            height=found["height"],
            fps=found["fps"],
            encoder_options=tuple(found["encoder_options"]),
        )
    if answer.error_type in _BAD_SOURCE:
        return PreparedCase(failure=answer.error)
    raise MatrixError(f"case {case.name!r}: {answer.error}")


def check_cases(matrix: RunMatrix, *, scratch: Path) -> tuple[str, ...]:
    """What only the pipeline can know to be wrong in a matrix, one sentence a case; nothing is made or timed.

    Sources are probed, but recordings are not made. Raises `OutputError` where the worker could not be asked.
    """
    answer = ask_worker(
        "check",
        {
            "cases": [
                {
                    "name": case.name,
                    "source": None if case.source is None else str(case.source),
                    "recording": (
                        case.recording.model_dump() if isinstance(case.recording, OwnRecording) else case.recording
                    ),
                    "duration_s": case.duration_s,
                    "options": export_options(case),
                    "subject_options": [
                        subject.options
                        for subject in matrix.subjects_of(case)
                        if subject.options and not subject.command
                    ],
                    "knows_scene": all(subject.path is None for subject in matrix.subjects_of(case)),
                }
                for case in matrix.cases
            ]
        },
        scratch=scratch,
        timeout_s=_CHECK_TIMEOUT_S,
    )
    if answer.result is None:
        raise OutputError(f"cannot check the cases: {answer.error}")
    return tuple(answer.result["problems"])


def export_options(case: Case) -> dict[str, Any]:
    """A case's settings under the names of the export's options; what is not said is left out."""
    named = {key: getattr(case, key) for key in ("scene", "width", "height", "fps", "encoder", "quality", "qp")}
    return {key: value for key, value in named.items() if value is not None} | case.options
