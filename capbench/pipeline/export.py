"""One export from source to finished file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from capbench.errors import CapbenchError, OutputError
from capbench.files import partial_path
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.registry import FLOOR
from capbench.pipeline.encode.gif import GifEncoder, GifShape, PaletteReader
from capbench.pipeline.encode.mp4 import SoundEncoder, VideoEncoder, VideoShape, open_mp4
from capbench.pipeline.encode.mux import OutputFile
from capbench.pipeline.encode.picture_encoder import DiscardingEncoder
from capbench.pipeline.job import ExportOptions, prepare, surely_draws
from capbench.pipeline.memory_plan import estimated_bytes, plan_codecs
from capbench.pipeline.recorder import ExportRecorder
from capbench.pipeline.render.first_device import FirstDevice
from capbench.pipeline.render.renderer import SubmissionValve
from capbench.pipeline.stage_graph import Output, Run, run_pass
from capbench.pipeline.threads.stage_timer import Span
from capbench.results import ExportReport

__all__ = ["ExportOptions", "export", "floor_export"]


def export(
    source: str | Path,
    output: str | Path | None,
    options: ExportOptions | None = None,
    *,
    on_frame: Callable[[int], None] | None = None,
    cancel: threading.Event | None = None,
    on_span: Callable[[Span], None] | None = None,
    device: FirstDevice | None = None,
    valve: SubmissionValve | None = None,
) -> ExportReport:
    """Export `source` to `output`, which appears only when it is complete.

    `output` is None only for encoder `none`: pictures are drawn, read back and discarded.

    `on_frame` is called with the number of frames in the file so far, from the thread that writes it; `cancel` stops
    the export when it is set; `on_span` receives what every thread does, for a trace. `device` may have been started
    before this module was loaded; its owner closes it if it was not taken. `valve` is for a process
    that is stopped now and then, and whose GPU must be idle meanwhile. Raises `InputError` or `OutputError` for
    what the user can change, `UnavailableError` for what this machine cannot do, `PipelineError` for a failure during
    the export, and `CancelledExportError`.
    """
    started_ns = time.perf_counter_ns()
    asked = options or ExportOptions()
    with FirstDevice() if device is None else nullcontext(device) as opening:
        # If the source is missing, the user need not wait for a device to learn that.
        if surely_draws(asked) and Path(source).is_file():
            opening.start()
        job = prepare(Path(source), None if output is None else Path(output), asked)
        recorder = ExportRecorder(job, started_ns, on_frame, on_span)
        return _run(Run(job, recorder, cancel or threading.Event(), opening, valve))


def _run(run: Run) -> ExportReport:
    """Decode, draw, convert, encode and mux into a file that gets its name when it is complete; then report."""
    job = run.job
    if job.output is None:
        run_pass(run, Output(DiscardingEncoder(run.recorder.written)))
    else:
        _write(run, job.output)
    codecs, estimates = plan_codecs(job), estimated_bytes(job, run.recorder.path_used)
    run.recorder.planned(codecs.decoder_threads, codecs.encoder_threads, estimates)
    return run.recorder.report()


def _write(run: Run, target: Path) -> None:
    try:
        with partial_path(target) as partial:
            if run.job.is_gif:
                _write_gif(run, partial)
            else:
                _write_mp4(run, partial)
    except OSError as error:
        if isinstance(error, CapbenchError):
            raise
        raise OutputError(f"cannot write {target}: {error.strerror}") from error


def _write_mp4(run: Run, path: Path) -> None:
    job, codecs = run.job, plan_codecs(run.job)
    shape = VideoShape(job.canvas.width, job.canvas.height, job.rate, job.time_base)
    if job.path_requested == FLOOR:
        # Its pictures are not rotated or stretched here, so a player must still do it.
        source = job.source
        shape = replace(shape, rotation_degrees=source.rotation_degrees, pixel_aspect=Fraction(source.pixel_aspect))
    file = open_mp4(path)
    pictures = VideoEncoder(
        file,
        shape,
        job.options.encoder,
        threads=codecs.encoder_threads,
        look_ahead_frames=codecs.look_ahead_frames,
    )
    sound = SoundEncoder(file) if job.has_sound else None
    run_pass(run, Output(pictures, sound, file))


def _write_gif(run: Run, path: Path) -> None:
    """Choose the palette, then draw again and write the file."""
    job = run.job
    shape = GifShape(job.canvas.width, job.canvas.height, job.rate, job.time_base)
    palette = PaletteReader(shape)
    run_pass(run, Output(palette))
    run.recorder.begin_pass()
    file = OutputFile(path, "gif")
    run_pass(run, Output(GifEncoder(file, shape, palette.palette, job.options.dither), file=file))


def floor_export(
    source: str | Path,
    output: str | Path | None,
    options: ExportOptions | None = None,
    *,
    on_frame: Callable[[int], None] | None = None,
    cancel: threading.Event | None = None,
    on_span: Callable[[Span], None] | None = None,
) -> ExportReport:
    """Encode the source as it is with the encoder of `options`: own size, own colour, own times, sound included.

    A source that is shown rotated or stretched stays so: its display matrix and pixel aspect are copied to the output.

    Scene, size, rate and path of `options` are ignored. Raises as `export` does.
    """
    started_ns = time.perf_counter_ns()
    plain = replace(options or ExportOptions(), scene="bare", path=None, width=None, height=None, fps=None)
    plain = replace(plain, tone_map=None)  # nothing is drawn, so HDR stays what it is, and is refused
    job = prepare(Path(source), None if output is None else Path(output), plain)
    # 4:2:0 has no odd sizes: the encoder drops the last column or row.
    canvas = CanvasSize(job.source.width // 2 * 2, job.source.height // 2 * 2)
    job = replace(job, canvas=canvas, path_requested=FLOOR)
    recorder = ExportRecorder(job, started_ns, on_frame, on_span)
    return _run(Run(job, recorder, cancel or threading.Event(), FirstDevice()))
