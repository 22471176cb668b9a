"""Frame numbers of a camera recording: read back small, mirrored, and not where there is none."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from capbench.errors import InputError
from capbench.recordings import RecordingSpec, cached_path, make_recording
from capbench.recordings.camera_marks import CAMERA_NUMBERS, camera_cells, read_camera_number
from capbench.recordings.recording_planes import RecordingPlanes
from capbench.recordings.webcam import Webcam

_SPEC = RecordingSpec("camera", 320, 240, 30, 2, content="camera")


def _luma(number: int) -> NDArray[np.uint8]:
    planes = RecordingPlanes(
        np.empty((240, 320), np.uint8), np.empty((120, 160), np.uint8), np.empty((120, 160), np.uint8)
    )
    Webcam(_SPEC).draw(number, planes)
    return planes.luma


@pytest.mark.parametrize("number", [0, 1, 77, CAMERA_NUMBERS - 1])
@pytest.mark.parametrize("height", [240, 96, 56])
def test_a_number_is_read_back_at_any_size(number: int, height: int) -> None:
    width = height * 4 // 3
    small = np.asarray(Image.fromarray(_luma(number)).resize((width, height), Image.Resampling.BICUBIC))

    assert read_camera_number(small, (width / 2, height / 2), height) == number


def test_numbers_start_again() -> None:
    assert read_camera_number(_luma(CAMERA_NUMBERS + 5), (160, 120), 240) == 5


def test_a_mirrored_picture_is_read_only_as_such() -> None:
    turned = _luma(1234)[:, ::-1]

    assert read_camera_number(turned, (160, 120), 240) is None
    assert read_camera_number(turned, (160, 120), 240, mirrored=True) == 1234


def test_two_blended_frames_have_no_number() -> None:
    blend = ((_luma(5).astype(int) + _luma(6)) // 2).astype(np.uint8)

    assert read_camera_number(blend, (160, 120), 240) is None


def test_beyond_the_border_there_is_no_number() -> None:
    assert read_camera_number(_luma(5), (20, 120), 240) is None


def test_noise_is_no_number() -> None:
    rng = np.random.default_rng(1)
    read = [read_camera_number(rng.integers(16, 236, (60, 60)).astype(np.uint8), (30, 30), 60) for _ in range(200)]

    assert read == [None] * 200


def test_all_cells_lie_inside_the_circle() -> None:
    """A camera is often shown through one: nothing of the plate may be outside."""
    first, other = _luma(0).astype(int), _luma(4095).astype(int)
    rows, columns = np.nonzero(first != other)

    assert np.hypot(columns - 159.5, rows - 119.5).max() < 120


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        camera_cells(-1)


def test_a_written_camera_recording_counts_its_frames(tmp_path: Path) -> None:
    path = make_recording(RecordingSpec("camera", 160, 120, 30, 0.2, content="camera"), folder=tmp_path)

    with av.open(str(path)) as container:
        lumas = [np.asarray(frame.to_ndarray()[:120], np.uint8) for frame in container.decode(video=0)]

    assert [read_camera_number(luma, (80, 60), 120) for luma in lumas] == list(range(6))


def test_camera_and_screen_lie_in_different_files(tmp_path: Path) -> None:
    screen = RecordingSpec("screen", 160, 120, 30, 0.2)
    camera = RecordingSpec("camera", 160, 120, 30, 0.2, content="camera")

    assert cached_path(screen, folder=tmp_path) != cached_path(camera, folder=tmp_path)


def test_unknown_content_is_refused() -> None:
    with pytest.raises(InputError, match="'film'"):
        RecordingSpec("x", 160, 120, 30, 1, content="film")  # type: ignore[arg-type]
