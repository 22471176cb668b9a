"""The plan of an export, made before anything is started: every wrong input is found here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from capbench.colour import ColourSpec, MatrixCoefficients
from capbench.errors import InputError, OutputError
from capbench.pipeline.compositor.geometry import CanvasSize, canvas_size
from capbench.pipeline.conversion.registry import PASSTHROUGH, path_factory
from capbench.pipeline.decode.choose_decoder import DecoderChoice, check_decoder, choose_decoder
from capbench.pipeline.decode.hdr.hdr_source import check_tone_map
from capbench.pipeline.decode.probe import SourceInfo, probe_source
from capbench.pipeline.encode.encoders import NO_ENCODER, EncoderSettings, choose_encoder, codec_options
from capbench.pipeline.encode.gif import check_dither, gif_rate
from capbench.pipeline.scene import Scene, load_scene
from capbench.results.path_names import SOFTWARE_DECODER
from capbench.units import parse_rate

__all__ = ["PATH_VARIABLE", "ExportJob", "ExportOptions", "prepare", "surely_draws"]

PATH_VARIABLE = "CAP_GPU_FORMAT_CONVERSION"
"""Environment variable: 0 asks for `cpu`, 1 for `gpu`. `ExportOptions.path` wins over it."""

_GIF = ".gif"
_MOST_SWSCALE_THREADS = 256
"""More than any machine has cores. libswscale starts as many as requested, and aborts the process below 0."""
_BARE = "bare"
"""Name of the shipped scene that draws nothing."""
_MOST_THREADS = 64
"""FFmpeg's codecs take no more (`MAX_AUTO_THREADS` is 16; x264 and frame threads end at 64 or 128)."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to export."""

    scene: Scene | str | Path = _BARE
    """A scene, the name of a shipped one, or a TOML file."""
    path: str | None = None
    """Conversion path; None takes the environment variable, then what fits: nothing to draw is passed through."""
    width: int | None = None
    """Output width in pixels, even; None follows the height, or the source."""
    height: int | None = None
    """Output height in pixels, even; None follows the width, or the source."""
    fps: Fraction | None = None
    """Constant output rate; None keeps the source's own times, or for a GIF its rate up to 20."""
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    """Encoder, quality, preset."""
    colour: ColourSpec = field(default_factory=ColourSpec)
    """Matrix, range and siting of the output; a path that cannot site so tags what it did."""
    swscale_threads: int = 1
    """Threads of swscale on the `cpu` path; 0 is one a core, 1 the classic exporter."""
    decoder: str = SOFTWARE_DECODER
    """One of `capbench.results.path_names.DECODERS`; software stands in for hardware that does not start."""
    decoder_threads: int | None = None
    """Threads of a software decoder; None is one a core, up to 3."""
    encoder_threads: int | None = None
    """Threads of a software encoder; None follows cores and picture size. x264's bytes depend on it."""
    memory_limit_bytes: int | None = None
    """What the whole process may hold, libraries and codecs by estimate; None bounds queues, rings and pools alone, at
    160 MB, or more where a path cannot do with it."""
    dither: str = "sierra2_4a"
    """Dithering of a GIF, one of `gif.DITHERS`."""
    salvage: bool = False
    """Export what decodes of a damaged source instead of failing."""
    tone_map: str | None = None
    """How HDR becomes SDR, one of `TONE_MAPS`; None refuses HDR."""
    stall_timeout_s: float = 75.0
    """Longest silence of a stage: longer than any wait for a GPU, whose own error says more."""


@dataclass(frozen=True, slots=True)
class ExportJob:
    """A checked and planned export."""

    source: SourceInfo
    output: Path | None
    """None where nothing is written."""
    scene: Scene
    canvas: CanvasSize
    path_requested: str
    options: ExportOptions
    decoder: DecoderChoice = field(default_factory=DecoderChoice)
    """What decodes the source's pictures."""

    @property
    def is_gif(self) -> bool:
        """Whether the output is a GIF, by its suffix."""
        return self.output is not None and self.output.suffix.lower() == _GIF

    @property
    def has_sound(self) -> bool:
        """Whether the output has sound."""
        return self.source.audio_streams > 0 and self.output is not None and not self.is_gif

    @property
    def rate(self) -> Fraction:
        """Output frames a second; the average where times are the source's own."""
        return self.options.fps or self.source.frame_rate

    @property
    def time_base(self) -> Fraction:
        """Unit of the output's PTS in seconds."""
        return 1 / self.options.fps if self.options.fps else self.source.time_base


def prepare(source: Path, output: Path | None, options: ExportOptions) -> ExportJob:
    """Check everything that can be checked without starting. Raises `InputError`, `OutputError` or `EncoderError`."""
    scene = options.scene if isinstance(options.scene, Scene) else load_scene(options.scene)
    if options.fps is not None:
        options = replace(options, fps=parse_rate(options.fps))  # callers from Python may well say 30 or 29.97
    threads = options.swscale_threads
    if not isinstance(threads, int) or not 0 <= threads <= _MOST_SWSCALE_THREADS:
        raise InputError(
            f"swscale_threads must be a whole number between 0 and {_MOST_SWSCALE_THREADS}, got {threads!r}; "
            "0 means one per core"
        )
    for name in ("decoder_threads", "encoder_threads"):
        count = getattr(options, name)
        if count is not None and not 1 <= count <= _MOST_THREADS:
            option = name.replace("_", "-")
            raise InputError(f"--{option} must be between 1 and {_MOST_THREADS}, got {count}; omit it for the default")
    if options.path is not None:
        _check_path_name(options.path)
    check_decoder(options.decoder)
    _check_tone_map(options)
    _check_whether_written(output, options)
    info = probe_source(source, accepts_hdr=options.tone_map is not None)
    if output is not None:
        _check_output(output, source)
    canvas = canvas_size(info, options.width, options.height)
    if output is None:
        settled = options
    elif output.suffix.lower() == _GIF:
        check_dither(options.dither)
        settled = replace(
            options, fps=gif_rate(options.fps, info.frame_rate), encoder=replace(options.encoder, name="gif")
        )
    else:
        chosen = choose_encoder(options.encoder.name)
        settled = replace(options, encoder=replace(options.encoder, name=chosen.name))
        codec_options(settled.encoder, canvas.width, canvas.height, info.frame_rate)  # finds wrong settings
    decoder = choose_decoder(options.decoder, info, salvage=options.salvage)
    info = replace(info, planar_format=decoder.planar_format or info.planar_format)
    job = ExportJob(info, output, scene, canvas, "", settled, decoder)
    return replace(job, path_requested=_choose_path(job))


def surely_draws(options: ExportOptions) -> bool:
    """Whether an export needs a GPU whatever its source is; known before that is probed."""
    if options.path is not None:
        return options.path != PASSTHROUGH
    if os.environ.get(PATH_VARIABLE) in ("0", "1"):
        return True
    scene = options.scene
    return not scene.draws_nothing if isinstance(scene, Scene) else str(scene) != _BARE


def _check_path_name(name: str) -> None:
    if name != PASSTHROUGH:
        path_factory(name)


def _check_tone_map(options: ExportOptions) -> None:
    if options.tone_map is None:
        return
    check_tone_map(options.tone_map)
    if options.colour.matrix is not MatrixCoefficients.BT709:
        raise InputError(f"tone mapping makes BT.709, not BT.{options.colour.matrix.value}")


def _check_whether_written(output: Path | None, options: ExportOptions) -> None:
    writes = options.encoder.name != NO_ENCODER
    if output is None and writes:
        raise InputError(f"no output was named; name a .mp4 or .gif file, or pass --encoder {NO_ENCODER}")
    if output is not None and not writes:
        raise InputError(f"--encoder {NO_ENCODER} writes nothing; omit {output} or choose an encoder")


def _check_output(output: Path, source: Path) -> None:
    if output.is_dir():
        raise OutputError(f"{output} is a folder; name a file, for example {output / 'out.mp4'}")
    if output.suffix.lower() not in (".mp4", _GIF):
        raise InputError(f"the output's suffix must be .mp4 or .gif, got {output.name!r}")
    if output.exists() and output.samefile(source):
        raise InputError(f"output and source are the same file: {output}")
    if not output.parent.is_dir():
        raise OutputError(f"no such folder: {output.parent}")
    if not os.access(output.parent, os.W_OK):
        raise OutputError(f"cannot write to {output.parent}: permission denied")


def _choose_path(job: ExportJob) -> str:
    if job.options.path is not None:
        if job.options.path == PASSTHROUGH and (reason := _why_not_passthrough(job)):
            raise InputError(f"path passthrough is not possible: {reason}; omit --path or pass --path gpu")
        return job.options.path
    asked = os.environ.get(PATH_VARIABLE)
    if asked in ("0", "1"):
        return "gpu" if asked == "1" else "cpu"
    if asked is not None:
        raise InputError(f"{PATH_VARIABLE} must be 0 or 1, got {asked!r}")
    if not _why_not_passthrough(job):
        return PASSTHROUGH
    # A GIF's palette is chosen from RGB, so nothing is gained by a detour through NV12.
    return "cpu" if job.is_gif else "gpu"


def _why_not_passthrough(job: ExportJob) -> str | None:
    """None where decoded planes may go to the encoder as they are."""
    source = job.source
    if not job.scene.draws_nothing:
        return "the scene draws something"
    if (source.width, source.height) != (job.canvas.width, job.canvas.height):
        return f"{source.width}x{source.height} is not the output size {job.canvas.width}x{job.canvas.height}"
    if source.hdr is not None:
        return "HDR is tone-mapped on the GPU"
    if source.rotation_degrees or source.pixel_aspect != 1:
        return "the source is rotated or has pixels that are not square"
    if source.planar_format not in ("yuv420p", "nv12"):
        return f"the source is {source.planar_format}, the output 4:2:0"
    if source.colour != job.options.colour:
        return "the source's colour is not the output's"
    if not job.is_gif and job.options.fps not in (None, source.frame_rate):
        return f"the rate changes from {source.frame_rate} to {job.options.fps}"
    return None
