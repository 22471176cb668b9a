"""The chroma location in an H.264 sequence parameter set: the one colour tag that FFmpeg's Python binding hides.

Syntax: ITU-T H.264 (08/2021), 7.3.2.1.1 and annex E.1.1.
"""

from __future__ import annotations

__all__ = ["chroma_location"]

_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
"""Profiles whose parameter set carries the chroma format (7.3.2.1.1)."""
_SPS = 7
_EXTENDED_SAR = 255


class _Bits:
    def __init__(self, data: bytes) -> None:
        # 0x000003: the third byte keeps start codes out of the payload (7.4.1).
        raw = data.replace(b"\x00\x00\x03", b"\x00\x00")
        self._bits = int.from_bytes(raw, "big")
        self._left = len(raw) * 8

    def u(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the parameter set ends early")
        self._left -= count
        return self._bits >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        zeros = 0
        while self.u(1) == 0:
            zeros += 1
        return (1 << zeros) - 1 + (self.u(zeros) if zeros else 0)

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def chroma_location(codec: str, extradata: bytes) -> int | None:
    """`chroma_sample_loc_type_top_field`, 0 being left and 1 centre; None where the stream does not say.

    Only H.264 is read; for other codecs, or where the set is damaged, None.
    """
    if codec not in ("h264", "libx264"):
        return None
    sps = _first_sps(extradata)
    if sps is None:
        return None
    try:
        return _parse(_Bits(sps[1:]))
    except ValueError:
        return None


def _first_sps(extradata: bytes) -> bytes | None:
    if extradata[:1] == b"\x01" and len(extradata) > 8:  # avcC, ISO/IEC 14496-15, 5.3.3.1
        length = int.from_bytes(extradata[6:8], "big")
        return extradata[8 : 8 + length]
    for unit in extradata.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").split(b"\x00\x00\x01"):
        if unit and unit[0] & 0x1F == _SPS:
            return unit
    return None


def _parse(bits: _Bits) -> int | None:
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
    return _parse_vui(bits) if bits.u(1) else None


def _skip_chroma_format(bits: _Bits) -> None:
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


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    scale = 8
    for _ in range(size):
        scale = (scale + bits.se()) % 256
        if scale == 0:  # the rest repeats the last value and is not sent
            return


def _parse_vui(bits: _Bits) -> int | None:
    if bits.u(1) and bits.u(8) == _EXTENDED_SAR:
        bits.u(32)
    if bits.u(1):  # overscan_info_present_flag
        bits.u(1)
    if bits.u(1):  # video_signal_type_present_flag
        bits.u(4)
        if bits.u(1):
            bits.u(24)
    return bits.ue() if bits.u(1) else None
