"""Blur along a motion is measured as the shutter made it, and nothing else is taken for it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from capbench.quality.effects.overlays.blur_length import (
    BlurEstimate,
    MovingFrame,
    blur_of_recording,
    corner_speed,
)
from capbench.quality.effects.placing.frame_placement import FramePlacement
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


def _moving(shutter: float, step: float, *, zoom: float = 0.0, soften: float = 0.0, late: float = 0.0) -> BlurEstimate:
    """What is estimated of a recording that moves by `step` pixels a frame and grows by `zoom` a frame."""
    source = screen(3)
    moments = shutter * ((np.arange(24) + 0.5) / 24 - 0.5) + late
    shown = np.mean([_at(source, 1.2 + zoom * moment, WIDTH / 2 + step * moment) for moment in moments], axis=0)
    if soften:
        shown = ndimage.gaussian_filter(shown, soften)
    shown = shown + np.random.default_rng(2).normal(0, 1.5, shown.shape)
    before, now, after = (_placement(1.2 + zoom * at, WIDTH / 2 + step * at) for at in (-1, 0, 1))
    luma = np.clip(np.rint(source), 0, 255).astype(np.uint8)
    frame = MovingFrame(5, np.clip(np.rint(shown), 0, 255).astype(np.uint8), luma, before, now, after, 2)
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

    assert blur_of_recording([MovingFrame(5, luma, luma, place, place, place, 2)]) is None
    assert blur_of_recording([]) is None


def test_the_speed_is_that_of_the_fastest_part_in_sight() -> None:
    before, after = _placement(1.0, WIDTH / 2), _placement(1.1, WIDTH / 2 + 4)

    # The left edge moves by 4 less half of 32, the right one by 4 and half of 32; the corner by 9 up or down too.
    assert corner_speed(before, after, 2, (WIDTH, HEIGHT)) == pytest.approx(np.hypot(18.2, 8.2) / 2, rel=0.08)
