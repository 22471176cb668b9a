"""A video file as validation reads it: its metadata, and its pictures one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from capbench.pipeline.decode.hdr.frame_side_data import read_side_data
from capbench.pipeline.decode.open_source import audio_streams, open_parts, open_source, video_stream
from capbench.pipeline.decode.presentation import begins_at_zero
from capbench.pipeline.decode.video import every_picture
from capbench.quality.oracle.display_turn import UNTURNED, DisplayTurn, turn_of_matrix

__all__ = ["AudioTrack", "Clip", "ClipFacts", "read_facts"]


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """One audio stream as its container describes it."""

    codec: str
    """Name of the codec."""
    rate_hz: int
    """Samples a second."""
    channels: int
    """Number of channels."""
    start_s: Fraction
    """Presentation time of its first sample in seconds."""
    duration_s: Fraction | None
    """Length in seconds; None where the container is silent."""


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """Metadata of a file, before any picture is decoded."""

    path: Path
    """The file."""
    container: str
    """FFmpeg's name of the container format."""
    codec: str
    """Name of the video codec."""
    width: int
    """Stored width in pixels, before rotation."""
    height: int
    """Stored height in pixels, before rotation."""
    sample_aspect: Fraction
    """Width over height of one stored pixel."""
    frame_rate: Fraction | None
    """Average rate that the container claims."""
    time_base: Fraction
    """Length of one tick of the video's time stamps, in seconds."""
    claimed_frames: int
    """Frames that the header claims, 0 where it is silent. It may lie."""
    duration_s: Fraction | None
    """Length of the video track as the container claims, in seconds."""
    audio: tuple[AudioTrack, ...]
    """Audio streams in file order."""
    size_bytes: int
    """Size of the file, of a playlist the playlist's own."""
    holds_rgb: bool
    """Whether its pictures are R'G'B', which have no matrix: GIF, PNG and some lossless video."""
    reorders: bool = False
    """Whether frames are coded in another order than they are shown in."""

    @property
    def is_gif(self) -> bool:
        """Whether the pictures are a GIF's: R'G'B' from a palette, and never any sound."""
        return self.codec == "gif"

    @property
    def expected_frames(self) -> int:
        """An estimate of the number of frames, at least 1, to spread samples over; never used as the truth."""
        if self.claimed_frames:
            return self.claimed_frames
        return max(1, round((self.duration_s or 0) * (self.frame_rate or 0)))


def read_facts(path: Path) -> ClipFacts:
    """Facts of a file's first video stream. Raises `SourceError` where it cannot be read or has no video."""
    with open_source(path) as container:
        video = video_stream(path, container)
        earliest_s = Fraction(0) if begins_at_zero(container) else None
        return ClipFacts(
            path=path,
            container=container.format.name,
            codec=video.codec_context.name,
            width=video.width,
            height=video.height,
            sample_aspect=Fraction(video.sample_aspect_ratio or 1) or Fraction(1),
            # PyAV 19 has a type of its own for rates, which is not all that a fraction is.
            frame_rate=Fraction(rate) if (rate := video.average_rate or video.guessed_rate) else None,
            time_base=Fraction(video.time_base or 1),
            claimed_frames=video.frames,
            duration_s=_length_s(video, container),
            audio=tuple(
                AudioTrack(
                    codec=track.codec_context.name,
                    rate_hz=track.rate,
                    channels=track.codec_context.channels,
                    start_s=_start_s(track, earliest_s),
                    duration_s=None if track.duration is None else track.duration * Fraction(track.time_base or 1),
                )
                for track in audio_streams(container)
            ),
            size_bytes=path.stat().st_size,
            holds_rgb=video.format is not None and (video.format.is_rgb or video.format.has_palette),
            reorders=bool(video.codec_context.has_b_frames),
        )


def _start_s(track: av.AudioStream, earliest_s: Fraction | None) -> Fraction:
    stated_s = (track.start_time or 0) * Fraction(track.time_base or 1)
    return stated_s if earliest_s is None else max(stated_s, earliest_s)


def _length_s(video: av.VideoStream, container: av.container.InputContainer) -> Fraction | None:
    if video.duration is not None and video.time_base is not None:
        return video.duration * video.time_base
    return None if container.duration is None else Fraction(container.duration, 1_000_000)


def _turn_of(frame: av.VideoFrame) -> DisplayTurn:
    # A container or a picture's EXIF states it. PyAV's `rotation` knows nothing of mirrors.
    matrix = read_side_data(frame, "DISPLAYMATRIX").get("DISPLAYMATRIX")
    return UNTURNED if matrix is None else turn_of_matrix(matrix)


class Clip:
    """Iterates over the decoded pictures of a file once, in presentation order. Changes: it keeps the error it met."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """The file."""
        self.error: str | None = None
        """Why decoding stopped before the end, after the pictures have been read; None when it did not."""
        self.turn = UNTURNED
        """What the display matrix asks for, known after the first picture."""
        self.decoded = 0
        """Number of pictures decoded so far."""

    def frames(self) -> Iterator[av.VideoFrame]:
        """Decoded pictures; damage ends the iteration and is recorded in `error`. Raises `SourceError` on opening.

        Times are on one clock also behind the discontinuities of a playlist.
        """
        with closing(open_parts(self.path)) as parts:
            try:
                for part in parts:
                    for frame in every_picture(self.path, part.container, part.reopen):
                        if self.decoded == 0:
                            self.turn = _turn_of(frame)
                        if part.shift_s and frame.pts is not None and frame.time_base is not None:
                            frame.pts += round(part.shift_s / frame.time_base)
                        self.decoded += 1
                        yield frame
            except av.FFmpegError as error:
                self.error = f"{type(error).__name__} after {self.decoded} frames: {error.strerror}"
