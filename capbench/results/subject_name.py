"""What the name of a subject says: which subject, of which revision, and which copy of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

__all__ = [
    "CAPACITY_PREFIX",
    "DECODE_ONLY",
    "FLOOR",
    "SAME",
    "SubjectKind",
    "SubjectName",
    "is_capacity",
    "is_export",
    "is_floor",
    "revision_label",
]

FLOOR = "floor"
"""Name of the subject that decodes and encodes, nothing between; with `@REV` it is another revision's."""
DECODE_ONLY = "decode-only"
"""Name of the subject that decodes and lets every picture go: what a decoder could deliver."""
CAPACITY_PREFIX = "capacity-"
"""Before a path's name: decode and draw by that path, and let every picture go. `capacity-gpu` for `gpu`."""
SAME = "same"
"""Name of the equal copy that `capbench calibrate` runs beside a subject."""
_REVISION, _COPY = "@", "~"


class SubjectKind(StrEnum):
    """What a subject is for."""

    EXPORT = "export"
    """A way of exporting: timed, validated, judged."""
    FLOOR = "floor"
    """Decode and encode alone: says what the machine did, and is itself never a base and never in a verdict."""
    CAPACITY = "capacity"
    """Frames a second that a path could deliver to an encoder: no export, never a base and never in a verdict."""
    DECODE = "decode"
    """Frames a second that the decoder could deliver: like `CAPACITY`."""


@dataclass(frozen=True, slots=True)
class SubjectName:
    """A subject's name in its parts: `SUBJECT`, `SUBJECT@REVISION`, `SUBJECT~COPY` or `SUBJECT@REVISION~COPY`.

    Parsed here and nowhere else. Every text is a name; what is not there is empty.
    """

    subject: str
    """The name without revision and copy: a path, or what a matrix file calls a command."""
    revision: str = ""
    """Label of the git revision that `capbench run --against` measures; empty for the capbench that runs the matrix."""
    copy: str = ""
    """`same` or `plus5` for the copies of `capbench calibrate`; empty for the subject itself."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The parts of a name as runs and matrices hold it."""
        original, _, copy = text.partition(_COPY)
        subject, _, revision = original.partition(_REVISION)
        return cls(subject, revision, copy)

    def __str__(self) -> str:
        """The whole name: what `parse` takes."""
        revision = f"{_REVISION}{self.revision}" if self.revision else ""
        return f"{self.subject}{revision}{f'{_COPY}{self.copy}' if self.copy else ''}"

    @property
    def kind(self) -> SubjectKind:
        """What it is for."""
        if self.subject.startswith(CAPACITY_PREFIX):
            return SubjectKind.CAPACITY
        return {FLOOR: SubjectKind.FLOOR, DECODE_ONLY: SubjectKind.DECODE}.get(self.subject, SubjectKind.EXPORT)

    @property
    def is_capacity(self) -> bool:
        """Whether it says what stages could deliver, and writes nothing."""
        return self.kind in (SubjectKind.CAPACITY, SubjectKind.DECODE)

    @property
    def own(self) -> SubjectName:
        """The same subject of the capbench that runs the matrix: `gpu` for `gpu@main`."""
        return SubjectName(self.subject, copy=self.copy)


def is_floor(name: object) -> bool:
    """Whether a subject is the floor, of whichever revision."""
    return SubjectName.parse(str(name)).kind is SubjectKind.FLOOR


def is_capacity(name: object) -> bool:
    """Whether a subject says what stages could deliver alone."""
    return SubjectName.parse(str(name)).is_capacity


def is_export(name: object) -> bool:
    """Whether a subject is a way of exporting: one that may be validated, be a base, and be in a verdict."""
    return SubjectName.parse(str(name)).kind is SubjectKind.EXPORT


def revision_label(revision: str) -> str:
    """How a revision is named on the command line of `capbench compare`, and in titles: `@main`."""
    return f"{_REVISION}{revision}"
