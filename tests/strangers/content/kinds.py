"""Every kind of content by name, and which of them are drawn for development and which are held back.

Two thirds of the first kinds, `DEVELOPMENT_KINDS`, are what clips for development are drawn of: whoever changes a check
or the referee may look at these as much as they like. The other third, `HELD_BACK_KINDS`, is only in clips of that part
of the study that nobody looks at. They are drawn by a seed that is recorded and was chosen before any such clip was
judged. Clips of them were looked at when what was held back was opened in November 2026, as were those of the kinds
that came to that part then, `OPENED_KINDS`. Of `NEWEST_KINDS`, which came last, nobody has seen a clip.
"""

from __future__ import annotations

import random
from typing import Final

from tests.strangers.content.captured_scenes import CAPTURED_SCENES
from tests.strangers.content.layered_scenes import LAYERED_SCENES
from tests.strangers.content.patterns import PATTERNS
from tests.strangers.content.scenes import SCENES
from tests.strangers.content.screens import SCREENS
from tests.strangers.content.sources import SOURCES

__all__ = ["DEVELOPMENT_KINDS", "HELD_BACK_KINDS", "KINDS", "KINDS_SEED", "NEWEST_KINDS", "OPENED_KINDS"]

KINDS_SEED: Final = 2611
"""Recorded, so that the same kinds are held back in every run."""
KINDS: Final = tuple(sorted((*SCREENS, *SCENES, *PATTERNS, *SOURCES)))
"""Names of the first kinds: drawn ones, and sources of FFmpeg."""
HELD_BACK_KINDS: Final = tuple(sorted(random.Random(KINDS_SEED).sample(KINDS, round(len(KINDS) / 3))))
"""In clips that are held back alone."""
DEVELOPMENT_KINDS: Final = tuple(name for name in KINDS if name not in HELD_BACK_KINDS)
"""In every drawn clip for development, and in a third of those that are held back, with other parameters."""
OPENED_KINDS: Final = tuple(sorted(LAYERED_SCENES))
"""In clips that are held back alone, or were until they were opened."""
NEWEST_KINDS: Final = tuple(sorted(CAPTURED_SCENES))
"""In clips that are held back alone. These two stand beside the draw of `KINDS_SEED`, which new names would change."""
