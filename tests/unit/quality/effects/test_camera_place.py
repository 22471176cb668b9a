"""A camera's picture is found in a still of an output, with its outline and its frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from capbench.quality.effects.overlays.camera_outline import fit_outline
from capbench.quality.effects.overlays.camera_place import find_camera
from capbench.quality.effects.overlays.camera_source import CameraSource, read_camera
from capbench.recordings import RecordingSpec, make_recording
from capbench.recordings.camera_marks import read_camera_number
from capbench.recordings.recording_planes import RecordingPlanes
from capbench.recordings.webcam import Webcam
from tests.unit.quality.effects.drawn_frames import screen

_SPEC = RecordingSpec("camera", 320, 240, 30, 0.5, content="camera")
Field = NDArray[np.float64]


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> CameraSource:
    return read_camera(make_recording(_SPEC, folder=tmp_path_factory.mktemp("camera")))


def _frame(number: int) -> list[Field]:
    planes = RecordingPlanes(
        np.empty((240, 320), np.uint8), np.empty((120, 160), np.uint8), np.empty((120, 160), np.uint8)
    )
    Webcam(_SPEC).draw(number, planes)
    return [
        planes.luma.astype(float),
        *(np.kron(plane.astype(float), np.ones((2, 2))) for plane in (planes.cb, planes.cr)),
    ]


def _output(
    numbers: list[int], outline: tuple[float, float, float, float, float], height: float, *, mirrored: bool = False
) -> Field:
    """Mean picture, shape (180, 320, 3), with the middle of the camera's in an outline: edges and radius."""
    ground = np.stack([screen(), np.full((180, 320), 118.0), np.full((180, 320), 134.0)], axis=-1)
    left, top, right, bottom, radius = outline
    x, y = np.meshgrid(np.arange(320) + 0.5, np.arange(180) + 0.5)
    beyond = [np.maximum(left + radius - x, x - right + radius), np.maximum(top + radius - y, y - bottom + radius)]
    outside = np.hypot(beyond[0].clip(0), beyond[1].clip(0))
    distance = np.where((beyond[0] > 0) | (beyond[1] > 0), outside, np.maximum(*beyond)) - radius
    alpha = (0.5 - distance).clip(0, 1)[..., None]
    scale = height / 240
    middle = (left + right) / 2, (top + bottom) / 2
    mean = np.zeros_like(ground)
    for number in numbers:
        shown = []
        for plane in _frame(number):
            picture = Image.fromarray((plane[:, ::-1] if mirrored else plane).astype(np.float32))
            back = (1 / scale, 0, 160 - middle[0] / scale, 0, 1 / scale, 120 - middle[1] / scale)
            wide = picture.resize((640, 480), Image.Resampling.BICUBIC)  # the affine reads between its pixels
            double = tuple(2 * value for value in back)
            shown.append(
                np.asarray(wide.transform((320, 180), Image.Transform.AFFINE, double, Image.Resampling.BILINEAR))
            )
        mean += ground * (1 - alpha) + np.stack(shown, axis=-1) * alpha
    return mean / len(numbers)


_OUTLINES = {
    "circle": (230.0, 92.0, 302.0, 164.0, 36.0),
    "rounded": (12.0, 14.0, 92.0, 82.0, 14.0),
    "square": (220.0, 20.0, 300.0, 92.0, 0.0),
}


@pytest.mark.parametrize("shape", sorted(_OUTLINES))
@pytest.mark.parametrize("mirrored", [False, True])
def test_outline_and_shape_are_found(camera: CameraSource, shape: str, *, mirrored: bool) -> None:
    wanted = _OUTLINES[shape]
    picture = _output(list(range(15)), wanted, wanted[3] - wanted[1], mirrored=mirrored)

    place = find_camera(picture[..., 0], camera)

    assert place is not None
    assert place.mirrored is mirrored
    assert place.height == pytest.approx(wanted[3] - wanted[1], rel=0.03)
    outline = fit_outline(picture, camera, place)
    assert outline.shape == shape
    assert (outline.left, outline.top, outline.right, outline.bottom) == pytest.approx(wanted[:4], abs=2.5)
    assert outline.radius == pytest.approx(wanted[4], abs=4)


def test_the_frame_is_read_through_the_place(camera: CameraSource) -> None:
    wanted = _OUTLINES["circle"]
    place = find_camera(_output(list(range(15)), wanted, 72)[..., 0], camera)

    assert place is not None
    luma = np.rint(_output([11], wanted, 72)[..., 0]).astype(np.uint8)
    assert read_camera_number(luma, place.middle, place.height) == 11


def test_a_frozen_camera_is_found_too(camera: CameraSource) -> None:
    assert find_camera(_output([0], _OUTLINES["rounded"], 68)[..., 0], camera) is not None


@pytest.mark.parametrize("seed", range(5))
def test_where_there_is_none_none_is_found(camera: CameraSource, seed: int) -> None:
    assert find_camera(screen(seed), camera) is None


def test_the_number_that_should_be_seen_follows_the_clock(camera: CameraSource) -> None:
    assert [camera.expected_number(time_s) for time_s in (0.0, 0.0334, 0.2, 99.0)] == [0, 1, 6, 14]


def test_an_image_has_no_numbers(tmp_path: Path) -> None:
    Image.fromarray(_frame(0)[0].astype(np.uint8)).save(tmp_path / "camera.png")

    source = read_camera(tmp_path / "camera.png")

    assert source.expected_number(1.0) is None
    assert source.aspect == pytest.approx(4 / 3)
