"""Validate one file against another: inspect, decide, report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from capbench.quality.colour_checks import check_colour, patch_errors
from capbench.quality.evidence import Evidence
from capbench.quality.expectation import Expectation
from capbench.quality.file_checks import check_file
from capbench.quality.frame_checks import check_frames
from capbench.quality.inspection import inspect_files
from capbench.quality.picture_checks import check_pictures
from capbench.quality.picture_meter import KeptPair
from capbench.quality.pooling import pool
from capbench.quality.sound_checks import check_sound
from capbench.quality.time_checks import check_times
from capbench.quality.worst_frames import save_worst_frames
from capbench.results import ValidationReport

__all__ = ["report_on", "validate"]


def validate(
    reference: Path,
    output: Path,
    *,
    expected: Expectation | None = None,
    save_frames: Path | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> ValidationReport:
    """Hold `output` against `reference`, file against file.

    `expected` says what was meant to differ. `save_frames` is a folder for the worst frames as PNG. `on_frame` is
    called with the number of output frames read so far. Raises `SourceError` where a file cannot be opened, has no
    video or not one frame; everything else that is wrong is a check of the report. Raises `OutputError` for
    `save_frames`.
    """
    expectation = expected or Expectation()
    inspection = inspect_files(
        Path(reference), Path(output), expectation, keep_worst=save_frames is not None, on_frame=on_frame
    )
    return report_on(inspection.evidence, expectation, worst_pairs=inspection.worst_pairs, save_frames=save_frames)


def report_on(
    evidence: Evidence,
    expected: Expectation,
    *,
    worst_pairs: list[KeptPair],
    save_frames: Path | None,
) -> ValidationReport:
    """Decide on evidence. Raises `OutputError` where pictures cannot be written to `save_frames`."""
    sound = check_sound(evidence)
    series = evidence.pictures.series if evidence.pictures else {}
    measured = {name: values for name, values in series.items() if any(value is not None for value in values)}
    return ValidationReport(
        reference=str(evidence.reference.facts.path),
        output=str(evidence.output.facts.path),
        checks=(
            *check_file(evidence, must_state_colour=expected.must_state_colour),
            *check_frames(evidence),
            *check_times(evidence),
            *sound.checks,
            *check_pictures(evidence),
            *check_colour(evidence),
        ),
        metrics={name: pool(values, "dB" if "psnr" in name else "") for name, values in measured.items()},
        patches=patch_errors(evidence),
        series={name: tuple(values) for name, values in measured.items()},
        worst_frames=save_worst_frames(worst_pairs, evidence.output.spec, save_frames) if save_frames else (),
        av_offset_ms=sound.offset_ms,
        av_drift_ms=sound.drift_ms,
        frames_compared=sum(value is not None for value in series.get("psnr_y", ())),
    )
