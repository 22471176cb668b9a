"""Where the recording should lie at a time, from what was asked; and what a scene of ours asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from capbench.pipeline.scene import Scene
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.results.appearance.expected_layers import (
    ExpectedCamera,
    ExpectedCaption,
    ExpectedCursor,
    ExpectedMotionBlur,
    ExpectedZoom,
)
from capbench.results.appearance.expected_look import ExpectedBackground, ExpectedLook, ExpectedShadow

__all__ = ["USUAL_EASE_S", "asked_amount", "asked_look", "asked_placement", "placement_asked_of", "zoom_asked_at"]

USUAL_EASE_S: Final = 0.6
"""Of a zoom that does not say: what scene files have for theirs."""


def asked_look(scene: Scene) -> ExpectedLook:
    """What a scene asks for, in the terms in which effects are judged.

    Its masks and its border are not among them.
    """
    display, background, camera = scene.display, scene.background, scene.camera
    shadow = display.shadow
    # Of a picture and of a gradient whose ends are the same there is nothing to say about colours.
    is_gradient = background.gradient is not None and len(set(background.gradient)) > 1
    if background.image is not None:
        behind = ExpectedBackground(kind="picture")
    elif background.gradient is not None and is_gradient:
        behind = ExpectedBackground(kind="gradient", colours=background.gradient)
    else:
        behind = ExpectedBackground(kind="colour", colours=(background.gradient or (background.colour,))[:1])
    return ExpectedLook(
        padding=display.padding,
        crop=display.crop,
        rounding_px=display.rounding_px,
        shadow=shadow is not None
        and shadow.opacity > 0
        and ExpectedShadow(opacity=shadow.opacity, blur_px=shadow.blur_px, offset_px=shadow.offset_px),
        background=behind,
        zoom=tuple(
            ExpectedZoom(
                start_s=zoom.start_s,
                end_s=zoom.end_s,
                amount=zoom.amount,
                centre=zoom.centre,
                ease_in_s=zoom.ease_in_s,
                ease_out_s=zoom.ease_out_s,
            )
            for zoom in scene.zoom
        ),
        cursor=False
        if scene.cursor is None
        else ExpectedCursor(
            path=tuple(tuple(point) for point in scene.cursor.path),
            size_px=scene.cursor.size_px,
            clicks_s=scene.cursor.clicks_s,
        ),
        camera=False
        if camera is None
        else ExpectedCamera(
            position=camera.position,
            size=camera.size,
            aspect=camera.aspect,
            rounding_px=camera.rounding_px,
            source=None if camera.source is None else str(camera.source),
            mirror=camera.mirror,
        ),
        motion_blur=scene.motion_blur is not None
        and ExpectedMotionBlur(shutter_degrees=scene.motion_blur.shutter_degrees),
        caption=tuple(
            ExpectedCaption(
                start_s=caption.start_s, end_s=caption.end_s, position=caption.position, fade_s=caption.fade_s
            )
            for caption in scene.caption
        ),
    )


def asked_amount(zooms: Sequence[ExpectedZoom], time_s: float) -> float:
    """Magnification at an output time: amount ** smoothstep, eased in from the start and out to the end."""
    zoom = zoom_asked_at(zooms, time_s)
    if zoom is None:
        return 1.0
    ease_in_s, ease_out_s = eases_s(zoom)
    eased = min(
        (time_s - zoom.start_s) / ease_in_s if time_s - zoom.start_s < ease_in_s else 1.0,
        (zoom.end_s - time_s) / ease_out_s if zoom.end_s - time_s < ease_out_s else 1.0,
    )
    return float(zoom.amount ** (3 * eased**2 - 2 * eased**3))


def eases_s(zoom: ExpectedZoom) -> tuple[float, float]:
    """Durations of the motions in and out: those that were asked for, or usual ones that fit."""
    usual_s = min(USUAL_EASE_S, (zoom.end_s - zoom.start_s) / 3)
    return (
        usual_s if zoom.ease_in_s is None else zoom.ease_in_s,
        usual_s if zoom.ease_out_s is None else zoom.ease_out_s,
    )


def zoom_asked_at(zooms: Sequence[ExpectedZoom], time_s: float) -> ExpectedZoom | None:
    """The zoom that an output time lies in."""
    return next((zoom for zoom in zooms if zoom.start_s <= time_s < zoom.end_s), None)


def asked_placement(
    look: ExpectedLook, recording: tuple[int, int], canvas: tuple[int, int], time_s: float
) -> FramePlacement | None:
    """Where the whole recording should lie at an output time; None where the padding is left open.

    `recording` and `canvas` are widths and heights in pixels. The part that a crop leaves is as large as its aspect
    allows inside the padding, centred; a side less than two pixels short of the room fills it.
    """
    if not isinstance(look.padding, float):
        return None
    padding = look.padding * min(canvas)
    left, top, right, bottom = look.crop
    room = [side - 2 * padding for side in canvas]
    kept = [recording[0] * (1 - left - right), recording[1] * (1 - top - bottom)]
    scale = min(room[0] / kept[0], room[1] / kept[1])
    fitted = [
        side if abs(length * scale - side) < 2 else length * scale for length, side in zip(kept, room, strict=True)
    ]
    scales = [fitted[0] / kept[0], fitted[1] / kept[1]]
    zooms = look.zoom if isinstance(look.zoom, tuple) else ()
    amount, zoom = asked_amount(zooms, time_s), zoom_asked_at(zooms, time_s)
    stays = (0.5, 0.5) if zoom is None or zoom.centre is None else zoom.centre
    middles = []
    for axis, (before, after) in enumerate(((left, right), (top, bottom))):
        # Of the part that is kept, whose middle is the canvas's, at rest; then about the point that stays.
        fixed = canvas[axis] / 2 + (stays[axis] - 0.5) * fitted[axis]
        whole = canvas[axis] / 2 + (after - before) / 2 * recording[axis] * scales[axis]
        middles.append(fixed + (whole - fixed) * amount)
    return FramePlacement(
        recording_size=recording,
        scale=(scales[0] * amount, scales[1] * amount),
        rotation_degrees=0.0,
        centre=(middles[0], middles[1]),
        uncertainty_px=0.0,
        agreeing=1.0,
    )


def placement_asked_of(
    look: ExpectedLook, recording: tuple[int, int], canvas: tuple[int, int]
) -> Callable[[float], FramePlacement | None]:
    """The same as a function of the time alone."""
    return lambda time_s: asked_placement(look, recording, canvas, time_s)
