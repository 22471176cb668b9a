"""The chroma position in an AV1 sequence header. Syntax: AV1 Bitstream & Decoding Process Specification, 5.5."""

from __future__ import annotations

from capbench.bitstream.bit_reader import Bits

__all__ = ["av1_chroma_location"]

_SEQUENCE_HEADER = 1
_CONFIGURATION_BYTES = 4
"""Of `av1C` before its OBUs (AV1 Codec ISO Media File Format Binding, 2.3.3)."""
_MOST_UNITS = 16
"""OBUs looked at; configurations have one or two."""
_LOCATIONS = {1: 0, 2: 2}
"""`CSP_VERTICAL` is left, halfway between two rows; `CSP_COLOCATED` is on the upper left sample."""
_SRGB = (1, 13, 0)
_CHOSEN_LATER = 2


def av1_chroma_location(extradata: bytes) -> int | None:
    """As `chroma_sample_loc_type` of H.264; None where the header calls it unknown, or for a stream without chroma.

    Raises `ValueError` for a damaged header.
    """
    data = extradata[_CONFIGURATION_BYTES:] if extradata[:1] == b"\x81" else extradata
    for _ in range(_MOST_UNITS):
        if not data:
            return None
        header, has_size = data[0], bool(data[0] & 2)
        start = 2 if header & 4 else 1
        size, start = _leb128(data, start) if has_size else (len(data) - start, start)
        if header >> 3 & 15 == _SEQUENCE_HEADER:
            return _parse(Bits(data[start : start + size], escaped=False))
        data = data[start + size :]
    return None


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(8):
        if at + place >= len(data):
            raise ValueError("the sequence header ends early")
        value |= (data[at + place] & 0x7F) << 7 * place
        if not data[at + place] & 0x80:
            return value, at + place + 1
    raise ValueError("a size of more than eight bytes")


def _parse(bits: Bits) -> int | None:
    profile = bits.u(3)
    bits.u(1)  # still_picture
    is_reduced = bool(bits.u(1))
    if is_reduced:
        bits.u(5)  # seq_level_idx
    else:
        _skip_operating_points(bits)
    sides = bits.u(4) + 1, bits.u(4) + 1
    for side in sides:
        bits.u(side)
    if not is_reduced and bits.u(1):  # frame_id_numbers_present_flag
        bits.u(7)
    bits.u(3)  # superblocks, filter intra, intra edge filter
    if not is_reduced:
        _skip_tools(bits)
    bits.u(3)  # superres, cdef, restoration
    return _chroma_position(bits, profile)


def _skip_operating_points(bits: Bits) -> None:
    delay_bits = 0
    if bits.u(1):  # timing_info_present_flag
        bits.u(64)
        if bits.u(1):  # equal_picture_interval
            bits.ue()  # uvlc() is the same code
        if bits.u(1):  # decoder_model_info_present_flag
            delay_bits = bits.u(5) + 1
            bits.u(42)
    has_display_delay = bits.u(1)
    for _ in range(bits.u(5) + 1):
        bits.u(12)
        if bits.u(5) > 7:  # seq_level_idx
            bits.u(1)
        if delay_bits and bits.u(1):
            bits.u(2 * delay_bits + 1)
        if has_display_delay and bits.u(1):
            bits.u(4)


def _skip_tools(bits: Bits) -> None:
    bits.u(4)  # interintra, masked compound, warped motion, dual filter
    has_order_hint = bits.u(1)
    if has_order_hint:
        bits.u(2)
    screen_content = _CHOSEN_LATER if bits.u(1) else bits.u(1)
    if screen_content and not bits.u(1):  # seq_choose_integer_mv
        bits.u(1)
    if has_order_hint:
        bits.u(3)


def _chroma_position(bits: Bits, profile: int) -> int | None:
    is_deep = bool(bits.u(1))
    is_twelve = profile == 2 and is_deep and bool(bits.u(1))
    is_grey = profile != 1 and bool(bits.u(1))
    described = (bits.u(8), bits.u(8), bits.u(8)) if bits.u(1) else None
    if is_grey or described == _SRGB:
        return None
    bits.u(1)  # color_range
    halves = {0: (True, True), 1: (False, False)}.get(profile)
    if halves is None:
        across = bool(bits.u(1)) if is_twelve else True
        halves = across, is_twelve and across and bool(bits.u(1))
    return _LOCATIONS.get(bits.u(2)) if all(halves) else None
