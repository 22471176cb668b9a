"""Under a small limit an export is slower, never over it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from capbench.errors import InputError
from capbench.pipeline import memory_plan as planning
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.recordings import RecordingSpec, make_recording
from capbench.units import parse_bytes

NV12_BYTES = 640 * 360 * 3 // 2
FAST = EncoderSettings(preset="ultrafast")


@pytest.fixture(scope="module")
def recording() -> Path:
    return make_recording(RecordingSpec("memory", 640, 360, 30, 1))


def least_bytes(recording: Path, tmp_path: Path, path: str) -> int:
    """The smallest limit, as the refusal of one that is too small names it."""
    with pytest.raises(InputError, match="of memory is too little") as caught:
        export(recording, tmp_path / "out.mp4", ExportOptions(path=path, memory_limit_bytes=10**6, encoder=FAST))
    named = re.search(r"pass --memory-limit (\d+M) or more", str(caught.value))
    assert named is not None
    return parse_bytes(named[1])


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("path", ["gpu", "cpu", "passthrough"])
@pytest.mark.parametrize("frames", [0, 6, 100])
def test_process_stays_inside_its_limit(path: str, frames: int, recording: Path, tmp_path: Path) -> None:
    limit_bytes = least_bytes(recording, tmp_path, path) + frames * NV12_BYTES

    report = export(
        recording, tmp_path / "out.mp4", ExportOptions(path=path, memory_limit_bytes=limit_bytes, encoder=FAST)
    )

    assert report.frames == 30
    assert 0 < sum(report.pipeline_bytes.values()) <= limit_bytes
    assert {"libraries (estimate)", "decoder (estimate)", "encoder (estimate)"} <= report.pipeline_bytes.keys()
    if path != "passthrough":
        owners = {"driver (estimate)", "upload ring", "staging ring", "picture pool", "frames in flight"}
        assert owners <= report.pipeline_bytes.keys()


@pytest.mark.parametrize("path", ["gpu", "cpu", "passthrough"])
def test_limit_that_cannot_be_kept_is_refused(path: str, recording: Path, tmp_path: Path) -> None:
    limit_bytes = least_bytes(recording, tmp_path, path) - 2 * 10**6

    with pytest.raises(InputError, match="libraries, codecs and one frame in each place need") as caught:
        export(recording, tmp_path / "out.mp4", ExportOptions(path=path, memory_limit_bytes=limit_bytes, encoder=FAST))

    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_no_more_than_half_of_the_free_memory_is_taken(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "available_memory_bytes", lambda: 10 * NV12_BYTES)

    with pytest.raises(InputError, match=r"1\.73 MB of memory, half of what is free, is too little"):
        export(recording, tmp_path / "out.mp4", ExportOptions(path="gpu", encoder=FAST))


def encoder_settings(video: Path) -> str:
    """What x264 writes into its stream about itself."""
    data = video.read_bytes()
    start = data.index(b"x264 - core")
    return data[start : data.index(b"\0", start)].decode("ascii", "replace")


def test_threads_are_as_asked_for_and_reported(recording: Path, tmp_path: Path) -> None:
    options = ExportOptions(path="passthrough", encoder=FAST, decoder_threads=3, encoder_threads=5)

    report = export(recording, tmp_path / "out.mp4", options)

    assert (report.decoder_threads, report.encoder_threads) == (3, 5)
    assert " threads=5 " in encoder_settings(tmp_path / "out.mp4")


def test_tight_limit_shortens_the_look_ahead(recording: Path, tmp_path: Path) -> None:
    settings = EncoderSettings(preset="slow")
    roomy = export(recording, tmp_path / "roomy.mp4", ExportOptions(path="passthrough", encoder=settings))
    limit_bytes = sum(roomy.pipeline_bytes.values()) + planning._DRIVER_BYTES - 40 * NV12_BYTES

    report = export(
        recording,
        tmp_path / "tight.mp4",
        ExportOptions(path="passthrough", encoder=settings, memory_limit_bytes=limit_bytes),
    )

    assert "rc_lookahead=50" in encoder_settings(tmp_path / "roomy.mp4")
    assert "rc_lookahead=25" in encoder_settings(tmp_path / "tight.mp4")
    assert sum(report.pipeline_bytes.values()) <= limit_bytes
