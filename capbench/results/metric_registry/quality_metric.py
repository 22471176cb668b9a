"""What is known about a quality metric before anything is measured."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Direction", "MeasuredFrames", "MetricMargins", "QualityMetric"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
"""A name becomes part of a column, of a JSON key and of a glob in a gate file."""
_PLANE_LABELS = {"y": "Y", "cb": "Cb", "cr": "Cr"}


class Direction(StrEnum):
    """Which way a metric improves."""

    HIGHER = "higher"
    """More is better, as of PSNR."""
    LOWER = "lower"
    """Less is better, as of an index of banding."""


class MeasuredFrames(StrEnum):
    """Which frames a metric is measured on; chosen by its cost."""

    EVERY = "every"
    """Every compared frame."""
    SAMPLED = "sampled"
    """A dozen frames at most, spread over the clip."""
    WORST = "worst"
    """The three frames of the lowest luma PSNR."""


@dataclass(frozen=True, slots=True)
class MetricMargins:
    """Worsening that still counts as the same, in the metric's unit; None for what is not judged by default."""

    mean: float | None = None
    """Of the mean over frames."""
    p1: float | None = None
    """Of the value that the worst 1% of the frames do not reach."""


@dataclass(frozen=True, slots=True)
class QualityMetric:
    """One metric of picture quality. Raises `ValueError` for a name that cannot be part of a column."""

    name: str
    """What `--metrics` takes: `psnr`, `vmaf_neg`. Lower-case letters, digits and underscores."""
    label: str
    """What people call it: `PSNR`, `VMAF NEG`."""
    direction: Direction
    """Which way it improves."""
    source: str
    """Paper or standard that defines it."""
    computed_by: str
    """Program or library that computes it."""
    unit: str = ""
    """`dB`; empty for an index."""
    decimals: int = 4
    """Decimals that people are shown."""
    range: tuple[float, float] = (-math.inf, math.inf)
    """Smallest and largest value that is ever reported."""
    planes: tuple[str, ...] = ()
    """Planes that have a value each (`y`, `cb`, `cr`); empty where a picture has one value."""
    margins: MetricMargins = field(default_factory=MetricMargins)
    """Margins of the gate where its file says nothing else."""
    frames: MeasuredFrames = MeasuredFrames.EVERY
    """Frames that it is measured on."""
    cost_cpu_ms: float | None = None
    """CPU time of one pair of 1920x1080 pictures in ms, as measured for docs/validation.md; None if unknown."""
    is_default: bool = False
    """Whether it is measured where nobody chooses metrics."""
    is_main: bool = True
    """Whether tables and charts show its main column first; False for a variant of another metric."""
    package: str = ""
    """Package that brings what computes it; empty for a metric that every installation computes."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"not a name of a metric: {self.name!r}; use lower-case letters, digits and underscores")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its values in reports: `("psnr_y", "psnr_cb", "psnr_cr")`, `("vmaf",)`."""
        return tuple(f"{self.name}_{plane}" for plane in self.planes) or (self.name,)

    @property
    def main_column(self) -> str:
        """The column that stands for the metric: luma's, where planes have a value each."""
        return self.columns[0]

    @property
    def higher_is_better(self) -> bool:
        """Whether it improves upwards."""
        return self.direction is Direction.HIGHER

    @property
    def best(self) -> float:
        """End of the range towards which it improves, and at which it no longer distinguishes; infinite without bound.

        Identical pictures need not reach it: those that move have a VMAF of 99 and some.
        """
        return self.range[1] if self.higher_is_better else self.range[0]

    def column_label(self, column: str) -> str:
        """A column for people: `PSNR Y` for `psnr_y`, `VMAF` for `vmaf`."""
        plane = column.removeprefix(f"{self.name}_")
        return f"{self.label} {_PLANE_LABELS.get(plane, plane)}" if plane in self.planes else self.label
