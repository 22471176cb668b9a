"""What the study does, and what it counts: its plan, and a row for each export and each planted fault."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.strangers.held_back import Split

__all__ = ["FaultRow", "OutputRow", "Plan", "StudyResult"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done."""

    exports_per_clip: tuple[int, int, int, int] = (2, 1, 1, 1)
    """Exporters drawn for each clip: of the first, the further ones, those opened last, and those held back."""
    exports_per_opened_clip: tuple[int, int, int, int] = (2, 1, 2, 1)
    """The same for each clip of the part that was opened last."""
    exports_per_held_back_clip: tuple[int, int, int, int] = (2, 1, 1, 3)
    """The same for each clip that is held back."""
    bases: tuple[int, int] = (34, 30)
    """Right outputs into which faults are planted: of those that may be looked at, and of those that are held back."""
    bases_per_fault: tuple[int, int] = (5, 4)
    """Judged outputs of each kind of fault, of both parts, where the content allows as many."""
    weak_per_strength: int = 2
    """Outputs of each strength below the limit."""
    clips: tuple[str, ...] = ()
    """Names of the fixed clips; all, and those that are held back, where empty."""
    drawn: tuple[int, int] | None = None
    """Seed and count of clips drawn for development, which then are the only ones; without what is held back."""
    faults: tuple[str, ...] = ()
    """Names of the faults; all where empty."""
    exporters: tuple[str, ...] = ()
    """Names of the exporters; all that are installed where empty."""
    seed: int = 1
    """Of what is drawn."""
    jobs: int = 2
    """Processes of others at a time."""
    minutes: tuple[float, float] | None = None
    """Time for exports and for faults, after which no further one begins; None where all are made."""


@dataclass(frozen=True, slots=True)
class OutputRow:
    """One export by an exporter, judged twice."""

    clip: str
    """Name of the clip."""
    family: str
    """Its family."""
    exporter: str
    """Name of the exporter."""
    version: str
    """Of its program."""
    held_back: bool
    """Whether it belongs to the part that nobody looks at."""
    opinion: str
    """The referee's."""
    subjects: tuple[str, ...]
    """What the referee found fault with."""
    findings: str
    """In its words."""
    figures: dict[str, float]
    """What it measured."""
    flagged: bool
    """Whether capbench says that something is wrong."""
    failed: tuple[str, ...]
    """Its checks."""
    says: str
    """Its words."""
    reference: str
    """File that was exported."""
    output: str
    """File that was made."""
    second_decoder: str
    """What another decoder made of it: same, differs, or why it was not asked."""


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One planted fault."""

    fault: str
    """Its kind."""
    subject: str
    """What it spoils."""
    strength: float
    """How much."""
    judged: bool
    """Whether it is at or above what validation promises to see."""
    clip: str
    """Of the right output."""
    exporter: str
    """Of the right output."""
    held_back: bool
    """Whether it belongs to the part that nobody looks at."""
    flagged: bool
    """Whether capbench says that something is wrong."""
    named: bool
    """Whether a check that means this kind of fault failed."""
    failed: tuple[str, ...]
    """Checks that failed."""
    says: str
    """Their words."""
    reference: str
    """The reference."""
    output: str
    """The faulty file."""


@dataclass(slots=True)
class StudyResult:
    """Everything that was counted."""

    split: Split
    """What was held back."""
    outputs: list[OutputRow] = field(default_factory=list)
    """Exports."""
    controls: list[FaultRow] = field(default_factory=list)
    """The same tools with nothing planted."""
    faults: list[FaultRow] = field(default_factory=list)
    """Planted faults."""
    not_made: list[str] = field(default_factory=list)
    """What a tool refused or failed to make, with its words."""
    absent: list[str] = field(default_factory=list)
    """Exporters whose program is not installed."""
    clips_made: int = 0
    """Clips exported."""
    seconds: float = 0.0
    """How long it took."""
