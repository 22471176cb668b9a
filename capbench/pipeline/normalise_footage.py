"""Other people's clips brought to one size, rate, length and pixel format, so that exporters have the same to do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, cast

import av
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from capbench.colour import Range
from capbench.errors import OutputError, SourceError
from capbench.files import describe_os_error, partial_path
from capbench.pipeline.decode.open_source import open_source
from capbench.pipeline.decode.probe import SourceInfo, probe_source
from capbench.pipeline.decode.video import every_picture

__all__ = ["MOST_SKIPPED_FRAMES", "Normalisation", "normalise_footage"]

_NORMALISER_VERSION: Final = 1
"""Part of a normalised file's name: raise it whenever its pictures change."""
MOST_SKIPPED_FRAMES: Final = 500_000
"""Decoded before and between the pictures that are kept: two hours at 60 fps. A file that claims a rate of thousands
must not be decoded for days."""
_CRF, _THREADS = 14, 4
"""Finer than any case encodes; x264's bytes depend on its threads, so their number is fixed."""
_EXACT = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
"""Without them swscale rounds down on the way between matrices: two codes."""
_RANGE = {Range.LIMITED: "tv", Range.FULL: "pc"}
_TURN = {0: (), 90: ("transpose=clock",), 180: ("hflip", "vflip"), 270: ("transpose=cclock",)}
"""Filters that turn a picture clockwise by so many degrees."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What a clip becomes: constant rate, BT.709 limited range, square pixels, no sound."""

    width: int
    """Width in pixels, even. A picture of another aspect is enlarged to cover it, and its middle is kept."""
    height: int
    """Height in pixels, even."""
    rate: Fraction
    """Frames a second. Each shows the last picture of the clip that had begun by then."""
    start_s: float
    """Where in the clip it begins, in seconds from its first picture."""
    frames: int
    """Length in frames."""
    pixel_format: str
    """FFmpeg's name of a planar Y'CbCr format that x264 takes, such as `yuv420p`."""

    @property
    def key(self) -> str:
        """What the file's bytes follow from, besides the clip and the encoder's version."""
        text = repr((_NORMALISER_VERSION, self.width, self.height, str(self.rate), self.start_s, self.frames))
        return hashlib.sha256(f"{text}/{self.pixel_format}".encode()).hexdigest()[:12]


def normalise_footage(source: Path, wanted: Normalisation, folder: Path) -> Path:
    """The normalised file in `folder`: found there, or made. `source` is named after its content, as a cache does.

    Raises `SourceError` for a clip that cannot be read, stops decoding or is shorter, `ColourError` for HDR, and
    `OutputError` where it cannot be written.
    """
    target = folder / f"{hashlib.sha256(source.name.encode()).hexdigest()[:12]}-{wanted.key}.mp4"
    if target.is_file():
        return target
    info = probe_source(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with partial_path(target) as partial:
            _write(source, info, wanted, partial)
    except av.FFmpegError as error:
        raise SourceError(f"{source} cannot be normalised: {error.strerror}") from error
    except OSError as error:
        raise OutputError(f"cannot write {target}: {describe_os_error(error)}") from error
    return target


def _write(source: Path, info: SourceInfo, wanted: Normalisation, path: Path) -> None:
    gop = str(round(2 * wanted.rate))
    options = {"preset": "medium", "crf": str(_CRF), "threads": str(_THREADS), "sc_threshold": "0", "g": gop}
    written = 0
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=wanted.rate, options=options)
        stream.width, stream.height, stream.pix_fmt = wanted.width, wanted.height, wanted.pixel_format
        stream.time_base = stream.codec_context.time_base = 1 / wanted.rate
        codec = stream.codec_context
        codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
        codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        for frame in _pictures(source, info, wanted):
            frame.pts, frame.time_base = written, 1 / wanted.rate
            container.mux(stream.encode(frame))
            written += 1
        if written < wanted.frames:
            raise SourceError(
                f"{source} has {float(written / wanted.rate):.3g} s from {wanted.start_s:g} s on, and "
                f"{float(wanted.frames / wanted.rate):.3g} s are asked for; lower start_s or duration_s"
            )
        container.mux(stream.encode(None))


def _pictures(source: Path, info: SourceInfo, wanted: Normalisation) -> Iterator[av.VideoFrame]:
    """The clip's pictures at the wanted times, converted; fewer where it ends before."""
    made = 0
    converter = _Converter(info, wanted)
    shown: av.VideoFrame | None = None
    with open_source(source) as container:
        first_s: Fraction | None = None
        last_s = Fraction(0)
        for number, frame in enumerate(every_picture(source, container, lambda: open_source(source))):
            if number > MOST_SKIPPED_FRAMES:
                raise SourceError(f"{source} has more than {MOST_SKIPPED_FRAMES} pictures before the length is reached")
            at_s = (frame.pts or 0) * Fraction(frame.time_base or 0)
            first_s = at_s if first_s is None else first_s
            last_s = at_s - first_s
            while shown is not None and made < wanted.frames and _due_s(wanted, made) < last_s:
                yield converter.converted(shown)
                made += 1
            if made >= wanted.frames:
                return
            shown = frame
        # The last picture lasts as long as one of its rate does.
        while shown is not None and made < wanted.frames and _due_s(wanted, made) < last_s + 1 / info.frame_rate:
            yield converter.converted(shown)
            made += 1


def _due_s(wanted: Normalisation, number: int) -> Fraction:
    return Fraction(wanted.start_s).limit_denominator(10**6) + number / wanted.rate


class _Converter:
    """Turns, covers, crops and converts pictures of one clip by FFmpeg's filters."""

    def __init__(self, info: SourceInfo, wanted: Normalisation) -> None:
        size = f"{wanted.width}:{wanted.height}"
        given = f"in_color_matrix=bt{info.colour.matrix.value}:in_range={_RANGE[info.colour.range]}"
        codes = f"{given}:out_color_matrix=bt709:out_range=tv"
        # Pixels that are not square are made so first: the aspect of what is covered is that of the picture.
        square = () if info.pixel_aspect == 1 else (f"scale=trunc(iw*{float(info.pixel_aspect)}/2)*2:ih",)
        self._filters = (
            *square,
            *_TURN[info.rotation_degrees],
            f"scale={size}:force_original_aspect_ratio=increase:{_EXACT}:{codes}",
            f"crop={size}",
            "setsar=1",
            f"format={wanted.pixel_format}",
        )
        self._graph: av.filter.Graph | None = None
        self._like: tuple[int, int, str] | None = None

    def converted(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The picture as wanted; its time stamp is the caller's to set."""
        like = (frame.width, frame.height, frame.format.name)
        if self._graph is None or self._like != like:  # a stream may change its size
            self._graph, self._like = self._built(frame), like
        self._graph.push(frame)
        return cast("av.VideoFrame", self._graph.pull())

    def _built(self, frame: av.VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
        )
        chain = [source]
        for text in self._filters:
            name, _, arguments = text.partition("=")
            chain.append(graph.add(name, arguments or None))
        chain.append(graph.add("buffersink"))
        graph.link_nodes(*chain).configure()
        return graph
