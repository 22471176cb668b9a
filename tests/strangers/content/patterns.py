"""What editors and test pictures do: cuts, dissolves, wipes, flashes, and patterns that are hard to code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from tests.strangers.content.drawing import (
    Canvas,
    Kind,
    Picture,
    as_picture,
    crop_at,
    fractal_noise,
    letters,
    photo,
    random_colour,
    sentence,
)

__all__ = ["PATTERNS"]


def _unlike(canvas: Canvas, count: int) -> list[Image.Image]:
    """Pictures that have little in common: a photo, a page, blocks, a ramp, in a drawn order."""
    page = canvas.blank(random_colour(canvas, 200, 255))
    font = letters(3 * canvas.unit + 3)
    for top in range(2, canvas.height, 4 * canvas.unit + 5):
        ImageDraw.Draw(page).text((4, top), sentence(canvas, 12), fill=random_colour(canvas, 0, 110), font=font)
    blocks = Image.fromarray(canvas.random.integers(20, 236, (7, 9, 3)).astype(np.uint8))
    ramp = np.linspace(random_colour(canvas, 0, 120), random_colour(canvas, 120, 255), canvas.width)
    made = [
        Image.fromarray(photo(canvas, canvas.height, canvas.width)),
        page,
        blocks.resize((canvas.width, canvas.height), Image.Resampling.NEAREST),
        Image.fromarray(np.broadcast_to(ramp, (canvas.height, canvas.width, 3)).astype(np.uint8)),
        Image.fromarray(photo(canvas, canvas.height, canvas.width)),
    ]
    return [made[n] for n in canvas.random.permutation(len(made))[:count]]


def _hard_cuts(canvas: Canvas) -> Iterator[Picture]:
    """Cuts between unlike scenes that each drift a little."""
    scenes = _unlike(canvas, 4)
    for time_s in canvas.times_s:
        place = 3.999 * time_s / canvas.end_s
        way = 3 * canvas.unit * (place % 1)
        yield as_picture(crop_at(scenes[int(place)], canvas, way, way / 2, zoom=1.2))


def _dissolve(canvas: Canvas) -> Iterator[Picture]:
    """One moving picture becomes another over most of the clip."""
    first, second = _unlike(canvas, 2)
    for time_s in canvas.times_s:
        share = time_s / canvas.end_s
        one, two = (crop_at(each, canvas, 4 * canvas.unit * share, 0.0, zoom=1.2) for each in (first, second))
        yield as_picture(Image.blend(one, two, float(np.clip(1.4 * share - 0.2, 0, 1))))


def _wipe(canvas: Canvas) -> Iterator[Picture]:
    """A slanted edge uncovers another picture."""
    first, second = (as_picture(each) for each in _unlike(canvas, 2))
    rows, columns = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    angle = canvas.uniform(0, 2 * np.pi)
    place = np.cos(angle) * columns / canvas.width + np.sin(angle) * rows / canvas.height
    place = (place - place.min()) / (place.max() - place.min())
    for time_s in canvas.times_s:
        yield np.where((place < 1.1 * time_s / canvas.end_s)[..., None], second, first)


def _flashes(canvas: Canvas) -> Iterator[Picture]:
    """A picture that moves, and a few frames of white or colour over it."""
    seen = _unlike(canvas, 1)[0]
    flashes = sorted(canvas.uniform(0.15, 0.85) * canvas.end_s for _ in range(3))
    tint = np.array(random_colour(canvas, 200, 255), np.float32)
    for time_s in canvas.times_s:
        shown = np.asarray(crop_at(seen, canvas, 8 * canvas.unit * time_s, 0.0, zoom=1.3), np.float32)
        glow = max((np.exp(-(time_s - start) / 0.05) for start in flashes if time_s >= start), default=0.0)
        yield (shown + (tint - shown) * np.float32(0.9 * glow)).astype(np.uint8)


def _plasma(canvas: Canvas) -> Iterator[Picture]:
    """Colours that flow into each other."""
    rows, columns = np.mgrid[: canvas.height, : canvas.width].astype(np.float32) / np.float32(5 * canvas.unit)
    speeds, phases = canvas.random.uniform(1, 5, 3), canvas.random.uniform(0, 6, 3)
    for time_s in canvas.times_s:
        turn = np.float32(time_s)
        field = np.sin(columns / 2 + speeds[0] * turn) + np.sin(rows / 2 - speeds[1] * turn)
        field = field + np.sin(np.hypot(columns - 9, rows - 6) / 2 - speeds[2] * turn)
        parts = [127.5 + 110 * np.sin(field * np.pi / 2 + phase) for phase in phases]
        yield np.stack(parts, axis=-1).astype(np.uint8)


def _checkerboard(canvas: Canvas) -> Iterator[Picture]:
    """Squares of two colours, coarse on one side and fine on the other, that slide."""
    one, two = (np.array(random_colour(canvas, *span), np.uint8) for span in ((10, 110), (140, 245)))
    rows, columns = np.mgrid[: canvas.height, : canvas.width]
    side = np.where(columns < canvas.width // 2, 6 * canvas.unit, 2 * canvas.unit)
    across, down = (canvas.uniform(-14, 14) * canvas.unit for _ in range(2))
    for time_s in canvas.times_s:
        x, y = columns + int(across * time_s), rows + int(down * time_s)
        yield np.where((((x // side) + (y // side)) % 2)[..., None] == 0, one, two)


def _zone_plate(canvas: Canvas) -> Iterator[Picture]:
    """Rings that grow finer outwards, and shrink."""
    rows, columns = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    square = (columns - canvas.width / 2) ** 2 + (rows - canvas.height / 2) ** 2
    # The finest ring, at the corner, is of four pixels.
    scale = np.pi / (2 * np.hypot(canvas.width, canvas.height))
    tint = np.array(random_colour(canvas, 60, 120), np.float32)
    for time_s in canvas.times_s:
        yield (128 + tint * np.cos(scale * square + 9 * time_s)[..., None]).astype(np.uint8)


def _moire(canvas: Canvas) -> Iterator[Picture]:
    """Two fans of thin lines, one of which turns."""
    still, moved = random_colour(canvas, 0, 100), random_colour(canvas, 60, 200)
    middle, reach = np.array([canvas.width / 2, canvas.height / 2]), np.hypot(canvas.width, canvas.height)
    for time_s in canvas.times_s:
        shown = canvas.blank((250, 250, 250))
        draw = ImageDraw.Draw(shown)
        for number in range(48):
            for colour, turn in ((still, 0.0), (moved, 0.4 * time_s)):
                angle = np.pi * number / 48 + turn
                away = reach * np.array([np.cos(angle), np.sin(angle)]) / 2
                draw.line((*(middle - away), *(middle + away)), fill=colour, width=max(1, canvas.unit // 2))
        yield as_picture(shown)


def _stopwatch(canvas: Canvas) -> Iterator[Picture]:
    """Large digits that count hundredths above a hand that turns."""
    back, ink = random_colour(canvas, 0, 70), random_colour(canvas, 170, 255)
    side, begun = min(canvas.width, canvas.height), canvas.uniform(0, 50)
    centre = canvas.width / 2, canvas.height * 0.65
    for time_s in canvas.times_s:
        shown = canvas.blank(back)
        draw = ImageDraw.Draw(shown)
        draw.text((canvas.unit, canvas.unit), f"{begun + time_s:06.2f}", fill=ink, font=letters(side // 4))
        radius, angle = 0.28 * side, 2 * np.pi * time_s
        box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
        draw.ellipse(box, outline=ink, width=canvas.unit)
        tip = centre[0] + radius * np.sin(angle), centre[1] - radius * np.cos(angle)
        draw.line((*centre, *tip), fill=(250, 70, 60), width=canvas.unit)
        yield as_picture(shown)


def _kaleidoscope(canvas: Canvas) -> Iterator[Picture]:
    """One corner of a turning picture, mirrored into all four."""
    side = max(canvas.width, canvas.height)
    seen = Image.fromarray(photo(canvas, side, side))
    speed = canvas.uniform(0.3, 1.2)
    rows, columns = -(-canvas.height // 2), -(-canvas.width // 2)
    for time_s in canvas.times_s:
        corner = as_picture(crop_at(seen, canvas, 0.0, 0.0, zoom=1.3, turn=speed * time_s))[:rows, :columns]
        upper = np.concatenate([corner, corner[:, ::-1]], axis=1)[:, : canvas.width]
        yield np.ascontiguousarray(np.concatenate([upper, upper[::-1]])[: canvas.height])


def _blots(canvas: Canvas) -> Iterator[Picture]:
    """Blots of two or three flat colours with sharp borders that grow and merge."""
    first, second = (fractal_noise(canvas, canvas.height, canvas.width, 4) for _ in range(2))
    colours = np.array([random_colour(canvas) for _ in range(3)], np.uint8)
    for time_s in canvas.times_s:
        share = np.float32(time_s / canvas.end_s)
        mixed = first + (second - first) * share
        yield colours[(mixed > 0.42).astype(int) + (mixed > 0.6)]


def _captions(canvas: Canvas) -> Iterator[Picture]:
    """Captions that change over a picture that is held: still but for its lowest part."""
    seen = _unlike(canvas, 1)[0]
    px = max(9, 4 * canvas.unit)
    said = [sentence(canvas, 4) for _ in range(6)]
    for time_s in canvas.times_s:
        shown = seen.copy()
        draw = ImageDraw.Draw(shown)
        top = canvas.height - 2 * px
        draw.rectangle((0, top, canvas.width, canvas.height), fill=(0, 0, 0))
        draw.text((px, top + px // 3), said[int(time_s * 3) % 6], fill=(255, 255, 255), font=letters(px))
        yield as_picture(shown)


PATTERNS: Final[dict[str, Kind]] = {
    "hard-cuts": _hard_cuts,
    "dissolve": _dissolve,
    "wipe": _wipe,
    "flashes": _flashes,
    "plasma": _plasma,
    "checkerboard": _checkerboard,
    "zone-plate": _zone_plate,
    "moire": _moire,
    "stopwatch": _stopwatch,
    "kaleidoscope": _kaleidoscope,
    "blots": _blots,
    "captions": _captions,
}
"""By name."""
