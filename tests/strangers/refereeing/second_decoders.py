"""Another decoder's word on the pictures: ffmpeg and PyAV are one decoder, and would be wrong together."""

from __future__ import annotations

from typing import Final

import numpy as np

from tests.strangers.source_clips import COUNTER_CELLS
from tests.strangers.stream_facts import StreamFacts, decode_pictures, picture_size
from tests.strangers.tool_programs import ToolError, run_tool, version_of

__all__ = ["counted_opinion", "second_opinion"]

DECODERS: Final = {
    "h264": ("h264parse", "openh264dec"),
    "hevc": ("h265parse", "libde265dec"),
    "vp9": ("vp9parse", "vp9dec"),
    "av1": ("av1parse", "av1dec"),
    "mpeg2video": ("mpegvideoparse", "mpeg2dec"),
}
"""FFmpeg's name of a codec to GStreamer's parser and a decoder that is not FFmpeg's: OpenH264, libde265, libvpx,
libaom, libmpeg2."""
_DEMUXERS: Final = {
    ".mp4": "qtdemux",
    ".mov": "qtdemux",
    ".mkv": "matroskademux",
    ".webm": "matroskademux",
    ".ts": "tsdemux",
}
_EXACT: Final = {"h264", "hevc", "vp9", "av1"}
"""Codecs whose standards fix every bit."""
_INEXACT_CODES: Final = 3
"""The inverse transform of MPEG-2 may differ by a code in each of a few predictions on the way."""


def second_opinion(facts: StreamFacts) -> str:
    """`same`, `differs: ...`, or why there is no second opinion."""
    suffix = facts.path.suffix
    # OpenH264 2.3.1 decodes x264's B-frames to other pictures than those that were encoded.
    is_open_h264_sure = facts.codec != "h264" or not facts.reorders
    is_known = facts.codec in DECODERS and suffix in _DEMUXERS and facts.pixel_format == "yuv420p"
    if version_of("gst-launch-1.0") is None or not is_known or not is_open_h264_sure:
        return f"no second decoder for {facts.codec} {facts.pixel_format} in {suffix}"
    parser, decoder = DECODERS[facts.codec]
    words = f"{_DEMUXERS[suffix]} ! {parser} ! {decoder} ! video/x-raw,format=I420 ! fdsink fd=1".split()
    try:
        theirs = run_tool(["gst-launch-1.0", "-q", "filesrc", f"location={facts.path}", "!", *words])
        ours = run_tool(
            [
                *("ffmpeg", "-v", "quiet", "-noautorotate", "-i", facts.path, "-map", "0:v:0"),
                *("-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"),
            ]
        )
    except ToolError as error:
        return f"{decoder} failed: {str(error).splitlines()[0][:200]}"
    # GStreamer pads rows to four bytes.
    a, b = (np.frombuffer(data, np.uint8) for data in (theirs, ours))
    frame = facts.width * facts.height + 2 * (-(-facts.width // 2) * -(-facts.height // 2))
    if facts.width % 8 or facts.height % 2:
        return f"rows of {facts.width} are padded by GStreamer"
    if len(a) != len(b):
        return f"differs: {len(a) / frame:g} frames by {decoder}, {len(b) / frame:g} by ffmpeg"
    shape = (-1, int(frame))
    left, right = a.reshape(shape), b.reshape(shape)
    # GStreamer hands out OpenH264's pictures in the order of the stream: which pictures there are is what is compared.
    theirs_by_hash, ours_by_hash = ({hash(row.tobytes()) for row in rows} for rows in (left, right))
    if theirs_by_hash == ours_by_hash:
        return f"same by {decoder}"
    if facts.codec in _EXACT:
        return f"differs: {len(ours_by_hash - theirs_by_hash)} of {len(right)} pictures are not among {decoder}'s"
    worst = int(np.abs(left.astype(np.int16) - right.astype(np.int16)).max())
    if worst > _INEXACT_CODES:
        return f"differs: by up to {worst} codes from {decoder}'s"
    return f"same by {decoder}"


def counted_opinion(reference: StreamFacts, output: StreamFacts) -> str:
    """`same` where the numbers that were drawn into the clip come out as 0, 1, 2, and so on: no decoder is believed."""
    cell = picture_size(output)[0] // COUNTER_CELLS
    pictures = decode_pictures(output, picture_size(output))
    squares = pictures[:, cell // 4 : 3 * cell // 4].mean(axis=(1, 3))
    middles = [
        squares[:, cell * bit + cell // 4 : cell * bit + 3 * cell // 4].mean(axis=1) for bit in range(COUNTER_CELLS)
    ]
    numbers = sum((middle > 128).astype(int) << (COUNTER_CELLS - 1 - bit) for bit, middle in enumerate(middles))
    if list(np.atleast_1d(numbers)) == list(range(reference.frame_count)):
        return "same by construction"
    return f"differs: by construction, frames {list(np.atleast_1d(numbers))[:8]} ..."
