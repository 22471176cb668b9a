"""The beginning of the video usability information, which H.264 and HEVC share.

ITU-T H.264 (08/2021), annex E.1.1; ITU-T H.265 (08/2021), annex E.2.1.
"""

from __future__ import annotations

from capbench.bitstream.bit_reader import Bits

__all__ = ["vui_chroma_location"]

_EXTENDED_SAR = 255


def vui_chroma_location(bits: Bits) -> int | None:
    """`chroma_sample_loc_type_top_field`, or None. Raises `ValueError` where the information ends early."""
    if bits.u(1) and bits.u(8) == _EXTENDED_SAR:
        bits.u(32)
    if bits.u(1):  # overscan_info_present_flag
        bits.u(1)
    if bits.u(1):  # video_signal_type_present_flag
        bits.u(4)
        if bits.u(1):
            bits.u(24)
    return bits.ue() if bits.u(1) else None
