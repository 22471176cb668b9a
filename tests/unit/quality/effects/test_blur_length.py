"""Blur along a motion is measured as the shutter made it, and nothing else is taken for it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from capbench.quality.effects.effect_meter import PlacedFrame
from capbench.quality.effects.overlays.blur_finding import MovingFrames
from capbench.quality.effects.overlays.blur_length import (
    BlurEstimate,
    MovingFrame,
    blur_of_recording,
    corner_speed,
)
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.reading.planes import Planes
from tests.unit.quality.effects.drawn_frames import HEIGHT, WIDTH, screen

Field = NDArray[np.float64]


def _placement(scale: float, x: float) -> FramePlacement:
    return FramePlacement((WIDTH, HEIGHT), (scale, scale), 0.0, (x, HEIGHT / 2), 0.02, 1.0)


def _at(source: Field, scale: float, x: float) -> Field:
    """The recording magnified about the canvas's middle row, its middle at x."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    return ndimage.map_coordinates(
        source,
        [(rows - HEIGHT / 2) / scale + HEIGHT / 2 - 0.5, (columns - x) / scale + WIDTH / 2 - 0.5],
        order=1,
        mode="nearest",
    )


def _moving(
    shutter: float, step: float, *, zoom: float = 0.0, soften: float = 0.0, late: float = 0.0, contrast: float = 1.0
) -> BlurEstimate:
    """What is estimated of a recording that moves by `step` pixels a frame and grows by `zoom` a frame."""
    source = screen(3)
    moments = shutter * ((np.arange(24) + 0.5) / 24 - 0.5) + late
    shown = np.mean([_at(source, 1.2 + zoom * moment, WIDTH / 2 + step * moment) for moment in moments], axis=0)
    if soften:
        shown = ndimage.gaussian_filter(shown, soften)
    shown = 128 + contrast * (shown - 128)
    shown = shown + np.random.default_rng(2).normal(0, 1.5, shown.shape)
    luma = np.clip(np.rint(source), 0, 255).astype(np.uint8)
    around = {at: _placement(1.2 + zoom * at, WIDTH / 2 + step * at) for at in (-2, -1, 0, 1, 2)}
    frame = MovingFrame(5, np.clip(np.rint(shown), 0, 255).astype(np.uint8), luma, around[0], around)
    found = blur_of_recording([frame])
    assert found is not None
    return found


@pytest.mark.parametrize("shutter", [0.25, 0.5, 0.75, 1.0])
def test_the_shutter_is_found(shutter: float) -> None:
    found = _moving(shutter, 9.0)

    assert found.share == pytest.approx(shutter, abs=0.06)
    assert found.gain > 0.15
    assert found.length_px == pytest.approx(9 * shutter, rel=0.2)


def test_a_zoom_blurs_outwards() -> None:
    assert _moving(0.5, 0.0, zoom=0.08).share == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("ease_frames", [4.4, 7.0, 20.0])
def test_in_the_middle_of_a_short_ease_the_way_is_that_which_the_shutter_sees(ease_frames: float) -> None:
    def scale(at: float) -> float:
        share = float(np.clip(0.5 + at / ease_frames, 0, 1))
        return float(1.2 * 1.6 ** (share * share * (3 - 2 * share)))

    around = {at: _placement(scale(at), WIDTH / 2) for at in (-2, -1, 0, 1, 2)}
    blank = np.zeros((HEIGHT, WIDTH), np.uint8)
    shutter = scale(0.25) - scale(-0.25)  # of half a frame

    growth = MovingFrame(5, blank, blank, around[0], around).velocity()[0, 0]
    assert growth / 2 == pytest.approx(shutter, rel=0.02)
    nearer = {at: around[at] for at in (-1, 1)}
    assert MovingFrame(5, blank, blank, around[0], nearer).velocity()[0, 0] / 2 == pytest.approx(shutter, rel=0.08)


def test_what_a_coarse_encoding_takes_of_the_contrast_is_no_blur() -> None:
    found = _moving(0.5, 9.0, contrast=0.8)

    assert found.share == pytest.approx(0.5, abs=0.08)


def test_what_is_sharp_is_not_blurred() -> None:
    assert _moving(0.0, 9.0).share < 0.1


def test_what_is_soft_in_all_directions_is_not_blurred() -> None:
    found = _moving(0.0, 9.0, soften=1.0)

    assert found.share < 0.15 or found.gain < 0.2


def test_a_picture_that_is_late_is_not_blurred() -> None:
    """Registration that is off by two pixels, or a shutter that opens with the frame."""
    assert _moving(0.0, 8.0, late=0.25).share < 0.1
    assert _moving(0.5, 8.0, late=0.25).share == pytest.approx(0.5, abs=0.08)


def test_what_rests_tells_nothing() -> None:
    place = _placement(1.2, WIDTH / 2)
    luma = screen().astype(np.uint8)

    assert blur_of_recording([MovingFrame(5, luma, luma, place, {-1: place, 1: place})]) is None
    assert blur_of_recording([]) is None


def test_the_frames_that_move_are_kept_while_their_memory_is_used_again() -> None:
    """A recording rests for six frames, then moves by nine pixels a frame for as many."""
    source = screen(3)
    moving, shown, luma = MovingFrames((WIDTH, HEIGHT)), np.empty((HEIGHT, WIDTH), np.uint8), source.astype(np.uint8)
    for index in range(12):
        moments = index + 0.5 * ((np.arange(12) + 0.5) / 12 - 0.5)
        places = [WIDTH / 2 + 9.0 * max(0.0, moment - 5) for moment in moments]
        shown[...] = np.mean([_at(source, 1.2, x) for x in places], axis=0)
        at = _placement(1.2, WIDTH / 2 + 9.0 * max(0, index - 5))
        moving.add(PlacedFrame(index, index / 30, Planes(shown, shown, shown), at, Planes(luma, luma, luma)))
    shown[...] = 0

    found = moving.estimate()

    assert found is not None
    assert found.share == pytest.approx(0.5, abs=0.08)
    assert set(found.frames) == {6, 7, 8, 9}


def test_the_speed_is_that_of_the_fastest_part_in_sight() -> None:
    before, after = _placement(1.0, WIDTH / 2), _placement(1.1, WIDTH / 2 + 4)

    # The left edge moves by 4 less half of 32, the right one by 4 and half of 32; the corner by 9 up or down too.
    assert corner_speed(before, after, (WIDTH, HEIGHT)) == pytest.approx(np.hypot(18.2, 8.2), rel=0.08)
