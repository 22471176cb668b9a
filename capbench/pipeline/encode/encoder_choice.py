"""Which encoder is taken when only a codec is asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache

from capbench.errors import EncoderError
from capbench.pipeline.encode.encoders import probe_encoder

__all__ = ["AUTOMATIC", "ChosenEncoder", "choose_encoder", "encoder_order"]

AUTOMATIC = {"auto": "h264", "h264": "h264", "hevc": "hevc"}
"""What may stand in place of an encoder's name, and the codec that it means."""

# Each platform's usual order; VAAPI and the like need a device that PyAV's encoders are not given here.
_HARDWARE = {"darwin": ("videotoolbox",), "win32": ("nvenc", "qsv", "amf"), "linux": ("nvenc", "qsv")}
_SOFTWARE = {"h264": "libx264", "hevc": "libx265"}


@dataclass(frozen=True, slots=True)
class ChosenEncoder:
    """An encoder that works on this machine."""

    name: str
    """FFmpeg's name."""
    refused: tuple[str, ...] = ()
    """Why each of those before it in the order was not taken."""


def encoder_order(codec: str, platform: str = sys.platform) -> list[str]:
    """FFmpeg's names of the encoders of `h264` or `hevc` in the order in which they are tried: hardware first."""
    return [*(f"{codec}_{maker}" for maker in _HARDWARE.get(platform, ())), _SOFTWARE[codec]]


def choose_encoder(asked: str, platform: str = sys.platform) -> ChosenEncoder:
    """The encoder to use for a name, or the first of a codec's that works here. Raises `EncoderError`."""
    if asked not in AUTOMATIC:
        if reason := _why_not(asked):
            raise EncoderError(reason)
        return ChosenEncoder(asked)
    refused: list[str] = []
    for name in encoder_order(AUTOMATIC[asked], platform):
        reason = _why_not(name)
        if reason is None:
            return ChosenEncoder(name, tuple(refused))
        refused.append(reason)
    raise EncoderError(f"no {AUTOMATIC[asked]} encoder works here: {'; '.join(refused)}")


@cache
def _why_not(name: str) -> str | None:
    """Once a process: what an encoder can do does not change, and asking a driver can take a second."""
    try:
        probe_encoder(name)
    except EncoderError as error:
        return str(error)
    return None
