"""How much of each layer of a scene is in a picture, against pictures that hold it, half of it, or none of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from PIL import Image

from capbench.colour import ColourSpec
from capbench.pipeline.scene import Scene
from capbench.quality.measurements import LayerShare
from capbench.quality.oracle.placement import chroma_place
from capbench.quality.reading.observed_frame import FrameRecord, ObservedPicture
from capbench.quality.reading.planes import Planes, as_frame, planes_of, thumbnail
from capbench.quality.truth.reference_render import GroundTruth, Rendered
from capbench.quality.truth.scene_layers import SceneLayers

CANVAS = (192, 108)
MASK = {"kind": "pixelate", "rectangle": (0.05, 0.1, 0.3, 0.3), "strength_px": 80}
CURSOR = {"path": [(0, 0.5, 0.3), (1, 0.7, 0.3)], "size_px": 250, "clicks_s": [0.4]}
CAPTION = {"text": "words", "size_px": 160, "position": (0.3, 0.8), "start_s": 0.2, "end_s": 1.0, "fade_s": 0.4}
CAMERA = {"position": "bottom-right", "size": 0.4, "shadow": {"blur_px": 40}}
HIGHLIGHT = {"kind": "highlight", "rectangle": (0.0, 0.0, 0.8, 0.8), "darkness": 0.5}
FRAMED = {"display": {"padding": 0.05}, "background": {"gradient": ("#204080", "#e0a060")}}
ALL: dict[str, Any] = FRAMED | {"mask": [MASK, HIGHLIGHT], "cursor": CURSOR, "caption": [CAPTION], "camera": CAMERA}


def picture(frame: av.VideoFrame) -> ObservedPicture:
    record = FrameRecord(0, Fraction(0), None, False, (0, 0, 0), 0.0, 0.0, None)
    return ObservedPicture(record, frame, thumbnail(frame, VideoReformatter()))


@pytest.fixture(scope="module")
def source() -> ObservedPicture:
    """Coarse blocks of noise: masks have something to hide."""
    noise = np.random.default_rng(5)
    luma = noise.integers(60, 200, (27, 48), dtype=np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    chroma = [noise.integers(110, 146, (27, 48), dtype=np.uint8).repeat(2, axis=0).repeat(2, axis=1) for _ in range(2)]
    return picture(as_frame(Planes(luma, *chroma)))


def render(
    values: dict[str, Any], source: ObservedPicture, time_s: float, output: ObservedPicture | None = None
) -> Rendered:
    scene, spec = Scene.model_validate(values), ColourSpec()
    truth = GroundTruth(
        scene=scene,
        canvas=CANVAS,
        shown=(192.0, 108.0),
        spec=spec,
        chroma_place=chroma_place(spec.siting),
        wanted=spec,
        layers=SceneLayers(scene, CANVAS),
    )
    return truth.render(source, output or source, time_s)


def shares(
    values: dict[str, Any], shown: dict[str, Any], source: ObservedPicture, time_s: float
) -> dict[str, LayerShare]:
    """What an output is found to have of the layers of `values` that shows `shown`."""
    output = render(shown, source, time_s).picture
    return {found.layer: found for found in render(values, source, time_s, output).shares}


def test_every_layer_is_wholly_in_its_own_picture(source: ObservedPicture) -> None:
    found = shares(ALL, ALL, source, 0.5)

    assert list(found) == ["mask 1 (pixelate)", "highlight", "cursor", "camera", "caption “words”"]
    assert [layer.share for layer in found.values()] == pytest.approx([1.0] * 5, abs=0.02)
    assert found["caption “words”"].presence == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("changes", "layer", "share"),
    [
        ({"mask": [HIGHLIGHT]}, "mask 1 (pixelate)", 0.0),
        ({"mask": [MASK]}, "highlight", 0.0),
        ({"mask": [MASK, HIGHLIGHT | {"darkness": 0.25}]}, "highlight", 0.5),
        ({"cursor": None}, "cursor", 0.0),
        ({"cursor": CURSOR | {"path": [(0, 0.2, 0.7)]}}, "cursor", 0.0),
        ({"camera": None}, "camera", 0.0),
        ({"caption": []}, "caption “words”", 0.0),
        ({"caption": [CAPTION | {"start_s": 0.3}]}, "caption “words”", 0.5 / 0.75),
        ({"caption": [CAPTION | {"start_s": 0.1}]}, "caption “words”", 1.0 / 0.75),
    ],
)
def test_what_is_missing_faint_or_elsewhere_is_measured(
    source: ObservedPicture, changes: dict[str, Any], layer: str, share: float
) -> None:
    found = shares(ALL, ALL | changes, source, 0.5)

    assert found[layer].share == pytest.approx(share, abs=0.06)
    others = [other.share for name, other in found.items() if name != layer]
    if "mask" not in changes:  # under a highlight everything else is darker too
        assert others == pytest.approx([1.0] * 4, abs=0.02)


def test_what_hardly_changes_the_picture_says_nothing(source: ObservedPicture) -> None:
    flat = picture(as_frame(Planes(*(np.full_like(plane, 90) for plane in planes_of(source.frame).all))))

    assert shares(FRAMED | {"mask": [MASK]}, FRAMED, flat, 0.0) == {}


def test_a_layer_out_of_the_picture_is_none(source: ObservedPicture) -> None:
    zoom = [{"start_s": 0, "end_s": 9, "amount": 3.0, "centre": (1.0, 1.0), "ease_in_s": 0, "ease_out_s": 0}]

    assert shares(FRAMED | {"mask": [MASK], "zoom": zoom}, FRAMED, source, 0.5) == {}


def test_moments_are_in_fades_and_at_clicks_most_telling_first() -> None:
    values = ALL | {"caption": [CAPTION, {"text": "b", "start_s": 3.0}]}

    moments = SceneLayers(Scene.model_validate(values), CANVAS).moments()

    assert moments == pytest.approx((0.0, 0.3, 3.0, 0.8, 0.4))


def test_an_image_lies_behind_everything(source: ObservedPicture, tmp_path: Path) -> None:
    """Its left half shows, its right half is transparent over the colour."""
    texels = np.zeros((108, 192, 4), np.uint8)
    texels[:, :96] = (200, 100, 50, 255)
    Image.fromarray(texels).save(tmp_path / "image.png")
    background = {"image": tmp_path / "image.png", "colour": "#0000ff"}

    planes = planes_of(render({"background": background, "display": {"padding": 0.3}}, source, 0.0).picture.frame)

    # BT.709, limited: 16 + 219 Y of either colour.
    assert planes.luma[10, 10] == round(16 + 219 * (0.2126 * 200 + 0.7152 * 100 + 0.0722 * 50) / 255)
    assert planes.luma[10, 180] == round(16 + 219 * 0.0722)


def _video(path: Path, levels: list[int]) -> Path:
    """A picture of one grey each 0.1 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number, level in enumerate(levels):
            grey = np.full((24, 32), 128, np.uint8)
            container.mux(stream.encode(as_frame(Planes(np.full((48, 64), level, np.uint8), grey, grey), number)))
        container.mux(stream.encode(None))
    return path


def test_a_camera_video_is_in_step_and_stays(source: ObservedPicture, tmp_path: Path) -> None:
    camera = {"source": _video(tmp_path / "camera.mkv", [60, 120, 180]), "position": (0.5, 0.5), "rounding_px": 0}
    scene = Scene.model_validate({"camera": camera | {"size": 0.5}})
    spec = ColourSpec()
    truth = GroundTruth(
        scene, CANVAS, (192.0, 108.0), spec, chroma_place(spec.siting), spec, SceneLayers(scene, CANVAS)
    )

    shown = [int(planes_of(truth.render(source, source, at).picture.frame).luma[54, 96]) for at in (0, 0.15, 0.2, 5)]

    assert shown == pytest.approx([60, 120, 180, 180], abs=1)


@pytest.mark.parametrize(
    ("crop", "amount", "is_read"),
    [((0, 0, 0, 0), 1.5, True), ((0, 0, 0, 0.5), 1.5, True), ((0, 0, 0, 0.5), 1.8, False)],
    ids=["whole", "cropped", "too fast"],
)
def test_marks_in_motion_are_read_by_the_size_of_their_cells(
    crop: tuple[float, ...], amount: float, is_read: bool
) -> None:
    """A cell is as large as it is on the canvas, however much of the recording is cut off."""
    zoom = {"start_s": 1.0, "end_s": 9.0, "amount": amount, "centre": (0.5, 0.0), "ease_in_s": 1.0}
    scene = Scene.model_validate({"display": {"padding": 0.1, "crop": crop}, "zoom": [zoom], "motion_blur": {}})
    canvas, spec = (1920, 1080), ColourSpec()
    truth = GroundTruth(
        scene, canvas, (1920.0, 1080.0), spec, chroma_place(spec.siting), spec, SceneLayers(scene, canvas)
    )

    assert (truth.recording(1.3) is not None) is is_read
