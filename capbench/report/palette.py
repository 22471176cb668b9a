"""Colours of the report: one table for the page, the charts and the contrast test.

Subjects take the colour-blind safe set of Okabe and Ito (2008, "Color Universal Design"). On white some of its hues are
too pale for WCAG's 3:1, so the light theme darkens them and the dark theme keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from capbench.results.subject_name import FLOOR

__all__ = ["DARK", "LIGHT", "SubjectStyle", "contrast_ratio", "style_subjects"]

LIGHT: dict[str, str] = {
    "page": "#ffffff",
    "surface": "#f5f6f8",
    "line": "#d8dce2",
    "axis": "#79818c",
    "quiet": "#596069",
    "ink": "#15181c",
    "link": "#0b57c2",
    "better": "#0a6b3d",
    "better-wash": "#e1f4e9",
    "worse": "#b3261e",
    "worse-wash": "#fdeae8",
    "same": "#3f4a57",
    "same-wash": "#e9edf2",
    "undecided": "#7d4e00",
    "undecided-wash": "#fdf0d8",
    "band": "#dfe4ea",
    "shade": "#b9c0c9",
    "s0": "#6c737d",
    "s1": "#c45200",
    "s2": "#0070b0",
    "s3": "#00835e",
    "s4": "#a8457f",
    "s5": "#937200",
    "s6": "#3a7ba2",
    "s7": "#8a5a2b",
}
"""Token to colour, light theme. Every value is unique: charts are drawn in these and recoloured by token."""

DARK: dict[str, str] = {
    "page": "#121519",
    "surface": "#1b1f25",
    "line": "#343b45",
    "axis": "#87909c",
    "quiet": "#a4adb9",
    "ink": "#eef1f5",
    "link": "#82b4ff",
    "better": "#6fdca0",
    "better-wash": "#12331f",
    "worse": "#ff9d94",
    "worse-wash": "#45191a",
    "same": "#c5cdd8",
    "same-wash": "#2a313a",
    "undecided": "#f5c26b",
    "undecided-wash": "#3c2d0c",
    "band": "#2b323b",
    "shade": "#4a5563",
    "s0": "#9aa3ae",
    "s1": "#ee8a3c",
    "s2": "#56b4e9",
    "s3": "#2cc79a",
    "s4": "#dd8fbc",
    "s5": "#e0c340",
    "s6": "#a9c9dd",
    "s7": "#c99b6d",
}
"""The same tokens, dark theme."""

_FIXED_SLOTS = {FLOOR: 0, "cpu": 1, "gpu": 2, "gpu-fused": 3, "gpu-late": 4, "passthrough": 5}
_MARKERS = ("o", "s", "D", "^", "v", "P", "X", "h")
_SLOTS = len(_MARKERS)


@dataclass(frozen=True, slots=True)
class SubjectStyle:
    """How one subject looks everywhere: a colour token, and a marker for readers who cannot tell colours apart."""

    token: str
    """Key of `LIGHT` and `DARK`."""
    marker: str
    """Marker of matplotlib."""


def style_subjects(subjects: Iterable[str]) -> dict[str, SubjectStyle]:
    """A style for each subject: known paths keep theirs in every report, others take what is left in order."""
    names = list(dict.fromkeys(subjects))
    slots = {name: _FIXED_SLOTS[name] for name in names if name in _FIXED_SLOTS}
    free = [slot for slot in range(_SLOTS) if slot not in slots.values() and slot > 0]
    for position, name in enumerate(name for name in names if name not in slots):
        slots[name] = free[position % len(free)] if free else 1 + position % (_SLOTS - 1)
    # A colour that comes round again gets another marker, so that the pair stays unique for 56 subjects.
    rounds: dict[int, int] = {}
    styles = {}
    for name in names:
        slot = slots[name]
        turn = rounds.get(slot, 0)
        rounds[slot] = turn + 1
        styles[name] = SubjectStyle(token=f"s{slot}", marker=_MARKERS[(slot + turn) % _SLOTS])
    return styles


def _relative_luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast_ratio(one: str, other: str) -> float:
    """Contrast of two `#rrggbb` colours, 1 to 21 (WCAG 2.2, definitions "contrast ratio", "relative luminance")."""
    brighter, darker = sorted((_relative_luminance(one), _relative_luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)
