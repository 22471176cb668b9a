"""What is captured from phones, drawing programs, scanners, broadcasts and devices, each with motion of its own.

These came last, for clips that are held back alone.
"""

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

__all__ = ["CAPTURED_SCENES"]

_WHITE: Final[Colour] = (255, 255, 255)
_FINE: Final = 2
"""How much larger hairlines are drawn, so that they are smooth once the picture is reduced."""
_HALO: Final = 10
"""Of a lamp at night, in radii."""


def _ease(share: float) -> float:
    """From 0 to 1 as programs move things: fast, then ever slower."""
    return float(1 - (1 - min(1.0, max(0.0, share))) ** 3)


def _reduced(image: Image.Image) -> Picture:
    return as_picture(image.reduce(_FINE))


def _wireframe(canvas: Canvas) -> Iterator[Picture]:
    """A ring of thin lines that turns about two axes on a dark ground; what is farther away is dimmer."""
    around, across = 24, 10
    u, v = np.meshgrid(np.arange(around) * 2 * np.pi / around, np.arange(across) * 2 * np.pi / across, indexing="ij")
    thick = canvas.uniform(0.3, 0.5)
    points = np.stack([(1 + thick * np.cos(v)) * np.cos(u), (1 + thick * np.cos(v)) * np.sin(u), thick * np.sin(v)], -1)
    ground, ink = random_colour(canvas, 4, 30), np.array(random_colour(canvas, 120, 250), np.float64)
    speeds = canvas.uniform(0.8, 2.0), canvas.uniform(0.5, 1.4)
    scale = _FINE * 0.3 * min(canvas.width, canvas.height)
    middle = _FINE * canvas.width / 2, _FINE * canvas.height / 2
    for time_s in canvas.times_s:
        image = Image.new("RGB", (_FINE * canvas.width, _FINE * canvas.height), ground)
        draw = ImageDraw.Draw(image)
        a, b = speeds[0] * time_s, 0.7 + speeds[1] * time_s
        turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        seen = points @ turn.T @ tilt.T
        near = 4 / (4 - seen[..., 2])
        places = np.stack([middle[0] + scale * near * seen[..., 0], middle[1] + scale * near * seen[..., 1]], -1)
        for i in range(around):
            for j in range(across):
                light = float(np.clip(0.55 + 0.35 * seen[i, j, 2], 0.2, 1))
                red, green, blue = (ink * light).astype(int).tolist()
                for other in (places[(i + 1) % around, j], places[i, (j + 1) % across]):
                    draw.line((*places[i, j].tolist(), *other.tolist()), fill=(red, green, blue), width=_FINE)
        yield _reduced(image)


def _matrix_code(canvas: Canvas, cells: int, cell_px: int) -> Image.Image:
    """Squares at random between three eyes, as a code that cameras read has them."""
    code = canvas.random.integers(0, 2, (cells, cells))
    eye = np.zeros((8, 8), int)
    eye[:7, :7] = 1
    eye[1:6, 1:6] = 0
    eye[2:5, 2:5] = 1
    code[:8, :8], code[:8, -8:], code[-8:, :8] = eye, eye[:, ::-1], eye[::-1]
    pixels = np.kron(255 * (1 - code), np.ones((cell_px, cell_px))).astype(np.uint8)
    return Image.fromarray(pixels).convert("RGB")


def _bars(canvas: Canvas, width: int, height: int) -> Image.Image:
    bars = Image.new("RGB", (width, height), _WHITE)
    draw, x = ImageDraw.Draw(bars), 0
    module = max(1, canvas.unit // 3)
    while x < width:
        black, white = (module * canvas.whole(1, 3) for _ in range(2))
        draw.rectangle((x, 0, min(width, x + black) - 1, height), fill=(0, 0, 0))
        x += black + white
    return bars


def _scanned_codes(canvas: Canvas) -> Iterator[Picture]:
    """A belt with labels, each with a code of squares and one of bars, that passes below a red line that beams."""
    cell = max(1, min(canvas.width, canvas.height) // 70)
    side = 25 * cell
    pitch = side + 4 * cell + 2 * canvas.unit
    belt, card = random_colour(canvas, 60, 130), (244, 243, 238)
    speed = canvas.uniform(0.25, 0.6) * canvas.width
    count = int((canvas.width + speed * canvas.end_s) / pitch) + 2
    strip = Image.new("RGB", (count * pitch, canvas.height), belt)
    draw = ImageDraw.Draw(strip)
    top = max(2 * cell, (canvas.height - int(1.6 * side)) // 2)
    for number in range(count):
        left = number * pitch + canvas.unit
        draw.rectangle((left, top - 2 * cell, left + side + 4 * cell, top + int(1.55 * side)), fill=card)
        strip.paste(_matrix_code(canvas, 25, cell), (left + 2 * cell, top))
        strip.paste(_bars(canvas, side, side // 3), (left + 2 * cell, top + side + 2 * cell))
        place = (left + 2 * cell, top + side + 3 * cell + side // 3)
        draw.text(place, f"{canvas.whole(10**6, 10**7 - 1)}", fill=(20, 20, 20), font=letters(2 * canvas.unit + 4))
    for time_s in canvas.times_s:
        shown = crop_at(strip, canvas, speed * time_s, 0.0)
        beam = int(canvas.height * (0.5 + 0.35 * np.sin(9 * time_s)))
        ImageDraw.Draw(shown).line((0, beam, canvas.width, beam), fill=(250, 30, 30), width=max(1, canvas.unit // 2))
        yield as_picture(shown)


def _drafting(canvas: Canvas) -> Iterator[Picture]:
    """A plan of hairlines and dimensions on a dark grid, zoomed in notches, with a cross that follows the pointer."""
    side = _FINE * 2 * max(canvas.width, canvas.height)
    step = side // 40
    plan = Image.new("RGB", (side, side), (24, 30, 38))
    draw = ImageDraw.Draw(plan)
    for place in range(0, side, step):
        shade: Colour = (58, 66, 78) if place // step % 5 == 0 else (36, 43, 52)
        draw.line((place, 0, place, side), fill=shade)
        draw.line((0, place, side, place), fill=shade)
    inks: tuple[Colour, ...] = (_WHITE, (255, 220, 60), (80, 220, 240), (240, 90, 200), (90, 230, 110))
    for number in range(60):
        x, y = (step * canvas.whole(2, 34) for _ in range(2))
        width, height = (step * canvas.whole(1, 5) for _ in range(2))
        ink = inks[number % len(inks)]
        if number % 3 == 0:
            draw.rectangle((x, y, x + width, y + height), outline=ink, width=_FINE)
            draw.text((x + _FINE, y - step), f"{10 * width / step:.1f}", fill=ink, font=letters(step))
        elif number % 3 == 1:
            draw.ellipse((x, y, x + width, y + width), outline=ink, width=_FINE)
            draw.line((x + width / 2, y - step, x + width / 2, y + width + step), fill=ink)
        else:
            draw.line((x, y, x + width, y + 3 * height), fill=ink, width=_FINE)
            draw.line((x, y, x + 2 * width, y + height), fill=ink)
    notches = sorted(canvas.uniform(0.1, 0.9) * canvas.end_s for _ in range(2))
    path = [canvas.uniform(0.15, 0.85) for _ in range(4)]
    small = plan.reduce(_FINE)
    for time_s in canvas.times_s:
        zoom = 1.0
        for notch in notches:
            zoom *= 1 + 0.35 * _ease((time_s - notch) / 0.15)
        left, top = (small.width - canvas.width) / 2, (small.height - canvas.height) / 2
        shown = crop_at(small, canvas, left, top, zoom=zoom)
        share = _ease(time_s / canvas.end_s)
        x = int(canvas.width * (path[0] + (path[2] - path[0]) * share))
        y = int(canvas.height * (path[1] + (path[3] - path[1]) * share))
        cross = ImageDraw.Draw(shown)
        cross.line((x, 0, x, canvas.height), fill=(230, 230, 230))
        cross.line((0, y, canvas.width, y), fill=(230, 230, 230))
        cross.rectangle((x - canvas.unit, y - canvas.unit, x + canvas.unit, y + canvas.unit), outline=(230, 230, 230))
        yield as_picture(shown)


def _titled_slide(canvas: Canvas) -> Image.Image:
    slide = canvas.blank(random_colour(canvas, 200, 250))
    draw = ImageDraw.Draw(slide)
    accent, px = random_colour(canvas, 20, 150), max(8, min(canvas.height // 14, canvas.width // 20))
    draw.rectangle((0, 0, canvas.width, 2 * px), fill=accent)
    draw.text((px, px // 3), sentence(canvas, 2).title(), fill=_WHITE, font=letters(px + px // 3))
    half = canvas.width // 2
    slide.paste(
        Image.fromarray(photo(canvas, max(8, canvas.height - 5 * px), max(8, half - 2 * px))), (half + px, 3 * px)
    )
    for row in range(5):
        draw.text((px, (3 + 2 * row) * px), "- " + sentence(canvas, 2), fill=(40, 40, 48), font=letters(px))
    return slide


def _pushed_slides(canvas: Canvas) -> Iterator[Picture]:
    """Slides that push each other out, from the side and from below, with rests between that hold perfectly still."""
    slides = [_titled_slide(canvas) for _ in range(4)]
    step_s, push_s = max(0.3, canvas.end_s / 3), 0.25
    upwards = canvas.whole(0, 1)
    for time_s in canvas.times_s:
        number, age_s = divmod(time_s, step_s)
        # The first change comes early, so that a clip of a moment has one.
        share = _ease((age_s - 0.2 * step_s) / push_s)
        old, new = slides[int(number) % 4], slides[(int(number) + 1) % 4]
        shown = canvas.blank((0, 0, 0))
        if (int(number) + upwards) % 2:
            moved = round(share * canvas.height)
            shown.paste(old, (0, -moved))
            shown.paste(new, (0, canvas.height - moved))
        else:
            moved = round(share * canvas.width)
            shown.paste(old, (-moved, 0))
            shown.paste(new, (canvas.width - moved, 0))
        yield as_picture(shown)


def _pitch(canvas: Canvas) -> Iterator[Picture]:
    """A match from far above: striped grass with lines, small players with shadows, a ball, and the score."""
    width, height = int(1.6 * canvas.width), int(1.2 * canvas.height)
    columns = np.arange(width)[None]
    stripes = (columns // max(4, width // 14) % 2)[..., None]
    grass = np.array((52, 124, 48), np.float32) + stripes * np.float32(16)
    grass = grass * (0.85 + 0.3 * fractal_noise(canvas, height, width, 8, roughness=0.9)[..., None])
    field = Image.fromarray(np.clip(grass, 0, 255).astype(np.uint8))
    draw, line = ImageDraw.Draw(field), max(1, canvas.unit // 2)
    draw.rectangle((0.05 * width, 0.08 * height, 0.95 * width, 0.92 * height), outline=(235, 240, 235), width=line)
    draw.line((width / 2, 0.08 * height, width / 2, 0.92 * height), fill=(235, 240, 235), width=line)
    reach = 0.16 * height
    draw.ellipse(
        (width / 2 - reach, height / 2 - reach, width / 2 + reach, height / 2 + reach),
        outline=(235, 240, 235),
        width=line,
    )
    players = canvas.random.random((22, 5))
    teams = random_colour(canvas, 150, 250), random_colour(canvas, 10, 110)
    size = max(1.5, 0.9 * canvas.unit)
    font = letters(canvas.unit + 7)
    for time_s in canvas.times_s:
        shown = field.copy()
        draw = ImageDraw.Draw(shown)
        for number, (across, down, pace, phase, bend) in enumerate(players):
            x = width * (0.08 + 0.84 * across + 0.05 * np.sin(6 * phase + (1 + 2 * pace) * time_s))
            y = height * (0.12 + 0.76 * down + 0.05 * np.sin(6 * bend + (1 + 2 * phase) * time_s))
            draw.ellipse((x - size, y + size, x + 3 * size, y + 2 * size), fill=(34, 84, 34))
            draw.rectangle((x - size, y - 2 * size, x + size, y + size), fill=teams[number % 2])
            draw.ellipse((x - size, y - 4 * size, x + size, y - 2 * size), fill=(210, 170, 140))
        x, y = width * (0.5 + 0.3 * np.sin(1.9 * time_s)), height * (0.5 + 0.25 * np.sin(3.1 * time_s + 1))
        draw.ellipse((x - size, y - size, x + size, y + size), fill=_WHITE)
        left = (width - canvas.width) * (0.5 + 0.45 * np.sin(1.1 * time_s))
        seen = crop_at(shown, canvas, float(left), (height - canvas.height) / 2)
        board = ImageDraw.Draw(seen)
        words = f"HOM 2-1 AWY  {67 + int(time_s):02}:{int(100 * time_s) % 100:02}"
        box = board.textbbox((2 * canvas.unit, canvas.unit), words, font=font)
        board.rectangle((box[0] - 3, box[1] - 3, box[2] + 3, box[3] + 3), fill=(16, 20, 60))
        board.text((2 * canvas.unit, canvas.unit), words, fill=_WHITE, font=font)
        yield as_picture(seen)


def _news_ticker(canvas: Canvas) -> Iterator[Picture]:
    """A studio out of focus, a name that slides in, and words that crawl below at an even pace."""
    behind = Image.fromarray(photo(canvas, canvas.height, canvas.width)).filter(
        ImageFilter.GaussianBlur(2 * canvas.unit)
    )
    bar = max(10, canvas.height // 9)
    font, large = letters(bar * 3 // 5), letters(bar * 2 // 3)
    words = "  +++  ".join(sentence(canvas, 5).upper() for _ in range(8))
    length = int(font.getlength(words)) + canvas.width
    crawl = Image.new("RGB", (length, bar), random_colour(canvas, 10, 90))
    ImageDraw.Draw(crawl).text((canvas.unit, bar // 8), words, fill=(255, 245, 120), font=font)
    banner, name = random_colour(canvas, 120, 220), sentence(canvas, 2).title()
    speed, slide_s = canvas.uniform(0.3, 0.7) * canvas.width, 0.4
    light = canvas.uniform(3, 7)
    for time_s in canvas.times_s:
        glow = 1 + 0.06 * np.sin(light * time_s)
        shown = Image.fromarray(np.clip(as_picture(behind) * glow, 0, 255).astype(np.uint8))
        draw = ImageDraw.Draw(shown)
        right = int(0.7 * canvas.width * _ease((time_s - 0.1) / slide_s))
        top = canvas.height - 3 * bar
        draw.rectangle((right - canvas.width, top, right, top + 3 * bar // 2), fill=banner)
        start = right - 0.7 * canvas.width + 2 * canvas.unit
        draw.text((start, top + bar // 4), name, fill=_WHITE, font=large)
        shown.paste(_crop_left(crawl, speed * time_s, canvas.width), (0, canvas.height - bar))
        draw.text((canvas.width - canvas.unit, canvas.unit), "LIVE", fill=(255, 60, 60), font=font, anchor="ra")
        yield as_picture(shown)


def _crop_left(strip: Image.Image, left: float, width: int) -> Image.Image:
    """The part of a strip that is shown once it has moved left by so many pixels, to fractions."""
    terms = (1.0, 0.0, left % max(1, strip.width - width), 0.0, 1.0, 0.0)
    return strip.transform((width, strip.height), Image.Transform.AFFINE, terms, Image.Resampling.BILINEAR)


def _night_drive(canvas: Canvas) -> Iterator[Picture]:
    """A dark road from behind a windscreen: lamps with haloes that pass, dashes that rush by, a sensor's noise."""
    rows, columns = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    horizon = 0.45 * canvas.height
    lamps = canvas.random.random((14, 3))
    speed, tint = canvas.uniform(0.7, 1.4), np.array(random_colour(canvas, 170, 255), np.float32)
    beam = np.exp(-(((columns - canvas.width / 2) / (0.28 * canvas.width)) ** 2)) * np.clip(
        (rows - horizon) / (canvas.height - horizon), 0, 1
    )
    for time_s in canvas.times_s:
        light = np.full((canvas.height, canvas.width, 3), 5, np.float32)
        light += (70 * beam)[..., None] * np.array((1, 0.95, 0.8), np.float32)
        for number in range(6):
            depth = (number / 6 - speed * time_s) % 1 + 0.08
            top, length = horizon + 0.09 * canvas.height / depth, 0.04 * canvas.height / depth
            half = 0.004 * canvas.width / depth
            dash = (np.abs(columns - canvas.width / 2) < half) & (rows > top) & (rows < top + length)
            light += (dash * 110 * beam ** np.float32(0.3))[..., None]
        for across, phase, kind in lamps:
            depth = (phase - speed * time_s * 0.6) % 1 + 0.06
            side = -1 if across < 0.5 else 1
            x = canvas.width / 2 + side * (0.06 + 0.1 * abs(across - 0.5)) * canvas.width / depth
            y = horizon - (0.05 if kind < 0.6 else -0.015) * canvas.height / depth
            radius = max(0.7, 0.006 * canvas.width / depth)
            left, right = (int(np.clip(x + edge * radius, 0, canvas.width)) for edge in (-_HALO, _HALO))
            top, below = (int(np.clip(y + edge * radius, 0, canvas.height)) for edge in (-_HALO, _HALO))
            part = (slice(top, below), slice(left, right))
            away = np.hypot(columns[part] - np.float32(x), rows[part] - np.float32(y)) / np.float32(radius)
            glow = 230 * np.exp(-(away**2)) + 30 * np.clip(1 - away / _HALO, 0, 1) ** 2
            light[part] += glow[..., None] * (tint / 255 if kind < 0.6 else np.array((1, 0.12, 0.08), np.float32))
        yield sensor_noise(canvas, np.clip(light, 0, 255).astype(np.uint8), 7)


def _ultrasound(canvas: Canvas) -> Iterator[Picture]:
    """A fan of grey speckle around a chamber that beats, with a scale and figures beside it."""
    rows, columns = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    x, y = columns - canvas.width / 2, rows + 0.05 * canvas.height
    away, angle = np.hypot(x, y) / canvas.height, np.arctan2(x, y)
    fan = ((np.abs(angle) < 0.62) & (away > 0.12) & (away < 0.98)).astype(np.float32)
    tissue = fractal_noise(canvas, canvas.height, canvas.width, 6)
    speckle = [canvas.random.rayleigh(0.6, (canvas.height, canvas.width)).astype(np.float32) for _ in range(3)]
    beats = canvas.uniform(5, 9)
    font = letters(canvas.unit + 6)
    for time_s in canvas.times_s:
        size = 0.17 + 0.035 * np.sin(beats * time_s)
        chamber = np.hypot((x / canvas.height) / 0.8, away - 0.55) / size
        wall = np.exp(-(((chamber - 1) / 0.18) ** 2))
        # Speckle is of the place and changes slowly: one pattern becomes the next.
        number, share = divmod(4 * time_s, 1)
        grain = (1 - share) * speckle[int(number) % 3] + share * speckle[(int(number) + 1) % 3]
        echo = fan * grain * (0.25 + 0.55 * tissue + 0.8 * wall) * np.clip((chamber - 0.7) * 3, 0.06, 1)
        grey = np.clip(255 * echo * (1.05 - 0.5 * away), 0, 255).astype(np.uint8)
        shown = Image.fromarray(grey).convert("RGB")
        draw = ImageDraw.Draw(shown)
        for mark in range(10):
            level = canvas.height * (0.05 + 0.09 * mark)
            draw.line((canvas.width - 2 * canvas.unit, level, canvas.width - canvas.unit, level), fill=(200, 200, 90))
        words = f"HR {70 + 9 * np.sin(time_s):.0f}\n{size * 40:.1f} mm"
        draw.text((canvas.unit, canvas.unit), words, fill=(90, 220, 230), font=font)
        yield as_picture(shown)


def _phone_feed(canvas: Canvas) -> Iterator[Picture]:
    """A feed of cards with round portraits that is flicked and slows down, and a message that drops in from above."""
    px = max(7, canvas.width // 26)
    card = max(10 * px, canvas.height // 3)
    flicks = sorted(canvas.uniform(0.05, 0.75) * canvas.end_s for _ in range(3))
    count = int((canvas.height + 3 * 1.2 * canvas.height) / card) + 2
    feed = Image.new("RGB", (canvas.width, count * card), (236, 237, 241))
    draw = ImageDraw.Draw(feed)
    for number in range(count):
        top = number * card + px // 2
        box = (px // 2, top, canvas.width - px // 2, top + card - px)
        draw.rounded_rectangle(box, radius=px, fill=_WHITE)
        draw.ellipse((px, top + px // 2, 4 * px, top + px // 2 + 3 * px), fill=random_colour(canvas))
        draw.text((5 * px, top + px // 2), sentence(canvas, 2).title(), fill=(20, 20, 24), font=letters(px))
        draw.text((5 * px, top + 2 * px), f"{canvas.whole(1, 59)} min", fill=(140, 140, 150), font=letters(px))
        shown_px = max(4, card - 6 * px)
        feed.paste(Image.fromarray(photo(canvas, shown_px, max(4, canvas.width - 2 * px))), (px, top + 4 * px))
    note, drops_s = sentence(canvas, 3).capitalize(), canvas.uniform(0.2, 0.5) * canvas.end_s
    for time_s in canvas.times_s:
        moved = sum(1.2 * canvas.height * _ease((time_s - flick) / 0.6) for flick in flicks)
        shown = crop_at(feed, canvas, 0.0, float(moved))
        draw = ImageDraw.Draw(shown)
        draw.rectangle((0, 0, canvas.width, px + px // 2), fill=(250, 250, 252))
        draw.text((px, 1), f"9:{41 + int(time_s):02}", fill=(0, 0, 0), font=letters(px))
        dropped = -4 * px + 6 * px * _ease((time_s - drops_s) / 0.3)
        draw.rounded_rectangle((px, dropped, canvas.width - px, dropped + 3 * px), radius=px, fill=(38, 40, 48))
        draw.text((2 * px, dropped + px), note, fill=_WHITE, font=letters(px))
        yield as_picture(shown)


CAPTURED_SCENES: Final[dict[str, Kind]] = {
    "wireframe": _wireframe,
    "scanned-codes": _scanned_codes,
    "drafting": _drafting,
    "pushed-slides": _pushed_slides,
    "pitch": _pitch,
    "news-ticker": _news_ticker,
    "night-drive": _night_drive,
    "ultrasound": _ultrasound,
    "phone-feed": _phone_feed,
}
"""By name."""
