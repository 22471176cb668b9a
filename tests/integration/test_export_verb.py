"""The verb `export`: what it prints where, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from capbench.cli.app import run_app
from capbench.recordings import RecordingSpec, make_recording


@pytest.fixture(scope="module")
def recording() -> Path:
    return make_recording(RecordingSpec("verb", 160, 90, 10, 1))


def capbench(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command line in this process."""
    monkeypatch.setattr("sys.argv", ["capbench", *map(str, arguments)])
    monkeypatch.setattr("signal.signal", lambda *_: None)  # pytest's own handlers stay
    return run_app()


def test_json_alone_on_stdout(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = capbench(monkeypatch, "export", recording, tmp_path / "out.mp4", "--preset", "ultrafast", "--json", "-")

    out, err = capsys.readouterr()
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert (report["frames"], report["path_requested"], report["path_used"]) == (10, "passthrough", "passthrough")
    assert report["frame_rate"] == "10"
    assert report["output_bytes"] == (tmp_path / "out.mp4").stat().st_size
    assert report["gpu_busy_s"] is None
    assert "no GPU" in report["unmeasured"]["gpu_busy_s"]


def test_summary_for_people(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = capbench(monkeypatch, "export", recording, tmp_path / "out.gif", "--fps", "10", "--dither", "bayer")

    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / 'out.gif'}: 10 frames, 160x90, ")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["out.mp4", "--fps", "fast"], 2, "not a frame rate: 'fast'; write for example 30 or '30000/1001'"),
        (["out.mp4", "--fps", "1/0"], 2, "not a frame rate: '1/0'"),
        (["out.mp4", "--fps", "0"], 2, "a frame rate must be between 1/3600 and 1000, got 0"),
        (["out.mp4", "--memory-limit", "much"], 2, "not a size in bytes: 'much'"),
        (["out.mp4", "--memory-limit", "10k"], 2, "of memory is too little"),
        (["out.mp4", "--scene", "none"], 2, "unknown scene 'none'"),
        (["out.mp4", "--path", "none"], 2, "unknown path 'none'"),
        (["out.mp4", "--encoder", "x266"], 4, "unknown encoder 'x266'"),
        (["out.mp4", "--encoder", "none"], 2, "--encoder none writes nothing; omit out.mp4"),
        ([], 2, "no output was named"),
        (["out.mp4", "--encoder-threads", "0"], 2, "--encoder-threads must be between 1 and 64, got 0"),
        (["out.mp4", "--memory-limit", "10M"], 2, "10.0 MB of memory is too little"),
        (["out.mov"], 2, "the output's suffix must be .mp4 or .gif"),
        (["out.gif", "--fps", "60"], 2, "a GIF's fps must be between 10 and 30, got 60"),
    ],
)
def test_mistakes_are_one_line_on_stderr(
    arguments: list[str],
    code: int,
    words: str,
    *,
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert capbench(monkeypatch, "export", recording, *arguments) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("capbench: ")
    assert err.count("\n") == 1
    assert words in err
    assert list(tmp_path.iterdir()) == []
