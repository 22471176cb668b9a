"""The curves of two subjects over the clips of a corpus, or of one case, as one difference with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from capbench.gate.curves.bjontegaard_delta import CurveDelta, Difference, compare_curves
from capbench.gate.curves.clip_bootstrap import mean_interval
from capbench.gate.curves.rate_points import curve_of, has_video_bytes

__all__ = ["ClipDelta", "CurveFigure", "PooledDelta", "clips_of", "compare_clips", "pool_clips"]

CurveFigure = Literal["bd_rate", "bd_quality"]
"""Which of the two differences."""
Clips = Mapping[str, pd.DataFrame]
"""Clip, or case, to the finished measured runs of one subject, a row a run."""


@dataclass(frozen=True, slots=True)
class ClipDelta:
    """One clip."""

    clip: str
    """Name of its case."""
    delta: CurveDelta
    """New against base."""

    def of(self, figure: CurveFigure) -> Difference:
        """One of its two differences."""
        return self.delta.rate if figure == "bd_rate" else self.delta.quality


@dataclass(frozen=True, slots=True)
class PooledDelta:
    """One figure over all clips."""

    value: float | None
    """Arithmetic mean over the clips that have it, as the common test conditions average; None where none has."""
    akima: float | None
    """The same by Akima's interpolation."""
    interval: tuple[float, float] | None
    """Bounds of the mean of all such clips; None for fewer than five."""
    clips: tuple[tuple[str, float], ...]
    """Clip to its value, worst first."""
    refused: tuple[tuple[str, str], ...]
    """Clip without a value to the reason."""
    overlap: float | None
    """Smallest share of their range that the curves of a clip have in common; None without a value."""
    left_out: tuple[str, ...]
    """Points that could not be used, with clip and reason."""


def clips_of(runs: pd.DataFrame, case: str) -> dict[str, pd.DataFrame]:
    """The rows of each clip of a corpus of that name, or of the case of that name, that are points of a curve."""
    if "point.value" not in runs.columns:
        return {}
    belongs = runs["case"] == case
    if "corpus" in runs.columns:
        belongs |= runs["corpus"] == case
    points = runs[belongs & runs["point.value"].notna()]
    return {str(name): of_clip for name, of_clip in points.groupby("case", sort=False)}


def compare_clips(
    base: Clips, new: Clips, metric: str, *, pool: str, sign: int, names: tuple[str, str]
) -> tuple[ClipDelta, ...]:
    """Compare the curves of every clip that either side has; `names` are the subjects."""
    found = []
    for clip in dict.fromkeys((*base, *new)):
        sides = [side.get(clip, pd.DataFrame()) for side in (base, new)]
        # Sound and container are in both files; where one side did not count its pictures alone, whole files compare.
        of_pictures = all(has_video_bytes(side) for side in sides if len(side))
        curves = [curve_of(side, metric, pool=pool, of_pictures=of_pictures) for side in sides]
        found.append(ClipDelta(clip, compare_curves(curves[0], curves[1], sign=sign, names=names)))
    return tuple(found)


def pool_clips(clips: Sequence[ClipDelta], figure: CurveFigure, *, sign: int, error: float) -> PooledDelta:
    """Average one figure over clips; each bound of the interval is exceeded with probability `error`.

    `sign` is -1 for a metric of which less is better: the worst clip is then that of the largest difference of quality.
    """
    known = [(clip, found) for clip in clips if (found := clip.of(figure)).refusal is None]
    rising = figure == "bd_rate" or sign < 0
    values = sorted(
        ((clip.clip, found.value) for clip, found in known), key=lambda pair: -pair[1] if rising else pair[1]
    )
    return PooledDelta(
        value=_mean([value for _, value in values]),
        akima=_mean([found.akima for _, found in known]),
        interval=mean_interval([value for _, value in values], error=error),
        clips=tuple(values),
        refused=tuple((clip.clip, reason) for clip in clips if (reason := clip.of(figure).refusal) is not None),
        overlap=min((found.overlap for _, found in known), default=None),
        left_out=tuple(
            f"{clip.clip}: {words}" if len(clips) > 1 else words
            for clip in clips
            if clip.of(figure).refusal is None  # a refusal has them
            for words in clip.delta.left_out
        ),
    )


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
