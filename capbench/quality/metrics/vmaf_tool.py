"""VMAF by an FFmpeg that has it: choice of the program and of the model, and reading of the log."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Callable, Container
from dataclasses import dataclass

from av.filter import filters_available

from capbench.errors import UnavailableError

__all__ = ["SMALLEST_SIDE_PX", "VmafLog", "VmafTool", "choose_tool", "find_tool", "model_for", "read_log"]

SMALLEST_SIDE_PX = 32
"""Pictures of 16x16 pixels end libvmaf 3 with a segmentation fault, 32x32 are measured."""
_FILTER = "libvmaf"
_LINES_OF_4K = 2160
_PROBE_TIMEOUT_S = 20.0
"""`ffmpeg -filters` takes 0.05 s; a busy machine may take long to start it."""


@dataclass(frozen=True, slots=True)
class VmafTool:
    """What measures VMAF here."""

    program: str | None
    """Path of an `ffmpeg` program; None for PyAV's own FFmpeg."""

    def __str__(self) -> str:
        return self.program or "PyAV's FFmpeg"


@dataclass(frozen=True, slots=True)
class VmafLog:
    """Content of libvmaf's log."""

    version: str
    """Its version, as it names itself."""
    scores: tuple[float, ...]
    """VMAF of each pair, in order, 0 to 100."""


def model_for(height: int) -> str:
    """Name of the model for pictures that many lines high.

    The models were trained on a screen of 1080 lines seen from three times its height, and on one of 2160 lines seen
    from one and a half (Netflix/vmaf, resource/doc/models_v0.md). Smaller pictures take the first one, unscaled.
    """
    return "vmaf_4k_v0.6.1" if height >= _LINES_OF_4K else "vmaf_v0.6.1"


def find_tool() -> VmafTool:
    """The FFmpeg that measures VMAF on this machine. Raises `UnavailableError` with the reason where none does."""
    return choose_tool(filters_available, shutil.which("ffmpeg"), _list_filters)


def choose_tool(inside_pyav: Container[str], program: str | None, list_filters: Callable[[str], str]) -> VmafTool:
    """PyAV's FFmpeg where it has the filter, else the `program` (None where there is none) whose list has it.

    `list_filters` gives what a program prints for `-filters`, and raises `OSError` or `subprocess.SubprocessError`.
    Raises `UnavailableError` with the reason where neither has it.
    """
    if _FILTER in inside_pyav:
        return VmafTool(None)
    without = "PyAV's FFmpeg was built without libvmaf"
    if program is None:
        raise UnavailableError(f"{without}, and no ffmpeg program is on PATH")
    try:
        listed = list_filters(program)
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"{without}, and {program} does not list its filters: {error}") from error
    # Flags, name, inputs and outputs, description.
    if any(line.split()[1:2] == [_FILTER] for line in listed.splitlines()):
        return VmafTool(program)
    raise UnavailableError(f"{without}, and so was {program}; put an ffmpeg with libvmaf first on PATH")


def _list_filters(program: str) -> str:
    return subprocess.run(
        [program, "-hide_banner", "-filters"],
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
        timeout=_PROBE_TIMEOUT_S,
        stdin=subprocess.DEVNULL,
    ).stdout


def read_log(text: str, pairs: int) -> VmafLog:
    """Read libvmaf's JSON log of that many pairs.

    Raises `UnavailableError` with the reason where it has other frames or no scores: a score must never be
    attributed to another frame.
    """
    try:
        log = json.loads(text)
        version = str(log["version"])
        numbers = [frame["frameNum"] for frame in log["frames"]]
        scores = tuple(float(frame["metrics"]["vmaf"]) for frame in log["frames"])
    except (ValueError, KeyError, TypeError) as error:
        raise UnavailableError(f"libvmaf's log cannot be read: {type(error).__name__} {error}") from error
    if numbers != list(range(pairs)):
        raise UnavailableError(f"libvmaf's log has {len(numbers)} frames instead of {pairs} in order")
    if not all(math.isfinite(score) for score in scores):
        raise UnavailableError("libvmaf's log has scores that are not numbers")
    return VmafLog(version, scores)
