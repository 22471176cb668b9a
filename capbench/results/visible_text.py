"""Text from outside (names, error messages of subjects) made harmless before any program or person reads it."""

from __future__ import annotations

import re

__all__ = ["json_escaped", "plain_line", "visible"]

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Directional marks, embeddings, overrides and isolates (Unicode Standard Annex 9): they turn the text around them."""
_CONTROLS = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufff9-\ufffb\ud800-\udfff{_BIDI}]")
"""Those, control characters but tab and newline, line separators, a byte order mark, and halves of a character."""
_ISOLATE = re.compile("\u2068([^\u2066-\u2069]*)\u2069")
"""What keeps a right-to-left name from turning its sentence: closed, and with no other isolate inside."""
_COMMANDS = re.compile(
    "::(?=(?:add|remove|save|set|stop|internal)-|(?:debug|echo|endgroup|error|group|notice|warning)\\b)|##(?=\\[)",
    re.IGNORECASE,
)
"""What a GitHub runner takes for a command, at the start of a line (`::`) or anywhere in one (`##[`).

actions/runner, ActionCommand.cs; a table folds its cells, so that anything may come to stand at the start."""


def visible(text: str) -> str:
    """Text whose control characters are written out by their code points: an override would reverse a page.

    Tab, newline and closed first-strong isolates stay. For text that stands in a page.
    """
    kept = [_escaped(part) for part in _ISOLATE.split(text)]
    # Every second part stood inside an isolate.
    return "".join(f"\u2068{part}\u2069" if number % 2 else part for number, part in enumerate(kept))


def plain_line(text: str) -> str:
    """The same on one line, without isolates, and without anything that a CI system takes for a command.

    For terminals, logs, and files that other programs read.
    """
    flat = " ".join(_ISOLATE.sub(r"\1", text).split())
    return _COMMANDS.sub(lambda match: match[0][0] + _code(match[0][1]), _escaped(flat))


def json_escaped(text: str) -> str:
    """JSON whose control characters are JSON's own escapes, and which holds no command: the same document.

    They stand inside strings only, and every line begins with a space, a quote or a bracket.
    """
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text).replace("##[", "#\\u0023[")


def _escaped(text: str) -> str:
    return _CONTROLS.sub(lambda match: _code(match[0]), text)


def _code(character: str) -> str:
    """The code point in hexadecimal, as Python writes it in a string."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
