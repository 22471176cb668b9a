"""What a referee may say of an output."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Finding", "Judgement", "Opinion", "graded"]


class Opinion(StrEnum):
    """What the referee thinks of an output."""

    RIGHT = "right"
    WRONG = "wrong"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was."""

    subject: str
    """frames, times, sound, sync, colour, siting, tags, geometry, picture or damage."""
    opinion: Opinion
    """Whether it is a fault, or may be one."""
    message: str
    """With its figures."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The referee's word on one output."""

    findings: tuple[Finding, ...]
    """Everything that is not as it was."""
    figures: dict[str, float] = field(default_factory=dict)
    """What was measured."""

    @property
    def opinion(self) -> Opinion:
        """Wrong where anything is, doubtful where anything may be."""
        kinds = {finding.opinion for finding in self.findings}
        return next((each for each in (Opinion.WRONG, Opinion.DOUBTFUL) if each in kinds), Opinion.RIGHT)


def graded(subject: str, value: float, right: float, wrong: float, message: str) -> list[Finding]:
    """A finding where a figure is larger than what is right without a doubt."""
    if value <= right:
        return []
    return [Finding(subject, Opinion.WRONG if value >= wrong else Opinion.DOUBTFUL, message)]
