"""What an HDR file says of the display that it was made on and of how bright it gets: SMPTE ST 2086 and CTA-861.3."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ContentLight", "LightMetadata", "MasteringDisplay", "light_metadata_of_boxes"]

_CHROMATICITY_UNIT = 0.00002
_LUMINANCE_UNIT_CD_M2 = 0.0001
"""Units of ISO/IEC 14496-12, 12.1.6, and of the SEI message of H.264 and HEVC (ITU-T H.265, D.3.28)."""
_MDCV_BYTES, _CLLI_BYTES = 24, 4
_SMDM_BYTES, _COLL_BYTES = 28, 8
"""VP9's boxes, with version and flags before the fields (VP Codec ISO Media File Format Binding 1.0)."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class MasteringDisplay:
    """SMPTE ST 2086."""

    primaries: tuple[Point, Point, Point] | None
    """CIE 1931 x and y of red, green and blue; None where they are not stated."""
    white: Point | None
    """The same of white."""
    max_cd_m2: float | None
    """Highest luminance; None where it is not stated."""
    min_cd_m2: float | None
    """Lowest luminance."""

    def agrees(self, other: MasteringDisplay) -> bool:
        """Whether both state the same to a unit of their fields, as another container's fractions may be rounded."""
        return (
            _same_points((*(self.primaries or ()), self.white), (*(other.primaries or ()), other.white))
            and _same(self.max_cd_m2, other.max_cd_m2, max(1.0, self.max_cd_m2 or 0) * 1e-4)
            and _same(self.min_cd_m2, other.min_cd_m2, 1.5 * _LUMINANCE_UNIT_CD_M2)
        )

    def __str__(self) -> str:
        """For people: `R(0.680,0.320) G(...) B(...) white(...), 0.0001 to 1000 cd/m2`."""
        corners = zip("RGB", self.primaries or (), strict=False)
        gamut = " ".join(f"{name}({x:.3f},{y:.3f})" for name, (x, y) in corners) or "no primaries"
        white = "" if self.white is None else f" white({self.white[0]:.4f},{self.white[1]:.4f})"
        light = "no luminance" if self.max_cd_m2 is None else f"{self.min_cd_m2 or 0:g} to {self.max_cd_m2:g} cd/m2"
        return f"{gamut}{white}, {light}"


@dataclass(frozen=True, slots=True)
class ContentLight:
    """CTA-861.3, annex P. 0 means that it is not known."""

    max_cll_cd_m2: int
    """MaxCLL: the brightest pixel."""
    max_fall_cd_m2: int
    """MaxFALL: the brightest frame's average."""

    def __str__(self) -> str:
        """For people: `MaxCLL 1000, MaxFALL 400 cd/m2`."""
        return f"MaxCLL {self.max_cll_cd_m2}, MaxFALL {self.max_fall_cd_m2} cd/m2"


@dataclass(frozen=True, slots=True)
class LightMetadata:
    """Both, as one place states them; None where it is silent."""

    mastering: MasteringDisplay | None = None
    """The display that the pictures were graded on."""
    content: ContentLight | None = None
    """How bright they get."""

    def contradicts(self, other: LightMetadata) -> bool:
        """Whether both state something, and not the same."""
        displays = self.mastering and other.mastering and not self.mastering.agrees(other.mastering)
        return bool(displays or (self.content and other.content and self.content != other.content))

    def __str__(self) -> str:
        """For people."""
        return "; ".join(str(part) for part in (self.mastering, self.content) if part is not None) or "nothing"

    def or_else(self, other: LightMetadata) -> LightMetadata:
        """These, and of another place what they are silent about."""
        return LightMetadata(self.mastering or other.mastering, self.content or other.content)


def light_metadata_of_boxes(boxes: Iterable[tuple[bytes, bytes]]) -> LightMetadata:
    """By type and content of a sample entry's boxes: `mdcv` and `clli`, or VP9's `SmDm` and `CoLL`."""
    mastering: MasteringDisplay | None = None
    content: ContentLight | None = None
    for kind, data in boxes:
        if kind == b"mdcv" and len(data) >= _MDCV_BYTES:
            mastering = _mdcv(data)
        elif kind == b"SmDm" and len(data) >= _SMDM_BYTES:
            mastering = _smdm(data[4:])
        elif kind == b"clli" and len(data) >= _CLLI_BYTES:
            content = ContentLight(_number(data, 0, 2), _number(data, 2, 2))
        elif kind == b"CoLL" and len(data) >= _COLL_BYTES:
            content = ContentLight(_number(data, 4, 2), _number(data, 6, 2))
    return LightMetadata(mastering, content)


def _mdcv(data: bytes) -> MasteringDisplay:
    green, blue, red, white = (_point(data, 4 * place, _CHROMATICITY_UNIT) for place in range(4))
    brightest, darkest = (_number(data, at, 4) * _LUMINANCE_UNIT_CD_M2 for at in (16, 20))
    return MasteringDisplay((red, green, blue), white, brightest, darkest)


def _smdm(data: bytes) -> MasteringDisplay:
    red, green, blue, white = (_point(data, 4 * place, 2.0**-16) for place in range(4))
    return MasteringDisplay((red, green, blue), white, _number(data, 16, 4) / 2**8, _number(data, 20, 4) / 2**14)


def _number(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "big")


def _point(data: bytes, at: int, unit: float) -> Point:
    return _number(data, at, 2) * unit, _number(data, at + 2, 2) * unit


def _same(first: float | None, second: float | None, tolerance: float) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= tolerance


def _same_points(first: tuple[Point | None, ...], second: tuple[Point | None, ...]) -> bool:
    return len(first) == len(second) and all(_same_point(a, b) for a, b in zip(first, second, strict=True))


def _same_point(first: Point | None, second: Point | None) -> bool:
    if first is None or second is None:
        return first is second
    return all(_same(a, b, 1.5 * _CHROMATICITY_UNIT) for a, b in zip(first, second, strict=True))
