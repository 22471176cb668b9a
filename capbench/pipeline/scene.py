"""Scene files: what is drawn around and over the recording."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from capbench.errors import SceneError
from capbench.resources import matrix_folder

__all__ = ["Background", "Display", "Scene", "Shadow", "load_scene", "scene_names"]


def _hex_colour(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError(f"not a colour: {text!r}; write #rrggbb")
    return text


Colour = Annotated[str, AfterValidator(_hex_colour)]
"""`#rrggbb`, gamma-encoded sRGB codes."""


class SceneModel(BaseModel):
    """Frozen and strict: a misspelt key is an error, not a layer that silently is not drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Background(SceneModel):
    """What lies behind the recording."""

    colour: Colour = "#000000"
    """Plain colour; `gradient` wins over it."""
    gradient: tuple[Colour, Colour] | None = None
    """Colours at the start and the end of a linear gradient."""
    angle_degrees: float = 90.0
    """Direction of the gradient as in CSS: 90 runs left to right, 180 top to bottom."""


class Shadow(SceneModel):
    """Soft shadow of the display. Lengths are pixels of a canvas 1080 lines high."""

    opacity: float = Field(0.4, ge=0, le=1)
    """Opacity where the shadow is fullest."""
    blur_px: float = Field(40.0, gt=0)
    """Distance from the edge over which it fades, each way."""
    offset_px: tuple[float, float] = (0.0, 12.0)
    """Shift right and down."""


class Display(SceneModel):
    """The recording itself. Lengths are pixels of a canvas 1080 lines high, so that a scene looks alike at any size."""

    padding: float = Field(0.0, ge=0, lt=0.5)
    """Free border on each side, as a fraction of the canvas's shorter side."""
    rounding_px: float = Field(0.0, ge=0)
    """Radius of the corners."""
    shadow: Shadow | None = None
    """Shadow; None draws none."""


class Scene(SceneModel):
    """A whole scene."""

    background: Background = Background()
    """Behind everything."""
    display: Display = Display()
    """The recording."""

    @property
    def draws_nothing(self) -> bool:
        """Whether an export of this scene is the recording itself."""
        return self == Scene()


def scene_names() -> list[str]:
    """Names of the scenes that are shipped."""
    return sorted(path.stem for path in (matrix_folder() / "scenes").glob("*.toml"))


def load_scene(name_or_file: str | Path) -> Scene:
    """Read a shipped scene by name, or a TOML file. Raises `SceneError` that points at the key."""
    shipped = matrix_folder() / "scenes" / f"{name_or_file}.toml"
    path = shipped if str(name_or_file) in scene_names() else Path(name_or_file)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SceneError(f"unknown scene {str(name_or_file)!r}; shipped are {', '.join(scene_names())}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(f"cannot read scene {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SceneError(f"{path}: not TOML: {error}") from error
    try:
        return Scene.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SceneError(f"{path}: {key}: {first['msg']}") from None
