"""The sound of a file: an envelope of one value a millisecond, and short pieces of left and right as they are.

Small enough to keep, precise enough for sync and for distinguishing left from right. Its size follows from how much
sound decodes, never from what a time stamp claims.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from numpy.typing import NDArray

from capbench.pipeline.decode.downmix import LEAST_RATE_HZ
from capbench.pipeline.decode.frame_times import StrayTimes
from capbench.pipeline.decode.open_source import OpenPart, audio_streams, holds_no_data, open_parts, open_source
from capbench.pipeline.decode.presentation import begins_at_zero
from capbench.quality.reading.channel_downmix import Downmix, channel_names

__all__ = ["BIN_S", "PIECE_SAMPLES", "SOUND_RATE_HZ", "Sound", "SoundMeasurements", "listen", "listen_to_both"]

BIN_S = 0.001
"""Length of one value of an envelope, in seconds."""
SOUND_RATE_HZ = 48_000
"""Samples a second, whatever the file has."""
PIECE_SAMPLES = SOUND_RATE_HZ // 4
"""Length of a piece of sound that is kept as it is."""
_MOST_PIECES = 64
"""Pieces kept of a file, spread over it: 6 MB."""
_MOST_CHANNELS = 8
"""Channels kept apart, of a track that has more than two: 25 MB."""
_BIN_SAMPLES = SOUND_RATE_HZ // 1000
_JITTER_SAMPLES = round(0.0015 * SOUND_RATE_HZ)
"""Sound that is this near to where the sound before it ended goes on there: Matroska rounds times to a millisecond, and
samples laid over each other, or with holes between, are another sound."""
_CLIPPED_LEVEL = 0.999
"""Share of full scale from which a sample counts as clipped: the last code of 16 bits and a rounding."""
_LOUD_LEVEL = 0.9
"""The same from which coding alone may take it there: codecs at 64 to 128 kbit/s overshoot loud peaks by up to 1 dB."""
_LONGEST_GAP_S = 6 * 3600
"""Time without sound, between any two parts of it, beyond which a time stamp is damage: a recording that is silent for
a quarter of a day is none that anybody compares. One value a millisecond of it is 86 MB."""
_MOST_SILENCE_SHARE = 10
"""Gaps in total for each minute in which there is sound, besides one of the longest: four packets that lie six hours
apart would take the memory of a day."""
_LONGEST_SOUND_S = 24 * 3600
"""Time that is listened to: 346 MB of envelope."""
_CHUNK_BINS = 60_000
_MOST_SIDE_SHARE = 100.0
"""If left is right inverted, their sum is silent: a difference of 20 dB is enough to see that."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """All audio tracks of a file together."""

    tracks: int
    """Number of tracks, heard or not."""
    channels: int
    """Largest number of channels of a track."""
    start_bin: int
    """Time of the first value by the file's time stamps, in bins of `BIN_S`."""
    level: NDArray[np.float32]
    """Root mean square of left and right of each bin, summed in energy over tracks; 1 is full scale. More than two
    channels are mixed down by ITU-R BS.775, not scaled. Empty where nothing was heard."""
    clipped_share: float
    """Share of samples at full scale."""
    side_share: float
    """Energy of left minus right over energy of left plus right: 0 for mono, at most 100."""
    error: str | None
    """Why not all of it was decoded; None when it was."""
    downmix_gain: float = 1.0
    """What a channel of the mix adds up to from channels at full scale; 1 for mono and stereo."""
    origin_s: float = 0.0
    """Time of the file's first picture, which pieces are counted from."""
    pieces: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    """Left and right as they are, shape (2, `PIECE_SAMPLES`), by the number of the piece counted from `origin_s`."""
    stray_times: int = 0
    """Time stamps that are far from those around them; what has one is heard behind what comes before it."""
    channel_names: tuple[str, ...] = ()
    """FFmpeg's names of the channels of the first track, at most 8, where it has more than two."""
    loud_share: float = 0.0
    """Share of samples that coding alone may take to full scale."""
    channel_pieces: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    """Those channels as they are, shape (channels, `PIECE_SAMPLES`), numbered as `pieces`."""
    constant_share: float = 0.0
    """Share of the energy that is each track's mean, which nobody hears and some coders (Opus) take off."""
    doubled: tuple[tuple[int, int], ...] = ()
    """Bins, first and end, in which a track is said to sound twice at once, and as many behind them: a player hears one
    of the two, or one behind the other, so that nobody can say what sounds when."""

    @property
    def length_s(self) -> float:
        """From the first to the last sample, in seconds."""
        return len(self.level) * BIN_S

    @property
    def loudness(self) -> float:
        """Root mean square of the whole."""
        return float(np.sqrt(np.mean(np.square(self.level, dtype=np.float64)))) if len(self.level) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class SoundMeasurements:
    """What was heard in the two files; None where a file has no audio track."""

    reference: Sound | None
    """The reference file."""
    output: Sound | None
    """The file under test."""


class _UnusableSoundError(Exception):
    """A time stamp that lies farther from the rest of the sound than is believed, or a rate that makes hours of it."""


class _Timeline:
    """Energy by bin in chunks of a minute, wherever sound is; nothing is held for the time between."""

    def __init__(self) -> None:
        self._chunks: dict[int, NDArray[np.float64]] = {}
        self.start = 0
        self._end = 0

    def add(self, first_sample: int, energy: NDArray[np.float32]) -> None:
        """Raises `_UnusableSoundError`, and takes nothing."""
        bins = (first_sample + np.arange(len(energy))) // _BIN_SAMPLES
        first, end = int(bins[0]), int(bins[-1]) + 1
        if self._chunks:
            self._check(first, end)
            self.start, self._end = min(self.start, first), max(self._end, end)
        else:
            self.start, self._end = first, end
        sums = np.bincount(bins - first, weights=energy)
        at = first
        while at < end:
            number, place = divmod(at, _CHUNK_BINS)
            chunk = self._chunks.setdefault(number, np.zeros(_CHUNK_BINS))
            count = min(end - at, _CHUNK_BINS - place)
            chunk[place : place + count] += sums[at - first : at - first + count]
            at += count

    def _check(self, first: int, end: int) -> None:
        gap_s = max(first - self._end, self.start - end) * BIN_S
        if gap_s > _LONGEST_GAP_S:
            raise _UnusableSoundError(f"a time stamp is {gap_s / 3600:.1f} h away from the rest of the sound")
        span_s = (max(self._end, end) - min(self.start, first)) * BIN_S
        sounding_s = len(self._chunks) * _CHUNK_BINS * BIN_S
        if span_s - sounding_s > _LONGEST_GAP_S + _MOST_SILENCE_SHARE * sounding_s:
            raise _UnusableSoundError(f"it is silent for {(span_s - sounding_s) / 3600:.1f} of {span_s / 3600:.1f} h")
        if span_s > _LONGEST_SOUND_S:
            raise _UnusableSoundError(f"it lasts longer than {_LONGEST_SOUND_S // 3600} h")

    def level(self) -> NDArray[np.float32]:
        level = np.zeros(self._end - self.start, np.float32)
        for number, chunk in self._chunks.items():
            place = number * _CHUNK_BINS - self.start
            low, high = max(0, -place), min(_CHUNK_BINS, len(level) - place)
            level[place + low : place + high] = np.sqrt(chunk[low:high] / _BIN_SAMPLES)
        return level


class _Pieces:
    """A few pieces of some channels, evenly spread, however long they are. Those of several tracks are added up."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._stride = 1
        self.kept: dict[int, NDArray[np.float32]] = {}

    def add(self, first_sample: int, samples: NDArray[np.float32]) -> None:
        at, end = first_sample, first_sample + samples.shape[1]
        while at < end:
            number, place = divmod(at, PIECE_SAMPLES)
            count = min(end - at, PIECE_SAMPLES - place)
            if number % self._stride == 0:
                piece = self.kept.setdefault(number, np.zeros((self._channels, PIECE_SAMPLES), np.float32))
                piece[:, place : place + count] += samples[:, at - first_sample : at - first_sample + count]
                self._thin_out()
            at += count

    def _thin_out(self) -> None:
        while len(self.kept) > _MOST_PIECES:
            self._stride *= 2
            self.kept = {number: piece for number, piece in self.kept.items() if number % self._stride == 0}


class _Ear:
    """Hears one track after the other. Changes: it holds what was heard."""

    def __init__(self, origin_s: float) -> None:
        self.timeline, self.pieces = _Timeline(), _Pieces(2)
        self.names: tuple[str, ...] = ()
        self.apart: _Pieces | None = None
        self.channels = 0
        self.downmix_gain = 1.0
        self.stray_times = 0
        self.counts = np.zeros(5)  # samples, clipped, loud, energy of the side, energy of the middle
        self.energies = np.zeros(2)  # of all, of the means of tracks
        self.doubled: list[tuple[int, int]] = []
        self._origin_s = origin_s

    def hear(self, part: OpenPart, stream: av.AudioStream, *, keeps_channels: bool) -> None:
        """Raises `av.FFmpegError` at damage, and `_UnusableSoundError`."""
        following: int | None = None
        longest = _JITTER_SAMPLES
        sums, count = np.zeros(2), 0
        is_cut = begins_at_zero(part.container)
        strays = StrayTimes[av.AudioFrame](holds_first=True)
        for piece in _resampled(_followed(_decoded(part.container, stream), strays)):
            if piece.samples == 0 or piece.pts is None or piece.time_base is None:
                continue
            channels = [channel.name for channel in piece.layout.channels]
            samples = np.asarray(piece.to_ndarray(), np.float32).reshape(-1, len(channels)).T
            downmix = Downmix(channels)
            stereo = downmix(samples)
            at = round((piece.pts * piece.time_base + part.shift_s) * SOUND_RATE_HZ)
            longest = max(longest, stereo.shape[1])
            # What overlaps is played behind what it overlaps: no track sounds twice at once, and stamps that come too
            # soon, as those of Vorbis' blocks do where they were taken from the ends of others, are made up for later.
            if following is not None and -longest <= at - following <= _JITTER_SAMPLES:
                at = following
            elif following is not None and at < following:
                self._double(at, following)
            following = at + stereo.shape[1]
            if is_cut and at < 0:
                early = min(-at, stereo.shape[1])
                stereo, samples, at = stereo[:, early:], samples[:, early:], at + early
                if not stereo.shape[1]:
                    continue
            energy = np.square(stereo).mean(axis=0)
            self.timeline.add(at, energy)
            self.energies[0] += energy.sum(dtype=np.float64)
            sums += stereo.sum(axis=1, dtype=np.float64)
            count += stereo.shape[1]
            self.pieces.add(at - round(self._origin_s * SOUND_RATE_HZ), stereo)
            if keeps_channels and len(channels) > 2:
                self._keep_apart(
                    at - round(self._origin_s * SOUND_RATE_HZ), channel_names(channels)[:_MOST_CHANNELS], samples
                )
            self.channels = max(self.channels, len(samples))
            self.downmix_gain = max(self.downmix_gain, downmix.largest_gain)
            self.counts += [
                samples.size,
                np.count_nonzero(np.abs(samples) >= _CLIPPED_LEVEL),
                np.count_nonzero(np.abs(samples) >= _LOUD_LEVEL),
                np.square(stereo[0] - stereo[1]).sum(dtype=np.float64),
                np.square(stereo[0] + stereo[1]).sum(dtype=np.float64),
            ]
        self.stray_times += strays.found
        if count:
            self.energies[1] += float(np.square(sums / count).mean()) * count

    def _double(self, at: int, following: int) -> None:
        first, end = at // _BIN_SAMPLES, -(-(2 * following - at) // _BIN_SAMPLES)
        if self.doubled and self.doubled[-1][0] <= first <= self.doubled[-1][1]:
            first, end = self.doubled[-1][0], max(end, self.doubled[-1][1])
            self.doubled.pop()
        self.doubled.append((first, end))

    def _keep_apart(self, first_sample: int, channels: tuple[str, ...], samples: NDArray[np.float32]) -> None:
        if self.apart is None:
            self.names, self.apart = channels, _Pieces(len(channels))
        if self.names == channels:  # a layout that changes on the way is known by its mix alone
            self.apart.add(first_sample, samples[: len(channels)])


def _decoded(container: InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    for packet in container.demux(stream):
        if not holds_no_data(packet):
            for frame in packet.decode():
                assert isinstance(frame, av.AudioFrame)
                yield frame


def _followed(frames: Iterator[av.AudioFrame], strays: StrayTimes[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Frames of a track; one with a stray time at the end of the one before."""
    end_s: Fraction | None = None
    for frame in itertools.chain(frames, [None]):
        for each, _ in strays.rest() if frame is None else strays.checked(frame, Fraction(0)):
            time_base = Fraction(each.time_base or 1)
            if each.pts is None and end_s is not None:
                each.pts = round(end_s / time_base)
            if each.pts is not None:
                end_s = each.pts * time_base + Fraction(each.samples, each.sample_rate)
            yield each


def _resampled(frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Frames as 32-bit floats at one rate, in their own layout, which may change midway."""
    resampler: av.AudioResampler | None = None
    shape: tuple[str, str, int] | None = None
    for frame in itertools.chain(frames, [None]):
        now = None if frame is None else (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is not None and now != shape:
            yield from resampler.resample(None)
            resampler = None
        if frame is not None:
            if frame.sample_rate < LEAST_RATE_HZ:
                raise _UnusableSoundError(f"it has {frame.sample_rate} samples a second")
            if resampler is None:
                # Interleaved: of 8 planes PyAV 18.1 reads a ninth, which is not there.
                resampler, shape = av.AudioResampler(format="flt", rate=SOUND_RATE_HZ), now
            yield from resampler.resample(frame)


def listen_to_both(
    reference: Path, output: Path, *, reference_origin_s: float, output_origin_s: float
) -> SoundMeasurements:
    """Both files; of an output with more tracks than the reference, those that a player chooses first.

    The others are another coding of the same sound, which HandBrake's presets for televisions add, another language or
    another program's, and not heard beside it. Raises `SourceError` where a file does not open.
    """
    wanted = listen(reference, origin_s=reference_origin_s)
    return SoundMeasurements(
        wanted, listen(output, origin_s=output_origin_s, most_tracks=wanted.tracks if wanted else None)
    )


def listen(path: Path, *, origin_s: float = 0.0, most_tracks: int | None = None) -> Sound | None:
    """Decode the audio tracks of a file to one envelope; None where it has none. Damage ends a track and is kept.

    `origin_s` is the time of the file's first picture. Of more than `most_tracks` those count that are marked as
    default, then the first ones; the rest is decoded for damage alone. Raises `SourceError` where the file does not
    open.
    """
    with open_source(path) as container:
        streams = audio_streams(container)
        count, heard = len(container.streams.audio), len(streams)
        chosen = sorted(range(heard), key=lambda track: not streams[track].disposition & Disposition.default)
    if not count:
        return None
    ear = _Ear(origin_s)
    counting = chosen[:most_tracks]
    error = None if heard else "there is no decoder for it"
    for track in range(heard):
        with closing(open_parts(path)) as parts:
            try:
                for part in parts:
                    streams = audio_streams(part.container)
                    if track < len(streams):
                        hearing = ear if track in counting else _Ear(origin_s)
                        hearing.hear(part, streams[track], keeps_channels=track == counting[0])
            except av.FFmpegError as problem:
                error = f"audio track {track}: {problem.strerror}"
            except _UnusableSoundError as problem:
                error = f"audio track {track}: {problem}"
    samples, clipped, loud, side, middle = ear.counts
    return Sound(
        tracks=heard or count,
        channels=ear.channels,
        start_bin=ear.timeline.start,
        level=ear.timeline.level(),
        clipped_share=float(clipped / samples) if samples else 0.0,
        loud_share=float(loud / samples) if samples else 0.0,
        side_share=min(_MOST_SIDE_SHARE, float(side / middle)) if middle else _MOST_SIDE_SHARE * bool(side),
        error=error,
        downmix_gain=ear.downmix_gain,
        origin_s=origin_s,
        pieces=ear.pieces.kept,
        stray_times=ear.stray_times,
        channel_names=ear.names,
        channel_pieces=ear.apart.kept if ear.apart is not None else {},
        constant_share=float(ear.energies[1] / ear.energies[0]) if ear.energies[0] else 0.0,
        doubled=tuple(ear.doubled),
    )
