"""One decoded frame turned into a comparable picture and its record."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from capbench.pipeline.decode.decoded_planes import plane_rows
from capbench.pipeline.decode.frame_times import credible_length_s
from capbench.quality.reading.frame_samples import sample_bits
from capbench.quality.reading.planes import planes_of, thumbnail
from capbench.recordings.layout import LayoutRectangle
from capbench.recordings.marks import flash_level, read_frame_number

__all__ = ["FrameRecord", "ObservedPicture", "frame_digest", "observe"]


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """Figures of one decoded frame, without the picture."""

    index: int
    """Position in its file, counted from 0."""
    time_s: Fraction
    """Presentation time by the file's own time stamps, in seconds."""
    number: int | None
    """Burnt-in frame number; None where none could be read."""
    number_visible: bool
    """Whether a burnt-in number would be visible: a scene may crop it, cover it or move it out of the picture."""
    mean_codes: tuple[float, float, float]
    """Mean Y, Cb, Cr."""
    spread_codes: float
    """Standard deviation of Y over blocks of 8x8 pixels: near 0 for an empty picture."""
    moved_codes: float
    """Mean absolute difference of Y from the frame before, over the same blocks; 0 for the first."""
    flash: float | None
    """Brightness of the flash mark, 0 black to 1 white; None where no mark was read."""
    has_time_stamp: bool = True
    """Whether the file says when it is shown; `time_s` is counted from its number and the file's rate elsewhere."""
    lasts_s: Fraction | None = None
    """How long it is shown, as the file says; None where it does not, or says more than can be."""


@dataclass(frozen=True, slots=True, eq=False)
class ObservedPicture:
    """A frame that is still in memory."""

    record: FrameRecord
    """Its figures."""
    frame: av.VideoFrame
    """Upright yuv420p, normalised."""
    thumb: NDArray[np.float32]
    """Block means of Y, Cb, Cr, shape (rows, columns, 3), in codes."""
    deep_luma: NDArray[np.uint16] | None = None
    """Every fourth row of Y as it was decoded, where that is deeper than 8 bits and was asked for."""
    coded_luma: NDArray[np.uint8] | None = None
    """Rows of Y as they were decoded, where the picture was scaled and they were asked for: scaling mixes levels."""
    bits: int = 8
    """Depth of a decoded sample."""
    decoded: av.VideoFrame | None = None
    """The frame as it was decoded, where it has more than 8-bit 4:2:0 holds and was asked for."""
    digest: int | None = None
    """Of the frame as it was decoded, where it was asked for."""
    pts: int | None = None
    """Time stamp of the decoded frame, in ticks of its stream."""


def observe(
    frames: Iterable[av.VideoFrame],
    normalise: Callable[[av.VideoFrame], av.VideoFrame],
    *,
    recording: Callable[[float], LayoutRectangle | None] | None = None,
    frame_s: Fraction = Fraction(1, 30),
    deep_luma: Callable[[av.VideoFrame], NDArray[np.uint16] | None] | None = None,
    coded_luma: Callable[[av.VideoFrame], NDArray[np.uint8] | None] | None = None,
    keeps_decoded: bool = False,
    digest: Callable[[av.VideoFrame], int] | None = None,
) -> Generator[ObservedPicture]:
    """Pictures of decoded frames in order, one in memory at a time.

    `recording` says where a recording with burnt-in marks lies in the normalised picture, in pixels, at a time in
    seconds since the first frame, or None where its marks are out of sight; it fills the picture when there is no such
    function. `frame_s` is the time from one frame to the next where the file has no time stamps. `deep_luma` takes from
    a frame what 8 bits do not hold, `coded_luma` what scaling mixes; with `keeps_decoded` the whole frame is kept
    beside its 8-bit picture. `digest` tells one decoded frame from another.
    """
    scaler = VideoReformatter()
    before: NDArray[np.float32] | None = None
    start_s: Fraction | None = None
    for index, frame in enumerate(frames):
        time_s = index * frame_s if frame.pts is None else frame.pts * Fraction(frame.time_base or 0)
        upright = normalise(frame)
        luma = planes_of(upright).luma
        thumb = thumbnail(upright, scaler)
        start_s = time_s if start_s is None else start_s
        whole = LayoutRectangle(0, 0, luma.shape[1], luma.shape[0])
        place = whole if recording is None else recording(float(time_s - start_s))
        if min(luma.shape) < 2:
            place = None
        number = None if place is None else read_frame_number(luma, place)
        record = FrameRecord(
            index=index,
            time_s=time_s,
            number=number,
            number_visible=place is not None,
            mean_codes=tuple(float(value) for value in thumb.mean(axis=(0, 1))),  # type: ignore[arg-type]
            spread_codes=float(thumb[..., 0].std()),
            moved_codes=0.0 if before is None else float(np.abs(thumb[..., 0] - before).mean()),
            # Without a number beside it, what is bright there is whatever the picture shows.
            flash=None if place is None or number is None else flash_level(luma, place),
            has_time_stamp=frame.pts is not None,
            lasts_s=credible_length_s(frame.duration * Fraction(frame.time_base or 0)),
        )
        before = thumb[..., 0]
        deep = None if deep_luma is None else deep_luma(frame)
        coded = None if coded_luma is None else coded_luma(frame)
        kept = frame if keeps_decoded else None
        told = None if digest is None else digest(frame)
        yield ObservedPicture(record, upright, thumb, deep, coded, sample_bits(frame.format), kept, told, frame.pts)


def frame_digest(frame: av.VideoFrame) -> int:
    """CRC-32 of the samples of a decoded frame, without what pads its rows."""
    digest = zlib.crc32(f"{frame.format.name} {frame.width}x{frame.height}".encode())
    for number, plane in enumerate(frame.planes):
        pixel_bits = _pixel_bits(frame.format, number)
        if pixel_bits is None:
            rows = np.frombuffer(memoryview(plane), np.uint8)
        else:
            rows = np.ascontiguousarray(plane_rows(plane)[:, : -(-plane.width * pixel_bits // 8)])
        digest = zlib.crc32(rows.data, digest)
    return digest


def _pixel_bits(form: av.VideoFormat, plane: int) -> int | None:
    """Bits that a pixel takes in a plane; None for the palette, which has no rows."""
    if form.is_planar:
        return sum(-(-part.bits // 8) * 8 for part in form.components if part.plane == plane)
    return form.padded_bits_per_pixel if plane == 0 else None
