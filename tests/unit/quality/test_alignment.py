"""Which reference frame an output frame is taken for, with pictures that are nothing but their thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from scipy.ndimage import gaussian_filter

from capbench.quality.reading.alignment import Aligner, window_frames
from capbench.quality.reading.observed_frame import FrameRecord, ObservedPicture
from capbench.quality.reading.planes import Planes, as_frame, thumbnail

FRAMES = 60
BLANK = as_frame(Planes(np.full((360, 640), 16, np.uint8), *np.full((2, 180, 320), 128, np.uint8)))


def clip(shown: Sequence[int], *, numbered: bool, times: Sequence[Fraction] | None = None) -> list[ObservedPicture]:
    """Frames that show the given contents: a bright bar that moves to the right."""
    pictures = []
    for index, content in enumerate(shown):
        thumb = np.full((9, 80, 3), 60, np.float32)
        if content >= 0:
            thumb[:, content : content + 4] = 200
        else:
            thumb[:] = 16  # black
        record = FrameRecord(
            index=index,
            time_s=times[index] if times else Fraction(index, 30),
            number=content if numbered and content >= 0 else None,
            number_visible=numbered,
            mean_codes=(float(thumb[..., 0].mean()), 128.0, 128.0),
            spread_codes=float(thumb[..., 0].std()),
            moved_codes=1.0,
            flash=None,
        )
        pictures.append(ObservedPicture(record, BLANK, thumb))
    return pictures


def matched(
    shown: Sequence[int], *, numbered: bool, window: int = 16, times: Sequence[Fraction] | None = None
) -> list[int | None]:
    aligner = Aligner(iter(clip(range(FRAMES), numbered=numbered)), window)
    return [aligner.match(picture).index for picture in clip(shown, numbered=numbered, times=times)]


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize(
    "shown",
    [
        list(range(FRAMES)),
        list(range(3, FRAMES)),
        list(range(FRAMES - 7)),
        [n for n in range(FRAMES) if n not in (20, 21, 40)],
        [*range(20), 19, *range(20, FRAMES)],
        [*range(20), 21, 20, *range(22, FRAMES)],
    ],
    ids=["clean", "first lost", "last lost", "dropped", "repeated", "swapped"],
)
def test_frames_are_taken_for_what_they_show(shown: list[int], numbered: bool) -> None:
    assert matched(shown, numbered=numbered) == shown


@pytest.mark.parametrize("numbered", [True, False])
def test_a_black_frame_stands_in_its_place_and_the_next_is_found_again(numbered: bool) -> None:
    shown = [-1 if n == 30 else n for n in range(FRAMES)]

    assert matched(shown, numbered=numbered) == list(range(FRAMES))


def test_content_is_followed_through_a_rate_that_is_tagged_wrongly() -> None:
    times = [Fraction(n * 10, 333) for n in range(FRAMES)]  # 33.3 fps instead of 30: six frames off at the end

    assert matched(list(range(FRAMES)), numbered=False, times=times) == list(range(FRAMES))


def test_pictures_that_cannot_be_compared_are_matched_by_time() -> None:
    aligner = Aligner(iter(clip(range(FRAMES), numbered=False)), 8, can_compare=False)
    times = [Fraction(n, 30) for n in (0, 1, 2, 4, 5)]

    assert [aligner.match(p).index for p in clip([0] * 5, numbered=False, times=times)] == [0, 1, 2, 4, 5]
    assert aligner.method == "time stamp"


@pytest.mark.parametrize(
    "ahead_s", [Fraction(0), Fraction(1, 75), Fraction(1, 51)], ids=["due", "half a tick", "nearest"]
)
@pytest.mark.parametrize("rate", [25, 24, 60, Fraction(60000, 1001)])
def test_frames_without_a_number_follow_the_rule_of_those_with_one(rate: Fraction | int, ahead_s: Fraction) -> None:
    """A zoom moves the number out of the picture while the rate changes: one frame beside is a wrong picture."""
    times = [Fraction(tick) / rate for tick in range(int(1.9 * rate))]
    shown = [int((time_s + ahead_s) * 30) for time_s in times]
    pictures = clip(shown, numbered=True, times=times)
    half = len(pictures) // 2
    pictures[half:] = [replace(one, record=replace(one.record, number=None)) for one in pictures[half:]]

    aligner = Aligner(iter(clip(range(FRAMES), numbered=True)), 16)

    assert [aligner.match(picture).index for picture in pictures] == shown


def test_the_window_is_bounded_and_the_reference_is_read_to_its_end() -> None:
    aligner = Aligner(iter(clip(range(FRAMES), numbered=True)), 6)
    far = clip([40, 2], numbered=True)

    first, second = aligner.match(far[0]), aligner.match(far[1])
    aligner.finish()

    assert first.index == 40
    assert first.picture is not None
    assert (second.index, second.picture) == (2, None)  # long gone from the window, and still known by its number
    assert len(aligner.records) == FRAMES


@pytest.mark.parametrize(
    ("size", "frames"), [((640, 360), 24), ((1920, 1080), 24), ((3840, 2160), 8), ((7680, 4320), 6)]
)
def test_the_window_shrinks_with_the_picture(size: tuple[int, int], frames: int) -> None:
    assert window_frames(*size) == frames


def _panned(shown: Sequence[int], times: Sequence[Fraction]) -> list[ObservedPicture]:
    """Soft foliage that moves by a pixel a frame: means of blocks move by less than a code."""
    random = np.random.default_rng(4)
    wide = 110 + 14 * gaussian_filter(random.normal(0, 1, (72, 320)), 1.0)
    scaler, pictures = VideoReformatter(), []
    for index, content in enumerate(shown):
        luma = wide[:, content : content + 128].round().astype(np.uint8)
        frame = as_frame(Planes(luma, *np.full((2, 36, 64), 128, np.uint8)))
        plain = clip([0], numbered=False)[0].record
        record = replace(plain, index=index, time_s=times[index])
        pictures.append(ObservedPicture(record, frame, thumbnail(frame, scaler)))
    return pictures


def test_a_slow_pan_at_another_rate_is_followed_to_the_frame() -> None:
    """FFmpeg shows the last frame that rounds to a tick; validation compared it with the one before, 12 dB off."""
    shown = [round(Fraction(number * 12, 5)) + number % 2 for number in range(24)]
    reference = _panned(range(60), [Fraction(number, 60) for number in range(60)])
    output = _panned(shown, [Fraction(number, 25) for number in range(24)])

    aligner = Aligner(iter(reference), 16)

    assert [aligner.match(picture).index for picture in output] == shown


def _sparks(level: float) -> ObservedPicture:
    """Sparks on black that fade."""
    luma = np.full((72, 128), 16, np.uint8)
    luma[4::16, 4::16] = round(16 + level)
    frame = as_frame(Planes(luma, *np.full((2, 36, 64), 128, np.uint8)))
    return ObservedPicture(clip([0], numbered=False)[0].record, frame, thumbnail(frame, VideoReformatter()))


def test_a_picture_that_coding_dimmed_is_not_the_next() -> None:
    """Sparks that go out, at CRF 30: a frame was called missing, and the next repeated."""
    levels = [60 - 12 * number for number in range(6)]
    reference, output = (
        [
            replace(picture, record=replace(picture.record, index=number, time_s=Fraction(number, 30)))
            for number, picture in enumerate(map(_sparks, shown))
        ]
        for shown in (levels, [*levels[:4], 2, 0])
    )

    aligner = Aligner(iter(reference), 16)

    assert [aligner.match(picture).index for picture in output] == list(range(6))


def _lit(number: int, *, level: float | None = None, step: int = 1) -> ObservedPicture:
    """Foliage that fades in from black for twelve frames and then moves, in steps of so many codes."""
    level = min(number, 12) if level is None else level
    random = np.random.default_rng(4)
    wide = np.clip(1 + 1.5 * gaussian_filter(random.normal(0, 1, (72, 256)), 1.0), 0, 2)
    place = max(0, number - 12)
    luma = (16 + 4.0 * level * wide[:, place : place + 128]).astype(np.uint8) // step * step
    frame = as_frame(Planes(luma, *np.full((2, 36, 64), 128, np.uint8)))
    record = replace(clip([0], numbered=False)[0].record, index=number, time_s=Fraction(number, 30))
    return ObservedPicture(record, frame, thumbnail(frame, VideoReformatter()))


def test_lost_levels_of_a_fade_do_not_make_the_rest_late() -> None:
    """What is darker looks like an earlier frame; once that was believed, each later one was believed to be late."""
    aligner = Aligner(iter([_lit(number) for number in range(30)]), 16)

    found = [aligner.match(_lit(number, step=16)).index for number in range(30)]

    assert found[15:] == list(range(15, 30))


def test_frames_that_are_late_behind_a_fade_stay_late() -> None:
    aligner = Aligner(iter([_lit(number) for number in range(30)]), 16)
    shown = [*range(15), 14, 14, *range(15, 28)]

    found = [aligner.match(replace(_lit(each), record=_lit(place).record)).index for place, each in enumerate(shown)]

    assert found == shown


def _dimmed(number: int, *, step: int = 1) -> ObservedPicture:
    """The same, but its light goes down to a quarter, and then it moves."""
    return _lit(number, level=max(4, 16 - number), step=step)


@pytest.mark.parametrize("step", [8, 16, 32])
def test_lost_levels_of_a_fade_do_not_make_frames_early(step: int) -> None:
    """What is darker looks like a later frame there; from the first frame on all were called too early."""
    aligner = Aligner(iter([_dimmed(number) for number in range(34)]), 16)

    found = [aligner.match(_dimmed(number, step=step)).index for number in range(34)]

    assert [place for place, index in enumerate(found) if index != place] in ([], [11])  # 11: one frame from its end


def test_frames_that_are_early_in_a_fade_stay_early() -> None:
    shown = [0, 1, 2, *range(5, 34)]
    aligner = Aligner(iter([_dimmed(number) for number in range(34)]), 16)

    found = [aligner.match(replace(_dimmed(each), record=_lit(at).record)).index for at, each in enumerate(shown)]

    assert found == shown


def _plotted(number: int, *, seed: int, chroma: int = 128) -> ObservedPicture:
    """A curve that is drawn from the left on, and once in a leap; coding is off by more than block means move else."""
    luma = np.random.default_rng(seed).normal(200, 0.8, (288, 512))
    luma[136:144, : 8 * number + (60 if number > 12 else 0)] -= 150
    colours = np.full((2, 144, 256), 128, np.uint8)
    colours[0] = chroma
    frame = as_frame(Planes(np.round(luma).astype(np.uint8), *colours))
    record = replace(clip([0], numbered=False)[0].record, index=number, time_s=Fraction(number, 60))
    return ObservedPicture(record, frame, thumbnail(frame, VideoReformatter()))


@pytest.mark.parametrize(
    "shown",
    [
        [*range(12), 13, *range(13, 30)],
        [*range(13), 12, *range(14, 30)],
        [*range(12), *range(13, 30)],
        [*range(13), 12, *range(13, 29)],
    ],
    ids=["one early", "one late", "one lost", "one repeated"],
)
def test_frames_behind_one_that_is_out_of_place_are_taken_for_what_they_show(shown: list[int]) -> None:
    """One picture was shown too early by an AV1 encoder; the next ones, which were in time, were called early too."""
    aligner = Aligner(iter([_plotted(number, seed=number) for number in range(30)]), 16)
    output = [
        replace(_plotted(each, seed=100 + place, chroma=129), record=_plotted(place, seed=0).record)
        for place, each in enumerate(shown)
    ]

    found = [aligner.match(picture).index for picture in output]

    assert found == shown


def _ball(number: int, index: int, time_s: Fraction, seed: int) -> ObservedPicture:
    """Of a few pixels, on grain that is another in each file: means over the picture hardly differ."""
    random = np.random.default_rng(seed)
    luma = (120 + random.integers(-12, 13, (288, 512))).astype(np.uint8)
    luma[64:72, 8 * number : 8 * number + 8] += 60
    frame = as_frame(Planes(luma, *np.full((2, 144, 256), 128, np.uint8)))
    record = replace(clip([0], numbered=False)[0].record, index=index, time_s=time_s)
    return ObservedPicture(record, frame, thumbnail(frame, VideoReformatter()))


def test_at_another_rate_a_small_thing_says_which_frame_it_is() -> None:
    """FFmpeg's fps filter showed the frame before the nearest; validation found the ball in the wrong place."""
    shown = [tick * 30 // 50 for tick in range(32)]
    reference = [_ball(number, number, Fraction(number, 30), 1) for number in range(24)]
    output = [_ball(number, tick, Fraction(tick, 50), 2) for tick, number in enumerate(shown)]

    aligner = Aligner(iter(reference), 16, is_resampled=True)

    assert [aligner.match(each).index for each in output] == shown


def test_a_still_that_flickers_is_not_shown_out_of_order() -> None:
    """A key frame of the reference is as the encoder of the output made them all, and the next thing is due."""
    levels = [0, 4, 4, 0, 4, 4, 4, 40, 44, 48]

    def still(level: int, index: int, time_s: Fraction) -> ObservedPicture:
        picture = clip([3], numbered=False)[0]
        thumb = picture.thumb + np.float32(level / 60)  # of a code, but for what is next
        return replace(picture, record=replace(picture.record, index=index, time_s=time_s), thumb=thumb)

    reference = [still(level * (15 if level > 9 else 1), n, Fraction(n, 30)) for n, level in enumerate(levels)]
    output = [
        still(level, n, Fraction(n * 11, 300)) for n, level in enumerate([0, 4, 4, 4, 4, 0, 0])
    ]  # a tenth too slow

    aligner = Aligner(iter(reference), 16)
    found = [aligner.match(picture).index for picture in output]

    assert found == sorted(found)  # type: ignore[type-var]
