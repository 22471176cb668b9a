"""Under a small limit an export is slower, never over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from capbench.errors import InputError
from capbench.pipeline import memory_plan as planning
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.recordings import RecordingSpec, make_recording

NV12_BYTES = 640 * 360 * 3 // 2
PACKET_BYTES = 2 * planning.PACKET_QUEUE_BYTES
"""Of picture and sound."""


@pytest.fixture(scope="module")
def recording() -> Path:
    return make_recording(RecordingSpec("memory", 640, 360, 30, 1))


def options(path: str, limit_bytes: int) -> ExportOptions:
    return ExportOptions(path=path, memory_limit_bytes=limit_bytes, encoder=EncoderSettings(preset="ultrafast"))


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("path", "frames"),
    [
        pytest.param("gpu", 7, id="gpu-least"),
        pytest.param("gpu", 12, id="gpu-what-4k-has-by-default"),
        pytest.param("gpu", 100, id="gpu-plenty"),
        # RGBA is 8/3 of NV12.
        pytest.param("cpu", 14, id="cpu-least"),
        pytest.param("cpu", 24, id="cpu"),
        pytest.param("passthrough", 4, id="passthrough-least"),
    ],
)
def test_pipeline_stays_inside_its_limit(path: str, frames: int, recording: Path, tmp_path: Path) -> None:
    limit_bytes = PACKET_BYTES + frames * NV12_BYTES + 4096  # rings end with a few bytes of timestamps each

    report = export(recording, tmp_path / "out.mp4", options(path, limit_bytes))

    assert report.frames == 30
    assert 0 < sum(report.pipeline_bytes.values()) <= limit_bytes
    if path != "passthrough":
        assert {"upload ring", "staging ring", "picture pool", "frames in flight"} <= report.pipeline_bytes.keys()


@pytest.mark.parametrize(("path", "frames"), [("gpu", 6), ("cpu", 13), ("passthrough", 1)])
def test_limit_that_cannot_be_kept_is_refused(path: str, frames: int, recording: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of memory is too little: one frame in each place needs"):
        export(recording, tmp_path / "out.mp4", options(path, PACKET_BYTES + frames * NV12_BYTES))

    assert list(tmp_path.iterdir()) == []


def test_no_more_than_half_of_the_free_memory_is_taken(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "available_memory_bytes", lambda: 10 * NV12_BYTES)

    with pytest.raises(InputError, match=r"1\.73 MB of memory is too little"):
        export(recording, tmp_path / "out.mp4", options("gpu", 10**9))
