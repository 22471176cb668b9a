"""Which FFmpeg on this machine measures VMAF, found by having it measure."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
from av.filter import filters_available

from capbench.errors import UnavailableError
from capbench.installation import install_command
from capbench.quality.metrics.libvmaf.libvmaf_options import LIBVMAF_METRICS
from capbench.quality.metrics.libvmaf.vmaf_meter import VmafMeter
from capbench.quality.metrics.libvmaf.vmaf_runs import VmafTool
from capbench.quality.reading.planes import Planes, as_frame

__all__ = ["choose_tool", "find_tool", "try_out"]

_FILTER = "libvmaf"
_TRIED_SIDE_PX = 256
"""Large enough for every metric, and measured in no time."""
_TRIED_PAIRS = 2  # motion is a difference of frames


@cache
def find_tool() -> tuple[VmafTool, frozenset[str]]:
    """The FFmpeg that measures VMAF here, and which metrics it measures. Found once in a process.

    Raises `UnavailableError` with the reason where there is none; a later call searches again.
    """
    return choose_tool(_candidates(), try_out)


def _candidates() -> Iterator[VmafTool]:
    """PyAV's own FFmpeg needs no process; the package's is of a known build; what is on PATH may be anything."""
    if _FILTER in filters_available:
        yield VmafTool("PyAV's FFmpeg")
    if (program := _packaged_program()) is not None:
        yield program
    if (found := shutil.which("ffmpeg")) is not None:
        yield VmafTool(found, found)


def _packaged_program() -> VmafTool | None:
    try:
        import imageio_ffmpeg  # noqa: PLC0415  an extra

        program = imageio_ffmpeg.get_ffmpeg_exe()
        is_its_own = Path(program).is_relative_to(Path(imageio_ffmpeg.__file__).parent)
    except (ImportError, RuntimeError):  # not installed, or a platform that it has no program for
        return None
    # It may also name what its environment variable or PATH has.
    return VmafTool(f"the FFmpeg of imageio-ffmpeg {imageio_ffmpeg.__version__}" if is_its_own else program, program)


def choose_tool(
    candidates: Iterator[VmafTool], measured_by: Callable[[VmafTool], Collection[str]]
) -> tuple[VmafTool, frozenset[str]]:
    """The first candidate that measures VMAF, with all that it measures.

    `measured_by` tries one out and raises `UnavailableError` where it measures nothing. Raises `UnavailableError` with
    what was wrong with each where none does.
    """
    refused = []
    for tool in candidates:
        try:
            return tool, frozenset(measured_by(tool))
        except UnavailableError as error:
            refused.append(str(error))
    causes = "".join(f"; {reason}" for reason in refused)
    remedy = install_command("vmaf")
    raise UnavailableError(f"no FFmpeg here measures it{causes}; this brings one that does: {remedy}")


def try_out(tool: VmafTool) -> frozenset[str]:
    """Metrics that a tool measures of a small pair of pictures.

    Raises `UnavailableError` with the reason where it does not measure VMAF.
    """
    if not _reason_against(tool, LIBVMAF_METRICS):
        return frozenset(LIBVMAF_METRICS)
    # One that it does not know ends the whole run: an old libvmaf may have some of them.
    if reason := _reason_against(tool, ("vmaf",)):
        raise UnavailableError(reason if reason.startswith(str(tool)) else f"{tool}: {reason}")
    return frozenset(name for name in LIBVMAF_METRICS if not _reason_against(tool, (name,)))


def _reason_against(tool: VmafTool, names: Collection[str]) -> str | None:
    """Why a tool does not measure these metrics together; None where it does."""
    rows, columns = np.mgrid[0:_TRIED_SIDE_PX, 0:_TRIED_SIDE_PX]
    grey = np.full((_TRIED_SIDE_PX // 2, _TRIED_SIDE_PX // 2), 128, np.uint8)
    try:
        with closing(VmafMeter(tool, names, _TRIED_SIDE_PX, _TRIED_SIDE_PX)) as meter:
            for number in range(_TRIED_PAIRS):
                want = ((rows ^ columns) // 2 + 40 + number).astype(np.uint8)
                meter.push(as_frame(Planes(want + 2, grey, grey)), as_frame(Planes(want, grey, grey)))
            return next(iter(meter.finish().unmeasured.values()), None)
    except UnavailableError as error:
        return str(error)
