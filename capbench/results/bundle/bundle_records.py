"""What a bundle may hold, and nothing else: every field is listed here, and unknown ones are refused.

A bundle is a list of what may leave a machine, not a result folder with things cut out: a field that somebody adds to a
run stays at home until it is entered here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from capbench.results.environment import MAX_MACHINES
from capbench.results.run_record import CurveParameter, FailureKind, Interleave, RunRole, Scheduling

__all__ = [
    "BUNDLE_FORMAT",
    "BUNDLE_VERSION",
    "MAX_RUNS",
    "BundleManifest",
    "BundledCase",
    "BundledCases",
    "BundledFile",
    "BundledMachine",
    "BundledMachines",
    "BundledQuality",
    "BundledRun",
    "BundledRuns",
]

BUNDLE_FORMAT = "capbench bundle"
"""What the manifest calls itself: any other zip file is not one."""
BUNDLE_VERSION = 1
"""Version of the records in a bundle; a reader accepts this and older ones."""
MAX_RUNS = 200_000
"""Runs of a bundle: a thousand machines with three cases, three subjects and twenty blocks."""
MAX_CASES = 2000
"""Cases of a bundle: a corpus of a thousand clips, at two settings."""
_MAX_NAMES = 64
"""Metrics, stages and libraries that a record lists; capbench knows about twenty of each."""

Word = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f/\\]*$", max_length=200)]
"""A name or a version: no control characters, and no separators of paths."""
AnonymousName = Annotated[str, StringConstraints(pattern=r"^machine-[1-9][0-9]{0,4}$")]
"""A machine is numbered: what its owner calls it stays at home."""
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hexadecimal digits."""
Seconds = Annotated[float, Field(ge=0, le=30 * 86400, allow_inf_nan=False)]
"""At most thirty days: no export takes longer, and sums of squares stay far from overflow."""
Bytes = Annotated[int, Field(ge=0, le=2**50)]
"""At most a pebibyte."""
Number = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
"""A figure of quality."""
Count = Annotated[int, Field(ge=0, le=10**9)]
"""Frames and the like."""


class BundleRecord(BaseModel):
    """Frozen, and without room for fields that are not listed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BundledFile(BundleRecord):
    """One file of a bundle."""

    size_bytes: Annotated[int, Field(ge=0, le=2**40)]
    """Its size."""
    sha256: Digest
    """Its hash."""


class BundleManifest(BundleRecord):
    """`manifest.json`: what this is, and the hash of everything else."""

    format: Literal["capbench bundle"] = "capbench bundle"
    """Always this."""
    schema_version: int = BUNDLE_VERSION
    """Version of the records."""
    capbench: Word = ""
    """Version of the capbench that wrote it."""
    files: dict[Word, BundledFile] = Field(max_length=16)
    """Every other file by its name."""


class BundledMachine(BundleRecord):
    """A machine, by what makes times comparable. No name, no address, no serial number, no tag."""

    cpu_model: Word | None = None
    """Name of the processor."""
    cores_logical: Count | None = None
    """Logical cores of the machine."""
    cores_physical: Count | None = None
    """Physical cores."""
    cores_usable: Count | None = None
    """Logical cores that runs could use."""
    cpu_limit_cores: Number | None = None
    """CPU quota in cores."""
    memory_gib: Count | None = None
    """Physical memory in whole GiB."""
    governor: Word | None = None
    """Frequency governor."""
    turbo: bool | None = None
    """Whether the processor may exceed its nominal frequency."""
    virtualisation: Word | None = None
    """Hypervisor or container; `none` for bare metal."""
    os: Word | None = None
    """Operating system and its version."""
    architecture: Word | None = None
    """Such as `x86_64`."""
    python: Word | None = None
    """Implementation and version."""
    packages: dict[Word, Word] = Field(default_factory=dict, max_length=_MAX_NAMES)
    """Versions of what takes part in a run."""
    libraries: dict[Word, Word] = Field(default_factory=dict, max_length=_MAX_NAMES)
    """FFmpeg's libraries and their versions."""
    adapter: Word | None = None
    """GPU adapter."""
    adapter_is_software: bool | None = None
    """Whether it runs on the CPU."""
    driver: Word | None = None
    """Its driver and version."""


class BundledMachines(BundleRecord):
    """`machines.json`."""

    machines: dict[AnonymousName, BundledMachine] = Field(min_length=1, max_length=MAX_MACHINES)
    """By number."""


class BundledCase(BundleRecord):
    """A case by what it asks for. Clips and scenes of one's own are told by their size and length alone."""

    definition: Digest
    """Hash of everything that decides the work: two cases of one name are the same where it agrees."""
    width: Count | None = None
    """Of the output."""
    height: Count | None = None
    """Of the output."""
    frames: Count | None = None
    """Of the output."""
    encoder: Word | None = None
    """Name of the encoder."""
    scene: Word | None = None
    """Name of a scene that capbench brings along, else `own`."""


class BundledCases(BundleRecord):
    """`cases.json`."""

    cases: dict[Word, BundledCase] = Field(min_length=1, max_length=MAX_CASES)
    """By name."""


class BundledQuality(BundleRecord):
    """One metric of quality."""

    mean: Number | None = None
    """Mean over frames."""
    p1: Number | None = None
    """First percentile."""


class BundledRun(BundleRecord):
    """One run: its figures, and whether it counts. No command, no path, no message, no time of day."""

    machine: AnonymousName
    """The machine."""
    case: Word
    """Name of the case."""
    subject: Word
    """Name of the subject."""
    block: Annotated[int, Field(ge=-4, le=1_000_000)]
    """Block number as in the run."""
    role: RunRole = RunRole.MEASURE
    """Why it was made."""
    order: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Position in the shuffled block."""
    corpus: Word | None = None
    """The corpus whose clip the case is."""
    parameter: CurveParameter | None = None
    """What the points of the case's curve differ in."""
    value: Number | None = None
    """The point."""
    interleave: Interleave = "runs"
    """How subjects took turns."""
    scheduling: Scheduling = "normal"
    """How the kernel scheduled them."""
    revision: Word | None = None
    """Git revision of what was measured."""
    path_requested: Word | None = None
    """Path that was asked for."""
    path_used: Word | None = None
    """Path that was taken."""
    decoder_requested: Word | None = None
    """Decoder that was asked for."""
    decoder_used: Word | None = None
    """Decoder that was taken."""
    fell_back: bool = False
    """Whether it fell back."""
    failed: FailureKind | None = None
    """What kind of failure; None where it succeeded."""
    validated: bool | None = None
    """Whether the output passed validation; None where that did not run."""
    failed_checks: tuple[Word, ...] = Field(default=(), max_length=200)
    """Names of checks and thresholds that failed."""
    frames: Count | None = None
    """Frames of the output."""
    wall_s: Seconds | None = None
    """From the call to the finished file, in seconds."""
    process_wall_s: Seconds | None = None
    """From the start of the process until it ended, in seconds."""
    setup_s: Seconds | None = None
    """Until the first frame could be processed, in seconds."""
    cpu_s: Seconds | None = None
    """CPU seconds, children included."""
    gpu_busy_s: Seconds | None = None
    """GPU time of its passes, in seconds."""
    peak_rss_bytes: Bytes | None = None
    """High-water mark of resident memory of its largest process."""
    gpu_memory_bytes: Bytes | None = None
    """Memory that it allocated on the GPU."""
    upload_bytes: Bytes | None = None
    """Bytes that went to the GPU."""
    readback_bytes: Bytes | None = None
    """Bytes that came back."""
    output_bytes: Bytes | None = None
    """Size of the output."""
    video_bytes: Bytes | None = None
    """Of the pictures alone, without sound and container."""
    quality: dict[Word, BundledQuality] = Field(default_factory=dict, max_length=_MAX_NAMES)
    """Metrics of validation."""

    @property
    def counts(self) -> bool:
        """Whether it is a valid measurement of what was asked for, part of a block."""
        as_asked = self.path_requested == self.path_used and not self.fell_back
        return self.role is RunRole.MEASURE and self.failed is None and as_asked and self.validated is not False


class BundledRuns(BundleRecord):
    """`runs.json`."""

    runs: tuple[BundledRun, ...] = Field(min_length=1, max_length=MAX_RUNS)
    """In the order of machine, case, block and position."""
