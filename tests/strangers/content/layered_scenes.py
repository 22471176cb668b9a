"""What lies over something else: flakes over a street, a camera over a screen, a display over a game, words over film.

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
    letters,
    photo,
    random_colour,
    sensor_noise,
    sentence,
)

__all__ = ["LAYERED_SCENES"]

_PAPERS: Final[tuple[Colour, ...]] = ((230, 60, 70), (60, 160, 235), (250, 200, 50), (90, 200, 110), (190, 90, 220))
_CORNERS: Final = ((-1, -1), (1, -1), (1, 1), (-1, 1))
"""Of a bit of paper, in halves of its sides."""
_SHORTEST_SUBTITLE_S: Final = 0.6
"""A subtitle and the gap behind it take as long at least."""


def _snowfall(canvas: Canvas) -> Iterator[Picture]:
    """Flakes of three sizes, the nearest out of focus, that drift down in front of a photo of a cold evening."""
    seen = photo(canvas, canvas.height, canvas.width).astype(np.float32)
    cold = np.array([0.55, 0.65, 0.85], np.float32)
    behind = Image.fromarray(np.clip(seen * cold + np.float32(18), 0, 255).astype(np.uint8))
    layers = []
    for radius, count, speed in ((0.35, 160, 0.12), (0.7, 70, 0.28), (1.6, 18, 0.6)):
        size = max(1.0, radius * canvas.unit)
        layers.append((size, speed * canvas.height, canvas.random.random((count, 3))))
    wind = canvas.uniform(-0.4, 0.4)
    for time_s in canvas.times_s:
        shown = behind
        for number, (size, speed, flakes) in enumerate(layers):
            cover = Image.new("L", (canvas.width, canvas.height), 0)
            draw = ImageDraw.Draw(cover)
            for across, down, phase in flakes:
                sway = 3 * canvas.unit * np.sin(2 * time_s + 6 * phase)
                x = (across * canvas.width + wind * speed * time_s + sway) % canvas.width
                y = (down * canvas.height + speed * time_s * (0.8 + 0.4 * phase)) % (
                    canvas.height + 4 * size
                ) - 2 * size
                draw.ellipse((x - size, y - size, x + size, y + size), fill=(150, 215, 190)[number])
            if number == 2:
                cover = cover.filter(ImageFilter.GaussianBlur(size / 2))
            shown = Image.composite(Image.new("RGB", shown.size, (245, 248, 255)), shown, cover)
        yield as_picture(shown)


def _confetti(canvas: Canvas) -> Iterator[Picture]:
    """Bits of coloured paper that tumble down in front of a lit stage with a word of congratulation."""
    top, bottom = (np.array(random_colour(canvas, *span), np.float32) for span in ((20, 70), (90, 170)))
    rows = np.linspace(0, 1, canvas.height, dtype=np.float32)[:, None, None]
    stage = Image.fromarray(
        np.broadcast_to(top + (bottom - top) * rows, (canvas.height, canvas.width, 3)).astype(np.uint8)
    )
    words = ("Well done!", "100 %", "Thank you", "Level up")[canvas.whole(0, 3)]
    ImageDraw.Draw(stage).text(
        (canvas.width / 2, 0.4 * canvas.height),
        words,
        fill=(250, 250, 250),
        font=letters(min(canvas.height // 6, canvas.width // 8)),
        anchor="mm",
    )
    bits = canvas.random.random((90, 6))
    side = 1.2 * canvas.unit + 1
    for time_s in canvas.times_s:
        shown = stage.copy()
        draw = ImageDraw.Draw(shown)
        for number, (across, down, fall, spin, phase, sway) in enumerate(bits):
            x = across * canvas.width + 6 * canvas.unit * np.sin(3 * time_s * (0.5 + sway) + 6 * phase)
            y = (down + (0.25 + 0.4 * fall) * time_s) % 1.1 * canvas.height - 0.05 * canvas.height
            turn, tilt = 6 * phase + (2 + 6 * spin) * time_s, np.cos(6 * spin + (3 + 7 * phase) * time_s)
            one = side * np.array([np.cos(turn), np.sin(turn)])
            two = 0.6 * side * tilt * np.array([-np.sin(turn), np.cos(turn)])
            corners = [(x + a * one[0] + b * two[0], y + a * one[1] + b * two[1]) for a, b in _CORNERS]
            shade = 0.55 + 0.45 * abs(tilt)
            red, green, blue = _PAPERS[number % len(_PAPERS)]
            draw.polygon(corners, fill=(int(red * shade), int(green * shade), int(blue * shade)))
        yield as_picture(shown)


def _page(canvas: Canvas, rows: int, px: int) -> Image.Image:
    """An article with heads and boxes, as long as `rows` lines."""
    pitch = px + px // 2
    page = Image.new("RGB", (canvas.width, rows * pitch), (250, 250, 248))
    draw, plain, head = ImageDraw.Draw(page), letters(px), letters(px + px // 2)
    row = 0
    while row < rows:
        top = row * pitch
        if row % 9 == 0:
            draw.rectangle((0, top, canvas.width, top + 2 * pitch - 4), fill=random_colour(canvas, 190, 240))
            draw.text((px, top + 2), sentence(canvas, 3).capitalize(), fill=random_colour(canvas, 10, 110), font=head)
            row += 2
            continue
        draw.text((px, top), sentence(canvas, 14), fill=(45, 45, 50), font=plain)
        row += 1
    return page


def _camera_over_screen(canvas: Canvas) -> Iterator[Picture]:
    """A page that is scrolled in steps, a pointer, and in a corner the round picture of a camera: a head that talks."""
    px = max(8, 2 * canvas.unit + 3)
    pitch = px + px // 2
    notches = [canvas.uniform(0.1, 0.9) * canvas.end_s for _ in range(3)]
    page = _page(canvas, canvas.height // pitch + 3 * 6 + 3, px)
    side = max(24, int(0.34 * min(canvas.width, canvas.height)))
    skin, shirt, wall = (
        ((214, 165, 135), (120, 78, 55), (236, 192, 166))[canvas.whole(0, 2)],
        *(random_colour(canvas, *span) for span in ((30, 180), (90, 200))),
    )
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).ellipse((0, 0, side - 1, side - 1), fill=255)
    place = (canvas.width - side - canvas.unit, canvas.height - side - canvas.unit)
    path = [canvas.uniform(0.1, 0.9) for _ in range(4)]
    for time_s in canvas.times_s:
        # A notch of the wheel moves six lines within a fifth of a second.
        turned = sum(float(np.clip((time_s - notch) / 0.2, 0, 1)) for notch in notches)
        shown = page.crop((0, top := int(6 * pitch * turned), canvas.width, top + canvas.height))
        camera = _talking_head(side, skin, shirt, wall, time_s)
        noisy = Image.fromarray(sensor_noise(canvas, as_picture(camera), 4))
        shown.paste(noisy, place, mask)
        draw = ImageDraw.Draw(shown)
        draw.ellipse(
            (*place, place[0] + side, place[1] + side), outline=(255, 255, 255), width=max(1, canvas.unit // 2)
        )
        share = min(1.0, time_s / (0.7 * canvas.end_s))
        x = canvas.width * (path[0] + (path[2] - path[0]) * share)
        y = canvas.height * (path[1] + (path[3] - path[1]) * share)
        arrow = ((0, 0), (0, 14), (4, 11), (7, 17), (9, 16), (6, 10), (11, 10))
        scale = canvas.unit / 3 + 0.5
        draw.polygon([(x + scale * a, y + scale * b) for a, b in arrow], fill=(15, 15, 15), outline=(255, 255, 255))
        yield as_picture(shown)


def _talking_head(side: int, skin: Colour, shirt: Colour, wall: Colour, time_s: float) -> Image.Image:
    head = Image.new("RGB", (side, side), wall)
    draw = ImageDraw.Draw(head)
    draw.rectangle((0, 0, side // 4, side), fill=(wall[0] // 2, wall[1] // 2, wall[2] // 2))
    x, y = side * (0.5 + 0.02 * np.sin(2.1 * time_s)), side * (0.45 + 0.015 * np.sin(3.3 * time_s))
    draw.ellipse((x - 0.42 * side, y + 0.25 * side, x + 0.42 * side, y + 1.1 * side), fill=shirt)
    draw.rectangle((x - 0.08 * side, y + 0.1 * side, x + 0.08 * side, y + 0.35 * side), fill=skin)
    draw.ellipse((x - 0.21 * side, y - 0.3 * side, x + 0.21 * side, y + 0.26 * side), fill=skin)
    draw.pieslice((x - 0.23 * side, y - 0.34 * side, x + 0.23 * side, y + 0.15 * side), 180, 360, fill=(50, 36, 28))
    for eye in (-0.09, 0.09):
        draw.ellipse(
            (x + (eye - 0.025) * side, y - 0.04 * side, x + (eye + 0.025) * side, y + 0.01 * side), fill=(25, 20, 20)
        )
    mouth = 0.01 + 0.035 * abs(np.sin(9 * time_s) * np.sin(4.1 * time_s + 1))
    draw.ellipse(
        (x - 0.07 * side, y + (0.13 - mouth) * side, x + 0.07 * side, y + (0.13 + mouth) * side), fill=(120, 40, 45)
    )
    return head.filter(ImageFilter.GaussianBlur(max(0.6, side / 160)))


def _racing_game(canvas: Canvas) -> Iterator[Picture]:
    """A road that rushes past with striped kerbs and a rival's car, below a display of speed, time, place and map."""
    grass, road = np.array(random_colour(canvas, 40, 120), np.int16), np.array([95, 95, 100], np.int16)
    grass[1] = 150
    sky = np.array(random_colour(canvas, 120, 235), np.float32)
    width, height, horizon = canvas.width, canvas.height, int(0.42 * canvas.height)
    depth = 1 / np.linspace(0.06, 1, height - horizon, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None]
    ridge = photo(canvas, horizon, 2 * width)
    speed, bend = canvas.uniform(6, 14), canvas.uniform(0.5, 1.5)
    font, large = letters(canvas.unit + 6), letters(3 * canvas.unit + 6)
    ink: Colour = (255, 255, 255)
    for time_s in canvas.times_s:
        turn = bend * np.sin(0.9 * time_s)
        middle = width / 2 + turn * 0.35 * width * ((depth - 1) / 15.7) ** 2
        away = np.abs(columns - middle) * depth / (0.48 * width)
        stripes = (np.floor(depth * 1.2 + speed * time_s) % 2)[..., None]
        ground = np.where(stripes > 0, grass, grass - 18)
        kerb = np.where(stripes > 0, np.array([225, 225, 225], np.int16), np.array([205, 35, 35], np.int16))
        ground = np.where((away < 1.12)[..., None], kerb, ground)
        ground = np.where((away < 1)[..., None], road + (4 * stripes).astype(np.int16), ground)
        ground = np.where(((away < 0.025)[..., None]) & (stripes > 0), np.int16(235), ground)
        left = int((0.5 + 0.3 * np.sin(0.9 * time_s)) * width) % width
        above = 0.6 * ridge[:, left : left + width] + 0.4 * sky
        shown = Image.fromarray(np.concatenate([above, np.clip(ground, 0, 255)]).astype(np.uint8))
        draw = ImageDraw.Draw(shown)
        _rival(draw, canvas, float(width / 2 + 0.12 * width * np.sin(1.7 * time_s)), horizon + 0.16 * height, time_s)
        velocity = int(180 + 25 * np.sin(2 * time_s) + 10 * time_s)
        draw.text(
            (width - 2 * canvas.unit, height - 3 * canvas.unit - 4), f"{velocity}", fill=ink, font=large, anchor="rb"
        )
        draw.text((canvas.unit, canvas.unit), f"POS 3/8   LAP 2/3   {61 + time_s:06.2f}", fill=ink, font=font)
        gauge = (width - 16 * canvas.unit, height - 2 * canvas.unit - 4, width - 2 * canvas.unit, height - canvas.unit)
        draw.rectangle(gauge, outline=ink)
        filled = (velocity - 140) / 90 * (gauge[2] - gauge[0])
        draw.rectangle((gauge[0], gauge[1], gauge[0] + max(1, int(filled)), gauge[3]), fill=(250, 190, 40))
        box = (canvas.unit, height - 13 * canvas.unit, 15 * canvas.unit, height - canvas.unit)
        draw.rectangle(box, fill=(20, 24, 30))
        draw.ellipse(
            (box[0] + 6, box[1] + 6, box[2] - 6, box[3] - 6), outline=(200, 200, 205), width=max(1, canvas.unit // 2)
        )
        x = (box[0] + box[2]) / 2 + (box[2] - box[0] - 12) / 2 * np.cos(time_s)
        y = (box[1] + box[3]) / 2 + (box[3] - box[1] - 12) / 2 * np.sin(time_s)
        dot = max(1.5, canvas.unit / 1.5)
        draw.ellipse((x - dot, y - dot, x + dot, y + dot), fill=(240, 70, 60))
        yield as_picture(shown)


def _rival(draw: ImageDraw.ImageDraw, canvas: Canvas, x: float, y: float, time_s: float) -> None:
    side = canvas.height * (0.09 + 0.03 * np.sin(1.3 * time_s))
    draw.rectangle((x - side, y - 0.45 * side, x + side, y + 0.25 * side), fill=(40, 70, 190))
    draw.rectangle((x - 0.7 * side, y - 0.9 * side, x + 0.7 * side, y - 0.4 * side), fill=(35, 40, 55))
    for left in (-0.95, 0.6):
        draw.rectangle((x + left * side, y + 0.1 * side, x + (left + 0.35) * side, y + 0.5 * side), fill=(15, 15, 15))
        draw.rectangle((x + left * side, y - 0.35 * side, x + (left + 0.3) * side, y - 0.15 * side), fill=(230, 30, 30))


def _spinning_logo(canvas: Canvas) -> Iterator[Picture]:
    """A badge that turns about its upright axis over a soft gradient, with gloss that wanders and a name below it."""
    rows, columns = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    inner, outer = (np.array(random_colour(canvas, *span), np.float32) for span in ((120, 230), (10, 80)))
    away = np.hypot(columns - canvas.width / 2, rows - canvas.height / 2) / np.hypot(
        canvas.width / 2, canvas.height / 2
    )
    behind = Image.fromarray((inner + (outer - inner) * np.minimum(1, away)[..., None]).astype(np.uint8))
    side = int(0.62 * min(canvas.width, canvas.height))
    face, rim = random_colour(canvas, 120, 250), random_colour(canvas, 10, 110)
    badge = Image.new("RGB", (side, side), rim)
    draw = ImageDraw.Draw(badge)
    draw.ellipse((side * 0.06, side * 0.06, side * 0.94, side * 0.94), fill=face)
    points = canvas.whole(5, 7)
    star = [
        (side / 2 + reach * side * np.sin(np.pi * n / points), side / 2 - reach * side * np.cos(np.pi * n / points))
        for n in range(2 * points)
        for reach in ((0.36, 0.17)[n % 2],)
    ]
    draw.polygon(star, fill=rim)
    disc = Image.new("L", (side, side), 0)
    ImageDraw.Draw(disc).ellipse((0, 0, side - 1, side - 1), fill=255)
    name, font = sentence(canvas, 1).upper(), letters(max(8, min(canvas.height // 10, canvas.width // 8)))
    speed = canvas.uniform(2, 5)
    for time_s in canvas.times_s:
        shown = behind.copy()
        squeezed = np.cos(speed * time_s)
        wide = max(2, round(side * abs(float(squeezed))))
        turned = badge if squeezed >= 0 else badge.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        light = 0.6 + 0.4 * abs(squeezed)
        turned = turned.resize((wide, side), Image.Resampling.BICUBIC).point(lambda code, by=light: int(code * by))
        place = ((canvas.width - wide) // 2, int(0.44 * canvas.height) - side // 2)
        shown.paste(turned, place, disc.resize((wide, side), Image.Resampling.BICUBIC))
        ImageDraw.Draw(shown).text(
            (canvas.width / 2, 0.88 * canvas.height), name, fill=(255, 255, 255), font=font, anchor="mm"
        )
        gloss = np.exp(
            -(((columns - rows * 0.5 - canvas.width * (1.4 * time_s / canvas.end_s - 0.4)) / (8 * canvas.unit)) ** 2)
        )
        yield np.clip(as_picture(shown) + 60 * gloss[..., None], 0, 255).astype(np.uint8)


def _subtitled_film(canvas: Canvas) -> Iterator[Picture]:
    """A slow pan with the grain of film between black bars, and subtitles with an outline that change."""
    bar = canvas.height // 9
    seen = Image.fromarray(photo(canvas, canvas.height + 2 * canvas.unit, canvas.width + 24 * canvas.unit))
    warm = np.array(random_colour(canvas, 200, 255), np.float32) / np.float32(255)
    pace, grain = canvas.uniform(4, 10) * canvas.unit, canvas.uniform(4, 9)
    step_s = max(_SHORTEST_SUBTITLE_S, canvas.end_s / 2.5)
    lines = [
        [sentence(canvas, 4).capitalize(), sentence(canvas, 3) + "."] for _ in range(int(canvas.end_s / step_s) + 2)
    ]
    font = letters(max(9, min(canvas.height // 16, canvas.width // 22)))
    for time_s in canvas.times_s:
        shown = np.asarray(crop_at(seen, canvas, pace * time_s, 0.0), np.float32) * warm
        # Grain is in the film, and stronger where it is neither black nor white; the words are laid over it.
        filmed = sensor_noise(canvas, np.clip(shown, 0, 255).astype(np.uint8), grain)
        filmed[:bar] = filmed[-bar:] = 0
        picture = Image.fromarray(filmed)
        number, part = divmod(time_s, step_s)
        if part < 0.85 * step_s:
            ImageDraw.Draw(picture).multiline_text(
                (canvas.width / 2, canvas.height - bar - canvas.unit),
                "\n".join(lines[int(number)]),
                fill=(250, 250, 235),
                font=font,
                anchor="md",
                align="center",
                stroke_width=max(1, canvas.unit // 3),
                stroke_fill=(0, 0, 0),
            )
        yield as_picture(picture)


LAYERED_SCENES: Final[dict[str, Kind]] = {
    "snowfall": _snowfall,
    "confetti": _confetti,
    "camera-over-screen": _camera_over_screen,
    "racing-game": _racing_game,
    "spinning-logo": _spinning_logo,
    "subtitled-film": _subtitled_film,
}
"""By name."""
