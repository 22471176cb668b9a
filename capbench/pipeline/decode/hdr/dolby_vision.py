"""Dolby Vision: profile 5 has no base layer that anything but its own decoder can show."""

from __future__ import annotations

from pathlib import Path

import av

from capbench.bitstream.mp4_boxes import find_entry_boxes
from capbench.pipeline.decode.hdr.frame_side_data import read_side_data

__all__ = ["dolby_vision_profile", "profile_of_boxes", "profile_of_rpu"]

_CONFIGURATIONS = (b"dvcC", b"dvvC", b"dvwC")
_METADATA = "DOVI_METADATA"
_OFFSET_BYTES = 8
_PROFILE_AT, _FULL_RANGE_AT = 4, 10
"""Places of `vdr_rpu_profile` and `bl_video_full_range_flag` in FFmpeg's `AVDOVIRpuDataHeader`."""


def dolby_vision_profile(path: Path, container: av.container.InputContainer, frame: av.VideoFrame) -> int | None:
    """The profile that MP4 states, or else 5 where a frame's metadata has its marks; None for other files."""
    has_boxes = "mp4" in container.format.name.split(",")
    stated = profile_of_boxes(find_entry_boxes(path)) if has_boxes else None
    return stated if stated is not None else profile_of_rpu(read_side_data(frame, _METADATA).get(_METADATA, b""))


def profile_of_boxes(boxes: tuple[tuple[bytes, bytes], ...]) -> int | None:
    """Seven bits behind two bytes of version (Dolby Vision Streams Within the ISO Base Media File Format, 2.2)."""
    return next((data[2] >> 1 for kind, data in boxes if kind in _CONFIGURATIONS and len(data) > 2), None)


def profile_of_rpu(metadata: bytes) -> int | None:
    """5 where FFmpeg's `AVDOVIMetadata` says so; None for any other, whose base layer can be shown.

    Of the profiles in use 5 alone has RPU profile 0 with a base layer of full range, as FFmpeg's own guess has it
    (`ff_dovi_guess_profile_hevc`).
    """
    if len(metadata) < _OFFSET_BYTES:
        return None
    header = metadata[int.from_bytes(metadata[:_OFFSET_BYTES], "little") :]
    if len(header) <= _FULL_RANGE_AT:
        return None
    return 5 if header[_PROFILE_AT] == 0 and header[_FULL_RANGE_AT] else None
