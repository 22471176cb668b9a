"""The chroma location is where the encoders write it, whatever else they put before it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import pytest

from capbench.bitstream import chroma_location

QUIET = "log-level=error"
H264 = {
    "baseline": {"profile": "baseline"},
    "high-with-lists": {"x264-params": "cqm=jvt"},
    "interlaced": {"x264-params": "interlaced=1"},
    "wide-pixels": {"aspect": "64:45"},
}
HEVC = {
    "plain": {"x265-params": QUIET},
    "scaling-lists": {"x265-params": f"{QUIET}:scaling-list=default"},
    "many-references": {"x265-params": f"{QUIET}:ref=5:bframes=8:b-pyramid=1:rc-lookahead=20"},
    "temporal-layers": {"x265-params": f"{QUIET}:temporal-layers=3"},
    "no-hrd": {"x265-params": f"{QUIET}:vbv-maxrate=500:vbv-bufsize=500:hrd=1"},
}


def headers(encoder: str, options: dict[str, str], size: tuple[int, int] = (200, 120)) -> bytes:
    """Sequence headers of an encoder that was opened so."""
    context: Any = av.CodecContext.create(encoder, "w")
    context.width, context.height = size
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, 30), Fraction(30)
    context.flags |= 1 << 22  # global header
    context.options = {"preset": "ultrafast", **options}
    context.open()
    return bytes(context.extradata)


@pytest.mark.parametrize("location", [1, 2, 3])
@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        *(pytest.param("libx264", options, id=f"h264-{name}") for name, options in H264.items()),
        *(pytest.param("libx265", options, id=f"hevc-{name}") for name, options in HEVC.items()),
    ],
)
def test_location_is_read(encoder: str, options: dict[str, str], location: int) -> None:
    name = {1: "center", 2: "topleft", 3: "top"}[location]

    assert chroma_location(encoder, headers(encoder, options | {"chroma_sample_location": name})) == location


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_silence_is_none(encoder: str) -> None:
    options = {"x265-params": QUIET} if encoder == "libx265" else {}

    assert chroma_location(encoder, headers(encoder, options)) is None


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_damaged_headers_are_none_or_a_number_and_never_an_error(encoder: str) -> None:
    options = {"x265-params": QUIET} if encoder == "libx265" else {}
    good = headers(encoder, options | {"chroma_sample_location": "center"})

    for length in range(len(good)):
        found = chroma_location(encoder, good[:length])
        assert found is None or found >= 0
    for at in range(len(good)):
        found = chroma_location(encoder, good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
        assert found is None or found >= 0


def test_other_codecs_are_none() -> None:
    assert chroma_location("vp9", b"\x01" * 50) is None
