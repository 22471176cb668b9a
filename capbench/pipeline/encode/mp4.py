"""Encoding and muxing: NV12 pictures and sound into one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from capbench.colour import ColourSpec
from capbench.errors import EncoderError
from capbench.pipeline.decode.audio import SAMPLE_RATE_HZ
from capbench.pipeline.encode.colour_tags import chroma_location_option, tag_stream
from capbench.pipeline.encode.encoders import EncoderSettings, codec_options, codec_tag, pixel_format_for
from capbench.pipeline.encode.sink import ContainerSink, writing_to

__all__ = ["AUDIO_BITS_PER_S", "OutputFormat", "VideoWriter"]

AUDIO_BITS_PER_S = 192_000
"""AAC-LC at 48 kHz stereo, where its own coder is close to transparent."""


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """What goes into the file."""

    width: int
    height: int
    rate: Fraction
    """Frames a second, exact; the average for variable rate."""
    time_base: Fraction
    """Unit of the pictures' PTS, in seconds."""
    colour: ColourSpec
    pixel_format: str = "nv12"
    rotation_degrees: int = 0
    """Clockwise quarter turn that a player is to show the pictures with."""
    pixel_aspect: Fraction = Fraction(1)
    """Width over height of a pixel."""


class VideoWriter(ContainerSink):
    """One output file. Raises `EncoderError` where the encoder does not open, `OutputError` where the file does not."""

    def __init__(
        self,
        path: Path,
        output: OutputFormat,
        settings: EncoderSettings,
        *,
        audio: Iterator[Any] | None,
        on_packet: Callable[[int], None],
    ) -> None:
        self._audio = audio
        self._on_packet = on_packet
        self._pending_audio: Any = None
        self._durations: dict[int, int] = {}
        self._output = output
        # An edit list counts in the movie's timescale: the default of 1000 would round a start offset to 1 ms.
        super().__init__(path, "mp4", movflags="+faststart", movie_timescale=str(SAMPLE_RATE_HZ * 15))
        try:
            self._video = self._open_video(settings)
            self._sound = self._open_audio() if audio is not None else None
        except BaseException:
            self.abandon()
            raise

    def _open_video(self, settings: EncoderSettings) -> Any:
        output = self._output
        bit_rate, options = codec_options(settings, output.width, output.height, output.rate)
        options |= chroma_location_option(output.colour)
        try:
            stream: Any = self._container.add_stream(settings.name, rate=output.rate, options=options)
        except (ValueError, av.FFmpegError) as error:
            raise EncoderError(
                f"unknown encoder {settings.name!r}: {error}; capbench doctor lists what works here"
            ) from error
        context = stream.codec_context
        context.width, context.height = output.width, output.height
        context.pix_fmt = pixel_format_for(settings.name, output.pixel_format)
        if tag := codec_tag(settings.name):
            context.codec_tag = tag
        context.time_base, context.framerate = output.time_base, output.rate
        context.gop_size = max(1, round(settings.gop_s * output.rate))
        if bit_rate:
            context.bit_rate = bit_rate
        context.sample_aspect_ratio = output.pixel_aspect
        if output.rotation_degrees:
            stream.set_display_rotation(-output.rotation_degrees)  # FFmpeg counts counter-clockwise
        tag_stream(context, output.colour)
        try:
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise EncoderError(f"encoder {settings.name} does not open: {getattr(error, 'strerror', error)}") from error
        return stream

    def _open_audio(self) -> Any:
        stream = self._container.add_stream("aac", rate=SAMPLE_RATE_HZ)
        stream.codec_context.layout = "stereo"
        stream.codec_context.bit_rate = AUDIO_BITS_PER_S
        return stream

    def write(self, frame: Any, pts: int, duration: int) -> None:
        """Encode an `av.VideoFrame`, with PTS and duration in units of the output's time base.

        The sound before it is written first, so that the file is interleaved. Raises `OutputError`.
        """
        with writing_to(self._path):
            self._write_audio_until(pts * self._output.time_base)
            frame.pts, frame.time_base = pts, self._output.time_base
            self._durations[pts] = duration
            self._mux_video(self._video.encode(frame))

    def flush(self) -> None:
        """Write what both encoders still hold. Raises `OutputError`."""
        with writing_to(self._path):
            self._mux_video(self._video.encode(None))
            self._write_audio_until(None)
            if self._sound is not None:
                for packet in self._sound.encode(None):
                    self._container.mux(packet)

    def _mux_video(self, packets: list[Any]) -> None:
        for packet in packets:
            pts = packet.pts
            # Without a duration the muxer guesses how long the last frame is shown.
            packet.duration = self._durations.pop(pts, 0)
            self._container.mux(packet)
            self._on_packet(pts)

    def _write_audio_until(self, time_s: Fraction | None) -> None:
        if self._audio is None or self._sound is None:
            return
        while True:
            if self._pending_audio is None:
                self._pending_audio = next(self._audio, None)
            if self._pending_audio is None:
                return
            if time_s is not None and self._pending_audio.pts * self._pending_audio.time_base > time_s:
                return
            for packet in self._sound.encode(self._pending_audio):
                self._container.mux(packet)
            self._pending_audio = None
