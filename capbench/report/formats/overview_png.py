"""The verdict and a bar for every case and subject as one picture, for a README or a chat."""

from __future__ import annotations

import textwrap
import warnings

from matplotlib.axes import Axes

from capbench.report.charts.canvas import Canvas, chart_style
from capbench.report.charts.labels import label_row
from capbench.report.page.folder_view import FolderView
from capbench.report.page.overview_rows import Row
from capbench.report.palette import LIGHT
from capbench.results import Verdict
from capbench.results.visible_text import plain_line

__all__ = ["to_png"]

_LEFT_PX = 250
_TITLE_LINE_PX = 24
_NOTE_LINE_PX = 16


def to_png(view: FolderView, *, scale: float = 2.0) -> bytes:
    """PNG file of the overview, 860 units wide; `scale` is pixels a unit."""
    title = textwrap.wrap(plain_line(view.headline.sentence), 74)
    where = view.software or view.machine.sentence
    notes = textwrap.wrap(plain_line(f"{view.scope} {where}"), 128)
    top = 34 + _TITLE_LINE_PX * len(title) + _NOTE_LINE_PX * len(notes)
    places = _places(view.rows)
    with chart_style(), warnings.catch_warnings():
        # A box for a glyph that the drawing font lacks is what is wanted; every other form has the name whole.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas = Canvas(height_px=top + places[-1] + 74, width_px=860, for_png=True)
        canvas.figure.set_facecolor(LIGHT["page"])
        for line, words in enumerate(title):
            at = 1 - (28 + _TITLE_LINE_PX * line) / canvas.height_px
            canvas.figure.text(0.024, at, words, fontsize=18, fontweight="bold", va="center")
        for line, words in enumerate(notes):
            at = 1 - (34 + _TITLE_LINE_PX * len(title) + _NOTE_LINE_PX * line) / canvas.height_px
            canvas.figure.text(0.024, at, words, fontsize=11, va="center", color=LIGHT["quiet"])
        axes = canvas.axes(left=_LEFT_PX, top=top, right=230, bottom=50)
        axes.set_yticks([])
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        by_floor = any(row.floor.value is not None for row in view.rows)
        for row, place in zip(view.rows, places, strict=False):
            _draw_row(canvas, axes, row, place, (row.floor if by_floor else row.wall).value or 0.0)
        axes.set_ylim(places[-1] + 24, 0)
        axes.set_xlim(left=0)
        axes.set_xlabel("times the floor (decode and encode alone)" if by_floor else "seconds")
        return canvas.to_png(scale)


def _places(rows: tuple[Row, ...]) -> list[float]:
    """Distance of each row's middle from the top, a gap before each case; never empty."""
    places: list[float] = []
    for row in rows:
        places.append((places[-1] if places else 0.0) + (38 if row.starts_case else 24))
    return places or [20.0]


def _draw_row(canvas: Canvas, axes: Axes, row: Row, place: float, length: float) -> None:
    colour = LIGHT[row.style.token]
    axes.barh(place, length, height=15, color=colour)
    label_row(axes, place, canvas.label(row.subject, 14), offset_px=-8, colour=colour, bold=True)
    if row.starts_case:
        label_row(axes, place, canvas.label(row.case, 18), offset_px=20 - _LEFT_PX, bold=True)
    time = row.wall.words.split(" (", maxsplit=1)[0]
    shown = row.verdict is not None and row.verdict.verdict in (Verdict.BETTER, Verdict.WORSE, Verdict.SAME)
    effect = row.effect.words if shown else row.verdict.label if row.verdict else ""
    label_row(axes, place, f"{time}, {effect}" if effect else time, offset_px=8)
