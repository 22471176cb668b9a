"""Sound of a source: all tracks mixed to 48 kHz stereo, on the output's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from capbench.errors import DamagedStreamError
from capbench.pipeline.source import open_source

__all__ = ["SAMPLES_PER_FRAME", "SAMPLE_RATE_HZ", "read_audio"]

SAMPLE_RATE_HZ = 48_000
SAMPLES_PER_FRAME = 1024
"""Samples of an AAC frame (ISO/IEC 14496-3): the mixer hands out frames that the encoder takes whole."""


class _Mixer:
    """One buffer for each track, resampled, summed and cut into AAC frames by FFmpeg's filters."""

    def __init__(self, streams: list[Any]) -> None:
        graph = av.filter.Graph()
        self._inputs = [graph.add_abuffer(template=stream) for stream in streams]
        # async fills gaps and first_pts pads the head with silence, so that sample n is time n / 48000 of the output.
        tracks = [graph.add("aresample", f"{SAMPLE_RATE_HZ}:async=1:first_pts=0") for _ in streams]
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

    def push(self, track: int, frame: Any | None) -> None:
        """Add a decoded frame of a track, or its end."""
        self._inputs[track].push(frame)

    def pull(self) -> Iterator[Any]:
        """Frames that are ready."""
        while True:
            try:
                yield self._sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return


def read_audio(path: Path, origin_s: Fraction, *, on_damage: Callable[[str], None] | None = None) -> Iterator[Any]:
    """Yield `av.AudioFrame`s, planar float stereo, PTS in samples since `origin_s` without gaps.

    At damage raises `DamagedStreamError`, or with `on_damage` reports it there and ends with what came before.
    """
    with open_source(path) as container:
        streams = list(container.streams.audio)
        mixer = _Mixer(streams)
        try:
            for packet in container.demux(streams):
                for frame in packet.decode():
                    frame.pts -= round(origin_s / frame.time_base)
                    mixer.push(streams.index(packet.stream), frame)
                    yield from mixer.pull()
        except av.FFmpegError as error:
            message = f"the sound of {path} is damaged: {error.strerror}; pass --salvage to export what decodes"
            if on_damage is None:
                raise DamagedStreamError(message, good_frames=0, good_until_s=0.0) from error
            on_damage(message)
        for track in range(len(streams)):
            mixer.push(track, None)
        yield from mixer.pull()
