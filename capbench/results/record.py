"""The base of every record that is written to a JSON file."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

__all__ = ["Record", "unknown_fields"]


class Record(BaseModel):
    """Frozen, every field documented by its description.

    Fields that a newer program wrote are read and written again: results outlive the version that made them. What
    people write (matrix, scene and gate files) has models of its own, which refuse unknown keys; so does the type
    checker (`init_forbid_extra`) where a record is made.
    """

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True, ser_json_inf_nan="null")


def unknown_fields(record: Record) -> Iterator[str]:
    """Dotted names of the fields of a record that this program does not know, in the records inside it too."""
    yield from record.model_extra or {}
    for name in type(record).model_fields:
        for place, inner in _records_in(getattr(record, name)):
            yield from (f"{name}{place}.{unknown}" for unknown in unknown_fields(inner))


def _records_in(value: object) -> Iterator[tuple[str, Record]]:
    if isinstance(value, Record):
        yield "", value
    elif isinstance(value, tuple):
        yield from ((f"[{at}]", one) for at, one in enumerate(value) if isinstance(one, Record))
    elif isinstance(value, dict):
        yield from ((f".{key}", one) for key, one in value.items() if isinstance(one, Record))
