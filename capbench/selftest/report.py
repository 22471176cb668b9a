"""What the self-test found out, as data."""

from __future__ import annotations

from pydantic import Field

from capbench.results.record import Record

__all__ = ["CleanExport", "ConversionOutcome", "SelfTestReport", "SpecimenOutcome"]


class SpecimenOutcome(Record):
    """One specimen and what became of it."""

    name: str
    """Name of the specimen."""
    family: str
    """Where such a defect comes from."""
    defect: str
    """What was done."""
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


class CleanExport(Record):
    """One export with nothing wrong."""

    name: str
    """What was exported and how."""
    alarms: tuple[str, ...] = ()
    """Checks that failed although nothing is wrong, with their sentences."""
    error: str | None = None
    """Why it could not be made; None when it could."""


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
    def alarms(self) -> int:
        """Clean exports that raised an alarm or could not be made."""
        return sum(bool(export.alarms) or export.error is not None for export in self.clean)

    @property
    def passed(self) -> bool:
        """Whether everything was flagged and nothing cried wolf."""
        return self.flagged == len(self.specimens) and self.alarms == 0
