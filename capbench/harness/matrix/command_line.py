"""Command lines of subjects: splitting, placeholders, and whether the program is there."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping, Sequence

__all__ = ["PLACEHOLDERS", "POINT_PLACEHOLDERS", "fill_command", "missing_program", "placeholders_of", "split_command"]

POINT_PLACEHOLDERS = ("qp", "crf", "bitrate")
"""Names that stand for the setting of a case or of a point of its curve; `bitrate` in bits a second."""
PLACEHOLDERS = ("source", "output", "scene", "width", "height", "fps", *POINT_PLACEHOLDERS, "encoder_options")
"""Names that a command may hold in braces. `{encoder_options}` is a whole argument and becomes several."""

_TOKEN = re.compile(r"\{\{|\}\}|\{(\w*)\}")


def split_command(command: str | Sequence[str]) -> tuple[str, ...]:
    """Program and arguments. Raises `ValueError` for bad quoting, an unknown placeholder or no `{output}`."""
    try:
        # Line ends are only layout in a command that spans lines of a TOML file.
        words = tuple(shlex.split(command)) if isinstance(command, str) else tuple(command)
    except ValueError as error:
        raise ValueError(f"cannot split the command: {error}") from error
    if not words:
        raise ValueError("the command is empty")
    names = placeholders_of(words)
    if unknown := sorted(names - set(PLACEHOLDERS)):
        raise ValueError(
            f"unknown placeholder {{{unknown[0]}}}; available: {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}; "
            "write {{ and }} for literal braces"
        )
    if any("{encoder_options}" in word and word != "{encoder_options}" for word in words):
        raise ValueError("{encoder_options} becomes several arguments and must be a word of its own")
    if "output" not in names:
        raise ValueError("the command has no {output}, so it does not know where to write")
    return words


def placeholders_of(words: Sequence[str]) -> frozenset[str]:
    """The names in braces that a command holds, literal braces left out."""
    return frozenset(match[1] for word in words for match in _TOKEN.finditer(word) if match[1] is not None)


def fill_command(words: Sequence[str], values: Mapping[str, str], encoder_options: Sequence[str] = ()) -> list[str]:
    """`words` with every placeholder replaced from `values`. Raises `KeyError` for a value that is not given."""
    filled: list[str] = []
    for word in words:
        if word == "{encoder_options}":
            filled.extend(encoder_options)
        else:
            filled.append(_TOKEN.sub(lambda match: _replacement(match, values), word))
    return filled


def _replacement(match: re.Match[str], values: Mapping[str, str]) -> str:
    if match[0] in ("{{", "}}"):
        return match[0][0]
    return values[match[1]]


def missing_program(program: str) -> str | None:
    """Why `program` cannot be started, or None when it is there."""
    return None if shutil.which(program) else f"program {program!r} is not on PATH; install it or leave its subject out"
