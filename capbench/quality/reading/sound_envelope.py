"""The sound of a file as an envelope of one value a millisecond: small enough to keep, sharp enough for sync."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from capbench.pipeline.decode.open_source import OpenPart, open_parts, open_source

__all__ = ["BIN_S", "Sound", "SoundMeasurements", "listen"]

BIN_S = 0.001
"""Length of one value of an envelope, in seconds."""
_RATE_HZ = 48_000
_BIN_SAMPLES = 48
_CLIPPED_LEVEL = 0.999
"""Share of full scale from which a sample counts as clipped: the last code of 16 bits and a rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """All audio tracks of a file together."""

    tracks: int
    """Number of tracks that were heard."""
    channels: int
    """Largest number of channels of a track."""
    start_bin: int
    """Time of the first value by the file's time stamps, in bins of `BIN_S`."""
    level: NDArray[np.float32]
    """Root mean square over channels of each bin, summed in energy over tracks; 1 is full scale."""
    clipped_share: float
    """Share of samples at full scale."""
    side_share: float
    """Energy of left minus right over energy of left plus right, 0 for mono."""
    error: str | None
    """Why decoding stopped early; None when it did not."""

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
    """The file that is held to be right."""
    output: Sound | None
    """The file under test."""


class _Timeline:
    """Energy by bin from any time on; grows at both ends."""

    def __init__(self) -> None:
        self.start: int | None = None
        self._energy = np.zeros(0)
        self._used = 0

    def add(self, first_sample: int, energy: NDArray[np.float64]) -> None:
        bins = (first_sample + np.arange(len(energy))) // _BIN_SAMPLES
        first = int(bins[0])
        sums = np.bincount(bins - first, weights=energy)
        if self.start is None:
            self.start = first
        if first < self.start:
            self._energy = np.concatenate([np.zeros(self.start - first), self._energy])
            self._used += self.start - first
            self.start = first
        end = first - self.start + len(sums)
        if end > len(self._energy):
            self._energy = np.concatenate([self._energy, np.zeros(max(end, 2 * len(self._energy)) - len(self._energy))])
        self._energy[end - len(sums) : end] += sums
        self._used = max(self._used, end)

    def level(self) -> NDArray[np.float32]:
        return np.sqrt(self._energy[: self._used] / _BIN_SAMPLES).astype(np.float32)


def listen(path: Path) -> Sound | None:
    """Decode all audio tracks of a file to one envelope; None where it has none. Damage ends a track and is kept.

    Raises `SourceError` where the file does not open.
    """
    with open_source(path) as container:
        count = len(container.streams.audio)
    if not count:
        return None
    timeline = _Timeline()
    counts = np.zeros(4)  # samples, clipped, energy of the side, energy of the middle
    channels = 0
    error = None
    for track in range(count):
        with closing(open_parts(path)) as parts:
            try:
                for part in parts:
                    stream = part.container.streams.audio[track]
                    channels = max(channels, stream.codec_context.channels)
                    counts += _listen_to(part, stream, timeline)
            except av.FFmpegError as problem:
                error = f"audio track {track}: {problem.strerror}"
    samples, clipped, side, middle = counts
    return Sound(
        tracks=count,
        channels=channels,
        start_bin=timeline.start or 0,
        level=timeline.level(),
        clipped_share=float(clipped / samples) if samples else 0.0,
        side_share=float(side / middle) if middle else 0.0,
        error=error,
    )


def _listen_to(part: OpenPart, stream: av.AudioStream, timeline: _Timeline) -> NDArray[np.float64]:
    counts = np.zeros(4)
    resampler = av.AudioResampler(format="fltp", rate=_RATE_HZ)
    for frame in itertools.chain(part.container.decode(stream), [None]):
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray().astype(np.float64)
            if samples.size == 0 or piece.pts is None or piece.time_base is None:
                continue
            time_s = piece.pts * piece.time_base + part.shift_s
            timeline.add(round(time_s * _RATE_HZ), np.square(samples).mean(axis=0))
            side = samples[0] - samples[1] if len(samples) > 1 else np.zeros(1)
            middle = samples[0] + samples[1] if len(samples) > 1 else 2 * samples[0]
            counts += [
                samples.size,
                np.count_nonzero(np.abs(samples) >= _CLIPPED_LEVEL),
                np.square(side).sum(),
                np.square(middle).sum(),
            ]
    return counts
