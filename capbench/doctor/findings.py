"""What was found on the machine, as data."""

from __future__ import annotations

from capbench.results.record import Record

__all__ = [
    "AdapterFinding",
    "CacheFinding",
    "ChannelFinding",
    "DecoderFinding",
    "EncoderFinding",
    "MachineFindings",
    "MemoryFinding",
    "PathFinding",
    "Problem",
    "ProgramFinding",
]


class AdapterFinding(Record):
    """One GPU adapter that wgpu offers."""

    name: str
    """Name of the device, from its driver."""
    backend: str
    """`Vulkan`, `Metal`, `D3D12` or `OpenGL`."""
    adapter_type: str
    """`DiscreteGPU`, `IntegratedGPU`, `CPU` or `unknown`."""
    driver: str
    """Driver and its version."""
    is_software: bool
    """Whether it runs on the CPU: its times are not GPU times."""
    is_chosen: bool
    """Whether an export would use it; found by opening a device."""


class EncoderFinding(Record):
    """One video encoder, tried on a few frames."""

    name: str
    """FFmpeg's name."""
    works: bool
    """Whether it opened and returned packets."""
    reason: str | None = None
    """Why it does not work; None where it does."""


class DecoderFinding(Record):
    """One hardware decoder, tried on a clip of one codec."""

    name: str
    """FFmpeg's name of the device, as `--decoder` takes it."""
    codec: str
    """`H.264` or `HEVC`."""
    works: bool
    """Whether its pictures are those of the software decoder."""
    reason: str | None = None
    """Why it does not work; None where it does."""


class PathFinding(Record):
    """One conversion path, tried on a few frames."""

    name: str
    """As `--path` takes it."""
    works: bool
    """Whether an export by it was completed."""
    reason: str | None = None
    """Why it does not work; None where it does."""


class ChannelFinding(Record):
    """What an export by path `gpu` of one picture size would keep in memory."""

    width: int
    """Width of source and output in pixels."""
    height: int
    """Height of source and output in pixels."""
    decoded_frames: int
    """Decoded frames that may wait for the GPU."""
    upload_slots: int
    """Upload buffers in flight."""
    staging_slots: int
    """Readback buffers in flight."""
    pictures: int
    """Pictures between readback and encoder."""
    owned_bytes: int
    """All of it when full."""


class MemoryFinding(Record):
    """Memory, and the sizes of the export's channels that follow from it."""

    total_bytes: int
    """Memory of the machine."""
    available_bytes: int
    """What this process may still take, the control group's limit included."""
    cgroup_limit_bytes: int | None
    """Limit of this process's control groups; None where there is none."""
    cgroup_free_bytes: int | None
    """Remainder of that limit; None if there is none."""
    channel_frames: int
    """Most frames in a channel of a video export."""
    gif_channel_frames: int
    """Most frames in a channel of a GIF export."""
    channels: tuple[ChannelFinding, ...]
    """What these limits result in for usual picture sizes."""


class CacheFinding(Record):
    """The cache of synthetic recordings."""

    folder: str
    """Where it is, or will be."""
    size_bytes: int
    """What its files take."""
    free_bytes: int | None
    """Free space on its disk; None if not known."""
    is_writable: bool
    """Whether a recording can be put there."""


class ProgramFinding(Record):
    """A program that subjects of a matrix may start."""

    name: str
    """Name of the program."""
    path: str | None
    """Where it is; None where PATH has none."""
    version: str | None
    """As the program states it; None where it does not."""


class Problem(Record):
    """Something that this machine cannot do, and how to fix it."""

    what: str
    """What is missing, in one sentence."""
    remedy: str
    """The command that fixes it, or what to do where no command can."""
    blocks_export: bool
    """Whether an export by path `gpu` is impossible without it."""


class MachineFindings(Record):
    """All that `capbench doctor` found."""

    can_export_by_gpu: bool
    """Whether an export by path `gpu` is possible: one was made."""
    adapters: tuple[AdapterFinding, ...]
    """Every adapter, in wgpu's order."""
    adapter_error: str | None
    """Why no device could be opened; None where one was."""
    encoders: tuple[EncoderFinding, ...]
    """Every encoder that capbench knows, working or not."""
    decoders: tuple[DecoderFinding, ...] = ()
    """Every hardware decoder that FFmpeg or `--decoder` knows, working or not."""
    paths: tuple[PathFinding, ...]
    """Every path, working or not."""
    memory: MemoryFinding
    """Memory and channels."""
    cache: CacheFinding
    """The cache of recordings."""
    ffmpeg: ProgramFinding
    """The program `ffmpeg`; capbench itself does not need it."""
    vmaf_error: str | None = None
    """Why VMAF is not measured here; null where it is."""
    versions: dict[str, str]
    """Program or library to its version."""
    problems: tuple[Problem, ...] = ()
    """What is missing, the blocking ones first."""
