"""Reading the bits of a parameter set: fixed lengths and Exp-Golomb codes.

ITU-T H.264 (08/2021), 7.2 and 9.1; ITU-T H.265 (08/2021), 7.2 and 9.2, which are the same.
"""

from __future__ import annotations

__all__ = ["Bits", "annex_b_units"]

_LONGEST_SET_BYTES = 4096
"""A sequence parameter set has a few dozen bytes, and under 2000 with all scaling lists and HRD parameters. Each code
that is read costs time in proportion to the set."""


class Bits:
    """The payload of a unit, read from the front. Every method raises `ValueError` where it ends early.

    NAL units are `escaped`: in 0x000003 the third byte keeps start codes out of the payload (7.4.1). AV1's are not.
    """

    def __init__(self, data: bytes, *, escaped: bool = True) -> None:
        raw = data[:_LONGEST_SET_BYTES]
        if escaped:
            raw = raw.replace(b"\x00\x00\x03", b"\x00\x00")
        self._bits = int.from_bytes(raw, "big")
        self._left = len(raw) * 8

    def u(self, count: int) -> int:
        """The next bits as a number, the highest first."""
        if count > self._left:
            raise ValueError("the parameter set ends early")
        self._left -= count
        return self._bits >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        """A code for 0, 1, 2 and so on."""
        zeros = 0
        while self.u(1) == 0:
            zeros += 1
        return (1 << zeros) - 1 + (self.u(zeros) if zeros else 0)

    def se(self) -> int:
        """A code for 0, 1, -1, 2 and so on."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def annex_b_units(stream: bytes) -> list[bytes]:
    """NAL units between start codes (H.264 annex B, H.265 annex B)."""
    return [unit for unit in stream.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").split(b"\x00\x00\x01") if unit]
