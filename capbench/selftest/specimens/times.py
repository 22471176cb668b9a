"""Time stamps that are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from capbench.selftest.reencode import Remake, Shot, remake
from capbench.selftest.selftest_report import Mutates
from capbench.selftest.specimen import Pair, register_change, register_pair, source_clip

__all__: list[str] = []


def _moved(move: Callable[[Fraction], Fraction]) -> Callable[[], Remake]:
    def shots(source: Iterator[Shot]) -> Iterator[Shot]:
        for shot in source:
            yield replace(shot, time_s=move(shot.time_s))

    return lambda: Remake(shots=shots)


register_change(
    name="pts-off-by-one",
    family="time",
    defect="every picture carries its successor's time stamp",
    caught_by=["audio.offset"],
    mutates=Mutates.MUXING,
    change=_moved(lambda time_s: time_s + Fraction(1, 30)),
)
register_change(
    name="rate-rounded",
    family="time",
    defect="30000/1001 fps is written as 30: a second is lost every quarter of an hour",
    caught_by=["time.rate"],
    mutates=Mutates.MUXING,
    change=_moved(lambda time_s: time_s * Fraction(1000, 1001)),
    rate=Fraction(30000, 1001),
)
register_change(
    name="times-in-centiseconds",
    family="time",
    defect="time stamps are rounded to 10 ms, as GIF has them",
    caught_by=["time.stamps"],
    mutates=Mutates.MUXING,
    change=_moved(lambda time_s: Fraction(round(time_s * 100), 100)),
)


@register_pair(
    name="start-offset-dropped",
    family="time",
    defect="the picture starts half a second after the sound, the output starts both at once",
    caught_by=["audio.offset"],
    mutates=Mutates.MUXING,
)
def _start_dropped(folder: Path) -> Pair:
    source = source_clip()
    reference = remake(source, folder / "late-start.mp4", _moved(lambda time_s: time_s + Fraction(1, 2))())
    back = _moved(lambda time_s: time_s - Fraction(1, 2))()
    return Pair(reference, remake(reference, folder / "start-dropped.mp4", back))


@register_pair(
    name="last-picture-not-held",
    family="time",
    defect="a recording that stands still at its end loses its last seconds: the last picture is shown for one frame",
    caught_by=["time.duration"],
    mutates=Mutates.MUXING,
)
def _last_not_held(folder: Path) -> Pair:
    def slow(source: Iterator[Shot]) -> Iterator[Shot]:
        # Few pictures far apart: a mean interval is seconds, and no measure for the last one.
        shots = list(source)[::6]
        for number, shot in enumerate(shots):
            yield replace(shot, time_s=Fraction(number * (number + 1), 20))

    held = Remake(shots=slow, last_held_s=Fraction(3, 2), audio=lambda _: None)
    reference = remake(source_clip(), folder / "held.mp4", held)
    short = Remake(last_held_s=Fraction(1, 30), audio=lambda _: None)
    return Pair(reference, remake(reference, folder / "not-held.mp4", short))
