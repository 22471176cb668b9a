"""What kinds of content are drawn with: the canvas, letters, strokes that look like glyphs, noise and moving crops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = [
    "Canvas",
    "Colour",
    "Kind",
    "Picture",
    "as_picture",
    "crop_at",
    "draw_glyph",
    "fractal_noise",
    "letters",
    "photo",
    "random_colour",
    "sensor_noise",
    "sentence",
]

Picture = NDArray[np.uint8]
"""R'G'B' of shape (height, width, 3)."""
Colour = tuple[int, int, int]
"""R'G'B' in 0..255."""

_WORDS: Final = (
    *("account", "bench", "clock", "depth", "edge", "frame", "gate", "hour", "index", "join", "key", "layer", "matrix"),
    *("node", "order", "pixel", "query", "range", "scene", "track", "union", "value", "width", "yield", "zone", "of"),
    *("to", "in", "the", "and", "for", "is", "at", "no", "result", "export", "return", "window", "report", "sample"),
)


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a kind of content is asked for."""

    width: int
    """In pixels, 64 or more."""
    height: int
    """In pixels, 64 or more."""
    times_s: tuple[float, ...]
    """When each frame is shown, from 0 on."""
    random: np.random.Generator
    """Everything that a kind chooses comes from it."""

    @property
    def unit(self) -> int:
        """Pixels of a small detail: 2 at 64 lines, 12 at 720."""
        return max(2, min(self.width, self.height) // 60)

    @property
    def end_s(self) -> float:
        """When the last frame is shown; not 0."""
        return max(self.times_s[-1], 1e-3)

    def uniform(self, low: float, high: float) -> float:
        """A number between the two."""
        return float(self.random.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(self.random.integers(low, high + 1))

    def blank(self, colour: Colour) -> Image.Image:
        """An empty picture."""
        return Image.new("RGB", (self.width, self.height), colour)


Kind = Callable[[Canvas], Iterator[Picture]]
"""Draws one picture for each time."""


def as_picture(image: Image.Image) -> Picture:
    """The pixels of an image."""
    return np.asarray(image, np.uint8)


def letters(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The letters that Pillow has with it: the same on every machine."""
    return ImageFont.load_default(max(7, size_px))


def sentence(canvas: Canvas, words: int) -> str:
    """Some words."""
    return " ".join(_WORDS[n] for n in canvas.random.integers(0, len(_WORDS), words))


def random_colour(canvas: Canvas, low: int = 20, high: int = 235) -> Colour:
    """A colour whose components lie between the two."""
    red, green, blue = (canvas.whole(low, high) for _ in range(3))
    return red, green, blue


def draw_glyph(draw: ImageDraw.ImageDraw, canvas: Canvas, place: tuple[int, int], side: int, colour: Colour) -> None:
    """Strokes on a grid that look like a character of a script with thousands of them; no font is needed."""
    left, top = place
    steps = [round(side * n / 8) for n in range(1, 8)]
    thick = max(1, side // 12)
    for _ in range(canvas.whole(2, 4)):
        y, x0, x1 = canvas.whole(0, 6), canvas.whole(0, 2), canvas.whole(4, 6)
        draw.line((left + steps[x0], top + steps[y], left + steps[x1], top + steps[y]), fill=colour, width=thick)
    for _ in range(canvas.whole(1, 3)):
        x, y0, y1 = canvas.whole(0, 6), canvas.whole(0, 2), canvas.whole(4, 6)
        draw.line((left + steps[x], top + steps[y0], left + steps[x], top + steps[y1]), fill=colour, width=thick)
    if canvas.whole(0, 1):
        draw.line((left + steps[3], top + steps[3], left + steps[0], top + steps[6]), fill=colour, width=thick)
        draw.line((left + steps[3], top + steps[3], left + steps[6], top + steps[6]), fill=colour, width=thick)


def fractal_noise(
    canvas: Canvas, height: int, width: int, octaves: int = 5, *, roughness: float = 0.6
) -> NDArray[np.float32]:
    """Smooth noise with detail at every scale, of 0..1, shape (height, width).

    Each octave is `roughness` times as strong as the one before.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cells = 2 ** (octave + 1) + 1
        grid = canvas.random.random((cells, cells), dtype=np.float32)
        layer = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(layer, np.float32) * np.float32(roughness**octave)
    low, high = float(total.min()), float(total.max())
    return (total - np.float32(low)) / np.float32(max(1e-6, high - low))


def photo(canvas: Canvas, height: int, width: int) -> Picture:
    """What a camera could have seen: a sky, and in front of it ridges with rough ground, the nearest the darkest."""
    above, below = (np.array(random_colour(canvas, *span), np.float32) for span in ((60, 200), (150, 250)))
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    clouds = fractal_noise(canvas, height, width, 6)
    seen = (above + (below - above) * rows[..., None]) * (0.75 + 0.35 * clouds[..., None])
    for ridge in range(canvas.whole(2, 4)):
        outline = fractal_noise(canvas, 2, width, 7, roughness=0.55)[0]
        top = 0.25 + 0.2 * ridge + 0.25 * (outline - np.float32(0.5))
        ground = np.array(random_colour(canvas, 25, 215), np.float32) * np.float32(0.85**ridge)
        rough = fractal_noise(canvas, height, width, 8, roughness=0.8)[..., None]
        seen = np.where((rows > top[None])[..., None], ground * (0.35 + 1.1 * rough), seen)
    picture: Picture = np.clip(seen, 0, 255).astype(np.uint8)
    return picture


def sensor_noise(canvas: Canvas, picture: Picture, deviation: float) -> Picture:
    """The picture as a sensor delivers it: every frame with noise of its own; `deviation` in codes."""
    height, width, _ = picture.shape
    # One field for luma and a weaker one of colour, of half the size: what is left behind a camera's own filters.
    luma = canvas.random.standard_normal((height, width, 1), dtype=np.float32)
    colour = canvas.random.standard_normal((-(-height // 2), -(-width // 2), 3), dtype=np.float32)
    colour = colour.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    noisy = picture + np.float32(deviation) * (luma + np.float32(0.4) * colour)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def crop_at(
    image: Image.Image, canvas: Canvas, left: float, top: float, *, zoom: float = 1.0, turn: float = 0.0
) -> Image.Image:
    """The part of a larger image whose centre is that of a frame at (left, top), enlarged and turned; to fractions."""
    cos, sin = np.cos(turn) / zoom, np.sin(turn) / zoom
    across, down = canvas.width / 2, canvas.height / 2
    x, y = left + across, top + down
    terms = (cos, sin, x - cos * across - sin * down, -sin, cos, y + sin * across - cos * down)
    return image.transform(
        (canvas.width, canvas.height),
        Image.Transform.AFFINE,
        tuple(map(float, terms)),
        Image.Resampling.BICUBIC,
    )
