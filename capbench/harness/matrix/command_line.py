"""Command lines of subjects: splitting, placeholders, and whether the program is there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from capbench.units import shown
from capbench.unknown_names import did_you_mean

__all__ = [
    "LONGEST_BEGIN_TEXT",
    "PLACEHOLDERS",
    "POINT_PLACEHOLDERS",
    "check_begin_text",
    "fill_command",
    "fill_parameters",
    "missing_program",
    "placeholders_of",
    "split_command",
]

POINT_PLACEHOLDERS = ("qp", "crf", "bitrate")
"""Names that stand for the setting of a case or of a point of its curve; `bitrate` in bits a second."""
PLACEHOLDERS = (
    "source",
    "output",
    "metrics",
    "scene",
    "width",
    "height",
    "fps",
    *POINT_PLACEHOLDERS,
    "encoder_options",
)
"""Names that a command may hold in braces. `{encoder_options}` is a whole argument and becomes several."""

_TOKEN = re.compile(r"\{\{|\}\}|\{(\w*)\}")


def split_command(
    command: str | Sequence[str], parameters: Collection[str] = (), *, needs_output: bool = True
) -> tuple[str, ...]:
    """Program and arguments. Raises `ValueError` for bad quoting, an unknown placeholder or no `{output}`.

    `parameters` are further placeholders; a command that only prepares something needs no output.
    """
    try:
        # Line ends are only layout in a command that spans lines of a TOML file.
        words = tuple(shlex.split(command)) if isinstance(command, str) else tuple(command)
    except ValueError as error:
        raise ValueError(f"cannot split the command: {error}") from error
    if not words:
        raise ValueError("the command is empty")
    names = placeholders_of(words)
    known = (*PLACEHOLDERS, *parameters)
    if unknown := sorted(names - set(known)):
        available = ", ".join(f"{{{name}}}" for name in known)
        raise ValueError(
            f"unknown placeholder {{{unknown[0]}}}; available: {available}; write {{{{ and }}}} for literal braces"
            f"{did_you_mean(unknown[0], known)}"
        )
    if any("{encoder_options}" in word and word != "{encoder_options}" for word in words):
        raise ValueError("{encoder_options} becomes several arguments and must be a word of its own")
    if needs_output and "output" not in names:
        raise ValueError("the command has no {output}, so it does not know where to write")
    return words


LONGEST_BEGIN_TEXT = 200
"""Characters that every part of a command's output is searched for; a line of a log has fewer."""


def check_begin_text(text: str) -> str:
    """What a command prints when its export begins. Raises `ValueError` for what no line of a log can be told by."""
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_BEGIN_TEXT:
        raise ValueError(
            f"{shown(text)} must be a text within one line, of at most {LONGEST_BEGIN_TEXT} characters, which the "
            "command prints when its export begins"
        )
    return text


def placeholders_of(words: Sequence[str]) -> frozenset[str]:
    """The names in braces that a command holds, literal braces left out."""
    return frozenset(match[1] for word in words for match in _TOKEN.finditer(word) if match[1] is not None)


def fill_parameters(words: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
    """`words` with these placeholders replaced; the others, and braces that a value has, stay for `fill_command`."""

    def replacement(match: re.Match[str]) -> str:
        value = parameters.get(match[1] or "")
        return match[0] if value is None else value.replace("{", "{{").replace("}", "}}")

    return tuple(_TOKEN.sub(replacement, word) for word in words)


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


def missing_program(program: str, folder: Path | None = None) -> str | None:
    """Why `program` cannot be started in `folder`, or None when it is there.

    A name with a slash is a path from the folder where it is started, as for a shell there.
    """
    if os.path.dirname(program):  # noqa: PTH120  "./tool" as a Path has lost what makes it a path
        if shutil.which((folder or Path()) / program):
            return None
        return f"program {program!r} is not an executable file in {folder or Path.cwd()}; build it or correct its path"
    if shutil.which(program):
        return None
    beside = (folder or Path()) / program
    if beside.is_file():
        return f"program {program!r} is not on PATH; the file of that name in its folder is started as ./{program}"
    return f"program {program!r} is not on PATH; install it or leave its subject out"
