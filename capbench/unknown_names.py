"""What somebody probably meant who wrote a name that does not exist: the end of an error's sentence."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel

__all__ = ["did_you_mean", "nearest", "unknown_key"]

_LONGEST_COMPARED = 80
"""Characters of a name; the comparison takes time with the square of the length."""
_MOST_COMPARED = 2000
"""Known names: a matrix of 10,000 cases must not make its one misspelt name wait."""
_NEAR = 0.6
"""Similarity from which a name may be meant: `scenne`, `timeout` for `timeout_s`, not `foo` for `fps`."""
_ALL_BUT_EQUAL = 0.85
"""Similarity of a slip, which is likelier than another table's key: `[[subjects]]` means `[[subject]]`."""
_MOST_LISTED = 8
"""Names that are listed where none is near; more would be a list to read."""


def nearest(name: str, known: Iterable[str], *, similarity: float = _NEAR) -> str | None:
    """The known name that is most like a name, upper and lower case alike; None where none is near."""
    folded: dict[str, str] = {}
    for candidate in itertools.islice(known, _MOST_COMPARED):
        folded.setdefault(candidate.casefold(), candidate)
    near = difflib.get_close_matches(name[:_LONGEST_COMPARED].casefold(), folded, n=1, cutoff=similarity)
    return folded[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str], *, similarity: float = _NEAR) -> str:
    """`; did you mean 'scene'?` for the nearest of the known names; empty where none is near."""
    near = nearest(name, known, similarity=similarity)
    return "" if near is None else f"; did you mean {near!r}?"


def unknown_key(file: type[BaseModel], location: Sequence[int | str]) -> str:
    """The message for a key that a file's table does not have.

    `location` is that of a pydantic error, from the file's top level. Named is a key that differs by a slip, the table
    that does have such a key, the nearest key, or all keys of a small table: the first of these that there is.
    """
    *table, last = location
    name = str(last)
    owners = _tables_at(file, table)
    known = list(dict.fromkeys(key for owner in owners for key in owner.model_fields))
    if meant := did_you_mean(name, known, similarity=_ALL_BUT_EQUAL):
        return f"unknown key{meant}"
    at_home = [where for where, owner in _tables_of(file) if name in owner.model_fields and owner not in owners]
    if at_home:
        return f"unknown key; `{name}` is a key of {', '.join(at_home)}"
    if meant := did_you_mean(name, known):
        return f"unknown key{meant}"
    return f"unknown key; available: {', '.join(known)}" if 0 < len(known) <= _MOST_LISTED else "unknown key"


def _tables_of(file: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """How each table of a file is written, and its model: `[[case]]`, `[defaults]`."""
    for name, field in file.model_fields.items():
        is_list = "list" in str(field.annotation) or "tuple" in str(field.annotation)
        for model in _models_in(field.annotation):
            yield (f"[[{name}]]" if is_list else f"[{name}]"), model


def _tables_at(file: type[BaseModel], table: Sequence[int | str]) -> list[type[BaseModel]]:
    """The models that a location leads to. A union's member and a free key of a table are steps without a field."""
    here: list[type[BaseModel]] = [file]
    for step in table:
        below = [
            found
            for model in here
            if isinstance(step, str) and step in model.model_fields
            for found in _models_in(model.model_fields[step].annotation)
        ]
        here = below or [model for model in here if model.__name__ == step] or here
    return here


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that an annotation mentions, inside lists, tables, unions and `Annotated` too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
