"""Exports of a few frames: the only proof that a path works, and the ground for what an export would hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from capbench.doctor.findings import ChannelFinding, PathFinding
from capbench.errors import CapbenchError
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.registry import path_names
from capbench.pipeline.export import ExportOptions, export
from capbench.pipeline.job import ExportJob, prepare
from capbench.pipeline.memory_plan import plan_export
from capbench.recordings import RecordingSpec, make_recording

__all__ = ["try_exports"]

_CLIP = RecordingSpec("doctor", 160, 90, 30, 0.1)
_USUAL_SIZES = ((1920, 1080), (3840, 2160))


def try_exports() -> tuple[tuple[PathFinding, ...], tuple[ChannelFinding, ...]]:
    """Every path that `--path` takes, tried, and what an export by `gpu` would hold at usual picture sizes.

    What does not work is a finding and raises nothing; where nothing can be encoded nothing is planned either.
    """
    with TemporaryDirectory(prefix="capbench-doctor-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            source = make_recording(_CLIP, folder=folder)
            job = prepare(source, folder / "out.mp4", ExportOptions(path="gpu"))
        except CapbenchError as error:
            return tuple(PathFinding(name=path, works=False, reason=str(error)) for path in path_names()), ()
        paths = tuple(_try_path(path, source, folder / "out.mp4") for path in path_names())
        return paths, tuple(_plan(job, width, height) for width, height in _USUAL_SIZES)


def _try_path(name: str, source: Path, output: Path) -> PathFinding:
    try:
        report = export(source, output, ExportOptions(path=name))
    except CapbenchError as error:
        return PathFinding(name=name, works=False, reason=str(error))
    if report.path_used != name:
        return PathFinding(name=name, works=False, reason="; ".join(report.fallbacks))
    return PathFinding(name=name, works=True)


def _plan(job: ExportJob, width: int, height: int) -> ChannelFinding:
    sized = replace(job, source=replace(job.source, width=width, height=height), canvas=CanvasSize(width, height))
    plan = plan_export(sized, "gpu")
    return ChannelFinding(
        width=width,
        height=height,
        decoded_frames=plan.decoded_frames,
        upload_slots=plan.upload_slots,
        staging_slots=plan.staging_slots,
        pictures=plan.pictures,
        owned_bytes=plan.owned_bytes,
    )
