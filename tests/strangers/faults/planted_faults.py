"""Every kind of fault, its strengths, and what must name it; and the same tools with nothing planted."""

from __future__ import annotations

from typing import Final

from tests.strangers.faults.damage_faults import DAMAGE_FAULTS
from tests.strangers.faults.fault_tools import Fault, heard, picture_filter, sound_filter
from tests.strangers.faults.frame_faults import FRAME_FAULTS
from tests.strangers.faults.picture_faults import PICTURE_FAULTS
from tests.strangers.faults.sound_faults import SOUND_FAULTS

__all__ = ["CONTROLS", "FAULTS"]

CONTROLS: Final = (
    Fault("control-picture", "control", (), (0,), "nothing is wrong", (), picture_filter(lambda *_: "null")),
    Fault("control-sound", "control", (), (0,), "nothing is wrong", (), sound_filter(lambda *_: "anull"), heard),
)
"""The same tools with nothing planted: what they spoil by themselves must not count as a fault that was seen."""

FAULTS: Final = (*FRAME_FAULTS, *SOUND_FAULTS, *PICTURE_FAULTS, *DAMAGE_FAULTS)
"""In the order of the table."""
