"""Every kind of content by name: those that whoever changes a check may look at, and those that are held back.

`OPENED_KINDS` are what clips for development are drawn of. `HELD_BACK_KINDS` came with the part of the study that is
held back, and nobody has seen a clip of them. Each kind was in such a part once, or has been for development from the
beginning on; that a part was opened moves its kinds from the second list to the first.
"""

from __future__ import annotations

from typing import Final

from tests.strangers.content.captured_scenes import CAPTURED_SCENES
from tests.strangers.content.layered_scenes import LAYERED_SCENES
from tests.strangers.content.patterns import PATTERNS
from tests.strangers.content.scenes import SCENES
from tests.strangers.content.screens import SCREENS
from tests.strangers.content.sources import SOURCES
from tests.strangers.content.working_screens import WORKING_SCREENS

__all__ = ["HELD_BACK_KINDS", "OPENED_KINDS", "PICTURE_KINDS"]

OPENED_KINDS: Final = tuple(sorted((*SCREENS, *SCENES, *PATTERNS, *SOURCES, *LAYERED_SCENES, *CAPTURED_SCENES)))
"""In every drawn clip for development, and in most of those that are held back, with other parameters."""
HELD_BACK_KINDS: Final = tuple(sorted(WORKING_SCREENS))
"""In clips that are held back alone."""
PICTURE_KINDS: Final = {**SCREENS, **SCENES, **PATTERNS, **LAYERED_SCENES, **CAPTURED_SCENES, **WORKING_SCREENS}
"""Kinds that Pillow and NumPy draw, by name; the others are sources of FFmpeg."""
