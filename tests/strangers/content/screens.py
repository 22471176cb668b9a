"""What is on screens: code, windows, lines of a terminal, slides, tables, messages, pages."""

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
    draw_glyph,
    letters,
    photo,
    random_colour,
    sentence,
)

__all__ = ["SCREENS"]

_INK: Final[tuple[Colour, ...]] = ((220, 220, 225), (120, 190, 255), (240, 170, 110), (150, 215, 140), (210, 140, 230))


def _code_editor(canvas: Canvas) -> Iterator[Picture]:
    """Dark, with lines in colours that scroll and a caret that blinks."""
    px = max(8, 2 * canvas.unit + 4)
    pitch, speed = px + px // 3, canvas.uniform(1, 6)
    rows = canvas.height // pitch + int(canvas.end_s * speed) + 3
    ground = random_colour(canvas, 18, 46)
    page = Image.new("RGB", (canvas.width, rows * pitch), ground)
    draw, font = ImageDraw.Draw(page), letters(px)
    for row in range(rows):
        draw.text((2, row * pitch), f"{row + 1}", fill=(100, 105, 115), font=font)
        left = 3 * px + 2 * px * canvas.whole(0, 3)
        for word in sentence(canvas, canvas.whole(2, 6)).split():
            draw.text((left, row * pitch), word, fill=_INK[canvas.whole(0, 4)], font=font)
            left += int(draw.textlength(f"{word} ", font=font))
    by_line = canvas.whole(0, 1)
    caret = canvas.whole(1, max(1, canvas.height // pitch - 2)) * pitch
    for time_s in canvas.times_s:
        top = int(time_s * speed) * pitch if by_line else int(time_s * speed * pitch)
        shown = page.crop((0, top, canvas.width, top + canvas.height))
        if time_s % 0.5 < 0.25:
            x = 5 * px + int(time_s * 4) * px // 2
            ImageDraw.Draw(shown).rectangle((x, caret, x + max(1, px // 6), caret + px), fill=(250, 250, 250))
        yield as_picture(shown)


def _window(canvas: Canvas, *, is_dark: bool) -> Image.Image:
    width, height = int(canvas.width * canvas.uniform(0.3, 0.55)), int(canvas.height * canvas.uniform(0.3, 0.55))
    face = random_colour(canvas, 35, 65) if is_dark else random_colour(canvas, 225, 252)
    ink = (200, 200, 205) if is_dark else (40, 40, 45)
    window = Image.new("RGB", (max(24, width), max(24, height)), face)
    draw, bar = ImageDraw.Draw(window), 3 * canvas.unit + 4
    draw.rectangle((0, 0, window.width, bar), fill=random_colour(canvas, 60, 200))
    for dot in range(3):
        x = window.width - (dot + 1) * bar
        draw.ellipse((x + 2, 2, x + bar - 3, bar - 3), fill=random_colour(canvas, 120, 250))
    font = letters(2 * canvas.unit + 4)
    for top in range(bar + 3, window.height, 3 * canvas.unit + 5):
        draw.text((4, top), sentence(canvas, 9), fill=ink, font=font)
    draw.rectangle((0, 0, window.width - 1, window.height - 1), outline=ink)
    return window


def _desktop(canvas: Canvas, *, is_dark: bool) -> Iterator[Picture]:
    behind = canvas.blank(random_colour(canvas, 15, 60) if is_dark else random_colour(canvas, 120, 230))
    draw = ImageDraw.Draw(behind)
    for icon in range(8):
        top = (icon + 0.3) * 6 * canvas.unit
        draw.rectangle((4, top, 4 + 4 * canvas.unit, top + 4 * canvas.unit), fill=random_colour(canvas))
    windows = [_window(canvas, is_dark=is_dark) for _ in range(3)]
    paths = [[canvas.uniform(0, 0.6) for _ in range(4)] for _ in windows]
    held = canvas.uniform(0.2, 0.6)  # only the last one is dragged until then, afterwards the one before it as well
    for time_s in canvas.times_s:
        shown, share = behind.copy(), time_s / canvas.end_s
        for number, (window, (x0, y0, x1, y1)) in enumerate(zip(windows, paths, strict=True)):
            moved = (0.0, max(0.0, share - held), share)[number]
            place = (
                int(canvas.width * (x0 + (x1 - x0) * moved)),
                int(canvas.height * (y0 + (y1 - y0) * moved)),
            )
            shown.paste(window, place)
        _draw_cursor(shown, canvas, 0.1 + 0.7 * share, 0.5 + 0.35 * float(np.sin(5 * share)))
        yield as_picture(shown)


def _draw_cursor(shown: Image.Image, canvas: Canvas, across: float, down: float) -> None:
    x, y, size = canvas.width * across, canvas.height * down, 3 * canvas.unit
    outline = [(x, y), (x, y + 1.6 * size), (x + 0.45 * size, y + 1.2 * size), (x + 1.1 * size, y + 1.1 * size)]
    ImageDraw.Draw(shown).polygon(outline, fill=(255, 255, 255), outline=(0, 0, 0))


def _desktop_light(canvas: Canvas) -> Iterator[Picture]:
    """Light windows; one is dragged, with a cursor."""
    return _desktop(canvas, is_dark=False)


def _desktop_dark(canvas: Canvas) -> Iterator[Picture]:
    """Dark windows; one is dragged, with a cursor."""
    return _desktop(canvas, is_dark=True)


def _terminal(canvas: Canvas) -> Iterator[Picture]:
    """Lines that appear one by one, and push the others up when the screen is full."""
    px = max(8, 2 * canvas.unit + 3)
    pitch, pace = px + 2, canvas.uniform(8, 30)
    ink = ((90, 240, 110), (230, 230, 230), (250, 190, 80))[canvas.whole(0, 2)]
    said = [f"$ {sentence(canvas, canvas.whole(1, 9))}" for _ in range(int(canvas.end_s * pace) + 2)]
    rows, font = canvas.height // pitch, letters(px)
    begun = canvas.whole(0, rows)
    said = [sentence(canvas, 5) for _ in range(begun)] + said
    for time_s in canvas.times_s:
        shown = canvas.blank((8, 8, 12))
        draw = ImageDraw.Draw(shown)
        last = said[: begun + 1 + int(time_s * pace)][-rows:]
        for row, line in enumerate(last):
            draw.text((3, row * pitch), line, fill=ink, font=font)
        draw.rectangle((3, len(last) * pitch, 3 + px // 2, len(last) * pitch + px - 1), fill=ink)
        yield as_picture(shown)


def _slide(canvas: Canvas) -> Image.Image:
    slide = canvas.blank(random_colour(canvas, 200, 250) if canvas.whole(0, 2) else random_colour(canvas, 10, 90))
    draw, ink = ImageDraw.Draw(slide), random_colour(canvas, 20, 130)
    draw.text((4 * canvas.unit, 4 * canvas.unit), sentence(canvas, 3), fill=ink, font=letters(6 * canvas.unit))
    for row in range(4):
        top = (14 + 8 * row) * canvas.unit
        draw.ellipse((4 * canvas.unit, top + canvas.unit, 6 * canvas.unit, top + 3 * canvas.unit), fill=ink)
        draw.text((8 * canvas.unit, top), sentence(canvas, 5), fill=ink, font=letters(4 * canvas.unit))
    left = canvas.width * canvas.uniform(0.55, 0.7)
    draw.rectangle((left, canvas.height * 0.55, canvas.width * 0.95, canvas.height * 0.9), fill=random_colour(canvas))
    return slide


def _slides(canvas: Canvas) -> Iterator[Picture]:
    """Three slides with stills between short cross fades."""
    slides = [_slide(canvas) for _ in range(3)]
    fade = canvas.uniform(0.15, 0.5)
    for time_s in canvas.times_s:
        place = 2.4 * time_s / canvas.end_s
        number = min(1, int(place))
        mixed = float(np.clip((place - number - (1 - fade)) / fade, 0, 1))
        yield as_picture(Image.blend(slides[number], slides[number + 1], mixed))


def _spreadsheet(canvas: Canvas) -> Iterator[Picture]:
    """A grid of numbers that scrolls by rows, with heads that stay."""
    px = max(8, 2 * canvas.unit + 3)
    pitch, column, speed = px + 5, 5 * px, canvas.uniform(2, 12)
    rows = canvas.height // pitch + int(canvas.end_s * speed) + 3
    page = Image.new("RGB", (canvas.width, rows * pitch), (253, 253, 253))
    draw, font = ImageDraw.Draw(page), letters(px)
    for row in range(rows):
        if canvas.whole(0, 5) == 0:
            draw.rectangle((0, row * pitch, canvas.width, (row + 1) * pitch), fill=random_colour(canvas, 190, 245))
        for left in range(0, canvas.width, column):
            value = canvas.uniform(-999, 9999)
            ink = (170, 20, 20) if value < 0 else (0, 0, 0)
            draw.text((left + 3, row * pitch + 2), f"{value:.2f}", fill=ink, font=font)
            draw.line((left, 0, left, page.height), fill=(205, 205, 205))
        draw.line((0, row * pitch, canvas.width, row * pitch), fill=(205, 205, 205))
    head = Image.new("RGB", (canvas.width, pitch), (222, 226, 232))
    for number, left in enumerate(range(0, canvas.width, column)):
        ImageDraw.Draw(head).text((left + column // 2, 2), chr(65 + number % 26), fill=(40, 40, 40), font=font)
    for time_s in canvas.times_s:
        top = int(time_s * speed) * pitch
        shown = page.crop((0, top, canvas.width, top + canvas.height))
        shown.paste(head, (0, 0))
        yield as_picture(shown)


def _chat(canvas: Canvas) -> Iterator[Picture]:
    """Bubbles that appear from below, from two sides."""
    px = max(8, 2 * canvas.unit + 4)
    font, height = letters(px), 2 * px + 6
    count = canvas.height // height + int(4 * canvas.end_s) + 3
    sides = random_colour(canvas, 90, 220), random_colour(canvas, 90, 220)
    page = Image.new("RGB", (canvas.width, count * height), random_colour(canvas, 215, 248))
    draw = ImageDraw.Draw(page)
    for number in range(count):
        text, mine = sentence(canvas, canvas.whole(1, 5)), canvas.whole(0, 1)
        width = min(canvas.width - 2 * px, int(draw.textlength(text, font=font)) + 2 * px)
        left = canvas.width - width - 4 if mine else 4
        box = (left, number * height + 2, left + width, number * height + height - 4)
        draw.rounded_rectangle(box, px // 2, fill=sides[mine])
        draw.text((left + px // 2, box[1] + px // 2), text, fill=(15, 15, 15), font=font)
    for time_s in canvas.times_s:
        place = 4 * time_s
        # Each comes in within a fifth of its time and rests.
        top = int(height * (int(place) + min(1.0, 5 * (place % 1))))
        yield as_picture(page.crop((0, top, canvas.width, top + canvas.height)))


def _glyph_page(canvas: Canvas) -> Iterator[Picture]:
    """Characters of many strokes in rows, some in colour, that scroll slowly."""
    side = max(12, 4 * canvas.unit)
    speed = canvas.uniform(0.3, 2.5) * side
    height = canvas.height + int(speed * canvas.end_s) + 2 * side
    page = Image.new("RGB", (canvas.width, height), random_colour(canvas, 225, 255))
    draw = ImageDraw.Draw(page)
    for top in range(2, height - side, side + side // 3):
        ink = random_colour(canvas, 0, 120)
        for left in range(2, canvas.width - side, side + 1):
            if canvas.whole(0, 8):
                draw_glyph(draw, canvas, (left, top), side, ink)
    for time_s in canvas.times_s:
        top = int(time_s * speed)
        yield as_picture(page.crop((0, top, canvas.width, top + canvas.height)))


def _web_page(canvas: Canvas) -> Iterator[Picture]:
    """Paragraphs and pictures that scroll by a wheel: fast, then slower, then still."""
    px = max(8, 2 * canvas.unit + 4)
    way = int(canvas.height * canvas.uniform(0.5, 1.5))
    page = Image.new("RGB", (canvas.width, canvas.height + way), (250, 250, 248))
    draw, top = ImageDraw.Draw(page), 4
    while top < page.height:
        if canvas.whole(0, 2) == 0:
            height = max(16, canvas.height // 3)
            page.paste(Image.fromarray(photo(canvas, height, max(16, canvas.width - 4 * px))), (2 * px, top))
            top += height + px
        for _ in range(canvas.whole(2, 5)):
            draw.text((2 * px, top), sentence(canvas, 14), fill=(35, 35, 40), font=letters(px))
            top += px + 4
        top += px
    for time_s in canvas.times_s:
        at = int(way * (1 - (1 - min(1.0, 1.3 * time_s / canvas.end_s)) ** 3))
        yield as_picture(page.crop((0, at, canvas.width, at + canvas.height)))


def _spinner(canvas: Canvas) -> Iterator[Picture]:
    """A page that stands still below a wheel of dots that turns."""
    page = _slide(canvas)
    radius, dot = min(canvas.width, canvas.height) / 7, max(2, 2 * canvas.unit)
    x, y = canvas.width * canvas.uniform(0.35, 0.65), canvas.height * canvas.uniform(0.4, 0.6)
    for time_s in canvas.times_s:
        shown = page.copy()
        draw, first = ImageDraw.Draw(shown), int(time_s * 12)
        for number in range(8):
            angle = 2 * np.pi * number / 8
            left, top = x + radius * np.cos(angle), y + radius * np.sin(angle)
            grey = 60 + 22 * ((number - first) % 8)
            draw.ellipse((left - dot, top - dot, left + dot, top + dot), fill=(grey, grey, min(255, grey + 30)))
        yield as_picture(shown)


def _typing(canvas: Canvas) -> Iterator[Picture]:
    """A form whose fields are filled letter by letter, with a button that lights up."""
    px = max(9, 3 * canvas.unit)
    text, pace = sentence(canvas, 30), canvas.uniform(10, 25)
    back, accent = random_colour(canvas, 215, 250), random_colour(canvas, 30, 200)
    rows = max(1, (canvas.height - 3 * px) // (3 * px))
    per_row = max(4, canvas.width // px)
    for time_s in canvas.times_s:
        shown = canvas.blank(back)
        draw, typed = ImageDraw.Draw(shown), text[: 3 + int(time_s * pace)]
        for row in range(rows):
            top = px + row * 3 * px
            draw.rectangle((px, top, canvas.width - px, top + 2 * px), fill=(255, 255, 255), outline=(120, 120, 130))
            part = typed[row * per_row : (row + 1) * per_row]
            draw.text((px + 4, top + px // 3), part, fill=(20, 20, 25), font=letters(px))
        lit = int(time_s * 3) % 2
        button = (canvas.width - 8 * px, canvas.height - 2 * px, canvas.width - px, canvas.height - px // 2)
        if button[0] > 0:
            draw.rectangle(button, fill=accent if lit else (190, 190, 195))
        yield as_picture(shown)


SCREENS: Final[dict[str, Kind]] = {
    "code-editor": _code_editor,
    "desktop-light": _desktop_light,
    "desktop-dark": _desktop_dark,
    "terminal": _terminal,
    "slides": _slides,
    "spreadsheet": _spreadsheet,
    "chat": _chat,
    "glyph-page": _glyph_page,
    "web-page": _web_page,
    "spinner": _spinner,
    "typing": _typing,
}
"""By name."""
