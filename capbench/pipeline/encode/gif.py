"""GIF: one palette for the whole clip, so the clip is drawn twice.

The palette needs every picture before the first can be written. Keeping them all is unbounded; a temporary file of them
is gigabytes of disk. Drawing again costs time and nothing else, and most of a GIF's time goes into dithering anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from capbench.colour import ColourSpec, MatrixCoefficients, Range
from capbench.errors import InputError
from capbench.pipeline.encode.sink import ContainerSink, writing_to

__all__ = ["DITHERS", "GIF_FPS", "GifPictures", "GifWriter", "PaletteReader", "check_dither", "gif_rate"]

GIF_FPS = (Fraction(10), Fraction(30))
"""Slowest and fastest rate: below it is a slide show; above, viewers slow down (delays under 3/100 s are ignored)."""
_DEFAULT_FPS = Fraction(20)
"""5/100 s a picture: GIF counts in hundredths of a second, so this rate is exact."""
DITHERS = ("none", "bayer", "heckbert", "floyd_steinberg", "sierra2", "sierra2_4a", "sierra3", "burkes", "atkinson")
"""Dithering of FFmpeg's filter paletteuse."""
_MATRIX_NAMES = {
    MatrixCoefficients.BT601: "smpte170m",
    MatrixCoefficients.BT709: "bt709",
    MatrixCoefficients.BT2020: "bt2020nc",
}
_PALETTE_SIDE_PX = 16


def gif_rate(asked: Fraction | None, source_rate: Fraction) -> Fraction:
    """Pictures a second of a GIF: what was asked for, or the source's rate up to 20. Raises `InputError`."""
    slowest, fastest = GIF_FPS
    if asked is None:
        return max(slowest, min(source_rate, _DEFAULT_FPS))
    if not slowest <= asked <= fastest:
        raise InputError(f"a GIF's fps must be between {slowest} and {fastest}, got {asked}")
    return asked


def check_dither(name: str) -> None:
    """Raise `InputError` for a dithering that does not exist."""
    if name not in DITHERS:
        raise InputError(f"unknown dithering {name!r}; known are {', '.join(DITHERS)}")


@dataclass(frozen=True, slots=True)
class GifPictures:
    """What the pictures are that become a GIF."""

    width: int
    height: int
    rate: Fraction
    time_base: Fraction
    pixel_format: str
    colour: ColourSpec
    """How to read them, where they are Y'CbCr."""

    def buffer(self, graph: Any) -> Any:
        """The source filter that takes them."""
        options = {"video_size": f"{self.width}x{self.height}", "pix_fmt": self.pixel_format}
        if self.pixel_format != "rgba":
            options["colorspace"] = _MATRIX_NAMES[self.colour.matrix]
            options["range"] = "tv" if self.colour.range is Range.LIMITED else "pc"
        return graph.add("buffer", **options, time_base=str(self.time_base))

    def stamp(self, frame: Any, pts: int) -> None:
        """Put a time on a frame."""
        frame.pts, frame.time_base = pts, self.time_base


class PaletteReader:
    """First pass: counts the colours of every picture and keeps none."""

    def __init__(self, pictures: GifPictures) -> None:
        self._pictures = pictures
        self._graph = av.filter.Graph()
        source, palette = pictures.buffer(self._graph), self._graph.add("palettegen", "stats_mode=full")
        self._graph.link_nodes(source, palette, self._graph.add("buffersink")).configure()
        self.palette: Any = None
        """The 256 colours as an `av.VideoFrame` of 16x16 pixels, once flushed."""

    def write(self, frame: Any, pts: int, duration: int) -> None:
        """Count the colours of a picture."""
        del duration
        self._pictures.stamp(frame, pts)
        self._graph.vpush(frame)

    def flush(self) -> None:
        """Choose the colours."""
        self._graph.vpush(None)
        self.palette = self._graph.vpull()

    def complete(self) -> None:
        """There is no file to close."""

    def abandon(self) -> None:
        """There is no file to close."""


class GifWriter(ContainerSink):
    """Second pass: maps every picture to the palette and writes the file. Raises `OutputError`."""

    def __init__(
        self, path: Path, pictures: GifPictures, palette: Any, dither: str, *, on_packet: Callable[[int], None]
    ) -> None:
        super().__init__(path, "gif")
        self._pictures = pictures
        self._on_packet = on_packet
        self._graph = av.filter.Graph()
        self._source = pictures.buffer(self._graph)
        side = f"{_PALETTE_SIDE_PX}x{_PALETTE_SIDE_PX}"
        colours = self._graph.add(
            "buffer", video_size=side, pix_fmt=palette.format.name, time_base=str(pictures.time_base)
        )
        # Only what changed is dithered anew: a still background does not shimmer, and costs no bytes.
        mapping = self._graph.add("paletteuse", f"dither={dither}:diff_mode=rectangle")
        self._source.link_to(mapping, 0, 0)
        colours.link_to(mapping, 0, 1)
        self._sink = self._graph.add("buffersink")
        mapping.link_to(self._sink)
        self._graph.configure()
        pictures.stamp(palette, 0)
        colours.push(palette)
        colours.push(None)
        self._stream: Any = self._container.add_stream("gif", rate=pictures.rate)
        self._stream.width, self._stream.height, self._stream.pix_fmt = pictures.width, pictures.height, "pal8"
        self._stream.codec_context.time_base = pictures.time_base

    def write(self, frame: Any, pts: int, duration: int) -> None:
        """Map a picture; those that are ready go into the file."""
        del duration  # the rate is constant
        self._pictures.stamp(frame, pts)
        self._source.push(frame)
        self._write_ready()

    def flush(self) -> None:
        """Write what the filter and the encoder still hold."""
        self._source.push(None)
        self._write_ready()
        self._mux(None)

    def _write_ready(self) -> None:
        while True:
            try:
                mapped: Any = self._sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            self._mux(mapped)
            self._on_packet(mapped.pts)

    def _mux(self, mapped: Any | None) -> None:
        with writing_to(self._path):
            for packet in self._stream.encode(mapped):
                self._container.mux(packet)
