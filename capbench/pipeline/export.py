"""One export from source to finished file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from capbench.colour import ColourSpec
from capbench.errors import CapbenchError, OutputError
from capbench.files import partial_path
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.registry import FLOOR
from capbench.pipeline.encode.gif import GifPictures, GifWriter, PaletteReader
from capbench.pipeline.encode.mp4 import OutputFormat, VideoWriter
from capbench.pipeline.job import ExportJob, ExportOptions, prepare
from capbench.pipeline.recorder import ExportRecorder
from capbench.pipeline.stage_graph import Flow
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

    `on_frame` is told how many frames are in the file so far, from the encode thread; `cancel` stops the export when it
    is set; `on_span` receives what every thread does, for a trace. Raises `InputError` or `OutputError` for what the
    user can change, `UnavailableError` for what this machine cannot do, `PipelineError` for a failure on the way, and
    `CancelledExportError`.
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
    account = ExportRecorder(job, started_ns, on_frame)
    passes = _Passes(job, account, cancel or threading.Event(), on_span)
    try:
        with partial_path(job.output) as partial:
            path_used = passes.write_gif(partial) if job.is_gif else passes.write_video(partial)
    except OSError as error:
        if isinstance(error, CapbenchError):
            raise
        raise OutputError(f"cannot write {job.output}: {error.strerror}") from error
    return account.report(path_used)


class _Passes:
    """Passes over the source: one writes a video, two write a GIF. Each returns the path that drew."""

    def __init__(
        self,
        job: ExportJob,
        account: ExportRecorder,
        cancel: threading.Event,
        on_span: Callable[[Span], None] | None,
    ) -> None:
        self._job = job
        self._account = account
        self._cancel = cancel
        self._on_span = on_span

    def write_video(self, partial: Path) -> str:
        """Encode into an MP4 file."""
        job = self._job

        def open_sink(pixel_format: str, colour: ColourSpec, sound: Iterator[Any] | None) -> VideoWriter:
            size = job.canvas
            output = OutputFormat(size.width, size.height, job.rate, job.time_base, colour, pixel_format)
            if job.path_requested == FLOOR:
                # Nothing turns or stretches its pictures, so a player must go on doing so.
                source = job.source
                output = replace(
                    output, rotation_degrees=source.rotation_degrees, pixel_aspect=Fraction(source.pixel_aspect)
                )
            return VideoWriter(partial, output, job.options.encoder, audio=sound, on_packet=self._account.encoded)

        return self._run(open_sink, partial)

    def write_gif(self, partial: Path) -> str:
        """Choose the palette, then draw again and write the file."""
        palettes: list[PaletteReader] = []

        def open_palette(pixel_format: str, colour: ColourSpec, _: Iterator[Any] | None) -> PaletteReader:
            palettes.append(PaletteReader(self._gif_pictures(pixel_format, colour)))
            return palettes[0]

        def open_sink(pixel_format: str, colour: ColourSpec, _: Iterator[Any] | None) -> GifWriter:
            return GifWriter(
                partial,
                self._gif_pictures(pixel_format, colour),
                palettes[0].palette,
                self._job.options.dither,
                on_packet=self._account.encoded,
            )

        self._run(open_palette, partial)
        return self._run(open_sink, partial)

    def _gif_pictures(self, pixel_format: str, colour: ColourSpec) -> GifPictures:
        job = self._job
        return GifPictures(job.canvas.width, job.canvas.height, job.rate, job.time_base, pixel_format, colour)

    def _run(self, open_sink: Callable[[str, ColourSpec, Iterator[Any] | None], Any], partial: Path) -> str:
        self._account.begin_pass()
        flow = Flow(
            self._job,
            account=self._account,
            cancel=self._cancel,
            on_span=self._on_span,
            open_sink=open_sink,
            written_bytes=lambda: partial.stat().st_size if partial.exists() else 0,
        )
        return flow.run()


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
