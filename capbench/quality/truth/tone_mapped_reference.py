"""What `--tone-map bt2390` should make of an HDR reference: its pictures as SDR, by tables of the oracle's curves.

The oracle takes six seconds for a picture of 1080p, tables of its curves one or two. A table has 65536 places, which is
a hundredth of an 8-bit code beside the curve.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import av
import numpy as np
from numpy.typing import NDArray

from capbench.bitstream.light_metadata import LightMetadata
from capbench.colour import ColourSpec, MatrixCoefficients
from capbench.errors import ColourError
from capbench.quality.oracle.display_turn import UNTURNED
from capbench.quality.oracle.placement import chroma_place
from capbench.quality.oracle.reference_nv12 import LUMA_WEIGHTS, QUANTISATION, rgb_to_nv12
from capbench.quality.oracle.tone_mapping import GAMUT_TO_BT709, eetf, light_of_hlg, light_of_pq, pq_of_light
from capbench.quality.reading.native.native_format import SampleLayout, common_format
from capbench.quality.reading.native.native_normaliser import NativeNormaliser
from capbench.quality.reading.native.native_planes import NativePlanes, code_scale, enlarged_chroma
from capbench.quality.reading.opened_clip import OpenedClip
from capbench.quality.reading.planes import Planes, as_frame
from capbench.quality.reading.tags import ColourTags, FileTags

__all__ = ["source_peak_cd_m2", "tone_mapped"]

_PLACES = 1 << 16
_HLG_PEAK_CD_M2 = 1000.0
_SDR_WHITE_CD_M2, _LARGEST_CD_M2 = 100.0, 10000.0
_PRIMARIES_OF_CODE = {1: "BT.709", 9: "BT.2020", 12: "Display P3"}
_BT2100_PRIMARIES = 9
_SDR_CODE = 1

Field = NDArray[np.float32]


def source_peak_cd_m2(transfer: str, light: LightMetadata) -> float:
    """Luminance that becomes white: MaxCLL, else the mastering display's, else 1000; 100 to 10000, of HLG 1000."""
    stated = (light.content.max_cll_cd_m2 if light.content else 0) or (
        light.mastering.max_cd_m2 if light.mastering else 0
    )
    most = _HLG_PEAK_CD_M2 if transfer == "HLG" else _LARGEST_CD_M2
    return min(max(float(stated or 1000), _SDR_WHITE_CD_M2), most)


def tone_mapped(reference: OpenedClip, output: OpenedClip) -> OpenedClip:
    """An HDR reference whose pictures come as SDR, in codes as the output's are read; an SDR one as it is.

    Raises `ColourError` for primaries that are not supported.
    """
    tags = reference.tags.merged
    if tags.hdr is None:
        return reference
    code = tags.primaries or _BT2100_PRIMARIES
    if code not in _PRIMARIES_OF_CODE:
        raise ColourError(f"{reference.facts.path} has primaries of H.273 code {code}, which are not tone-mapped")
    spec = reference.spec
    if tags.matrix is None:
        spec = replace(spec, matrix=MatrixCoefficients.BT2020)
    mapping = _Mapping(
        tags.hdr,
        _PRIMARIES_OF_CODE[code],
        source_peak_cd_m2(tags.hdr, reference.tags.light),
        layout=reference.layout,
        spec=spec,
        wanted=output.spec,
    )
    sdr = ColourTags(_SDR_CODE, _SDR_CODE, _SDR_CODE)
    return replace(
        reference,
        facts=replace(reference.facts, holds_rgb=False),
        tags=FileTags(sdr, None),
        spec=replace(output.spec, siting_down=0.0),  # chroma is put between two rows
        frames=map(mapping, reference.frames),
        frames_again=partial(_mapped_again, reference, mapping),
        bits=8,
        layout=SampleLayout(8, (2, 2)),
        has_own_siting=True,
        coded_size=_even_size(*reference.coded_size),
        chroma_ratio=(2, 2),
        filtered_to=output.spec.siting,
    )


def _mapped_again(reference: OpenedClip, mapping: _Mapping) -> Iterator[av.VideoFrame]:
    return map(mapping, reference.frames_again())


class _Mapping:
    """Pictures of one specification to SDR pictures of another. Keeps its tables and a scaler."""

    def __init__(
        self,
        transfer: str,
        primaries: str,
        peak_cd_m2: float,
        *,
        layout: SampleLayout,
        spec: ColourSpec,
        wanted: ColourSpec,
    ) -> None:
        self._is_hlg = transfer == "HLG"
        self._chroma_place = chroma_place(spec.siting)[0], spec.siting_down
        self._gamut = np.array(GAMUT_TO_BT709[primaries]).astype(np.float32)
        self._spec, self._wanted = spec, wanted
        self._form = common_format(layout, layout)
        self._planes = NativeNormaliser(self._form, spec, spec, UNTURNED, crop=True)
        places = np.arange(_PLACES) / (_PLACES - 1)

        def darkened(cd_m2: NDArray[np.float64]) -> Field:
            mapped = light_of_pq(eetf(pq_of_light(cd_m2), peak_cd_m2=peak_cd_m2))
            return (mapped / _SDR_WHITE_CD_M2).astype(np.float32)

        # Places are even in the fourth root of light, which lies about as perception does.
        self._of_signal = darkened(light_of_pq(places))
        self._of_root = darkened(places**4 * _HLG_PEAK_CD_M2)
        grey = np.repeat(places[:, None], 3, axis=1)
        # Of a grey signal scene light E is shown as 1000 E^1.2.
        self._scene = ((light_of_hlg(grey)[:, 0] / _HLG_PEAK_CD_M2) ** (1 / 1.2)).astype(np.float32)
        self._code = (255 * places ** (4 / 2.4)).astype(np.float32)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The picture as an exporter should have drawn it: R'G'B' of 8 bits, brought to 4:2:0."""
        size = _even_size(frame.width, frame.height)
        signal = self._signal(self._planes(frame, size))
        if self._is_hlg:
            scene = self._scene[_index(signal)]
            luminance = np.tensordot(np.array((0.2627, 0.6780, 0.0593), np.float32), scene, 1)
            light = self._of_root[_index(np.sqrt(np.sqrt(scene * luminance ** np.float32(0.2))))]
        else:
            light = self._of_signal[_index(signal)]
        linear = np.tensordot(self._gamut, light, 1).clip(0, 1)
        rgb = np.floor(self._code[_index(np.sqrt(np.sqrt(linear)))] + np.float32(0.5)).astype(np.uint8)
        luma, chroma = rgb_to_nv12(np.moveaxis(rgb, 0, -1), self._wanted)
        shown = as_frame(Planes(luma, chroma[..., 0].copy(), chroma[..., 1].copy()))
        shown.pts, shown.duration = frame.pts, frame.duration
        if frame.time_base is not None:
            shown.time_base = frame.time_base
        return shown

    def _signal(self, planes: NativePlanes) -> Field:
        """R'G'B' of 0..1, shape (3, height, width)."""
        spec, form = self._spec, self._form
        kr, kg, kb = LUMA_WEIGHTS[spec.matrix]
        black, luma_span, chroma_span = QUANTISATION[spec.range]
        scale = code_scale(8, form.bits, spec.range)
        neutral, chroma_scale = np.float32(1 << (form.bits - 1)), np.float32(chroma_span * scale)
        blue, red = (
            enlarged_chroma(
                (plane.astype(np.float32) - neutral) / chroma_scale,
                form.ratio,
                self._chroma_place,
            )
            for plane in (planes.cb, planes.cr)
        )
        luma = (planes.luma.astype(np.float32) - np.float32(black * scale)) / np.float32(luma_span * scale)
        red, blue = luma + np.float32(2 * (1 - kr)) * red, luma + np.float32(2 * (1 - kb)) * blue
        green = (luma - np.float32(kr) * red - np.float32(kb) * blue) / np.float32(kg)
        signal: Field = np.stack([red, green, blue]).clip(0, 1)
        return signal


def _even_size(width: int, height: int) -> tuple[int, int]:
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def _index(values: Field) -> NDArray[np.intp]:
    """The nearest place of a table, of 0..1."""
    return (values * np.float32(_PLACES - 1) + np.float32(0.5)).astype(np.intp)
