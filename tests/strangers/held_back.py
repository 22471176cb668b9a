"""What nobody looks at while limits are tuned: clips drawn by one seed, clips that others published, new exporters.

It has been opened three times, and what was opened counts as seen since:

* until 26 November 2026 a third of the fixed clips' families and of the exporters, drawn by seed 1717;
* until that day's evening 30 clips drawn by seed 9555, which nothing draws any more, the clips that others published in
  `PUBLISHED`, and exports by the programs of `further_exporters`. The latter two are in the part that is seen;
* until that day's end 30 clips drawn by seed 6396, the clips of `LATER_PUBLISHED`, and exports by the programs of
  `opened_exporters`. All of these are in the part that is seen.

What takes its place:

* 36 clips drawn by `HELD_BACK_SEED`, a third of them of kinds of content that no clip had before (`content/kinds.py`),
  and a third of kinds that only clips that are or were held back have had;
* further real clips that other people publish, `NEWLY_PUBLISHED`, fetched where there is a network;
* every export by one of `NEWEST_EXPORTERS`, programs and versions of programs that the study did not have before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.strangers.drawn_clips import draw_held_back_clips, draw_opened_clips
from tests.strangers.published_clips import (
    LATER_PUBLISHED,
    NEWLY_PUBLISHED,
    PUBLISHED,
    published_clips,
)
from tests.strangers.source_clips import Clip

__all__ = [
    "HELD_BACK_COUNT",
    "HELD_BACK_SEED",
    "OPENED_COUNT",
    "OPENED_SEED",
    "Split",
    "held_back_clips",
    "opened_clips",
    "seen_published_clips",
]

HELD_BACK_SEED: Final = 2262
"""Recorded, so that the same clips are held back in every run. Nobody drew clips by it before limits were settled."""
HELD_BACK_COUNT: Final = 36
"""Clips drawn by it."""
OPENED_SEED: Final = 6396
"""That of the drawn clips that were held back before, and are seen since."""
OPENED_COUNT: Final = 30
"""Clips drawn by it."""


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
    fetched, not_fetched = published_clips(folder / "published", NEWLY_PUBLISHED)
    return (*draw_held_back_clips(HELD_BACK_SEED, HELD_BACK_COUNT), *fetched), not_fetched


def seen_published_clips(folder: Path) -> tuple[tuple[Clip, ...], list[str]]:
    """Clips of the first packages, which were held back once, and what could not be fetched."""
    return published_clips(folder / "published", PUBLISHED)


def opened_clips(folder: Path) -> tuple[tuple[Clip, ...], list[str]]:
    """Clips that were held back in the part before this one and are seen, and what could not be fetched."""
    fetched, not_fetched = published_clips(folder / "published", LATER_PUBLISHED)
    return (*draw_opened_clips(OPENED_SEED, OPENED_COUNT), *fetched), not_fetched
