"""The driver of the subject `ffmpeg-ladder`: what it starts for each scene. ffmpeg itself is not needed."""

from __future__ import annotations

import os
import runpy
import sys

import pytest

from capbench.resources import matrix_folder

DRIVER = matrix_folder() / "drivers" / "ffmpeg_ladder.py"


def _started(scene: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line that the driver becomes."""
    found: list[str] = []
    monkeypatch.setattr(os, "execvp", lambda _program, command: found.extend(command))
    arguments = ["in.mp4", "out.mp4", scene, "1920", "1080", "60", "-c:v", "libx264", "-crf", "20"]
    monkeypatch.setattr(sys, "argv", [str(DRIVER), *arguments])
    runpy.run_path(str(DRIVER), run_name="__main__")
    return found


@pytest.mark.parametrize(("scene", "draws"), [("bare", False), ("ladder-framed", True)])
def test_it_becomes_ffmpeg_with_the_case_s_encoder(scene: str, draws: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    command = _started(scene, monkeypatch)

    assert command[0] == "ffmpeg"
    assert command[command.index("-i") + 1] == "in.mp4"
    assert command[-1] == "out.mp4"
    at = command.index("-crf")
    assert command[at - 2 : at + 2] == ["-c:v", "libx264", "-crf", "20"]
    assert ("-filter_complex" in command) is draws
    if draws:
        graph = command[command.index("-filter_complex") + 1]
        assert graph.count("(") == graph.count(")")
        assert "s=1920x1080:r=60" in graph
        assert "{" not in graph


def test_a_padding_of_odd_lines_is_not_rounded_to_chroma_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 540 lines the padding is 27: FFmpeg's overlay of 4:2:0 puts what lies at an odd line one line higher."""
    command = _started("ladder-framed", monkeypatch)

    overlay = command[command.index("-filter_complex") + 1].rpartition("overlay=")[2]
    assert "format=yuv444" in overlay


def test_a_scene_that_it_cannot_draw_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="not ladder-zooms"):
        _started("ladder-zooms", monkeypatch)
