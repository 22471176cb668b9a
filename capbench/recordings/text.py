"""Text like that of an editor: lines of made-up code with syntax colours."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

__all__ = ["BACKGROUND", "font", "text_strip"]

BACKGROUND: Final = (30, 31, 41)
"""R'G'B' behind the text."""

_PLAIN: Final = (214, 216, 226)
_NUMBER: Final = (189, 147, 249)
_KEYWORD: Final = (255, 121, 170)
_NAME: Final = (120, 220, 130)
_STRING: Final = (240, 230, 120)
_COMMENT: Final = (112, 124, 164)
_GUTTER: Final = (84, 88, 110)

_VERBS: Final = (
    "open",
    "read",
    "scale",
    "blend",
    "pack",
    "round",
    "queue",
    "drop",
    "keep",
    "measure",
    "submit",
    "wait",
)
_NOUNS: Final = (
    "frame",
    "plane",
    "buffer",
    "stride",
    "chroma",
    "luma",
    "packet",
    "texture",
    "window",
    "cursor",
    "track",
)
_REMARKS: Final = (
    "rows are padded, so the stride is not the width",
    "the last frame has no successor to push it out",
    "rounding to nearest: truncation tints white",
    "one thread submits, the others only wait",
    "left-sited: three taps across, two rows down",
    "sound and picture share a clock from here on",
)

_PLAIN_KINDS: Final = ["remark", "return", "label", "call", "call", "sum", "sum"]

_Token = tuple[str, tuple[int, int, int]]


def font(size_px: float) -> FreeTypeFont:
    """The font inside Pillow, so that all machines draw the same glyphs. Raises `ImportError` without FreeType."""
    face = ImageFont.load_default(max(size_px, 7))
    assert isinstance(face, FreeTypeFont)  # the bitmap font is only for callers that name no size
    return face


def text_strip(width: int, lines: int, line_px: int, *, seed: int) -> Image.Image:
    """A strip of `lines` lines of code, `width` pixels wide and `lines * line_px` high."""
    rng = np.random.default_rng([seed, 1])
    strip = Image.new("RGB", (width, lines * line_px), BACKGROUND)
    draw = ImageDraw.Draw(strip)
    face = font(line_px * 0.68)
    depth = 0
    for line in range(lines):
        top = line * line_px + line_px * 0.1
        draw.text((line_px * 1.5, top), str(line + 1), fill=_GUTTER, font=face, anchor="ra")
        indent, depth, tokens = _code_line(rng, depth)
        x = line_px * (2.1 + 1.4 * indent)
        for words, colour in tokens:
            draw.text((x, top), words, fill=colour, font=face)
            x += draw.textlength(words, font=face)
    return strip


def _code_line(rng: np.random.Generator, depth: int) -> tuple[int, int, list[_Token]]:
    """Indentation of a line that may stand at `depth`, how deep the one below may be, and the line's tokens."""
    verb, noun, other = str(rng.choice(_VERBS)), str(rng.choice(_NOUNS)), str(rng.choice(_NOUNS))
    number = (str(rng.integers(2, 4096)), _NUMBER)
    kind = "def" if depth == 0 else str(rng.choice(["for", "if"][: 2 * (depth < 3)] + _PLAIN_KINDS))
    called = (f"{verb}_{noun}", _NAME)
    tokens: dict[str, list[_Token]] = {
        "def": [("def ", _KEYWORD), called, (f"({noun}, {other}, count=", _PLAIN), number, ("):", _PLAIN)],
        "for": [("for ", _KEYWORD), (other, _PLAIN), (" in ", _KEYWORD), (f"{noun}.{other}s:", _PLAIN)],
        "if": [("if ", _KEYWORD), (f"{noun}.{other} > ", _PLAIN), number, (":", _PLAIN)],
        "remark": [(f"# {rng.choice(_REMARKS)}", _COMMENT)],
        "return": [("return ", _KEYWORD), called, (f"({other})", _PLAIN)],
        "label": [(f"{noun}.label = ", _PLAIN), (f'"{verb} {other} {number[0]}"', _STRING)],
        "call": [(f"{other} = ", _PLAIN), called, (f"({other}, ", _PLAIN), number, (")", _PLAIN)],
        "sum": [(f"{noun}_{other} = {noun} * ", _PLAIN), number, (f" + {other}", _PLAIN)],
    }
    step = 1 if kind in ("def", "for", "if") else -1 if kind == "return" else 0
    return depth, depth + step, tokens[kind]
