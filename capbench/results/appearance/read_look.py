"""Reading what was asked from what a person wrote: a file of it, or a table of a matrix file."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from capbench.errors import InputError
from capbench.files import parse_toml, read_text
from capbench.results.appearance.expected_look import ExpectedLook
from capbench.results.record import unknown_fields
from capbench.unknown_names import did_you_mean

__all__ = ["load_look", "without_unknown"]

_OTHER_FORMS = ("literal[", "bool")
"""In the place of a problem: the short forms of a key, which a table does not have to fit."""
_MOST_PROBLEMS = 10
"""Named in one message."""


def without_unknown(look: ExpectedLook) -> ExpectedLook:
    """The same, of which a person wrote every key right. Raises `ValueError` for a key that does not exist.

    Records keep unknown fields of their files; what a person writes must not have any.
    """
    for name in unknown_fields(look):
        meant = did_you_mean(name, ExpectedLook.model_fields)
        raise ValueError(f"unknown key {name!r}{meant}")
    return look


def _problems(error: ValidationError) -> list[str]:
    found = error.errors()
    written = [one for one in found if not any(str(part).startswith(_OTHER_FORMS) for part in one["loc"])] or found
    return list(dict.fromkeys(map(_sentence, written)))[:_MOST_PROBLEMS]


def _sentence(problem: ErrorDetails) -> str:
    place = [part for part in problem["loc"] if isinstance(part, int) or re.fullmatch(r"[a-z_]+", part)]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    return f"{key}: {problem['msg'].removeprefix('Value error, ')}"


def load_look(path: Path) -> ExpectedLook:
    """Read a TOML file of the keys of `ExpectedLook`. Raises `InputError` that names file and key."""
    values = parse_toml(read_text(path, InputError), path, InputError)
    try:
        return without_unknown(ExpectedLook.model_validate(values))
    except ValidationError as error:
        raise InputError("\n".join(f"{path}: {problem}" for problem in _problems(error))) from None
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
