"""What cameras, games and maps show: photo-like pictures, skin, weather, low light, sprites, maps, charts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tests.strangers.content.drawing import (
    Canvas,
    Colour,
    Kind,
    Picture,
    as_picture,
    crop_at,
    fractal_noise,
    letters,
    photo,
    random_colour,
    sensor_noise,
    sentence,
)

__all__ = ["SCENES"]

_SKINS: Final[tuple[Colour, ...]] = ((236, 188, 160), (198, 140, 105), (141, 92, 62), (92, 58, 42))


def _photo_shake(canvas: Canvas) -> Iterator[Picture]:
    """A photo-like picture held by an unsteady hand, with a sensor's noise."""
    margin = 4 * canvas.unit
    seen = Image.fromarray(photo(canvas, canvas.height + 2 * margin, canvas.width + 2 * margin))
    phases = [canvas.uniform(0, 6) for _ in range(4)]
    noise = canvas.uniform(1, 5)
    for time_s in canvas.times_s:
        x, y = (
            margin * (1 + 0.5 * np.sin(3.1 * time_s + one) + 0.3 * np.sin(11 * time_s + two))
            for one, two in (phases[:2], phases[2:])
        )
        shown = crop_at(seen, canvas, float(x), float(y), turn=0.01 * float(np.sin(2.3 * time_s + phases[0])))
        yield sensor_noise(canvas, as_picture(shown), noise)


def _slow_zoom(canvas: Canvas) -> Iterator[Picture]:
    """A photo into which the view zooms slowly, as in a slide show."""
    seen = Image.fromarray(photo(canvas, 2 * canvas.height, 2 * canvas.width))
    ends = [canvas.uniform(0.2, 0.8) for _ in range(4)]
    for time_s in canvas.times_s:
        share = time_s / canvas.end_s
        x = canvas.width * (ends[0] + (ends[2] - ends[0]) * share)
        y = canvas.height * (ends[1] + (ends[3] - ends[1]) * share)
        yield as_picture(crop_at(seen, canvas, x, y, zoom=0.85 + 0.4 * share))


def _head(canvas: Canvas, skin: Colour) -> Image.Image:
    side = max(48, min(canvas.width, canvas.height))
    head = Image.new("RGB", (side, side), random_colour(canvas, 40, 200))
    draw = ImageDraw.Draw(head)
    shirt = random_colour(canvas, 30, 220)
    draw.ellipse((0.1 * side, 0.72 * side, 0.9 * side, 1.5 * side), fill=shirt)
    draw.ellipse((0.28 * side, 0.14 * side, 0.72 * side, 0.8 * side), fill=skin)
    draw.pieslice((0.26 * side, 0.08 * side, 0.74 * side, 0.7 * side), 180, 360, fill=random_colour(canvas, 20, 110))
    for x in (0.4, 0.6):
        draw.ellipse(((x - 0.04) * side, 0.42 * side, (x + 0.04) * side, 0.48 * side), fill=(35, 30, 30))
    return head.filter(ImageFilter.GaussianBlur(side / 90))


def _video_call(canvas: Canvas) -> Iterator[Picture]:
    """Tiles of people who talk and move a little; the speaker's tile has a frame."""
    tiles = [_head(canvas, _SKINS[canvas.whole(0, 3)]) for _ in range(4)]
    across = 2 if canvas.width >= canvas.height else 1
    down = -(-len(tiles) // across)
    cell = canvas.width // across, canvas.height // down
    phases = [canvas.uniform(0, 6) for _ in tiles]
    for time_s in canvas.times_s:
        shown = canvas.blank((24, 26, 30))
        for number, (tile, phase) in enumerate(zip(tiles, phases, strict=True)):
            face = tile.copy()
            draw, side = ImageDraw.Draw(face), tile.width
            open_px = 0.05 * side * abs(np.sin(9 * time_s + phase))
            draw.ellipse((0.42 * side, 0.62 * side, 0.58 * side, 0.64 * side + open_px), fill=(120, 40, 45))
            sway = int(0.04 * side * np.sin(2 * time_s + phase))
            face = face.resize((cell[0] - 4, cell[1] - 4), Image.Resampling.BILINEAR)
            place = (number % across) * cell[0], (number // across) * cell[1]
            shown.paste(face, (place[0] + 2 + sway // 4, place[1] + 2))
            if int(time_s * 1.5 + phases[0]) % 4 == number:
                box = (place[0] + 1, place[1] + 1, place[0] + cell[0] - 2, place[1] + cell[1] - 2)
                ImageDraw.Draw(shown).rectangle(box, outline=(90, 220, 120), width=canvas.unit)
        yield sensor_noise(canvas, as_picture(shown), 1.5)


def _portrait(canvas: Canvas) -> Iterator[Picture]:
    """One head close up in soft light that changes, with fine noise."""
    head = _head(canvas, _SKINS[canvas.whole(0, 3)]).resize((canvas.width, canvas.height), Image.Resampling.BICUBIC)
    light = fractal_noise(canvas, canvas.height, canvas.width, 2)[..., None]
    large = np.asarray(head, np.float32)
    for time_s in canvas.times_s:
        shade = 0.75 + 0.35 * light * (0.7 + 0.3 * float(np.sin(4 * time_s)))
        lit = Image.fromarray(np.clip(large * shade, 0, 255).astype(np.uint8))
        moved = crop_at(lit, canvas, 2 * canvas.unit * float(np.sin(3 * time_s)), 0.0, zoom=1.08 + 0.05 * time_s)
        yield sensor_noise(canvas, as_picture(moved), 2)


def _low_light(canvas: Canvas) -> Iterator[Picture]:
    """Hardly lit, a lamp that moves, and much noise."""
    seen = photo(canvas, canvas.height, canvas.width).astype(np.float32) * 0.22
    rows, columns = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    reach, noise = min(canvas.width, canvas.height) / canvas.uniform(3, 6), canvas.uniform(4, 9)
    lamp = np.array([255, 205, 140], np.float32)
    for time_s in canvas.times_s:
        share = time_s / canvas.end_s
        x, y = canvas.width * (0.2 + 0.6 * share), canvas.height * (0.45 + 0.2 * float(np.sin(5 * share)))
        glow = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * reach**2))[..., None]
        yield sensor_noise(canvas, np.clip(seen * (1 + 3 * glow) + 0.5 * glow * lamp, 0, 255).astype(np.uint8), noise)


def _map(canvas: Canvas) -> Iterator[Picture]:
    """Streets, parks, water and names, panned and zoomed."""
    width, height = 2 * canvas.width, 2 * canvas.height
    drawn = Image.new("RGB", (width, height), (238, 234, 226))
    draw = ImageDraw.Draw(drawn)
    for colour in ((196, 224, 180), (170, 208, 235), (224, 216, 226)) * 3:
        x, y = canvas.uniform(0, width), canvas.uniform(0, height)
        corners = [(x + canvas.uniform(-0.2, 0.2) * width, y + canvas.uniform(-0.2, 0.2) * height) for _ in range(5)]
        draw.polygon(corners, fill=colour)
    for _ in range(24):
        ends = [
            canvas.uniform(0, width),
            canvas.uniform(0, height),
            canvas.uniform(0, width),
            canvas.uniform(0, height),
        ]
        broad = canvas.unit * canvas.whole(1, 3)
        draw.line(ends, fill=(180, 172, 160), width=broad + 2)
        draw.line(ends, fill=((255, 255, 255), (252, 214, 120))[canvas.whole(0, 3) == 0], width=broad)
    for _ in range(16):
        place = (canvas.uniform(0, width), canvas.uniform(0, height))
        draw.text(place, sentence(canvas, 2).title(), fill=(70, 70, 90), font=letters(3 * canvas.unit + 3))
    ends = [canvas.uniform(0.05, 0.45) for _ in range(4)]
    zooms = canvas.uniform(0.8, 1.2), canvas.uniform(1.0, 2.0)
    for time_s in canvas.times_s:
        # Panned, held for a moment, then zoomed.
        pan, near = min(1.0, 2 * time_s / canvas.end_s), max(0.0, 2 * time_s / canvas.end_s - 1.2)
        x, y = canvas.width * (ends[0] + ends[2] * pan), canvas.height * (ends[1] + ends[3] * pan)
        yield as_picture(crop_at(drawn, canvas, x, y, zoom=zooms[0] + (zooms[1] - zooms[0]) * near))


def _sprites(canvas: Canvas) -> Iterator[Picture]:
    """A game: ground and hills that pass at two speeds, figures of few pixels that jump."""
    cell = max(2, canvas.unit)
    figures = []
    for _ in range(4):
        half = canvas.random.integers(0, 3, (8, 4))
        dots = np.concatenate([half, half[:, ::-1]], axis=1)
        colours = np.array([(0, 0, 0), random_colour(canvas, 150, 255), random_colour(canvas, 60, 255)], np.uint8)
        body = np.concatenate([colours[dots], (255 * (dots > 0))[..., None].astype(np.uint8)], axis=-1)
        figures.append(Image.fromarray(np.kron(body, np.ones((cell, cell, 1), np.uint8))))
    sky, hill, ground = random_colour(canvas, 90, 230), random_colour(canvas, 40, 150), random_colour(canvas, 30, 130)
    tops = canvas.random.uniform(0.4, 0.7, 64)
    speed = canvas.uniform(20, 60) * cell
    for time_s in canvas.times_s:
        shown = canvas.blank(sky)
        draw, way = ImageDraw.Draw(shown), int(time_s * speed) // cell * cell
        for left in range(0, canvas.width + 8 * cell, 8 * cell):
            top = canvas.height * tops[(left + way // 2) // (8 * cell) % 64]
            x = left - way // 2 % (8 * cell)
            draw.rectangle((x, top, x + 8 * cell - 1, canvas.height), fill=hill)
        floor = int(canvas.height * 0.8)
        draw.rectangle((0, floor, canvas.width, canvas.height), fill=ground)
        for left in range(-(way % (4 * cell)), canvas.width, 4 * cell):
            draw.rectangle((left, floor, left + cell, floor + cell), fill=(250, 240, 200))
        for number, figure in enumerate(figures):
            jump = abs(np.sin(4 * time_s + number)) * canvas.height * 0.3
            x = int((number * 0.27 * canvas.width + time_s * speed / (2 + number)) % canvas.width)
            shown.paste(figure, (x, max(0, floor - figure.height - int(jump))), figure)
        draw.text((cell, cell), f"{int(time_s * 1000):06}", fill=(255, 255, 255), font=letters(5 * cell))
        yield as_picture(shown)


def _charts(canvas: Canvas) -> Iterator[Picture]:
    """Bars that grow, a line that is drawn, and their numbers."""
    count, back = canvas.whole(4, 8), random_colour(canvas, 225, 255)
    heights = [canvas.uniform(0.2, 0.9) for _ in range(count)]
    colours = [random_colour(canvas, 40, 200) for _ in range(count)]
    curve = np.cumsum(canvas.random.standard_normal(80)) / 12
    line = random_colour(canvas, 0, 120)
    for time_s in canvas.times_s:
        shown = canvas.blank(back)
        draw, grown = ImageDraw.Draw(shown), 1 - (1 - time_s / canvas.end_s) ** 2
        wide, floor = canvas.width / (count + 1), canvas.height * 0.88
        for rule in range(5):
            y = floor * (1 - rule / 5)
            draw.line((0, y, canvas.width, y), fill=(200, 200, 205))
        for number, (height, colour) in enumerate(zip(heights, colours, strict=True)):
            left, top = (number + 0.6) * wide, floor * (1 - height * grown)
            draw.rectangle((left, top, left + 0.7 * wide, floor), fill=colour)
            value = f"{100 * height * grown:.0f}"
            draw.text((left, floor + 2), value, fill=(50, 50, 55), font=letters(3 * canvas.unit + 3))
        points = [(n * canvas.width / 79, floor * (0.5 - curve[n])) for n in range(2 + int(77 * grown))]
        draw.line(points, fill=line, width=max(1, canvas.unit // 2))
        yield as_picture(shown)


def _starfield(canvas: Canvas) -> Iterator[Picture]:
    """Stars that come nearer from the middle of a dark sky."""
    stars = canvas.random.uniform(-1, 1, (160, 2))
    depth, speed = canvas.random.uniform(0.05, 1, 160), canvas.uniform(0.3, 0.9)
    tints = canvas.random.integers(170, 256, (160, 3))
    for time_s in canvas.times_s:
        shown = canvas.blank((6, 6, 18))
        draw = ImageDraw.Draw(shown)
        near = 0.05 + (depth - 0.05 - speed * time_s) % 0.95
        for (x, y), far, tint in zip(stars, near, tints, strict=True):
            across, down = canvas.width * (0.5 + 0.2 * x / far), canvas.height * (0.5 + 0.2 * y / far)
            size = 0.35 * canvas.unit * (1.2 - far)
            colour = tuple(int(part * (1.1 - 0.8 * far)) for part in tint)
            draw.ellipse((across - size, down - size, across + size, down + size), fill=colour)
        yield as_picture(shown)


def _rain(canvas: Canvas) -> Iterator[Picture]:
    """Drops that fall in front of a picture out of focus."""
    behind = Image.fromarray(photo(canvas, canvas.height, canvas.width)).filter(ImageFilter.GaussianBlur(3))
    drops = canvas.random.random((140, 3))
    slant, speed = canvas.uniform(-0.15, 0.15), canvas.uniform(0.8, 2.0)
    for time_s in canvas.times_s:
        shown = behind.copy()
        draw = ImageDraw.Draw(shown, "RGBA")
        for x, y, weight in drops:
            down = (y + speed * (0.5 + weight) * time_s) % 1
            left, top, length = canvas.width * (x + slant * down), canvas.height * down, canvas.height * 0.06
            draw.line((left, top, left + slant * length, top + length), fill=(225, 230, 240, 150), width=1)
        yield as_picture(shown)


def _fireworks(canvas: Canvas) -> Iterator[Picture]:
    """Sparks that burst, fall and go out, on black."""
    bursts = [(canvas.uniform(0.2, 0.8), canvas.uniform(0.2, 0.5), 0.33 * n - 0.2) for n in range(6)]
    colours = [random_colour(canvas, 90, 255) for _ in bursts]
    angles, force = canvas.random.uniform(0, 2 * np.pi, 70), canvas.random.uniform(0.1, 0.45, 70)
    for time_s in canvas.times_s:
        shown = canvas.blank((4, 4, 10))
        draw = ImageDraw.Draw(shown)
        for (x, y, start), colour in zip(bursts, colours, strict=True):
            age = time_s - start
            if not 0 <= age < 0.9:
                continue
            fade, size = 1 - age / 0.9, max(0.7, 0.5 * canvas.unit)
            tint = tuple(int(part * fade) for part in colour)
            for angle, strength in zip(angles, force, strict=True):
                across = canvas.width * x + canvas.height * strength * age * np.cos(angle)
                down = canvas.height * (y + strength * age * np.sin(angle) + 0.35 * age**2)
                draw.ellipse((across - size, down - size, across + size, down + size), fill=tint)
        yield as_picture(shown)


def _cartoon(canvas: Canvas) -> Iterator[Picture]:
    """Flat colours inside thick black outlines: a figure that walks past hills."""
    sky, hill, coat, skin = random_colour(canvas, 140, 240), *(random_colour(canvas, 50, 220) for _ in range(3))
    thick = max(2, canvas.unit)
    step, bumps = canvas.uniform(6, 12), [canvas.uniform(0.5, 0.8) for _ in range(5)]
    for time_s in canvas.times_s:
        shown = canvas.blank(sky)
        draw, side = ImageDraw.Draw(shown), min(canvas.width, canvas.height)
        for number, top in enumerate(bumps):
            x = canvas.width * (number / 4 - 0.1 * time_s)
            box = (x - 0.4 * side, top * canvas.height, x + 0.4 * side, canvas.height * 1.6)
            draw.ellipse(box, fill=hill, outline=(0, 0, 0), width=thick)
        x, y = canvas.width * (0.15 + 0.6 * time_s / canvas.end_s), canvas.height * 0.6
        swing = 0.12 * side * float(np.sin(step * time_s))
        for foot in (swing, -swing):
            draw.line((x, y + 0.1 * side, x + foot, y + 0.32 * side), fill=(0, 0, 0), width=2 * thick)
        draw.ellipse((x - 0.12 * side, y - 0.14 * side, x + 0.12 * side, y + 0.16 * side), coat, (0, 0, 0), thick)
        draw.ellipse((x - 0.1 * side, y - 0.36 * side, x + 0.1 * side, y - 0.14 * side), skin, (0, 0, 0), thick)
        draw.ellipse((x + 0.02 * side, y - 0.3 * side, x + 0.06 * side, y - 0.26 * side), (255, 255, 255), (0, 0, 0))
        yield as_picture(shown)


def _water(canvas: Canvas) -> Iterator[Picture]:
    """Ripples under light: texture that changes everywhere and keeps no shape."""
    rows, columns = np.mgrid[: canvas.height, : canvas.width].astype(np.float32) / np.float32(canvas.unit)
    waves = [(canvas.uniform(-0.5, 0.5), canvas.uniform(-0.5, 0.5), canvas.uniform(2, 9)) for _ in range(7)]
    deep, light = (np.array(random_colour(canvas, *span), np.float32) for span in ((5, 90), (140, 240)))
    for time_s in canvas.times_s:
        height = sum(np.sin(fx * columns + fy * rows + np.float32(speed * time_s)) for fx, fy, speed in waves)
        shine = np.clip(0.5 + 0.2 * np.asarray(height, np.float32), 0, 1)[..., None] ** 2
        yield (deep + (light - deep) * shine).astype(np.uint8)


SCENES: Final[dict[str, Kind]] = {
    "photo-shake": _photo_shake,
    "slow-zoom": _slow_zoom,
    "video-call": _video_call,
    "portrait": _portrait,
    "low-light": _low_light,
    "map": _map,
    "sprites": _sprites,
    "charts": _charts,
    "starfield": _starfield,
    "rain": _rain,
    "fireworks": _fireworks,
    "cartoon": _cartoon,
    "water": _water,
}
"""By name."""
