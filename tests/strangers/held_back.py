"""Which families of clips and which exporters nobody looks at while limits are tuned."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

__all__ = ["SPLIT_SEED", "Split", "draw_split"]

SPLIT_SEED: Final = 1717
"""Recorded, so that the third is the same in every run; another seed is another hold-out."""
_SHARE: Final = 1 - (2 / 3) ** 0.5
"""Of families and of exporters: what is of neither kind is then two thirds."""


@dataclass(frozen=True, slots=True)
class Split:
    """What is held back."""

    families: frozenset[str]
    """Families of clips."""
    exporters: frozenset[str]
    """Exporters."""

    def is_held_back(self, family: str, exporter: str) -> bool:
        """Whether an output of that exporter from a clip of that family is of the held-back third."""
        return family in self.families or exporter in self.exporters


def draw_split(
    families: Collection[str], exporters: Collection[str], seed: int = SPLIT_SEED, *, later: Collection[str] = ()
) -> Split:
    """Draw by seed; the order in which names are given does not matter.

    Exporters that came `later` are drawn apart: what was held back before still is, and nothing else.
    """
    choose = random.Random(seed)
    drawn = [_drawn(names, choose) for names in (families, set(exporters) - set(later))]
    return Split(drawn[0], drawn[1] | _drawn(later, random.Random(f"{seed}:later")))


def _drawn(names: Collection[str], choose: random.Random) -> frozenset[str]:
    return frozenset(choose.sample(sorted(set(names)), round(_SHARE * len(set(names)))))
