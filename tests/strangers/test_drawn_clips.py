"""Clips that are drawn by a seed: the same each time, of the kinds that they may be of, and what they are called."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.strangers.content.drawing import Canvas
from tests.strangers.content.kinds import HELD_BACK_KINDS, OPENED_KINDS, PICTURE_KINDS
from tests.strangers.content.sounds import TUNES, draw_sound
from tests.strangers.drawn_clips import (
    FIRST_HELD_BACK_SEED,
    DrawnClip,
    draw_clips,
    draw_clips_of,
    draw_held_back_clips,
)
from tests.strangers.stream_facts import probe
from tests.strangers.tool_programs import FileCache


def canvas(width: int, height: int) -> Canvas:
    return Canvas(width, height, tuple(n / 10 for n in range(11)), np.random.default_rng(7))


@pytest.mark.parametrize("kind", sorted(PICTURE_KINDS))
def test_a_kind_is_the_same_by_its_seed_fills_its_frame_and_moves(kind: str) -> None:
    small, odd = (list(PICTURE_KINDS[kind](canvas(*size))) for size in ((64, 64), (175, 143)))
    again = PICTURE_KINDS[kind](canvas(64, 64))

    assert all(np.array_equal(*pair) for pair in zip(small, again, strict=True))
    for made, shape in ((small, (64, 64, 3)), (odd, (143, 175, 3))):
        assert len(made) == 11
        assert {(each.shape, each.dtype.name) for each in made} == {(shape, "uint8")}
        assert any(not np.array_equal(made[0], each) for each in made)


@pytest.mark.parametrize("tune", sorted(TUNES))
@pytest.mark.parametrize("rate_hz", [8000, 48000])
def test_a_sound_is_heard_where_gaps_are_planted_and_does_not_repeat(tune: str, rate_hz: int) -> None:
    for seed in range(2):
        left, right = draw_sound((tune, tune), seed, rate_hz, 1.0).T

        assert np.abs(left).max() <= 1
        for part in np.array_split(left[int(0.14 * rate_hz) : int(0.36 * rate_hz)], 4):
            assert np.sqrt((part**2).mean()) > 0.001
        assert not np.allclose(left, right)
        # Of an endless tone the second half would be as like the first as that is like itself.
        halves = left[: rate_hz // 2], left[rate_hz // 2 :]
        likeness = np.abs(np.correlate(halves[0], halves[1], "full")).max()
        assert likeness < 0.9 * (halves[0] ** 2).sum()


def test_the_channel_of_low_frequencies_holds_no_others() -> None:
    sound = draw_sound(("speech", "music", "noise", "sweep", "clicks", "quiet"), 3, 48000, 1.0)

    strength = np.abs(np.fft.rfft(sound[:, 3])) ** 2
    assert strength[:300].sum() > 0.95 * strength.sum()


def test_a_kind_is_either_opened_or_held_back() -> None:
    assert not set(HELD_BACK_KINDS) & set(OPENED_KINDS)
    assert set(PICTURE_KINDS) <= {*HELD_BACK_KINDS, *OPENED_KINDS}
    assert len(HELD_BACK_KINDS) >= 5


def test_development_draws_none_of_what_is_held_back() -> None:
    drawn = [clip for seed in (0, 1, 999) for clip in draw_clips(seed, 60)]

    assert {clip.picture for clip in drawn} == set(OPENED_KINDS)
    with pytest.raises(ValueError, match="held back"):
        draw_clips(FIRST_HELD_BACK_SEED, 1)


def test_a_quarter_of_the_clips_that_are_held_back_is_of_kinds_that_nobody_has_seen() -> None:
    drawn = draw_held_back_clips(FIRST_HELD_BACK_SEED, 31)

    assert sum(clip.picture in HELD_BACK_KINDS for clip in drawn) == 8
    assert {clip.picture for clip in drawn} >= set(HELD_BACK_KINDS)
    assert len({clip.family for clip in drawn}) == len({clip.name for clip in drawn}) == 31
    assert drawn[:8] == draw_held_back_clips(FIRST_HELD_BACK_SEED, 31)[:8]


def test_a_clip_is_drawn_by_seed_place_and_kind_whatever_other_kinds_there_are() -> None:
    first, second = draw_clips_of(("rain", "map"), 77)

    assert (first.name, second.name) == ("drawn-77-00-rain", "drawn-77-01-map")
    assert draw_clips_of(("captions", "map", "rain"), 77)[1] == second


def test_draws_are_of_the_whole_variety() -> None:
    drawn = [clip for seed in range(20) for clip in draw_clips(seed, 30)]

    assert {clip.container for clip in drawn} == {".mp4", ".mov", ".mkv", ".webm", ".ts", ".avi"}
    assert {"yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "gray"} <= {
        clip.pixel_format for clip in drawn
    }
    assert {len(clip.tunes) for clip in drawn if isinstance(clip, DrawnClip)} == {0, 1, 2, 6}
    assert {clip.rotation for clip in drawn} == {0, 90, 180, 270}
    assert {(), *({clip.tags for clip in drawn})} == {clip.tags for clip in drawn}
    assert any(clip.is_variable for clip in drawn if isinstance(clip, DrawnClip))
    assert any("setsar" in clip.filters for clip in drawn)
    assert any(clip.size[0] % 2 for clip in drawn)
    assert all(0.6 <= clip.seconds <= 3.3 for clip in drawn)


def test_a_drawn_clip_is_what_it_is_called(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg is not installed: apt-get install ffmpeg")
    clip = next(
        clip
        for clip in draw_clips(1, 60)
        if isinstance(clip, DrawnClip) and clip.size[0] < 400 and clip.tunes and clip.container == ".mp4"
    )

    found = probe(clip.make(FileCache(tmp_path)))

    assert (found.width, found.height) == clip.size
    assert found.sounds[0].channels == len(clip.tunes)
    assert found.complaints == ""
