"""Before anything is timed: make or find a case's source, and report errors that only the pipeline can find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from capbench.errors import MatrixError, OutputError
from capbench.harness.matrix.model import Case, OwnRecording, RunMatrix, Subject
from capbench.harness.matrix.sources.fetch_clip import fetch_clip
from capbench.harness.worker.client import ask_worker
from capbench.results.run_record import CurvePoint, Footage, NormalisedFootage

__all__ = ["PreparedCase", "check_cases", "export_options", "prepare_case"]

_TIMEOUT_S = 3600.0
"""Making the ten-minute recording takes minutes on a small machine."""
_CHECK_TIMEOUT_S = 600.0
"""Opening the sources of all cases, on a disk that may be far away."""
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
    """The encoder settings as arguments of ffmpeg; those of the first point of a curve."""
    encoder_options_of_points: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The same for each point of a curve, by its label; empty where no subject of the case needs them."""
    footage: NormalisedFootage | None = None
    """The clip that the source was made of; None for any other source."""
    failure: str | None = None
    """Why the source cannot be used; the case's runs are then recorded as failed."""

    def encoder_options_at(self, point: CurvePoint | None) -> tuple[str, ...]:
        """The encoder settings of a point as arguments of ffmpeg; those of the case for None."""
        return self.encoder_options if point is None else self.encoder_options_of_points.get(point.label, ())


def prepare_case(case: Case, subjects: Sequence[Subject], *, scratch: Path) -> PreparedCase:
    """Make, fetch or find the source of a case, and look at it in a worker process.

    Raises `MatrixError` for what the matrix says wrongly, which a clip of a corpus that cannot be read is too: figures
    over the clips would silently be those of others. Raises `UnavailableError` where a clip cannot be fetched here.
    """
    recording = case.recording
    source = case.source
    where = f"case {case.name!r}" if case.footage is None else f"footage {case.footage.name!r}"
    if case.download is not None:
        source = fetch_clip(where, case.download)
    settings, points = case, case.points
    if case.curve is not None:
        # What the encoder of the pipeline takes says nothing about that of a command.
        encodes = any(not subject.command or "{encoder_options}" in subject.command for subject in subjects)
        settings, points = (case.at(points[0]), points) if encodes else (case, ())
    answer = ask_worker(
        "prepare",
        {
            "source": None if source is None else str(source),
            "recording": recording.model_dump() if isinstance(recording, OwnRecording) else recording,
            "footage": None if case.footage is None else case.footage.model_dump() | {"frames": case.footage.frames},
            "duration_s": case.duration_s,
            "width": case.width,
            "height": case.height,
            "fps": case.fps,
            "options": export_options(settings),
            "points": {point.label: export_options(case.at(point)) for point in points if point is not None},
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
            footage=_as_normalised(case.footage, found["source_sha256"]),
            encoder_options=tuple(found["encoder_options"]),
            encoder_options_of_points={
                label: tuple(words) for label, words in found["encoder_options_of_points"].items()
            },
        )
    if answer.error_type in _BAD_SOURCE and case.footage is not None:
        raise MatrixError(f"{where}: {answer.error}")
    if answer.error_type in _BAD_SOURCE and case.corpus is not None:
        raise MatrixError(f"corpus {case.corpus!r}: clip {case.name!r} cannot be read: {answer.error}")
    if answer.error_type in _BAD_SOURCE:
        return PreparedCase(failure=answer.error)
    raise MatrixError(f"case {case.name!r}: {answer.error}")


def _as_normalised(footage: Footage | None, sha256: str | None) -> NormalisedFootage | None:
    """The clip as a run records it."""
    if footage is None or sha256 is None:
        return None
    return NormalisedFootage(**footage.model_dump(), normalised_sha256=sha256)


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
                    "options": [export_options(case.at(point)) for point in case.points],
                    "scene": case.scene,
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
