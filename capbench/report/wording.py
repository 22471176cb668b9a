"""Figures as the report words them: a missing value is a dash with its reason, never 0."""

from __future__ import annotations

import math
import re
import unicodedata

from capbench.units import format_bytes, format_seconds

__all__ = [
    "MINUS",
    "MISSING",
    "TIMES",
    "bytes_words",
    "change_words",
    "number_words",
    "revision_words",
    "seconds_words",
    "shorten",
    "times_words",
    "visible",
]

MISSING = "\N{EN DASH}"
"""What stands where nothing could be measured."""

MINUS = "\N{MINUS SIGN}"
"""As wide as a plus, so that columns line up."""

TIMES = "\N{MULTIPLICATION SIGN}"
"""After a factor."""


_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067]")
"""Control characters but tab and newline, and the directional overrides and embeddings."""


def seconds_words(time_s: float | None) -> str:
    """`4.21 s`, or a dash."""
    return MISSING if time_s is None else format_seconds(time_s)


def bytes_words(size_bytes: float | None) -> str:
    """`1.24 MB`, or a dash."""
    return MISSING if size_bytes is None else format_bytes(size_bytes)


def times_words(factor: float | None) -> str:
    """A factor with a times sign, or a dash."""
    return MISSING if factor is None else f"{factor:.2f}{TIMES}"


def number_words(value: float | None, digits: int = 2, unit: str = "") -> str:
    """A number with fixed decimals and its unit, or a dash."""
    return MISSING if value is None else f"{value:.{digits}f}{' ' if unit else ''}{unit}"


def change_words(ratio: float | None, less: str = "less", more: str = "more", *, digits: int = 1) -> str:
    """`42.7% less` for a ratio of 0.573; from 2 upwards `2.4 times`, because percentages above 100 mislead."""
    if ratio is None:
        return MISSING
    if ratio >= 2:
        return f"{ratio:.1f} times" if math.isfinite(ratio) else "unbounded"
    figure = f"{abs(1 - ratio) * 100:.{digits}f}"
    return "unchanged" if float(figure) == 0 else f"{figure}% {less if ratio < 1 else more}"


def revision_words(revision: str) -> str:
    """A commit by its first 10 characters, `+dirty` kept."""
    commit, _, dirty = revision.partition("+")
    return f"{commit[:10]}+{dirty}" if dirty else commit[:10]


def shorten(name: str, limit: int = 48) -> str:
    """A name cut in its middle, because its ends tell two names apart, and kept from changing the words around it.

    Right-to-left letters come isolated (Unicode Standard Annex 9, FSI and PDI), so that they do not turn the sentence.
    """
    name = visible(name)
    if len(name) > limit:
        tail = limit // 3
        name = f"{name[: limit - tail - 1]}…{name[-tail:]}"
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in name):
        return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"
    return name


def visible(text: str) -> str:
    """Text whose control characters are written out: an override would reverse a page, an escape rule a terminal."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
