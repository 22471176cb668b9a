"""What is measured in one part: its pairs of frames, and those around it that temporal metrics look at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction

from capbench.errors import PartError
from capbench.quality.parts.find_frames import FrameStamp

__all__ = ["NEIGHBOURS", "PairedFrame", "PartPlan", "paired_frame"]

NEIGHBOURS = 2
"""Pairs before and behind a part that are fed to metrics of sequences. FFmpeg's xpsnr takes the previous picture, above
32 frames a second the two previous ones (vf_xpsnr.c); VMAF's motion takes the previous and the next one (libvmaf,
integer_motion.c)."""


@dataclass(frozen=True, slots=True)
class PairedFrame:
    """One output frame and the reference frame that it shows."""

    output: FrameStamp | None
    """The output's frame; None where it has no counterpart that could be compared."""
    reference: FrameStamp | None
    """The reference's frame; None likewise."""

    @property
    def is_pair(self) -> bool:
        """Whether there is something to compare."""
        return self.output is not None and self.reference is not None


@dataclass(frozen=True, slots=True)
class PartPlan:
    """One part. Everything that measuring it needs besides the two files."""

    first_frame: int
    """Output frame that it begins with, from 0."""
    first_pair: int
    """Number of its first own pair among all pairs, from 0: it decides which ones are looked at closely."""
    frames: tuple[PairedFrame, ...]
    """Its own frames, those without a counterpart too."""
    before: tuple[PairedFrame, ...]
    """The last pairs before it, at most `NEIGHBOURS`."""
    behind: tuple[PairedFrame, ...]
    """The first pairs behind it, likewise."""
    marked: bool
    """Whether the reference shows a recording with burnt-in marks."""
    metrics: tuple[str, ...]
    """Names of the metrics to measure."""
    rate: Fraction | None
    """Requested rate of the output; None for its own."""
    threads: int | None
    """Most threads of libvmaf; None for what the machine has."""

    def as_json(self) -> str:
        """As text that `from_json` reads."""
        return json.dumps(asdict(self) | {"rate": None if self.rate is None else str(self.rate)})

    @classmethod
    def from_json(cls, text: str) -> PartPlan:
        """Read what `as_json` wrote. Raises `PartError` for anything else."""
        try:
            fields = json.loads(text)
            rate = fields["rate"]
            return cls(
                first_frame=int(fields["first_frame"]),
                first_pair=int(fields["first_pair"]),
                frames=_frames(fields["frames"]),
                before=_frames(fields["before"]),
                behind=_frames(fields["behind"]),
                marked=bool(fields["marked"]),
                metrics=tuple(map(str, fields["metrics"])),
                rate=None if rate is None else Fraction(rate),
                threads=None if fields["threads"] is None else int(fields["threads"]),
            )
        except (ValueError, TypeError, LookupError, AttributeError, ZeroDivisionError) as error:
            raise PartError(f"not the plan of a part: {type(error).__name__} {error}") from error


def paired_frame(found: Mapping[str, Mapping[str, int] | None]) -> PairedFrame:
    """A pair from its fields. Raises `LookupError` or `TypeError` where they are not those of a pair."""
    return PairedFrame(_stamp(found["output"]), _stamp(found["reference"]))


def _frames(found: Sequence[Mapping[str, Mapping[str, int] | None]]) -> tuple[PairedFrame, ...]:
    return tuple(map(paired_frame, found))


def _stamp(found: Mapping[str, int] | None) -> FrameStamp | None:
    return None if found is None else FrameStamp(found["index"], found["pts"], found["digest"])
