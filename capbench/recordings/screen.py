"""Draws the frames of a recording: the still part is drawn and converted once, the rest is pasted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from capbench.recordings import layout
from capbench.recordings.layout import Area
from capbench.recordings.marks import FLASH_LENGTH_S, frame_number_cells
from capbench.recordings.motion import Motion, scroll_px
from capbench.recordings.recording_planes import RecordingPlanes, planes_from_rgb
from capbench.recordings.spec import RecordingSpec
from capbench.recordings.text import font, text_strip
from capbench.recordings.windows import ArrowCursor, draw_frame, moving_windows, title_px

__all__ = ["Screen"]

_BLACK, _WHITE = 16, 235
_BAR_GREY = 38
_PANEL = (44, 46, 58)


class Screen:
    """Draws any frame of one recording, in any order."""

    def __init__(self, spec: RecordingSpec) -> None:
        width, height = spec.width, spec.height
        self._spec = spec
        self._scale_px = scale_px = _scale_px(width, height)
        self._still = planes_from_rgb(_desktop(width, height, seed=spec.seed))
        self._text_place = _text_area(height, scale_px).pixels(width, height, multiple=2)
        text_width = self._text_place[1].stop - self._text_place[1].start
        line_px = max(10, round(scale_px * 0.026 / 2) * 2)
        self._text = planes_from_rgb(np.asarray(text_strip(text_width, 140, line_px, seed=spec.seed)))
        self._windows = moving_windows(width, height, scale_px, seed=spec.seed)
        self._cursor = ArrowCursor.of_height(round(scale_px * 0.03))
        self._motion = Motion.seeded(len(self._windows), spec.duration_s, seed=spec.seed)
        self._flash_frames = frozenset(
            flash + late for flash in spec.flash_frames for late in range(max(1, round(FLASH_LENGTH_S * spec.rate)))
        )
        self._digits = _digits(scale_px)
        cells = frame_number_cells(0).shape[1]
        edges = np.linspace(layout.FRAME_NUMBER.left, layout.FRAME_NUMBER.right, cells + 1)
        self._cell_widths: NDArray[np.int64] = np.diff([round(edge * width) for edge in edges])

    def draw(self, frame: int, onto: RecordingPlanes) -> None:
        """Draw frame `frame`, counted from 0, over all of `onto`, which has the recording's size."""
        time_s = float(frame / self._spec.rate)
        onto.paste(self._still)
        self._draw_text(onto, scroll_px(time_s, self._scale_px))
        self._draw_windows(onto, time_s)
        self._draw_frame_number(onto, frame)
        self._draw_clock(onto, time_s)
        if frame in self._flash_frames:
            place = onto.part(*layout.FLASH.pixels(onto.width, onto.height, multiple=2))
            place.luma[...], place.cb[...], place.cr[...] = _WHITE, 128, 128

    def _draw_text(self, onto: RecordingPlanes, scrolled_px: int) -> None:
        place = onto.part(*self._text_place)
        start, done = scrolled_px % self._text.height, 0
        while done < place.height:
            rows = min(place.height - done, self._text.height - start)
            place.paste(self._text.part(slice(start, start + rows), slice(0, place.width)), top=done)
            start, done = 0, done + rows

    def _draw_windows(self, onto: RecordingPlanes, time_s: float) -> None:
        rows, columns = layout.MOVING.pixels(onto.width, onto.height, multiple=2)
        area = onto.part(rows, columns)
        sample = self._windows[0][0]
        bar_px = title_px(self._scale_px)
        pose = self._motion.at(
            time_s, (area.width - sample.width, area.height - sample.height), (sample.width * 3 // 4, bar_px // 2)
        )
        for number in pose.order:
            loop = self._windows[number]
            area.paste(loop[int(time_s * 15) % len(loop)], *pose.windows[number])
        self._cursor.blend(onto, columns.start + pose.cursor[0], rows.start + pose.cursor[1])

    def _draw_frame_number(self, onto: RecordingPlanes, frame: int) -> None:
        rows, columns = layout.FRAME_NUMBER.pixels(onto.width, onto.height)
        middle = round((layout.FRAME_NUMBER.top + layout.FRAME_NUMBER.bottom) / 2 * onto.height)
        codes = _BLACK + (_WHITE - _BLACK) * np.repeat(frame_number_cells(frame), self._cell_widths, axis=1)
        onto.luma[rows.start : middle, columns] = codes[0]
        onto.luma[middle : rows.stop, columns] = codes[1]

    def _draw_clock(self, onto: RecordingPlanes, time_s: float) -> None:
        left = round(onto.width * 0.885)
        for sign in f"{int(time_s) // 60:02d}:{time_s % 60:05.2f}":
            digit = self._digits[sign]
            top = round(layout.TOP_BAR.bottom * onto.height - digit.shape[0]) // 2
            onto.luma[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
            left += digit.shape[1]


def _scale_px(width: int, height: int) -> int:
    """Height of the largest 16:9 picture in the recording: what text and cursor are drawn in proportion to."""
    return min(height, round(width * 9 / 16))


def _text_area(height: int, scale_px: int) -> Area:
    """The part of the editor that scrolls: less its frame, title and status line."""
    bar = title_px(scale_px) / height
    editor = layout.EDITOR
    return Area(editor.left + 0.002, editor.top + bar, editor.right - 0.002, editor.bottom - bar)


def _digits(scale_px: int) -> dict[str, NDArray[np.uint8]]:
    """Luma of the signs of the clock, all of one size, so that it does not jitter."""
    face = font(scale_px * 0.03)
    size = (round(scale_px * 0.0195), round(scale_px * 0.04))
    digits = {}
    for sign in "0123456789:.":
        picture = Image.new("L", size, _neutral_code(_BAR_GREY))
        ImageDraw.Draw(picture).text((size[0] / 2, size[1] / 2), sign, fill=_neutral_code(225), font=face, anchor="mm")
        digits[sign] = np.asarray(picture)
    return digits


def _neutral_code(level: int) -> int:
    return round(_BLACK + (_WHITE - _BLACK) * level / 255)


def _desktop(width: int, height: int, *, seed: int) -> NDArray[np.uint8]:
    """All that never moves, shape (height, width, 3)."""
    picture = Image.fromarray(_wallpaper(width, height, seed=seed))
    draw = ImageDraw.Draw(picture)

    def box(area: Area, multiple: int = 2) -> tuple[int, int, int, int]:
        rows, columns = area.pixels(width, height, multiple=multiple)
        return columns.start, rows.start, columns.stop, rows.stop

    def fill(area: Area, colour: tuple[int, int, int], multiple: int = 2) -> None:
        left, top, right, bottom = box(area, multiple)
        draw.rectangle((left, top, right - 1, bottom - 1), fill=colour)

    fill(layout.TOP_BAR, (_BAR_GREY,) * 3)
    middle = layout.TOP_BAR.bottom / 2 * height
    scale_px = _scale_px(width, height)
    dot = scale_px * 0.011
    draw.ellipse((width * 0.03, middle - dot, width * 0.03 + 2 * dot, middle + dot), fill=(235, 60, 60))
    draw.text((width * 0.03 + 3.2 * dot, middle), "REC", fill=(225, 225, 225), font=font(scale_px * 0.03), anchor="lm")

    bar_px = title_px(scale_px)
    draw_frame(draw, box(Area(0.025, 0.14, 0.245, 0.94)), "colours", bar_px)
    left, top, right, bottom = box(Area(0.025, 0.14, 0.245, 0.94))
    draw.rectangle((left + 2, top + bar_px, right - 3, bottom - 3), fill=_PANEL)
    for patch in layout.PATCHES:
        fill(patch.area, patch.rgb)
    _, chart_top, _, chart_bottom = box(layout.EDGE_CHART)
    first, _, end, _ = box(layout.EDGE_CHART, 1)
    edges = (first, *layout.edge_positions(width), end)
    for bar, colour in enumerate(layout.EDGE_COLOURS):
        draw.rectangle((edges[bar], chart_top, edges[bar + 1] - 1, chart_bottom - 1), fill=colour)
    fill(layout.FLASH, (12, 12, 12))
    for area, label in ((layout.EDGE_CHART, "edges"), (layout.FLASH, "sync")):
        place = (area.left * width, area.top * height - scale_px * 0.006)
        draw.text(place, label, fill=(170, 174, 190), font=font(scale_px * 0.02), anchor="ls")

    left, top, right, bottom = box(layout.EDITOR)
    draw_frame(draw, (left, top, right, bottom), "export.py", bar_px)
    status = (left + bar_px / 2, bottom - bar_px / 2)
    draw.text(status, "Ln 1, Col 1    UTF-8    Python", fill=(170, 174, 190), font=font(bar_px * 0.6), anchor="lm")
    return np.asarray(picture)


def _wallpaper(width: int, height: int, *, seed: int) -> NDArray[np.uint8]:
    """A soft gradient with half a code of noise, so that it neither bands nor costs the encoder."""
    rng = np.random.default_rng([seed, 4])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width, y / height
    corners = np.array([(28, 38, 92), (92, 40, 110), (20, 104, 128), (196, 92, 84)], np.float32)
    weights = np.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], axis=-1)
    glow = 26 * np.exp(-((x - 0.8) ** 2 + (y - 0.35) ** 2) * 9)[..., None]
    noise = rng.random((height, width, 1), dtype=np.float32)
    wallpaper: NDArray[np.uint8] = np.clip(weights @ corners + glow + noise, 0, 255).astype(np.uint8)
    return wallpaper
