"""What people record at work: a review of code, a sound on a timeline, nodes, a whiteboard, a score, a document.

They came with the part of the study that is held back, and are in its clips alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

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
    sentence,
)

__all__ = ["WORKING_SCREENS"]

_WHITE: Final[Colour] = (255, 255, 255)
_FINE: Final = 2
"""How much larger thin curves are drawn, so that they are smooth once the picture is reduced."""


def _eased(share: float) -> float:
    """From 0 to 1, slow at both ends."""
    bounded = min(1.0, max(0.0, share))
    return bounded * bounded * (3 - 2 * bounded)


def _pointer(draw: ImageDraw.ImageDraw, x: float, y: float, side: float) -> None:
    """An arrow whose tip is at (x, y)."""
    shape = ((0, 0), (0, 1.0), (0.28, 0.74), (0.46, 1.12), (0.62, 1.05), (0.44, 0.68), (0.78, 0.66))
    draw.polygon([(x + side * a, y + side * b) for a, b in shape], fill=(0, 0, 0), outline=_WHITE)


def _code_review(canvas: Canvas) -> Iterator[Picture]:
    """Two columns of code, what was added on green and what was removed on red, scrolled in jumps; remarks unfold."""
    px = max(7, canvas.height // 34)
    line, half = px + px // 3 + 1, canvas.width // 2
    lines = canvas.height // line + 60
    is_dark = canvas.whole(0, 1) == 1
    ground: Colour = (13, 17, 23) if is_dark else _WHITE
    tints: tuple[Colour, Colour] = ((18, 56, 34), (74, 26, 30)) if is_dark else ((218, 251, 225), (255, 235, 233))
    inks: tuple[Colour, ...] = (
        ((255, 123, 114), (121, 192, 255), (210, 168, 255), (230, 237, 243), (139, 148, 158))
        if is_dark
        else ((207, 34, 46), (5, 80, 174), (130, 80, 223), (31, 35, 40), (110, 119, 129))
    )
    page = Image.new("RGB", (canvas.width, lines * line), ground)
    draw, font = ImageDraw.Draw(page), letters(px)
    for row in range(lines):
        change = canvas.whole(0, 9)
        for side in range(2):
            left, top = side * half, row * line
            is_changed = change in (side, 2)
            if is_changed:
                draw.rectangle((left, top, left + half - 2, top + line - 1), fill=tints[1 - side])
            draw.text((left + 2, top), f"{row + 40 + 3 * side}", fill=inks[4], font=font)
            x = left + 4 * px + px * canvas.whole(0, 3)
            for word in sentence(canvas, canvas.whole(1, 5)).split():
                if x > left + half - 4 * px:
                    break
                draw.text((x, top), word, fill=inks[canvas.whole(0, 4)], font=font)
                x += int(font.getlength(word)) + px // 2 + 1
    draw.line((half, 0, half, page.height), fill=inks[4])
    jumps = [canvas.uniform(1, 9) * line for _ in range(8)]
    step_s = max(0.2, canvas.end_s / 4)
    remark = sentence(canvas, 6)
    for time_s in canvas.times_s:
        number, age_s = divmod(time_s + 0.3 * step_s, step_s)
        jump = int(number) % len(jumps)
        scrolled = round(sum(jumps[:jump]) + jumps[jump] * _eased((age_s - 0.4 * step_s) / 0.15))
        shown = page.crop((0, scrolled, canvas.width, scrolled + canvas.height))
        seen = ImageDraw.Draw(shown)
        deep = int(4 * line * _eased((time_s - 0.15 * canvas.end_s) / 0.25))
        y = canvas.height // 2
        seen.rectangle((half + px, y, canvas.width - px, y + deep), fill=(246, 248, 250), outline=(110, 119, 129))
        if deep > 2 * line:
            seen.text((half + 2 * px, y + line // 2), remark, fill=(31, 35, 40), font=font)
        _pointer(seen, half * (0.4 + 0.9 * time_s / canvas.end_s), canvas.height * 0.6, 2.0 * px)
        yield as_picture(shown)


def _sound_timeline(canvas: Canvas) -> Iterator[Picture]:
    """Tracks of filled waves in an editor, a playing line that sweeps across, and meters that follow the sound."""
    tracks = canvas.whole(2, 4)
    meters = max(12, canvas.width // 12)
    width, band = canvas.width - meters, canvas.height // (tracks + 1)
    base = canvas.blank((38, 38, 42))
    draw = ImageDraw.Draw(base)
    strengths: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    for track in range(tracks):
        top = band * (track + 1)
        colour = random_colour(canvas, 70, 230)
        dark = (colour[0] // 3, colour[1] // 3, colour[2] // 3)
        draw.rectangle((0, top + 1, width, top + band - 2), fill=dark)
        swell = fractal_noise(canvas, 2, width, 7, roughness=0.8)[0]
        strength = np.clip(swell**2 * canvas.random.uniform(0.5, 1.2, width), 0.01, 1).astype(np.float32)
        strengths.append(strength)
        middle = top + band / 2
        for x in range(width):
            reach = float(strength[x]) * band * 0.46
            draw.line((x, middle - reach, x, middle + reach), fill=colour)
        draw.text((canvas.unit, top + 2), sentence(canvas, 1), fill=_WHITE, font=letters(canvas.unit + 7))
    for mark in range(0, width, max(16, width // 10)):
        draw.line((mark, band * 2 // 3, mark, band), fill=(150, 150, 155))
        draw.text((mark + 2, 1), f"{mark / 40:.1f}", fill=(190, 190, 195), font=letters(canvas.unit + 6))
    start, span = canvas.uniform(0.05, 0.2), canvas.uniform(0.4, 0.7)
    for time_s in canvas.times_s:
        shown = base.copy()
        seen = ImageDraw.Draw(shown)
        x = int(width * (start + span * time_s / canvas.end_s))
        seen.line((x, 0, x, canvas.height), fill=(255, 80, 60), width=max(1, canvas.unit // 3))
        for track, strength in enumerate(strengths):
            left = width + 2 + track * (meters - 4) // tracks
            right = left + max(2, (meters - 4) // tracks - 2)
            level = float(strength[max(0, x - 8) : x + 1].max())
            bottom, full = canvas.height - 4, canvas.height - 8
            seen.rectangle((left, bottom - full, right, bottom), fill=(20, 20, 22))
            for share, ink in ((1.0, (240, 60, 50)), (0.85, (240, 210, 60)), (0.6, (70, 210, 90))):
                seen.rectangle((left, bottom - full * min(level, share), right, bottom), fill=ink)
        yield as_picture(shown)


def _node_graph(canvas: Canvas) -> Iterator[Picture]:
    """Boxes joined by smooth curves on a dotted ground; one is dragged and its curves follow, and all is panned."""
    wide, high = _FINE * canvas.width, _FINE * canvas.height
    dots = Image.new("RGB", (2 * wide, 2 * high), (30, 31, 36))
    spots, step = ImageDraw.Draw(dots), max(10, high // 18)
    for row in range(0, 2 * high, step):
        for column in range(0, 2 * wide, step):
            spots.rectangle((column, row, column + 1, row + 1), fill=(78, 80, 90))
    box = max(28, wide // 6), max(20, high // 7)
    places = [
        (wide * (0.06 + 0.3 * (n % 3) + canvas.uniform(-0.02, 0.06)), high * (0.08 + 0.3 * (n // 3))) for n in range(8)
    ]
    titles = [(sentence(canvas, 1), random_colour(canvas, 60, 220)) for _ in places]
    links = [(n, n + 1 + canvas.whole(0, 2)) for n in range(5)] + [(0, 4), (2, 6)]
    moved, away = canvas.whole(2, 5), (canvas.uniform(0.1, 0.25), canvas.uniform(-0.15, 0.2))
    pan = canvas.uniform(-0.2, 0.2), canvas.uniform(0.05, 0.2)
    font = letters(max(10, box[1] // 4))
    for time_s in canvas.times_s:
        share = _eased(time_s / canvas.end_s)
        across, down = (int(0.5 * wide + pan[0] * wide * share), int(pan[1] * high * share))
        image = dots.crop((across, down, across + wide, down + high))
        draw = ImageDraw.Draw(image)
        now = [
            (x + (away[0] * wide * share if n == moved else 0), y + (away[1] * high * share if n == moved else 0))
            for n, (x, y) in enumerate(places)
        ]
        for a, b in links:
            (x0, y0), (x1, y1) = now[a], now[b]
            start, end = (x0 + box[0], y0 + box[1] / 2), (x1, y1 + box[1] / 2)
            bend, along = 0.4 * abs(end[0] - start[0]) + 0.1 * wide, np.linspace(0, 1, 33)
            weights = (1 - along) ** 3, 3 * (1 - along) ** 2 * along, 3 * (1 - along) * along**2, along**3
            xs = sum(w * p for w, p in zip(weights, (start[0], start[0] + bend, end[0] - bend, end[0]), strict=True))
            ys = sum(w * p for w, p in zip(weights, (start[1], start[1], end[1], end[1]), strict=True))
            draw.line(list(zip(np.asarray(xs), np.asarray(ys), strict=True)), fill=titles[a][1], width=2 * _FINE)
        for (x, y), (title, colour) in zip(now, titles, strict=True):
            draw.rounded_rectangle((x, y, x + box[0], y + box[1]), box[1] // 6, fill=(54, 56, 64), outline=colour)
            draw.rectangle((x + 2, y + box[1] // 3, x + box[0] - 2, y + box[1] // 3 + 1), fill=colour)
            draw.text((x + 6, y + 2), title, fill=_WHITE, font=font)
        _pointer(draw, now[moved][0] + box[0] / 2, now[moved][1] + box[1] / 3, 0.4 * box[1])
        yield as_picture(image.reduce(_FINE))


def _whiteboard(canvas: Canvas) -> Iterator[Picture]:
    """Strokes of a pen that grow on white as a hand writes them, a marker that shines through, and an eraser."""
    wide, high = _FINE * canvas.width, _FINE * canvas.height
    image = Image.new("RGB", (wide, high), (252, 252, 250))
    draw = ImageDraw.Draw(image)
    pens: tuple[Colour, ...] = ((20, 20, 24), (200, 30, 40), (20, 90, 200), (10, 140, 70))
    strokes: list[tuple[list[tuple[float, float]], Colour, int]] = []
    for number in range(14):
        x, y = canvas.uniform(0.05, 0.8) * wide, canvas.uniform(0.1, 0.85) * high
        phase, turns, reach = canvas.uniform(0, 6), canvas.uniform(2, 7), canvas.uniform(0.04, 0.13) * high
        ramp = np.linspace(0, 1, 60)
        xs = x + ramp * canvas.uniform(0.1, 0.35) * wide + 0.5 * reach * np.sin(2 * turns * ramp + phase)
        ys = y + reach * np.sin(turns * 2.2 * ramp + phase) * (1 - 0.4 * ramp)
        points = list(zip(xs.tolist(), ys.tolist(), strict=True))
        is_eraser = number % 6 == 5
        width = _FINE * (4 * canvas.unit if is_eraser else max(1, canvas.unit * canvas.whole(1, 2) // 2))
        strokes.append((points, (252, 252, 250) if is_eraser else pens[canvas.whole(0, 3)], width))
    total = sum(len(points) - 1 for points, _, _ in strokes)
    drawn, stripe = 0, canvas.uniform(0.2, 0.7) * canvas.height
    done = [(points[n], points[n + 1], ink, width) for points, ink, width in strokes for n in range(len(points) - 1)]
    for time_s in canvas.times_s:
        # A third is there from the first frame on.
        wanted = int(total * (0.33 + 0.67 * time_s / canvas.end_s))
        for (x0, y0), (x1, y1), ink, width in done[drawn:wanted]:
            draw.line((x0, y0, x1, y1), fill=ink, width=width)
            draw.ellipse((x1 - width / 2, y1 - width / 2, x1 + width / 2, y1 + width / 2), fill=ink)
        drawn = max(drawn, wanted)
        pixels = as_picture(image.reduce(_FINE)).astype(np.float32)
        right = int(canvas.width * (0.1 + 0.8 * time_s / canvas.end_s))
        top, bottom = int(stripe), int(stripe) + 3 * canvas.unit
        pixels[top:bottom, canvas.width // 10 : right] *= np.array((1.0, 0.95, 0.35), np.float32)
        yield np.clip(pixels, 0, 255).astype(np.uint8)


def _sheet_music(canvas: Canvas) -> Iterator[Picture]:
    """Staves with notes that pass evenly below a line, and keys beneath that light up as notes reach it."""
    gap = max(3, canvas.height // 40)
    keys_top = canvas.height * 3 // 4
    speed = canvas.uniform(0.2, 0.5) * canvas.width
    length = int(canvas.width + speed * canvas.end_s) + 8 * gap
    strip = Image.new("RGB", (length, keys_top), (253, 251, 244))
    draw = ImageDraw.Draw(strip)
    notes: list[tuple[int, int]] = []
    for staff in range(2):
        top = keys_top // 8 + staff * keys_top // 2
        for line in range(5):
            draw.line((0, top + line * gap, length, top + line * gap), fill=(40, 40, 40))
        x = gap * 2
        while x < length - 4 * gap:
            pitch = canvas.whole(-2, 10)
            y = top + 4 * gap - pitch * gap / 2
            is_filled = canvas.whole(0, 3) > 0
            draw.ellipse(
                (x, y - gap / 2, x + 1.3 * gap, y + gap / 2),
                fill=(10, 10, 10) if is_filled else None,
                outline=(10, 10, 10),
            )
            draw.line((x + 1.3 * gap, y, x + 1.3 * gap, y - 3 * gap), fill=(10, 10, 10), width=max(1, gap // 5))
            notes.append((x, pitch + 2 + 6 * staff))
            x += gap * canvas.whole(2, 6)
    count = 21
    key = canvas.width / count
    lit = random_colour(canvas, 60, 230)
    for time_s in canvas.times_s:
        moved = speed * time_s
        shown = canvas.blank((30, 30, 34))
        terms = (1.0, 0.0, moved, 0.0, 1.0, 0.0)
        part = strip.transform((canvas.width, keys_top), Image.Transform.AFFINE, terms, Image.Resampling.BILINEAR)
        shown.paste(part, (0, 0))
        seen = ImageDraw.Draw(shown)
        middle = canvas.width / 3
        seen.line((middle, 0, middle, keys_top), fill=(220, 40, 60), width=max(1, gap // 3))
        sounding = {pitch for x, pitch in notes if 0 <= middle - (x - moved) < 3 * gap}
        for number in range(count):
            left, right = number * key, (number + 1) * key - 1
            seen.rectangle((left, keys_top, right, canvas.height - 1), fill=lit if number in sounding else _WHITE)
        for number in range(count):
            if number % 7 in {0, 1, 3, 4, 5}:
                left = (number + 0.65) * key
                low = keys_top + (canvas.height - keys_top) * 3 // 5
                seen.rectangle((left, keys_top, left + 0.65 * key, low), fill=(12, 12, 14))
        yield as_picture(shown)


def _document_zoom(canvas: Canvas) -> Iterator[Picture]:
    """A page of small print with a picture and a table, slowly zoomed to what is read, and moved while it is large."""
    wide, high = 2 * canvas.width, 2 * canvas.height
    page = Image.new("RGB", (wide, high), (250, 250, 248))
    draw, px = ImageDraw.Draw(page), max(8, high // 48)
    font, line = letters(px), px + px // 2
    draw.text((px, px), sentence(canvas, 4).title(), fill=(20, 30, 90), font=letters(2 * px))
    for column in range(2):
        left, top = px + column * wide // 2, 4 * px
        while top < high - line:
            draw.text(
                (left, top), sentence(canvas, 14)[: wide // 2 // max(4, px * 5 // 9)], fill=(30, 30, 30), font=font
            )
            top += line
    side = wide // 4, high // 4
    place = int(canvas.uniform(0.1, 0.6) * wide), int(canvas.uniform(0.2, 0.6) * high)
    page.paste(Image.fromarray(photo(canvas, side[1], side[0])), place)
    left, top = place[0], place[1] + side[1] + px
    for row in range(5):
        for column in range(4):
            cell = (
                left + column * side[0] // 4,
                top + row * line,
                left + (column + 1) * side[0] // 4,
                top + (row + 1) * line,
            )
            draw.rectangle(cell, fill=(226, 232, 245) if row == 0 else _WHITE, outline=(120, 120, 130))
            draw.text((cell[0] + 2, cell[1]), f"{canvas.whole(0, 999)}", fill=(20, 20, 20), font=font)
    goal = place[0] + side[0] / 2 - canvas.width / 2, place[1] + side[1] / 2 - canvas.height / 2
    begin = (wide - canvas.width) / 2, (high - canvas.height) / 2
    closest, drift = canvas.uniform(1.2, 2.2), canvas.uniform(0.1, 0.3) * canvas.width
    for time_s in canvas.times_s:
        share = _eased(1.6 * time_s / canvas.end_s)
        late = _eased((time_s / canvas.end_s - 0.5) / 0.5)
        x = begin[0] + (goal[0] - begin[0]) * share + drift * late
        y = begin[1] + (goal[1] - begin[1]) * share
        yield as_picture(crop_at(page, canvas, x, y, zoom=0.55 * (closest / 0.55) ** share))


WORKING_SCREENS: Final[dict[str, Kind]] = {
    "code-review": _code_review,
    "document-zoom": _document_zoom,
    "node-graph": _node_graph,
    "sheet-music": _sheet_music,
    "sound-timeline": _sound_timeline,
    "whiteboard": _whiteboard,
}
"""By name."""
