"""Sound that is not as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from tests.strangers.faults.fault_tools import (
    SOUND_ENCODERS,
    Base,
    Command,
    Fault,
    heard,
    sound_filter,
    streams_copied,
)
from tests.strangers.faults.planted_sound import (
    Line,
    at_another_speed,
    delayed_exactly,
    explained_by,
    is_another,
    is_clipped,
    is_cut_short,
    is_gone,
    is_higher,
    is_louder,
    is_moved,
    is_silent_in_the_gap,
    planted,
)
from tests.strangers.faults.sound_content import (
    clips_when_louder,
    has_pitch,
    has_two_sides,
    heard_in_the_gap,
    heard_long_enough_to_drift,
    heard_to_its_end,
    shows_when_it_is,
    start_in_file_s,
)
from tests.strangers.stream_facts import SOUND_RATE_HZ, decode_sound
from tests.strangers.tool_programs import run_tool

__all__ = ["SOUND_FAULTS"]


def _other_track(base: Base, _: float, path: Path) -> None:
    layout = "|".join(["0.3*sin(2*PI*(800-300*t)*t)*gt(mod(t+0.21,0.31),0.17)"] * base.channels)
    shape = {1: "mono", 2: "stereo", 6: "5.1"}[base.channels]
    end = float(base.output.frames[-1].start_s - base.output.frames[0].start_s) + 0.04
    words: Command = ["ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-f", "lavfi", "-i"]
    words += [f"aevalsrc='{layout}':c={shape}:s=48000:d={end:.3f}", "-map", "0:v:0", "-map", "1:a:0", "-c:v", "copy"]
    run_tool([*words, *SOUND_ENCODERS[base.output.path.suffix], path])


def _silenced(base: Base, ms: float) -> str:
    """Silence for some time. FFmpeg asks once a frame, of which one of FLAC at 22 kHz lasts 0.2 s, so each has 1 ms."""
    start_s = base.gap[0] + 0.02
    samples = max(1, base.output.sounds[0].rate_hz // 1000)
    return f"asetnsamples=n={samples}:p=0,volume=0:enable='between(t,{start_s},{start_s + ms / 1e3})'"


def _early(base: Base, ms: float) -> str:
    """The first of it is left out, and the rest comes that much earlier."""
    start_s = start_in_file_s(base)
    return f"atrim=start={start_s + ms / 1e3:.6f},asetpts=PTS-{ms / 1e3:.6f}/TB"


def _faster(base: Base, factor: float) -> str:
    """Exactly so much, as by a clock that runs otherwise: what keeps the pitch moves in steps of 20 ms and more."""
    rate_hz = base.output.sounds[0].rate_hz
    return f"asetrate={round(rate_hz * factor)},aresample={rate_hz}"


def _ended_early(base: Base, ms: float) -> str:
    length_s = decode_sound(base.output, 0, base.channels).shape[1] / SOUND_RATE_HZ
    return f"atrim=end={start_in_file_s(base) + max(0.2, length_s - ms / 1e3):.6f}"


def _channels(*rows: tuple[float, float]) -> Callable[[Line, float], Line]:
    """Each channel made of the base's two."""
    return lambda was, _: Line(np.array(rows) @ was.samples, was.first)


SOUND_FAULTS: Final = (
    Fault("sound-missing", "sound", (), (1,), "any", ("audio.present",), is_gone(streams_copied("-an")), heard),
    Fault(
        "sound-late",
        "sound",
        (8,),
        (25, 80, 300),
        "15 ms",
        ("audio.offset",),
        delayed_exactly("a"),
        shows_when_it_is,
    ),
    Fault(
        "sound-early",
        "sound",
        (8,),
        (25, 80),
        "15 ms",
        ("audio.offset",),
        planted(sound_filter(_early), is_moved(-1)),
        shows_when_it_is,
    ),
    Fault(
        "sound-drifts",
        "sound",
        (0.003,),
        (0.03, 0.06),
        "8 ms from start to end",
        ("audio.drift", "audio.offset", "audio.length", "audio.pitch"),
        planted(
            sound_filter(lambda base, share: _faster(base, 1 + share)),
            explained_by(at_another_speed(lambda share: 1 + share)),
        ),
        heard_long_enough_to_drift,
    ),
    Fault(
        "channels-swapped",
        "sound",
        (),
        (1,),
        "where left and right differ by 1% of the energy",
        ("audio.sides", "audio.channels", "audio.content"),
        planted(sound_filter(lambda *_: "pan=stereo|c0=c1|c1=c0"), explained_by(_channels((0, 1), (1, 0)))),
        has_two_sides,
    ),
    Fault(
        "channel-inverted",
        "sound",
        (),
        (1,),
        "where left and right differ by 1% of the energy",
        ("audio.polarity", "audio.channels", "audio.content"),
        planted(sound_filter(lambda *_: "pan=stereo|c0=c0|c1=-1*c1"), explained_by(_channels((1, 0), (0, -1)))),
        has_two_sides,
    ),
    Fault(
        "made-mono",
        "sound",
        (),
        (1,),
        "80% of the difference between the channels",
        ("audio.channels",),
        planted(
            sound_filter(lambda *_: "pan=stereo|c0=0.5*c0+0.5*c1|c1=0.5*c0+0.5*c1"),
            explained_by(_channels((0.5, 0.5), (0.5, 0.5))),
        ),
        has_two_sides,
    ),
    Fault(
        "clipped",
        "sound",
        (3,),
        (12, 18),
        "0.1% of the samples",
        ("audio.clipping", "audio.level"),
        planted(sound_filter(lambda _, db: f"volume={db}dB:precision=fixed,aformat=sample_fmts=s16"), is_clipped),
        clips_when_louder,
    ),
    Fault(
        "sound-gap",
        "sound",
        (8,),
        (40, 100),
        "20 ms",
        ("audio.gaps",),
        planted(sound_filter(_silenced), is_silent_in_the_gap),
        heard_in_the_gap,
    ),
    Fault(
        "resampled-wrongly",
        "sound",
        (),
        (44100, 32000),
        "another rate read as 48 kHz",
        ("audio.pitch", "audio.length", "audio.drift", "audio.content", "audio.offset"),
        planted(
            sound_filter(lambda _, rate: f"aresample={int(rate)},asetrate=48000"),
            explained_by(at_another_speed(lambda rate: 48000 / rate)),
        ),
        heard,
    ),
    Fault(
        "other-track",
        "sound",
        (),
        (1,),
        "another sound",
        ("audio.content", "audio.offset", "audio.gaps"),
        planted(_other_track, is_another),
        heard,
    ),
    Fault(
        "pitch",
        "sound",
        (1.005,),
        (1.12, 1.5),
        "2% of all frequencies",
        ("audio.pitch", "audio.content"),
        planted(
            sound_filter(
                lambda _, factor: (
                    f"aresample=48000,asetrate={int(48000 * factor)},aresample=48000,atempo={1 / factor:.6f}"
                )
            ),
            is_higher,
        ),
        has_pitch,
    ),
    Fault(
        "level",
        "sound",
        (0.7,),
        (-4, -8),
        "1.5 dB",
        ("audio.level",),
        planted(sound_filter(lambda _, db: f"volume={db}dB"), is_louder),
        heard,
    ),
    Fault(
        "sound-cut-short",
        "sound",
        (40,),
        (250, 500),
        "100 ms",
        ("audio.length",),
        planted(sound_filter(_ended_early), is_cut_short),
        lambda base: heard_to_its_end(base) and base.frames / base.output.rate > 0.9,
    ),
)
