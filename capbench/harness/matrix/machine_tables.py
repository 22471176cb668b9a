"""`[[machine]]` tables: the machines of a fleet that take part in a matrix."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from capbench.harness.matrix.model import MachineChoice

__all__ = ["MOST_BLOCKS", "MOST_MACHINE_TABLES", "WrittenMachine"]

MOST_BLOCKS = 100_000
"""A block a second is a day of them."""
MOST_MACHINE_TABLES = 1000
"""Each is tried on each machine."""
MachineField = Literal["name", "adapter", "system", "os", "cpu_model", "architecture", "encoder", "decoder"]
"""What a machine is chosen by; of its encoders and decoders one has to match."""


class _MachineTable(MachineChoice):
    """`[[machine]]`: machines of a fleet that take part."""

    model_config = ConfigDict(extra="forbid")

    match: dict[MachineField, str] = Field(default_factory=dict)  # type: ignore[assignment]  # a record has any keys
    """Field of a machine's report to a glob, such as `{ adapter = "NVIDIA*", system = "Darwin" }`."""
    blocks: Annotated[int, Field(ge=1, le=MOST_BLOCKS)] | None = None
    """Blocks of each case that every such machine makes for itself; without it they share those of the case."""


WrittenMachine = Annotated[_MachineTable, AfterValidator(lambda table: MachineChoice(**dict(table)))]
