"""What has to be known of an HDR source to show it on an SDR display."""

from __future__ import annotations

from dataclasses import dataclass

from capbench.bitstream.light_metadata import LightMetadata
from capbench.errors import InputError

__all__ = ["SDR_PEAK_CD_M2", "TONE_MAPS", "HdrSource", "SourcePeak", "check_tone_map", "choose_peak"]

TONE_MAPS = ("bt2390",)
"""Ways to make SDR of HDR: the EETF of Report ITU-R BT.2390."""
SDR_PEAK_CD_M2 = 100.0
"""White of the display that is mapped to: BT.1886 at the luminance of BT.2035."""
_HLG_PEAK_CD_M2 = 1000.0
"""Nominal peak of the display that HLG is rendered for: BT.2100, table 5, note 5e, where gamma is 1.2."""
_USUAL_PEAK_CD_M2 = 1000.0
"""For a source that says nothing: what most are graded at."""
_LARGEST_PEAK_CD_M2 = 10000.0
"""The end of PQ."""


@dataclass(frozen=True, slots=True)
class SourcePeak:
    """The luminance that becomes SDR's white."""

    cd_m2: float
    """In cd/m2."""
    origin: str
    """Where it is from: `MaxCLL`, `mastering display`, or `default`."""


@dataclass(frozen=True, slots=True)
class HdrSource:
    """An HDR source's light. Its matrix and range are with its codes."""

    transfer: str
    """`PQ` or `HLG`."""
    primaries: str
    """`BT.2020`, `BT.709` or `Display P3`."""
    bits: int
    """Depth in which its frames are handed on, 10 or 12."""
    peak: SourcePeak
    """What is mapped to white."""
    is_top_sited: bool = False
    """Whether a chroma sample of 4:2:0 lies on the upper of its two luma rows, as BT.2100 has it and types 2 and 3 of
    H.265 say, and not between them."""

    def __str__(self) -> str:
        """For the log: `PQ with a source peak of 1000 cd/m2 (MaxCLL)`."""
        return f"{self.transfer} with a source peak of {self.peak.cd_m2:g} cd/m2 ({self.peak.origin})"


def check_tone_map(name: str) -> str:
    """The name, where it is one of `TONE_MAPS`. Raises `InputError`."""
    if name not in TONE_MAPS:
        raise InputError(f"unknown tone map {name!r}; available: {', '.join(TONE_MAPS)}")
    return name


def choose_peak(transfer: str, light: LightMetadata) -> SourcePeak:
    """MaxCLL, or else the mastering display's, or else 1000 cd/m2; at least SDR's white and at most what can be coded.

    HLG has no light of its own: it is rendered for a display of 1000 cd/m2 first, beyond which there is nothing.
    """
    most = _HLG_PEAK_CD_M2 if transfer == "HLG" else _LARGEST_PEAK_CD_M2
    stated = {
        "MaxCLL": light.content.max_cll_cd_m2 if light.content else None,
        "mastering display": light.mastering.max_cd_m2 if light.mastering else None,
    }
    # 0 means that it is not known.
    origin = next((name for name, value in stated.items() if value), None)
    wanted = _USUAL_PEAK_CD_M2 if origin is None else float(stated[origin] or 0)
    return SourcePeak(min(max(wanted, SDR_PEAK_CD_M2), most), origin or "default")
