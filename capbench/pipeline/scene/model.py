"""A whole scene."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

from pydantic import model_validator

from capbench.pipeline.scene.background import Background
from capbench.pipeline.scene.camera import Camera
from capbench.pipeline.scene.caption import Caption
from capbench.pipeline.scene.cursor import Cursor
from capbench.pipeline.scene.display import Display
from capbench.pipeline.scene.mask import Mask
from capbench.pipeline.scene.scene_values import SceneModel, TimeSpan
from capbench.pipeline.scene.zoom import ZoomSegment

__all__ = ["MAX_CAPTIONS_AT_ONCE", "MAX_MASKS_AT_ONCE", "Scene"]

MAX_MASKS_AT_ONCE = 8
"""`masks` of shaders/layers.wgsl."""
MAX_CAPTIONS_AT_ONCE = 4
"""`captions` of shaders/layers.wgsl."""


class Scene(SceneModel):
    """A whole scene, bottom to top. Times are seconds of output time since the first frame."""

    background: Background = Background()
    """Behind everything."""
    display: Display = Display()
    """The recording."""
    zoom: tuple[ZoomSegment, ...] = ()
    """When the recording is magnified; segments must not overlap."""
    mask: tuple[Mask, ...] = ()
    """Hidden and highlighted parts of the recording."""
    cursor: Cursor | None = None
    """Mouse cursor."""
    camera: Camera | None = None
    """Camera picture."""
    caption: tuple[Caption, ...] = ()
    """Texts."""

    @model_validator(mode="after")
    def _layers_fit_the_shaders(self) -> Self:
        segments = sorted(self.zoom, key=lambda segment: segment.start_s)
        for before, after in pairwise(segments):
            if after.start_s < before.end_s:
                raise ValueError(
                    f"zoom segments overlap: one ends at {before.end_s:g} s, another starts at {after.start_s:g} s"
                )
        for name, spans, limit in (
            ("mask", self.mask, MAX_MASKS_AT_ONCE),
            ("caption", self.caption, MAX_CAPTIONS_AT_ONCE),
        ):
            if (most := _most_at_once(spans)) > limit:
                raise ValueError(f"{name}: {most} at the same time, {limit} is the most; shift their time spans")
        return self

    @property
    def draws_nothing(self) -> bool:
        """Whether an export of this scene is the recording itself."""
        return self == Scene()


def _most_at_once(spans: Sequence[TimeSpan]) -> int:
    """Largest number of spans that hold at one time; it is reached where one of them starts."""
    return max(
        (
            sum(
                other.start_s <= span.start_s and (other.end_s is None or span.start_s < other.end_s) for other in spans
            )
            for span in spans
        ),
        default=0,
    )
