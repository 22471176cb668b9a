"""Output times: rising, exact, and at a constant rate one frame for each tick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from capbench.errors import SourceError
from capbench.pipeline.decode.frame_times import (
    SteadyClock,
    StrayTimes,
    at_constant_rate,
    at_source_times,
    check_apart,
    writable_pauses_s,
)

MS = Fraction(1, 1000)


@dataclass(slots=True)
class Frame:
    """As much of an `av.VideoFrame` as times need."""

    pts: int | None
    duration: int = 0
    time_base: Fraction | None = MS
    number: int = 0


def frames_at(rate: Fraction, count: int, time_base: Fraction = MS) -> list[Frame]:
    """Frames of a constant rate, times and durations rounded to the time base, as files have them."""
    ticks = [round(n / rate / time_base) for n in range(count + 1)]
    return [Frame(ticks[n], round(1 / rate / time_base), time_base, n) for n in range(count)]


def resampled(frames: list[Frame], rate: Fraction, origin_s: Fraction = Fraction(0)) -> list[int]:
    """Numbers of the frames shown, checking that ticks follow each other."""
    timed = list(at_constant_rate(frames, origin_s, rate, Fraction(30)))
    assert [item.pts for item in timed] == list(range(timed[0].pts, timed[0].pts + len(timed)))
    assert {item.duration for item in timed} == {1}
    return [item.frame.number for item in timed]


@pytest.mark.parametrize("time_base", [MS, Fraction(1, 90000), Fraction(1, 15360)])
@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30), Fraction(30000, 1001), Fraction(60), Fraction(120)])
def test_own_rate_maps_one_to_one_whatever_the_rounding(rate: Fraction, time_base: Fraction) -> None:
    assert resampled(frames_at(rate, 300, time_base), rate) == list(range(300))


@pytest.mark.parametrize(
    ("rate", "count"),
    [(Fraction(20), 24), (Fraction(10), 12), (Fraction(120), 144), (Fraction(25), 30)],
)
def test_length_stays(rate: Fraction, count: int) -> None:
    """1.2 s of 60 fps."""
    numbers = resampled(frames_at(Fraction(60), 72, Fraction(1, 15360)), rate)

    assert len(numbers) == count
    assert numbers == sorted(numbers)


def test_doubling_shows_each_frame_twice() -> None:
    assert resampled(frames_at(Fraction(10), 3), Fraction(20)) == [0, 0, 1, 1, 2, 2]


def test_still_frame_is_held() -> None:
    assert resampled([Frame(0, 500, number=0), Frame(500, 100, number=1)], Fraction(10)) == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("duration", [0, 1])
def test_frame_of_no_length_is_still_shown(duration: int) -> None:
    assert resampled([Frame(0, duration)], Fraction(10)) == [0]


def test_no_frames_give_none() -> None:
    assert list(at_constant_rate([], Fraction(0), Fraction(10), Fraction(30))) == []


def test_late_start_is_kept() -> None:
    timed = list(at_constant_rate([Frame(1000, 100), Frame(1100, 100)], Fraction(0), Fraction(10), Fraction(30)))

    assert [item.pts for item in timed] == [10, 11]


def test_source_times_are_counted_from_the_origin() -> None:
    timed = list(at_source_times([Frame(8333, 33), Frame(8400)], Fraction(8), Fraction(30)))

    assert [(item.pts, item.duration) for item in timed] == [(333, 33), (400, 33)]


def steadied(
    frames: Sequence[Frame], shifts_s: Sequence[int | Fraction] | None = None
) -> tuple[list[int | None], list[str]]:
    warnings: list[str] = []
    clock = SteadyClock(warnings.append)
    for number, frame in enumerate(frames):
        clock.apply(frame, Fraction(shifts_s[number]) if shifts_s else Fraction(0))
    return [frame.pts for frame in frames], warnings


_MOST_S = 24 * 3600 + 60 * 60 + 3600
"""Pauses of a day in all, a minute for each other frame, and what the last one claims."""


@pytest.mark.parametrize("tick_s", [2, 3600, 559241])
def test_ticks_of_hours_do_not_keep_a_jump_in(tick_s: int) -> None:
    frames = [Frame(number, 1, Fraction(tick_s), number) for number in range(60)]
    steadied(frames)

    starts = [(frame.pts or 0) * Fraction(frame.time_base or 0) for frame in frames]
    last_s = frames[-1].duration * Fraction(frames[-1].time_base or 0)
    assert min(later - earlier for earlier, later in pairwise(starts)) >= Fraction(1, 30)
    assert starts[-1] - starts[0] + last_s <= _MOST_S


@pytest.mark.parametrize("tick_s", [2, 559241])  # at 3600 it takes 13 s to count the 2.7 million frames of a day
def test_every_frame_of_coarse_ticks_is_shown(tick_s: int) -> None:
    frames = [Frame(number, 1, Fraction(tick_s), number) for number in range(60)]
    steadied(frames)

    shown = list(at_constant_rate(frames, Fraction(0), Fraction(30), Fraction(30)))

    assert {item.frame.number for item in shown} == set(range(60))
    assert len(shown) <= 30 * _MOST_S


def test_ticks_of_seconds_keep_their_times() -> None:
    frames = [Frame(number, 1, Fraction(5, 2)) for number in range(4)]
    steadied(frames)

    assert [(frame.pts or 0) * (frame.time_base or 0) for frame in frames] == [0, Fraction(5, 2), 5, Fraction(15, 2)]


def test_a_first_time_that_cannot_be_counted_is_refused() -> None:
    with pytest.raises(SourceError, match="damaged"):
        steadied([Frame(2**61, 1, Fraction(559241))])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([(0, 40), (40, 40), (80, 40)], [0, 40, 80], id="good"),
        pytest.param([(None, 40), (None, 40), (None, 40)], [0, 40, 80], id="no-times"),
        pytest.param([(0, 40), (None, 40), (80, 40)], [0, 40, 80], id="one-missing"),
        pytest.param([(0, 40), (0, 40), (40, 40)], [0, 1, 40], id="repeated"),
        pytest.param([(0, 40), (40, 40), (30, 40), (80, 40)], [0, 40, 41, 80], id="slip"),
        pytest.param([(-80, 40), (-40, 40)], [-80, -40], id="negative"),
        pytest.param([(0, 0), (40, 0), (None, 0)], [0, 40, 80], id="no-durations"),
    ],
)
def test_times_rise(given: list[tuple[int | None, int]], expected: list[int]) -> None:
    times, warnings = steadied([Frame(pts, duration) for pts, duration in given])

    assert times == expected
    assert warnings == []


def test_clock_that_starts_anew_goes_on() -> None:
    times, warnings = steadied([Frame(5000, 40), Frame(5040, 40), Frame(0, 40), Frame(40, 40)])

    assert times == [5000, 5040, 5080, 5120]
    assert len(warnings) == 1
    assert "frame 2" in warnings[0]


def test_clock_that_leaps_goes_on() -> None:
    """Eleven days of the same picture are a damaged time stamp; an hour may be a talk without slides."""
    times, warnings = steadied([Frame(0, 40), Frame(3_600_000, 40), Frame(10**9, 40), Frame(10**9 + 40, 40)])

    assert times == [0, 3_600_000, 3_600_040, 3_600_080]
    assert len(warnings) == 1


def test_parts_are_joined_in_the_first_ones_time_base() -> None:
    """The second part counts in 1/90000 s from 2 s, and is to begin at 0.08 s."""
    second = [Frame(180000, 3600, Fraction(1, 90000)), Frame(183600, 3600, Fraction(1, 90000))]
    shift_s = Fraction(8, 100) - 2

    times, _ = steadied([Frame(0, 40), Frame(40, 40), *second], [0, 0, shift_s, shift_s])

    assert times == [0, 40, 80, 120]
    assert [(frame.duration, frame.time_base) for frame in second] == [(40, MS), (40, MS)]


def test_a_length_of_days_is_not_believed() -> None:
    """With a constant rate the last frame would be shown again some millions of times."""
    frames = [Frame(0, 40, number=0), Frame(40, 5 * 24 * 3_600_000, number=1)]

    times, warnings = steadied(frames)

    assert times == [0, 40]
    assert len(warnings) == 1
    assert "frame 1" in warnings[0]
    assert resampled(frames, Fraction(25)) == [0, 1]


def test_pauses_do_not_add_up_to_weeks() -> None:
    """Each of five hours may be true, a hundred of them are not: an hour takes 20 bytes of a file."""
    five_hours = 5 * 3_600_000
    frames = [Frame(n * five_hours, 40) for n in range(100)]

    times, warnings = steadied(frames)

    assert times[:5] == [n * five_hours for n in range(5)]
    assert (times[-1] or 0) < 25 * 3_600_000
    assert len(warnings) > 90


@pytest.mark.parametrize("apart_s", [0, 5.9 * 3600, -5.9 * 3600])
def test_sound_and_picture_may_start_hours_apart(apart_s: float) -> None:
    check_apart(Path("clip.mp4"), Fraction(apart_s))


@pytest.mark.parametrize(("apart_s", "order"), [(24 * 24 * 3600, "after"), (-24 * 24 * 3600, "before")])
def test_sound_that_starts_days_away_is_refused(apart_s: int, order: str) -> None:
    with pytest.raises(SourceError, match=rf"clip\.mp4 starts 576 h 00 min {order} its picture"):
        check_apart(Path("clip.mp4"), Fraction(apart_s))


HOUR = 3_600_000


@pytest.mark.parametrize(
    ("given", "expected", "found"),
    [
        pytest.param([0, 40, 3 * HOUR, 120], [0, 40, None, 120], 1, id="ahead"),
        pytest.param(
            [3 * HOUR, 3 * HOUR + 40, 80, 3 * HOUR + 120],
            [3 * HOUR, 3 * HOUR + 40, None, 3 * HOUR + 120],
            1,
            id="behind",
        ),
        pytest.param([0, 3 * HOUR, 80, 120, HOUR, 200], [0, None, 80, 120, None, 200], 2, id="two"),
        pytest.param([0, 40, HOUR, HOUR + 40], [0, 40, HOUR, HOUR + 40], 0, id="pause"),
        pytest.param([0, 40, HOUR, None, 120], [0, 40, HOUR, None, 120], 0, id="no-time-behind-it"),
        pytest.param([5000, 5040, 0, 40], [5000, 5040, 0, 40], 0, id="restart"),
        pytest.param([0, 40, HOUR, 3 * HOUR], [0, 40, HOUR, 3 * HOUR], 0, id="a-picture-an-hour"),
        pytest.param([0, 40, HOUR], [0, 40, HOUR], 0, id="at-the-end"),
        pytest.param([], [], 0, id="nothing"),
    ],
)
def test_a_time_far_from_both_neighbours_is_not_followed(
    given: list[int | None], expected: list[int | None], found: int
) -> None:
    """One flipped bit of a transport stream put three hours of silence, or of a still, into half a second."""
    strays = StrayTimes[Frame](holds_first=False)

    frames = [ready for pts in given for ready, _ in strays.checked(Frame(pts, 40), Fraction(0))]
    frames += [ready for ready, _ in strays.rest()]

    assert [frame.pts for frame in frames] == expected
    assert strays.found == found


@pytest.mark.parametrize(("holds_first", "first"), [(True, 0), (False, 3 * HOUR)])
def test_the_first_time_is_checked_by_the_second_where_that_is_asked_for(holds_first: bool, first: int) -> None:
    strays = StrayTimes[Frame](holds_first=holds_first)

    frames = [ready for pts in (3 * HOUR, 40, 80) for ready, _ in strays.checked(Frame(pts, 40), Fraction(0))]

    assert [frame.pts for frame in frames] == [first, 40, 80]


def test_times_of_parts_are_compared_on_one_clock() -> None:
    """The second part of a playlist begins at 0 again, and is shifted to where the first ends."""
    strays = StrayTimes[Frame](holds_first=False)
    parts = [(3 * HOUR, Fraction(0)), (0, Fraction(3 * 3600)), (40, Fraction(3 * 3600))]

    assert [ready.pts for pts, shift_s in parts for ready, _ in strays.checked(Frame(pts), shift_s)] == [
        3 * HOUR,
        0,
        40,
    ]


@pytest.mark.parametrize(
    "frames",
    [
        [Frame(0, 40), Frame(3 * HOUR, 40)],
        [Frame(0, 40), Frame(40, 3 * HOUR)],
        [Frame(0, 40), Frame(HOUR, 40), Frame(3 * HOUR, 40)],
    ],
    ids=["a-pause", "the-last-frame", "two-pauses"],
)
def test_pauses_that_a_file_cannot_pay_for_are_refused_at_a_constant_rate(frames: list[Frame]) -> None:
    """3 hours at 30 a second are 324,000 frames, whatever the file has to show for them."""
    shown = at_constant_rate(frames, Fraction(0), Fraction(30), Fraction(30), pauses_s=Fraction(2 * 3600))

    with pytest.raises(SourceError, match="without --fps"):
        assert sum(1 for _ in shown) < 30 * 3600


def test_pauses_within_a_minute_are_no_matter_of_size() -> None:
    frames = [Frame(60_000 * number, 40) for number in range(5)]

    shown = list(at_constant_rate(frames, Fraction(0), Fraction(1), Fraction(30), pauses_s=Fraction(0)))

    assert len(shown) == 241


def test_larger_files_may_pause_for_longer() -> None:
    """Ten minutes for any, a day for a recording of 100 MB."""
    assert writable_pauses_s(0) == 600
    assert writable_pauses_s(100_000_000) > 24 * 3600
