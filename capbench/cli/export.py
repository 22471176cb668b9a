"""`capbench export`: one export."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import JsonTarget, app, write_json
from capbench.cli.ignored_options import refuse_ignored, typed_parameters
from capbench.errors import InputError
from capbench.malloc_arenas import limit_malloc_arenas
from capbench.results.path_names import BUILT_IN_PATHS, PASSTHROUGH, SOFTWARE_DECODER
from capbench.units import format_bytes, format_seconds, parse_bytes, parse_rate

if TYPE_CHECKING:
    from capbench.results import ExportReport

__all__ = ["export"]

_WITH_PRESETS = ("libx264", "libx265", "h264", "hevc", "auto")
"""Encoders that take `--preset`, and the names by which one of those may be chosen."""


@app.command(epilog="Example: `capbench export recording.mp4 out.mp4 --scene studio --path gpu --json -`")
def export(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="Video file, or an HLS playlist (.m3u8).")],
    output: Annotated[
        Path | None, typer.Argument(help="File to write: .mp4 or .gif. Omit it only with --encoder none.")
    ] = None,
    *,
    scene: Annotated[str, typer.Option(help="Name of a built-in scene, or a TOML file.")] = "bare",
    path: Annotated[
        str | None,
        typer.Option(help="Conversion path (default: passthrough if the scene draws nothing, otherwise gpu)."),
    ] = None,
    width: Annotated[
        int | None, typer.Option(help="Output width in pixels, an even number (default: by the source).")
    ] = None,
    height: Annotated[
        int | None, typer.Option(help="Output height in pixels, an even number (default: by the source).")
    ] = None,
    fps: Annotated[
        str | None, typer.Option(help="Constant frame rate, such as 30 or 30000/1001; 10 to 30 for a GIF.")
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(
            help="FFmpeg name of an encoder (`capbench doctor` lists them). h264, hevc and auto choose the first one "
            "that works here, hardware before software. none draws every frame and writes nothing, to measure the "
            "stages before the encoder. The default is fixed so that benchmarks compare between machines."
        ),
    ] = "libx264",
    quality: Annotated[str, typer.Option(help="Quality: highest, high, medium or low.")] = "high",
    qp: Annotated[int | None, typer.Option(help="Fixed quantiser (QP), instead of --quality.")] = None,
    crf: Annotated[float | None, typer.Option(help="Constant rate factor (CRF), instead of --quality.")] = None,
    preset: Annotated[str, typer.Option(help="Preset for libx264 and libx265.")] = "veryfast",
    swscale_threads: Annotated[int, typer.Option(help="Threads for conversion by path cpu; 0: one per core.")] = 1,
    decoder: Annotated[
        str,
        typer.Option(
            help="software, cuda, vaapi, videotoolbox or d3d11va (`capbench doctor` lists what works), or auto for the "
            "first that works for this source. If the hardware does not start, software decodes and the report "
            "gives the reason. Hardware conceals damage inside pictures; software reports it."
        ),
    ] = SOFTWARE_DECODER,
    decoder_threads: Annotated[
        int | None, typer.Option(help="Threads of a software decoder (default: one per core, at most 3).")
    ] = None,
    encoder_threads: Annotated[
        int | None,
        typer.Option(
            help="Threads of a software encoder (default: by cores and picture size). The bytes of x264 depend on it."
        ),
    ] = None,
    memory_limit: Annotated[
        str | None,
        typer.Option(
            help="Memory limit of the whole process, such as 600M (default: 160M for queues, rings and pools, with no "
            "limit for libraries and codecs)."
        ),
    ] = None,
    dither: Annotated[
        str, typer.Option(help="Dithering method for a GIF, such as none, bayer or sierra2_4a.")
    ] = "sierra2_4a",
    tone_map: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Export SDR of an HDR source (PQ, HLG): bt2390, the EETF of Report ITU-R BT.2390, from MaxCLL, or the "
            "mastering display's peak, or 1000 cd/m2, to 100 cd/m2 (default: refuse HDR).",
        ),
    ] = None,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Export whatever can be decoded of a damaged source.")
    ] = False,
    json_target: JsonTarget = None,
) -> None:
    """Export a recording: decode, composite the scene on the GPU, convert, encode.

    The report goes to stdout, or to a file as JSON with `--json`.
    """
    from capbench.pipeline.render.first_device import FirstDevice  # slow for --help, as what follows

    _refuse_idle_options(context, output, encoder)
    limit_malloc_arenas()
    with FirstDevice() as device:
        if path in BUILT_IN_PATHS and path != PASSTHROUGH and source.is_file():
            device.start()  # while the libraries load
        from capbench.pipeline.encode.encoders import EncoderSettings
        from capbench.pipeline.export import export as run_export
        from capbench.pipeline.job import ExportOptions

        options = ExportOptions(
            scene=scene,
            path=path,
            width=width,
            height=height,
            fps=None if fps is None else parse_rate(fps),
            encoder=EncoderSettings(name=encoder, quality=quality, qp=qp, crf=crf, preset=preset),
            swscale_threads=swscale_threads,
            decoder=decoder,
            decoder_threads=decoder_threads,
            encoder_threads=encoder_threads,
            memory_limit_bytes=parse_bytes(memory_limit) if memory_limit else None,
            dither=dither,
            salvage=salvage,
            tone_map=tone_map,
        )
        with _progress(output) as on_frame:
            report = run_export(source, output, options, on_frame=on_frame, device=device)
    if json_target is not None:
        write_json(report, json_target)
    if json_target != "-":
        typer.echo(_summary(report, output))


def _refuse_idle_options(context: typer.Context, output: Path | None, encoder: str) -> None:
    """Refuse options of an encoder that does not encode here, and the second of two that exclude each other."""
    of_encoder = ("quality", "qp", "crf", "preset", "encoder_threads")
    if output is not None and output.suffix.lower() == ".gif":
        refuse_ignored(context, ("encoder", *of_encoder), why="on a GIF, which has an encoder of its own; omit it")
    else:
        refuse_ignored(context, ("dither",), why="on anything but a GIF; omit it")
    if encoder == "none":
        refuse_ignored(context, of_encoder, why=f"with --encoder {encoder}, which encodes nothing; omit it")
    if encoder not in _WITH_PRESETS:
        refuse_ignored(context, ("preset",), why=f"with --encoder {encoder}; it is of libx264 and libx265")
    typed = typed_parameters(context)
    if len(rivals := [typed[name] for name in ("qp", "crf", "quality") if name in typed]) > 1:
        raise InputError(f"{' and '.join(rivals)} exclude each other: each sets the quality; pass one of them")


@contextlib.contextmanager
def _progress(output: Path | None) -> Iterator[Callable[[int], None] | None]:
    """What to tell about each frame: a line on a terminal, nothing anywhere else."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # slow to import
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        # Headers lie about their frames, so there is no bar that could be trusted.
        is_gif = output is not None and output.suffix.lower() == ".gif"
        name = "no file" if output is None else output.name
        task = progress.add_task("choosing the palette" if is_gif else "starting")
        yield lambda frames: progress.update(task, description=f"{frames} frames in {name}")


def _coders(report: ExportReport) -> tuple[str | None, ...]:
    """Encoder, and before it the decoder where another than the usual was asked for."""
    if report.decoder_requested in (None, SOFTWARE_DECODER):
        return (report.encoder,)
    return f"decoder {report.decoder_used}", report.encoder


def _summary(report: ExportReport, output: Path | None) -> str:
    assert report.wall_s is not None
    written = "nothing written" if report.output_bytes is None else format_bytes(report.output_bytes)
    lines = [
        f"{output or 'no export'}: {report.frames} frames, {report.width}x{report.height}, {written}",
        f"{format_seconds(report.wall_s)}, {report.fps:.1f} frames/s, {report.times_realtime:.2f} x real time",
        ", ".join(part for part in (f"path {report.path_used}", *_coders(report), report.adapter) if part),
    ]
    if report.adapter_is_software:
        lines.append("software adapter: these are software times, not GPU times")
    lines += [f"warning: {warning}" for warning in (*report.fallbacks, *report.warnings)]
    return "\n".join(lines)
