"""Sound that is not as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.strangers.faults.fault_tools import (
    SOUND_ENCODERS,
    Base,
    Command,
    Fault,
    heard,
    sound_filter,
    streams_copied,
)
from tests.strangers.faults.sound_content import (
    clips_when_louder,
    has_two_sides,
    heard_in_the_gap,
    heard_long_enough_to_drift,
    heard_to_its_end,
)
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


SOUND_FAULTS: Final = (
    Fault("sound-missing", "sound", (), (1,), "any", ("audio.present",), streams_copied("-an"), heard),
    Fault("sound-late", "sound", (8,), (25, 80, 300), "15 ms", ("audio.offset",), streams_copied(delayed="a"), heard),
    Fault(
        "sound-early",
        "sound",
        (8,),
        (25, 80),
        "15 ms",
        ("audio.offset",),
        sound_filter(lambda _, ms: f"atrim=start={ms / 1e3},asetpts=PTS-STARTPTS"),
        heard,
    ),
    Fault(
        "sound-drifts",
        "sound",
        (0.003,),
        (0.03, 0.06),
        "8 ms from start to end",
        ("audio.drift", "audio.offset", "audio.length"),
        sound_filter(lambda _, share: f"atempo={1 + share}"),
        heard_long_enough_to_drift,
    ),
    Fault(
        "channels-swapped",
        "sound",
        (),
        (1,),
        "where left and right differ by 1% of the energy",
        ("audio.sides", "audio.channels", "audio.content"),
        sound_filter(lambda *_: "pan=stereo|c0=c1|c1=c0"),
        has_two_sides,
    ),
    Fault(
        "channel-inverted",
        "sound",
        (),
        (1,),
        "where left and right differ by 1% of the energy",
        ("audio.polarity", "audio.channels", "audio.content"),
        sound_filter(lambda *_: "pan=stereo|c0=c0|c1=-1*c1"),
        has_two_sides,
    ),
    Fault(
        "made-mono",
        "sound",
        (),
        (1,),
        "80% of the difference between the channels",
        ("audio.channels",),
        sound_filter(lambda *_: "pan=stereo|c0=0.5*c0+0.5*c1|c1=0.5*c0+0.5*c1"),
        has_two_sides,
    ),
    Fault(
        "clipped",
        "sound",
        (3,),
        (12, 18),
        "0.1% of the samples",
        ("audio.clipping", "audio.level"),
        sound_filter(lambda _, db: f"volume={db}dB:precision=fixed,aformat=sample_fmts=s16"),
        clips_when_louder,
    ),
    Fault(
        "sound-gap",
        "sound",
        (8,),
        (40, 100),
        "20 ms",
        ("audio.gaps",),
        sound_filter(_silenced),
        heard_in_the_gap,
    ),
    Fault(
        "resampled-wrongly",
        "sound",
        (),
        (44100, 32000),
        "another rate read as 48 kHz",
        ("audio.pitch", "audio.length", "audio.drift", "audio.content", "audio.offset"),
        sound_filter(lambda _, rate: f"aresample={int(rate)},asetrate=48000"),
        heard,
    ),
    Fault(
        "other-track",
        "sound",
        (),
        (1,),
        "another sound",
        ("audio.content", "audio.offset", "audio.gaps"),
        _other_track,
        heard,
    ),
    Fault(
        "pitch",
        "sound",
        (1.005,),
        (1.12, 1.5),
        "2% of all frequencies",
        ("audio.pitch", "audio.content"),
        sound_filter(
            lambda _, factor: f"aresample=48000,asetrate={int(48000 * factor)},aresample=48000,atempo={1 / factor:.6f}"
        ),
        heard,
    ),
    Fault(
        "level",
        "sound",
        (0.7,),
        (-4, -8),
        "1.5 dB",
        ("audio.level",),
        sound_filter(lambda _, db: f"volume={db}dB"),
        heard,
    ),
    Fault(
        "sound-cut-short",
        "sound",
        (40,),
        (250, 500),
        "100 ms",
        ("audio.length",),
        sound_filter(lambda base, ms: f"atrim=end={max(0.2, float(base.frames / base.output.rate) - ms / 1e3):.3f}"),
        lambda base: heard_to_its_end(base) and base.frames / base.output.rate > 0.9,
    ),
)
