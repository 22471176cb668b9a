"""Any sound as 48 kHz stereo: the downmix, and formats that change midway."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from capbench.errors import SourceError

__all__ = ["LEAST_RATE_HZ", "SAMPLE_RATE_HZ", "StereoConverter", "within_a_minute"]

SAMPLE_RATE_HZ = 48_000
LEAST_RATE_HZ = 4000
"""Half of telephony's. A header that states a sample a second makes hours of the samples of half a second."""
_LONGEST_FRAME_S = 60
"""Frames are split into such pieces: one of PCM is as long as a file says, and at 48 kHz 96 times as large."""
_CENTRE_LEVEL = _SURROUND_LEVEL = 0.5**0.5
"""ITU-R BS.775-3, annex 4, table 2: centre and surround channels go into left and right 3 dB lower; LFE does not."""
_DOWNMIX = (
    f"{SAMPLE_RATE_HZ}:out_sample_fmt=fltp:out_chlayout=stereo"
    f":center_mix_level={_CENTRE_LEVEL}:surround_mix_level={_SURROUND_LEVEL}:lfe_mix_level=0"
    # Divides by the sum of the levels where that is above 1, 1 + 0.707 + 0.707 for 5.1: all channels at full scale in
    # phase are then full scale. FFmpeg does so by itself towards integer samples only.
    ":rematrix_maxval=1"
)
_USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""The layout that FFmpeg assumes for a number of channels if none is stated (`av_channel_layout_default`)."""


def within_a_minute(frame: av.AudioFrame) -> Iterator[av.AudioFrame]:
    """The samples of a frame with a PTS in samples, in frames of a minute at most."""
    most = _LONGEST_FRAME_S * frame.sample_rate
    if frame.samples <= most or frame.pts is None:
        yield frame
        return
    fifo, pts = av.AudioFifo(), frame.pts
    frame.pts = None  # it would have to be 0
    fifo.write(frame)
    while (piece := fifo.read(most, True)) is not None:
        piece.pts, piece.time_base = pts, frame.time_base
        pts += piece.samples
        yield piece


class StereoConverter:
    """Converts the frames of one track. What comes after a change of format, rate or layout is converted by itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shape: tuple[str, int, str] | None = None
        self._graph: av.filter.Graph | None = None
        self._entry: av.filter.FilterContext | None = None
        self._sink: av.filter.FilterContext | None = None

    def convert(self, frame: av.AudioFrame, time_s: Fraction) -> Iterator[av.AudioFrame]:
        """Converted samples that are ready after a decoded frame at `time_s`: planar float, PTS in samples.

        Raises `SourceError` where the meaning of the channels is not known.
        """
        # A stream's header may name another sample format than its decoder gives, and a frame is always right.
        shape = (frame.format.name, frame.sample_rate, frame.layout.name)
        if shape != self._shape:
            yield from self.flush()
            self._open(shape, frame.layout.nb_channels)
        assert self._entry is not None
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(time_s * frame.sample_rate)
        for piece in within_a_minute(frame):
            self._entry.push(piece)
            yield from self._pull()

    def flush(self) -> Iterator[av.AudioFrame]:
        """What is held back. The next frame starts a new converter."""
        if self._entry is None:
            return
        self._entry.push(None)
        yield from self._pull()
        self._graph = self._entry = self._sink = self._shape = None

    def _open(self, shape: tuple[str, int, str], channels: int) -> None:
        sample_format, rate_hz, layout = shape
        if rate_hz < LEAST_RATE_HZ:
            raise SourceError(
                f"{self._path} has sound of {rate_hz} samples a second; at least {LEAST_RATE_HZ} are supported, so "
                "convert it first, or write the header again"
            )
        usual = _USUAL_LAYOUTS.get(channels) if layout in (f"{channels} channels", "binaural") else None
        graph = self._graph = av.filter.Graph()  # whose filters live no longer than itself
        try:
            self._entry = graph.add_abuffer(
                format=sample_format, sample_rate=rate_hz, layout=layout, time_base=Fraction(1, rate_hz)
            )
            self._sink = graph.add("abuffersink")
            named = [graph.add("channelmap", f"{'|'.join(map(str, range(channels)))}:{usual}")] if usual else []
            graph.link_nodes(self._entry, *named, graph.add("aresample", _DOWNMIX), self._sink).configure()
        except (av.FFmpegError, ValueError) as error:
            raise SourceError(
                f"{self._path} has sound of {channels} channels ({layout}), for which no downmix to stereo is known"
            ) from error
        self._shape = shape

    def _pull(self) -> Iterator[av.AudioFrame]:
        assert self._sink is not None
        while True:
            try:
                frame = self._sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, av.AudioFrame)
            yield frame
