"""What this machine can do, found out by trying, and what would mend what it cannot."""

from capbench.doctor.examine import examine_machine
from capbench.doctor.findings import (
    AdapterFinding,
    CacheFinding,
    ChannelFinding,
    EncoderFinding,
    Lack,
    MachineFindings,
    MemoryFinding,
    ProgramFinding,
)
from capbench.doctor.lacks import Platform, find_lacks

__all__ = [
    "AdapterFinding",
    "CacheFinding",
    "ChannelFinding",
    "EncoderFinding",
    "Lack",
    "MachineFindings",
    "MemoryFinding",
    "Platform",
    "ProgramFinding",
    "examine_machine",
    "find_lacks",
]
