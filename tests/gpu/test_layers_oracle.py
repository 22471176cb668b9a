"""Every layer of a scene against the float64 oracle, drawn into a texture and in the fused pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from capbench.colour import ColourSpec, MatrixCoefficients, Range
from capbench.pipeline.compositor.layers.camera import placeholder
from capbench.pipeline.compositor.layers.caption import lay_out
from capbench.pipeline.compositor.layers.cursor import cursor_texels
from capbench.pipeline.conversion.shader import FusedPath
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.scene import Scene
from capbench.quality.oracle.background_fill import blurred, covering
from capbench.quality.oracle.composition import compose
from capbench.quality.oracle.overlay_layers import (
    draw_camera,
    draw_caption,
    draw_cursor,
    draw_masks,
    recording_coverage,
)
from capbench.quality.oracle.reference_nv12 import rgb_to_nv12
from capbench.quality.oracle.sampling import sample_rgb
from tests.gpu.scene_stage import (
    CANVAS,
    COLOUR,
    Stage,
    exposure_of,
    oracle_picture,
    placement_of,
    recording_at,
    synthetic_frame,
)

Field = NDArray[np.float64]

TOLERANCE_CODES = 2
"""The surround's colour and the recording's share are stored in 8 bits each, and a picture or a caption that lies in it
was before: three roundings of half a code, and one of the result. A software adapter's interpolated luma comes in whole
codes, and limited range stretches it by 1.16."""
COLOURFUL_TOLERANCE_CODES = 4
"""For R'G'B' of a recording whose chroma varies: a software adapter's interpolated samples are up to a code off, a code
of Cb is 2.1 of blue, one of luma 1.16, and the result is rounded. Exported luma and chroma keep to the two above."""
MEAN_TOLERANCE_CODES = 0.25
"""Roundings cancel out over a picture; a layer that is shifted, scaled or blended wrongly does not."""


def check(stage: Stage, want: Field, time_s: float, tolerance_codes: float = TOLERANCE_CODES) -> None:
    """The picture in the texture, and the one converted from registers, are the oracle's."""
    error = stage.rgb(time_s).astype(np.float64) - want.clip(0, 1) * 255
    assert np.abs(error).max() <= tolerance_codes
    assert abs(error.mean()) <= MEAN_TOLERANCE_CODES
    rows = stage.nv12(time_s, FusedPath).astype(np.int16)
    luma, chroma = rgb_to_nv12(np.floor(want.clip(0, 1) * 255 + 0.5).astype(np.uint8), COLOUR)
    assert np.abs(rows[: CANVAS.height] - luma).max() <= TOLERANCE_CODES
    assert np.abs(rows[CANVAS.height :] - chroma.reshape(CANVAS.height // 2, CANVAS.width)).max() <= TOLERANCE_CODES


FRAMED: dict[str, Any] = {
    "background": {"gradient": ("#204080", "#e0a060"), "angle_degrees": 120},
    "display": {"padding": 0.1, "rounding_px": 120},
}
ZOOM = {"start_s": 1.0, "end_s": 4.0, "amount": 1.7, "centre": (0.3, 0.6), "ease_in_s": 0.5, "ease_out_s": 0.5}
TIMES_S = (0.0, 1.3, 2.0)
"""At rest, in the middle of a zoom's motion, and fully magnified."""


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"background": {"colour": "#336699"}, "display": {"padding": 0.2}},
        FRAMED,
        FRAMED | {"display": {"padding": 0.15, "shadow": {"opacity": 0.7, "blur_px": 90, "offset_px": (30, 60)}}},
        FRAMED
        | {
            "display": {
                "padding": 0.15,
                "rounding_px": 90,
                "border": {"width_px": 25, "colour": "#ffcc00", "opacity": 0.6},
            }
        },
        {"display": {"crop": (0.125, 0.25, 0.25, 0.0)}},
        {"display": {"crop": (0.0, 0.0, 0.5, 0.0), "padding": 0.05}},
    ],
    ids=["bare", "colour", "rounding", "shadow", "border", "crop", "crop and padding"],
)
@pytest.mark.parametrize("zoom", [(), (ZOOM,)], ids=["still", "zoom"])
def test_display(gpu: GpuContext, values: dict[str, Any], zoom: tuple[Any, ...]) -> None:
    scene = Scene.model_validate(values | {"zoom": zoom})
    frame = synthetic_frame(is_colourful=True)
    stage = Stage(gpu, scene, frame)

    for time_s in TIMES_S if zoom else (0.0,):
        check(stage, oracle_picture(scene, frame, time_s), time_s, COLOURFUL_TOLERANCE_CODES)


@pytest.mark.parametrize("rotation_degrees", [90, 180, 270])
def test_crop_counts_from_the_upright_picture(gpu: GpuContext, rotation_degrees: int) -> None:
    scene = Scene.model_validate({"display": {"crop": (0.25, 0.0, 0.125, 0.5), "padding": 0.05}})
    upright = synthetic_frame()
    turns = rotation_degrees // 90
    coded = av.VideoFrame(*((108, 192) if turns % 2 else (192, 108)), "yuv420p")
    for plane, source in zip(coded.planes, upright.planes, strict=True):
        plane_samples(plane)[:] = np.rot90(plane_samples(source), turns)

    check(Stage(gpu, scene, coded, rotation_degrees=rotation_degrees), oracle_picture(scene, upright, 0.0), 0.0)


@pytest.mark.parametrize("size", [(64, 108), (300, 120), (192, 108)])
@pytest.mark.parametrize("blur_px", [0, 40])
def test_background_image(gpu: GpuContext, tmp_path: Path, size: tuple[int, int], blur_px: float) -> None:
    texels = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(texels).resize(size, Image.Resampling.BICUBIC))
    Image.fromarray(image).save(tmp_path / "image.png")
    values = {
        "background": {"image": tmp_path / "image.png", "blur_px": blur_px},
        "display": {"padding": 0.2},
    }
    scene, frame = Scene.model_validate(values), synthetic_frame()

    ground = covering(image / 255, (CANVAS.width, CANVAS.height))
    if blur_px:
        ground = blurred(ground, blur_px / 10)
    coverage = recording_coverage(scene, placement_of(scene, frame, 0.0), (CANVAS.width, CANVAS.height))[..., None]
    plain = scene.model_copy(update={"background": Scene().background})
    # The oracle composes over black here, so what it adds to the image is the recording's part alone.
    want = ground * (1 - coverage) + oracle_picture(plain, frame, 0.0)

    check(Stage(gpu, scene, frame), want, 0.0)


MASKS: dict[str, Any] = {
    "pixelate": {"kind": "pixelate", "rectangle": (0.2, 0.25, 0.35, 0.5), "strength_px": 70},
    "pixelate to the corner": {"kind": "pixelate", "rectangle": (0.6, 0.6, 0.4, 0.4), "strength_px": 55},
    "blur": {"kind": "blur", "rectangle": (0.2, 0.25, 0.4, 0.5), "strength_px": 40, "rounding_px": 100},
    "blur at the edge": {"kind": "blur", "rectangle": (0.0, 0.0, 0.4, 0.5), "strength_px": 60},
    "highlight": {"kind": "highlight", "rectangle": (0.3, 0.3, 0.4, 0.3), "darkness": 0.7, "rounding_px": 60},
}


@pytest.mark.parametrize("names", [*((name,) for name in MASKS), ("pixelate", "highlight", "pixelate to the corner")])
@pytest.mark.parametrize("zoom", [(), (ZOOM,)], ids=["still", "zoom"])
def test_masks(gpu: GpuContext, names: tuple[str, ...], zoom: tuple[Any, ...]) -> None:
    values = FRAMED | {"mask": [MASKS[name] | {"start_s": 0.0, "fade_s": 0.4} for name in names], "zoom": zoom}
    scene, frame = Scene.model_validate(values), synthetic_frame()
    stage = Stage(gpu, scene, frame)
    resting = placement_of(scene, frame, None)

    for time_s in (0.3, *TIMES_S[1:]) if zoom else (0.3, 1.0):
        now = placement_of(scene, frame, time_s)
        want = draw_masks(
            oracle_picture(scene, frame, time_s),
            scene,
            lambda x, y: recording_at(scene, frame, resting, x, y),
            (resting, now),
            time_s,
        )
        check(stage, want, time_s)


@pytest.mark.parametrize(
    ("changes", "times_s"),
    [
        ({}, (0.0, 0.5, 9.0)),
        ({"hotspot": (0.5, 1.0)}, (0.25,)),
        ({"clicks_s": (0.2, 0.5), "click_colour": "#ffee00"}, (0.1, 0.2, 0.35, 0.6)),
    ],
    ids=["arrow", "hotspot", "clicks"],
)
@pytest.mark.parametrize("amount", [1.0, 1.5])
def test_cursor(gpu: GpuContext, changes: dict[str, Any], times_s: tuple[float, ...], amount: float) -> None:
    # The last point lies at the rounded corner, which clips the cursor.
    cursor = {"path": [(0, 0.3, 0.3), (1, 0.7, 0.5), (2, 0.98, 0.97)], "size_px": 240} | changes
    zoom = [{"start_s": 0, "end_s": 10, "amount": amount, "ease_in_s": 0, "ease_out_s": 0}]
    scene = Scene.model_validate(FRAMED | {"cursor": cursor, "zoom": zoom})
    frame = synthetic_frame()
    stage = Stage(gpu, scene, frame)
    assert scene.cursor is not None
    texels = cursor_texels(scene.cursor, round(24 * amount)) / 255

    for time_s in times_s:
        moments = exposure_of(scene, frame, time_s)
        check(stage, draw_cursor(oracle_picture(scene, frame, time_s), scene, texels, moments, time_s), time_s)


@pytest.mark.parametrize("mirror", [False, True])
def test_camera_image(gpu: GpuContext, mirror: bool) -> None:
    values = {"position": "top-left", "margin_px": 60, "size": 50 / 108, "aspect": 1.2, "mirror": mirror}
    shadow = {"opacity": 0.8, "blur_px": 80, "offset_px": (20, 40)}
    scene = Scene.model_validate(FRAMED | {"camera": values | {"rounding_px": 120, "shadow": shadow}})
    frame = synthetic_frame()
    assert scene.camera is not None
    # 60 x 50 pixels six from the corner; of the square placeholder a sixth of the height is cut off.
    side = placeholder().width
    shown = (
        placeholder().convert("RGB").resize((60, 50), Image.Resampling.LANCZOS, (0, side / 12, side, side * 11 / 12))
    )
    content = np.zeros((CANVAS.height, CANVAS.width, 3))
    pixels = np.asarray(shown) / 255
    content[6:56, 6:66] = pixels[:, ::-1] if mirror else pixels

    want = draw_camera(oracle_picture(scene, frame, 0.0), scene.camera, content, (6, 6, 66, 56))
    check(Stage(gpu, scene, frame), want, 0.0)


def _video(path: Path, frames: list[av.VideoFrame]) -> Path:
    """Frames in a lossless video of 10 a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        # 601 and full range, neither of which is the recording's.
        stream.codec_context.colorspace, stream.codec_context.color_range = 5, 2
        for frame in frames:
            frame.colorspace, frame.color_range = 5, 2
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_camera_video_is_read_by_its_own_tags_and_in_step(gpu: GpuContext, tmp_path: Path) -> None:
    """Three pictures, 0.1 s each; after the last one it stays."""
    pictures = [synthetic_frame(60, 40, seed) for seed in (5, 6, 7)]
    path = _video(tmp_path / "camera.mkv", pictures)
    values = {"source": path, "position": (0.5, 0.5), "size": 40 / 108, "aspect": None, "mirror": True}
    scene = Scene.model_validate(FRAMED | {"camera": values | {"rounding_px": 0}})
    frame = synthetic_frame()
    stage = Stage(gpu, scene, frame)
    assert scene.camera is not None

    for time_s, number in ((0.0, 0), (0.05, 0), (0.15, 1), (0.2, 2), (5.0, 2)):
        luma, cb, cr = (plane_samples(plane) for plane in pictures[number].planes)
        columns, rows = np.arange(59.0, -1, -1), np.arange(40.0)
        content = np.zeros((CANVAS.height, CANVAS.width, 3))
        content[34:74, 66:126] = sample_rgb(
            (luma, cb, cr),
            ColourSpec(MatrixCoefficients.BT601, Range.FULL),
            columns=columns,
            rows=rows,
            chroma_place=(-0.5, 0.0),
        )
        want = draw_camera(oracle_picture(scene, frame, time_s), scene.camera, content, (66, 34, 126, 74))
        check(stage, want, time_s)
    stage.compositor.close()


def test_captions(gpu: GpuContext) -> None:
    """One fades in, another that overlaps it stays; a third takes the first one's place in the texture."""
    captions = [
        {"text": "first", "size_px": 200, "end_s": 2.0, "fade_s": 0.5},
        {"text": "two\nlines", "size_px": 150, "position": (0.4, 0.6), "colour": "#ffee88", "plate_colour": "#203060"},
        {"text": "3", "size_px": 300, "position": (1.0, 0.0), "plate_opacity": 0.0, "start_s": 3.0},
    ]
    scene, frame = Scene.model_validate(FRAMED | {"caption": captions}), synthetic_frame()
    stage = Stage(gpu, scene, frame)

    for time_s in (0.2, 1.0, 1.9, 2.5, 3.0):
        want = oracle_picture(scene, frame, time_s)
        for caption in scene.caption:
            plate = lay_out(caption, CANVAS)
            want = draw_caption(want, plate.texels() / 255, (plate.left, plate.top), caption.presence(time_s))
        check(stage, want, time_s)


def test_a_wrong_oracle_is_noticed(gpu: GpuContext) -> None:
    """The tolerances see a shift of a tenth of a pixel."""
    scene, frame = Scene.model_validate(FRAMED), synthetic_frame()
    placement = placement_of(scene, frame, 0.0)
    x = np.arange(CANVAS.width, dtype=np.float64) + 0.6
    y = np.arange(CANVAS.height, dtype=np.float64) + 0.5
    shifted = compose(scene, recording_at(scene, frame, placement, x, y), placement, (CANVAS.width, CANVAS.height))

    with pytest.raises(AssertionError):
        check(Stage(gpu, scene, frame), shifted, 0.0)
