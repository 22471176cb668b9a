"""What the referee finds: sound that is left out at the start, levels, where chroma lies, and a neighbour's picture."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.strangers import stream_facts
from tests.strangers.clip_facts import facts_at as facts
from tests.strangers.refereeing import plane_referee, sound_referee
from tests.strangers.refereeing.chroma_place import Lattice, place_chroma
from tests.strangers.refereeing.neighbour_pictures import judge_neighbours
from tests.strangers.refereeing.opinions import Finding
from tests.strangers.refereeing.sound_referee import compare_sound
from tests.strangers.stream_facts import SOUND_RATE_HZ, StreamFacts
from tests.strangers.test_study_parts import EVEN, chirps

LIMITS_DB = (0.8, 1.5)
Planes = np.ndarray[Any, np.dtype[np.float32]]


def opinions(found: list[Finding]) -> list[str]:
    return [finding.opinion.value for finding in found]


@pytest.mark.parametrize(
    ("lost_ms", "level", "is_a_cutting", "expected"),
    [
        (0, 1, False, []),
        (8, 1, False, []),
        (16, 1, False, ["doubtful"]),
        (104, 1, False, ["wrong"]),
        (104, 1, True, ["doubtful"]),
        (104, 0, False, []),
    ],
)
def test_sound_that_comes_before_the_first_picture_belongs_to_an_output(
    lost_ms: int, level: float, is_a_cutting: bool, expected: list[str]
) -> None:
    """Mpv begins with the first picture, and leaves out what was heard before it; the rest is in sync."""
    want = chirps()[:, SOUND_RATE_HZ * 3 // 10 :].copy()
    lost = SOUND_RATE_HZ * lost_ms // 1000
    want[:, :lost] *= level

    found = compare_sound(want, want[:, lost:], float(lost_ms), LIMITS_DB, {}, is_a_cutting=is_a_cutting)

    assert opinions(found) == expected


def noisy(lost: float) -> Planes:
    """Chirps, of which so much of the energy became another sound."""
    noise = np.random.default_rng(3).normal(0, 1, chirps().shape) * chirps().std(axis=1, keepdims=True)
    mixed: Planes = (np.sqrt(1 - lost) * chirps() + np.sqrt(lost) * noise).astype(np.float32)
    return mixed


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (chirps() * 10 ** (-0.5 / 20), set()),
        (chirps() * 10 ** (-1.1 / 20), {"doubtful"}),
        (chirps() * 10 ** (-1.9 / 20), {"wrong"}),
        (chirps() * 10 ** (1.9 / 20), {"wrong"}),
        (noisy(0.5) * 10 ** (-2.5 / 20), {"doubtful"}),
        (noisy(0.5) * 10 ** (-3.5 / 20), {"doubtful", "wrong"}),
        (chirps() + 0.08, set()),
    ],
    ids=["0.5 dB", "1.1 dB", "1.9 dB", "louder", "coarse", "half lost", "an offset"],
)
def test_a_level_is_off_as_far_as_both_regressions_agree(got: Planes, expected: set[str]) -> None:
    """Half of a quiet channel is lost by coding at 10 kbit/s; 1.9 dB of a sound that is all there are not.

    An offset of the whole, which Opus takes off, is no sound.
    """
    assert set(opinions(compare_sound(chirps(), got.astype(np.float32), 0.0, LIMITS_DB, {}))) == expected


@pytest.mark.parametrize(
    ("late_samples", "sign", "expected"), [(29, 1, set()), (240, 1, {"wrong"}), (0, -1, {"wrong"}), (29, -1, {"wrong"})]
)
def test_a_channel_that_opus_codes_by_itself_may_be_late_by_half_a_millisecond(
    late_samples: int, sign: int, expected: set[str]
) -> None:
    """The centre of 5.1 by 0.6 ms, which turns 800 Hz over; a channel that was turned over is so nearby as well."""
    want = np.concatenate([chirps(), chirps()[:1, ::-1]])
    want[2] = np.random.default_rng(4).normal(0, 0.1, want.shape[1])
    got = want.copy()
    got[2] = sign * np.roll(want[2], late_samples)

    assert set(opinions(compare_sound(want, got, 0.0, LIMITS_DB, {}))) == expected


def stamped(lengths: list[int], times: list[float]) -> bool:
    frames = [
        {"best_effort_timestamp_time": f"{time:.6f}", "nb_samples": length}
        for time, length in zip(times, lengths, strict=True)
    ]
    return stream_facts._sound({"channels": 1, "sample_rate": "44100"}, frames, is_edited=False).has_holes


@pytest.mark.parametrize(("hole_s", "has_holes"), [(0.0, False), (0.05, True)])
def test_time_stamps_that_are_early_and_late_by_as_much_leave_no_hole(hole_s: float, has_holes: bool) -> None:
    """Vorbis' packets in WebM, each stamped as if the one behind it were as long: 20 ms early in a row of short ones.

    Sound was cut and filled up there, which no player does.
    """
    lengths = [1024, 1024, 1024, 576, 128, 128, 128, 576, 1024, 1024, 1024, 1024]
    ends = np.cumsum(lengths) / 44100
    times = [
        *(float(end) - 1024 / 44100 for end in ends[:9]),
        *(float(end) - 1024 / 44100 + hole_s for end in ends[9:]),
    ]

    assert stamped(lengths, times) is has_holes


def blots(shift: tuple[float, float], step: int, first: tuple[float, float], *, columns: bool = False) -> Planes:
    """Two frames of round blots of 96 rows and 128 columns of luma, moved, sampled at every `step` pixels."""
    random = np.random.default_rng(6)
    down, across = (np.arange(first[axis], side, step)[:, None] for axis, side in ((0, 96), (1, 128)))
    frames = np.full((2, len(down), len(across)), 128.0)
    for _ in range(60):
        y, x, codes = random.uniform(0, 96), random.uniform(0, 128), random.normal(0, 20)
        bell = np.exp(-((across - x - shift[1]) ** 2) / 18).T
        frames += codes * (bell if columns else np.exp(-((down - y - shift[0]) ** 2) / 18) * bell)
    return frames.astype(np.float32)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.0, 0.5), (0.8, 0.0), (-1.0, 2.0)])
def test_chroma_is_placed_across_and_down_whatever_its_raster(shift: tuple[float, float]) -> None:
    every = Lattice(np.arange(96.0), np.arange(128.0))
    second = Lattice(np.arange(0.5, 96, 2), np.arange(0.0, 128, 2))
    noise = np.random.default_rng(2).normal(0, 1, (2, 48, 64)).astype(np.float32)
    want, got = blots((0, 0), 1, (0, 0)), 0.9 * blots(shift, 2, (0.5, 0)) + noise

    place = place_chroma([want], [got], (every, second), (96, 128))

    assert place is not None
    assert (place.down_px, place.across_px) == pytest.approx(shift, abs=0.08)
    assert max(place.down_error_px, place.across_error_px) < 0.15


def test_bars_have_a_place_across_and_none_down() -> None:
    every = Lattice(np.arange(96.0), np.arange(128.0))
    want, got = (blots((0, at), 1, (0, 0), columns=True) for at in (0.0, 0.5))

    place = place_chroma([want], [got], (every, every), (96, 128))

    assert place is not None
    assert place.across_px == pytest.approx(0.5, abs=0.02)
    assert place.down_error_px > 1


def sited(shift: tuple[float, float], *, place: str | None = None, codes: float = 1.0, slope: float = 0.0) -> list[str]:
    """Opinions on 4:2:0 whose chroma lies elsewhere, while it is said to lie on the left, or at a place."""
    size = {"width": 128, "height": 96}
    both = facts(EVEN, **size), facts(EVEN, chroma_location=place, **size)
    ramp = (slope * np.arange(64, dtype=np.float32))[None, None]
    want, got = (128 + codes * (blots(at, 2, (0.5, 0)) - 128) + ramp for at in ((0, 0), shift))
    luma, stored = np.full((2, 96, 128), 120, np.float32), np.round(got).astype(np.float32)
    return opinions(plane_referee.judge_siting(*both, ([luma, want, want], [luma, stored, stored]), {}))


@pytest.mark.parametrize(
    ("shift", "told", "expected"),
    [
        ((0, 0), {}, []),
        ((0, 1), {}, ["wrong"]),
        ((0, 0.7), {}, ["doubtful"]),
        ((0.55, 0), {}, []),  # what MLT does to all 4:2:0
        ((0.8, 0), {}, ["doubtful"]),
        ((2, 0), {}, ["wrong"]),
        ((0, 0), {"place": "center"}, ["wrong"]),
        ((0, -0.5), {"place": "center"}, []),
        ((0, 0), {"place": "center", "codes": 0.1}, ["doubtful"]),
        ((0, 0), {"place": "center", "codes": 0.0, "slope": 0.1}, []),  # nothing that anybody sees
    ],
)
def test_chroma_lies_where_an_output_says(
    shift: tuple[float, float], told: dict[str, Any], expected: list[str]
) -> None:
    assert sited(shift, **told) == expected


def moving_dot(noise_codes: float, shows: dict[int, float]) -> list[str]:
    """Frames of a small dot that moves before grain; some of them are so far on the way to the next one."""
    random = np.random.default_rng(1)
    want = np.repeat(random.integers(60, 200, (1, 64, 96, 3)), 12, axis=0).astype(np.float32)
    for number, frame in enumerate(want):
        frame[20:26, 10 + 4 * number : 16 + 4 * number] = 255
    got = want.copy()
    for number, way in shows.items():
        got[number] = (1 - way) * want[number] + way * want[number + 1]
    got += random.normal(0, noise_codes, got.shape)
    return opinions(judge_neighbours(want.astype(np.uint8), np.clip(got, 0, 255).round().astype(np.uint8)))


@pytest.mark.parametrize(
    ("noise_codes", "shows", "expected"),
    [
        (1, {}, []),
        (1, {5: 1.0}, ["wrong"]),
        (3, {5: 1.0}, ["wrong"]),
        (1, {5: 0.5}, []),  # half way, as by a coder that copied what was there
        (20, {5: 1.0}, []),  # coding is off by more than the dot
    ],
)
def test_a_frame_that_shows_its_neighbours_picture_is_told_by_what_moves(
    noise_codes: float, shows: dict[int, float], expected: list[str]
) -> None:
    """A dot in 170 pixels is nothing to means over the picture."""
    assert moving_dot(noise_codes, shows) == expected


def test_the_raster_of_chroma_turns_with_the_picture() -> None:
    """Chroma on the left of the upper row: after a quarter turn its columns are rows."""

    def firsts(turn: int, place: str, *, mirrored: bool = False) -> tuple[float, float]:
        told: StreamFacts = facts([Fraction(0)], chroma_location=place, rotation=turn, is_mirrored=mirrored)
        lattice = plane_referee._lattice(told, np.zeros((1, 48, 64), np.float32), (96, 128))
        return float(lattice.down[0]), float(lattice.across[0])

    assert firsts(0, "topleft") == (0.0, 0.0)
    assert firsts(180, "topleft") == (1.0, 1.0)
    assert firsts(90, "topleft") == (1.0, 0.0)
    assert firsts(270, "topleft") == (0.0, 1.0)
    assert firsts(0, "bottom") == (1.0, 0.5)
    assert firsts(0, "left", mirrored=True) == (0.5, 1.0)
    assert firsts(90, "topleft", mirrored=True) == (1.0, 1.0)


def tone(first_s: float, last_s: float, hz: float = 440.0) -> Planes:
    """1.5 s in two channels, of which a tone sounds from one moment to another, on the right a quarter later."""
    time = np.arange(SOUND_RATE_HZ * 3 // 2) / SOUND_RATE_HZ
    sounds = (time >= first_s) & (time < last_s)
    return np.stack([0.3 * np.sin(2 * np.pi * hz * time + turn) * sounds for turn in (0, 0.5)]).astype(np.float32)


@pytest.mark.parametrize(
    ("got", "lead_ms", "expected"),
    [
        (tone(0.3, 1.2), 0.0, set()),
        (tone(0.2996, 1.1996), 0.4, set()),  # another part of the period
        (tone(0.33, 1.23), 0.0, {"sync"}),
        (tone(0.3, 1.2), 30.0, {"sync"}),
        (tone(0.3, 1.1), 0.0, {"sync"}),
        (0.5 * tone(0.3, 1.2), 0.0, {"sound"}),
        (tone(0.3, 1.2, hz=550), 0.0, {"sound"}),
        (tone(0.3, 1.2) * [[1], [-1]], 0.0, {"sound"}),
        (tone(0.3, 1.2) * [[1], [0]], 0.0, {"sound"}),
        (tone(0.3, 0.6) + tone(0.7, 1.2), 0.0, {"sound"}),
        (0 * tone(0.3, 1.2), 0.0, {"sound"}),
    ],
    ids=["same", "same, moved", "late", "behind", "short", "quiet", "higher", "turned", "mono", "gap", "silent"],
)
def test_a_steady_tone_is_judged_by_its_ends_level_and_spectrum(
    got: Planes, lead_ms: float, expected: set[str]
) -> None:
    found = compare_sound(tone(0.3, 1.2), np.asarray(got, np.float32), lead_ms, LIMITS_DB, {})

    assert {finding.subject for finding in found if finding.opinion.value == "wrong"} == expected
    assert bool(found) is bool(expected)


def test_where_a_tone_is_cut_nothing_tells_how_late_it_is() -> None:
    whole = tone(0, 2)

    assert opinions(compare_sound(whole, whole, 5.0, LIMITS_DB, {})) == []
    assert set(opinions(compare_sound(whole, whole, 30.0, LIMITS_DB, {}))) == {"doubtful"}


def test_a_low_tone_that_swells_has_no_pauses() -> None:
    """Of 40 Hz a hundredth of a second holds less than half a period: where it is quiet each dip was one of silence."""
    time = np.arange(2 * SOUND_RATE_HZ) / SOUND_RATE_HZ
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 1.3 * time)
    want, got = (
        np.stack([0.3 * share * swell * np.sin(2 * np.pi * 40 * time + turn) for share in (1, 0.5)]).astype(np.float32)
        for turn in (0, 0.3)
    )

    assert opinions(compare_sound(want, got, 0.0, LIMITS_DB, {})) == []


def test_a_step_back_in_time_is_known_by_where_and_by_how_much() -> None:
    """The second of two recordings begins 47 ms before the first one ends, and its times are those of another rate."""
    lengths = [1024] * 20
    times = [1.4 + n * 1024 / 48000 for n in range(10)] + [1.566 + n * 1024 / 44100 for n in range(10)]
    frames = [
        {"best_effort_timestamp_time": f"{time:.6f}", "nb_samples": length}
        for time, length in zip(times, lengths, strict=True)
    ]
    found = stream_facts._sound({"channels": 1, "sample_rate": "48000"}, frames, is_edited=False)

    assert found.has_holes
    assert found.step_back_s == pytest.approx((0.21333, 0.04733), abs=1e-4)
    in_order = stream_facts._sound({"channels": 1, "sample_rate": "48000"}, frames[:10], is_edited=False)
    assert in_order.step_back_s is None


@pytest.mark.parametrize(
    ("late_ms", "cut_ms", "expected"),
    [(0, 0, {"doubtful"}), (0, 47, {"doubtful"}), (30, 0, {"doubtful", "wrong"}), (0, 250, {"doubtful", "wrong"})],
    ids=["all of both", "without what overlaps", "late before that", "cut short"],
)
def test_what_is_heard_behind_a_step_back_in_time_is_open(
    late_ms: int, cut_ms: int, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """GStreamer left out what overlaps, and the tone behind it was judged to stop too soon."""
    want = chirps()
    half, late, cut = want.shape[1] // 2, *(each * SOUND_RATE_HZ // 1000 for each in (late_ms, cut_ms))
    got = np.concatenate([np.zeros((2, late), np.float32), want[:, :half], want[:, half + cut :]], axis=1)
    track = stream_facts.SoundFacts(2, SOUND_RATE_HZ, Fraction(0))
    back = replace(track, largest_hole_s=0.05, step_back_s=(half / SOUND_RATE_HZ, 0.047))
    reference, output = (facts([Fraction(0)], sounds=(each,)) for each in (back, track))
    decoded = {id(reference): want, id(output): got}
    monkeypatch.setattr(sound_referee, "decode_sound", lambda file, *_: decoded[id(file)])

    assert set(opinions(sound_referee.judge_sound(reference, output, {}))) == expected


@pytest.mark.parametrize(
    ("kept_hz", "gain", "expected"),
    [
        (22_000, 1.0, set()),
        (8_000, 1.0, {"doubtful"}),
        (1_000, 1.0, {"wrong"}),
        (8_000, 0.5, {"wrong"}),
        (8_000, -1.0, {"wrong"}),
    ],
    ids=["all", "two thirds lost", "nearly all lost", "and quiet", "and turned over"],
)
def test_what_a_coder_leaves_out_above_its_band_is_not_wrong_beyond_dispute(
    kept_hz: int, gain: float, expected: set[str]
) -> None:
    """White noise behind MP3 at 48 kbit/s is 5 dB quieter for what lies above 10 kHz alone."""
    want = np.random.default_rng(8).normal(0, 0.1, (2, SOUND_RATE_HZ)).astype(np.float32)
    spectrum = np.fft.rfft(want)
    spectrum[:, kept_hz:] = 0  # a line a hertz, of a second

    found = compare_sound(want, (gain * np.fft.irfft(spectrum)).astype(np.float32), 0.0, LIMITS_DB, {})
    at_channels = {each.opinion.value for each in found if each.message.startswith("channel")}
    assert {"wrong"} & at_channels == expected & {"wrong"}
    assert bool(at_channels) is bool(expected)
