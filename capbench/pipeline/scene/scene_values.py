"""What all parts of a scene share: strictness, colours, files, fractions and time spans."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from capbench.files import is_file

__all__ = ["Colour", "ExistingFile", "Fraction01", "Point", "SceneModel", "Seconds", "TimeSpan"]


def _hex_colour(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError(f"not a colour: {text!r}; write #rrggbb")
    return text


def _existing_file(path: Path, info: ValidationInfo) -> Path:
    # A scene file names its pictures relative to itself, whatever folder the export is started from.
    folder = (info.context or {}).get("folder")
    try:
        found = path if folder is None else folder / path.expanduser()
    except RuntimeError:  # `~name` of nobody on this machine
        raise ValueError(f"no such home folder: {path}") from None
    if not is_file(found):
        raise ValueError(f"no such file: {found}")
    return found


Colour = Annotated[str, AfterValidator(_hex_colour)]
"""`#rrggbb`, gamma-encoded sRGB codes."""
ExistingFile = Annotated[Path, AfterValidator(_existing_file)]
"""A file, relative to the scene file."""
Fraction01 = Annotated[float, Field(ge=0, le=1)]
"""A fraction or an opacity, 0 to 1."""
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Seconds of output time since the first frame."""
Point = tuple[Fraction01, Fraction01]
"""Fractions across and down of whatever the key says."""


class SceneModel(BaseModel):
    """Frozen and strict: a misspelt key is an error, not a layer that silently is not drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class TimeSpan(SceneModel):
    """Part of the output in which something is shown: from `start_s` on, up to but not at `end_s`."""

    start_s: Seconds = 0.0
    """Output time at which it appears."""
    end_s: Seconds | None = None
    """Output time at which it is gone; None stays to the end."""
    fade_s: Seconds = 0.0
    """Time that it takes to appear and, before its end, to vanish."""

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError(f"end_s {self.end_s:g} must be after start_s {self.start_s:g}")
        return self

    def presence(self, time_s: float) -> float:
        """How much of it is there, 0..1: a linear fade at both ends."""
        if time_s < self.start_s or (self.end_s is not None and time_s >= self.end_s):
            return 0.0
        if self.fade_s == 0.0:
            return 1.0
        arrived = (time_s - self.start_s) / self.fade_s
        leaving = 1.0 if self.end_s is None else (self.end_s - time_s) / self.fade_s
        return min(1.0, arrived, leaving)
