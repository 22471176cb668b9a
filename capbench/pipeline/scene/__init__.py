"""Scene files: what is drawn behind, around and over the recording. `docs/scenes.md` describes every key."""

from capbench.pipeline.scene.background import Background
from capbench.pipeline.scene.camera import Camera
from capbench.pipeline.scene.caption import Caption
from capbench.pipeline.scene.cursor import Cursor, CursorPoint
from capbench.pipeline.scene.display import Border, Display, Shadow
from capbench.pipeline.scene.load_scene import load_scene, scene_names
from capbench.pipeline.scene.mask import Mask
from capbench.pipeline.scene.model import MAX_CAPTIONS_AT_ONCE, MAX_MASKS_AT_ONCE, Scene
from capbench.pipeline.scene.zoom import ZoomSegment

__all__ = [
    "MAX_CAPTIONS_AT_ONCE",
    "MAX_MASKS_AT_ONCE",
    "Background",
    "Border",
    "Camera",
    "Caption",
    "Cursor",
    "CursorPoint",
    "Display",
    "Mask",
    "Scene",
    "Shadow",
    "ZoomSegment",
    "load_scene",
    "scene_names",
]
