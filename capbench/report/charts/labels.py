"""Labels next to what they name, so that no chart needs a legend."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont, get_font

from capbench.report.charts.canvas import Canvas
from capbench.report.palette import LIGHT, SubjectStyle
from capbench.report.wording import shorten

__all__ = ["LONGEST_END", "label_ends", "label_row", "name_margin_px", "spread_labels", "unit_above"]

LONGEST_END = 13
"""Characters of a name at the end of a line."""

_GAP_PX = 15
"""Distance that keeps two labels of 12 px apart."""
_BESIDE_PX = 8
"""Between a name and the axes."""
_EDGE_PX = 2
"""Between a name and the edge of the chart."""


def name_margin_px(
    names: Iterable[str], limit: int, *, least_px: float, bold: bool = False, size_px: float = 12
) -> float:
    """Margin beside the axes in which each name has room, shortened to `limit` characters; at least `least_px`.

    Widths are those of DejaVu Sans, which is wider than the fonts that the page asks for; a character that it lacks
    counts as a full em, as wide as an ideograph.
    """
    font = get_font(findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")))
    font.set_size(size_px, 72)

    def width_px(name: str) -> float:
        codes = [ord(character) for character in shorten(name, limit)]
        return sum(
            font.load_char(code).linearHoriAdvance / 2**16 if font.get_char_index(code) else size_px for code in codes
        )

    return max(least_px, math.ceil(max(map(width_px, names), default=0.0)) + _BESIDE_PX + _EDGE_PX)


def label_row(
    axes: Axes,
    row: float,
    words: str,
    *,
    offset_px: float,
    colour: str = LIGHT["ink"],
    bold: bool = False,
    size_px: float = 12,
) -> None:
    """Words beside a row: left of the axes for a negative offset, right of them for a positive one.

    An offset below -60 starts at the left margin, where headings of groups stand.
    """
    axes.annotate(
        words,
        (0 if offset_px < 0 else 1, row),
        xycoords=("axes fraction", "data"),
        xytext=(offset_px, 0),
        textcoords="offset points",
        ha="right" if -60 <= offset_px < 0 else "left",
        va="center",
        color=colour,
        fontweight="bold" if bold else "normal",
        fontsize=size_px,
    )


def unit_above(axes: Axes, unit: str) -> None:
    """The unit stands above the axis, where it needs no turning of the head."""
    axes.annotate(
        unit,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 8),
        textcoords="offset points",
        ha="left",
        va="bottom",
        color=LIGHT["quiet"],
        fontsize=11,
    )


def label_ends(canvas: Canvas, axes: Axes, ends: Mapping[str, float], styles: Mapping[str, SubjectStyle]) -> None:
    """Name each line at its right end, pushed apart where lines end close together.

    The right margin is that of `name_margin_px` for bold names of `LONGEST_END`.
    """
    low, high = axes.get_ylim()
    height_px = axes.get_window_extent().height
    scale = height_px / (high - low) if high > low else 1.0
    ordered = sorted(ends, key=lambda subject: ends[subject])
    places = spread_labels([(ends[subject] - low) * scale for subject in ordered], height_px)
    for subject, placed_px in zip(ordered, places, strict=True):
        axes.annotate(
            canvas.label(subject, LONGEST_END),
            (1, 0),
            xycoords="axes fraction",
            xytext=(_BESIDE_PX, placed_px),
            textcoords="offset points",
            ha="left",
            va="center",
            color=LIGHT[styles[subject].token],
            fontweight="bold",
        )


def spread_labels(wanted_px: Sequence[float], height_px: float) -> list[float]:
    """Rising places pushed apart upwards, then down again where they would leave the chart at its top."""
    places: list[float] = []
    for wanted in wanted_px:
        places.append(max(wanted, places[-1] + _GAP_PX) if places else wanted)
    ceiling = height_px
    for at in reversed(range(len(places))):
        places[at] = min(places[at], ceiling)
        ceiling = places[at] - _GAP_PX
    return places
