"""Captions: letters by Pillow, on a plate, uploaded when they appear."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from capbench.errors import SceneError
from capbench.pipeline.compositor.geometry import CanvasSize, Rectangle
from capbench.pipeline.compositor.layer_buffer import FrameView, LayerState
from capbench.pipeline.compositor.layers.image_textures import texture_of, write_texels
from capbench.pipeline.compositor.scene_uniforms import rgb_of
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.scene import MAX_CAPTIONS_AT_ONCE, Caption

__all__ = ["CaptionLayer", "CaptionPlate", "lay_out"]

WIDEST = 0.86
"""Share of the canvas's width beyond which lines are broken."""
LINE_HEIGHT = 1.3
"""Distance of lines, in font sizes."""
SIDE_SPACE = 0.6
"""Free space left and right of the letters, in font sizes."""
END_SPACE = 0.3
"""Free space above and below the lines, in font sizes."""
ROUNDING = 0.35
"""Radius of the plate's corners, in font sizes."""


@dataclass(frozen=True, slots=True, eq=False)
class CaptionPlate:
    """A caption laid out on a canvas."""

    caption: Caption
    lines: tuple[str, ...]
    font: ImageFont.FreeTypeFont
    size_px: float
    """Size of the font on the canvas."""
    left: int
    """Canvas column of the plate's first texel."""
    top: int
    width: int
    """Columns of the plate."""
    height: int

    def texels(self) -> NDArray[np.uint8]:
        """Letters and plate, shape (height, width, 4), colour multiplied by alpha."""
        letters = self._letters()[..., None]
        plate = self._plate_coverage()[..., None] * self.caption.plate_opacity
        on_plate = (1 - letters) * plate
        colour = letters * rgb_of(self.caption.colour) + on_plate * rgb_of(self.caption.plate_colour)
        return np.floor(np.concatenate([colour, letters + on_plate], axis=-1) * 255 + 0.5).astype(np.uint8)

    def _letters(self) -> NDArray[np.float64]:
        """Coverage by letters, 0..1."""
        image = Image.new("L", (self.width, self.height))
        draw = ImageDraw.Draw(image)
        ascent, descent = self.font.getmetrics()
        for number, line in enumerate(self.lines):
            middle = (END_SPACE + (number + 0.5) * LINE_HEIGHT) * self.size_px
            # Whole pixels: letters of two lines must not be rastered differently.
            baseline = round(middle + (ascent - descent) / 2)
            with _readable(self.caption):
                draw.text((self.width / 2, baseline), line, fill=255, font=self.font, anchor="ms")
        return np.asarray(image, np.float64) / 255

    def _plate_coverage(self) -> NDArray[np.float64]:
        """Coverage by a rectangle with rounded corners as large as the texels, 0..1."""
        radius = min(ROUNDING * self.size_px, self.width / 2, self.height / 2)
        from_right = np.abs(np.arange(self.width) + 0.5 - self.width / 2) - self.width / 2 + radius
        from_bottom = np.abs(np.arange(self.height) + 0.5 - self.height / 2) - self.height / 2 + radius
        corner = np.hypot(np.maximum(from_right, 0)[None, :], np.maximum(from_bottom, 0)[:, None])
        coverage: NDArray[np.float64] = np.clip(0.5 - (corner - radius), 0, 1)
        return coverage


def lay_out(caption: Caption, canvas: CanvasSize) -> CaptionPlate:
    """Break lines and place the plate, in whole pixels: letters stay as they were drawn. Raises `SceneError`."""
    size_px = caption.size_px * canvas.unit_px
    font = _font(caption, size_px)
    room_px = max(WIDEST * canvas.width - 2 * SIDE_SPACE * size_px, size_px)
    written = caption.text.strip("\n").split("\n")
    with _readable(caption):
        lines = tuple(broken for line in written for broken in _broken(line.split(" "), font, room_px))
        longest = max(font.getlength(line) for line in lines)
    width = min(canvas.width, math.ceil(longest + 2 * SIDE_SPACE * size_px))
    height = min(canvas.height, math.ceil((len(lines) * LINE_HEIGHT + 2 * END_SPACE) * size_px))
    left = min(max(round(caption.position[0] * canvas.width - width / 2), 0), canvas.width - width)
    top = min(max(round(caption.position[1] * canvas.height - height / 2), 0), canvas.height - height)
    return CaptionPlate(caption, lines, font, size_px, left, top, width, height)


def _font(caption: Caption, size_px: float) -> ImageFont.FreeTypeFont:
    if caption.font is None:
        default = ImageFont.load_default(max(size_px, 1))
        assert isinstance(default, ImageFont.FreeTypeFont)  # the bitmap font is only for callers that name no size
        return default
    with _readable(caption):
        return ImageFont.truetype(caption.font, max(size_px, 1))


@contextlib.contextmanager
def _readable(caption: Caption) -> Iterator[None]:
    """Raise `SceneError` where FreeType finds a font to be none: it reads a letter's outline when it is needed."""
    try:
        yield
    except OSError as error:
        raise SceneError(
            f"{caption.font} is not a font that FreeType reads: {error}; name a .ttf or .otf file"
        ) from error


def _broken(words: Sequence[str], font: ImageFont.FreeTypeFont, room_px: float) -> list[str]:
    """Words joined into lines that fit; a single word that does not fit has its own line."""
    lines = [words[0]]
    for word in words[1:]:
        joined = f"{lines[-1]} {word}"
        if font.getlength(joined) <= room_px:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


class CaptionLayer:
    """The captions on the GPU: one texture with a row of texels for each that can be shown at once."""

    def __init__(self, gpu: GpuContext, captions: Sequence[Caption], canvas: CanvasSize) -> None:
        self._gpu = gpu
        self._plates = [lay_out(caption, canvas) for caption in captions]
        self._row_height = max((plate.height for plate in self._plates), default=0)
        width = max((plate.width for plate in self._plates), default=1)
        rows = min(len(self._plates), MAX_CAPTIONS_AT_ONCE)
        self.texture = texture_of(gpu, np.zeros((max(1, rows * self._row_height), width, 4), np.uint8), "captions")
        """rgba8unorm, colour multiplied by alpha."""
        self._rows: dict[int, int] = {}
        """Row of each caption that is shown, by its number in the scene."""
        self.uploads = 0
        """How often letters were uploaded."""

    def place(self, block: NDArray[np.void], view: FrameView) -> dict[str, LayerState]:
        """Write the frame's captions into a record of `LAYERS_DTYPE`, and upload those that appear."""
        presence = {n: plate.caption.presence(view.time_s) for n, plate in enumerate(self._plates)}
        shown = [number for number, opacity in presence.items() if opacity > 0]
        self._rows = {number: row for number, row in self._rows.items() if number in shown}
        looks = {}
        block["caption_count"] = len(shown)
        for slot, number in enumerate(shown):
            plate = self._plates[number]
            record = block["captions"][0, slot : slot + 1]
            edges = (plate.left, plate.top, plate.left + plate.width, plate.top + plate.height)
            record["rectangle_px"] = edges
            record["origin"] = (0, self._row_of(number) * self._row_height)
            record["opacity"] = presence[number]
            looks[f"caption {number}"] = LayerState(presence[number], Rectangle(*edges))
        return looks

    def _row_of(self, number: int) -> int:
        if number not in self._rows:
            row = min(set(range(MAX_CAPTIONS_AT_ONCE)) - set(self._rows.values()))
            write_texels(self._gpu, self.texture, self._plates[number].texels(), (0, row * self._row_height))
            self._rows[number] = row
            self.uploads += 1
        return self._rows[number]
