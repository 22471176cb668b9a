"""Measures cursor, camera and motion blur of an output: they share the sampled frames."""

from __future__ import annotations

from collections.abc import Sequence

from capbench.quality.effects.effect_meter import EffectContext, PlacedFrame
from capbench.quality.effects.overlays.blur_finding import CursorMotion, MovingFrames, blur_finding
from capbench.quality.effects.overlays.camera_finding import (
    CameraSighting,
    camera_finding,
    look_for_camera,
    standing_area,
)
from capbench.quality.effects.overlays.cursor_finding import (
    asked_cursor,
    asked_telemetry,
    cursor_finding,
    track_cursor,
)
from capbench.quality.effects.overlays.overlay_areas import camera_area, cursor_cover
from capbench.quality.effects.overlays.working_frame import MeanPicture, SampledFrames, working_frame
from capbench.results.appearance.effect_finding import EffectFinding

__all__ = ["OverlayMeter"]

_CAPTION_HALF_HEIGHT = 0.08
"""Of the canvas, above and below the middle of a caption: two lines of text and their plate."""


class OverlayMeter:
    """Keeps a bounded number of frames, and a mean of them."""

    def __init__(self, context: EffectContext) -> None:
        self._context = context
        self._samples = SampledFrames(context.expected_frames)
        self._mean = MeanPicture(context.canvas)
        self._moving = MovingFrames(context.canvas)

    def add(self, frame: PlacedFrame) -> None:
        """The next frame."""
        self._moving.add(frame)
        if self._samples.wants(frame.index):
            self._samples.add(working_frame(frame, self._context.canvas))
            self._mean.add(frame.planes)

    def finish(self) -> Sequence[EffectFinding]:
        """Three findings."""
        context, frames = self._context, self._samples.frames
        camera = look_for_camera(self._mean.mean(), context) if frames else None
        placed = [frame for frame in frames if frame.is_placed]
        standing = None if isinstance(camera, CameraSighting) else standing_area(placed)

        def hides(x: float, y: float, time_s: float) -> bool:
            is_behind = isinstance(camera, CameraSighting) and camera.hides(x, y)
            return is_behind or self._is_under_caption(y / placed[0].shown.shape[0], time_s)

        track = track_cursor(placed, context, hides)
        telemetry = asked_telemetry(asked_cursor(context))
        motion = CursorMotion.of(track, placed, telemetry, 1 / float(context.frame_rate))
        of_cursor = None
        if motion is not None and (sharp := motion.resting_picture(self._moving)) is not None:
            of_cursor = motion.blur(sharp, self._moving)
            if context.look.motion_blur:
                track = motion.sized_as(sharp)
        of_camera_area = camera_area(camera, standing, frames, context)
        if of_camera_area is not None:
            context.coverings.areas.append(of_camera_area)
        finding = cursor_finding(track, placed, context)
        if finding.asked or finding.found:
            context.coverings.cursor = cursor_cover(track, placed, context)
        return [
            finding,
            camera_finding(camera, standing, frames, context),
            blur_finding(self._moving.estimate(), of_cursor, context),
        ]

    def _is_under_caption(self, down: float, time_s: float) -> bool:
        captions = self._context.look.caption
        if captions == "any":
            return False
        return any(
            caption.start_s <= time_s
            and (caption.end_s is None or time_s < caption.end_s)
            and (caption.position is None or abs(caption.position[1] - down) < _CAPTION_HALF_HEIGHT)
            for caption in captions
        )
