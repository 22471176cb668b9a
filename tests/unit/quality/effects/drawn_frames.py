"""Small pictures of a recording with a cursor over it, in NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from capbench.quality.effects.overlays.working_frame import WorkingFrame

WIDTH, HEIGHT = 320, 180
CURSOR_PX = 20

Field = NDArray[np.float64]
Way = Callable[[float], tuple[float, float]]


def screen(seed: int = 1) -> Field:
    """Windows of one grey each and some noise, shape (HEIGHT, WIDTH)."""
    rng = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH), 90.0)
    for _ in range(14):
        top, left = rng.integers(0, HEIGHT - 40), rng.integers(0, WIDTH - 60)
        picture[top : top + rng.integers(20, 60), left : left + rng.integers(30, 90)] = rng.uniform(40, 200)
    return picture + rng.normal(0, 1, picture.shape)


def over(picture: Field, at: tuple[float, float], height: float = CURSOR_PX) -> Field:
    """The picture with a cursor: a dark box in a bright rim, its top left corner at x, y in pixels."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    width = 0.7 * height

    def cover(rim: float) -> Field:
        across = np.minimum(x - at[0] - rim, at[0] + width - rim - x) + 0.5
        down = np.minimum(y - at[1] - rim, at[1] + height - rim - y) + 0.5
        covered: Field = np.clip(across, 0, 1) * np.clip(down, 0, 1)
        return covered

    rim, inner = cover(0), cover(0.12 * height)
    return (picture * (1 - rim) + 230 * rim) * (1 - inner) + 25 * inner


def way(time_s: float) -> tuple[float, float]:
    """Fractions across and down: to the right, then down."""
    return float(np.interp(time_s, [0.1, 0.4], [0.2, 0.7])), float(np.interp(time_s, [0.4, 0.7], [0.3, 0.6]))


def frames(
    place: Way | None,
    *,
    count: int = 24,
    height: float = CURSOR_PX,
    lost: tuple[int, ...] = (),
    noise: float = 1.5,
    shutter: float = 0.0,
) -> list[WorkingFrame]:
    """Frames at 30 a second over the whole picture, coded with noise; the cursor is where `place` says.

    `shutter` is the part of a frame for which it is open, about the frame's time.
    """
    rng = np.random.default_rng(7)
    under = screen()
    drawn = []
    for index in range(count):
        shown = under
        if place is not None and index not in lost:
            moments = shutter * ((np.arange(16) + 0.5) / 16 - 0.5) if shutter else np.zeros(1)
            places = [place((index + moment) / 30) for moment in moments]
            shown = np.mean([over(under, (across * WIDTH, down * HEIGHT), height) for across, down in places], axis=0)
        shown = ndimage.gaussian_filter(shown, 0.4) + rng.normal(0, noise, under.shape)
        drawn.append(
            WorkingFrame(
                index,
                index / 30,
                np.clip(np.rint(shown), 0, 255).astype(np.uint8),
                np.clip(np.rint(under), 0, 255).astype(np.uint8),
                np.ones(under.shape, bool),
                np.array([[WIDTH, 0.0, 0.0], [0.0, HEIGHT, 0.0]]),
            )
        )
    return drawn
