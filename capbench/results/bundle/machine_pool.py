"""Figures of many bundles together, as data."""

from __future__ import annotations

from pydantic import Field

from capbench.results.record import Record

__all__ = ["STANDS_OUT", "MachinePool", "MachineResidual", "PlatformRatio", "PooledMachine", "PooledSubject"]

STANDS_OUT = 3.0
"""Standard deviations from its platform beyond which a machine is pointed at: one in 370 is there by chance."""


class PooledMachine(Record):
    """A machine of a pool."""

    name: str
    """Name of its bundle's file, with its number where a bundle has several."""
    platform: str
    """System and graphics, by which machines are nested."""
    attributes: dict[str, str] = Field(default_factory=dict)
    """What it is, in words."""
    revisions: tuple[str, ...] = ()
    """Git revisions of what it measured."""


class PlatformRatio(Record):
    """A subject's time over the floor's on the machines of one platform."""

    platform: str
    """System and graphics."""
    ratio: float
    """Mean of the machines, a geometric one."""
    interval: tuple[float, float] | None
    """Confidence interval of `ratio`; None where as many platforms as machines leave nothing to estimate it from."""
    machines: int
    """Machines that measured it."""


class MachineResidual(Record):
    """One machine of a row."""

    machine: str
    """Its name in the pool."""
    ratio: float
    """The subject's time over the floor's on this machine."""
    interval: tuple[float, float]
    """Of `ratio`, from the machine's own blocks."""
    blocks: int
    """Blocks that hold both."""
    residual: float
    """`ratio` over its platform's, less 1."""
    standardised: float
    """The residual in log units over its standard deviation; beyond 3 a machine stands out."""

    @property
    def stands_out(self) -> bool:
        """Whether it is too far from its platform for chance."""
        return abs(self.standardised) > STANDS_OUT


class PooledSubject(Record):
    """One subject of one case over machines."""

    case: str
    """Name of the case, with the first digits of its definition where several cases have that name."""
    subject: str
    """Name of the subject."""
    platforms: tuple[PlatformRatio, ...]
    """A number for each platform."""
    ratio: float | None
    """Over all machines; None where platforms differ too much for one number, or a single machine measured it."""
    interval: tuple[float, float] | None
    """Confidence interval of `ratio`."""
    why_no_ratio: str = ""
    """Why `ratio` is None."""
    i_squared: float
    """Between platforms, 0 to 1."""
    tau: float
    """Standard deviation of true log ratios between machines of a platform."""
    residuals: tuple[MachineResidual, ...]
    """Every machine."""


class MachinePool(Record):
    """`capbench pool --json`: subjects over machines, as times the floor."""

    schema_version: int = 1
    """Version of this record."""
    bundles: dict[str, str]
    """File name to SHA-256."""
    machines: tuple[PooledMachine, ...]
    """Every machine that any row has."""
    subjects: tuple[PooledSubject, ...]
    """A row for each case and subject."""
    confidence: float = 0.9
    """Level of all intervals."""
    left_out: tuple[str, ...] = ()
    """What was not pooled, and why."""
