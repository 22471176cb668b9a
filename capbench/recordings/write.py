"""Encodes a recording: H.264 and AAC into MP4 or HLS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from capbench.recordings.spec import RecordingSpec

__all__ = ["write_recording"]


def write_recording(spec: RecordingSpec, path: Path, *, on_frame: Callable[[int], None] | None) -> None:
    """Write the recording to `path`. Raises `OSError`."""
    raise NotImplementedError(f"{spec.name} to {path}, {on_frame}")
