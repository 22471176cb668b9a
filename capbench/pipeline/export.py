"""One export from source to finished file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
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
from capbench.pipeline.job import ExportJob, ExportOptions, prepare
from capbench.pipeline.memory_plan import estimated_bytes, plan_codecs
from capbench.pipeline.recorder import ExportRecorder
from capbench.pipeline.stage_graph import Output, run_pass
from capbench.pipeline.threads.stage_timer import Span
from capbench.results import ExportReport

__all__ = ["ExportOptions", "export", "floor_export", "run_job"]


def export(
    source: str | Path,
    output: str | Path,
    options: ExportOptions | None = None,
    *,
    on_frame: Callable[[int], None] | None = None,
    cancel: threading.Event | None = None,
    on_span: Callable[[Span], None] | None = None,
) -> ExportReport:
    """Export `source` to `output`, which appears only when it is complete.

    `on_frame` is told how many frames are in the file so far, from the thread that writes it; `cancel` stops the export
    when it is set; `on_span` receives what every thread does, for a trace. Raises `InputError` or `OutputError` for
    what the user can change, `UnavailableError` for what this machine cannot do, `PipelineError` for a failure on the
    way, and `CancelledExportError`.
    """
    started_ns = time.perf_counter_ns()
    return run_job(
        prepare(Path(source), Path(output), options or ExportOptions()),
        started_ns,
        on_frame=on_frame,
        cancel=cancel,
        on_span=on_span,
    )


def run_job(
    job: ExportJob,
    started_ns: int,
    *,
    on_frame: Callable[[int], None] | None = None,
    cancel: threading.Event | None = None,
    on_span: Callable[[Span], None] | None = None,
) -> ExportReport:
    """Run a settled export; `started_ns` is when its clock began. Raises as `export` does."""
    recorder = ExportRecorder(job, started_ns, on_frame, on_span)
    stop = cancel or threading.Event()
    try:
        with partial_path(job.output) as partial:
            if job.is_gif:
                _write_gif(job, partial, recorder, stop)
            else:
                _write_mp4(job, partial, recorder, stop)
    except OSError as error:
        if isinstance(error, CapbenchError):
            raise
        raise OutputError(f"cannot write {job.output}: {error.strerror}") from error
    codecs = plan_codecs(job)
    recorder.planned(codecs.decoder_threads, codecs.encoder_threads, estimated_bytes(job, recorder.path_used))
    return recorder.report()


def _write_mp4(job: ExportJob, path: Path, recorder: ExportRecorder, cancel: threading.Event) -> None:
    shape = VideoShape(job.canvas.width, job.canvas.height, job.rate, job.time_base)
    if job.path_requested == FLOOR:
        # Nothing turns or stretches its pictures, so a player must go on doing so.
        source = job.source
        shape = replace(shape, rotation_degrees=source.rotation_degrees, pixel_aspect=Fraction(source.pixel_aspect))
    file = open_mp4(path)
    codecs = plan_codecs(job)
    pictures = VideoEncoder(
        file,
        shape,
        job.options.encoder,
        threads=codecs.encoder_threads,
        look_ahead_frames=codecs.look_ahead_frames,
    )
    sound = SoundEncoder(file) if job.has_sound else None
    run_pass(job, Output(pictures, sound, file), recorder, cancel)


def _write_gif(job: ExportJob, path: Path, recorder: ExportRecorder, cancel: threading.Event) -> None:
    """Choose the palette, then draw again and write the file."""
    shape = GifShape(job.canvas.width, job.canvas.height, job.rate, job.time_base)
    palette = PaletteReader(shape)
    run_pass(job, Output(palette), recorder, cancel)
    recorder.begin_pass()
    file = OutputFile(path, "gif")
    pictures = GifEncoder(file, shape, palette.palette, job.options.dither)
    run_pass(job, Output(pictures, file=file), recorder, cancel)


def floor_export(
    source: str | Path,
    output: str | Path,
    options: ExportOptions | None = None,
    *,
    on_frame: Callable[[int], None] | None = None,
    cancel: threading.Event | None = None,
    on_span: Callable[[Span], None] | None = None,
) -> ExportReport:
    """Encode the source as it is with the encoder of `options`: own size, own colour, own times, sound included.

    A source that is shown turned or stretched stays so: its display matrix and pixel aspect go on into the output.

    Scene, size, rate and path of `options` are ignored. Raises as `export` does.
    """
    started_ns = time.perf_counter_ns()
    plain = replace(options or ExportOptions(), scene="bare", path=None, width=None, height=None, fps=None)
    job = prepare(Path(source), Path(output), plain)
    # 4:2:0 has no odd sizes: the encoder drops the last column or row.
    canvas = CanvasSize(job.source.width // 2 * 2, job.source.height // 2 * 2)
    job = replace(job, canvas=canvas, path_requested=FLOOR)
    return run_job(job, started_ns, on_frame=on_frame, cancel=cancel, on_span=on_span)
