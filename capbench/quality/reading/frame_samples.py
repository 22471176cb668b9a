"""The samples of a decoded Y'CbCr or grey frame as they are, and brought to 8-bit 4:2:0 with one rounding."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, Range
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.quality.oracle.display_turn import UNTURNED, DisplayTurn
from capbench.quality.reading.planes import SAME_CODES, Planes

__all__ = [
    "FrameSamples",
    "chroma_ratio",
    "coded_rows",
    "has_chroma_at_each_column",
    "level_row_step",
    "level_rows",
    "read_samples",
    "sample_bits",
]

_SUBSAMPLED = {
    (1, 1): "yuv444p",
    (2, 1): "yuv422p",
    (2, 2): "yuv420p",
    (1, 2): "yuv440p",
    (4, 1): "yuv411p",
    (4, 4): "yuv410p",
}
"""Planar format by luma columns and rows of one chroma sample."""
_DEEP = (9, 10, 12, 14, 16)
_HALF = 2
"""Luma columns or rows of a chroma sample of 4:2:0."""
_LEVEL_ROWS = 4
"""A quarter of the rows has samples enough to count levels in, if that is as many as the next says."""
_LEVEL_SAMPLES = 40_000
"""Of which twelve pictures have 2,000 of each of 240 levels, and a tenth of that of rare ones."""

Samples = NDArray[np.uint8] | NDArray[np.uint16]


def sample_bits(form: av.VideoFormat) -> int:
    """Bits of a luma or colour sample; 8 of a palette's."""
    return 8 if form.has_palette else max(component.bits for component in form.components)


def has_chroma_at_each_column(form: av.VideoFormat) -> bool:
    """Whether chroma has no siting across, because it is at each pixel, or because there is none."""
    return form.is_rgb or form.has_palette or _is_grey(form) or form.components[1].width == form.width


def chroma_ratio(frame: av.VideoFrame) -> tuple[int, int]:
    """Columns and rows of a decoded picture for one sample of its chroma; (1, 1) of R'G'B' and grey."""
    form = frame.format
    return (1, 1) if form.is_rgb or form.has_palette or _is_grey(form) else _ratio(frame)


def _is_grey(form: av.VideoFormat) -> bool:
    # PyAV's `is_chroma` says no for chroma that is not subsampled.
    return len(form.components) < 3


@dataclass(frozen=True, slots=True, eq=False)
class FrameSamples:
    """Y, Cb and Cr at their own resolution and depth; views, valid while the frame is held."""

    luma: Samples
    """Y codes."""
    chroma: tuple[Samples, Samples] | None
    """Cb and Cr codes; None for grey."""
    ratio: tuple[int, int]
    """Luma columns and rows of one chroma sample."""
    bits: int
    """Depth of a sample."""

    def as_planes(self, extent: Range, siting: ChromaSiting, turn: DisplayTurn = UNTURNED) -> Planes:
        """8-bit 4:2:0 of even size, as it is shown, each value rounded once.

        Chroma at each column of the turned picture is filtered to where `siting` puts it, as 4:2:0 encoders do; chroma
        that is subsampled across stays where it is, left-sited where it has fewer than one sample for two columns.
        """
        upright = turn.applied(self.luma)
        height, width = (side // _HALF * _HALF for side in upright.shape)
        luma = _eight_bits(upright[:height, :width].astype(np.uint32), 1, self.bits, extent, neutral=False)
        if self.chroma is None:
            grey = np.full((height // _HALF, width // _HALF), 128, np.uint8)
            return Planes(luma, grey, grey)
        cb, cr = (
            self._chroma_plane(plane, extent, siting, turn)[: height // _HALF, : width // _HALF]
            for plane in self.chroma
        )
        return Planes(luma, cb, cr)

    def _chroma_plane(
        self, plane: Samples, extent: Range, siting: ChromaSiting, turn: DisplayTurn
    ) -> NDArray[np.uint8]:
        """Fewer samples than 4:2:0 has are doubled as they are coded; more are halved once they are turned.

        An exporter turns a picture before it samples it down. Filtered first, and then turned, chroma would lie on the
        other one of two columns.
        """
        across, down = self.ratio
        sums, weight = plane.astype(np.uint32), 1
        rows, columns = (-(-side // _HALF) for side in self.luma.shape)
        if down > _HALF:
            sums, weight = _doubled_down(sums)[:rows], 4 * weight
        if across > _HALF:
            sums, weight = _doubled_across(sums)[:, :columns], 2 * weight
        sums = turn.applied(sums)
        across, down = (down, across) if turn.swaps_sides else (across, down)
        if down == 1:
            even = sums[: len(sums) // 2 * 2]
            sums, weight = even[0::2] + even[1::2], 2 * weight
        if across == 1:
            sums, weight = _halved_across(sums, siting), 4 * weight
        return _eight_bits(sums, weight, self.bits, extent, neutral=True)


def _doubled_down(plane: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Four times the chroma of pairs of luma rows, of which each sample of `plane` lies between two."""
    above, below = np.concatenate([plane[:1], plane[:-1]]), np.concatenate([plane[1:], plane[-1:]])
    doubled = np.empty((2 * len(plane), plane.shape[1]), np.uint32)
    doubled[0::2], doubled[1::2] = 3 * plane + above, 3 * plane + below
    return doubled


def _doubled_across(rows: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Twice the chroma of pairs of luma columns, on the left one of each as the samples of `rows` are of four."""
    after = np.concatenate([rows[:, 1:], rows[:, -1:]], axis=1)
    doubled = np.empty((len(rows), 2 * rows.shape[1]), np.uint32)
    doubled[:, 0::2], doubled[:, 1::2] = 2 * rows, rows + after
    return doubled


def _halved_across(rows: NDArray[np.uint32], siting: ChromaSiting) -> NDArray[np.uint32]:
    """Four times the chroma of pairs of luma columns, of chroma at each."""
    even = rows[:, : rows.shape[1] // 2 * 2]
    if siting is ChromaSiting.CENTRE:
        return 2 * (even[:, 0::2] + even[:, 1::2])
    before = np.concatenate([even[:, :1], even[:, 1:-1:2]], axis=1)
    return before + 2 * even[:, 0::2] + even[:, 1::2]


def _eight_bits(sums: NDArray[np.uint32], weight: int, bits: int, extent: Range, *, neutral: bool) -> NDArray[np.uint8]:
    """Sums of `weight` samples as 8-bit codes. Full range is stretched about black or `neutral`, limited is shifted."""
    if bits == 8 and weight == 1:
        return sums.astype(np.uint8)
    if bits == 8 or extent is Range.LIMITED:
        # ITU-T H.273: a limited code of n bits is the 8-bit one times 2 ** (n - 8).
        divisor = weight << max(0, bits - 8)
        return np.minimum((sums + divisor // 2) // divisor, 255).astype(np.uint8)
    middle = 1 << (bits - 1) if neutral else 0
    scaled = (sums.astype(np.float64) / weight - middle) * (255 / ((1 << bits) - 1)) + (128 if neutral else 0)
    codes: NDArray[np.uint8] = np.floor(scaled + 0.5).clip(0, 255).astype(np.uint8)
    return codes


def read_samples(frame: av.VideoFrame, scaler: VideoReformatter) -> FrameSamples:
    """Samples of a frame that is not R'G'B'; formats that are not planar are taken apart by `scaler` first."""
    form = frame.format
    bits = sample_bits(form)
    is_grey = _is_grey(form)
    ratio = (1, 1) if is_grey else _ratio(frame)
    if not _is_readable(form, is_grey=is_grey):
        frame = scaler.reformat(frame, format=_readable_format(bits, ratio, is_grey=is_grey), **SAME_CODES)
        bits, ratio = sample_bits(frame.format), (1, 1) if is_grey else _ratio(frame)
    planes = [_samples(plane, bits) for plane in frame.planes[: 1 if is_grey else 3]]
    return FrameSamples(planes[0], None if is_grey else (planes[1], planes[2]), ratio, bits)


def _ratio(frame: av.VideoFrame) -> tuple[int, int]:
    chroma = frame.format.components[1]
    return round(frame.width / max(1, chroma.width)), round(frame.height / max(1, chroma.height))


def _is_readable(form: av.VideoFormat, *, is_grey: bool) -> bool:
    """Whether each component has a plane of its own, one byte or one little-endian word a sample."""
    planes = [component.plane for component in form.components]
    bits = sample_bits(form)
    return (
        planes == list(range(len(planes)))
        and bits in (8, *_DEEP)
        and not form.is_big_endian
        and form.name.startswith("gray" if is_grey else "yuv")
        and "msb" not in form.name
        and not form.name.endswith(("f16le", "f32le"))
    )


def _readable_format(bits: int, ratio: tuple[int, int], *, is_grey: bool) -> str:
    depth = next((known for known in (8, *_DEEP) if known >= bits), 16)
    suffix = "" if depth == 8 else f"{depth}le"
    if is_grey:
        return f"gray{suffix}"
    base = _SUBSAMPLED.get(ratio, "yuv444p")
    return base + suffix if base in ("yuv444p", "yuv422p", "yuv420p") or depth == 8 else "yuv444p"


def _samples(plane: VideoPlane, bits: int) -> Samples:
    if bits == 8:
        return plane_samples(plane)
    words = np.frombuffer(memoryview(plane), np.uint16).reshape(-1, plane.line_size // 2)
    return words[: plane.height, : plane.width]


def level_row_step(samples: int) -> int:
    """Every which row levels are counted in, of a plane of so many samples: each of a small picture."""
    return 1 if samples < _LEVEL_ROWS * _LEVEL_SAMPLES else _LEVEL_ROWS


def coded_rows(frame: av.VideoFrame) -> NDArray[np.uint8] | None:
    """Rows of luma as coded, to count levels in where the picture is scaled; None of deep frames and of R'G'B'."""
    if sample_bits(frame.format) > 8 or frame.format.is_rgb or frame.format.has_palette:
        return None
    luma = read_samples(frame, VideoReformatter()).luma
    rows: NDArray[np.uint8] = luma[:: level_row_step(luma.size)].astype(np.uint8)
    return rows


def level_rows(frame: av.VideoFrame) -> NDArray[np.uint16] | None:
    """Every fourth row of a deep frame's luma, for counting levels; None where 8-bit planes hold all there is."""
    if sample_bits(frame.format) <= 8 or frame.format.is_rgb:
        return None
    rows: NDArray[np.uint16] = read_samples(frame, VideoReformatter()).luma[::_LEVEL_ROWS].astype(np.uint16)
    return rows
