"""One run: an export of one case by one subject, in its own process."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from capbench.results.environment import MachineName
from capbench.results.export_report import ExportReport
from capbench.results.path_names import ANY_DECODER
from capbench.results.record import Record
from capbench.results.validation import Check, ValidationReport

__all__ = [
    "MAX_OVERLAP_SHARE",
    "SCHEMA_VERSION",
    "CurveParameter",
    "CurvePoint",
    "CustomFigure",
    "ExportClock",
    "ExportEnd",
    "FailureKind",
    "Footage",
    "Interleave",
    "NormalisedFootage",
    "RunResult",
    "RunRole",
    "Scheduling",
    "SliceAccount",
    "TraceSample",
]

Interleave = Literal["runs", "slices"]
"""How the subjects of a block take turns: whole run after whole run, or a slice of each at a time."""

Scheduling = Literal["normal", "realtime"]
"""How the kernel shares the cores between what is measured and the rest of the machine: `normal` as it does for all;
with `realtime` what is measured comes first (Linux, SCHED_RR)."""

ExportEnd = Literal["output"]
"""What ends the export of a command, where that is neither its process nor a line of its output."""

MAX_OVERLAP_SHARE = 0.01
"""Share of a sliced block's running time in which another process was not still; above it the block does not count."""

SCHEMA_VERSION = 1
"""Version of the files in a result folder; a reader accepts this and older ones."""


CurveParameter = Literal["qp", "crf", "bitrate"]
"""What changes from point to point of a curve: the quantiser, the constant rate factor, or the bit rate that is asked
for, in bits a second."""


class RunRole(StrEnum):
    """Why a run was made. Statistics use `measure` only."""

    MEASURE = "measure"
    """Part of a block."""
    WARMUP = "warmup"
    """Discarded: it fills caches; block -1."""
    DRIFT_START = "drift_start"
    """The floor before the first block, block -2: with `drift_end` it shows whether the machine changed."""
    DRIFT_END = "drift_end"
    """The floor after the last block, block -3."""
    TRIAL = "trial"
    """Discarded: a first block in slices, block -4, which shows whether the subjects bear being stopped."""


class FailureKind(StrEnum):
    """What kind of failure `error` describes."""

    EXIT = "exit"
    """The process ended with a code other than 0, or could not be started."""
    TIMEOUT = "timeout"
    """The process did not end in time and was killed."""
    NO_OUTPUT = "no_output"
    """The process ended well and its output file is absent, empty or not a video."""
    CLOCK = "clock"
    """When the export began or ended is not known, or contradicts itself."""
    UNAVAILABLE = "unavailable"
    """This machine cannot run the subject."""


class CurvePoint(Record):
    """The setting that a run of a curve was made with."""

    parameter: CurveParameter
    """What the points of the curve differ in."""
    value: float
    """Its value; in bits a second for `bitrate`."""

    @property
    def label(self) -> str:
        """The point in file names, tables and sentences: `qp=24`, `crf=23.5`."""
        return f"{self.parameter}={self.text}"

    @property
    def text(self) -> str:
        """The value as a command line takes it: whole numbers without a point."""
        return str(int(self.value)) if self.value.is_integer() else f"{self.value:g}"


class TraceSample(Record):
    """One sample of the run's process tree."""

    time_s: float
    """Since the start of the run, in seconds."""
    rss_bytes: int
    """Resident memory of the process tree."""
    cpu_percent: float
    """CPU since the sample before, in percent of one core."""


class SliceAccount(Record):
    """How a run in slices was made."""

    slice_ms: float
    """Mean length of a slice that was asked for, in milliseconds."""
    count: int
    """Slices that the run had."""
    means: str | None = None
    """By what it was stopped: `cgroup.freeze`, `signals` or `suspended threads`; None where it never started."""
    alone_share: float
    """Share of its running time in which the block's other runs were over: the tail that nothing ran beside."""
    overlap_share: float
    """Of the whole block: CPU time that runs used, or may have used, while stopped, over all running time."""
    gpu_idle_share: float | None = None
    """Of the slices that ended while it drew on a hardware GPU, the share at whose end the GPU was seen idle; None
    where it drew on none, or does not wait for it, and not written then."""

    @model_serializer(mode="wrap")
    # A declared result would replace the fields in the JSON Schema.
    def _leave_out_none(self, default: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        written: dict[str, Any] = default(self)
        if self.gpu_idle_share is None:
            written.pop("gpu_idle_share", None)
        return written


class CustomFigure(Record):
    """A figure that only the subject knows, as it reported it."""

    value: float
    """The figure, finite."""
    unit: str = ""
    """Its unit, such as `s`, `bytes`, `frames`; empty for a bare number."""
    better: Literal["lower", "higher"] = "lower"
    """Which way is better."""


_LONGEST_CLIP_S = 3600.0
"""An hour into a clip, or of it: what lies before the part that is kept is decoded, too."""
_LONGEST_SIDE_PX = 8192
"""Of a normalised clip, as of a synthetic recording."""


class Footage(Record):
    """A clip of somebody else's that is fetched, checked by its hash and normalised."""

    name: str
    """Name of its table."""
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+/\S+$", max_length=2000)]
    """Where it is fetched from, `https` or `http`."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]
    """SHA-256 of the fetched bytes in hexadecimal."""
    licence: Annotated[str, Field(min_length=1, max_length=500)]
    """What allows its use, in words for people."""
    start_s: Annotated[float, Field(ge=0, le=_LONGEST_CLIP_S)] = 0.0
    """Where in the clip it begins, in seconds."""
    duration_s: Annotated[float, Field(gt=0, le=_LONGEST_CLIP_S)]
    """Its length in seconds."""
    width: Annotated[int, Field(gt=0, le=_LONGEST_SIDE_PX, multiple_of=2)] = 1920
    """Width in pixels. A clip of another aspect covers it, and its middle is kept."""
    height: Annotated[int, Field(gt=0, le=_LONGEST_SIDE_PX, multiple_of=2)] = 1080
    """Height in pixels."""
    fps: str = "30"
    """Frames a second as an exact fraction, constant."""
    pixel_format: Literal["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"] = "yuv420p"
    """FFmpeg's name of its samples, BT.709 in limited range."""

    @property
    def frames(self) -> int:
        """Its length in frames."""
        return max(1, round(self.duration_s * Fraction(self.fps)))


class NormalisedFootage(Footage):
    """The same with what was made of it."""

    normalised_sha256: str
    """SHA-256 of the normalised file, which is what was exported."""


class ExportClock(Record):
    """What began and what ended the `wall_s` of a command whose export is not its whole process."""

    begin: Literal["process", "line", "text"]
    """The start of the process; its line `capbench: begin`; or the text that the subject's `begins` names."""
    end: Literal["process", "line", "output"]
    """The end of the process; its line `capbench: end`; or the last change of its output."""
    begins_seen: int = 0
    """How often it said that it begins; the first counts."""
    ends_seen: int = 0
    """How often it said that it ends, or made its output anew; the last counts."""
    output_watched_by: Literal["events", "polling"] | None = None
    """What told that the output had changed; None where nothing watched it."""
    linger_s: float | None = None
    """From the end of the export until the process had ended, in seconds."""
    process_ended_by: Literal["itself", "request", "force"] = "itself"
    """Whether the process ended by itself, because it was asked to, or was killed."""


class RunResult(ExportReport):
    """One run, raw. Fields of `ExportReport` are None with a reason where the subject does not report them."""

    schema_version: int = SCHEMA_VERSION
    """Version of this record."""
    case: str
    """Name of the case."""
    subject: str
    """Name of the subject."""
    block: int
    """Block number, counted from 0; -1 is the discarded warm-up, -2 and -3 the drift controls: see `role`."""
    role: RunRole = RunRole.MEASURE
    """Why the run was made."""
    order: int = 0
    """Position in the shuffled block, counted from 0."""
    corpus: str | None = None
    """The corpus whose clip the case is; None, and not written, for a case of its own."""
    footage: NormalisedFootage | None = None
    """The clip that was exported, with its normalisation; None, and not written, for any other source."""
    point: CurvePoint | None = None
    """The point of the case's curve that the run is; None, and not written, for a case without a curve."""
    machine: MachineName | None = None
    """Name of the machine in the folder's `machines.json`; None, and not written, in a folder of one machine. There a
    block is one of a machine: two machines may both have a block 0."""
    started_at: str | None = None
    """ISO 8601, UTC."""
    command: tuple[str, ...] = ()
    """Command line that was started."""
    fingerprint: str | None = None
    """Identifies the machine and its software."""
    revision: str | None = None
    """Git revision of what was measured, with `+dirty` where the work tree differed."""
    process_wall_s: float | None = None
    """From the start of the process until it ended, in seconds; `wall_s` of a command that does not say when its export
    begins or ends."""
    launch_s: float | None = None
    """From the start of the process until its export began, in seconds: what is not part of `wall_s`. None, and not
    written, where the export begins with the process."""
    clock: ExportClock | None = None
    """What began and ended `wall_s` of a command that says so; None, and not written, for any other run."""
    cpu_s: float | None = None
    """CPU seconds, user and system, children included."""
    cpu_percent: float | None = None
    """`cpu_s` over `process_wall_s`, in percent of one core."""
    cpu_per_core_percent: tuple[float, ...] = ()
    """How busy each core of the machine was while the run lasted, by any process, in percent."""
    peak_rss_bytes: int | None = None
    """High-water mark of resident memory from the kernel, of the largest single process of the run's tree."""
    peak_tree_rss_bytes: int | None = None
    """Largest sampled sum of resident memory over the process tree; a lower bound, pages shared are counted twice."""
    times_floor: float | None = None
    """`wall_s` over the median `wall_s` of the floor runs of the same block's case."""
    bitrate_bits_per_s: float | None = None
    """Output bits over the length of the video."""
    trace: tuple[TraceSample, ...] = ()
    """Sampled memory and CPU over time."""
    sample_interval_s: float | None = None
    """Mean time between samples of `trace`, in seconds; it adapts to keep `sampler_cpu_s` small."""
    sampler_cpu_s: float | None = None
    """CPU seconds that the runner spent on sampling, which the subject did not have; not part of `cpu_s`."""
    telemetry: dict[str, float | str | None] = Field(default_factory=dict)
    """GPU utilisation, clocks, energy and so on, from the vendor's interface."""
    validation: ValidationReport | None = None
    """What validation found; None with a reason where it did not run."""
    custom: dict[str, CustomFigure] = Field(default_factory=dict)
    """Figures of the subject's own, by name: what it wrote to `{metrics}`, and what ffmpeg prints with `-benchmark` and
    `-progress`. Written only where there are any."""
    validation_pending: bool = False
    """Whether the output is kept and still to be validated, as in a run that was killed; written only then."""
    thresholds: tuple[Check, ...] = ()
    """The case's thresholds from the matrix file, checked for this run."""
    interleave: Interleave = "runs"
    """How the block's subjects took turns. Times of a run in slices are running time: they leave out what was between
    its slices. Runs of either kind are never compared with one another. Written only for `slices`."""
    scheduling: Scheduling = "normal"
    """How the kernel scheduled it. Runs of either kind are never compared with one another. Written only for
    `realtime`."""
    slices: SliceAccount | None = None
    """How a run in slices was made; None for one that ran through, for which it is not written."""
    error: str | None = None
    """Why the run failed, in one line; None when it succeeded."""
    error_kind: FailureKind | None = None
    """What kind of failure `error` is."""

    @model_serializer(mode="wrap")
    # A declared result would replace the fields in the JSON Schema.
    def _leave_out_defaults(self, default: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        """Later fields are written only where they say something: older readers refuse unknown keys."""
        written: dict[str, Any] = default(self)
        for name in ("corpus", "footage", "point", "machine", "launch_s", "clock"):
            if written.get(name, ...) is None:
                del written[name]
        if self.interleave == "runs":
            for name in ("interleave", "slices"):
                written.pop(name, None)
        if self.scheduling == "normal":
            written.pop("scheduling", None)
        if not self.custom:
            written.pop("custom", None)
        if not self.validation_pending:
            written.pop("validation_pending", None)
        return written

    @property
    def succeeded(self) -> bool:
        """Whether the subject finished and wrote its output; validation is a separate question."""
        return self.error is None

    @property
    def ran_as_requested(self) -> bool:
        """Whether this run counts as a measurement of the path and the decoder that were asked for."""
        decoder_fits = self.decoder_requested in (ANY_DECODER, self.decoder_used)
        return self.path_requested == self.path_used and decoder_fits
