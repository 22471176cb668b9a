"""Scenes from a seed, all of whose parameters are known, and what is asked of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from capbench.pipeline.scene import Scene

__all__ = [
    "CAMERA_FRAMES",
    "CRFS",
    "LOOK_FRAMES",
    "SOURCE_SEEDS",
    "SeededLook",
    "asked_look",
    "coarseness",
    "scene_of",
    "seeded_look",
]

LOOK_FRAMES: Final = 24
"""Frames of a look: a zoom in and out and half a second of a cursor's way."""
CAMERA_FRAMES: Final = 48
"""Frames of a camera recording: longer than any look."""
CRFS: Final = (0, 18, 28, 36)
"""Qualities of H.264: lossless, good, common, coarse."""
SOURCE_SEEDS: Final = (1, 2, 3)
"""Of the screen recordings."""

_CANVASES: Final = (*((640, 360),) * 9, *((852, 480),) * 4, *((360, 640),) * 2, (1280, 720))
"""Small ones mostly: the oracle draws ten of their frames a second."""
_COLOURS: Final = ("#204080", "#c05070", "#f0e0c0", "#103018", "#9060d0", "#e0a040", "#30b0a0", "#181818")


@dataclass(frozen=True, slots=True)
class SeededLook:
    """A look. The scene is a table, as a scene file has it."""

    name: str
    """Names its files."""
    canvas: tuple[int, int]
    """Width and height of the output."""
    crf: int
    """Quality of its encoding."""
    source_seed: int
    """Of the recordings."""
    scene: dict[str, Any]  # scene files are tables of everything
    """The scene."""
    shutter: float
    """Part of a frame for which the shutter is open; 0 blurs nothing."""

    def with_scene(self, **changes: Any) -> SeededLook:  # as above
        """The look with some tables of its scene replaced, None leaving one out."""
        scene = {key: value for key, value in (self.scene | changes).items() if value is not None}
        return replace(self, scene=scene)


def seeded_look(seed: int, camera: Path, *, everything: bool = False) -> SeededLook:
    """The look of a seed: each effect is there more often than not, `everything` but blur always."""
    rng = np.random.default_rng([seed, 19])
    canvas = _CANVASES[int(rng.integers(len(_CANVASES)))]
    crf = CRFS[seed % len(CRFS)]

    def there(probability: float) -> bool:
        return bool(rng.random() < probability) or everything

    display: dict[str, Any] = {}
    is_framed = there(0.8)
    colours = [str(colour) for colour in rng.choice(_COLOURS, 2, replace=False)]
    background: dict[str, Any] = {"gradient": colours, "angle_degrees": float(rng.integers(0, 360))}
    if rng.random() < 0.4:
        background = {"colour": colours[0]}
    if is_framed:
        display["padding"] = round(float(rng.uniform(0.05, 0.14)), 3)
        if there(0.8):
            display["rounding_px"] = round(float(rng.uniform(14, 60)), 1)
        if there(0.6):
            display["shadow"] = {
                "opacity": round(float(rng.uniform(0.3, 0.75)), 2),
                "blur_px": round(float(rng.uniform(20, 50)), 1),
                "offset_px": [0.0, round(float(rng.uniform(4, 20)), 1)],
            }
    scene: dict[str, Any] = {"background": background, "display": display}
    is_blurred = bool(rng.random() < 0.15)
    if there(0.6) or is_blurred:
        ease_s = round(float(rng.uniform(0.14, 0.24)), 3)
        scene["zoom"] = [
            {
                "start_s": round(float(rng.uniform(0.06, 0.12)), 3),
                "end_s": round(float(rng.uniform(0.62, 0.74)), 3),
                "amount": round(float(rng.uniform(1.25, 2.2)), 2),
                "centre": [round(float(place), 3) for place in rng.uniform(0.2, 0.8, 2)],
                "ease_in_s": ease_s,
                "ease_out_s": ease_s,
            }
        ]
    if there(0.7):
        scene["cursor"] = _cursor(rng)
    if there(0.6):
        scene["camera"] = _camera(rng, camera)
    if there(0.35):
        scene["caption"] = [
            {
                "text": ["One line of text", "Here it is", "Look at this"][int(rng.integers(3))],
                "start_s": 0.2,
                "end_s": 0.6,
                "position": [0.5, 0.88],
                "size_px": 60,
            }
        ]
    shutter = round(float(rng.uniform(0.35, 1.0)), 2) if is_blurred and not everything else 0.0
    return SeededLook(f"look-{seed:04}", canvas, crf, SOURCE_SEEDS[seed % len(SOURCE_SEEDS)], scene, shutter)


def coarseness(seed: int) -> int:
    """A quality of H.264 from a seed, CRF 18 to 38, each as often."""
    return int(np.random.default_rng([seed, 38]).integers(18, 39))


def _cursor(rng: np.random.Generator) -> dict[str, Any]:
    """A way with turns; it rests at its ends."""
    times_s = [0.1, 0.3, 0.5, 0.7]
    return {
        "path": [[at, *(round(float(place), 3) for place in rng.uniform(0.3, 0.7, 2))] for at in times_s],
        "size_px": round(float(rng.uniform(36, 72)), 1),
    }


def _camera(rng: np.random.Generator, camera: Path) -> dict[str, Any]:
    size = round(float(rng.uniform(0.2, 0.36)), 3)
    shape = str(rng.choice(["circle", "rounded", "square"]))
    # The size is a fraction of the shorter side, the radius counts pixels of 1080 lines: for a landscape canvas both
    # refer to its height, and what is more than half the size is a circle anyway.
    radius = {"circle": 2000.0, "rounded": float(rng.uniform(0.15, 0.6)) * size * 540, "square": 0.0}[shape]
    return {
        "source": str(camera),
        "position": str(rng.choice(["top-left", "top-right", "bottom-left", "bottom-right"])),
        "margin_px": round(float(rng.uniform(20, 50)), 1),
        "size": size,
        "aspect": 1.0 if shape == "circle" else float(rng.choice([1.0, 1.25])),
        "rounding_px": round(radius, 1),
        "mirror": bool(rng.random() < 0.3),
    }


def asked_look(look: SeededLook) -> dict[str, Any]:
    """The table `expect` that asks for what the scene has, written from its table alone."""
    scene, display = look.scene, look.scene.get("display", {})
    asked: dict[str, Any] = {
        "padding": display.get("padding", 0.0),
        "rounding_px": display.get("rounding_px", 0.0),
        "shadow": display.get("shadow", False),
        "zoom": scene.get("zoom", []),
        "cursor": scene.get("cursor", False),
        "camera": False,
        "motion_blur": {"shutter_degrees": 360 * look.shutter} if look.shutter else False,
        "caption": [
            {key: caption[key] for key in ("start_s", "end_s", "position")} for caption in scene.get("caption", [])
        ],
    }
    if "padding" in display:
        gradient = scene["background"].get("gradient")
        asked["background"] = (
            {"kind": "gradient", "colours": gradient}
            if gradient
            else {"kind": "colour", "colours": [scene["background"]["colour"]]}
        )
    if "camera" in scene:
        camera = scene["camera"]
        asked["camera"] = {
            "source": camera["source"],
            "position": camera["position"],
            "size": camera["size"],
            "aspect": camera["aspect"],
            "rounding_px": min(camera["rounding_px"], camera["size"] * min(look.canvas) / look.canvas[1] * 540),
            "mirror": camera["mirror"],
        }
    return asked


def scene_of(look: SeededLook) -> Scene:
    """The scene as the pipeline has it."""
    return Scene.model_validate(look.scene)
