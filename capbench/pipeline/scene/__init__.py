"""Scene files: what is drawn behind, around and over the recording. `docs/scenes.md` describes every key."""

from capbench.pipeline.scene.load_scene import load_scene, scene_names
from capbench.pipeline.scene.scene_schema import (
    MAX_CAPTIONS_AT_ONCE,
    MAX_MASKS_AT_ONCE,
    MAX_MOMENTS,
    Background,
    Border,
    Camera,
    Caption,
    Cursor,
    CursorPoint,
    Display,
    Mask,
    MotionBlur,
    Scene,
    Shadow,
    ZoomSegment,
)

__all__ = [
    "MAX_CAPTIONS_AT_ONCE",
    "MAX_MASKS_AT_ONCE",
    "MAX_MOMENTS",
    "Background",
    "Border",
    "Camera",
    "Caption",
    "Cursor",
    "CursorPoint",
    "Display",
    "Mask",
    "MotionBlur",
    "Scene",
    "Shadow",
    "ZoomSegment",
    "load_scene",
    "scene_names",
]
