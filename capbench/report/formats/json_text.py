"""JSON for programs: the only place of this package that writes it."""

from __future__ import annotations

import json

from capbench.results.visible_text import json_escaped

__all__ = ["json_text"]


def json_text(document: object, *, indent: int | None = 1) -> str:
    """A document as JSON, not measured is null. ASCII alone, and nothing in it reads as a command of a CI system."""
    return json_escaped(json.dumps(document, indent=indent, allow_nan=False, default=str)) + "\n"
