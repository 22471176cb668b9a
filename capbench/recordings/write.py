"""Encodes a recording: H.264 and AAC into MP4, or into HLS with fragmented MP4 segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray

from capbench.recordings.hls_files import PartFiles
from capbench.recordings.recording_planes import RecordingPlanes
from capbench.recordings.screen import Screen
from capbench.recordings.sound import SAMPLE_RATE_HZ, sample_count, second_of_sound
from capbench.recordings.spec import RecordingSpec
from capbench.recordings.webcam import Webcam

__all__ = ["DEFAULT_CRF", "GOP_S", "write_recording"]

DEFAULT_CRF: Final = 18
"""Quality of the standard recordings: small text stays clean."""
GOP_S: Final = 2
"""Seconds from one key frame to the next; also the length of an HLS segment."""

_AAC_SAMPLES: Final = 1024


def write_recording(
    spec: RecordingSpec, path: Path, *, crf: int = DEFAULT_CRF, on_frame: Callable[[int], None] | None = None
) -> None:
    """Write a recording to the file, or playlist, `path`. Raises `OSError`, and whatever `on_frame` raises.

    Streams are BT.709 limited 8-bit 4:2:0, tagged so in the bitstream and the container. H.264 says nothing of left
    siting, because it is what a stream without a chroma location means (ITU-T H.264 E.2.1).
    """
    parts = PartFiles(path.parent)
    try:
        with _open(spec, path, parts) as container:
            video, audio = _add_video(container, spec, crf), _add_audio(container)
            sound = _SoundTrack(spec, audio)
            for index, packets in enumerate(_video_packets(spec, video)):
                container.mux(packets)
                container.mux(sound.packets_until(Fraction(index + 1) / spec.rate))
                parts.raise_error()
                if on_frame is not None:
                    on_frame(index + 1)
            container.mux(video.encode(None))
            container.mux(sound.remaining_packets())
        parts.raise_error()
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise OSError(error.errno, error.strerror) from error


def _open(spec: RecordingSpec, path: Path, parts: PartFiles) -> OutputContainer:
    if spec.container == "mp4":
        return av.open(str(path), "w", format="mp4")
    options = {
        "hls_segment_type": "fmp4",
        "hls_time": str(GOP_S),
        "hls_playlist_type": "vod",
        "hls_flags": "independent_segments",
        "hls_fmp4_init_filename": "init.mp4",
        "hls_segment_filename": "segment%03d.m4s",
    }
    return av.open(str(path), "w", format="hls", options=options, io_open=parts.open)


def _add_video(container: OutputContainer, spec: RecordingSpec, crf: int) -> VideoStream:
    gop = str(round(GOP_S * spec.rate))
    options = {"preset": "superfast", "crf": str(crf), "sc_threshold": "0", "g": gop, "keyint_min": gop}
    stream = container.add_stream("libx264", rate=spec.rate, options=options)
    stream.width, stream.height, stream.pix_fmt = spec.width, spec.height, "yuv420p"
    stream.time_base = 1 / spec.rate
    codec = stream.codec_context
    codec.time_base = 1 / spec.rate
    codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
    codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return stream


def _add_audio(container: OutputContainer) -> AudioStream:
    stream = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="stereo")
    stream.bit_rate = 128_000
    return stream


def _video_packets(spec: RecordingSpec, stream: VideoStream) -> Iterator[list[Packet[VideoStream]]]:
    shown = Screen(spec) if spec.content == "screen" else Webcam(spec)
    for number in range(spec.frames):
        # A new frame each time: the encoder keeps references to those it has not coded yet.
        frame = av.VideoFrame(spec.width, spec.height, "yuv420p")
        shown.draw(number, RecordingPlanes(*(_plane_view(frame, plane) for plane in range(3))))
        frame.pts, frame.time_base = number, 1 / spec.rate
        yield stream.encode(frame)


def _plane_view(frame: av.VideoFrame, plane: int) -> NDArray[np.uint8]:
    data = frame.planes[plane]
    rows: NDArray[np.uint8] = np.frombuffer(memoryview(data), np.uint8).reshape(data.height, data.line_size)
    return rows[:, : data.width]


class _SoundTrack:
    """Encodes the sound piece by piece, so that it is interleaved with the picture."""

    def __init__(self, spec: RecordingSpec, stream: AudioStream) -> None:
        self._spec = spec
        self._stream = stream
        self._total = sample_count(spec)
        self._done = 0
        self._second = -1
        self._samples = np.empty((2, 0), np.float32)

    def packets_until(self, time_s: Fraction) -> list[Packet[AudioStream]]:
        """Packets of whole AAC frames that end at or before a time."""
        packets: list[Packet[AudioStream]] = []
        limit = min(self._total, int(time_s * SAMPLE_RATE_HZ))
        while self._done + _AAC_SAMPLES <= limit:
            packets += self._encode(self._done + _AAC_SAMPLES)
        return packets

    def remaining_packets(self) -> list[Packet[AudioStream]]:
        """Packets of what is left, and of what the encoder holds back."""
        packets = self.packets_until(self._total / Fraction(SAMPLE_RATE_HZ))
        if self._done < self._total:
            packets += self._encode(self._total)
        return packets + self._stream.encode(None)

    def _encode(self, until: int) -> list[Packet[AudioStream]]:
        start = self._done
        while self._samples.shape[1] < until - start:
            self._second += 1
            self._samples = np.concatenate([self._samples, second_of_sound(self._spec, self._second)], axis=1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(self._samples[:, : until - start]), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, start, Fraction(1, SAMPLE_RATE_HZ)
        self._samples, self._done = self._samples[:, until - start :], until
        return self._stream.encode(frame)
