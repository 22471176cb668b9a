"""Sound of a source: all tracks mixed to 48 kHz stereo, on the output's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Discard

from capbench.errors import DamagedStreamError, SourceError
from capbench.pipeline.decode.frame_times import is_break
from capbench.pipeline.decode.open_source import audio_streams, open_parts, reason_of

__all__ = ["SAMPLES_PER_FRAME", "SAMPLE_RATE_HZ", "read_audio"]

SAMPLE_RATE_HZ = 48_000
SAMPLES_PER_FRAME = 1024
"""Samples of an AAC frame (ISO/IEC 14496-3): the mixer hands out frames that the encoder takes whole."""
_LARGEST_SLIP_S = 0.02
"""Sound that is this far from its time stamp is put there, by silence or by leaving samples out; less is jitter of a
container's time stamps. FFmpeg's own 0.1 s would let picture and sound part by as much at a pause of a recording."""


class _TrackClock:
    """Gives the frames of one track times on the output's clock, past breaks in its own."""

    def __init__(self, time_base: Fraction) -> None:
        self._time_base = time_base
        """The first part's: filters count in it to the end."""
        self._next_s: Fraction | None = None
        self._restart_s = Fraction(0)

    def apply(self, frame: Any, shift_s: Fraction) -> None:
        """Set the PTS of an `av.AudioFrame`, `shift_s` added; one without follows the frame before it."""
        following_s = Fraction(0) if self._next_s is None else self._next_s
        time_s = following_s if frame.pts is None else frame.pts * frame.time_base + shift_s + self._restart_s
        if self._next_s is not None and is_break(time_s - self._next_s):
            # The picture's clock breaks at the same place, is joined in the same way, and warns of it.
            self._restart_s += self._next_s - time_s
            time_s = self._next_s
        self._next_s = time_s + Fraction(frame.samples, frame.sample_rate)
        frame.pts, frame.time_base = round(time_s / self._time_base), self._time_base


class _Mixer:
    """One buffer for each track, resampled, summed and cut into AAC frames by FFmpeg's filters."""

    def __init__(self, streams: list[Any]) -> None:
        graph = av.filter.Graph()
        self._inputs = [graph.add_abuffer(template=stream) for stream in streams]
        # async fills gaps and first_pts pads the head with silence, so that sample n is time n / 48000 of the output.
        tracks = [
            graph.add("aresample", f"{SAMPLE_RATE_HZ}:async=1:min_hard_comp={_LARGEST_SLIP_S}:first_pts=0")
            for _ in streams
        ]
        for source, track in zip(self._inputs, tracks, strict=True):
            source.link_to(track)
        last = tracks[0]
        if len(tracks) > 1:
            # A plain sum, as in air; the limiter keeps two loud tracks from clipping.
            last = graph.add("amix", f"inputs={len(tracks)}:duration=longest:normalize=0")
            for number, track in enumerate(tracks):
                track.link_to(last, 0, number)
            limiter = graph.add("alimiter", "level=0:latency=1")
            last.link_to(limiter)
            last = limiter
        layout = graph.add("aformat", f"sample_fmts=fltp:sample_rates={SAMPLE_RATE_HZ}:channel_layouts=stereo")
        frames = graph.add("asetnsamples", f"n={SAMPLES_PER_FRAME}:p=0")
        self._sink = graph.add("abuffersink")
        graph.link_nodes(last, layout, frames, self._sink).configure()
        self._graph = graph
        self._samples = 0

    @property
    def tracks(self) -> int:
        """Number of tracks."""
        return len(self._inputs)

    def push(self, track: int, frame: Any) -> None:
        """Add a decoded frame of a track."""
        self._inputs[track].push(frame)

    def end(self) -> None:
        """Say that nothing follows on any track."""
        for source in self._inputs:
            source.push(None)

    def pull(self) -> Iterator[Any]:
        """Frames that are ready."""
        while True:
            try:
                frame: Any = self._sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            # The mix stops giving times when its first track ends; its samples go on without a gap all the same.
            frame.pts, frame.time_base = self._samples, Fraction(1, SAMPLE_RATE_HZ)
            self._samples += frame.samples
            yield frame


def read_audio(path: Path, origin_s: Fraction, *, warn: Callable[[str], None], salvage: bool = False) -> Iterator[Any]:
    """Yield `av.AudioFrame`s, planar float stereo, PTS in samples since `origin_s` without gaps.

    At damage raises `DamagedStreamError`; with `salvage` says so with `warn` and puts silence where nothing decodes.
    """
    mixer: _Mixer | None = None
    clocks: list[_TrackClock] = []
    lost_packets = 0
    with closing(open_parts(path)) as parts:
        for part in parts:
            streams = audio_streams(part.container)
            if mixer is None:
                mixer, clocks = _Mixer(streams), [_TrackClock(Fraction(stream.time_base)) for stream in streams]
            if len(streams) != mixer.tracks:
                raise SourceError(f"{path} changes from {mixer.tracks} to {len(streams)} sound tracks on its way")
            for stream in part.container.streams:
                # Pictures are read by another thread from a container of its own.
                stream.discard = Discard.default if stream in streams else Discard.all
            for track, frame in _decoded(path, part.container, streams, salvage=salvage):
                if frame is None:
                    lost_packets += 1
                    continue
                clocks[track].apply(frame, part.shift_s - origin_s)
                mixer.push(track, frame)
                yield from mixer.pull()
    assert mixer is not None, "asked for the sound of a source that has none"
    if lost_packets:
        warn(f"the sound of {path} is damaged: {lost_packets} packets did not decode and are silent")
    mixer.end()
    yield from mixer.pull()


def _decoded(path: Path, container: Any, streams: list[Any], *, salvage: bool) -> Iterator[tuple[int, Any]]:
    """Frames with the index of their track; None in place of a packet that does not decode."""
    try:
        for packet in container.demux(streams):
            track = streams.index(packet.stream)
            try:
                frames = packet.decode()
            except av.FFmpegError:
                if not salvage:
                    raise
                frames = [None]
            for frame in frames:
                yield track, frame
    except av.FFmpegError as error:
        if not salvage:
            message = f"the sound of {path} is damaged: {reason_of(error)}; pass --salvage to export what decodes"
            raise DamagedStreamError(message, good_frames=0, good_until_s=0.0) from error
        yield 0, None
