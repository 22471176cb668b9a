"""Sound against picture within one file, from flashes and beeps whose times are known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from capbench.quality.metrics.flash_sync import beep_onsets_s, measure_flash_sync
from capbench.quality.reading.observed_frame import FrameRecord
from capbench.quality.reading.sound_envelope import Sound

RATE = 30
FLASH_FRAMES = 3


def frames(seconds: int, *, rate: int = RATE, start_s: Fraction = Fraction(0)) -> list[FrameRecord]:
    """A recording that flashes for a tenth of a second at the start of each second."""
    return [
        FrameRecord(
            index=index,
            time_s=start_s + Fraction(index, rate),
            number=index,
            number_visible=True,
            mean_codes=(80.0, 128.0, 128.0),
            spread_codes=20.0,
            moved_codes=1.0,
            flash=1.0 if index % rate < FLASH_FRAMES * rate / RATE else 0.05,
        )
        for index in range(seconds * rate)
    ]


def beeps(onsets_ms: list[float], length_ms: float = 100, level: float = 0.35, start_bin: int = 0) -> Sound:
    """Beeps over faint noise, for six seconds."""
    line = np.full(6000, 0.0006, np.float32)
    for onset in onsets_ms:
        line[round(onset) - start_bin : round(onset + length_ms) - start_bin] = level
    return Sound(1, 2, start_bin, line, 0.0, 0.0, None)


@pytest.mark.parametrize("shift_ms", [0, -120, 37, 400])
def test_a_known_shift_is_measured_within_the_file(shift_ms: int) -> None:
    shown = frames(5)

    found = measure_flash_sync(shown, range(len(shown)), shown, beeps([1000 * n + shift_ms for n in range(1, 5)]))

    assert found is not None
    assert found.start_ms == pytest.approx(shift_ms, abs=1)
    assert found.end_ms == pytest.approx(shift_ms, abs=1)
    assert found.flashes == 4


def test_drift_is_the_change_from_first_to_last() -> None:
    shown = frames(6)

    found = measure_flash_sync(shown, range(len(shown)), shown, beeps([1000 * n * 1.02 for n in range(6)]))

    assert found is not None
    assert (found.start_ms, found.end_ms) == pytest.approx((0, 100), abs=1)


def test_what_was_cut_off_or_moved_with_the_picture_is_no_offset() -> None:
    """Two frames lost at the start, all times moved: the flash is still on when the file begins."""
    whole = frames(4)
    kept = [
        FrameRecord(index, record.time_s + 2, record.number, True, (80, 128, 128), 20.0, 1.0, record.flash)
        for index, record in enumerate(whole[2:])
    ]

    found = measure_flash_sync(kept, range(2, len(whole)), whole, beeps([2000, 3000, 4000]))

    assert found is not None
    assert (found.start_ms, found.end_ms) == pytest.approx((0, 0), abs=1)
    assert found.flashes == 3


def test_a_lower_rate_shows_flashes_late_and_is_in_sync() -> None:
    """At 7 fps a flash may first be shown 80 ms in: what is late is the picture's rate."""
    whole = frames(5)
    times = [Fraction(index, 7) for index in range(35)]
    shown = [int(time * RATE) for time in times]
    output = [
        FrameRecord(index, time, None, True, (80, 128, 128), 20.0, 1.0, whole[match].flash)
        for index, (time, match) in enumerate(zip(times, shown, strict=True))
    ]

    found = measure_flash_sync(output, shown, whole, beeps([1000 * n for n in range(5)]))

    assert found is not None
    assert abs(found.start_ms) < 1000 / RATE
    assert abs(found.end_ms) < 1000 / RATE


def test_one_late_flash_moves_nothing() -> None:
    shown = frames(6)
    dark = [
        record if record.index != 3 * RATE else FrameRecord(record.index, record.time_s, 90, True, (0,) * 3, 0, 0, 0.0)
        for record in shown
    ]

    found = measure_flash_sync(dark, range(len(dark)), shown, beeps([1000 * n for n in range(6)]))

    assert found is not None
    assert (found.start_ms, found.end_ms) == pytest.approx((0, 0), abs=1)


@pytest.mark.parametrize(
    "sound",
    [
        beeps([]),
        beeps([1000, 2000], level=0.005),
        beeps([1000, 2000], length_ms=40),
        beeps([1000, 2000], length_ms=400),
    ],
    ids=["silence", "too quiet", "clicks", "speech"],
)
def test_what_is_no_beep_is_no_mark(sound: Sound) -> None:
    shown = frames(4)

    assert beep_onsets_s(sound) == []
    assert measure_flash_sync(shown, range(len(shown)), shown, sound) is None


def test_without_flashes_in_sight_there_is_nothing_to_measure() -> None:
    hidden = [
        FrameRecord(record.index, record.time_s, None, False, (80, 128, 128), 20.0, 1.0, None) for record in frames(3)
    ]

    assert measure_flash_sync(hidden, range(len(hidden)), frames(3), beeps([0, 1000, 2000])) is None


def test_onsets_count_from_the_files_own_clock() -> None:
    assert beep_onsets_s(beeps([1250], start_bin=200)) == pytest.approx([1.25])
