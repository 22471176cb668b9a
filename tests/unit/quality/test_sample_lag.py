"""Sounds timed by their samples: what is quiet, what has a gap, what is alike elsewhere, what a codec made anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.checks import sound_checks
from capbench.quality.measurements import Measurements
from capbench.quality.metrics.sample_lag import SampleCorrelation
from capbench.quality.metrics.sound_lag import measure_lag, silent_gaps
from capbench.quality.reading.sound_envelope import PIECE_SAMPLES, SOUND_RATE_HZ, Sound, SoundMeasurements

Samples = NDArray[np.float64]


def heard(samples: Samples, late_ms: float = 0.0, origin_s: float = 0.0, stride: int = 1) -> Sound:
    """Both sides alike, as `listen` hears it: it starts so late after the first picture, which is at `origin_s`."""
    late = round(late_ms * SOUND_RATE_HZ / 1e3)
    shown = np.concatenate([np.zeros(max(0, late)), samples[max(0, -late) :]]).astype(np.float32)
    bins = shown[: len(shown) // 48 * 48].reshape(-1, 48)
    whole = np.pad(shown, (0, -len(shown) % PIECE_SAMPLES)).reshape(-1, PIECE_SAMPLES)
    return Sound(
        tracks=1,
        channels=2,
        start_bin=round(origin_s * 1e3),
        level=np.sqrt((bins**2).mean(axis=1)),
        clipped_share=0.0,
        side_share=0.0,
        error=None,
        origin_s=origin_s,
        pieces={number: np.stack([piece, piece]) for number, piece in enumerate(whole) if number % stride == 0},
    )


def noise(length_s: float, level: float = 0.1, seed: int = 1) -> Samples:
    """Noise whose loudness wanders by a third, below 4 kHz."""
    count = round(length_s * SOUND_RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 1, count))
    spectrum[np.fft.rfftfreq(count, 1 / SOUND_RATE_HZ) > 4000] = 0
    samples = np.fft.irfft(spectrum, count)
    samples *= 1 + 0.3 * np.sin(2 * np.pi * 1.3 * np.arange(count) / SOUND_RATE_HZ)
    made: Samples = level * samples / samples.std()
    return made


def struck(length_s: float) -> Samples:
    """Rough strokes at 0.05 and 0.9 s that die away, over a faint background."""
    time = np.arange(round(length_s * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    shape = sum(np.where(time > at, np.exp(-np.maximum(time - at, 0) / 0.15), 0) for at in (0.05, 0.9))
    return noise(length_s, 0.2) * shape + noise(length_s, 1e-3, seed=2)


@pytest.mark.parametrize("level", [0.1, 10 ** (-65 / 20)], ids=["loud", "-65 dB"])
@pytest.mark.parametrize("late_ms", [-80, -23, 0, 30, 400])
def test_noise_is_timed_however_quiet(late_ms: int, level: float) -> None:
    """Exports of noise at -65 dB passed that were 23 and 30 ms early; steady sound 80 ms early was said to drift."""
    lag = measure_lag(heard(noise(1.2, level)), heard(noise(1.2, level), late_ms, origin_s=2.0))

    assert lag is not None
    assert lag.start_ms == pytest.approx(2000 + late_ms, abs=0.1)
    assert (lag.drift_ms or 0.0) == pytest.approx(0, abs=0.1)
    assert lag.is_same_sound


@pytest.mark.parametrize("level", [1e-15, 1.5e-5, 5e-5])
def test_dither_has_no_lag(level: float) -> None:
    """Whatever is in silence, nobody hears when it comes."""
    assert measure_lag(heard(noise(1.2, level)), heard(noise(1.2, level), 30)) is None


@pytest.mark.parametrize("level", [10 ** (-65 / 20), 10 ** (-55 / 20)])
def test_quiet_noise_that_a_codec_made_anew_has_no_lag(level: float) -> None:
    assert measure_lag(heard(noise(1.2, level)), heard(noise(1.2, level, seed=9), 30)) is None


def test_a_gap_is_no_lag() -> None:
    """The envelope of a stroke with a gap in it fits what dies away behind it: 147 ms late, drifting by -152."""
    broken = struck(1.6)
    broken[round(0.15 * SOUND_RATE_HZ) : round(0.25 * SOUND_RATE_HZ)] = 0

    lag = measure_lag(heard(struck(1.6)), heard(broken))

    assert lag is not None
    assert (lag.start_ms, lag.drift_ms) == (0, 0)
    ((start_s, end_s),) = silent_gaps(heard(struck(1.6)), heard(broken), lag, least_ms=17)
    assert end_s - start_s == pytest.approx(0.1, abs=0.01)


def string(length_s: float, decay_s: float, overtones: int = 6) -> Samples:
    """A string of 220 Hz that is plucked at 0.05 s, over what a codec adds."""
    age = np.maximum(np.arange(round(length_s * SOUND_RATE_HZ)) / SOUND_RATE_HZ - 0.05, 0)
    shape = np.minimum(1, age / 0.004) * np.exp(-age / decay_s)
    tone = np.zeros_like(age)
    for n in range(1, overtones + 1):
        tone += np.sin(2 * np.pi * 220 * n * age) / n**1.5
    made: Samples = 0.3 * shape * tone
    return made


def coded(samples: Samples) -> Samples:
    return samples + np.random.default_rng(3).normal(0, 3e-4, len(samples))


DYING = [(0.1, 1), (0.1, 6), (0.3, 1), (0.3, 6), (0.8, 6)]


@pytest.mark.parametrize(("decay_s", "overtones"), DYING)
@pytest.mark.parametrize(("at_s", "gap_ms"), [(0.15, 25), (0.15, 40), (0.15, 100), (0.3, 40)])
def test_a_gap_in_a_tone_that_dies_away_is_a_gap(decay_s: float, overtones: int, at_s: float, gap_ms: int) -> None:
    """Any later period of it is alike, only quieter: with the gap it was called 146 to 200 ms late, and no gap."""
    sound = string(1.6, decay_s, overtones)
    broken = sound.copy()
    broken[round(at_s * SOUND_RATE_HZ) : round((at_s + gap_ms / 1e3) * SOUND_RATE_HZ)] = 0

    assert checked(heard(sound), heard(coded(broken))) == {"audio.gaps"}
    assert checked(heard(sound), heard(coded(sound))) == set()


@pytest.mark.parametrize(("decay_s", "overtones"), DYING)
@pytest.mark.parametrize("late_ms", [-25, 18, 25, 80, 300])
def test_a_tone_that_dies_away_is_as_late_as_it_is(decay_s: float, overtones: int, late_ms: int) -> None:
    sound = string(1.6, decay_s, overtones)

    lag = measure_lag(heard(sound), heard(coded(sound), late_ms))

    assert lag is not None
    assert lag.start_ms == pytest.approx(late_ms, abs=3)


@pytest.mark.parametrize("turn_s", [0.1, 0.25, 0.5, 0.8])
@pytest.mark.parametrize(("at_s", "gap_ms"), [(0.15, 100), (0.6, 25), (0.6, 100)])
def test_a_loop_with_a_gap_is_not_at_its_next_turn(turn_s: float, at_s: float, gap_ms: int) -> None:
    """With 100 ms missing it was called 800 and 1000 ms late."""
    loop = np.tile(noise(turn_s), 24)[: round(2.4 * SOUND_RATE_HZ)]
    broken = loop.copy()
    broken[round(at_s * SOUND_RATE_HZ) : round((at_s + gap_ms / 1e3) * SOUND_RATE_HZ)] = 0

    assert checked(heard(loop), heard(broken)) == {"audio.gaps"}
    assert checked(heard(loop), heard(loop, 60)) == {"audio.offset"}


def test_a_tone_that_was_cut_at_its_end_is_not_placed_by_what_is_left() -> None:
    """It coincides with the whole as well anywhere."""
    tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(2 * SOUND_RATE_HZ) / SOUND_RATE_HZ)

    assert SampleCorrelation(heard(tone), heard(tone[: 3 * SOUND_RATE_HZ // 2])).lag(0, 2, is_whole=True).lag_s is None


def test_what_follows_a_gap_that_moves_it_drifts() -> None:
    """A gap that is put between two halves, and not over what was there."""
    sound = noise(2.4)
    torn = np.concatenate([sound[: len(sound) // 2], np.zeros(SOUND_RATE_HZ // 10), sound[len(sound) // 2 :]])

    lag = measure_lag(heard(sound), heard(torn))

    assert lag is not None
    assert lag.start_ms == pytest.approx(0, abs=0.1)
    assert lag.drift_ms == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize("length_s", [0.6, 0.8, 1.0])
def test_a_short_sound_whose_second_half_is_late_drifts(length_s: float) -> None:
    """Its envelope is too short for a lag at its end: `atempo=1.03` moved that of 1 s of sound by 30 ms, and passed."""
    sound = noise(length_s)
    middle = round(0.4 * len(sound))
    torn = np.concatenate([sound[:middle], noise(0.012, seed=5), sound[middle:]])

    assert checked(heard(sound), heard(torn)) == {"audio.drift"}
    assert checked(heard(sound), heard(sound, 12)) == set()


def test_a_sound_that_leaves_sync_by_its_end_is_out_of_sync() -> None:
    """It is 12 ms late, and 7 ms more at its end: neither is beyond its limit, and 19 ms are."""
    sound = noise(1.6)
    middle = round(0.4 * len(sound))
    torn = np.concatenate([sound[:middle], noise(0.007, seed=5), sound[middle:]])

    assert checked(heard(sound), heard(torn, 12)) == {"audio.offset"}
    assert checked(heard(sound), heard(torn, 4)) == set()


@pytest.mark.parametrize(
    "change",
    [lambda sound: sound + 0.05, lambda sound: -sound, lambda sound: np.clip(4 * sound, -0.2, 0.2)],
    ids=["an offset", "turned over", "clipped"],
)
def test_samples_are_told_through_what_leaves_their_shape(change: Callable[[Samples], Samples]) -> None:
    lag = measure_lag(heard(noise(1.2)), heard(change(noise(1.2)), 30))

    assert lag is not None
    assert lag.start_ms == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize(
    "made",
    [
        lambda time: 0.3 * np.sin(2 * np.pi * 440 * time),
        lambda time: np.tile(noise(0.25), 8)[: len(time)],
        lambda time: np.full_like(time, 0.1),
    ],
    ids=["a tone", "a loop", "an offset"],
)
def test_what_repeats_has_no_lag_by_its_samples(made: Callable[[Samples], Samples]) -> None:
    sound = made(np.arange(2 * SOUND_RATE_HZ) / SOUND_RATE_HZ)

    assert SampleCorrelation(heard(sound), heard(sound, 250)).lag(0.5, 1.5).lag_s is None


def test_of_what_repeats_the_expected_lag_is_meant() -> None:
    loop = np.tile(noise(0.25), 8)

    found = SampleCorrelation(heard(loop), heard(loop)).lag(1.0, 2.0, expected_s=0.0)

    assert found.lag_s == 0


def test_an_end_in_which_there_is_nothing_has_no_lag() -> None:
    ended = np.where(np.arange(2 * SOUND_RATE_HZ) < 0.8 * SOUND_RATE_HZ, noise(2.0), noise(2.0, 2e-5, seed=4))

    lag = measure_lag(heard(ended), heard(ended, 40))

    assert lag is not None
    assert lag.start_ms == pytest.approx(40, abs=0.1)
    assert lag.end_ms is None


@pytest.mark.parametrize("late_ms", [-60, 0, 60])
def test_of_a_long_sound_pieces_that_do_not_touch_are_kept(late_ms: int) -> None:
    sound = noise(8)

    found = SampleCorrelation(heard(sound, stride=4), heard(sound, late_ms, stride=4)).lag(0.0, 8.0)

    assert found.lag_s == pytest.approx(late_ms / 1e3, abs=1e-4)


def lost_head(samples: Samples, lost_ms: int) -> Sound:
    """The sound without its first milliseconds, in place."""
    silenced = np.where(np.arange(len(samples)) < lost_ms * SOUND_RATE_HZ // 1000, 0, samples)
    whole = heard(silenced)
    return replace(whole, start_bin=lost_ms, level=whole.level[lost_ms:])


@dataclass(frozen=True, slots=True)
class Rates:
    """Of two files, and when their first pictures come."""

    reference: int = 25
    wanted: int | None = None
    reference_ms: int = 0
    output_ms: int = 0


SAME_RATE = Rates()


def checked(reference: Sound, output: Sound, rates: Rates = SAME_RATE) -> set[str]:
    """Checks that fail of two sounds, whose pictures are the same."""
    before, after = (
        [SimpleNamespace(time_s=Fraction(start_ms, 1000) + Fraction(number, rates.reference)) for number in range(30)]
        for start_ms in (rates.reference_ms, rates.output_ms)
    )
    evidence = SimpleNamespace(
        sound=SoundMeasurements(reference, output),
        no_times_reason=None,
        marked=False,
        wanted_rate=None if rates.wanted is None else Fraction(rates.wanted),
        matches=range(30),
        reference=SimpleNamespace(
            frames=before,
            facts=SimpleNamespace(frame_rate=Fraction(rates.reference), time_base=Fraction(1, 90_000)),
        ),
        output=SimpleNamespace(frames=after),
    )
    found = sound_checks.check_sound(cast(Measurements, cast(Any, evidence)))
    return {check.name for check in found.checks if check.status == "fail"}


def test_a_shift_of_background_noise_is_named_and_a_change_of_its_level_is_not() -> None:
    """Opus at 24 kbit/s leaves out 4.7 dB of noise at -65 dB."""
    faint = noise(1.2, 10 ** (-65 / 20))

    assert checked(heard(faint), heard(faint, -23)) == {"audio.offset"}
    assert checked(heard(faint), heard(0.6 * faint)) == set()
    assert checked(heard(faint), heard(0.4 * faint)) == {"audio.level"}
    assert checked(heard(100 * faint), heard(60 * faint)) == {"audio.level"}


def test_a_gap_in_a_stroke_and_a_shift_of_noise_have_their_names() -> None:
    broken = struck(1.6)
    broken[round(0.15 * SOUND_RATE_HZ) : round(0.25 * SOUND_RATE_HZ)] = 0

    assert "audio.gaps" in checked(heard(struck(1.6)), heard(broken))
    assert not {"audio.offset", "audio.drift"} & checked(heard(struck(1.6)), heard(broken))
    # What an early sound loses at its head is part of the shift, and what is lost without one is a gap.
    assert checked(heard(noise(1.2)), heard(noise(1.2), -80)) == {"audio.offset"}
    assert checked(heard(noise(1.2)), lost_head(noise(1.2), 80)) == {"audio.gaps"}


@pytest.mark.parametrize(
    ("rates", "early_ms", "is_right"),
    [
        (Rates(wanted=25, reference_ms=80, output_ms=40), 18, True),
        (Rates(wanted=None, reference_ms=80, output_ms=40), 18, False),
        (Rates(wanted=25, reference_ms=80, output_ms=40), 35, False),
        (Rates(wanted=25), 18, False),
        (Rates(reference=50, wanted=25), 30, True),
        (Rates(reference=12, wanted=60), 30, True),
        (Rates(reference=12, wanted=60), 40, False),
    ],
)
def test_sync_allows_for_what_a_rate_makes_necessary(rates: Rates, early_ms: int, *, is_right: bool) -> None:
    """A sound that begins 22 ms before pictures of 25 fps is 40 ms ahead once they are counted from its start."""
    sound, begins_ms = noise(1.2), rates.reference_ms - 22 if rates.reference_ms else 0
    shown_ms = begins_ms - rates.reference_ms + rates.output_ms - early_ms
    reference, output = (
        replace(heard(sound, start_ms - first_ms), start_bin=start_ms, origin_s=first_ms / 1e3)
        for start_ms, first_ms in ((begins_ms, rates.reference_ms), (shown_ms, rates.output_ms))
    )

    assert ("audio.offset" not in checked(reference, output, rates)) is is_right
