"""Before anything is timed: make or find a case's source, and report errors that only the pipeline can find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capbench.errors import MatrixError
from capbench.harness.matrix.model import Case, OwnRecording, Subject
from capbench.harness.worker.client import ask_worker

__all__ = ["PreparedCase", "export_options", "prepare_case"]

_TIMEOUT_S = 3600.0
"""Making the ten-minute recording takes minutes on a small machine."""
_BAD_SOURCE = frozenset({"SourceError", "DamagedStreamError", "UnsafePlaylistError", "ColourError"})
"""Errors caused by the source: its runs fail, the rest of the matrix continues."""


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


def export_options(case: Case) -> dict[str, Any]:
    """A case's settings under the names of the export's options; what is not said is left out."""
    named = {key: getattr(case, key) for key in ("scene", "width", "height", "fps", "encoder", "quality", "qp")}
    return {key: value for key, value in named.items() if value is not None} | case.options
