"""HDR planes to an SDR picture that scenes are drawn from: Report ITU-R BT.2390's EETF, in one dispatch a frame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.pipeline.decode.hdr.hdr_source import SDR_PEAK_CD_M2, HdrSource
from capbench.pipeline.decode.probe import SourceInfo
from capbench.pipeline.gpu.compute_pass import ComputePass
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.gpu.upload_ring import PlaneUploader
from capbench.resources import shader_source

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUCommandEncoder, GPUTexture

__all__ = ["ToneMapPass", "gamut_matrix", "tone_constants"]

_SHOWN_COLOUR = ColourSpec(MatrixCoefficients.BT709, Range.FULL, ChromaSiting.CENTRE)
"""The matrix of the picture that the pass writes, which has chroma at each pixel and no codes."""
_SHOWN_FORMAT = "yuv444p"
_WHITE = (0.3127, 0.3290)
"""D65, of all three: BT.2020-2 table 3, BT.709-6 item 1.4, SMPTE EG 432-1."""
_PRIMARIES = {
    "BT.709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "BT.2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "Display P3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""CIE x and y of red, green and blue: BT.709-6 item 1.3, BT.2020-2 table 3, SMPTE EG 432-1."""


class ToneMapPass:
    """Makes the recording's SDR picture from uploaded planes of 10 or 12 bits. Raises `ShaderError`."""

    chroma_is_interleaved = False
    """Cb and Cr are in the texture of luma."""

    def __init__(self, gpu: GpuContext, uploader: PlaneUploader, source: SourceInfo, hdr: HdrSource) -> None:
        self.shown = replace(source, hdr=None, colour=_SHOWN_COLOUR, planar_format=_SHOWN_FORMAT)
        """The source as scenes are to read it."""
        usage = "STORAGE_BINDING|TEXTURE_BINDING|COPY_SRC"
        picture = gpu.texture(source.width, source.height, "rgba16float", usage, "tone-mapped")
        self.textures: tuple[GPUTexture, GPUTexture, GPUTexture] = (picture, picture, picture)
        """Y' - 0.5 in red, Cb in green and Cr in blue of one texture (rgba16float)."""
        shader = shader_source("tone_map", {"tone_constants": tone_constants(source, hdr)})
        luma, cb, cr = (texture.create_view() for texture in uploader.textures)
        self._pass = ComputePass(gpu, shader, "tone_map", [{0: luma, 1: cb, 2: cr, 3: picture.create_view()}])

    def record(self, encoder: GPUCommandEncoder) -> None:
        """Record the pass, behind the frame's upload and before what draws from it."""
        self._pass.record(encoder, self.shown.width, self.shown.height)


def tone_constants(source: SourceInfo, hdr: HdrSource) -> str:
    """What shaders/shared/tone_curve.wgsl and shaders/tone_map.wgsl import as `tone_constants`."""
    colour, planes = source.colour, source.planes
    (_, _, red_cr), (_, green_cb, green_cr), (_, blue_cb, _) = colour.matrix.rgb_from_differences
    # ITU-T H.273: limited codes of n bits are those of 8 times 2^(n-8); full-range codes end at 2^n - 1.
    is_limited = colour.range is Range.LIMITED
    step = 2.0 ** (hdr.bits - 8)
    luma_span = 219 * step if is_limited else 2.0**hdr.bits - 1
    chroma_span = 224 * step if is_limited else 2.0**hdr.bits - 1
    halved_x, halved_y = planes.chroma_width < planes.width, planes.chroma_height < planes.height
    # Position x in samples of luma is (x + offset) * scale in samples of chroma.
    across = (0.5, 0.0 if colour.siting is ChromaSiting.LEFT else -0.5) if halved_x else (1.0, 0.0)
    down = (0.5, 0.0 if hdr.is_top_sited else -0.5) if halved_y else (1.0, 0.0)
    peak_pq, sdr_pq = pq_of_light(hdr.peak.cd_m2), pq_of_light(SDR_PEAK_CD_M2)
    gamut = ", ".join(str(float(value)) for value in gamut_matrix(hdr.primaries).T.ravel())
    constants = {
        "IS_HLG": str(hdr.transfer == "HLG").lower(),
        "LUMA_CODES": f"vec2f({1 / luma_span}, {-(16 * step if is_limited else 0) / luma_span})",
        "CHROMA_CODES": f"vec2f({1 / chroma_span}, {-(128 * step) / chroma_span})",
        "DECODE": f"vec4f({red_cr}, {green_cb}, {green_cr}, {blue_cb})",
        "CHROMA_ACROSS": f"vec2f({across[0]}, {across[1]})",
        "CHROMA_DOWN": f"vec2f({down[0]}, {down[1]})",
        "PEAK_PQ": str(peak_pq),
        "MAX_LUM": str(min(1.0, sdr_pq / peak_pq)),
        "SDR_PEAK_CD_M2": str(SDR_PEAK_CD_M2),
        "GAMUT": f"mat3x3f({gamut})",
    }
    return "".join(f"const {name} = {value};\n" for name, value in constants.items())


def pq_of_light(cd_m2: float) -> float:
    """Inverse EOTF of PQ (BT.2100-2, table 4), of 0..10000 cd/m2."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = (cd_m2 / 10000) ** m1
    return float(((c1 + c2 * power) / (1 + c3 * power)) ** m2)


def gamut_matrix(primaries: str) -> NDArray[np.float64]:
    """Linear R, G, B of some primaries to those of BT.709, both with D65 (BT.2407-0, annex 1; SMPTE RP 177)."""
    result: NDArray[np.float64] = np.linalg.inv(_xyz_of_rgb("BT.709")) @ _xyz_of_rgb(primaries)
    return result


def _xyz_of_rgb(primaries: str) -> NDArray[np.float64]:
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in _PRIMARIES[primaries]]).T
    white = np.array((_WHITE[0] / _WHITE[1], 1.0, (1 - sum(_WHITE)) / _WHITE[1]))
    result: NDArray[np.float64] = columns * np.linalg.solve(columns, white)
    return result
