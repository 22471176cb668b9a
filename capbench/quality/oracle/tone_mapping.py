"""HDR to SDR in float64: what `--tone-map bt2390` should make of a frame. Written from the recommendations.

PQ, HLG and the latter's OOTF: Recommendation ITU-R BT.2100-2, tables 4 and 5. The EETF: Report ITU-R BT.2390-11, 5.4.1.
Gamut: Report ITU-R BT.2407-0, 2.1. SDR: Recommendation ITU-R BT.1886 with a white of 100 cd/m2 and a black of 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, Range
from capbench.errors import PictureError
from capbench.quality.oracle.reference_nv12 import LUMA_WEIGHTS, QUANTISATION

__all__ = ["GAMUT_TO_BT709", "HdrCodes", "eetf", "light_of_hlg", "light_of_pq", "pq_of_light", "sdr_rgb"]

Field = NDArray[np.float64]
_SDR_WHITE_CD_M2 = 100.0
GAMUT_TO_BT709 = {
    # BT.2087-0, table 2 gives the first to four digits; these follow from the same chromaticities.
    "BT.2020": (
        (1.6604910021, -0.5876411388, -0.0728498633),
        (-0.1245504745, 1.1328998971, -0.0083494226),
        (-0.0181507634, -0.1005788980, 1.1187296614),
    ),
    "Display P3": (
        (1.2249401763, -0.2249401763, 0.0),
        (-0.0420569547, 1.0420569547, 0.0),
        (-0.0196375546, -0.0786360456, 1.0982736001),
    ),
    "BT.709": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
}
"""Linear R, G, B of BT.709 by rows, of those of other primaries with the same white."""


@dataclass(frozen=True, slots=True, eq=False)
class HdrCodes:
    """A decoded HDR picture: three planes of codes, chroma of 1 or 2 luma samples each way."""

    planes: Sequence[NDArray[np.uint16]]
    """Y', Cb, Cr."""
    bits: int
    """Depth of a code."""
    spec: ColourSpec
    """Matrix, range and siting of the codes."""
    transfer: str
    """`PQ` or `HLG`."""
    primaries: str
    """`BT.2020`, `Display P3` or `BT.709`."""
    peak_cd_m2: float
    """Luminance that becomes white."""
    is_top_sited: bool = False
    """Whether chroma of 4:2:0 lies on the upper of its two luma rows, and not between."""


def sdr_rgb(picture: HdrCodes) -> Field:
    """R'G'B' of 0..1, shape (height, width, 3), for a BT.1886 display of BT.709's gamut. Raises `PictureError`."""
    signal = _signal(picture).clip(0, 1)
    if picture.transfer == "HLG":
        light = light_of_hlg(signal)
    elif picture.transfer == "PQ":
        light = light_of_pq(signal)
    else:
        raise PictureError(f"no HDR transfer: {picture.transfer!r}")
    mapped = light_of_pq(eetf(pq_of_light(light), peak_cd_m2=picture.peak_cd_m2))
    linear = mapped / _SDR_WHITE_CD_M2 @ np.array(GAMUT_TO_BT709[picture.primaries]).T
    result: Field = linear.clip(0, 1) ** (1 / 2.4)
    return result


def light_of_pq(code: Field) -> Field:
    """EOTF: cd/m2 of a PQ signal of 0..1."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    root = code ** (1 / m2)
    light: Field = 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return light


def pq_of_light(cd_m2: Field) -> Field:
    """Inverse EOTF: a PQ signal of 0..1."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = (cd_m2 / 10000) ** m1
    code: Field = ((c1 + c2 * power) / (1 + c3 * power)) ** m2
    return code


def light_of_hlg(signal: Field) -> Field:
    """Display light in cd/m2 of R'G'B' signals in the last axis: inverse OETF, and the OOTF of a 1000 cd/m2 display."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = scene @ np.array((0.2627, 0.6780, 0.0593))
    light: Field = 1000 * luminance[..., None] ** 0.2 * scene
    return light


def eetf(code: Field, *, peak_cd_m2: float) -> Field:
    """PQ of a source that goes up to a peak, to PQ of a display of 100 cd/m2; black is 0 in both."""
    peak, white = (float(pq_of_light(np.array(cd_m2))) for cd_m2 in (peak_cd_m2, _SDR_WHITE_CD_M2))
    e1 = np.minimum(code / peak, 1)
    max_lum = white / peak
    if max_lum >= 1:
        return np.minimum(code, white)
    knee = 1.5 * max_lum - 0.5
    t = (e1 - knee) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * max_lum
    mapped: Field = np.where(e1 < knee, e1, spline) * peak
    return mapped


def _signal(picture: HdrCodes) -> Field:
    """R'G'B' of codes, chroma read bilinearly; beyond the border the outermost sample counts on."""
    black, luma_span, chroma_span = QUANTISATION[picture.spec.range]
    top = (1 << picture.bits) - 1
    step = 2.0 ** (picture.bits - 8) if picture.spec.range is Range.LIMITED else top / 255
    luma, *chroma = (plane.astype(np.float64) for plane in picture.planes)
    neutral = 2.0 ** (picture.bits - 1)
    y = (luma - black * step) / (luma_span * step)
    blue, red = (_enlarged((plane - neutral) / (chroma_span * step), y.shape, picture) for plane in chroma)
    kr, kg, kb = LUMA_WEIGHTS[picture.spec.matrix]
    r, b = y + 2 * (1 - kr) * red, y + 2 * (1 - kb) * blue
    return np.stack([r, (y - kr * r - kb * b) / kg, b], axis=-1)


def _enlarged(plane: Field, shape: tuple[int, ...], picture: HdrCodes) -> Field:
    rows = np.arange(shape[0], dtype=np.float64)
    columns = np.arange(shape[1], dtype=np.float64)
    if plane.shape[0] < shape[0]:
        rows = rows / 2 if picture.is_top_sited else (rows - 0.5) / 2
    if plane.shape[1] < shape[1]:
        columns = columns / 2 if picture.spec.siting is ChromaSiting.LEFT else (columns - 0.5) / 2
    return _along(_along(plane, rows).T, columns).T


def _along(values: Field, places: Field) -> Field:
    inside = places.clip(0, len(values) - 1)
    first = np.floor(inside).astype(np.intp)
    share = (inside - first)[:, None]
    mixed: Field = values[first] * (1 - share) + values[np.minimum(first + 1, len(values) - 1)] * share
    return mixed
