"""The chroma location in an H.264 sequence parameter set. Syntax: ITU-T H.264 (08/2021), 7.3.2.1.1 and annex E.1.1."""

from __future__ import annotations

from capbench.bitstream.bit_reader import Bits, annex_b_units
from capbench.bitstream.vui import vui_chroma_location

__all__ = ["h264_chroma_location"]

_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
"""Profiles whose parameter set carries the chroma format (7.3.2.1.1)."""
_SPS = 7


def h264_chroma_location(extradata: bytes) -> int | None:
    """`chroma_sample_loc_type_top_field`; None where the stream does not say. Raises `ValueError` for a damaged set."""
    sps = _first_sps(extradata)
    return None if sps is None else _parse(Bits(sps[1:]))


def _first_sps(extradata: bytes) -> bytes | None:
    if extradata[:1] == b"\x01" and len(extradata) > 8:  # avcC, ISO/IEC 14496-15, 5.3.3.1
        length = int.from_bytes(extradata[6:8], "big")
        return extradata[8 : 8 + length]
    return next((unit for unit in annex_b_units(extradata) if unit[0] & 0x1F == _SPS), None)


def _parse(bits: Bits) -> int | None:
    profile = bits.u(8)
    bits.u(16)  # constraint flags and level
    bits.ue()  # seq_parameter_set_id
    if profile in _HIGH_PROFILES:
        _skip_chroma_format(bits)
    bits.ue()  # log2_max_frame_num_minus4
    order_type = bits.ue()
    if order_type == 0:
        bits.ue()
    elif order_type == 1:
        bits.u(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue()):
            bits.se()
    bits.ue()  # max_num_ref_frames
    bits.u(1)  # gaps_in_frame_num_value_allowed_flag
    bits.ue()  # width
    bits.ue()  # height
    if not bits.u(1):  # frame_mbs_only_flag
        bits.u(1)
    bits.u(1)  # direct_8x8_inference_flag
    if bits.u(1):  # frame_cropping_flag
        for _ in range(4):
            bits.ue()
    return vui_chroma_location(bits) if bits.u(1) else None


def _skip_chroma_format(bits: Bits) -> None:
    chroma_format = bits.ue()
    if chroma_format == 3:
        bits.u(1)
    bits.ue()  # bit_depth_luma_minus8
    bits.ue()  # bit_depth_chroma_minus8
    bits.u(1)  # qpprime_y_zero_transform_bypass_flag
    if not bits.u(1):  # seq_scaling_matrix_present_flag
        return
    for number in range(8 if chroma_format != 3 else 12):
        if bits.u(1):
            _skip_scaling_list(bits, 16 if number < 6 else 64)


def _skip_scaling_list(bits: Bits, size: int) -> None:
    scale = 8
    for _ in range(size):
        scale = (scale + bits.se()) % 256
        if scale == 0:  # the rest repeats the last value and is not sent
            return
