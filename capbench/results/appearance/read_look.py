"""Reading what was asked from what a person wrote: a file of it, or a table of a matrix file."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from capbench.errors import InputError
from capbench.files import parse_toml, read_text
from capbench.results.appearance.expected_look import ExpectedLook
from capbench.results.record import unknown_fields
from capbench.unknown_names import did_you_mean

__all__ = ["load_look", "without_unknown"]

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


def load_look(path: Path) -> ExpectedLook:
    """Read a TOML file of the keys of `ExpectedLook`. Raises `InputError` that names file and key."""
    values = parse_toml(read_text(path, InputError), path, InputError)
    try:
        return without_unknown(ExpectedLook.model_validate(values))
    except ValidationError as error:
        problems = [
            f"{path}: {'.'.join(str(part) for part in problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()[:_MOST_PROBLEMS]
        ]
        raise InputError("\n".join(dict.fromkeys(problems))) from None
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
