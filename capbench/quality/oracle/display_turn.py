"""How a display matrix asks for a picture to be shown: turned by quarters, and perhaps mirrored."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNTURNED", "DisplayTurn", "turn_of_matrix"]

_Samples = TypeVar("_Samples", bound=np.generic)


@dataclass(frozen=True, slots=True)
class DisplayTurn:
    """From a picture as it is coded to what a viewer sees: it is turned first, and mirrored then."""

    rotation_degrees: int = 0
    """Counter-clockwise, to a degree; pictures are turned by the nearest quarters."""
    is_mirrored: bool = False
    """Whether what has been turned is flipped left to right."""

    @property
    def quarters(self) -> int:
        """Quarter turns counter-clockwise, 0 to 3."""
        return round(self.rotation_degrees / 90) % 4

    @property
    def is_none(self) -> bool:
        """Whether a viewer sees the picture as it is coded."""
        return self.quarters == 0 and not self.is_mirrored

    @property
    def swaps_sides(self) -> bool:
        """Whether columns become rows."""
        return bool(self.quarters % 2)

    def applied(self, plane: NDArray[_Samples]) -> NDArray[_Samples]:
        """A plane of shape (rows, columns) as it is seen; a view."""
        turned = np.rot90(plane, self.quarters)
        return turned[:, ::-1] if self.is_mirrored else turned

    def __str__(self) -> str:
        """For people: `rotation of 90° and mirroring`."""
        rotation = f"rotation of {self.rotation_degrees}°" if self.rotation_degrees or not self.is_mirrored else ""
        return " and ".join(part for part in (rotation, "mirroring" if self.is_mirrored else "") if part)


UNTURNED = DisplayTurn()


def turn_of_matrix(matrix: bytes) -> DisplayTurn:
    """What nine numbers of 32 bits ask for, in the machine's order, as FFmpeg keeps them (ISO/IEC 14496-12, 6.2.2).

    A point (x, y) is shown at (a x + c y, b x + d y), y counting down. The angle alone, which FFmpeg takes from a and
    b, is 180 degrees of what is flipped left to right and 0 of what is flipped upside down.
    """
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix)
    degrees = -round(math.degrees(math.atan2(b, d)))
    return DisplayTurn(180 if degrees == -180 else degrees, a * d - b * c < 0)
