"""What the self-test found out, as data."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from capbench.results.record import Record

__all__ = ["CleanExport", "ConversionOutcome", "Mutates", "SelfTestReport", "SpecimenOutcome"]


class Mutates(StrEnum):
    """What a specimen changes."""

    SHADER = "shader"
    """The text of a shader; the real export runs with it."""
    PIPELINE = "pipeline"
    """The text of a module of the pipeline; the real export runs with it."""
    CONTENT = "content"
    """Pictures or samples of sound on their way into the encoder: what any exporter may do, this one or another."""
    MUXING = "muxing"
    """Time stamps, tags and tracks."""
    FILE = "file"
    """Bytes of the finished file."""
    FIGURES = "figures"
    """Measurements in the records of runs."""


class SpecimenOutcome(Record):
    """One specimen and what became of it."""

    name: str
    """Name of the specimen."""
    family: str
    """Where such a defect comes from."""
    defect: str
    """What was done."""
    mutates: Mutates
    """What was changed to do it."""
    flagged: bool
    """Whether a check that names this defect failed."""
    check: str | None = None
    """The check that flagged it."""
    sentence: str | None = None
    """What the user reads."""
    other_checks: tuple[str, ...] = ()
    """Further checks that failed."""
    error: str | None = None
    """Why the specimen could not be tried; None when it could. Then it is not flagged."""
    unavailable: bool = False
    """Whether it could not be tried because this machine has no GPU adapter or encoder for it."""


class CleanExport(Record):
    """One export with nothing wrong."""

    name: str
    """What was exported and how."""
    alarms: tuple[str, ...] = ()
    """Checks that failed although nothing is wrong, with their sentences."""
    error: str | None = None
    """Why it could not be made; None when it could."""
    unavailable: bool = False
    """Whether that is because this machine has no GPU adapter or encoder for it."""


class ConversionOutcome(Record):
    """One conversion against the oracle, before encoding."""

    path: str
    """Path that converts so."""
    matrix: str
    """601, 709 or 2020."""
    range: str
    """limited or full."""
    siting: str
    """left or centre."""
    largest_error_codes: int
    """Largest absolute difference of any component."""
    share_exact: float
    """Smallest share of equal samples of any component."""
    bias_codes: tuple[float, float, float]
    """Mean signed error of Y, Cb, Cr."""


class SelfTestReport(Record):
    """The whole self-test. Passes when every specimen was flagged and no clean export raised an alarm."""

    specimens: tuple[SpecimenOutcome, ...]
    """In order of registration."""
    clean: tuple[CleanExport, ...] = Field(default=())
    """Exports with nothing wrong; empty where they were left out."""
    conversions: tuple[ConversionOutcome, ...] = Field(default=())
    """Conversions against the oracle, for information: swscale is not exact and need not be."""
    seconds: float | None = None
    """How long it took."""

    @property
    def flagged(self) -> int:
        """Specimens that were flagged."""
        return sum(outcome.flagged for outcome in self.specimens)

    @property
    def missed(self) -> int:
        """Specimens that were tried and that nothing flagged by name."""
        return sum(not outcome.flagged and outcome.error is None for outcome in self.specimens)

    @property
    def alarms(self) -> int:
        """Clean exports that raised an alarm."""
        return sum(bool(export.alarms) for export in self.clean)

    @property
    def untried(self) -> int:
        """Specimens and clean exports that could not be made."""
        return len(self._failures)

    @property
    def only_unavailable(self) -> bool:
        """Whether the only problem is that this machine could not run everything."""
        failures = self._failures
        return bool(failures) and all(one.unavailable for one in failures) and not self.missed and not self.alarms

    @property
    def _failures(self) -> list[SpecimenOutcome | CleanExport]:
        everything: tuple[SpecimenOutcome | CleanExport, ...] = (*self.specimens, *self.clean)
        return [one for one in everything if one.error is not None]

    @property
    def passed(self) -> bool:
        """Whether everything was run, everything flagged, and no clean export raised an alarm."""
        return not (self.missed or self.alarms or self.untried)
