"""Scenes in whole exports: their clock, and the files that they open."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from capbench.errors import DamagedStreamError, SourceError
from capbench.pipeline.compositor.layers.camera import CameraFeed
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import export
from capbench.pipeline.job import ExportOptions
from capbench.pipeline.scene import Scene
from capbench.recordings import RecordingSpec, make_recording

pytestmark = pytest.mark.usefixtures("gpu")

FRAMES = 12


@pytest.fixture(scope="module")
def recording() -> Path:
    """The recording that the tests of the paths use, too."""
    return make_recording(RecordingSpec(name="paths", width=320, height=180, fps=30, duration_s=FRAMES / 30))


def _late(source: Path, target: Path) -> Path:
    """The same pictures, all 5 s later, with no sound that would start before them."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None and packet.pts is not None:
                shift = round(5 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                new.mux(packet)
    return target


def _centres(source: Path, output: Path, scene: Scene, **changes: Any) -> list[int]:
    """Luma at the middle of every exported frame."""
    lossless = EncoderSettings(qp=0, preset="ultrafast")
    export(source, output, ExportOptions(scene=scene, path="gpu", encoder=lossless, **changes))
    with av.open(str(output)) as container:
        planes: list[NDArray[np.uint8]] = [plane_samples(f.planes[0]) for f in container.decode(video=0)]
        return [int(plane[plane.shape[0] // 2, plane.shape[1] // 2]) for plane in planes]


WHITE_MIDDLE = {"text": ".", "size_px": 300, "position": (0.5, 0.5), "plate_colour": "#ffffff", "plate_opacity": 1}


@pytest.mark.parametrize(
    ("is_late", "fps", "white"),
    [(False, None, range(6, 9)), (True, None, range(6, 9)), (True, Fraction(15), range(3, 5))],
    ids=["from the start", "a source that starts late", "another rate"],
)
def test_scenes_are_timed_from_the_first_frame(
    recording: Path, tmp_path: Path, is_late: bool, fps: Fraction | None, white: range
) -> None:
    source = _late(recording, tmp_path / "late.mp4") if is_late else recording
    scene = Scene.model_validate({"caption": [WHITE_MIDDLE | {"start_s": 0.199, "end_s": 0.299}]})

    centres = _centres(source, tmp_path / "out.mp4", scene, fps=fps)

    assert [number for number, luma in enumerate(centres) if luma == 235] == list(white)


def test_a_camera_video_is_closed_after_the_export(recording: Path, tmp_path: Path) -> None:
    scene = Scene.model_validate({"camera": {"source": recording}})
    _centres(recording, tmp_path / "first.mp4", scene)
    before = [file.path for file in psutil.Process().open_files()]

    _centres(recording, tmp_path / "second.mp4", scene)

    assert [file.path for file in psutil.Process().open_files()] == before


def test_a_camera_that_is_no_video_is_named(recording: Path, tmp_path: Path) -> None:
    path = tmp_path / "camera.txt"
    path.write_text("neither image nor video")

    with pytest.raises(SourceError, match=r"camera\.txt"):
        _centres(recording, tmp_path / "out.mp4", Scene.model_validate({"camera": {"source": path}}))
    assert not (tmp_path / "out.mp4").exists()


def test_a_damaged_camera_video_stops_with_its_name(media: Path) -> None:
    feed = CameraFeed(media / "corrupted_1280x720.mp4")

    with pytest.raises(DamagedStreamError, match=r"corrupted_1280x720\.mp4"):
        feed.frame_at(100.0)
    feed.close()
