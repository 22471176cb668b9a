"""The base of every record that is written to a JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticSerializationError

__all__ = ["Record", "first_fault", "record_json", "unknown_fields"]


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


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Where the first thing that is wrong with a record stands, empty for the record itself, and what is wrong."""
    first = error.errors(include_url=False)[0]
    return ".".join(map(str, first["loc"])), first["msg"]


def _records_in(value: object) -> Iterator[tuple[str, Record]]:
    if isinstance(value, Record):
        yield "", value
    elif isinstance(value, tuple):
        yield from ((f"[{at}]", one) for at, one in enumerate(value) if isinstance(one, Record))
    elif isinstance(value, dict):
        yield from ((f".{key}", one) for key, one in value.items() if isinstance(one, Record))


def record_json(record: BaseModel, *, indent: int | None = None) -> str:
    """A record as JSON. A name that is no UTF-8 on the disk is written with its bytes as escapes."""
    try:
        return record.model_dump_json(indent=indent)
    except PydanticSerializationError:
        return json.dumps(_writable(record.model_dump(mode="json")), indent=indent, ensure_ascii=False)


def _writable(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(_writable(key)): _writable(inner) for key, inner in value.items()}
    return [_writable(inner) for inner in value] if isinstance(value, list) else value
