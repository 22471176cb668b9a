"""Motion blur against the float64 oracle on every path that draws, where it begins and ends, and that it wipes up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.pipeline.compositor.layers.cursor import cursor_texels
from capbench.pipeline.conversion.shader import FusedPath, GpuPath
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.scene import Scene
from capbench.quality.oracle.overlay_layers import draw_cursor, draw_masks
from capbench.quality.oracle.shutter import distinct_placements
from tests.gpu.scene_stage import (
    CANVAS,
    FRAME_S,
    Stage,
    exposure_of,
    oracle_picture,
    placement_of,
    recording_at,
    synthetic_frame,
)
from tests.gpu.test_layers_oracle import COLOURFUL_TOLERANCE_CODES, check

Field = NDArray[np.float64]

ZOOM = {"start_s": 1.0, "end_s": 4.0, "amount": 3.0, "centre": (0.3, 0.6), "ease_in_s": 0.4, "ease_out_s": 0.4}
FRAMED: dict[str, Any] = {
    "background": {"gradient": ("#204080", "#e0a060"), "angle_degrees": 120},
    "display": {
        "padding": 0.12,
        "rounding_px": 120,
        "shadow": {"opacity": 0.7, "blur_px": 90, "offset_px": (30, 60)},
        "border": {"width_px": 25, "colour": "#ffcc00", "opacity": 0.6},
    },
}
CURSOR = {"path": [(0, 0.1, 0.2), (0.4, 0.95, 0.9), (1.0, 0.3, 0.5), (1.4, 0.6, 0.4)], "size_px": 240}
MASKS = [
    {"kind": "pixelate", "rectangle": (0.2, 0.25, 0.35, 0.5), "strength_px": 70},
    {"kind": "highlight", "rectangle": (0.3, 0.3, 0.4, 0.3), "darkness": 0.7, "rounding_px": 60},
    {"kind": "highlight", "rectangle": (0.5, 0.5, 0.4, 0.3), "darkness": 0.5},
]
BLURS: list[dict[str, Any]] = [{}, {"shutter_degrees": 360, "samples": 32}, {"shutter_degrees": 90, "samples": 2}]
MOVING_S = (0.995, 1.1, 1.2, 1.39, 2.0, 3.8)
"""The shutter is open as the zoom begins; three times in motion; magnified, where nothing moves; on the way back."""
CURSOR_TOLERANCE_CODES = 2.5
"""A software adapter's interpolated texels of the cursor are whole codes as well; a mean keeps half a code of that."""


def _expected(scene: Scene, stage: Stage, time_s: float) -> Field:
    """The whole picture by the oracle."""
    frame = stage.frame
    moments = exposure_of(scene, frame, time_s)
    resting = placement_of(scene, frame, None)
    want = oracle_picture(scene, frame, time_s)
    want = draw_masks(
        want,
        scene,
        lambda x, y: recording_at(scene, frame, resting, x, y),
        (resting, *distinct_placements(moments)),
        time_s,
    )
    if scene.cursor is not None:
        most = max((segment.amount for segment in scene.zoom), default=1.0)
        height_px = int(np.ceil(scene.cursor.size_px * CANVAS.unit_px * most))
        want = draw_cursor(want, scene, cursor_texels(scene.cursor, height_px) / 255, moments, time_s)
    return want


@pytest.mark.parametrize("blur", BLURS, ids=["default", "long and fine", "short and coarse"])
@pytest.mark.parametrize(
    "values", [{}, FRAMED, {"display": {"crop": (0.125, 0.25, 0.25, 0.0)}}], ids=["bare", "framed", "crop"]
)
def test_a_zoom_is_the_mean_of_its_moments(gpu: GpuContext, values: dict[str, Any], blur: dict[str, Any]) -> None:
    scene = Scene.model_validate(values | {"zoom": [ZOOM], "motion_blur": blur})
    frame = synthetic_frame(is_colourful=True)
    stage = Stage(gpu, scene, frame)

    for time_s in MOVING_S:
        check(stage, _expected(scene, stage, time_s), time_s, COLOURFUL_TOLERANCE_CODES)


@pytest.mark.parametrize("zoom", [(), (ZOOM,)], ids=["still", "zoom"])
@pytest.mark.parametrize("clicks_s", [(), (1.0, 1.15)], ids=["arrow", "clicks"])
def test_a_cursor_is_the_mean_of_its_places(
    gpu: GpuContext, zoom: tuple[Any, ...], clicks_s: tuple[float, ...]
) -> None:
    cursor = CURSOR | {"clicks_s": clicks_s, "click_colour": "#ffee00"}
    scene = Scene.model_validate(FRAMED | {"cursor": cursor, "zoom": zoom, "motion_blur": {}})
    stage = Stage(gpu, scene, synthetic_frame())

    for time_s in (0.2, 0.4, 1.1, 1.25, 2.0):
        check(stage, _expected(scene, stage, time_s), time_s, CURSOR_TOLERANCE_CODES)


def test_masks_move_with_the_recording_and_hide_all_that_they_hide(gpu: GpuContext) -> None:
    scene = Scene.model_validate(FRAMED | {"mask": MASKS, "zoom": [ZOOM], "motion_blur": {}})
    stage = Stage(gpu, scene, synthetic_frame())

    for time_s in (0.0, 1.1, 1.3, 2.0):
        check(stage, _expected(scene, stage, time_s), time_s)


def _differences(gpu: GpuContext, blur: dict[str, Any]) -> Field:
    """Largest difference of each pixel between two recordings that differ only in what a mask hides."""
    mask = {"kind": "blur", "rectangle": (0.2, 0.2, 0.4, 0.4), "strength_px": 200}
    scene = Scene.model_validate({"mask": [mask], "zoom": [ZOOM]} | blur)
    pictures = []
    for shift in (0, 1):
        frame = synthetic_frame()
        luma = plane_samples(frame.planes[0])
        # Stripes of a pixel: the mask's blur is the same for both, and each is black where the other is white.
        stripes = np.where((np.arange(CANVAS.width) + shift) % 2, 235, 16)
        rows, columns = (slice(round(0.2 * side), round(0.6 * side)) for side in (CANVAS.height, CANVAS.width))
        luma[rows, columns] = stripes[columns]
        pictures.append(Stage(gpu, scene, frame).rgb(1.2).astype(np.float64))
    largest: Field = np.abs(pictures[0] - pictures[1]).max(axis=-1)
    return largest


def test_a_mask_in_motion_lets_no_more_through_than_a_sharp_one(gpu: GpuContext) -> None:
    """The half pixel along its edge that its coverage leaves to the recording is all that shows."""
    sharp, blurred = (_differences(gpu, blur) for blur in ({}, {"motion_blur": {"shutter_degrees": 360}}))

    assert np.mean(sharp > 16) > 0.01
    assert np.mean(blurred > 16) <= np.mean(sharp > 16)
    assert np.mean(blurred > 32) <= np.mean(sharp > 32) / 4


@pytest.mark.parametrize(
    ("blur", "still"),
    [({"zoom": False}, "zoom"), ({"cursor": False}, "cursor")],
)
def test_either_motion_can_be_left_sharp(gpu: GpuContext, blur: dict[str, Any], still: str) -> None:
    scene = Scene.model_validate(FRAMED | {"cursor": CURSOR, "zoom": [ZOOM], "motion_blur": blur})
    stage = Stage(gpu, scene, synthetic_frame())
    moments = exposure_of(scene, stage.frame, 1.2)

    assert (len(distinct_placements(moments)) == 1) is (still == "zoom")
    assert (len({moment.cursor for moment in moments}) == 1) is (still == "cursor")
    check(stage, _expected(scene, stage, 1.2), 1.2, CURSOR_TOLERANCE_CODES)


def test_without_motion_the_picture_is_the_one_without_blur(gpu: GpuContext) -> None:
    """Bit by bit, and where something moves it is another."""
    values = FRAMED | {"cursor": CURSOR | {"clicks_s": (3.0,)}, "mask": MASKS, "zoom": [ZOOM]}
    frame = synthetic_frame(is_colourful=True)
    plain = Stage(gpu, Scene.model_validate(values), frame)
    blurred = Stage(gpu, Scene.model_validate(values | {"motion_blur": {}}), frame)

    for time_s in (1.7, 2.5, 3.2, 9.0):
        np.testing.assert_array_equal(plain.rgb(time_s), blurred.rgb(time_s))
    assert (plain.rgb(1.2) != blurred.rgb(1.2)).mean() > 0.3


def test_drawn_piece_by_piece_is_drawn_at_once(gpu: GpuContext) -> None:
    """What one frame smeared is wiped by the next."""
    scene = Scene.model_validate(
        FRAMED | {"cursor": CURSOR | {"clicks_s": (0.9,)}, "mask": MASKS, "zoom": [ZOOM], "motion_blur": {}}
    )
    frame = synthetic_frame()
    stage = Stage(gpu, scene, frame)
    times_s = [0.3, 0.3 + FRAME_S, 0.95, 0.995, 1.05, 1.2, 1.38, 1.41, 1.5, 3.7, 3.99, 4.02, 5.0]
    pieces = [stage.rgb(time_s) for time_s in times_s]

    for time_s, piece in zip(times_s, pieces, strict=True):
        np.testing.assert_array_equal(piece, Stage(gpu, scene, frame).rgb(time_s))


def test_a_recording_that_fills_the_canvas_is_wiped_too(gpu: GpuContext) -> None:
    """There the surround is not drawn anew while a zoom moves."""
    scene = Scene.model_validate({"cursor": CURSOR, "mask": MASKS, "zoom": [ZOOM], "motion_blur": {}})
    frame = synthetic_frame()
    stage = Stage(gpu, scene, frame)
    times_s = [0.3, 1.0, 1.05, 1.2, 1.5]
    pieces = [stage.rgb(time_s) for time_s in times_s]

    for time_s, piece in zip(times_s, pieces, strict=True):
        np.testing.assert_array_equal(piece, Stage(gpu, scene, frame).rgb(time_s))


def test_the_fused_path_blurs_as_the_texture_does(gpu: GpuContext) -> None:
    scene = Scene.model_validate(FRAMED | {"cursor": CURSOR, "zoom": [ZOOM], "motion_blur": {}})
    frame = synthetic_frame(is_colourful=True)
    fused, textured = Stage(gpu, scene, frame), Stage(gpu, scene, frame)

    for time_s in (0.2, 1.1, 1.3):
        error = fused.nv12(time_s, FusedPath).astype(np.int16) - textured.nv12(time_s, GpuPath)
        assert np.abs(error).max() <= 1
        assert np.mean(error != 0) < 0.001


@pytest.mark.parametrize(
    "wrong", [{"shutter_degrees": 200}, {"samples": 7}, {"cursor": False}], ids=["angle", "samples", "cursor"]
)
def test_a_wrong_oracle_is_noticed(gpu: GpuContext, wrong: dict[str, Any]) -> None:
    values = FRAMED | {"cursor": CURSOR, "zoom": [ZOOM]}
    stage = Stage(gpu, Scene.model_validate(values | {"motion_blur": {}}), synthetic_frame())
    other = Scene.model_validate(values | {"motion_blur": wrong})

    with pytest.raises(AssertionError):
        check(stage, _expected(other, stage, 1.2), 1.2)


def test_means_are_of_gamma_encoded_codes(gpu: GpuContext) -> None:
    """In the space of all blending: half black, half white is code 128, not 188."""
    jump = {"start_s": 1.0, "end_s": 4.0, "amount": 10.0, "centre": (0.0, 0.5), "ease_in_s": 0.0, "ease_out_s": 0.4}
    scene = Scene.model_validate({"zoom": [jump], "motion_blur": {"samples": 2, "shutter_degrees": 360}})
    frame = synthetic_frame()
    for number, plane in enumerate(frame.planes):
        plane_samples(plane)[:] = 128 if number else 16
    plane_samples(frame.planes[0])[:, : CANVAS.width // 5] = 235

    # One moment shows black in the middle, the other, magnified, white.
    middle = Stage(gpu, scene, frame).rgb(1.0)[CANVAS.height // 2, CANVAS.width // 2]

    assert np.abs(middle.astype(int) - 128).max() <= 1
