"""HDR clips of known colours and metadata, made with x265, and boxes that FFmpeg's muxer does not write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["HEIGHT", "P3_DISPLAY", "WIDTH", "HdrClip", "box", "mdcv_box", "with_entry_boxes", "write_hdr"]

WIDTH, HEIGHT = 256, 144
P3_DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
"""x265's notation: units of 0.00002, and of 0.0001 cd/m2. Display P3, 0.0001 to 1000 cd/m2."""
PQ, HLG = 16, 18
_MOOV, _TRAK, _MDIA, _MINF, _STBL, _STSD = b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"


@dataclass(frozen=True, slots=True)
class HdrClip:
    """Code points of ITU-T H.273 and what x265 is to write into SEI messages."""

    transfer: int = PQ
    primaries: int = 9
    matrix: int = 9
    full_range: bool = False
    mastering: str | None = P3_DISPLAY
    max_cll: str | None = "1000,400"
    form: str = "yuv420p10le"
    qp: int = 4
    frames: int = 4
    chroma_location: int | None = None


def gradients(number: int) -> list[NDArray[np.float64]]:
    """Y, Cb, Cr of 0..1 at each pixel, which move."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    wave = np.sin(x / 17 + number / 2) * np.cos(y / 13)
    return [
        0.3 + 0.25 * x / WIDTH + 0.12 * wave,
        0.5 + 0.2 * np.sin(x / 23 + y / 31),
        0.5 + 0.2 * np.cos(x / 29 - y / 19),
    ]


def write_hdr(target: Path, clip: HdrClip | None = None, *, picture: list[NDArray[np.float64]] | None = None) -> Path:
    """An MP4 or Matroska file of `gradients`, or of a still `picture` of Y, Cb, Cr of 0..1 in limited-range terms."""
    made = clip or HdrClip()
    # No B-frames: with them, x265 up to 4.2 writes random DTS into clips of one or two pictures (its issue 781).
    parameters = ["log-level=error", "repeat-headers=1", "bframes=0", f"qp={made.qp}"]
    parameters += [f"master-display={made.mastering}"] if made.mastering else []
    parameters += [f"max-cll={made.max_cll}"] if made.max_cll else []
    parameters += [] if made.chroma_location is None else [f"chromaloc={made.chroma_location}"]
    with av.open(str(target), "w") as container:
        options = {"x265-params": ":".join(parameters), "preset": "ultrafast"}
        stream = container.add_stream("libx265", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, made.form
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = made.transfer, made.primaries, made.matrix
        context.color_range = 2 if made.full_range else 1
        for number in range(made.frames):
            frame = av.VideoFrame(WIDTH, HEIGHT, made.form)
            bits = frame.format.components[0].bits
            kind = np.dtype(np.uint8) if bits == 8 else np.dtype("<u2")
            for plane, part in zip(frame.planes, picture or gradients(number), strict=True):
                down, across = HEIGHT // plane.height, WIDTH // plane.width
                means = part.reshape(plane.height, down, plane.width, across).mean(axis=(1, 3))
                padded = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
                padded[:, : plane.width] = np.floor(means * (1 << bits) + 0.5)
                plane.update(padded.tobytes())
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target


def box(kind: bytes, content: bytes) -> bytes:
    """A box of MP4."""
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def mdcv_box(max_cd_m2: int = 1000) -> bytes:
    """Display P3 from 0.0001 cd/m2 up: green, blue, red, white, brightest, darkest."""
    points = (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450)
    words = b"".join(point.to_bytes(2, "big") for point in points)
    return box(b"mdcv", words + (max_cd_m2 * 10000).to_bytes(4, "big") + (1).to_bytes(4, "big"))


def with_entry_boxes(path: Path, target: Path, *boxes: bytes) -> Path:
    """A copy with boxes at the end of the video's sample entry. The index must lie behind the samples."""
    data = path.read_bytes()
    added = b"".join(boxes)
    at, places = 0, []
    wanted = [_MOOV, _TRAK, _MDIA, _MINF, _STBL, _STSD]
    end = len(data)
    while wanted:
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == wanted[0]:
            assert kind != _MOOV or data.find(b"mdat") < at, "sample offsets would move"
            places.append(at)
            wanted.pop(0)
            end = at + size
            at += 16 if kind == _STSD else 8
        else:
            at += size
            assert at < end, f"no box {wanted[0]!r}"
    entry_size = int.from_bytes(data[at : at + 4], "big")
    places.append(at)
    changed = bytearray(data)
    for place in places:
        size = int.from_bytes(changed[place : place + 4], "big") + len(added)
        changed[place : place + 4] = size.to_bytes(4, "big")
    changed[at + entry_size : at + entry_size] = added
    target.write_bytes(changed)
    return target
