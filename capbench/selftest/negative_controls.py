"""Exports with nothing wrong, over scenes, sizes, paths and encoders: none may raise an alarm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from capbench.errors import UnavailableError
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.quality.validate import validate_run
from capbench.recordings import RecordingSpec, make_recording
from capbench.results import CheckStatus
from capbench.selftest.selftest_report import CleanExport

__all__ = ["CLEAN_EXPORTS", "CleanCase", "try_clean_exports"]


@dataclass(frozen=True, slots=True)
class CleanCase:
    """One export that is right."""

    scene: str
    """Shipped scene."""
    path: str
    """Conversion path."""
    width: int
    """Width of the recording in pixels."""
    height: int
    """Height of the recording in pixels."""
    scaled_to: tuple[int, int] | None = None
    """Output size in pixels; None keeps the recording's."""
    encoder: str = "libx264"
    """Encoder by FFmpeg's name."""
    crf: float = 20.0
    """Constant rate factor."""
    rate: Fraction = Fraction(30)
    """Frames a second of the recording."""
    output_rate: Fraction | None = None
    """Frames a second of the output; None keeps the recording's."""
    seed: int = 1
    """Content of the recording."""

    @property
    def name(self) -> str:
        """In words."""
        size = f"{self.width}x{self.height}"
        scaled = f" to {self.scaled_to[0]}x{self.scaled_to[1]}" if self.scaled_to else ""
        fps = f" at {self.output_rate} fps" if self.output_rate else ""
        return f"{self.scene} by {self.path}, {size}{scaled}, {self.rate} fps{fps}, {self.encoder} crf {self.crf:g}"


_NTSC = Fraction(30000, 1001)
CLEAN_EXPORTS = (
    CleanCase("bare", "passthrough", 640, 360),
    CleanCase("bare", "gpu", 640, 360, crf=16),
    CleanCase("bare", "gpu", 640, 360, crf=28),
    CleanCase("bare", "cpu", 640, 360),
    CleanCase("bare", "gpu-fused", 640, 360),
    CleanCase("bare", "gpu-late", 640, 360),
    CleanCase("bare", "gpu", 480, 270),
    CleanCase("bare", "cpu", 480, 270),
    CleanCase("bare", "gpu", 640, 362, rate=_NTSC),
    CleanCase("bare", "cpu", 640, 360, encoder="libx265", crf=22),
    CleanCase("bare", "gpu", 640, 360, scaled_to=(426, 240)),
    CleanCase("bare", "cpu", 640, 360, scaled_to=(960, 540)),
    CleanCase("bare", "gpu", 640, 360, rate=Fraction(60), output_rate=Fraction(30)),
    CleanCase("ladder-motion", "gpu-fused", 640, 360, seed=7, crf=24),
    CleanCase("studio", "gpu", 640, 360),
    CleanCase("studio", "cpu", 640, 360),
    CleanCase("studio", "gpu-fused", 640, 360, crf=26),
    CleanCase("studio", "gpu", 480, 270, scaled_to=(640, 640)),
    CleanCase("studio", "gpu", 640, 360, encoder="libx265", crf=22, rate=_NTSC),
    CleanCase("everything", "gpu", 640, 360),
)
"""Twenty of them. Encoders that are missing here are left out by the export's own choice and reported as such."""

_CLIP_S = 2.0


def try_clean_exports(folder: Path, cases: tuple[CleanCase, ...] = CLEAN_EXPORTS) -> Iterator[CleanExport]:
    """Export and validate each case in `folder`; one outcome a case, in order."""
    for number, case in enumerate(cases):
        yield _try(case, folder / f"clean-{number:02d}.mp4")


def _try(case: CleanCase, output: Path) -> CleanExport:
    source = make_recording(
        RecordingSpec(f"clean-{case.width}x{case.height}", case.width, case.height, case.rate, _CLIP_S, seed=case.seed)
    )
    width, height = case.scaled_to or (None, None)
    options = ExportOptions(
        scene=case.scene,
        path=case.path,
        width=width,
        height=height,
        fps=case.output_rate,
        encoder=EncoderSettings(name=case.encoder, crf=case.crf),
    )
    try:
        report = export(source, output, options)
    except UnavailableError as error:
        return CleanExport(name=case.name, error=str(error), unavailable=True)
    if report.path_used != case.path:
        return CleanExport(name=case.name, error=f"path {report.path_used} ran instead: {'; '.join(report.fallbacks)}")
    checked = validate_run(
        source, output, scene=case.scene, width=width, height=height, rate=case.output_rate, with_vmaf=False
    )
    output.unlink()
    wrong = [check for check in checked.checks if check.status in (CheckStatus.FAIL, CheckStatus.UNCHECKED)]
    return CleanExport(name=case.name, alarms=tuple(f"{check.name}: {check.message}" for check in wrong))
