"""What is drawn into a recording: the colours, the charts, the marks, and that nothing covers them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.quality.oracle import nv12_to_rgb, rgb_to_nv12
from capbench.recordings import RecordingSpec
from capbench.recordings.layout import EDGE_CHART, EDGE_COLOURS, FRAME_NUMBER, PATCHES, Area, edge_positions
from capbench.recordings.marks import flash_level, read_frame_number
from capbench.recordings.motion import scroll_px
from capbench.recordings.recording_planes import RecordingPlanes, planes_from_rgb
from capbench.recordings.screen import Screen

WIDTH, HEIGHT = 640, 360
SPEC = RecordingSpec("screen", WIDTH, HEIGHT, 30, 10)


def blank(width: int = WIDTH, height: int = HEIGHT) -> RecordingPlanes:
    """Planes that no frame would leave as they are."""
    return RecordingPlanes(*(np.full((height // part, width // part), 77, np.uint8) for part in (1, 2, 2)))


def drawn(frame: int, spec: RecordingSpec = SPEC) -> RecordingPlanes:
    planes = blank(spec.width, spec.height)
    Screen(spec).draw(frame, planes)
    return planes


def rgb_of(planes: RecordingPlanes) -> NDArray[np.float64]:
    """R'G'B' in 0..255 as the oracle reads it."""
    return nv12_to_rgb(planes.luma, np.stack([planes.cb, planes.cr], axis=-1), ColourSpec()) * 255


@pytest.mark.parametrize("size", [(2, 2), (2, 6), (270, 480), (130, 34)])
def test_conversion_is_the_oracles(size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)

    planes = planes_from_rgb(rgb)

    luma, chroma = rgb_to_nv12(rgb, ColourSpec())
    np.testing.assert_array_equal(planes.luma, luma)
    np.testing.assert_array_equal(np.stack([planes.cb, planes.cr], axis=-1), chroma)


def test_frames_depend_on_the_seed_alone() -> None:
    first, again, other = (drawn(45, RecordingSpec("x", WIDTH, HEIGHT, 30, 10, seed=seed)) for seed in (1, 1, 2))

    for name in ("luma", "cb", "cr"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    # Text, windows and their places: far more than the noise of the wallpaper, which is one code.
    assert np.mean(np.abs(first.luma.astype(int) - other.luma) > 2) > 0.05


def test_a_longer_recording_starts_like_a_shorter_one_in_any_order() -> None:
    long, short = Screen(RecordingSpec("x", WIDTH, HEIGHT, 30, 60)), Screen(SPEC)
    for frame in (250, 3):
        one, two = blank(), blank()
        long.draw(frame, one)
        short.draw(frame, two)
        np.testing.assert_array_equal(one.luma, two.luma)


@pytest.mark.parametrize(("width", "height"), [(192, 108), (640, 360), (1366, 768), (360, 640)])
def test_every_patch_has_its_colour(width: int, height: int) -> None:
    rgb = rgb_of(drawn(7, RecordingSpec("x", width, height, 30, 1)))

    for patch in PATCHES:
        inside = rgb[patch.sample.pixels(width, height)]
        assert inside.size, patch
        # Half a code of luma and of chroma, which is what rounding loses, is at most 0.58 + 0.5 * 1.86 * 255/224.
        np.testing.assert_allclose(inside, np.broadcast_to(patch.rgb, inside.shape), atol=1.65, err_msg=patch.name)


def test_the_chart_covers_what_a_conversion_can_get_wrong() -> None:
    colours = {patch.name: patch.rgb for patch in PATCHES}

    assert len(set(colours.values())) == len(PATCHES) == 24
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0)} <= set(colours.values())
    assert sum("skin" in name for name in colours) == 4
    assert colours["near-black"] == (8, 8, 8)
    assert colours["near-white"] == (247, 247, 247)


@pytest.mark.parametrize("width", [160, 638, 640, 1920, 3840])
def test_edges_are_where_they_are_said_to_be_in_luma_and_in_chroma(width: int) -> None:
    """The place of an edge from the area under it, as exact for left-sited chroma as for luma."""
    planes = drawn(0, RecordingSpec("x", width, 90, 30, 1))
    row = EDGE_CHART.pixels(width, 90, multiple=2)[0].start + 3
    bar = edge_positions(width)[1] - edge_positions(width)[0]

    for number, position in enumerate(edge_positions(width)):
        start, stop = (position - bar // 2) // 2 * 2, (position + bar // 2) // 2 * 2
        for plane, step in ((planes.luma, 1), (planes.cb, 2), (planes.cr, 2)):
            line = plane[row // step, start // step : stop // step].astype(float)
            before, after = line[0], line[-1]
            if abs(after - before) < 60:  # this component has no edge here
                continue
            # Sample n of a left-sited plane stands for half a step to each side of luma column n * step.
            left_end = start + 0.5 - step / 2
            found = left_end + step * np.sum((after - line) / (after - before))
            assert found == pytest.approx(position, abs=0.05), (number, step)


def test_every_edge_steps_in_luma_and_in_chroma() -> None:
    luma, chroma = rgb_to_nv12(np.repeat(np.array([EDGE_COLOURS, EDGE_COLOURS], np.uint8), 4, axis=1), ColourSpec())

    assert np.all(np.abs(np.diff(luma[0, 2::4].astype(int))) > 40)
    assert np.all(np.abs(np.diff(chroma[0, 1::2].astype(int), axis=0)).max(axis=1) > 60)


def test_marks_of_every_frame_are_read_while_windows_move() -> None:
    spec = RecordingSpec("x", 320, 180, 30, 8)
    screen, planes = Screen(spec), blank(320, 180)
    levels = []
    for frame in range(spec.frames):
        screen.draw(frame, planes)
        assert read_frame_number(planes.luma) == frame
        level = flash_level(planes.luma)
        assert level is not None
        levels.append(level)

    flashing = {flash + late for flash in spec.flash_frames for late in range(3)}
    assert [level for frame, level in enumerate(levels) if frame in flashing] == pytest.approx([1.0] * 24, abs=0.01)
    assert max(level for frame, level in enumerate(levels) if frame not in flashing) < 0.06


def test_nothing_that_moves_touches_the_charts_and_all_of_it_moves() -> None:
    spec = RecordingSpec("x", 320, 180, 30, 20)
    screen, still, planes = Screen(spec), blank(320, 180), blank(320, 180)
    screen.draw(5, still)
    moved = np.zeros((180, 320), bool)
    for frame in range(5, spec.frames, 7):
        screen.draw(frame, planes)
        moved |= planes.luma != still.luma
        panel = Area(0, 0.11, 0.25, 0.80).pixels(320, 180)
        np.testing.assert_array_equal(planes.luma[panel], still.luma[panel])

    number = FRAME_NUMBER.pixels(320, 180)[0]
    assert moved[number].any()
    assert moved[:, 80:230].mean() > 0.2  # the text scrolls
    assert moved[:, 230:].mean() > 0.4  # the windows wander


@pytest.mark.parametrize(("width", "height"), [(160, 90), (162, 1000), (1000, 90)])
def test_extreme_sizes_are_drawn_all_the_way(width: int, height: int) -> None:
    spec = RecordingSpec("x", width, height, 30, 60)
    screen, planes = Screen(spec), blank(width, height)
    for frame in range(0, spec.frames, 11):
        screen.draw(frame, planes)
        assert read_frame_number(planes.luma) == frame


def test_text_never_scrolls_back() -> None:
    places = [scroll_px(frame / 30, 1080) for frame in range(300)]

    assert places == sorted(places)
    assert all(place % 2 == 0 for place in places)
    assert places[-1] == pytest.approx(60 * 10, rel=0.02)
