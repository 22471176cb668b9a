"""GIF: one palette for the whole clip, so the clip is drawn twice.

The palette needs every picture before the first can be written. Keeping them all is unbounded; a temporary file of them
is gigabytes of disk. Drawing again costs time and nothing else, and most of a GIF's time goes into dithering anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
from av.filter.context import FilterContext

from capbench.colour import MatrixCoefficients, Range
from capbench.errors import InputError
from capbench.pipeline.encode.frame_pool import PictureFormat
from capbench.pipeline.encode.mux import EncodedPacket, OutputFile

__all__ = ["DITHERS", "GIF_FPS", "GifEncoder", "GifShape", "PaletteReader", "check_dither", "gif_rate"]

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
    """Raise `InputError` for an unknown dithering method."""
    if name not in DITHERS:
        raise InputError(f"unknown dithering {name!r}; available: {', '.join(DITHERS)}")


@dataclass(frozen=True, slots=True)
class GifShape:
    """Parameters of a GIF, besides its colours."""

    width: int
    height: int
    rate: Fraction
    time_base: Fraction
    """Unit of the pictures' PTS, in seconds."""

    def add_source(self, graph: av.filter.Graph, layout: PictureFormat) -> tuple[FilterContext, FilterContext]:
        """Add the filters that pictures of a format go into and that they come out of, which may be the same."""
        options = {"video_size": f"{self.width}x{self.height}", "pix_fmt": layout.pixel_format}
        if layout.pixel_format != "rgba":
            options["colorspace"] = _MATRIX_NAMES[layout.colour.matrix]
            options["range"] = "tv" if layout.colour.range is Range.LIMITED else "pc"
        source = graph.add("buffer", **options, time_base=str(self.time_base))
        if layout.pixel_format != "nv12":
            return source, source
        # swscale makes other R'G'B' of interleaved chroma than of planes with the same samples.
        planes = graph.add("format", pix_fmts="yuv420p")
        source.link_to(planes)
        return source, planes

    def stamp(self, frame: av.VideoFrame, pts: int) -> None:
        """Put a time on a frame."""
        frame.pts, frame.time_base = pts, self.time_base


class PaletteReader:
    """First pass, a `PictureEncoder` without packets: counts the colours of every picture and keeps none."""

    def __init__(self, shape: GifShape) -> None:
        self._shape = shape
        self._graph = av.filter.Graph()
        self._palette: av.VideoFrame | None = None

    @property
    def palette(self) -> av.VideoFrame:
        """The 256 colours as 16x16 pixels; only after `finish`."""
        assert self._palette is not None, "the palette is chosen after the last picture"
        return self._palette

    def open(self, layout: PictureFormat) -> None:
        """Set the filters up."""
        _, source = self._shape.add_source(self._graph, layout)
        palette = self._graph.add("palettegen", "stats_mode=full")
        self._graph.link_nodes(source, palette, self._graph.add("buffersink")).configure()

    def encode(self, frame: av.VideoFrame, pts: int, duration: int) -> list[EncodedPacket]:
        """Count the colours of a picture."""
        del duration
        self._shape.stamp(frame, pts)
        self._graph.vpush(frame)
        return []

    def finish(self) -> list[EncodedPacket]:
        """Choose the colours."""
        self._graph.vpush(None)
        self._palette = self._graph.vpull()
        return []


class GifEncoder:
    """Second pass: maps every picture to the palette and encodes it."""

    def __init__(self, file: OutputFile, shape: GifShape, palette: av.VideoFrame, dither: str) -> None:
        self._shape = shape
        self._palette = palette
        self._dither = dither
        self._graph = av.filter.Graph()
        self._source: FilterContext
        self._sink: FilterContext
        self._stream = file.add_video("gif", shape.rate)
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = shape.width, shape.height, "pal8"
        context.time_base = shape.time_base

    def open(self, layout: PictureFormat) -> None:
        """Set the filters up."""
        shape, graph = self._shape, self._graph
        self._source, planes = shape.add_source(graph, layout)
        side = f"{_PALETTE_SIDE_PX}x{_PALETTE_SIDE_PX}"
        colours = graph.add(
            "buffer", video_size=side, pix_fmt=self._palette.format.name, time_base=str(shape.time_base)
        )
        # Only what changed is dithered again: a still background does not shimmer and costs no bytes.
        mapping = graph.add("paletteuse", f"dither={self._dither}:diff_mode=rectangle")
        planes.link_to(mapping, 0, 0)
        colours.link_to(mapping, 0, 1)
        self._sink = graph.add("buffersink")
        mapping.link_to(self._sink)
        graph.configure()
        shape.stamp(self._palette, 0)
        colours.push(self._palette)
        colours.push(None)

    def encode(self, frame: av.VideoFrame, pts: int, duration: int) -> list[EncodedPacket]:
        """Map a picture; returns the packets of those that are ready."""
        del duration  # the rate is constant
        self._shape.stamp(frame, pts)
        self._source.push(frame)
        return self._encode_ready()

    def finish(self) -> list[EncodedPacket]:
        """What the filter and the encoder still hold."""
        self._source.push(None)
        return [*self._encode_ready(), *self._stream.encode(None)]

    def _encode_ready(self) -> list[EncodedPacket]:
        packets: list[EncodedPacket] = []
        while True:
            try:
                mapped = self._sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return packets
            assert isinstance(mapped, av.VideoFrame)
            packets += self._stream.encode(mapped)
