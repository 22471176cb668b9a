"""Sound that is late, drifting, missing or damaged."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from capbench.selftest.reencode import Audio, Remake, remake
from capbench.selftest.selftest_report import Mutates
from capbench.selftest.specimen import Pair, register_change, register_pair, source_clip

__all__: list[str] = []

_RATE_HZ = 48_000


def _stretched(samples: Audio) -> Audio:
    """Played at 47.2 kHz what was recorded at 48: 1.7% longer, 34 ms after 2 s."""
    count = samples.shape[1]
    longer = round(count * 48 / 47.2)
    places = np.linspace(0, count - 1, longer)
    return np.stack([np.interp(places, np.arange(count), channel) for channel in samples]).astype(np.float32)


def _with_gap(samples: Audio) -> Audio:
    silenced = samples.copy()
    # in the first beep, which is the loudest part of the recording
    silenced[:, int(0.02 * _RATE_HZ) : int(0.08 * _RATE_HZ)] = 0
    return silenced


def _with_short_gap(samples: Audio) -> Audio:
    silenced = samples.copy()
    silenced[:, int(0.0273 * _RATE_HZ) : int(0.0503 * _RATE_HZ)] = 0
    return silenced


def _raised(samples: Audio) -> Audio:
    """Grains of 43 ms, each read 12% faster from around where it belongs, and faded into the next."""
    grain, count = 2048, samples.shape[1]
    out = np.zeros_like(samples)
    window = np.hanning(grain + 1)[:-1]
    places = np.arange(count)
    for start in range(-grain // 2, count, grain // 2):
        read = start + grain / 2 + (np.arange(grain) - grain / 2) * 1.12
        low, high = max(0, start), min(count, start + grain)
        for channel, target in zip(samples, out, strict=True):
            sounding = window * np.interp(read, places, channel, left=0, right=0)
            target[low:high] += sounding[low - start : high - start]
    return out


def _clipped(samples: Audio) -> Audio:
    loud: Audio = (samples * (2.5 / np.abs(samples).max())).clip(-1, 1)
    return loud


register_change(
    name="audio-late",
    family="sound",
    defect="the sound is 60 ms late",
    caught_by=["audio.offset"],
    mutates=Mutates.MUXING,
    change=lambda: Remake(audio_start_s=Fraction(6, 100)),
)
register_change(
    name="audio-drift",
    family="sound",
    defect="the sound is resampled by a clock that is 1.7% off",
    caught_by=["audio.drift"],
    change=lambda: Remake(audio=_stretched),
)
register_change(
    name="audio-missing",
    family="sound",
    defect="there is no audio track",
    caught_by=["audio.present"],
    mutates=Mutates.MUXING,
    change=lambda: Remake(audio=lambda _: None),
)
register_change(
    name="audio-silent",
    family="sound",
    defect="the audio track is silent",
    caught_by=["audio.present"],
    change=lambda: Remake(audio=np.zeros_like),
)
register_change(
    name="mono-for-stereo",
    family="sound",
    defect="both channels are mixed to one",
    caught_by=["audio.channels"],
    change=lambda: Remake(audio=lambda samples: samples.mean(axis=0, keepdims=True)),
)


def _of_wide(folder: Path, name: str, change: Callable[[Audio], Audio]) -> Pair:
    """Of a reference whose right channel is quieter than its left."""
    wide = Remake(audio=lambda samples: samples * np.array([[1.0], [0.3]], np.float32))
    reference = remake(source_clip(), folder / "wide.mp4", wide)
    return Pair(reference, remake(reference, folder / f"{name}.mp4", Remake(audio=change)))


@register_pair(
    name="stereo-collapsed",
    family="sound",
    defect="both channels carry the left one",
    caught_by=["audio.channels"],
    mutates=Mutates.CONTENT,
)
def _collapsed(folder: Path) -> Pair:
    return _of_wide(folder, "stereo-collapsed", lambda samples: samples[[0, 0]])


@register_pair(
    name="stereo-exchanged",
    family="sound",
    defect="left and right are swapped",
    caught_by=["audio.sides"],
    mutates=Mutates.CONTENT,
)
def _exchanged(folder: Path) -> Pair:
    return _of_wide(folder, "stereo-exchanged", lambda samples: samples[::-1].copy())


@register_pair(
    name="polarity-turned",
    family="sound",
    defect="the right channel is inverted: what both channels share cancels out when they are mixed",
    caught_by=["audio.polarity"],
    mutates=Mutates.CONTENT,
)
def _turned(folder: Path) -> Pair:
    return _of_wide(folder, "polarity-turned", lambda samples: samples * np.array([[1.0], [-1.0]], np.float32))


register_change(
    name="audio-gap",
    family="sound",
    defect="60 ms of sound are missing in the middle",
    caught_by=["audio.gaps"],
    change=lambda: Remake(audio=_with_gap),
)
register_change(
    name="audio-gap-of-one-frame",
    family="sound",
    defect="23 ms of sound are missing, not aligned to a frame",
    caught_by=["audio.gaps"],
    change=lambda: Remake(audio=_with_short_gap),
)
register_change(
    name="pitch-raised",
    family="sound",
    defect="all frequencies are 12% higher at the same tempo",
    caught_by=["audio.pitch"],
    says="too high",
    change=lambda: Remake(audio=_raised),
)
register_change(
    name="audio-clipped",
    family="sound",
    defect="the sound is amplified until it clips",
    caught_by=["audio.clipping", "audio.level"],
    change=lambda: Remake(audio=_clipped),
)
register_change(
    name="audio-cut-short",
    family="sound",
    defect="the last half second of sound is missing",
    caught_by=["audio.length"],
    change=lambda: Remake(audio=lambda samples: samples[:, : -_RATE_HZ // 2]),
)
