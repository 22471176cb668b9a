"""One part of a validation, as it is sent to a machine: two files by their content, and what to measure of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from capbench.fleet.block_job import LONGEST_MESSAGE_BYTES, Bundle
from capbench.harness.matrix.table_values import LONGEST_WAIT_S
from capbench.results.environment import MachineName
from capbench.results.record import Record

__all__ = ["PartJob"]


class PartJob(Record):
    """A part for one machine, with everything that it follows from."""

    capbench_version: str
    """Version of the sender's capbench."""
    machine: MachineName
    """Name of the machine that it is for."""
    reference: Bundle
    """The reference."""
    output: Bundle
    """The output."""
    plan: Annotated[str, StringConstraints(max_length=LONGEST_MESSAGE_BYTES)]
    """JSON of a `capbench.quality.parts.part_plan.PartPlan`."""
    arithmetic: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """What the sender's machine makes of known pictures: one that makes something else of them must not measure."""
    timeout_s: Annotated[float, Field(gt=0, le=LONGEST_WAIT_S)]
    """The part is given up after so many seconds."""
    lock_wait_s: Annotated[float, Field(ge=0, le=LONGEST_WAIT_S)]
    """How long the machine may be timing something before the part goes to another."""
