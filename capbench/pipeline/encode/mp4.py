"""MP4: encoders of its picture and its sound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from capbench.errors import EncoderError
from capbench.pipeline.decode.audio import SAMPLE_RATE_HZ
from capbench.pipeline.encode.colour_tags import chroma_location_option, tag_stream
from capbench.pipeline.encode.encoders import EncoderSettings, codec_options, codec_tag, pixel_format_for
from capbench.pipeline.encode.frame_pool import PictureFormat
from capbench.pipeline.encode.mux import EncodedPacket, OutputFile

__all__ = ["AUDIO_BITS_PER_S", "SoundEncoder", "VideoEncoder", "VideoShape", "open_mp4"]

AUDIO_BITS_PER_S = 192_000
"""AAC-LC at 48 kHz stereo, where its own coder is close to transparent."""
_X265_DELAY_PICTURES = 2
"""The most pictures that x265 holds back for B-frames, with any options (its `bframeDelay`)."""


@dataclass(frozen=True, slots=True)
class VideoShape:
    """Parameters of a video stream, besides the format of its pictures."""

    width: int
    height: int
    rate: Fraction
    """Frames a second, exact; the average for variable rate."""
    time_base: Fraction
    """Unit of the pictures' PTS, in seconds."""
    rotation_degrees: int = 0
    """Clockwise quarter turn that a player is to show the pictures with."""
    pixel_aspect: Fraction = Fraction(1)
    """Width over height of a pixel."""


def open_mp4(path: Path) -> OutputFile:
    """An MP4 file with its index in front. Raises `OutputError`."""
    return OutputFile(
        path,
        "mp4",
        movflags="+faststart",
        # An edit list counts in it: the default of 1000 would round a start offset to 1 ms.
        movie_timescale=str(SAMPLE_RATE_HZ * 15),
        # Packets come in order already; FFmpeg would keep 10 s of a picture whose sound has ended, to find that out.
        max_interleave_delta="1",
    )


class VideoEncoder:
    """Pictures to the video stream of a file. Raises `EncoderError` where the encoder does not open."""

    def __init__(
        self,
        file: OutputFile,
        shape: VideoShape,
        settings: EncoderSettings,
        *,
        threads: int | None = None,
        look_ahead_frames: int | None = None,
    ) -> None:
        """None for `threads` and for libx264's `look_ahead_frames` leaves them to the encoder."""
        self._stream = file.add_video(settings.name, shape.rate)
        self._shape = shape
        self._settings = settings
        self._threads = threads
        self._look_ahead_frames = look_ahead_frames
        self._durations: dict[int, int] = {}
        self._pictures = 0

    def open(self, layout: PictureFormat) -> None:
        """Set the encoder up. Raises `EncoderError`."""
        shape, settings, context = self._shape, self._settings, self._stream.codec_context
        bit_rate, options = codec_options(settings, shape.width, shape.height, shape.rate)
        if self._look_ahead_frames is not None:
            options["rc-lookahead"] = str(self._look_ahead_frames)
        if self._threads is not None and settings.name == "libx265":
            options["x265-params"] += f":pools={self._threads}"  # its threads of FFmpeg's name are frames side by side
        elif self._threads is not None:
            context.thread_count = self._threads
        context.options = options | chroma_location_option(layout.colour)
        context.width, context.height = shape.width, shape.height
        context.pix_fmt = pixel_format_for(settings.name, layout.pixel_format)
        if tag := codec_tag(settings.name):
            context.codec_tag = tag
        context.time_base, context.framerate = shape.time_base, shape.rate
        context.gop_size = max(1, round(settings.gop_s * shape.rate))
        if bit_rate:
            context.bit_rate = bit_rate
        context.sample_aspect_ratio = shape.pixel_aspect
        if shape.rotation_degrees:
            self._stream.set_display_rotation(-shape.rotation_degrees)  # FFmpeg counts counter-clockwise
        tag_stream(context, layout.colour)
        try:
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise EncoderError(f"encoder {settings.name} does not open: {getattr(error, 'strerror', error)}") from error

    def encode(self, frame: av.VideoFrame, pts: int, duration: int) -> list[EncodedPacket]:
        """Encode a picture; see `PictureEncoder`."""
        frame.pts, frame.time_base = pts, self._shape.time_base
        self._durations[pts] = duration
        self._pictures += 1
        return self._timed(self._stream.encode(frame))

    def finish(self) -> list[EncodedPacket]:
        """What the encoder still holds."""
        packets = self._timed(self._stream.encode(None))
        if self._settings.name == "libx265" and self._pictures <= _X265_DELAY_PICTURES:
            for packet in packets:  # they lie in the order that they are shown in: a B-frame takes three pictures
                packet.dts = packet.pts  # up to 4.2, x265 subtracts what its memory held before (its issue 781)
        return packets

    def _timed(self, packets: list[EncodedPacket]) -> list[EncodedPacket]:
        for packet in packets:
            assert packet.pts is not None, "encoders stamp what they write"
            # Without a duration the muxer guesses how long the last frame is shown.
            packet.duration = self._durations.pop(packet.pts, 0)
        return packets


class SoundEncoder:
    """Sound to the audio stream of a file, as AAC."""

    def __init__(self, file: OutputFile) -> None:
        self._stream = file.add_sound("aac", SAMPLE_RATE_HZ)
        self._stream.codec_context.layout = "stereo"
        self._stream.codec_context.bit_rate = AUDIO_BITS_PER_S

    def encode(self, frame: av.AudioFrame) -> list[EncodedPacket]:
        """Encode samples; returns the packets that are ready."""
        return self._stream.encode(frame)

    def finish(self) -> list[EncodedPacket]:
        """What the encoder still holds."""
        return self._stream.encode(None)
