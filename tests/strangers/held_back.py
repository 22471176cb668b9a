"""What nobody looks at while limits are tuned: clips drawn by one seed, clips that others published, new exporters.

A part that was held back is opened once the table of a run stands, and counts as seen from then on. Each is known by
the seed of its clips: what others published and wrote for it is `PUBLISHED_6396` and `EXPORTERS_6396`, say.

* A third of the fixed clips' families and of the first exporters was drawn by seed 1717.
* Of those drawn by the seeds 9555 and 6396 the clips are gone; what others published and wrote is in the part that is
  seen, and so are the kinds of content.
* The part of seed 2262 is the one that was opened last. It is all there.

What is held back now:

* 36 clips drawn by `HELD_BACK_SEED`, a quarter of them of kinds of content that no clip had before;
* further real clips that other people publish, `HELD_BACK_PUBLISHED`, fetched where there is a network;
* every export by one of `HELD_BACK_EXPORTERS`, programs, versions and codecs that the study did not have before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.strangers.drawn_clips import draw_clips_of, draw_held_back_clips
from tests.strangers.published_clips import (
    HELD_BACK_PUBLISHED,
    PUBLISHED_2262,
    PUBLISHED_6396,
    PUBLISHED_9555,
    published_clips,
)
from tests.strangers.source_clips import Clip

__all__ = [
    "HELD_BACK_COUNT",
    "HELD_BACK_SEED",
    "OPENED_SEED",
    "Split",
    "held_back_clips",
    "opened_clips",
    "seen_published_clips",
]

HELD_BACK_SEED: Final = 8759
"""Recorded, so that the same clips are held back in every run. Nobody drew clips by it before limits were settled."""
HELD_BACK_COUNT: Final = 36
"""Clips drawn by it."""
OPENED_SEED: Final = 2262
"""That of the drawn clips that were opened last."""
_OPENED_CLIP_KINDS: Final = (
    *("news-ticker", "slow-zoom", "captions", "scanned-codes", "rain", "sprites", "pushed-slides", "map", "charts"),
    *("wireframe", "web-page", "desktop-dark", "drafting", "checkerboard", "sliding-bars", "pitch", "stopwatch"),
    *("spinner", "night-drive", "triangles", "terminal", "phone-feed", "confetti", "turning-ramps", "ultrasound"),
    *("flashes", "spectrum", "news-ticker", "snowfall", "glyph-page", "scanned-codes", "spinning-logo"),
    *("code-editor", "pushed-slides", "video-call", "hard-cuts"),
)
"""Their kinds of content, as they were drawn among those that there were then."""


@dataclass(frozen=True, slots=True)
class Split:
    """What is held back."""

    families: frozenset[str]
    """Families of clips."""
    exporters: frozenset[str]
    """Exporters."""

    def is_held_back(self, family: str, exporter: str) -> bool:
        """Whether an output of that exporter from a clip of that family is held back."""
        return family in self.families or exporter in self.exporters


def held_back_clips(folder: Path) -> tuple[tuple[Clip, ...], list[str]]:
    """The clips, each a family of its own, and what could not be fetched; `folder` keeps what was."""
    fetched, not_fetched = published_clips(folder / "published", HELD_BACK_PUBLISHED)
    return (*draw_held_back_clips(HELD_BACK_SEED, HELD_BACK_COUNT), *fetched), not_fetched


def seen_published_clips(folder: Path) -> tuple[tuple[Clip, ...], list[str]]:
    """Clips of packages that were held back with drawn clips that are gone, and what could not be fetched."""
    return published_clips(folder / "published", (*PUBLISHED_9555, *PUBLISHED_6396))


def opened_clips(folder: Path) -> tuple[tuple[Clip, ...], list[str]]:
    """Clips of the part that was opened last, and what could not be fetched."""
    fetched, not_fetched = published_clips(folder / "published", PUBLISHED_2262)
    return (*draw_clips_of(_OPENED_CLIP_KINDS, OPENED_SEED), *fetched), not_fetched
