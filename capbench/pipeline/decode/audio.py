"""Sound of a source: the picture's tracks mixed to 48 kHz stereo, on the output's clock."""

from __future__ import annotations

from collections import deque
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
from capbench.pipeline.decode.frame_times import Pauses, StrayTimes, check_apart, writable_pauses_s
from capbench.pipeline.decode.open_source import audio_streams, holds_no_data, open_parts, reason_of, stored_bytes
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
_MARGIN_SAMPLES = 4 * SAMPLES_PER_FRAME
"""Silence that is written before and after silence that is not: frames of AAC overlap the ones beside them."""
_LEAST_PASSED_SAMPLES = SAMPLE_RATE_HZ
"""Silence of less than this is written in any case."""
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
    """One track as 48 kHz stereo from time 0 of the output on, without gaps but for those that all tracks share."""

    def __init__(self, path: Path, entry: av.filter.FilterContext) -> None:
        self.stray_times = StrayTimes[av.AudioFrame](holds_first=True)
        self._clock = _TrackClock(path)
        self._converter = StereoConverter(path)
        self._entry = entry
        self._passed = 0
        self.position = 0
        """Where on the output's clock the next sample belongs that is pushed."""
        self.left_out = 0
        """Samples that were dropped, because their time had passed."""

    def convert(self, frame: av.AudioFrame, shift_s: Fraction) -> Iterator[av.AudioFrame]:
        """What is ready to be placed after a decoded frame."""
        return self._converter.convert(frame, self._clock.time_s(frame, shift_s))

    def flush(self) -> Iterator[av.AudioFrame]:
        """What the converter still holds."""
        return self._converter.flush()

    def pass_over(self, samples: int) -> None:
        """Go on so much later, with nothing in between."""
        self.position += samples
        self._passed += samples

    def fill(self, position: int) -> Iterator[None]:
        """Insert silence up to a position."""
        while self.position < position:
            count = min(_SILENCE_SAMPLES, position - self.position)
            silence = np.zeros((2, count), np.float32)
            self._append(av.AudioFrame.from_ndarray(silence, format="fltp", layout="stereo"))
            yield

    def end(self) -> None:
        """Nothing more comes."""
        self._entry.push(None)

    def place(self, piece: av.AudioFrame) -> Iterator[None]:
        """Push converted samples at their time; yields whenever there is something to take out of the mix."""
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
        piece.pts = self.position - self._passed
        self.position += piece.samples
        self._entry.push(piece)


class _Mixer:
    """One track for each stream, summed and cut into AAC frames by FFmpeg's filters.

    Silence of all tracks together is written out while there is room for it; beyond that, hours of it that a file
    claims in a few bytes become a step in the times of what is heard before and after. That is how MP4 states a late
    start, and a pause.
    """

    def __init__(self, path: Path, tracks: int, writable_silence_s: Fraction) -> None:
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
        self._writable = int(writable_silence_s * SAMPLE_RATE_HZ)
        self._samples = 0
        self._passed = self._passed_in_all = 0
        self._steps: deque[tuple[int, int]] = deque()
        """Samples after which the output's clock goes on later than they end, and by how many."""

    def mix(self, number: int, frame: av.AudioFrame, shift_s: Fraction) -> Iterator[av.AudioFrame]:
        """Add a decoded frame of a track; yields what is ready."""
        track = self.tracks[number]
        for ready in track.stray_times.checked(frame, shift_s):
            yield from self._add(track, track.convert(*ready))

    def end(self) -> Iterator[av.AudioFrame]:
        """End all tracks; yields the rest."""
        for track in self.tracks:
            for ready in track.stray_times.rest():
                yield from self._add(track, track.convert(*ready))
            yield from self._add(track, track.flush())
        for track in self.tracks:
            track.end()
            yield from self._pull()

    def _add(self, track: _Track, pieces: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame]:
        for piece in pieces:
            assert piece.pts is not None, "a converter gives every frame a time"
            yield from self._pass_silence(piece.pts)
            for _ in track.place(piece):
                for other in self.tracks:
                    for _ in other.fill(track.position - _LARGEST_LEAD_SAMPLES):
                        yield from self._pull()
                yield from self._pull()

    def _pass_silence(self, position: int) -> Iterator[av.AudioFrame]:
        """Pass over the silence up to a position, if there is too much of it to be written."""
        heard = max(track.position for track in self.tracks)
        if position - heard <= self._writable:
            self._writable -= max(0, position - heard)
            return
        # Another track may be heard up to where it is no longer waited for.
        lead = _LARGEST_LEAD_SAMPLES if len(self.tracks) > 1 else 0
        written = heard - self._passed_in_all
        written += -written % SAMPLES_PER_FRAME + _MARGIN_SAMPLES if heard else 0
        passed = position - lead - _MARGIN_SAMPLES - (written + self._passed_in_all)
        if passed < _LEAST_PASSED_SAMPLES:
            return
        for track in self.tracks:
            for _ in track.fill(written + self._passed_in_all):
                yield from self._pull()
        for track in self.tracks:
            track.pass_over(passed)
        self._steps.append((written, passed))
        self._passed_in_all += passed

    def _pull(self) -> Iterator[av.AudioFrame]:
        while True:
            try:
                frame = self._sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, av.AudioFrame)
            while self._steps and self._samples >= self._steps[0][0]:
                self._passed += self._steps.popleft()[1]
            # The mix stops giving times when its first track ends; its samples continue without a gap nevertheless.
            frame.pts, frame.time_base = self._samples + self._passed, Fraction(1, SAMPLE_RATE_HZ)
            self._samples += frame.samples
            yield frame


def read_audio(
    path: Path, origin_s: Fraction, *, warn: Callable[[str], None], salvage: bool = False
) -> Iterator[av.AudioFrame]:
    """Yield frames of planar float stereo, PTS in samples since `origin_s`.

    They follow one another without gaps, except where the file is silent for longer than `writable_pauses_s`: there the
    times step ahead, or begin late, and the frames beside are silent.
    Damage raises `DamagedStreamError`; with `salvage` it is reported with `warn`, and what does not decode is silent.
    Raises `SourceError` where sound and picture are hours apart, or the number of tracks changes midway.
    """
    mixer: _Mixer | None = None
    lost_packets = 0
    with closing(open_parts(path)) as parts:
        for part in parts:
            streams = audio_streams(part.container)
            if mixer is None:
                mixer = _Mixer(path, len(streams), writable_pauses_s(stored_bytes(path)))
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
    if strays := sum(track.stray_times.found for track in mixer.tracks):
        warn(f"{strays} time stamps of the sound of {path} lie far from those around them and are not followed")
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
            if holds_no_data(packet):
                continue
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
