"""Faults of effects: what is asked stays, what is drawn differs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from capbench.pipeline.scene import Scene
from tests.effects.seeded_looks import SeededLook, scene_of, seeded_look
from tests.effects.sources import FPS

__all__ = ["FAULTS", "PlantedFault", "PlantedLook", "planted"]

_FRAME_S: Final = 1 / FPS


@dataclass(frozen=True, slots=True)
class PlantedLook:
    """A look with a fault."""

    asked: SeededLook
    """What is asked."""
    drawn: SeededLook
    """What is drawn."""
    scene_at: Callable[[int], Scene] | None = None
    """The scene of each frame, where that differs from frame to frame."""


@dataclass(frozen=True, slots=True)
class PlantedFault:
    """One kind of fault."""

    name: str
    """In few words."""
    effects: tuple[str, ...]
    """Checks that may flag it: the first one should."""
    plant: Callable[[SeededLook, Path], PlantedLook]
    """From a right look, and the folder with camera recordings that are frozen or late."""


def planted(fault: PlantedFault, seed: int, cameras: Path) -> PlantedLook:
    """A fault in the look of a seed, in which every effect is asked but blur."""
    look = seeded_look(seed, cameras / "camera.mp4", everything=True)
    # A portrait canvas and a coarse encoding are for the study of right ones.
    landscape = look if look.canvas[0] > look.canvas[1] else replace(look, canvas=(640, 360))
    named = replace(landscape, name=f"fault-{fault.name.replace(' ', '-')}-{seed}", crf=(18, 28)[seed % 2])
    return fault.plant(named, cameras)


def _zoom(look: SeededLook, **changes: Any) -> SeededLook:  # keys of a scene's table, as in the others below
    return look.with_scene(zoom=[look.scene["zoom"][0] | changes])


def _late_zoom(look: SeededLook, frames: int) -> SeededLook:
    zoom = look.scene["zoom"][0]
    late_s = frames * _FRAME_S
    return _zoom(look, start_s=max(0.0, zoom["start_s"] + late_s), end_s=zoom["end_s"] + late_s)


def _display(look: SeededLook, **changes: Any) -> SeededLook:
    table = look.scene["display"] | changes
    return look.with_scene(display={key: value for key, value in table.items() if value is not None})


def _cursor(look: SeededLook, **changes: Any) -> SeededLook:
    return look.with_scene(cursor=look.scene["cursor"] | changes)


def _camera(look: SeededLook, **changes: Any) -> SeededLook:
    return look.with_scene(camera=look.scene["camera"] | changes)


def _late_path(look: SeededLook, frames: int) -> list[list[float]]:
    return [[at + frames * _FRAME_S, x, y] for at, x, y in look.scene["cursor"]["path"]]


def _simple(change: Callable[[SeededLook], SeededLook]) -> Callable[[SeededLook, Path], PlantedLook]:
    return lambda look, _: PlantedLook(look, change(look))


def _not_asked(*tables: str) -> Callable[[SeededLook, Path], PlantedLook]:
    """What is drawn stays, and is no longer asked."""
    return lambda look, _: PlantedLook(look.with_scene(**dict.fromkeys(tables)), look)


def _without_display(key: str) -> Callable[[SeededLook, Path], PlantedLook]:
    return lambda look, _: PlantedLook(_display(look, **{key: None}), look)


def _half_way_without(table: str) -> Callable[[SeededLook, Path], PlantedLook]:
    def plant(look: SeededLook, _: Path) -> PlantedLook:
        whole, less = scene_of(look), scene_of(look.with_scene(**{table: None}))
        return PlantedLook(look, look, lambda index: whole if index < 12 else less)

    return plant


def _overshoot(look: SeededLook, _: Path) -> PlantedLook:
    """A spring that swings a quarter beyond the amount and settles."""
    asked = look.with_scene(camera=None)
    zoom = asked.scene["zoom"][0]

    def scene_at(index: int) -> Scene:
        since = index * _FRAME_S - zoom["start_s"]
        share = 0.0
        if since >= 0 and index * _FRAME_S < zoom["end_s"]:
            swing = math.exp(-since / 0.14) * math.cos(2 * math.pi * since / 0.36)
            share = 1 - swing
        amount = zoom["amount"] ** share
        changed = {"start_s": 0.0, "end_s": 100.0, "ease_in_s": 0.0, "ease_out_s": 0.0, "amount": max(1.0, amount)}
        return scene_of(_zoom(asked, **changed))

    return PlantedLook(asked, asked, scene_at)


def _blurred(look: SeededLook, asked: float, drawn: float) -> PlantedLook:
    plain = look.with_scene(caption=None)
    return PlantedLook(replace(plain, shutter=asked), replace(plain, shutter=drawn))


def _changed(look: SeededLook, table: str, key: str, change: Callable[[Any], Any]) -> SeededLook:
    """The look with one value of one table of its scene changed."""
    value = look.scene[table]
    if isinstance(value, list):
        return look.with_scene(**{table: [value[0] | {key: change(value[0][key])}]})
    return look.with_scene(**{table: value | {key: change(value[key])}})


def _change(table: str, key: str, change: Callable[[Any], Any]) -> Callable[[SeededLook, Path], PlantedLook]:
    return _simple(lambda look: _changed(look, table, key, change))


def _without(table: str) -> Callable[[SeededLook, Path], PlantedLook]:
    return _simple(lambda look: look.with_scene(**{table: None}))


def _dark(shadow: dict[str, Any]) -> dict[str, Any]:
    return shadow | {"opacity": min(1.0, 2 * shadow["opacity"])}


def _aside(path: list[list[float]]) -> list[list[float]]:
    return [[at, x + 0.05, y + 0.03] for at, x, y in path]


def _elsewhere(centre: list[float]) -> list[float]:
    return [at + 0.25 if at < 0.5 else at - 0.25 for at in centre]


def _other_corner(corner: str) -> str:
    return "top-left" if corner != "top-left" else "bottom-right"


def _other_camera(file: str) -> Callable[[SeededLook, Path], PlantedLook]:
    return lambda look, cameras: PlantedLook(look, _camera(look, source=str(cameras / file)))


def _late_caption(look: SeededLook) -> SeededLook:
    late_s = 4 * _FRAME_S
    return look.with_scene(caption=[look.scene["caption"][0] | {"start_s": 0.2 + late_s, "end_s": 0.6 + late_s}])


FAULTS: Final = (
    PlantedFault("zoom late by 3 frames", ("zoom",), _simple(lambda look: _late_zoom(look, 3))),
    PlantedFault("zoom early by 2 frames", ("zoom",), _simple(lambda look: _late_zoom(look, -2))),
    PlantedFault("zoom too weak", ("zoom",), _change("zoom", "amount", lambda amount: 1 + (amount - 1) / 2)),
    PlantedFault("zoom too strong", ("zoom",), _change("zoom", "amount", lambda amount: 1.3 * amount)),
    PlantedFault("zoom without easing", ("zoom",), _simple(lambda look: _zoom(look, ease_in_s=0.0, ease_out_s=0.0))),
    PlantedFault("zoom overshoots", ("zoom",), _overshoot),
    PlantedFault("zoom about another place", ("zoom",), _change("zoom", "centre", _elsewhere)),
    PlantedFault("zoom missing", ("zoom",), _without("zoom")),
    PlantedFault("zoom not asked", ("zoom",), _not_asked("zoom")),
    PlantedFault("radius halved", ("corner_radius",), _change("display", "rounding_px", lambda radius: radius / 2)),
    PlantedFault("corners square", ("corner_radius",), _simple(lambda look: _display(look, rounding_px=0.0))),
    PlantedFault("corners round, not asked", ("corner_radius",), _without_display("rounding_px")),
    PlantedFault("shadow missing", ("shadow",), _simple(lambda look: _display(look, shadow=None))),
    PlantedFault("shadow too dark", ("shadow",), _change("display", "shadow", _dark)),
    PlantedFault("shadow not asked", ("shadow",), _without_display("shadow")),
    PlantedFault(
        "background missing", ("background",), _simple(lambda look: look.with_scene(background={"colour": "#000000"}))
    ),
    PlantedFault(
        "background of another colour",
        ("background",),
        _simple(lambda look: look.with_scene(background={"colour": "#60a020"})),
    ),
    PlantedFault("padding halved", ("padding",), _change("display", "padding", lambda padding: padding / 2)),
    PlantedFault("padding missing", ("padding", "background"), _simple(lambda look: _display(look, padding=0.0))),
    PlantedFault("cursor missing", ("cursor",), _without("cursor")),
    PlantedFault("cursor lost half way", ("cursor",), _half_way_without("cursor")),
    PlantedFault("cursor late by 3 frames", ("cursor",), _simple(lambda look: _cursor(look, path=_late_path(look, 3)))),
    PlantedFault("cursor aside by its size", ("cursor",), _change("cursor", "path", _aside)),
    PlantedFault("cursor too large", ("cursor",), _change("cursor", "size_px", lambda size: 1.7 * size)),
    PlantedFault("cursor not asked", ("cursor",), _not_asked("cursor")),
    PlantedFault("camera missing", ("camera",), _without("camera")),
    PlantedFault("camera frozen", ("camera",), _other_camera("frozen.mp4")),
    PlantedFault("camera late by 3 frames", ("camera",), _other_camera("late.mp4")),
    PlantedFault("camera in the wrong corner", ("camera",), _change("camera", "position", _other_corner)),
    PlantedFault("camera too small", ("camera",), _change("camera", "size", lambda size: 0.7 * size)),
    PlantedFault(
        "camera of another shape", ("camera",), _change("camera", "rounding_px", lambda r: 0.0 if r > 60 else 2000.0)
    ),
    PlantedFault("camera mirrored", ("camera",), _change("camera", "mirror", lambda mirrored: not mirrored)),
    PlantedFault("camera gone half way", ("camera",), _half_way_without("camera")),
    PlantedFault("camera not asked", ("camera",), _not_asked("camera")),
    PlantedFault("caption missing", ("captions",), _without("caption")),
    PlantedFault("caption late by 4 frames", ("captions",), _simple(_late_caption)),
    PlantedFault("caption not asked", ("captions",), _not_asked("caption")),
    PlantedFault("blur missing", ("motion_blur",), lambda look, _: _blurred(look, 0.5, 0.0)),
    PlantedFault("blur too long", ("motion_blur",), lambda look, _: _blurred(look, 0.4, 1.0)),
    PlantedFault("blur not asked", ("motion_blur",), lambda look, _: _blurred(look, 0.0, 0.6)),
)
"""All kinds."""
