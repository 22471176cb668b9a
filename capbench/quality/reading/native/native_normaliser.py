"""Decoded frames made comparable at their own depth: upright, in one specification, size and planar format."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from capbench.colour import ColourSpec, Range
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.quality.oracle.display_turn import DisplayTurn
from capbench.quality.oracle.upright_chroma import upright_chroma_place
from capbench.quality.reading.frame_samples import FrameSamples, chroma_ratio, read_samples, sample_bits
from capbench.quality.reading.native.native_format import NativeFormat
from capbench.quality.reading.native.native_planes import (
    Field,
    NativePlanes,
    Plane,
    code_scale,
    reduced_chroma,
    respecified_planes,
    rounded,
)
from capbench.quality.reading.sited_scaler import SitedScaler
from capbench.quality.reading.tags import respecified

__all__ = ["NativeNormaliser"]

_RGB_DEPTHS = (8, 9, 10, 12, 14, 16)
_ODD = 2
_HALF = 2
"""Luma columns or rows of a chroma sample: fewer samples are compared nowhere."""


class NativeNormaliser:
    """Turns a clip's frames into `NativePlanes`, as `Normaliser` turns them into 8-bit 4:2:0. Keeps its scalers.

    Not for two threads at once.
    """

    def __init__(
        self, form: NativeFormat, spec: ColourSpec, wanted: ColourSpec, turn: DisplayTurn, *, crop: bool
    ) -> None:
        """From `spec` to `wanted`. A size is reached by scaling, or by cutting or repeating the edge when `crop`."""
        self._form = form
        self._spec = spec
        self._wanted = wanted
        self._crop = crop
        self._turn = turn
        self._scaler = VideoReformatter()
        self._sited_scalers: dict[tuple[float, float], SitedScaler] = {}
        self._has_begun = False

    def __call__(self, frame: av.VideoFrame, size: tuple[int, int]) -> NativePlanes:
        """The frame in that even size (width, height). Views of the frame where nothing had to be done."""
        place = upright_chroma_place(
            self._spec,
            chroma_ratio(frame),
            (frame.width, frame.height),
            self._turn,
            filtered_to=self._wanted.siting,
        )
        if frame.format.is_rgb or frame.format.has_palette:
            return self._fitted(self._from_rgb(frame), size, self._wanted, place)
        # By the frame's own tags where they change on the way; the first frame's are the file's.
        spec = respecified(self._spec, frame) if self._has_begun else self._spec
        self._has_begun = True
        samples = read_samples(frame, self._scaler)
        if self._is_ready(samples, spec, size) and samples.chroma is not None:
            return self._views(samples, size)
        return self._fitted(self._fields(samples, spec.range), size, spec, place)

    def _is_ready(self, samples: FrameSamples, spec: ColourSpec, size: tuple[int, int]) -> bool:
        height, width = (side // _ODD * _ODD for side in samples.luma.shape)
        return (
            (samples.bits, samples.ratio) == (self._form.bits, self._form.ratio)
            and (width, height) == size
            and self._turn.is_none
            and (spec.matrix, spec.range) == (self._wanted.matrix, self._wanted.range)
        )

    def _views(self, samples: FrameSamples, size: tuple[int, int]) -> NativePlanes:
        assert samples.chroma is not None
        width, height = size
        across, down = self._form.ratio
        cb, cr = (plane[: height // down, : width // across] for plane in samples.chroma)
        return NativePlanes(samples.luma[:height, :width], cb, cr, self._form)

    def _fields(self, samples: FrameSamples, extent: Range) -> tuple[Field, Field, Field]:
        """Upright planes of the wanted depth and chroma, of even size, not rounded."""
        form = self._form
        scale = np.float32(code_scale(samples.bits, form.bits, extent))
        neutral = np.float32(1 << (form.bits - 1))
        own_neutral = np.float32(1 << (samples.bits - 1))
        luma = samples.luma.astype(np.float32) * scale
        if samples.chroma is None:
            grey = np.full(luma.shape, neutral, np.float32)
            return self._upright((luma, grey, grey), (1, 1))
        cb, cr = ((plane.astype(np.float32) - own_neutral) * scale + neutral for plane in samples.chroma)
        return self._upright((luma, cb, cr), samples.ratio)

    def _upright(self, planes: tuple[Field, Field, Field], ratio: tuple[int, int]) -> tuple[Field, Field, Field]:
        """Turned, and then sampled down, as an exporter does; fewer samples are doubled where they are coded."""
        have = (min(_HALF, ratio[0]), min(_HALF, ratio[1]))
        rows, columns = (-(-side // step) for side, step in zip(planes[0].shape, have[::-1], strict=True))
        siting = self._wanted.siting
        luma, cb, cr = (
            self._turn.applied(plane)
            for plane in (
                planes[0],
                *(reduced_chroma(each, ratio, have, siting)[:rows, :columns] for each in planes[1:]),
            )
        )
        height, width = (side // _ODD * _ODD for side in luma.shape)
        upright = have[::-1] if self._turn.swaps_sides else have
        across, down = self._form.ratio
        cb, cr = (
            reduced_chroma(plane, upright, (across, down), siting)[: height // down, : width // across]
            for plane in (cb, cr)
        )
        return luma[:height, :width], cb, cr

    def _from_rgb(self, frame: av.VideoFrame) -> tuple[Field, Field, Field]:
        """R'G'B' by the wanted matrix: ITU-R BT.709-6 items 3.2 to 3.5, quantised at the wanted depth."""
        bits = next((depth for depth in _RGB_DEPTHS if depth >= sample_bits(frame.format)), _RGB_DEPTHS[-1])
        planar = "gbrp" if bits == 8 else f"gbrp{bits}le"
        if frame.format.name != planar:
            frame = self._scaler.reformat(frame, format=planar)
        peak = np.float32((1 << bits) - 1)
        green, blue, red = (_rows_of(plane, bits).astype(np.float32) / peak for plane in frame.planes[:3])
        kr, kb = self._wanted.matrix.kr_kb
        luma = np.asarray(kr * red + (1 - kr - kb) * green + kb * blue, np.float32)
        depth, spec = self._form.bits, self._wanted
        scale = code_scale(8, depth, spec.range)
        neutral = np.float32(1 << (depth - 1))
        span = np.float32(spec.chroma_span_codes * scale)
        cb, cr = (
            neutral + span * part
            for part in ((blue - luma) / np.float32(2 * (1 - kb)), (red - luma) / np.float32(2 * (1 - kr)))
        )
        codes = np.float32(spec.luma_offset_code * scale) + np.float32(spec.luma_span_codes * scale) * luma
        return self._upright((codes, cb, cr), (1, 1))

    def _fitted(
        self, planes: tuple[Field, Field, Field], size: tuple[int, int], spec: ColourSpec, place: tuple[float, float]
    ) -> NativePlanes:
        """In that size and the wanted specification."""
        form, (width, height) = self._form, size
        if planes[0].shape != (height, width):
            across, down = form.ratio
            if self._crop:
                shapes = ((height, width), *(((height // down), (width // across)),) * 2)
                luma, cb, cr = (_cut(plane, *shape) for plane, shape in zip(planes, shapes, strict=True))
            else:
                if place not in self._sited_scalers:
                    self._sited_scalers[place] = SitedScaler(place)
                frame = self._sited_scalers[place](rounded(planes, form).as_frame(), width, height)
                luma, cb, cr = (_rows_of(plane, form.bits).astype(np.float32) for plane in frame.planes)
            planes = luma, cb, cr
        if (spec.matrix, spec.range) != (self._wanted.matrix, self._wanted.range):
            planes = respecified_planes(planes, form, spec, self._wanted, place)
        return rounded(planes, form)


def _cut(plane: Field, height: int, width: int) -> Field:
    more = ((0, max(0, height - plane.shape[0])), (0, max(0, width - plane.shape[1])))
    return np.pad(plane[:height, :width], more, mode="edge")


def _rows_of(plane: av.video.plane.VideoPlane, bits: int) -> Plane:
    if bits == 8:
        return plane_samples(plane)
    words = np.frombuffer(memoryview(plane), np.uint16).reshape(-1, plane.line_size // 2)
    return words[: plane.height, : plane.width]
