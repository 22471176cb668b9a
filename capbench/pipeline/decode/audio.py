"""Sound of a source: the picture's tracks mixed to 48 kHz stereo, on the output's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Discard

from capbench.errors import DamagedStreamError, SourceError
from capbench.pipeline.decode.downmix import SAMPLE_RATE_HZ, StereoConverter
from capbench.pipeline.decode.frame_times import Pauses, check_apart
from capbench.pipeline.decode.open_source import audio_streams, open_parts, reason_of
from capbench.units import format_seconds

__all__ = ["SAMPLES_PER_FRAME", "SAMPLE_RATE_HZ", "read_audio"]

SAMPLES_PER_FRAME = 1024
"""Samples of an AAC frame (ISO/IEC 14496-3): the mixer hands out frames that the encoder takes whole."""
_LARGEST_SLIP_SAMPLES = round(0.02 * SAMPLE_RATE_HZ)
"""Sound that is this far from its time stamp is put there, by silence or by leaving samples out; less is jitter of a
container's time stamps. FFmpeg's default of 0.1 s would let picture and sound drift apart by as much at each pause."""
_SILENCE_SAMPLES = SAMPLE_RATE_HZ
"""Silence is made in pieces of a second: FFmpeg's own filter makes hours of it at once, at 1.4 GB an hour."""
_LARGEST_LEAD_SAMPLES = 20 * SAMPLE_RATE_HZ
"""A track that is this far ahead of another stops waiting: the other is silent up to there. No muxer interleaves more
coarsely, and what waits is 8 MB a track."""
_TOLD_OVERLAP_S = 1.0
"""Dropped sound, duplicate or too late, is reported from this length on; less is the slack of an edit."""


class _TrackClock:
    """Gives the frames of one track times on the output's clock, past breaks in its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next_s: Fraction | None = None
        self._restart_s = Fraction(0)
        self._pauses = Pauses()

    def time_s(self, frame: av.AudioFrame, shift_s: Fraction) -> Fraction:
        """When a frame is heard, `shift_s` added; one without a PTS follows the frame before it.

        Raises `SourceError` if the first is hours away from the picture.
        """
        following_s = Fraction(0) if self._next_s is None else self._next_s
        time_s = following_s
        if frame.pts is not None and frame.time_base is not None:
            time_s = frame.pts * frame.time_base + shift_s + self._restart_s
        if self._next_s is None:
            check_apart(self._path, time_s)
        elif self._pauses.is_break(time_s - self._next_s):
            # The picture's clock breaks at the same place, is joined in the same way, and warns of it.
            self._restart_s += self._next_s - time_s
            time_s = self._next_s
        self._next_s = time_s + Fraction(frame.samples, frame.sample_rate)
        return time_s


class _Track:
    """One track as 48 kHz stereo without gaps, from time 0 of the output on."""

    def __init__(self, path: Path, entry: av.filter.FilterContext) -> None:
        self._clock = _TrackClock(path)
        self._converter = StereoConverter(path)
        self._entry = entry
        self.position = 0
        """Samples that have been pushed."""
        self.left_out = 0
        """Samples that were dropped, because their time had passed."""

    def push(self, frame: av.AudioFrame, shift_s: Fraction) -> Iterator[None]:
        """Push a decoded frame at its time; yields whenever there is something to take out of the mix."""
        time_s = self._clock.time_s(frame, shift_s)
        for piece in self._converter.convert(frame, time_s):
            yield from self._place(piece)

    def fill(self, position: int) -> Iterator[None]:
        """Insert silence up to a position."""
        while self.position < position:
            count = min(_SILENCE_SAMPLES, position - self.position)
            silence = np.zeros((2, count), np.float32)
            self._append(av.AudioFrame.from_ndarray(silence, format="fltp", layout="stereo"))
            yield

    def end(self) -> Iterator[None]:
        """Push what the converter still holds, and end the track."""
        for piece in self._converter.flush():
            yield from self._place(piece)
        self._entry.push(None)

    def _place(self, piece: av.AudioFrame) -> Iterator[None]:
        assert piece.pts is not None, "a converter gives every frame a time"
        slip = piece.pts - self.position
        # The head is exact; behind it small slips are jitter.
        if slip > (_LARGEST_SLIP_SAMPLES if self.position else 0):
            yield from self.fill(piece.pts)
        elif slip < -(_LARGEST_SLIP_SAMPLES if self.position else 0):
            late = min(-slip, piece.samples)
            self.left_out += late if piece.pts >= 0 else 0
            if late == piece.samples:
                return
            rest = np.ascontiguousarray(piece.to_ndarray()[:, late:], np.float32)
            piece = av.AudioFrame.from_ndarray(rest, format="fltp", layout="stereo")
        self._append(piece)
        yield

    def _append(self, piece: av.AudioFrame) -> None:
        piece.sample_rate, piece.time_base = SAMPLE_RATE_HZ, Fraction(1, SAMPLE_RATE_HZ)
        piece.pts = self.position
        self.position += piece.samples
        self._entry.push(piece)


class _Mixer:
    """One track for each stream, summed and cut into AAC frames by FFmpeg's filters."""

    def __init__(self, path: Path, tracks: int) -> None:
        graph = av.filter.Graph()
        entries = [
            graph.add_abuffer(
                format="fltp", sample_rate=SAMPLE_RATE_HZ, layout="stereo", time_base=Fraction(1, SAMPLE_RATE_HZ)
            )
            for _ in range(tracks)
        ]
        last = entries[0]
        if tracks > 1:
            # A plain sum, as in air; the limiter keeps two loud tracks from clipping.
            last = graph.add("amix", f"inputs={tracks}:duration=longest:normalize=0")
            for number, entry in enumerate(entries):
                entry.link_to(last, 0, number)
            limiter = graph.add("alimiter", "level=0:latency=1")
            last.link_to(limiter)
            last = limiter
        layout = graph.add("aformat", f"sample_fmts=fltp:sample_rates={SAMPLE_RATE_HZ}:channel_layouts=stereo")
        frames = graph.add("asetnsamples", f"n={SAMPLES_PER_FRAME}:p=0")
        self._sink = graph.add("abuffersink")
        graph.link_nodes(last, layout, frames, self._sink).configure()
        self._graph = graph
        self.tracks = [_Track(path, entry) for entry in entries]
        """In the order of the streams."""
        self._samples = 0

    def mix(self, track: int, frame: av.AudioFrame, shift_s: Fraction) -> Iterator[av.AudioFrame]:
        """Add a decoded frame of a track; yields what is ready."""
        for _ in self.tracks[track].push(frame, shift_s):
            lead = self.tracks[track].position - _LARGEST_LEAD_SAMPLES
            for other in self.tracks:
                for _ in other.fill(lead):
                    yield from self._pull()
            yield from self._pull()

    def end(self) -> Iterator[av.AudioFrame]:
        """End all tracks; yields the rest."""
        for track in self.tracks:
            for _ in track.end():
                yield from self._pull()
        yield from self._pull()

    def _pull(self) -> Iterator[av.AudioFrame]:
        while True:
            try:
                frame = self._sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, av.AudioFrame)
            # The mix stops giving times when its first track ends; its samples continue without a gap nevertheless.
            frame.pts, frame.time_base = self._samples, Fraction(1, SAMPLE_RATE_HZ)
            self._samples += frame.samples
            yield frame


def read_audio(
    path: Path, origin_s: Fraction, *, warn: Callable[[str], None], salvage: bool = False
) -> Iterator[av.AudioFrame]:
    """Yield frames of planar float stereo, PTS in samples since `origin_s` without gaps.

    Damage raises `DamagedStreamError`; with `salvage` it is reported with `warn`, and what does not decode is silent.
    Raises `SourceError` where sound and picture are hours apart, or the number of tracks changes midway.
    """
    mixer: _Mixer | None = None
    lost_packets = 0
    with closing(open_parts(path)) as parts:
        for part in parts:
            streams = audio_streams(part.container)
            if mixer is None:
                mixer = _Mixer(path, len(streams))
            if len(streams) != len(mixer.tracks):
                raise SourceError(f"{path} changes from {len(mixer.tracks)} to {len(streams)} sound tracks midway")
            for stream in part.container.streams:
                # Pictures are read by another thread from another container.
                stream.discard = Discard.default if stream in streams else Discard.all
            for track, frame in _decoded(path, part.container, streams, salvage=salvage):
                if frame is None:
                    lost_packets += 1
                else:
                    yield from mixer.mix(track, frame, part.shift_s - origin_s)
    assert mixer is not None, "asked for the sound of a source that has none"
    if lost_packets:
        warn(f"the sound of {path} is damaged: {lost_packets} packets did not decode and are silent")
    yield from mixer.end()
    left_out_s = sum(track.left_out for track in mixer.tracks) / SAMPLE_RATE_HZ
    if left_out_s > _TOLD_OVERLAP_S:
        warn(f"{format_seconds(left_out_s)} of the sound of {path} overlaps what came before and is left out")
    # A file that lost its index, or whose recorder heard nothing, has the track all the same. One at 268 MHz has
    # samples, but none is left of them at 48 kHz.
    if empty := sum(not track.position and not track.left_out for track in mixer.tracks):
        warn(f"of the sound of {path} nothing is heard in {empty} of {len(mixer.tracks)} tracks, which hold no samples")


def _decoded(
    path: Path, container: InputContainer, streams: list[av.AudioStream], *, salvage: bool
) -> Iterator[tuple[int, av.AudioFrame | None]]:
    """Frames with the index of their track; None in place of a packet that does not decode."""
    tracks = {stream.index: track for track, stream in enumerate(streams)}
    try:
        for packet in container.demux(streams):
            track = tracks[packet.stream.index]
            try:
                frames = packet.decode()
            except av.FFmpegError:
                if not salvage:
                    raise
                yield track, None
                continue
            for frame in frames:
                assert isinstance(frame, av.AudioFrame)
                yield track, frame
    except av.FFmpegError as error:
        if not salvage:
            message = f"the sound of {path} is damaged: {reason_of(error)}; pass --salvage to export what decodes"
            raise DamagedStreamError(message, good_frames=0, good_until_s=0.0) from error
        yield 0, None
