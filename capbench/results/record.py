"""The base of every record that is written to a JSON file."""

from __future__ import annotations

import json
import math

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError

__all__ = ["Record", "record_json"]


class Record(BaseModel):
    """Frozen, strict about unknown keys, every field documented by its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, ser_json_inf_nan="null")


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
