"""The chroma location in an HEVC sequence parameter set. Syntax: ITU-T H.265 (08/2021), 7.3.2.2.1 and annex E.2.1."""

from __future__ import annotations

from capbench.bitstream.bit_reader import Bits, annex_b_units
from capbench.bitstream.vui import vui_chroma_location

__all__ = ["hevc_chroma_location"]

_SPS = 33
_PROFILE_BITS = 88
_LEVEL_BITS = 8


def hevc_chroma_location(extradata: bytes) -> int | None:
    """`chroma_sample_loc_type_top_field`; None where the stream does not say. Raises `ValueError` for a damaged set."""
    sps = _first_sps(extradata)
    return None if sps is None else _parse(Bits(sps[2:]))


def _first_sps(extradata: bytes) -> bytes | None:
    units = _hvcc_units(extradata) if extradata[:1] == b"\x01" else annex_b_units(extradata)
    return next((unit for unit in units if len(unit) > 2 and unit[0] >> 1 & 0x3F == _SPS), None)


def _hvcc_units(extradata: bytes) -> list[bytes]:
    """Units of a decoder configuration record (ISO/IEC 14496-15, 8.3.3.1)."""
    units, at = [], 23
    for _ in range(extradata[22] if len(extradata) > 22 else 0):
        count = int.from_bytes(extradata[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            length = int.from_bytes(extradata[at : at + 2], "big")
            units.append(extradata[at + 2 : at + 2 + length])
            at += 2 + length
    return units


def _parse(bits: Bits) -> int | None:
    bits.u(4)  # sps_video_parameter_set_id
    sub_layers = bits.u(3)
    bits.u(1)  # sps_temporal_id_nesting_flag
    _skip_profile(bits, sub_layers)
    bits.ue()  # sps_seq_parameter_set_id
    if bits.ue() == 3:  # chroma_format_idc
        bits.u(1)
    bits.ue()  # width
    bits.ue()  # height
    if bits.u(1):  # conformance_window_flag
        _skip_codes(bits, 4)
    _skip_codes(bits, 2)  # bit depths
    poc_bits = bits.ue() + 4
    _skip_codes(bits, 3 * (sub_layers + 1 if bits.u(1) else 1))  # sub-layer ordering
    _skip_codes(bits, 6)  # block sizes and transform depths
    if bits.u(1) and bits.u(1):  # scaling lists, enabled and present
        _skip_scaling_lists(bits)
    bits.u(2)  # amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.u(1):  # pcm_enabled_flag
        bits.u(8)
        _skip_codes(bits, 2)
        bits.u(1)
    _skip_reference_sets(bits)
    if bits.u(1):  # long_term_ref_pics_present_flag
        for _ in range(bits.ue()):
            bits.u(poc_bits + 1)
    bits.u(2)  # sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
    return vui_chroma_location(bits) if bits.u(1) else None


def _skip_codes(bits: Bits, count: int) -> None:
    for _ in range(count):
        bits.ue()


def _skip_profile(bits: Bits, sub_layers: int) -> None:
    bits.u(_PROFILE_BITS + _LEVEL_BITS)
    present = [(bits.u(1), bits.u(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.u(2 * (8 - sub_layers))
    for has_profile, has_level in present:
        bits.u(_PROFILE_BITS * has_profile + _LEVEL_BITS * has_level)


def _skip_scaling_lists(bits: Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.u(1):  # scaling_list_pred_mode_flag
                bits.ue()
                continue
            if size > 1:
                bits.se()
            for _ in range(min(64, 1 << (4 + 2 * size))):
                bits.se()


def _skip_reference_sets(bits: Bits) -> None:
    """Short-term reference picture sets (7.3.7): one may be predicted from the one before it."""
    pictures = 0
    for number in range(bits.ue()):
        if number and bits.u(1):  # inter_ref_pic_set_prediction_flag
            bits.u(1)
            bits.ue()
            kept = 0
            for _ in range(pictures + 1):
                kept += 1 if bits.u(1) else bits.u(1)  # used_by_curr_pic_flag, else use_delta_flag
            pictures = kept
        else:
            pictures = bits.ue() + bits.ue()
            for _ in range(pictures):
                bits.ue()
                bits.u(1)
