"""What one export reports about itself."""

from __future__ import annotations

from pydantic import Field

from capbench.results.record import Record

__all__ = ["ExportReport", "LatencyPercentiles", "StageTimes"]


class StageTimes(Record):
    """Where one stage spent its time, in seconds summed over all frames."""

    work_s: float
    """Doing its own work."""
    wait_input_s: float | None
    """Waiting for the stage before it; None where an exporter of another kind reports its work alone."""
    wait_output_s: float | None
    """Waiting for the stage after it, or for room in its channel; likewise."""


class LatencyPercentiles(Record):
    """Per-frame latency from leaving the decoder to leaving the encoder, in seconds."""

    p50_s: float
    """Median."""
    p95_s: float
    """95th percentile."""
    p99_s: float
    """99th percentile."""
    max_s: float
    """Slowest frame."""


class ExportReport(Record):
    """One export as the pipeline saw it. A value that could not be measured is None, its reason in `unmeasured`."""

    frames: int | None = None
    """Frames in the output."""
    wall_s: float | None = None
    """From the call to the renamed output, in seconds."""
    fps: float | None = None
    """`frames / wall_s`."""
    times_realtime: float | None = None
    """Length of the video over `wall_s`."""
    width: int | None = None
    """Output width in pixels."""
    height: int | None = None
    """Output height in pixels."""
    frame_rate: str | None = None
    """Output rate as an exact fraction such as `30000/1001`; None for variable."""
    duration_s: float | None = None
    """Length of the video in seconds."""
    gpu_busy_s: float | None = None
    """Sum of the pass times by timestamp queries, in seconds; CPU time where `adapter_is_software`."""
    gpu_percent: float | None = None
    """`gpu_busy_s` over `wall_s`, in percent."""
    gpu_memory_bytes: int | None = None
    """Bytes of the buffers and textures that the export created."""
    upload_bytes: int | None = None
    """Bytes written to the GPU, counted at each write."""
    readback_bytes: int | None = None
    """Bytes read from mapped GPU memory, counted at each read."""
    mapped_read_gb_per_s: float | None = None
    """Speed of reading mapped memory in this process, in 1e9 bytes a second."""
    memcpy_gb_per_s: float | None = None
    """Speed of a memcpy of the same size in the same process, in 1e9 bytes a second."""
    output_bytes: int | None = None
    """Size of the output file."""
    video_bytes: int | None = None
    """Bytes of the encoded pictures alone, without sound and container: what a curve takes as rate."""
    path_requested: str | None = None
    """Conversion path that was asked for."""
    path_used: str | None = None
    """Conversion path that ran."""
    decoder_requested: str | None = None
    """Decoder that was asked for: `software`, `auto`, or the name of a hardware decoder's device."""
    decoder_used: str | None = None
    """Decoder that ran: `software`, or the name of a device."""
    fallbacks: tuple[str, ...] = ()
    """Why something other than what was asked for ran, in order."""
    tone_map: str | None = None
    """How an HDR source became SDR: `bt2390`; None where the source is SDR."""
    source_peak_cd_m2: float | None = None
    """Luminance of an HDR source that became SDR's white, in cd/m2; None where the source is SDR."""
    source_peak_from: str | None = None
    """Where that is from: `MaxCLL`, `mastering display` or `default`; None where the source is SDR."""
    adapter: str | None = None
    """GPU adapter and driver, in words."""
    adapter_is_software: bool | None = None
    """Whether that adapter runs on the CPU."""
    encoder: str | None = None
    """Encoder that wrote the video."""
    decoder_threads: int | None = None
    """Threads that a software decoder was given."""
    encoder_threads: int | None = None
    """Threads that a software encoder was given; its bytes may depend on them."""
    swscale_threads: int | None = None
    """Threads that swscale was given on the `cpu` path; 0 means one per core."""
    stages: dict[str, StageTimes] = Field(default_factory=dict)
    """Work and waits of each stage, in order of flow."""
    pipeline_bytes: dict[str, int] = Field(default_factory=dict)
    """Largest number of bytes that each owner (staging, channels, pools) held; a name says where it is an estimate."""
    latency: LatencyPercentiles | None = None
    """Per-frame latency."""
    setup_s: float | None = None
    """From the call until source, device, shaders and encoder were ready for the first frame, in seconds."""
    time_to_first_frame_s: float | None = None
    """From the call until the first encoded packet, in seconds."""
    warnings: tuple[str, ...] = ()
    """What the user should know, in order."""
    unmeasured: dict[str, str] = Field(default_factory=dict)
    """Field name to the reason why it is None."""
