"""JSON for programs: the only place of this package that writes it."""

from __future__ import annotations

import json

__all__ = ["json_text"]


def json_text(document: object, *, indent: int | None = 1) -> str:
    """A document as JSON, not measured is null. ASCII alone, and nothing in it reads as a command of a CI system."""
    text = json.dumps(document, indent=indent, allow_nan=False, default=str)
    # Both stand inside strings only, where an escape means the same. Every line begins with a space, quote or brace.
    return text.replace("##[", "#\\u0023[").replace("\x7f", "\\u007f") + "\n"
