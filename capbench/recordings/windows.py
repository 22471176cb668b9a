"""The windows that move, the cursor that drags them, and their frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from capbench.recordings.recording_planes import RecordingPlanes, planes_from_rgb
from capbench.recordings.text import font, text_strip

__all__ = ["ArrowCursor", "draw_frame", "moving_windows", "title_px"]

_TITLE: Final = (52, 54, 68)
_BORDER: Final = (14, 15, 20)
_SATURATED: Final = ((255, 0, 0), (255, 128, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255))
_LOOP: Final = 24
"""Pictures in the loop of the window that plays a film."""


def title_px(scale_px: int) -> int:
    """Height of a title bar at a scale, in pixels, even."""
    return max(6, round(scale_px * 0.026 / 2) * 2)


def draw_frame(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], title: str, bar_px: int) -> None:
    """Draw a window's frame and title bar; `box` is left, top, right, bottom in pixels, right and bottom outside."""
    left, top, right, bottom = box
    draw.rectangle((left, top, right - 1, bottom - 1), fill=_TITLE, outline=_BORDER, width=max(1, bar_px // 14))
    radius, middle = bar_px * 0.22, top + bar_px / 2
    for number, colour in enumerate(((255, 95, 87), (254, 188, 46), (40, 200, 64))):
        x = left + bar_px * (0.65 + 0.75 * number)
        draw.ellipse((x - radius, middle - radius, x + radius, middle + radius), fill=colour)
    draw.text(((left + right) / 2, middle), title, fill=(205, 207, 216), font=font(bar_px * 0.6), anchor="mm")


def moving_windows(width: int, height: int, scale_px: int, *, seed: int) -> tuple[tuple[RecordingPlanes, ...], ...]:
    """The windows of a recording; each is a loop of pictures of one size, most of them of one picture."""
    box = (round(width * 0.11) * 2, round(height * 0.13) * 2)
    inside = (box[0] - 4, box[1] - title_px(scale_px) - 2)
    return (
        (_window(box, "decode.py", scale_px, _listing(inside, scale_px, seed)),),
        (_window(box, "times", scale_px, _chart(inside, scale_px, seed)),),
        tuple(_window(box, "preview", scale_px, picture) for picture in _film(inside)),
    )


def _window(box: tuple[int, int], title: str, scale_px: int, content: Image.Image) -> RecordingPlanes:
    picture = Image.new("RGB", box)
    draw_frame(ImageDraw.Draw(picture), (0, 0, *box), title, title_px(scale_px))
    picture.paste(content, (2, title_px(scale_px)))
    return planes_from_rgb(np.asarray(picture))


def _listing(size: tuple[int, int], scale_px: int, seed: int) -> Image.Image:
    line_px = max(9, round(scale_px * 0.02))
    return text_strip(size[0], math.ceil(size[1] / line_px), line_px, seed=seed + 1).crop((0, 0, *size))


def _chart(size: tuple[int, int], scale_px: int, seed: int) -> Image.Image:
    """Thin coloured lines, a hatch of one-pixel stripes and small print, which suffer most from chroma subsampling."""
    rng = np.random.default_rng([seed, 2])
    picture = Image.new("RGB", size, (250, 250, 252))
    draw = ImageDraw.Draw(picture)
    for number in range(1, 8):
        y = size[1] * number // 8
        draw.line((0, y, size[0], y), fill=(222, 224, 232))
        draw.text((3, y), f"{80 - 10 * number}", fill=(120, 124, 140), font=font(scale_px * 0.011), anchor="ls")
    x = np.linspace(0, size[0], 48)
    for colour in ((220, 30, 60), (20, 130, 230), (20, 160, 90), (240, 140, 20), (140, 60, 220)):
        level = size[1] * (0.45 + np.cumsum(rng.normal(0, 0.035, x.size)))
        draw.line(
            [(float(a), float(b)) for a, b in zip(x, level, strict=True)], fill=colour, width=1 + scale_px // 1600
        )
    stripes = np.array([(230, 30, 30), (30, 200, 60), (40, 60, 240), (250, 250, 252)], np.uint8)
    hatch = np.broadcast_to(stripes[np.arange(size[0] // 3) % 4], (size[1] // 7, size[0] // 3, 3))
    picture.paste(Image.fromarray(np.ascontiguousarray(hatch)), (size[0] // 3 * 2 - 4, 6))
    return picture


def _film(size: tuple[int, int]) -> list[Image.Image]:
    """A loop of smooth colour in motion over a row of saturated patches."""
    row_px = size[1] // 6
    y, x = np.mgrid[0 : size[1] - row_px : 4, 0 : size[0] : 4] / size[1] * 7
    pictures = []
    for number in range(_LOOP):
        turn = 2 * math.pi * number / _LOOP
        wave = np.sin(x + turn) + np.sin(y * 1.3 - turn) + np.sin((x + y) * 0.7 + 2 * np.sin(turn))
        channels = [127.5 + 127.5 * np.sin(wave * 1.2 + shift) for shift in (0.0, 2.1, 4.2)]
        film = Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))
        picture = Image.new("RGB", size)
        picture.paste(film.resize((size[0], size[1] - row_px), Image.Resampling.BICUBIC))
        draw = ImageDraw.Draw(picture)
        for patch, colour in enumerate(_SATURATED):
            left, right = (size[0] * edge // len(_SATURATED) for edge in (patch, patch + 1))
            draw.rectangle((left, size[1] - row_px, right - 1, size[1] - 1), fill=colour)
        pictures.append(picture)
    return pictures


@dataclass(frozen=True, slots=True, eq=False)
class ArrowCursor:
    """An arrow, blended at any whole pixel."""

    grey: NDArray[np.float32]
    """Luma codes of the arrow, shape (height, width)."""
    cover: NDArray[np.float32]
    """How much of each pixel the arrow covers, 0..1, same shape."""

    @classmethod
    def of_height(cls, height_px: int) -> ArrowCursor:
        """An arrow of about that height, at least 10 pixels."""
        size, fine = max(10, height_px), 8
        outline = np.array([(0, 0), (0, 17), (4, 13.2), (6.6, 19), (9.4, 17.8), (6.9, 12.2), (12.2, 12.2)]) / 20 + 0.03
        arrow = Image.new("L", (size * fine, size * fine), 0)
        cover = Image.new("L", arrow.size, 0)
        points = [(float(a), float(b)) for a, b in outline * size * fine]
        ImageDraw.Draw(cover).polygon(points, fill=255, outline=255, width=fine)
        ImageDraw.Draw(arrow).polygon(points, fill=235, outline=16, width=fine + fine * size // 24)
        box = Image.Resampling.BOX
        return cls(
            np.asarray(arrow.resize((size, size), box), np.float32),
            np.asarray(cover.resize((size, size), box), np.float32) / np.float32(255),
        )

    def blend(self, onto: RecordingPlanes, x: int, y: int) -> None:
        """Draw the arrow with its tip at (x, y), all of it inside the picture."""
        left, top = x // 2 * 2, y // 2 * 2
        height, width = (self.cover.shape[0] + 3) // 2 * 2, (self.cover.shape[1] + 3) // 2 * 2
        cover, grey = np.zeros((2, height, width), np.float32)
        inside = np.s_[y - top : y - top + self.cover.shape[0], x - left : x - left + self.cover.shape[1]]
        cover[inside], grey[inside] = self.cover, self.grey
        place = onto.part(slice(top, top + height), slice(left, left + width))
        place.luma[...] = np.rint(place.luma * (1 - cover) + grey * cover)
        share = cover.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        for plane in (place.cb, place.cr):  # the arrow is grey: it only takes colour away
            plane[...] = np.rint(plane * (1 - share) + 128 * share)
