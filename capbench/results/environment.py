"""The machine, or the machines, that runs were made on, as data."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from capbench.results.record import Record

__all__ = [
    "MACHINES_FILE",
    "MAX_MACHINES",
    "MAX_TAGS",
    "BlockNoise",
    "ConditionKind",
    "ConditionWarning",
    "Environment",
    "FleetMachine",
    "MachineChoice",
    "MachineConditions",
    "MachineName",
    "MachineTable",
    "NoiseReading",
]

_IDENTITY = (
    "cpu_model",
    "cores_logical",
    "cores_usable",
    "cpu_limit_cores",
    "memory_gib",
    "architecture",
    "os",
    "kernel",
    "virtualisation",
    "python",
    "packages",
    "libraries",
    "adapter",
    "driver",
)
"""Fields that make times comparable when they agree. Two machines of one model and one software count as one."""

MACHINES_FILE = "machines.json"
"""File of a result folder that holds its `MachineTable`; a folder of one machine has none."""
MAX_MACHINES = 4096
"""Machines of a folder: four times the largest fleet that was simulated, and some 10 MB of JSON."""
MAX_TAGS = 64
"""Tags of a machine: a label each for where, what and whose, many times over."""

MachineName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$", max_length=63)]
"""A machine in file names, tables and charts: ASCII as in a host's name, without `--`, which separates the parts of a
run's file name. 63 characters as in a label of the DNS (RFC 1035)."""
Tag = Annotated[str, StringConstraints(max_length=200)]
"""Key or value of a tag."""


class Environment(Record):
    """What runs were made on. A field that could not be read is None, its reason in `unmeasured`."""

    schema_version: int = 1
    """Version of this record."""
    fingerprint: str = ""
    """Identifies the kind of machine and its software; see `identity`."""
    cpu_model: str | None = None
    """Name of the processor."""
    cores_logical: int | None = None
    """Logical cores of the machine."""
    cores_physical: int | None = None
    """Physical cores of the machine."""
    cores_usable: int | None = None
    """Logical cores that this process may run on."""
    cpu_limit_cores: float | None = None
    """CPU quota of the control group in cores; None where there is no limit."""
    memory_bytes: int | None = None
    """Physical memory."""
    memory_limit_bytes: int | None = None
    """Memory limit of the control group; None where there is no limit."""
    governor: str | None = None
    """Frequency governor of the first core."""
    turbo: bool | None = None
    """Whether the processor may exceed its nominal frequency."""
    load_1min: float | None = None
    """Load average at the start."""
    virtualisation: str | None = None
    """Hypervisor or container that was detected; `none` for bare metal."""
    os: str | None = None
    """Operating system and its version."""
    kernel: str | None = None
    """Release of the kernel."""
    architecture: str | None = None
    """Machine architecture such as `x86_64`."""
    python: str | None = None
    """Implementation and version."""
    packages: dict[str, str] = Field(default_factory=dict)
    """Installed versions of what takes part in a run."""
    libraries: dict[str, str] = Field(default_factory=dict)
    """FFmpeg's libraries and their versions."""
    adapter: str | None = None
    """GPU adapter that the pipeline would take."""
    adapter_is_software: bool | None = None
    """Whether that adapter runs on the CPU."""
    driver: str | None = None
    """Its driver and version."""
    git_revision: str | None = None
    """Commit of the work tree that holds capbench."""
    git_dirty: bool | None = None
    """Whether that work tree differed from the commit."""
    unmeasured: dict[str, str] = Field(default_factory=dict)
    """Field name to the reason why it is None."""

    @property
    def memory_gib(self) -> int | None:
        """Physical memory in whole GiB: the exact figure varies with the firmware."""
        return None if self.memory_bytes is None else round(self.memory_bytes / 2**30)

    @property
    def revision(self) -> str | None:
        """Commit, with `+dirty` where the work tree differed."""
        return f"{self.git_revision}+dirty" if self.git_revision and self.git_dirty else self.git_revision

    def identity(self) -> str:
        """What makes times comparable when it agrees, as 12 hexadecimal digits: the value of `fingerprint`."""
        known = self.model_dump(mode="json") | {"memory_gib": self.memory_gib}
        # capbench itself may differ: comparing its own revisions on one machine is what the machine is compared for.
        known["packages"] = {name: version for name, version in self.packages.items() if name != "capbench"}
        values = json.dumps([known[name] for name in _IDENTITY], sort_keys=True)
        return hashlib.sha256(values.encode()).hexdigest()[:12]


ConditionKind = Literal["battery", "power_saving", "screen_sharing", "encoder", "heat"]
"""What kind of state of the machine a warning is about."""


class ConditionWarning(Record):
    """A state of the machine that may have distorted a block. Nothing is left out or weighed by it."""

    kind: ConditionKind
    """What it is about."""
    text: str
    """It in words."""


class MachineConditions(Record):
    """The state of a machine that its load does not show, at one moment. None where it cannot be read."""

    on_battery: bool | None = None
    """Whether it runs on its battery."""
    battery_percent: float | None = None
    """Charge of the emptiest battery; None without one."""
    power_plan: str | None = None
    """Power plan of Windows, energy mode of macOS, platform profile of Linux."""
    governors: tuple[str, ...] = ()
    """Frequency governors of all cores, each once."""
    energy_preferences: tuple[str, ...] = ()
    """What cores that choose their frequency themselves prefer, each once."""
    saves_power: bool | None = None
    """Whether plan, governor or preference favours low power over speed."""
    frequency_limit_percent: float | None = None
    """Highest frequency that a core may have, in percent of what it could; the lowest of all cores."""
    hot_zones: tuple[str, ...] = ()
    """Thermal zones at or above the limit from which they are cooled or throttled."""
    thermal_limit_percent: float | None = None
    """How much of its speed the system allows the processor because of heat."""
    gpu_slowdowns: tuple[str, ...] = ()
    """NVML's reasons why a GPU is slowed down by heat or power."""
    screen_sharing: tuple[str, ...] = ()
    """What may show or record the screen: remote desktops, screen sharing, recorders, by their processes."""
    encoder_users: tuple[str, ...] = ()
    """Other programs that use a GPU's video encoder, while no run was active."""
    encoder_percent: float | None = None
    """Load of the busiest video encoder, likewise."""
    unmeasured: dict[str, str] = Field(default_factory=dict)
    """What could not be read, such as `thermal_state`, to the reason."""


class NoiseReading(Record):
    """Disturbances at one moment. Counters count since the machine started; None where they cannot be read."""

    foreign_cpu_percent: float | None = None
    """Load by other processes while no run was active, in percent of one core."""
    load_1min: float | None = None
    """Load average."""
    steal_s: float | None = None
    """Counter: seconds of CPU time that the hypervisor gave to other guests."""
    throttle_events: int | None = None
    """Counter: thermal throttle events of all cores."""
    swapped_bytes: int | None = None
    """Counter: bytes swapped in and out."""
    disk_free_bytes: int | None = None
    """Free on the disk that results go to."""
    hottest_celsius: float | None = None
    """Hottest sensor of the processor."""
    conditions: MachineConditions | None = None
    """Power, frequency policy, heat, shared screens and lent encoders; None in records of older versions."""


class BlockNoise(Record):
    """What disturbed one block of one case."""

    schema_version: int = 1
    """Version of this record."""
    case: str
    """Name of the case."""
    block: int
    """Block number."""
    machine: MachineName | None = None
    """Name of the machine in `machines.json`; None in a folder of one machine."""
    before: NoiseReading
    """Just before its first run."""
    after: NoiseReading
    """Just after its last run."""
    wall_s: float
    """Length of the block in seconds."""
    foreign_cpu_s: float | None = None
    """CPU seconds that other processes used while the block ran."""
    warnings: tuple[str, ...] = ()
    """What a reader of the block's figures should know, `conditions` included."""
    conditions: tuple[ConditionWarning, ...] = ()
    """Those of the warnings that are about the state of the machine, with their kinds."""


class FleetMachine(Record):
    """One machine: what it is, and what its owner says of it."""

    environment: Environment
    """Processor, memory, system, adapter and software."""
    tags: dict[Tag, Tag] = Field(default_factory=dict, max_length=MAX_TAGS)
    """What its owner gave it: `{"lab": "berlin"}`."""
    encoders: tuple[str, ...] = ()
    """Video encoders that open there."""
    decoders: tuple[str, ...] = ()
    """Decoders that open there, `software` or a device such as `cuda`."""


class MachineChoice(Record):
    """Which machines of a fleet take part, and what of the blocks they make."""

    match: dict[str, str] = Field(default_factory=dict)
    """Field of a machine's report to a glob that it matches, without regard to case; empty for any machine."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tag to a glob that its value matches, likewise."""
    software: bool | None = None
    """Whether its adapter runs on the CPU; None for either."""
    blocks: int | None = None
    """Blocks of each case that every such machine makes for itself; None where they share the blocks of the case."""


class MachineTable(Record):
    """The machines that runs of a folder name in `machine`."""

    schema_version: int = 1
    """Version of this record."""
    machines: dict[MachineName, FleetMachine] = Field(default_factory=dict, max_length=MAX_MACHINES)
    """By name; names that differ in case alone are refused, since a file system may take them for one."""

    @model_validator(mode="after")
    def _has_no_name_twice(self) -> Self:
        folded: dict[str, str] = {}
        for name in self.machines:
            if (other := folded.setdefault(name.casefold(), name)) != name:
                raise ValueError(f"the machines {other} and {name} differ in case alone")
        return self
