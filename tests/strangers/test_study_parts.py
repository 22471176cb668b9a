"""The study's own parts: what they decide of given figures and facts, and of one clip where ffmpeg is there."""

from __future__ import annotations

import os
import shutil
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av
import numpy as np
import pytest

from tests.sound_clips import Track, write_clip
from tests.strangers import __main__ as command_line
from tests.strangers import foreign_exporters, held_back, stream_facts, tool_programs
from tests.strangers import study as study_module
from tests.strangers.clip_facts import facts_at as facts
from tests.strangers.confusion_table import Share, disagreements, meets_goals, section
from tests.strangers.drawn_clips import FIRST_HELD_BACK_SEED
from tests.strangers.encoder_programs.exporters_2262 import EXPORTERS_2262
from tests.strangers.encoder_programs.exporters_6396 import EXPORTERS_6396
from tests.strangers.encoder_programs.exporters_9555 import EXPORTERS_9555
from tests.strangers.encoder_programs.held_back_exporters import HELD_BACK_EXPORTERS
from tests.strangers.faults import fault_tools, planted_frames, planted_sound, sound_content
from tests.strangers.faults.fault_tools import Base, Fault, _colours_apart, base_of
from tests.strangers.faults.planted_faults import FAULTS
from tests.strangers.faults.sound_faults import SOUND_FAULTS
from tests.strangers.foreign_exporters import EXPORTERS, Request
from tests.strangers.held_back import HELD_BACK_COUNT, Split
from tests.strangers.published_clips import (
    HELD_BACK_PUBLISHED,
    PUBLISHED_2262,
    PUBLISHED_6396,
    PUBLISHED_9555,
)
from tests.strangers.refereeing import plane_referee, referee
from tests.strangers.refereeing.opinions import Finding, Judgement, Opinion
from tests.strangers.refereeing.other_rates import UNROUNDED, Rounding, rounding_of_first
from tests.strangers.refereeing.sound_referee import compare_sound
from tests.strangers.source_clips import MADE_CLIPS, Clip, all_clips
from tests.strangers.stream_facts import (
    SOUND_RATE_HZ,
    ShownFrame,
    SoundFacts,
    decode_pictures,
    decode_sound,
    probe,
)
from tests.strangers.study import Study
from tests.strangers.study_rows import FaultRow, OutputRow, Plan, StudyResult
from tests.strangers.tool_programs import ToolError, run_tool


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="Windows has no process groups")
def test_a_program_that_hangs_takes_those_that_it_started_with_it(tmp_path: Path) -> None:
    """Melt went on for a quarter of an hour behind the Python that had started it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    # Two processes of the shell, which begin in milliseconds: how busy the machine is does not count.
    begun = 'sh -c \'exec 3>"$0"; printf begun >&3; sleep 60\' "$0"; true'

    with pytest.raises(ToolError, match="took more than 1 s"):
        run_tool(["sh", "-c", begun, str(pipe)], timeout_s=1)

    os.set_blocking(reading, True)
    start = time.monotonic()
    said = b"".join(iter(lambda: os.read(reading, 64), b""))  # to the end of who holds the other end open
    os.close(reading)
    assert said == b"begun"
    assert time.monotonic() - start < 30


def test_another_matrix_mixes_components_and_lost_detail_does_not() -> None:
    random = np.random.default_rng(3)
    wanted = random.uniform(20, 235, (2, 20, 30, 3)).astype(np.float32)
    mixing = np.array([[1.08, -0.08, 0.0], [0.04, 0.96, 0.0], [0.0, 0.0, 1.0]], np.float32)
    noise = random.normal(0, 2, wanted.shape).astype(np.float32)

    assert referee._mixing([wanted, wanted @ mixing.T + noise]) > referee._WRONG_MIX
    assert referee._mixing([wanted, 0.9 * wanted + 10 + noise]) < referee._RIGHT_MIX
    assert referee._mixing([wanted[..., :1].repeat(3, axis=-1), wanted]) == 0  # grey shows no matrix
    # Of colours on a plane, a share of one component in another is anybody's guess.
    flat = wanted.copy()
    flat[..., 2] = 0.5 * flat[..., 0] + 0.5 * flat[..., 1]
    assert referee._mixing([flat, flat + 2 * (flat[..., :1] > 128) + noise]) < referee._RIGHT_MIX
    assert referee._mixing([flat, flat @ mixing.T + noise]) > referee._RIGHT_MIX
    # Chroma that a coarse encoder lost draws each component to luma.
    luma = wanted @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    assert referee._mixing([wanted, 0.85 * wanted + 0.15 * luma[..., None] + noise]) < referee._RIGHT_MIX
    # In a gradient components go together, and what coding is off by has any share of one in another.
    slopes = np.array([1.0, 0.6, 0.5], np.float32)
    ramp = wanted[..., :1] * slopes + random.normal(0, 13, wanted.shape).astype(np.float32) * (1, 1, 0)
    assert referee._mixing([ramp, ramp + 6 * np.sin(ramp[..., ::-1] / 9)]) < referee._RIGHT_MIX


@pytest.mark.parametrize(("share", "noise_codes", "subject"), [(1, 0.2, {"colour"}), (1, 3, set()), (0, 0.8, set())])
def test_a_matrix_that_faint_colours_show_is_doubtful(share: float, noise_codes: float, subject: set[str]) -> None:
    random = np.random.default_rng(4)
    grey = random.uniform(40, 210, (3, 20, 30, 1))
    wanted = (grey + random.normal(0, 5, (3, 20, 30, 3))).astype(np.float32)
    as_601, as_709 = (referee._differences_of_rgb(matrix) for matrix in (601, 709))
    mixing = share * np.linalg.inv(as_601) @ as_709 + (1 - share) * np.eye(3)
    found = (wanted @ mixing.T + random.normal(0, noise_codes, wanted.shape)).astype(np.float32)

    assert subjects(referee._faint_matrix([wanted, found]), Opinion.DOUBTFUL) == subject


def test_chroma_of_another_matrix_and_range_is_brought_to_the_outputs() -> None:
    """By way of R'G'B': a pure red, and a pure green in limited range."""
    reference, output = facts(EVEN), facts(EVEN, matrix="smpte170m", full_range=True)
    red, green = (128 + 224 * -0.1146, 128 + 224 * 0.5), (128 + 224 * -0.3854, 128 + 224 * -0.4542)
    planes = [np.zeros((1, 1, 2), np.float32)]
    planes += [np.array([[pair]], np.float32) for pair in zip(red, green, strict=True)]

    cb, cr = plane_referee.chroma_recoded(reference, output, planes)

    assert cb.ravel() == pytest.approx([128 + 255 * -0.1687, 128 + 255 * -0.3313], abs=0.05)
    assert cr.ravel() == pytest.approx([128 + 255 * 0.5, 128 + 255 * -0.4187], abs=0.05)


@pytest.mark.parametrize(
    ("darker", "noise_codes", "opinion"),
    [
        (0.0, 3.0, "right"),
        (0.3, 0.5, "right"),
        (1.0, 1.0, "doubtful"),  # MoviePy: named where there are flat colours enough
        (1.0, 0.0, "doubtful"),
        (2.5, 1.0, "wrong"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_luma_that_is_darker_all_over_is_not_right(darker: float, noise_codes: float, opinion: str, sign: int) -> None:
    random = np.random.default_rng(5)
    want = random.uniform(20, 235, (2, 23, 40)).repeat(8, axis=1).repeat(8, axis=2)[:, :180].astype(np.float32)
    got = (want - sign * darker + random.normal(0, noise_codes, want.shape)).astype(np.float32)

    found = plane_referee.judge_even_luma(facts(EVEN), facts(EVEN), ([want] * 3, [got] * 3), {})

    assert Judgement(tuple(found)).opinion == opinion


def test_luma_that_some_levels_alone_lost_is_not_evenly_off() -> None:
    want = np.random.default_rng(5).uniform(20, 235, (2, 23, 40)).repeat(8, axis=1).repeat(8, axis=2).astype(np.float32)
    got = np.where(want < 60, want - 3, want).astype(np.float32)

    assert not plane_referee.judge_even_luma(facts(EVEN), facts(EVEN), ([want] * 3, [got] * 3), {})


def test_a_blur_of_what_is_coarse_itself_is_not_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the size of a coarse clip left 38% of its detail, where a loss of 65% is promised to be seen."""
    sharp = np.random.default_rng(6).uniform(20, 235, (2, 90, 160)).astype(np.float32)
    coarse = (128 + 0.4 * (sharp - 128)).astype(np.float32)
    monkeypatch.setattr(fault_tools, "decode_planes", lambda told, _: [sharp if told.codec == "h264" else coarse] * 3)

    def copy(*_: object) -> None:
        """Plants nothing."""

    monkeypatch.setattr(fault_tools, "probe", lambda _: facts(EVEN, codec="hevc"))
    base = cast("Base", SimpleNamespace(reference=facts(EVEN)))

    with pytest.raises(ToolError, match="40% of the finest detail is left"):
        fault_tools.without_detail(copy)(base, 2, Path("half.mp4"))
    fault_tools.without_detail(copy)(base, 0.4, Path("weak.mp4"))


@pytest.mark.parametrize(
    ("ranges", "kept", "opinion"),
    [
        ((True, False), False, "right"),
        ((True, False), True, "wrong"),
        ((False, True), True, "wrong"),
        ((False, False), True, "right"),
    ],
)
def test_a_range_that_was_lost_is_wrong_however_little_clipped_colours_show_it(
    ranges: tuple[bool, bool], kept: bool, opinion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    want = np.random.default_rng(5).uniform(20, 235, (2, 23, 40)).repeat(8, axis=1).repeat(8, axis=2)
    luma = {False: want[:, :180], True: want[:, :180]}
    if not kept:
        luma[False] = 16 + luma[True] * 219 / 255
    monkeypatch.setattr(
        plane_referee, "decode_planes", lambda facts, _: [luma[facts.full_range].astype(np.float32)] * 3
    )
    sides = [facts(EVEN, full_range=full) for full in ranges]

    found = plane_referee.judge_range(
        sides[0], sides[1], plane_referee.planes_of_pairs(sides[0], sides[1], [(0, 0), (1, 1)]), {}
    )

    assert Judgement(tuple(found)).opinion == opinion


def _coded(rgb: np.ndarray[Any, np.dtype[np.float64]], matrix: int) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    """Y, Cb and Cr in limited range, all of one size, of R'G'B' of 0..1, shape (frames, rows, columns, 3)."""
    kr, kb = plane_referee.LUMA_WEIGHTS[matrix]
    luma = rgb @ np.array([kr, 1 - kr - kb, kb])
    chroma = [(rgb[..., at] - luma) / (2 * (1 - k)) for at, k in ((2, kb), (0, kr))]
    return [plane.astype(np.float32) for plane in (16 + 219 * luma, *(128 + 224 * each for each in chroma))]


@pytest.mark.parametrize(("gain", "opinion"), [(1.0, "right"), (0.94, "wrong")])
def test_luma_of_another_matrix_has_another_contrast(gain: float, opinion: str) -> None:
    """Yellow on white is 95% of its contrast in BT.709, and outputs that were rightly converted were called wrong."""
    shades = np.random.default_rng(5).uniform(0, 1, (2, 23, 40)).repeat(8, axis=1).repeat(8, axis=2)[:, :180]
    rgb = 1 - shades[..., None] * np.array([0.05, 0.25, 0.8])
    reference, output = (facts(EVEN, matrix=name, pixel_format="yuv444p") for name in ("smpte170m", "bt709"))
    want, got = _coded(rgb, 601), _coded(0.5 + gain * (rgb - 0.5), 709)

    found = plane_referee.judge_range(reference, output, (want, got), {})
    found += plane_referee.judge_even_luma(reference, output, (want, got), {})

    assert Judgement(tuple(found)).opinion == opinion


@pytest.mark.parametrize(("noise_codes", "opinion"), [(0.5, "wrong"), (2.0, "doubtful")])
def test_a_gain_is_beyond_dispute_where_it_explains_what_blocks_are_off_by(noise_codes: float, opinion: str) -> None:
    """Fine rings that coarse coding made fainter, and off by more than that, had lost contrast beyond dispute."""
    random = np.random.default_rng(5)
    want, noise = (random.normal(centre, spread, (2, 23, 40)) for centre, spread in ((125, 20), (0, noise_codes)))
    planes = [
        [luma.repeat(8, axis=1).repeat(8, axis=2)[:, :180].astype(np.float32)] * 3
        for luma in (want, 125 + 0.93 * (want - 125) + noise)
    ]

    found = plane_referee.judge_range(facts(EVEN), facts(EVEN), (planes[0], planes[1]), {})

    assert Judgement(tuple(found)).opinion == opinion


def places_judged(noise_codes: float, shows: dict[int, float]) -> str:
    """The word on 24 pictures that move by 4 codes, of which some show a share of the frame before instead."""
    random = np.random.default_rng(11)
    wanted = np.cumsum(random.normal(0, 5, (24, 30, 40, 3)), axis=0).astype(np.float32)
    found = wanted + random.normal(0, 1.25 * noise_codes, wanted.shape).astype(np.float32)
    for index, share in shows.items():
        found[index] += share * (wanted[index - 1] - wanted[index])
    return Judgement(tuple(referee._judge_places(wanted, found, {}))).opinion.value


@pytest.mark.parametrize(("step_codes", "opinion"), [(3.0, "doubtful"), (9.0, "wrong")])
def test_a_flat_picture_shows_anothers_where_that_is_seen(step_codes: float, opinion: str) -> None:
    """As a flash dies away, coding leaves the last 3 codes of it out for a frame."""
    light = np.array([40.0, 30, 20, step_codes, 0, 0, 0, 0], np.float32)
    wanted = np.broadcast_to(120 + light[:, None, None, None], (8, 12, 16, 3)).copy()
    found = wanted.copy()
    found[4] = wanted[3]

    assert Judgement(tuple(referee._judge_places(wanted, found, {}))).opinion.value == opinion


@pytest.mark.parametrize(
    ("noise_codes", "shows", "opinion"),
    [
        (0.2, {}, "right"),
        (3.5, {}, "right"),
        (0.2, {9: 1.0}, "wrong"),
        (1.5, {9: 1.0}, "wrong"),
        (1.5, {9: 1.0, 10: 1.0}, "wrong"),
        (1.5, dict.fromkeys(range(1, 24), 1.0), "wrong"),
        (1.5, {23: 0.6}, "doubtful"),
        (3.5, {23: 0.7}, "doubtful"),
        (5.0, {23: 1.0}, "doubtful"),
    ],
)
def test_a_frame_shows_anothers_picture_where_that_is_beyond_dispute(
    noise_codes: float, shows: dict[int, float], opinion: str
) -> None:
    """The last frame of coarse x264, left half way between two, was called the one before."""
    assert places_judged(noise_codes, shows) == opinion


@pytest.mark.parametrize(("turn", "first", "step"), [(0, 0.0, 2), (90, 318.5, -2), (270, 0.5, 2), (180, 319.0, -2)])
def test_chroma_turns_with_the_picture(turn: int, first: float, step: int) -> None:
    plane = np.zeros((1, 160, 160), np.float32)
    places = plane_referee._lattice(facts(EVEN, rotation=turn), plane, (320, 320)).across

    shown = places if step > 0 else places[::-1]
    assert (shown[0], shown[1] - shown[0]) == (first, step)


EVEN = [Fraction(n, 30) for n in range(30)]


def subjects(findings: list[Finding], opinion: Opinion = Opinion.WRONG) -> set[str]:
    return {finding.subject for finding in findings if finding.opinion is opinion}


def test_times_within_a_tick_are_right_and_beyond_two_milliseconds_wrong() -> None:
    in_milliseconds = [Fraction(round(time * 1000), 1000) for time in EVEN]
    matroska = facts(in_milliseconds, time_base=Fraction(1, 1000))
    late = facts([time + (Fraction(1, 100) if n == 7 else 0) for n, time in enumerate(EVEN)])

    assert not referee._times(facts(EVEN), matroska, Request(), {})
    assert subjects(referee._times(facts(EVEN), late, Request(), {})) == {"times"}


@pytest.mark.parametrize(("is_timed", "expected"), [(True, {"times"}), (False, set())])
def test_nothing_is_rounded_to_the_ticks_of_avi(is_timed: bool, expected: set[str]) -> None:
    """FFmpeg 4.1 showed all but the first frame of an AVI of 15 fps, whose tick is 67 ms, 7.3 ms late in Matroska."""
    times = [Fraction(n, 15) for n in range(8)]
    late = [times[0], *(time + Fraction(7, 1000) for time in times[1:])]
    avi = facts(times, time_base=Fraction(1, 15), is_timed=is_timed)

    assert subjects(referee._times(avi, facts(late, time_base=Fraction(1, 1000)), Request(), {})) == expected


def test_a_last_frame_that_is_not_held_is_wrong() -> None:
    held = [*facts(EVEN).frames[:-1], ShownFrame(EVEN[-1], Fraction(1))]

    found = referee._times(facts(EVEN, frames=tuple(held)), facts(EVEN), Request(), {})

    assert subjects(found) == {"times"}


def test_a_shape_that_was_not_asked_for_is_wrong() -> None:
    half = facts(EVEN, width=160, height=90)

    assert subjects(referee._geometry(facts(EVEN), half, Request())) == {"geometry"}
    assert not referee._geometry(facts(EVEN), half, Request(size=(160, 90)))
    assert not referee._geometry(facts(EVEN, width=321), facts(EVEN), Request())


def test_a_matrix_that_is_no_longer_stated_is_wrong() -> None:
    assert subjects(referee._tags(facts(EVEN), facts(EVEN, matrix=None))) == {"tags"}
    assert not referee._tags(facts(EVEN, matrix=None), facts(EVEN, matrix=None))
    assert not referee._tags(facts(EVEN), facts(EVEN, matrix=None, container_matrix="bt709"))
    assert subjects(referee._tags(facts(EVEN), facts(EVEN, container_matrix="smpte170m"))) == {"tags"}


def chirps() -> np.ndarray[Any, np.dtype[np.float32]]:
    time = np.arange(SOUND_RATE_HZ) / SOUND_RATE_HZ
    left = 0.4 * np.sin(2 * np.pi * (300 + 90 * time) * time) * (time % 0.37 > 0.12)
    right = 0.3 * np.sin(2 * np.pi * (1300 - 350 * time) * time) * (time % 0.53 > 0.25)
    return np.stack([left, right]).astype(np.float32)


def heard(got: Any, lead_ms: float = 0.0) -> list[Finding]:
    return compare_sound(chirps(), np.asarray(got, np.float32), lead_ms, (0.8, 2.5), {})


def test_the_same_sound_is_right_wherever_its_first_sample_lies() -> None:
    padded = np.concatenate([np.zeros((2, 1024), np.float32), chirps()], axis=1)

    assert heard(chirps()) == []
    assert heard(padded, lead_ms=-1024e3 / SOUND_RATE_HZ) == []


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        (lambda sound: sound[::-1], "sound"),
        (lambda sound: sound * [[1], [-1]], "sound"),
        (lambda sound: sound * 0.5, "sound"),
        (lambda sound: np.concatenate([np.zeros((2, 2400)), sound], axis=1), "sync"),
        (lambda sound: sound[:, : SOUND_RATE_HZ // 2], "sound"),
        (lambda sound: np.where((np.arange(sound.shape[1]) // 4800) == 3, 0, sound), "sound"),
    ],
    ids=["swapped", "inverted", "quieter", "late", "cut short", "gap"],
)
def test_a_spoilt_sound_is_wrong(change: Any, subject: str) -> None:
    assert subject in subjects(heard(change(chirps())))


def test_other_noise_in_a_masked_channel_is_doubtful() -> None:
    """Opus keeps the level of noise, about, and not its samples."""
    random = np.random.default_rng(5)
    noise = [random.normal(0, 1, SOUND_RATE_HZ).astype(np.float32) for _ in range(2)]

    def judged(level: float) -> list[Finding]:
        want, got = (np.stack([chirps()[0], level * each]) for each in noise)
        return compare_sound(want, got, 0.0, (0.8, 2.5), {})

    assert subjects(judged(0.006), Opinion.DOUBTFUL) == {"sound"}
    assert not subjects(judged(0.006))
    assert subjects(judged(0.1)) == {"sound"}


def test_a_late_picture_is_compared_with_what_it_shows() -> None:
    """Of a frame that came 1.3 frames late, a block was off by 155 as well."""
    reference, output = facts([Fraction(n, 30) for n in range(12)]), facts([Fraction(n, 25) for n in range(10)])
    random = np.random.default_rng(9)
    wanted = random.uniform(0, 255, (12, 4, 4, 3)).astype(np.float32)
    shown = [0, 1, 2, 2, 3, 4, 5, 7, 8, 9]

    assert referee._by_time(reference, output, wanted, wanted[shown]) == shown


def test_a_plucked_string_does_not_drift() -> None:
    """What is earlier is louder, and of the same period: its second half was found half a second ahead."""
    time = np.arange(SOUND_RATE_HZ) / SOUND_RATE_HZ
    pluck = 0.4 * np.exp(-time / 0.25) * np.sin(2 * np.pi * 220 * time) * (time > 0.05)
    noise = np.random.default_rng(7).normal(0, 1e-3, pluck.shape)

    want, got = (each[None].astype(np.float32) for each in (pluck, pluck + noise))
    found = compare_sound(want, got, 0.0, (0.8, 2.5), {})

    assert not subjects(found)


def test_low_frequency_effects_are_compared_as_far_as_they_go() -> None:
    """AAC cuts that channel off at 47 Hz where it has 8,000 samples a second, and any encoder does above 120 Hz."""
    time = np.arange(SOUND_RATE_HZ) / SOUND_RATE_HZ
    low, high = (0.2 * np.sin(2 * np.pi * hz * time) for hz in (40, 90))
    others = np.stack([chirps()[n % 2] for n in range(6)])

    def judged(effects: Any, rate_hz: float) -> set[str]:
        want, got = others.copy(), others.copy()
        want[3], got[3] = low + high, effects
        return subjects(compare_sound(want, got, 0.0, (0.8, 2.5), {}, effects_hz=rate_hz))

    assert judged(low, 120.0) == {"sound"}
    assert not judged(low, 47.0)
    assert judged(0 * low, 47.0) == {"sound"}


def test_the_first_picture_may_be_rounded_to_a_frame_of_another_rate() -> None:
    def judged(lead_ms: float, rounding: Rounding) -> list[Finding]:
        return compare_sound(chirps(), chirps(), lead_ms, (0.8, 2.5), {}, rounding=rounding)

    assert subjects(judged(21.0, UNROUNDED)) == {"sync"}
    assert judged(21.0, Rounding(20.0, 40.0)) == []
    assert subjects(judged(61.0, Rounding(20.0, 40.0))) == {"sync"}


@pytest.mark.parametrize(
    ("first_ms", "sound_ms", "rate", "nearest_ms", "most_ms"),
    [
        (0, 0, None, 0.0, 0.0),
        (80, 58, None, 0.0, 0.0),
        (0, 0, 25, 0.0, 0.0),
        (80, 80, 25, 0.0, 0.0),
        (80, 58, 25, 18.0, 40.0),
        (7, 0, 25, 7.0, 40.0),
        (0, 0, 50, 10.0, 20.0),
        (0, 0, 20, 25.0, 50.0),
    ],
)
def test_pictures_are_rounded_where_a_rate_was_asked_for_and_they_are_beside_it(
    first_ms: int, sound_ms: int, rate: int | None, nearest_ms: float, most_ms: float
) -> None:
    """A sound that begins 22 ms before pictures of 25 fps: FFmpeg moves it to 0, and they are shown from 40 ms on."""
    times = [Fraction(first_ms, 1000) + Fraction(n, 25) for n in range(10)]
    reference = facts(times, sounds=(SoundFacts(2, 48000, Fraction(sound_ms, 1000)),))

    rounding = rounding_of_first(reference, None if rate is None else Fraction(rate))

    assert (rounding.nearest_ms, rounding.most_ms) == pytest.approx((nearest_ms, most_ms))


def pluck(length_s: float, decay_s: float = 0.12) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A string that is plucked at 0.05 s, with noise of its own that tells its periods apart."""
    time = np.arange(round(length_s * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    noise = np.random.default_rng(3).normal(0, 0.15, time.shape)
    dying: np.ndarray[Any, np.dtype[np.float64]] = np.where(time > 0.05, np.exp(-(time - 0.05) / decay_s), 0)
    return dying * (0.4 * np.sin(2 * np.pi * 220 * time) + noise)


def quiet_after(seconds: float, rest: float) -> Any:
    """A sound of 1.1 s whose end is nothing but noise of a level: rounding, dither, what a codec leaves."""

    def made(seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        sound = pluck(1.1)
        noise = np.random.default_rng(seed).normal(0, rest, sound.shape)
        sound[round(seconds * SOUND_RATE_HZ) :] = 0
        ended: np.ndarray[Any, np.dtype[np.float64]] = sound + noise
        return ended

    return made


@pytest.mark.parametrize("rest", [1e-15, 1.5e-5, 1e-4, 5e-4])
def test_silence_is_not_timed_whatever_noise_is_in_it(rest: float) -> None:
    """A sound that ended in its second half was found 63 ms ahead there, where it was louder."""
    made = quiet_after(0.6, rest)

    want, got = (made(seed)[None].astype(np.float32) for seed in (1, 2))

    found = compare_sound(want, got, 0.0, (0.8, 2.5), {})

    assert found == []


@pytest.mark.parametrize(
    "change",
    [
        lambda sound: sound,
        lambda sound: sound + 0.05,
        lambda sound: np.concatenate([sound, 0 * sound]),
        lambda sound: np.concatenate([0 * sound, sound, sound + 0.03]),
    ],
    ids=["mono", "an offset", "a silent channel", "5.1 in part"],
)
@pytest.mark.parametrize("late_ms", [0, 30])
def test_a_sound_is_timed_by_what_swings(change: Any, late_ms: int) -> None:
    want = change(pluck(1.1)[None])
    got = np.pad(want - want.mean(axis=1, keepdims=True), ((0, 0), (late_ms * SOUND_RATE_HZ // 1000, 0)))

    found = compare_sound(want.astype(np.float32), got.astype(np.float32), 0.0, (0.8, 2.5), {})

    assert subjects(found) == ({"sync"} if late_ms else set())


def test_a_tone_is_not_timed() -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(SOUND_RATE_HZ) / SOUND_RATE_HZ)[None].astype(np.float32)

    found = compare_sound(tone, np.roll(tone, 1440, axis=1), 0.0, (0.8, 2.5), {})

    assert found == []  # nobody hears it, where both begin and end with their files


def test_a_loop_does_not_drift_to_its_next_turn() -> None:
    """Of two turns of a loop, coded coarsely, the other one was closer by a per cent."""
    random = np.random.default_rng(6)
    turn = pluck(0.25, 0.08)
    want = np.concatenate([turn, turn, turn[: len(turn) // 2]])
    got = want + 0.25 * np.abs(want).max() * random.normal(0, 1, want.shape) * (np.abs(want) > 0.01)
    want[len(turn) + 3000 : len(turn) + 5000] *= 1.3

    found = compare_sound(want[None].astype(np.float32), got[None].astype(np.float32), 0.0, (0.8, 2.5), {})

    assert "sync" not in subjects(found)


def test_another_sound_is_wrong() -> None:
    want, got = (np.random.default_rng(seed).normal(0, 0.1, (1, SOUND_RATE_HZ)) for seed in (1, 2))

    assert subjects(compare_sound(want.astype(np.float32), got.astype(np.float32), 0.0, (0.8, 2.5), {})) == {"sound"}


def test_silence_that_is_stored_before_a_sound_moves_nothing() -> None:
    padded = np.pad(chirps(), ((0, 0), (SOUND_RATE_HZ, 0)))

    assert compare_sound(chirps(), padded, -1000.0, (0.8, 2.5), {}) == []


def test_a_last_frame_without_a_time_follows_the_one_before() -> None:
    """Ffprobe gives the frame that a decoder still holds at the end of a program stream no time at all."""
    frames = [{"best_effort_timestamp": at, "pkt_duration": 3600} for at in (48600, 52200)] + [{"pkt_duration": 3600}]

    shown = stream_facts._shown_frames(frames, Fraction(1, 90000), None)

    assert [frame.start_s * 25 for frame in shown] == [Fraction(27, 2), Fraction(29, 2), Fraction(31, 2)]


def frames_of_sound(*times_s: float) -> list[dict[str, Any]]:
    return [{"best_effort_timestamp_time": f"{time_s:.6f}", "nb_samples": 1024} for time_s in times_s]


@pytest.mark.parametrize(
    ("held_s", "has_holes"), [(0.0, False), (0.003, False), (0.11, True), (-0.11, True), (3600.0, False)]
)
def test_a_hole_in_the_times_of_sound_is_one_from_ten_milliseconds_on(held_s: float, has_holes: bool) -> None:
    stream = {"channels": 1, "sample_rate": "48000"}
    length_s = 1024 / 48000

    times_s = (0, *(held_s + n * length_s for n in range(1, 5)))
    sound = stream_facts._sound(stream, frames_of_sound(*times_s), is_edited=True)

    assert sound.has_holes is has_holes


def test_sound_before_time_zero_is_heard_only_where_no_edit_list_cuts_it_off() -> None:
    stream = {"channels": 1, "sample_rate": "48000"}
    cut, whole = (
        stream_facts._sound(stream, frames_of_sound(-0.025, -0.025 + 1024 / 48000), is_edited=each)
        for each in (True, False)
    )

    assert cut.start_s == 0
    assert cut.cut_s == pytest.approx(0.025)
    assert whole.start_s == Fraction(-25, 1000)
    assert whole.cut_s == 0


def test_sound_is_heard_where_its_time_stamps_put_it(tmp_path: Path) -> None:
    """Ffmpeg closes up what a recorder left between two frames of sound, and was taken at its word."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")
    source = write_clip(tmp_path / "in.mp4", Track(hole_s=(0.15, 0.35)))

    found = probe(source)
    sound = decode_sound(found, 0, 2)

    loud = np.flatnonzero(np.abs(sound[0]) > 0.2) / SOUND_RATE_HZ
    start_s = float(found.sounds[0].start_s or 0)
    assert start_s + loud[loud > 0.5][0] == pytest.approx(1.0, abs=0.003)


def test_a_judgement_is_as_bad_as_its_worst_finding() -> None:
    doubt, fault = Finding("sync", Opinion.DOUBTFUL, "12 ms"), Finding("tags", Opinion.WRONG, "none")

    assert Judgement(()).opinion is Opinion.RIGHT
    assert Judgement((doubt,)).opinion is Opinion.DOUBTFUL
    assert Judgement((doubt, fault)).opinion is Opinion.WRONG


@pytest.fixture
def drawn_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study of four clips, two of which were held back and one is, with exporters that are all there."""
    clips = [Clip(name, name, tmp_path / f"{name}.mp4") for name in ("seen", "published", "opened", "new")]
    monkeypatch.setattr(study_module, "all_clips", lambda _: tuple(clips[:1]))
    monkeypatch.setattr(study_module, "seen_published_clips", lambda _: (tuple(clips[1:2]), ["a package is missing"]))
    monkeypatch.setattr(study_module, "opened_clips", lambda _: (tuple(clips[2:3]), ["another is missing"]))
    monkeypatch.setattr(study_module, "held_back_clips", lambda _: (tuple(clips[3:]), ["a third is missing"]))
    monkeypatch.setattr(study_module, "probe", lambda path: facts(EVEN, path=path))
    monkeypatch.setattr(tool_programs, "version_of", lambda _: "1.0")
    monkeypatch.setattr(foreign_exporters, "version_of", lambda _: "1.0")
    return Study(tmp_path, None, Plan())


def test_what_is_drawn_of_each_clip_is_of_every_part(drawn_study: Study) -> None:
    pairs = [(clip.name, exporter) for clip, _, exporter in drawn_study._pairs()]
    parts = (EXPORTERS, (*EXPORTERS_9555, *EXPORTERS_6396), EXPORTERS_2262, HELD_BACK_EXPORTERS)

    counts = {
        name: [sum(clip == name and exporter in part for clip, exporter in pairs) for part in parts]
        for name in ("seen", "published", "opened", "new")
    }
    assert counts == {
        "seen": [2, 1, 1, 1],
        "published": [2, 1, 1, 1],
        "opened": [2, 1, 2, 1],
        "new": [2, 1, 1, 3],
    }
    assert drawn_study.result.not_made == ["a package is missing", "another is missing", "a third is missing"]


def test_a_new_clip_and_a_new_exporter_are_held_back_and_nothing_else(drawn_study: Study) -> None:
    held_back = drawn_study.result.split.is_held_back

    for clip in ("seen", "published", "opened"):
        seen = (*EXPORTERS, *EXPORTERS_9555, *EXPORTERS_6396, *EXPORTERS_2262)
        assert not any(held_back(clip, each.name) for each in seen)
        assert all(held_back(clip, each.name) for each in HELD_BACK_EXPORTERS)
    assert all(held_back("new", each.name) for each in EXPORTERS)


def test_development_sees_nothing_that_is_held_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: Path) -> None:
        pytest.fail("clips that are held back were drawn")

    for name in ("held_back_clips", "opened_clips", "seen_published_clips"):
        monkeypatch.setattr(study_module, name, forbidden)

    study = Study(tmp_path, None, Plan(drawn=(3, 5)))

    assert [clip.name.split("-")[:2] for clip in study._sources] == [["drawn", "3"]] * 5
    assert not any(study._exporters[1:])


def test_the_drawn_part_of_what_is_held_back_is_its_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_back, "published_clips", lambda *_: ((), ["no network"]))

    clips, missing = held_back.held_back_clips(tmp_path)

    assert len({clip.family for clip in clips}) == len(clips) == HELD_BACK_COUNT
    assert missing == ["no network"]
    assert held_back.HELD_BACK_SEED >= FIRST_HELD_BACK_SEED


def test_what_was_opened_is_of_another_seed_and_not_held_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_back, "published_clips", lambda *_: ((), []))

    opened, _ = held_back.opened_clips(tmp_path)
    new, _ = held_back.held_back_clips(tmp_path)

    # As the table has them of the run that held them back.
    assert {"drawn-2262-26-spectrum", "drawn-2262-35-hard-cuts"} <= {clip.name for clip in opened}
    assert len(opened) == 36
    assert not {clip.family for clip in opened} & {clip.family for clip in new}


def test_names_of_clips_exporters_and_faults_are_unique() -> None:
    for names in (
        [clip.name for clip in MADE_CLIPS],
        [each.name for each in (*EXPORTERS, *EXPORTERS_9555, *EXPORTERS_6396, *EXPORTERS_2262, *HELD_BACK_EXPORTERS)],
        [each.name for each in (*PUBLISHED_9555, *PUBLISHED_6396, *PUBLISHED_2262, *HELD_BACK_PUBLISHED)],
        [each.name for each in FAULTS],
    ):
        assert len(set(names)) == len(names)
    assert len(FAULTS) >= 40
    assert len(all_clips(None)) == len(MADE_CLIPS)


def test_the_interval_is_the_exact_one() -> None:
    # Clopper and Pearson 1934: the rule of three's exact form, 1 - 0.025 ** (1 / 100).
    low, high = Share(0, 100).interval

    assert low == 0
    assert high == pytest.approx(1 - 0.025**0.01)


def output_row(*, opinion: str, flagged: bool, held_back: bool = False) -> OutputRow:
    return OutputRow(
        "clip", "family", "exporter", "1.0", held_back, opinion, (), "", {}, flagged, (), "says", "a", "b", "not asked"
    )


def fault_row(*, flagged: bool, named: bool, held_back: bool = False, judged: bool = True) -> FaultRow:
    name = FAULTS[0].name
    return FaultRow(name, "frames", 1, judged, "clip", "exporter", held_back, flagged, named, (), "says", "a", "b")


def study(outputs: list[OutputRow], faults: list[FaultRow]) -> StudyResult:
    return StudyResult(Split(frozenset({"new"}), frozenset({"newer"})), outputs=outputs, faults=faults)


def test_goals_count_both_parts() -> None:
    right = [output_row(opinion="right", flagged=False)] * 50
    alarms = [output_row(opinion="right", flagged=True, held_back=True)] * 2
    seen = [fault_row(flagged=True, named=True)] * 50

    assert meets_goals(study(right, seen))
    assert not meets_goals(study([*right, *alarms], seen))
    assert not meets_goals(study(right, [*seen, fault_row(flagged=False, named=False)]))
    assert not meets_goals(study([], []))
    assert meets_goals(study(right, [*seen, fault_row(flagged=False, named=False, judged=False)]))


def test_disagreements_of_the_held_back_third_are_not_shown() -> None:
    result = study(
        [
            output_row(opinion="right", flagged=True),
            output_row(opinion="right", flagged=True, held_back=True),
            output_row(opinion="doubtful", flagged=True),
        ],
        [fault_row(flagged=False, named=False), fault_row(flagged=False, named=False, held_back=True)],
    )

    assert len(list(disagreements(result))) == 2


def test_the_section_has_shares_with_their_intervals() -> None:
    lines = [*section(study([output_row(opinion="right", flagged=True)], []))]

    assert any("1 of 1, 100.0% [2.5%, 100.0%]" in line for line in lines)
    assert any("clips that others published, `new`; exporters `newer`." in line for line in lines)


def test_the_short_form_names_nothing_as_held_back(tmp_path: Path) -> None:
    short = Study(tmp_path, None, command_line.SHORT).result

    assert not short.split.families
    assert not short.split.exporters
    assert not any(line.startswith("Held back") for line in section(short))


def test_ffprobe_and_ffmpeg_read_a_clip(tmp_path: Path) -> None:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"qp": "8"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(8):
            picture = np.full((48, 64, 3), 20 + 25 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))

    found = probe(path)
    pictures = decode_pictures(found, (64, 48))

    assert [float(frame.start_s) for frame in found.frames] == pytest.approx([n / 30 for n in range(8)], abs=1e-4)
    assert found.display == (64, 48)
    assert found.complaints == ""
    assert pictures.mean(axis=(1, 2, 3)) == pytest.approx([20 + 25 * n for n in range(8)], abs=3)


def noise_clip(path: Path, *, options: dict[str, str]) -> Path:
    """Twelve pictures of squares that nobody can foretell."""
    random = np.random.default_rng(8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options=options | {"preset": "veryfast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for _ in range(12):
            picture = np.kron(random.integers(30, 225, (24, 32, 3)), np.ones((4, 4, 1))).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


def test_an_odd_side_may_be_cut_filled_up_or_scaled(tmp_path: Path) -> None:
    """Of a cut row the rest was taken for scaled, and lay a third of a row lower: a slow pan showed other frames."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")
    source = tmp_path / "source.mkv"
    drawn = "mandelbrot=s=90x65:r=25:start_scale=0.3:end_scale=0.1,scale=90:65:flags=neighbor,format=yuv444p"
    run_tool(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", drawn, "-frames:v", "12", "-c:v", "ffv1", source])
    for name, filters in (("cut", "crop=90:64:0:0"), ("filled", "pad=90:66"), ("scaled", "scale=90:64")):
        path = tmp_path / f"{name}.mkv"
        run_tool(["ffmpeg", "-v", "error", "-i", source, "-vf", filters, "-c:v", "ffv1", path])

        found = referee.judge(probe(source), probe(path), Request())

        assert found.figures["block_codes"] < 1, name


def test_what_its_bytes_allow_is_doubtful_and_what_is_worse_is_wrong(tmp_path: Path) -> None:
    """Cells that live and die had 13 to 19 dB at any bit rate in use, and were called wrong."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")
    reference = probe(noise_clip(tmp_path / "reference.mp4", options={"qp": "6"}))
    coarse = probe(noise_clip(tmp_path / "coarse.mp4", options={"crf": "44"}))
    wasteful = tmp_path / "wasteful.mp4"
    run_tool(["ffmpeg", "-v", "error", "-i", coarse.path, "-c:v", "libx264", "-qp", "4", wasteful])

    opinions = [referee.judge(reference, each, Request()) for each in (coarse, probe(wasteful))]

    assert [opinion.opinion for opinion in opinions] == [Opinion.DOUBTFUL, Opinion.WRONG], opinions
    assert opinions[0].figures["psnr_db"] < referee._WRONG_PSNR


def test_a_foreign_frame_is_in_the_file_at_ten_bits_too(tmp_path: Path) -> None:
    """By way of an overlay nothing was planted there, and validation was said to miss it."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")
    deep = tmp_path / "deep.mkv"
    source = noise_clip(tmp_path / "source.mp4", options={"qp": "6"})
    twice = ("-vf", "loop=1:12:0", "-pix_fmt", "yuv420p10le")
    run_tool(
        ["ffmpeg", "-v", "error", "-i", source, *twice, "-c:v", "libx265", "-x265-params", "log-level=error", deep]
    )
    base = base_of(probe(deep), probe(deep), exporter="made", clip="made", request=Request())
    assert base is not None

    foreign = next(fault for fault in FAULTS if fault.name == "foreign-frame")
    foreign.make(base, 1, tmp_path / "faulty.mkv")

    was, now = (decode_pictures(probe(path), (128, 96)).astype(int) for path in (deep, tmp_path / "faulty.mkv"))
    changed = np.abs(was - now).mean(axis=(1, 2, 3)) > 20
    assert [int(n) for n in np.flatnonzero(changed)] == [base.moving]


@pytest.mark.parametrize("rate_hz", [8000, 22050, 48000])
def test_a_gap_is_in_the_file_however_long_frames_of_sound_are(rate_hz: int, tmp_path: Path) -> None:
    """FLAC at 22 kHz has frames of 0.2 s, between whose starts nothing was silenced."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")
    clip = tmp_path / "clip.mkv"
    inputs = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=30:d=1", "-f", "lavfi", "-i", f"anoisesrc=r={rate_hz}:d=1")
    run_tool(["ffmpeg", "-v", "error", *inputs, "-c:v", "libx264", "-c:a", "flac", clip])
    base = base_of(probe(clip), probe(clip), exporter="made", clip="made", request=Request())
    assert base is not None

    next(fault for fault in FAULTS if fault.name == "sound-gap").make(base, 40, tmp_path / "faulty.mkv")

    sound = decode_sound(probe(tmp_path / "faulty.mkv"), 0, 1)[0]
    silent_s = np.flatnonzero(np.abs(sound) < 1e-3)  # noise is at 0 now and then, for a sample
    long = np.split(silent_s, np.flatnonzero(np.diff(silent_s) > 1) + 1)
    # Silence begins and ends with a frame of 1 ms, and noise may be quiet beside it.
    assert max(len(run) for run in long) / SOUND_RATE_HZ == pytest.approx(0.04, abs=0.003)


def test_a_fault_that_changes_nothing_is_not_planted(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")
    dark = tmp_path / "dark.mp4"
    black = ("-f", "lavfi", "-i", "color=black:s=64x48:r=30,trim=end_frame=20")
    run_tool(["ffmpeg", "-v", "error", *black, "-c:v", "libx264", "-pix_fmt", "yuv420p", dark])
    base = base_of(probe(dark), probe(dark), exporter="made", clip="made", request=Request())
    assert base is not None
    fault = next(fault for fault in FAULTS if fault.name == "black-frame")

    assert not fault.needs(base)
    with pytest.raises(ToolError, match="no frame is changed"):
        fault.make(base, 1, tmp_path / "faulty.mp4")


@pytest.mark.parametrize(
    ("steps", "ticks_per_s", "is_planted"),
    [
        ([1, 1, 1, 1], 25, True),  # AVI, whose tick is a frame
        ([2, 1, 1, 1], 25, False),  # AVI with B-frames, which holds its first picture
        ([33, 34, 33, 33], 1000, True),
        ([80, 40, 40, 40], 1000, True),
    ],
)
def test_times_are_moved_where_a_reference_tells_them(steps: list[int], ticks_per_s: int, *, is_planted: bool) -> None:
    times_s = [Fraction(sum(steps[:number]), ticks_per_s) for number in range(len(steps) + 1)]
    reference = facts(times_s, time_base=Fraction(1, ticks_per_s))
    base = SimpleNamespace(reference=reference, output=facts(EVEN))
    moved = [fault for fault in FAULTS if fault.name in {"jitter", "one-late", "rounded-times"}]

    assert [fault.needs(cast("Base", base)) for fault in moved] == [is_planted] * 3


@pytest.mark.parametrize(
    ("codec", "stated", "by_container", "height", "is_planted"),
    [
        ("h264", "bt709", None, 360, True),
        ("vp8", "bt470bg", None, 360, False),  # its standard says so, and silence below 720 lines means the same
        ("vp8", "bt470bg", None, 720, True),
        ("vp8", "bt470bg", "bt470bg", 360, True),
        ("mjpeg", "bt470bg", None, 360, False),
        ("h264", None, None, 360, False),
    ],
)
def test_tags_are_removed_where_something_is_lost(
    codec: str, stated: str | None, by_container: str | None, height: int, *, is_planted: bool
) -> None:
    reference = facts(EVEN, codec=codec, matrix=stated, container_matrix=by_container, height=height)
    base = SimpleNamespace(reference=reference, output=facts(EVEN, matrix="bt470bg", height=height))

    fault = next(fault for fault in FAULTS if fault.name == "tags-removed")

    assert fault.needs(cast("Base", base)) is is_planted


@pytest.mark.parametrize(("error", "is_planted"), [(2.9, True), (8.5, False)])
def test_fields_are_woven_where_movement_is_more_than_coding_is_off_by(error: float, *, is_planted: bool) -> None:
    base = SimpleNamespace(output=facts(EVEN), steady_motion=9.4, error=error)

    fault = next(fault for fault in FAULTS if fault.name == "interlaced")

    assert fault.needs(cast("Base", base)) is is_planted


@pytest.mark.parametrize(
    ("silent", "scale", "sides", "has"),
    [
        (None, 1.0, (1.0, -0.4), {"gap", "clipped", "sides", "end"}),
        ((0.2, 0.22), 1.0, (1.0, -0.4), {"clipped", "sides", "end"}),
        ((0.6, 1.0), 1.0, (1.0, -0.4), {"gap", "clipped", "sides"}),
        (None, 0.1, (1.0, -0.4), {"gap", "sides", "end"}),
        (None, 1.0, (1.0, 1.0), {"gap", "clipped", "end"}),
    ],
    ids=["all", "silent in the gap", "silent at its end", "quiet", "the same on both sides"],
)
def test_a_fault_of_sound_is_planted_where_it_can_be_heard(
    silent: tuple[float, float] | None,
    scale: float,
    sides: tuple[float, float],
    has: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    time_s = np.arange(SOUND_RATE_HZ) / SOUND_RATE_HZ
    wave = scale * 0.5 * np.sin(2 * np.pi * (300 + 90 * time_s) * time_s)
    if silent is not None:
        wave[(time_s >= silent[0]) & (time_s < silent[1])] = 0
    monkeypatch.setattr(sound_content, "decode_sound", lambda *_: np.stack([gain * wave for gain in sides]))
    track = SoundFacts(2, SOUND_RATE_HZ, Fraction(0))
    both = facts(EVEN, sounds=(track,))
    base = SimpleNamespace(reference=both, output=both, channels=2, loudness=0.1, gap=(0.14, 0.36))

    found = {
        name
        for name, needs in {
            "gap": sound_content.heard_in_the_gap,
            "clipped": sound_content.clips_when_louder,
            "sides": sound_content.has_two_sides,
            "end": sound_content.heard_to_its_end,
        }.items()
        if needs(cast("Base", base))
    }

    assert found == has


@pytest.mark.parametrize(("seconds", "is_planted"), [(0.8, False), (1.6, True)])
def test_drift_is_planted_where_there_is_time_for_it(
    seconds: float, is_planted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At another tempo by 3% the halves of 0.8 s were found 3 ms apart."""
    noise = np.random.default_rng(5).normal(0, 0.1, (1, round(seconds * SOUND_RATE_HZ)))
    monkeypatch.setattr(sound_content, "decode_sound", lambda *_: noise)
    both = facts(EVEN, sounds=(SoundFacts(1, SOUND_RATE_HZ, Fraction(0)),))
    base = SimpleNamespace(reference=both, output=both, channels=1, loudness=0.1)

    assert sound_content.heard_long_enough_to_drift(cast("Base", base)) is is_planted


@pytest.fixture(scope="module")
def base_with_sound(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Two seconds of picture, and of two sides that glide and are struck again and again."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")
    clip = tmp_path_factory.mktemp("base") / "clip.mkv"
    sides = "|".join(
        f"0.4*sin(2*PI*({low}+{rise}*t)*t)*exp(-3*mod(t*{speed},0.37))"
        for low, rise, speed in ((300, 90, 1), (520, -60, 1.3))
    )
    inputs = (
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=30:d=2",
        "-f",
        "lavfi",
        "-i",
        f"aevalsrc='{sides}':c=stereo:s=32000:d=2",
    )
    run_tool(["ffmpeg", "-v", "error", *inputs, "-c:v", "libx264", "-c:a", "flac", clip])
    base = base_of(probe(clip), probe(clip), exporter="made", clip="made", request=Request())
    assert base is not None
    return base


@pytest.mark.parametrize(
    ("fault", "strength"),
    [(fault, strength) for fault in SOUND_FAULTS for strength in fault.judged],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_fault_of_sound_is_in_the_file_at_its_strength(
    fault: Fault, strength: float, base_with_sound: Base, tmp_path: Path
) -> None:
    assert fault.needs(base_with_sound)

    fault.make(base_with_sound, strength, tmp_path / "faulty.mkv")


@pytest.mark.parametrize(
    ("check", "strength"),
    [
        (planted_sound.explained_by(planted_sound.at_another_speed(lambda share: 1 + share)), 0.03),
        (planted_sound.explained_by(lambda was, _: planted_sound.Line(was.samples[::-1], was.first)), 1),
        (planted_sound.explained_by(lambda was, _: planted_sound.Line(-was.samples, was.first)), 1),
        (planted_sound.is_moved(1), 25),
        (planted_sound.is_moved(-1), 25),
        (planted_sound.is_silent_in_the_gap, 40),
        (planted_sound.is_louder, -4),
        (planted_sound.is_clipped, 12),
        (planted_sound.is_cut_short, 250),
        (planted_sound.is_another, 1),
        (planted_sound.is_higher, 1.12),
    ],
)
def test_a_fault_of_sound_that_changes_nothing_is_not_planted(
    check: planted_sound.Check, strength: float, base_with_sound: Base, tmp_path: Path
) -> None:
    """`atempo` moves in steps, and moved nothing of two clips that validation was said to miss a drift in."""
    copied = planted_sound.planted(fault_tools.streams_copied(), check)

    with pytest.raises(ToolError):
        copied(base_with_sound, strength, tmp_path / "faulty.mkv")


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        *(("lost-in-middle", 3), ("every-nth-lost", 9), ("doubled", 1), ("doubled", 3), ("frozen", 4)),
        *(("swapped-frames", 3), ("rate", 0.01), ("picture-drifts", 20), ("jitter", 6), ("one-late", 12)),
        *(("rounded-times", 15), ("wrong-macroblocks", 16)),
    ],
)
def test_a_fault_of_frames_is_in_the_file_at_its_strength(
    name: str, strength: float, base_with_sound: Base, tmp_path: Path
) -> None:
    next(fault for fault in FAULTS if fault.name == name).make(base_with_sound, strength, tmp_path / "faulty.mkv")


@pytest.mark.parametrize(
    "check",
    [
        planted_frames.counted(lambda base, _: base.frames - 1),
        planted_frames.is_shown_instead(lambda base, _: {base.moving: base.moving - 1}),
        planted_frames.times_are(lambda _, n, time_s, ms: time_s + n % 2 * ms / 1e3, lambda _, ms: ms / 1e3),
        planted_frames.times_are(lambda _, __, time_s, ___: time_s, lambda _, ms: ms / 1e3),
    ],
)
def test_a_fault_of_frames_that_changes_nothing_is_not_planted(
    check: planted_frames.Check, base_with_sound: Base, tmp_path: Path
) -> None:
    copied = fault_tools.streams_copied()

    with pytest.raises(ToolError):
        planted_frames.planted(copied, check)(base_with_sound, 6, tmp_path / "faulty.mkv")
    with pytest.raises(ToolError, match="nothing is seen"):
        planted_frames.damaged(copied)(base_with_sound, 6, tmp_path / "faulty.mkv")


def test_a_colour_under_grain_counts_once() -> None:
    random = np.random.default_rng(2)
    colours = np.array([[59.9, 120.0, 131.9], [180.0, 96.0, 60.0]]).repeat(400, axis=0)
    grain = random.normal(0, 0.5, colours.shape)

    assert _colours_apart((colours + grain).astype(np.float32)) == 2
    assert _colours_apart(np.empty((0, 3), np.float32)) == 0


def test_a_study_goes_from_clip_to_table(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")
    plan = Plan(
        exports_per_clip=(1, 0, 0, 0),
        bases=(1, 0),
        bases_per_fault=(1, 0),
        weak_per_strength=0,
        clips=("sd-601",),
        exporters=("ffmpeg-h264-mp4-high",),
        faults=("black-frame", "sound-missing"),
        jobs=1,
    )

    result = Study(tmp_path, None, plan).run()

    assert [(row.opinion, row.flagged) for row in result.outputs] == [("right", False)], result.outputs
    assert {(row.fault, row.flagged, row.named) for row in result.faults} == {
        ("black-frame", True, True),
        ("sound-missing", True, True),
    }
    assert not result.not_made
    assert meets_goals(result)
