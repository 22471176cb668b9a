"""Frames and times that are not as they were."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from tests.strangers.faults.fault_tools import (
    PICTURE_CHECKS,
    TIME_CHECKS,
    Base,
    Fault,
    all_of,
    constant_rate,
    eight_bits_limited,
    encoded_again,
    flows,
    from_moving,
    has_chroma,
    heard,
    lit,
    moves,
    picture_filter,
    seen,
)
from tests.strangers.faults.planted_frames import counted, is_shown_instead, planted, times_are
from tests.strangers.faults.planted_sound import delayed_exactly
from tests.strangers.faults.sound_content import shows_when_it_is
from tests.strangers.stream_facts import StreamFacts
from tests.strangers.tool_programs import run_tool

__all__ = ["FRAME_FAULTS"]

_LEAST_MOVED_S: Final = Fraction(6, 1000)
"""By how much a frame is moved at least where that is judged."""


def _freeze(first: int, last: int, shown: int) -> str:
    return f"split[p][q];[p][q]{_freeze_from(first, last, shown)}"


def _freeze_from(first: int, last: int, shown: int) -> str:
    """Of two inputs the first, with a frame of the second in the place of some."""
    return f"freezeframes=first={first}:last={last}:replace={shown}"


def _swap(base: Base, distance: float) -> str:
    one, two = base.moving, base.moving + int(distance)
    return (
        f"split=3[p][q][r];[p][q]freezeframes=first={one}:last={one}:replace={two}[s];"
        f"[s][r]freezeframes=first={two}:last={two}:replace={one}"
    )


def _foreign(base: Base, count: float, path: Path) -> None:
    size = f"{base.output.width}x{base.output.height}"
    other = ("-f", "lavfi", "-i", f"mandelbrot=s={size}:r=30:start_scale=0.02:end_scale=0.01")
    end = base.moving + int(count) - 1
    # By way of an overlay, 10 bits stay as they were.
    filters = f"null[p];[1:v]format={base.output.pixel_format}[q];[p][q]{_freeze_from(base.moving, end, 1)}"
    run_tool([*encoded_again(base, filters, sources=other), path])


def _last_hold(base: Base, _: float, path: Path) -> None:
    """The last frame lasts a sixtieth of a second, whatever it lasted before."""
    last, ticks = base.output.frame_count - 1, int(Fraction(1, 60) / base.output.time_base)
    copied = ("ffmpeg", "-v", "error", "-y", "-i", base.output.path, "-map", "0:v:0", "-c", "copy")
    run_tool([*copied, "-bsf:v", f"setts=duration=if(eq(N\\,{last})\\,{ticks}\\,DURATION)", path])


def _is_finely_timed(base: Base) -> bool:
    # A thousandth of a second's clip is a millisecond: what WebM and Matroska round to.
    return max(base.output.time_base, base.reference.time_base) < Fraction(1, 2000)


def _tells_times(base: Base) -> bool:
    """Whether the least of what is judged shows in the reference's times: it is more than half a tick, or all are even.

    AVI's tick is a frame. With B-frames it holds its first picture, and what a tick was rounded from is not known.
    """
    frames = base.reference.frames
    steps = {after.start_s - before.start_s for before, after in itertools.pairwise(frames)}
    return base.output.rate < 61 and (len(steps) == 1 or base.reference.time_base / 2 < _LEAST_MOVED_S)


def _fewer(base: Base, count: float) -> int:
    return base.frames - int(count)


def _length_s(base: Base) -> float:
    return float(base.frames / base.output.rate)


def _rounded_s(base: Base, _: int, time_s: float, ms: float) -> float:
    """FFmpeg counts from the start of the file, which may be that of its sound."""
    starts_s = [
        base.output.frames[0].start_s,
        *(each.start_s for each in base.output.sounds if each.start_s is not None),
    ]
    before_s = float(starts_s[0] - min(starts_s))
    return float(np.floor((time_s + before_s) * 1e3 / ms + 0.5)) * ms / 1e3


def _shortened(base: Base, faulty: StreamFacts, _: float) -> str | None:
    held_s = [facts.frames[-1].duration_s or 0 for facts in (base.output, faulty)]
    return None if held_s[1] <= Fraction(1, 30) < held_s[0] else f"the last frame lasts {float(held_s[1]):.3f} s"


FRAME_FAULTS: Final = (
    Fault(
        "lost-at-start",
        "frames",
        (),
        (1, 3),
        "one frame, where the picture moves",
        ("frames.first", "frames.missing"),
        planted(picture_filter(lambda _, n: f"select='gte(n,{int(n)})'"), counted(_fewer)),
        flows,
    ),
    Fault(
        "lost-in-middle",
        "frames",
        (),
        (1, 3),
        "one frame, where the picture moves",
        ("frames.missing",),
        planted(picture_filter(lambda base, n: f"select='not({from_moving(base, n)})'"), counted(_fewer)),
        moves(),
    ),
    Fault(
        "lost-at-end",
        "frames",
        (),
        (1, 4),
        "one frame, where the picture moves",
        # Behind a fade its last pictures are all alike: then what is missing is said without its place.
        ("frames.last", "frames.missing"),
        planted(picture_filter(lambda base, n: f"select='lt(n,{base.frames - int(n)})'"), counted(_fewer)),
        flows,
    ),
    Fault(
        "every-nth-lost",
        "frames",
        (),
        (9, 5),
        "one frame, where the picture moves",
        ("frames.missing",),
        planted(
            picture_filter(lambda _, n: f"select='mod(n+4,{int(n)})'"),
            counted(lambda base, n: sum((k + 4) % int(n) > 0 for k in range(base.frames))),
        ),
        flows,
    ),
    Fault(
        "lost-and-closed-up",
        "frames",
        (),
        (1, 4),
        "one frame, where the picture moves",
        ("frames.missing", "time.stamps", "frames.last"),
        planted(
            picture_filter(lambda base, n: f"select='not({from_moving(base, n)})',setpts=N/({base.output.rate})/TB"),
            counted(_fewer),
        ),
        all_of(moves(), constant_rate),
    ),
    Fault(
        "doubled",
        "frames",
        (),
        (1, 3),
        "one frame, where the picture moves",
        ("frames.repeated", "frames.frozen", "frames.missing"),
        planted(
            picture_filter(lambda base, n: _freeze(base.moving, base.moving + int(n) - 1, base.moving - 1)),
            is_shown_instead(lambda base, n: {base.moving + k: base.moving - 1 for k in range(int(n))}),
        ),
        moves(),
    ),
    Fault(
        "swapped-frames",
        "frames",
        (),
        (1, 3),
        "two frames, where the picture moves by more than coding is off",
        ("frames.order", "frames.missing", "frames.repeated"),
        planted(
            picture_filter(_swap),
            is_shown_instead(lambda base, n: {base.moving: base.moving + int(n), base.moving + int(n): base.moving}),
        ),
        lambda base: base.motion >= max(1, 1.5 * base.error),
    ),
    Fault(
        "frozen",
        "frames",
        (),
        (4, 8),
        "standing still where the reference moves",
        ("frames.frozen", "frames.repeated", "frames.missing"),
        planted(
            picture_filter(lambda base, n: _freeze(base.moving, base.moving + int(n), base.moving)),
            is_shown_instead(lambda base, n: {base.moving + k: base.moving for k in range(1, int(n) + 1)}),
        ),
        flows,
    ),
    Fault(
        "black-frame",
        "frames",
        (),
        (1, 4),
        "one frame",
        ("frames.black",),
        seen(picture_filter(lambda base, n: f"drawbox=c=black:t=fill:enable='{from_moving(base, n)}'")),
        lit,
    ),
    Fault(
        "green-frame",
        "frames",
        (),
        (1, 4),
        "one frame of zero codes",
        ("frames.green",),
        seen(picture_filter(lambda base, n: f"lutyuv=y=0:u=0:v=0:enable='{from_moving(base, n)}'")),
        has_chroma,
    ),
    Fault(
        "foreign-frame",
        "frames",
        (),
        (1, 4),
        "one frame of another clip",
        (*PICTURE_CHECKS, "frames.missing", "frames.order", "frames.readable"),
        seen(_foreign),
    ),
    Fault(
        "interlaced",
        "frames",
        (),
        (1,),
        "fields of two moments in a frame, where the picture moves by more than coding is off",
        ("picture.fields",),
        picture_filter(lambda *_: "phase=t"),
        lambda base: base.steady_motion >= max(4, 1.5 * base.error) and eight_bits_limited(base),
    ),
    Fault(
        "rate",
        "times",
        (0.0001,),
        (0.001, 0.01),
        "2e-4 of the rate, or half a tick",
        TIME_CHECKS,
        planted(
            picture_filter(lambda _, share: f"setpts=PTS*{1 + share}"),
            times_are(
                lambda _, __, time_s, share: time_s * (1 + share), lambda base, share: 0.9 * share * _length_s(base)
            ),
        ),
        all_of(constant_rate, _is_finely_timed),
    ),
    Fault(
        "picture-drifts",
        "times",
        (2,),
        (20, 60),
        "half a tick; 8 ms of drift",
        (*TIME_CHECKS, "audio.drift"),
        planted(
            picture_filter(lambda base, ms: f"setpts='PTS*(1+{ms / 1e3}/{float(base.frames / base.output.rate):.4f})'"),
            times_are(
                lambda base, _, time_s, ms: time_s * (1 + ms / 1e3 / _length_s(base)), lambda _, ms: 0.9 * ms / 1e3
            ),
        ),
        heard,
    ),
    Fault(
        "picture-starts-late",
        "times",
        (8,),
        (40, 200),
        "15 ms against the sound",
        ("audio.offset", "time.start"),
        delayed_exactly("v"),
        shows_when_it_is,
    ),
    Fault(
        "last-hold-lost",
        "times",
        (),
        (1,),
        "1.5 frames of length",
        ("time.duration", "frames.last"),
        planted(_last_hold, _shortened),
        lambda base: (base.output.frames[-1].duration_s or 0) > Fraction(3, 10),
    ),
    Fault(
        "jitter",
        "times",
        (0.3,),
        (6, 15),
        "half a tick of the coarser file, of one with even times of the output",
        TIME_CHECKS,
        planted(
            picture_filter(lambda _, ms: f"setpts='PTS+mod(N,2)*{ms / 1e3}/TB'"),
            times_are(lambda _, n, time_s, ms: time_s + n % 2 * ms / 1e3, lambda _, ms: ms / 1e3),
        ),
        _tells_times,
    ),
    Fault(
        "one-late",
        "times",
        (0.3,),
        (6, 12),
        "half a tick of the coarser file, of one with even times of the output",
        TIME_CHECKS,
        planted(
            picture_filter(lambda base, ms: f"setpts='PTS+eq(N,{base.moving})*{ms / 1e3}/TB'"),
            times_are(lambda base, n, time_s, ms: time_s + (n == base.moving) * ms / 1e3, lambda _, ms: ms / 1e3),
        ),
        _tells_times,
    ),
    Fault(
        "rounded-times",
        "times",
        (),
        (10, 15),
        "half a tick of the coarser file, of one with even times of the output",
        TIME_CHECKS,
        planted(
            picture_filter(lambda _, ms: f"setpts='floor(PTS*TB*1000/{ms}+0.5)*{ms}/1000/TB'"),
            times_are(_rounded_s, lambda _, __: 0.002),
        ),
        lambda base: (
            base.output.rate in {24, Fraction(24000, 1001), 30, Fraction(30000, 1001), 60, Fraction(60000, 1001)}
            and _tells_times(base)
        ),
    ),
)
