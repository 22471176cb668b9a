"""Colour tags that do not fit the pixels, and colour controls. What converts pixels wrongly is in `shaders`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from capbench.quality.reading.planes import Planes
from capbench.selftest.reencode import Remake, Shot, Tags
from capbench.selftest.selftest_report import Mutates
from capbench.selftest.specimen import Pair, register_change, register_pair

__all__: list[str] = []

register_change(
    name="range-tag-wrong",
    family="colour",
    defect="pixels use the limited range and are tagged full",
    caught_by=["colour.meaning"],
    says="limited range tagged full",
    mutates=Mutates.MUXING,
    change=lambda: Remake(tags=Tags(full_range=True)),
)
register_change(
    name="matrix-tag-wrong",
    family="colour",
    defect="pixels are BT.709 and tagged BT.601",
    caught_by=["colour.meaning"],
    says="pixels are BT.709 but tagged BT.601",
    mutates=Mutates.MUXING,
    change=lambda: Remake(tags=Tags(matrix=6, primaries=6, transfer=6)),
)
register_change(
    name="tags-missing",
    family="colour",
    defect="the file states no colour",
    caught_by=["tags.present"],
    mutates=Mutates.MUXING,
    change=lambda: Remake(tags=Tags(2, 2, 2, None)),
)
register_change(
    name="siting-tag-wrong",
    family="colour",
    defect="chroma is left-sited and tagged centre",
    caught_by=["colour.siting"],
    says="chroma sited left, tagged centre",
    mutates=Mutates.MUXING,
    change=lambda: Remake(tags=Tags(chroma_location="center")),
)


def _recoloured(luma_codes: float, chroma_gain: float) -> Callable[[Iterator[Shot]], Iterable[Shot]]:
    def plane(values: NDArray[np.uint8], gain: float, offset: float) -> NDArray[np.uint8]:
        codes = np.rint(128 + (values.astype(np.float32) - 128) * gain + offset)
        return np.asarray(codes.clip(0, 255), np.uint8)

    def shots(source: Iterator[Shot]) -> Iterator[Shot]:
        for shot in source:
            luma, *chroma = shot.planes.all
            yield shot.showing(
                Planes(plane(luma, 1, luma_codes), *(plane(values, chroma_gain, 0) for values in chroma))
            )

    return shots


register_change(
    name="luma-lifted",
    family="colour",
    defect="luma is 4 codes too bright, black included",
    caught_by=["colour.meaning"],
    says="luma is 4.0 codes brighter",
    change=lambda: Remake(shots=_recoloured(4, 1)),
)
register_change(
    name="saturation-lowered",
    family="colour",
    defect="chroma is three quarters of what it should be",
    caught_by=["colour.meaning"],
    says="saturation is 7",
    change=lambda: Remake(shots=_recoloured(0, 0.75)),
)

_DEEP_SIZE = (256, 144)
_DEEP_FRAMES = 30


def _write_gradient(target: Path, bits_left: int) -> Path:
    """A 10-bit gradient that moves, of which so many bits are kept, without loss."""
    width, height = _DEEP_SIZE
    lost = 10 - bits_left
    with av.open(str(target), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p10le"
        for number in range(_DEEP_FRAMES):
            ramp = 300 + np.arange(width)[None, :] // 2 + np.arange(height)[:, None] // 2
            ramp[:, 8 * number : 8 * number + 24] += 400  # a bar that moves, so that frames can be told apart
            planes = [
                (ramp >> lost << lost).astype(np.uint16),
                *[np.full((height // 2, width // 2), 512, np.uint16)] * 2,
            ]
            frame = av.VideoFrame(width, height, "yuv420p10le")
            for plane, values in zip(frame.planes, planes, strict=True):
                padded = np.zeros((plane.height, plane.line_size // 2), np.uint16)
                padded[:, : plane.width] = values
                plane.update(padded.tobytes())
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target


@register_pair(
    name="depth-lost",
    family="colour",
    defect="10 bits are stated and 8 are left: the picture went through an 8-bit texture",
    caught_by=["picture.depth"],
    mutates=Mutates.CONTENT,
)
def _depth_lost(folder: Path) -> Pair:
    return Pair(_write_gradient(folder / "10-bits.mkv", 10), _write_gradient(folder / "8-of-10-bits.mkv", 8))
