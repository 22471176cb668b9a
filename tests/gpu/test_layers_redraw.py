"""Layers are drawn when they change and only then, and what is drawn piece by piece is the whole picture."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from capbench.pipeline.conversion.shader import FusedPath, GpuPath
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.scene import Scene, load_scene
from tests.gpu.scene_stage import CANVAS, Stage, synthetic_frame

PIXELS = CANVAS.width * CANVAS.height
FRAME_S = 1 / 30


@pytest.fixture
def calls(gpu: GpuContext, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts what is created on the device, and what passes are told to run."""
    counted: Counter[str] = Counter()

    def count(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def counting(*arguments: Any, **keywords: Any) -> Any:
            counted[name] += 1
            return original(*arguments, **keywords)

        monkeypatch.setattr(owner, name, counting)

    device = type(gpu.device)
    for name in dir(device):
        if name.startswith("create_") and not name.endswith("_async"):
            count(device, name)
    compute_pass = gpu.device.create_command_encoder().begin_compute_pass()
    count(type(compute_pass), "dispatch_workgroups")
    compute_pass.end()
    return counted


def _frames(stage: Stage, times_s: list[float]) -> None:
    for time_s in times_s:
        stage.nv12(time_s, FusedPath)


def test_the_backdrop_is_drawn_once_and_while_a_zoom_moves(gpu: GpuContext) -> None:
    zoom = [{"start_s": 1, "end_s": 3, "amount": 2, "ease_in_s": 0.5, "ease_out_s": 0.5}]
    stage = Stage(gpu, Scene.model_validate({"display": {"padding": 0.1}, "zoom": zoom}), synthetic_frame())
    backdrop = stage.compositor.backdrop
    assert backdrop is not None
    draws = []
    for times_s in ([0.0, 0.5, 1.0], [1.1, 1.2, 1.4], [1.5], [1.6, 2.0, 2.5], [2.6, 2.9], [3.0], [3.5, 9.0]):
        before = backdrop.draws
        _frames(stage, times_s)
        draws.append(backdrop.draws - before)

    # At rest once; three steps of the motion; arrived; nothing; two steps back; at rest again; nothing.
    assert draws == [1, 3, 1, 0, 2, 1, 0]


def test_a_recording_that_fills_the_canvas_has_no_backdrop(gpu: GpuContext) -> None:
    """Not even while it is magnified: that covers all the more."""
    zoom = [{"start_s": 1, "end_s": 3}]
    compositor = Stage(gpu, Scene.model_validate({"zoom": zoom}), synthetic_frame()).compositor

    assert compositor.backdrop is None


@pytest.mark.parametrize(
    ("layer", "changes"),
    [
        ({"cursor": {"path": [(0, 0.5, 0.5), (1, 0.6, 0.5)]}}, [True, True, False]),
        ({"camera": {}}, [True, False, False]),
        ({"caption": [{"text": "hello", "end_s": 0.9}]}, [True, False, True]),
        ({"mask": [{"kind": "highlight", "rectangle": (0, 0, 0.5, 0.5), "end_s": 0.9}]}, [True, False, True]),
        ({"mask": [{"kind": "pixelate", "rectangle": (0, 0, 0.1, 0.1)}]}, [True, True, True]),
    ],
    ids=["cursor moves then rests", "camera image", "caption ends", "highlight ends", "recording changes"],
)
def test_a_layer_is_drawn_when_it_changes(gpu: GpuContext, layer: dict[str, Any], changes: list[bool]) -> None:
    stage = Stage(gpu, Scene.model_validate(layer), synthetic_frame())
    overlay = stage.compositor.overlay
    assert overlay is not None
    drawn = []
    for times_s in ([0.0], [0.3, 0.6], [1.0, 1.5] if changes[2] else [5.0, 6.0]):
        if times_s == [5.0, 6.0]:
            _frames(stage, [4.0])
        before = overlay.drawn_pixels
        _frames(stage, times_s)
        drawn.append(overlay.drawn_pixels > before)
        if layer.get("cursor") or layer.get("camera"):
            # A small thing never costs a whole canvas.
            assert overlay.drawn_pixels - before < len(times_s) * PIXELS / 2

    assert drawn == changes


@pytest.mark.parametrize("name", ["bare", "studio", "everything"])
def test_a_frame_creates_nothing_on_the_gpu(gpu: GpuContext, calls: Counter[str], name: str) -> None:
    stage = Stage(gpu, load_scene(name), synthetic_frame())
    _frames(stage, [0.0])
    encoder = gpu.device.create_command_encoder()
    calls.clear()
    for number in range(200):
        stage.compositor.prepare(encoder, number * FRAME_S)
        stage.path(FusedPath)
    encoder.finish()

    assert [kind for kind in calls if kind.startswith("create_")] == []


@pytest.mark.parametrize(
    ("scene", "dispatches"),
    [
        (Scene(), 1),
        (Scene.model_validate({"display": {"padding": 0.1}, "camera": {}, "caption": [{"text": "still"}]}), 1),
        (Scene.model_validate({"cursor": {"path": [(0, 0.2, 0.2), (60, 0.8, 0.8)]}}), 2),
    ],
    ids=["bare", "still layers", "a cursor on the move"],
)
def test_the_fused_path_is_one_dispatch_and_one_for_what_moved(
    gpu: GpuContext, calls: Counter[str], scene: Scene, dispatches: int
) -> None:
    stage = Stage(gpu, scene, synthetic_frame())
    _frames(stage, [0.0])
    calls.clear()
    _frames(stage, [1.0, 2.0, 3.0])

    assert calls["dispatch_workgroups"] == 3 * dispatches
    assert stage.compositor._picture is None, "the fused path needs no RGBA texture"


TIMES_S = [0.0, 0.1, 0.42, 0.55, 1.9, 2.1, 2.35, 3.0, 3.7, 3.99, 4.1, 4.3, 4.5, 5.1, 8.0]


def test_everything_drawn_piece_by_piece_is_everything_drawn_at_once(gpu: GpuContext) -> None:
    scene, frame = load_scene("everything"), synthetic_frame(is_colourful=True)
    stage = Stage(gpu, scene, frame)
    pieces = [stage.rgb(time_s) for time_s in TIMES_S]

    for time_s, piece in list(zip(TIMES_S, pieces, strict=True))[2::3]:
        np.testing.assert_array_equal(piece, Stage(gpu, scene, frame).rgb(time_s))


@pytest.mark.parametrize("name", ["bare", "studio", "everything"])
def test_the_fused_path_draws_every_layer_as_the_texture_does(gpu: GpuContext, name: str) -> None:
    scene, frame = load_scene(name), synthetic_frame(is_colourful=True)
    fused, textured = Stage(gpu, scene, frame), Stage(gpu, scene, frame)

    for time_s in TIMES_S[::2]:
        error = fused.nv12(time_s, FusedPath).astype(np.int16) - textured.nv12(time_s, GpuPath)
        # Both see the same 8-bit R'G'B'. A compiler may add the products of the matrix in another order, and a sum that
        # lies within an ulp of half a code then rounds the other way.
        assert np.abs(error).max() <= 1
        assert np.mean(error != 0) < 0.001
